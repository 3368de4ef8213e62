//! `SeatingEvent`: a show on sale, with its seats as ranges.
//!
//! The operator turns it into a definition for the command worker's admin API. Seats are never listed one by one, so a
//! stadium of 80,000 stays a small object.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::{Condition, DeletionPolicy, Time, moment};
use crate::yaml_1_1;

/// The show on sale.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "boxoffice.dev",
    version = "v1alpha1",
    kind = "SeatingEvent",
    plural = "seatingevents",
    shortname = "sevent",
    category = "boxoffice",
    namespaced,
    status = "SeatingEventStatus",
    derive = "PartialEq",
    doc = "A show on sale: when, where its seats are, and what they cost. Its name is the id of the SeatingEvent \
           everywhere: in seat ids (arena-night.A-12-7), as the Kafka key and in the HTTP API.",
    validation = Rule::new("!self.metadata.name.contains('.') && self.metadata.name.size() <= 63")
        .message("metadata.name must be a DNS label, because seat ids are <name>.<section>-<row>-<number>: \
                  no dots, at most 63 characters"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Total", type_ = "integer", json_path = ".status.seats.total"),
    printcolumn(name = "Available", type_ = "integer", json_path = ".status.seats.available"),
    printcolumn(name = "Held", type_ = "integer", json_path = ".status.seats.held"),
    printcolumn(name = "Reserved", type_ = "integer", json_path = ".status.seats.reserved"),
    printcolumn(name = "Starts", type_ = "string", json_path = ".spec.startsAt"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(
        "!has(self.sales.opensAt) || \
         self.sales.opensAt < (has(self.sales.closesAt) ? self.sales.closesAt : self.startsAt)")
        .message("sales.opensAt must be before sales.closesAt (startsAt where that is left out): \
                  open earlier, or close later")
        .field_path(".sales.opensAt"),
    validation = Rule::new("self.sections.all(s, self.priceCategories.exists(c, c.name == s.priceCategory))")
        .message("sections: every priceCategory must be the name of one of spec.priceCategories")
        .field_path(".sections")
)]
pub struct SeatingEventSpec {
    /// The ReservationService, in the same namespace, that sells these seats. It cannot be changed: the seats live in
    /// that service's stores.
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("serviceRef is immutable: delete this SeatingEvent and create it at the other service"))]
    pub service_ref: ServiceRef,

    /// What buyers read, 1 to 200 characters. Example: `Arena Night`.
    #[schemars(length(min = 1, max = 200))]
    pub title: String,

    /// When the show begins, RFC 3339. Example: `2099-03-01T20:00:00Z`.
    #[schemars(schema_with = "moment")]
    pub starts_at: Time,

    /// When seats can be held and reserved. Left out: from now until `startsAt`.
    #[serde(default)]
    pub sales: Sales,

    /// How long a claim on seats lasts before it must be reserved.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self.ttlSeconds <= self.maxSeconds")
        .message("hold.ttlSeconds must not be more than hold.maxSeconds: raise maxSeconds or lower ttlSeconds"))]
    pub hold: HoldPolicy,

    /// The stage: the best seats are those nearest to it. Left out: in front of the sections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub focal_point: Option<Point>,

    /// What one user may claim.
    #[serde(default)]
    pub limits: Limits,

    /// The prices, 1 to 64, which sections name. All in one currency, which never changes.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[x_kube(
        validation = Rule::new("self.all(c, c.currency == self[0].currency)")
            .message("priceCategories: a SeatingEvent is sold in one currency: give all of them the same"),
        validation = Rule::new("self[0].currency == oldSelf[0].currency")
            .message("priceCategories: the currency of a SeatingEvent never changes: put it back, or create another \
                      SeatingEvent")
    )]
    pub price_categories: Vec<PriceCategory>,

    /// The sections, 1 to 400, with their seats. At most 200,000 seats together; ranges must not overlap.
    #[schemars(length(min = 1, max = 400))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["id".into()]))]
    pub sections: Vec<Section>,

    /// Seats that exist but are not for sale, at most 100 groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub blocked: Vec<Blocked>,

    /// What deleting this object does to its seats. `Retain` (default) closes the sales and keeps them: apply it again
    /// and sold seats are still sold. `Delete` purges them, and only with the annotation
    /// `boxoffice.dev/confirm-delete` set to the object's name; without it they are kept.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
}

/// Names a ReservationService.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceRef {
    /// Its metadata.name. Example: `main`.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
}

/// The sales window.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Sales {
    /// First moment at which a seat can be held, RFC 3339. Left out: at once. Example: `2026-11-01T10:00:00Z`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "moment")]
    pub opens_at: Option<Time>,
    /// First moment at which no seat can be held any more, RFC 3339; after `startsAt` seats are sold at the door. Left
    /// out: `startsAt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "moment")]
    pub closes_at: Option<Time>,
    /// Last moment at which buyers cancel what they have reserved, RFC 3339. Left out: `startsAt`. Example:
    /// `2099-02-28T00:00:00Z`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "moment")]
    pub cancel_until: Option<Time>,
    /// `true` refuses new holds for now; holds that exist can still be reserved or released. Default: `false`.
    pub paused: bool,
}

/// How long a hold lasts, and what it may leave behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HoldPolicy {
    /// Seconds from hold to expiry, 1 to 86400. Default: 300.
    #[schemars(range(min = 1, max = 86_400))]
    pub ttl_seconds: u32,
    /// Seconds from hold to expiry that no extension goes beyond, 1 to 86400. Default: 900.
    #[schemars(range(min = 1, max = 86_400))]
    pub max_seconds: u32,
    /// Whether a hold may leave one single free seat between taken ones: `off` does not care, `prefer` (default) avoids
    /// it where seats are chosen for the buyer, `enforce` refuses it.
    #[serde(deserialize_with = "yaml_1_1::off_or")]
    #[schemars(schema_with = "yaml_1_1::gap_policy")]
    pub no_single_seat_gaps: GapPolicy,
}

impl Default for HoldPolicy {
    fn default() -> Self {
        Self { ttl_seconds: 300, max_seconds: 900, no_single_seat_gaps: GapPolicy::default() }
    }
}

/// What to do about single free seats between taken ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GapPolicy {
    /// Nothing.
    Off,
    /// Avoid them where seats are chosen for the buyer.
    #[default]
    Prefer,
    /// Refuse holds that leave one.
    Enforce,
}

/// What one user may claim.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Limits {
    /// Most seats that one user may hold and have reserved, together. Left out: no limit. Example: 8.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub seats_per_user: Option<u32>,
}

/// A price that sections refer to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct PriceCategory {
    /// What sections call it, 1 to 32 characters. Example: `gold`.
    #[schemars(length(min = 1, max = 32))]
    pub name: String,
    /// Price of one seat in the currency's minor unit: 12000 is 120.00 EUR.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub amount: u64,
    /// ISO 4217 code of a currency in use. Example: `EUR`.
    #[schemars(length(min = 3, max = 3))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Z]{3}$')")
        .message("currency must be an ISO 4217 code of three capital letters, such as EUR"))]
    pub currency: String,
}

/// A section: rows of numbered seats, or a general-admission area.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.rows) != has(self.capacity)")
    .message("a section has either rows (numbered seats) or capacity (general admission): give exactly one"))]
pub struct Section {
    /// Its id, the first part of its seats' ids: 1 to 32 letters, digits and underscores. Example: `A`.
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9_]+$')")
        .message("a section's id may have only letters, digits and underscores, such as BLOCK_A"))]
    pub id: String,
    /// What people call it, in any letters, 1 to 100 characters. Left out: its id. Example: `Loge Süd`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub title: Option<String>,
    /// The name of one of `priceCategories`.
    #[schemars(length(min = 1, max = 32))]
    pub price_category: String,
    /// Its rows, at most 64 entries. Seat ids are `<eventId>.<section>-<row>-<number>`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 64))]
    pub rows: Vec<Rows>,
    /// General admission: how many units there are, 1 to 200000. Their ids are `<eventId>.<section>-<n>` from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 200_000))]
    pub capacity: Option<u32>,
    /// Where it stands on the map. Left out: laid out in the order of this list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<Layout>,
}

/// One row, or several alike, with their seats. The patterns are short because their cost counts for every row of a
/// stadium: 56 characters are what the API server's budget for one rule has room for. The operator checks the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("has(self.row) != has(self.rows)")
    .message("give exactly one of row (one row, such as \"1\") and rows (a range, such as \"2-30\")"))]
pub struct Rows {
    /// One row's id: 1 to 32 letters, digits and underscores, in quotes where it is a number. Example: `"1"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9_]+$')")
        .message("a row may have only letters, digits and underscores; for several rows use the field rows"))]
    pub row: Option<String>,
    /// Several rows with the same seats: numbers from-to, `"2-30"` or `"30-2"`, every second one, `"1-39/2"`, and lists
    /// of these and of single ids with commas, `"AA,BB,1-4"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new(r"self.matches('^(\\w+|\\d+-\\d+(/\\d+)?)(, ?(\\w+|\\d+-\\d+(/\\d+)?))*$')")
        .message("rows are ranges such as \"1-40\", \"1-39/2\" or \"7\", or several of these with commas"))]
    pub rows: Option<String>,
    /// The seats of each row as they follow each other: numbers from-to, `"1-40"`, falling, `"40-1"`, every second one,
    /// `"1-39/2"` (1, 3, 5 ... 39), with zeros in front, `"01-12"`, and lists of these and of single ids with commas,
    /// `"1-6,9-14,W1"`, or with `|` where an aisle is, `"1-14 | 15-30"`.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new(r"self.matches('^(\\w+|\\d+-\\d+(/\\d+)?)( ?[,|] ?(\\w+|\\d+-\\d+(/\\d+)?))*$')")
        .message("seats are ranges such as \"1-40\", \"1-39/2\" or \"7\", or several of these with commas, or with | \
                  where an aisle is"))]
    pub seats: String,
}

/// Seats that are not for sale, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct Blocked {
    /// The seats, 1 to 500, without the SeatingEvent's name: `A-1-1`, or `FLOOR-17` for a general-admission unit.
    #[schemars(length(min = 1, max = 500), inner(length(min = 3, max = 98)))]
    #[x_kube(validation = Rule::new("self.all(s, s.matches('^\\\\w+-\\\\w+(-\\\\w+)?$'))")
        .message("blocked seats are written <section>-<row>-<number> or <section>-<n>, such as A-1-1"))]
    pub seats: Vec<String>,
    /// Why, 1 to 100 characters. Example: `camera`.
    #[schemars(length(min = 1, max = 100))]
    pub reason: String,
}

/// A place on the map, in any unit that all of the map shares.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, KubeSchema)]
#[schemars(transform = yaml_1_1::y_may_be_true)]
#[x_kube(validation = yaml_1_1::one_y())]
pub struct Point {
    /// To the right.
    pub x: f64,
    /// Downwards.
    #[serde(alias = "true")]
    pub y: f64,
}

/// Where a section stands on the map.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, KubeSchema)]
#[schemars(transform = yaml_1_1::y_may_be_true)]
#[x_kube(validation = yaml_1_1::one_y())]
pub struct Layout {
    /// To the right.
    pub x: f64,
    /// Downwards.
    #[serde(alias = "true")]
    pub y: f64,
    /// Degrees clockwise. Default: 0.
    #[serde(default)]
    pub angle: f64,
}

/// What the operator last saw.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeatingEventStatus {
    /// Where the show stands in its life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The metadata.generation that this status speaks about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, Reconciling, Stalled and InventoryReady, each with a reason and a message; also ReconcilePaused while the
    /// annotation boxoffice.dev/paused is true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// Seats by state, at most 10 s old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seats: Option<SeatCounts>,
    /// The sequence of the last domain event that these counts include.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// The partition of the topic that holds all domain events of this show. Chosen once, never changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<i32>,
    /// Names the definition that was last provisioned: equal hashes, equal definitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart_hash: Option<String>,
    /// What the last change of the definition does to the seats that were there, written before it is given to the
    /// service. Absent where it does nothing to them, or all seats are new. Whether it took effect says InventoryReady.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<SeatMapPlan>,
}

/// What a change does to the seats.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SeatMapPlan {
    /// The metadata.generation of the definition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// Seats that it adds.
    #[serde(skip_serializing_if = "PlannedSeats::is_empty")]
    pub added: PlannedSeats,
    /// Seats that it removes.
    #[serde(skip_serializing_if = "PlannedSeats::is_empty")]
    pub removed: PlannedSeats,
    /// Seats that it takes off sale.
    #[serde(skip_serializing_if = "PlannedSeats::is_empty")]
    pub blocked: PlannedSeats,
    /// Seats that it puts back on sale.
    #[serde(skip_serializing_if = "PlannedSeats::is_empty")]
    pub unblocked: PlannedSeats,
    /// The first 20 seats that are held or sold and stand in the way: none of the above happens until they come back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<RefusedSeat>,
}

impl SeatMapPlan {
    /// Whether no seat is concerned.
    pub fn is_empty(&self) -> bool {
        let Self { generation: _, added, removed, blocked, unblocked, refused } = self;
        [added, removed, blocked, unblocked].into_iter().all(PlannedSeats::is_empty) && refused.is_empty()
    }
}

/// Seats of which the first are named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PlannedSeats {
    /// How many there are.
    pub count: u64,
    /// The ids of the first 20.
    pub seats: Vec<String>,
}

impl PlannedSeats {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// A seat in the way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RefusedSeat {
    /// Its id.
    pub seat: String,
    /// What is in the way: `HELD` or `RESERVED`.
    pub reason: String,
}

/// Where a SeatingEvent stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// Its seats are not there yet.
    Pending,
    /// Sales have not opened.
    Scheduled,
    /// Seats can be held.
    OnSale,
    /// On sale, but nothing is available.
    SoldOut,
    /// Sales have closed.
    Closed,
}

/// How many seats are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SeatCounts {
    /// All of them.
    pub total: u64,
    /// Free to hold.
    pub available: u64,
    /// Held, not yet reserved.
    pub held: u64,
    /// Reserved.
    pub reserved: u64,
    /// Not for sale.
    pub blocked: u64,
}
