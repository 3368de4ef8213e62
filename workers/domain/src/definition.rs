//! What a SeatingEvent's resource says about its sale, as it travels to the command worker's admin API and in
//! `event.created` and `event.updated`. Seats stay ranges here; [`crate::chart`] expands them. Unknown fields are skipped:
//! events are read for ever, so one that a later version added must not make them unreadable.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ids::UnixMillis;

/// How long after its end the seats of a SeatingEvent are still looked at: a week.
const LOOKED_AT: UnixMillis = 7 * 24 * 60 * 60 * 1000;

/// The definition of a SeatingEvent: everything about the sale but what was sold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Definition {
    /// What buyers read.
    pub title: String,
    /// When the show begins.
    pub starts_at: UnixMillis,
    /// When seats are on sale.
    #[serde(default)]
    pub sales: Sales,
    /// How long a hold lasts.
    #[serde(default)]
    pub hold: HoldPolicy,
    /// The stage, towards which the best seats are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub focal_point: Option<Point>,
    /// What one user may claim.
    #[serde(default)]
    pub limits: Limits,
    /// Prices, in the currency's minor unit.
    pub price_categories: Vec<PriceCategory>,
    /// The seats, as ranges.
    pub sections: Vec<Section>,
    /// Seats that are not for sale.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocked: Vec<Blocked>,
}

/// The sales window.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sales {
    /// First moment at which a seat can be held; absent: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens_at: Option<UnixMillis>,
    /// First moment at which no seat can be held any more; absent: when the show begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closes_at: Option<UnixMillis>,
    /// Last moment at which buyers cancel what they have reserved; absent: when the show begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_until: Option<UnixMillis>,
    /// Whether new holds are refused for now.
    #[serde(default)]
    pub paused: bool,
}

/// How long a hold lasts, and what it may leave behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HoldPolicy {
    /// Seconds from hold to expiry.
    #[serde(default = "default_ttl")]
    pub ttl_seconds: u32,
    /// Seconds from hold to expiry that no extension goes beyond.
    #[serde(default = "default_max")]
    pub max_seconds: u32,
    /// Whether a hold may leave a single free seat between taken ones.
    #[serde(default)]
    pub no_single_seat_gaps: GapPolicy,
}

fn default_ttl() -> u32 {
    300
}

fn default_max() -> u32 {
    900
}

impl Default for HoldPolicy {
    fn default() -> Self {
        Self {
            ttl_seconds: default_ttl(),
            max_seconds: default_max(),
            no_single_seat_gaps: GapPolicy::default(),
        }
    }
}

/// What to do about single free seats between taken ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Most seats held and reserved by one user; absent: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seats_per_user: Option<u32>,
}

/// A price that sections refer to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PriceCategory {
    /// What sections call it.
    pub name: String,
    /// Price of a seat in the currency's minor unit: 12000 is 120.00 EUR.
    pub amount: u64,
    /// ISO 4217 code; one a SeatingEvent.
    pub currency: String,
}

/// A section: rows of seats, or a general-admission area of `capacity` units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Section {
    /// Its id, the first part of its seats' keys.
    pub id: String,
    /// What people call it, in any letters; absent: its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The name of its price category.
    pub price_category: String,
    /// Its rows, as ranges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<Rows>,
    /// How many general-admission units it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u32>,
    /// Where it stands on the map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<Layout>,
}

/// One row (`row`) or several alike (`rows`), with their seats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rows {
    /// One row's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<String>,
    /// A range of row ids: `2-30`, `03-01`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<String>,
    /// The seats of each as they follow each other: `1-40`, `39-1/2`, `01-12`, several of these with commas, or with `|`
    /// where an aisle is.
    pub seats: String,
}

/// Seats that are not for sale, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Blocked {
    /// Keys of the seats: `A-1-1`.
    pub seats: Vec<String>,
    /// Why: `camera`.
    pub reason: String,
}

/// A place on the map.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Point {
    /// To the right.
    pub x: f64,
    /// Downwards.
    pub y: f64,
}

/// Where a section stands on the map.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Layout {
    /// To the right.
    pub x: f64,
    /// Downwards.
    pub y: f64,
    /// Degrees clockwise.
    #[serde(default)]
    pub angle: f64,
}

/// Where a SeatingEvent stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// Its inventory is not there yet.
    Pending,
    /// Sales have not opened.
    Scheduled,
    /// Seats can be held (or could, were sales not paused).
    OnSale,
    /// On sale, but nothing is available.
    SoldOut,
    /// Sales have closed.
    Closed,
}

impl Definition {
    /// The first moment at which no seat can be held any more.
    pub fn closes_at(&self) -> UnixMillis {
        self.sales.closes_at.unwrap_or(self.starts_at)
    }

    /// The last moment at which buyers cancel what they have reserved.
    pub fn cancel_until(&self) -> UnixMillis {
        self.sales.cancel_until.unwrap_or(self.starts_at)
    }

    /// When the SeatingEvent is over for whoever looks at seats: nothing more is sold, shown or cancelled then.
    pub fn over_at(&self) -> UnixMillis {
        self.starts_at.max(self.closes_at()).max(self.cancel_until()).saturating_add(LOOKED_AT)
    }

    /// Where the sale stands at `now` with `available` seats left.
    pub fn phase(&self, closed: bool, available: u64, now: UnixMillis) -> Phase {
        if closed || now >= self.closes_at() {
            Phase::Closed
        } else if self.sales.opens_at.is_some_and(|opens| now < opens) {
            Phase::Scheduled
        } else if available == 0 {
            Phase::SoldOut
        } else {
            Phase::OnSale
        }
    }

    /// The price category of a section.
    pub fn price_of(&self, section: &str) -> Option<&PriceCategory> {
        let section = self.sections.iter().find(|s| s.id == section)?;
        self.price_categories.iter().find(|p| p.name == section.price_category)
    }

    /// The currency of every price.
    pub fn currency(&self) -> &str {
        self.price_categories.first().map_or("", |p| &p.currency)
    }

    /// A digest of all of it, 32 hexadecimal digits: nobody finds another definition that has the same one. Operator and
    /// command worker compare definitions by it, and the store keeps it of those that are archived: it must not change.
    pub fn digest(&self) -> String {
        // Texts and numbers can always be written as JSON.
        let text = serde_json::to_string(self).unwrap_or_default();
        let digest = Sha256::digest(text);
        let (head, _) = digest.split_at(16);
        format!("{:032x}", head.iter().fold(0_u128, |hash, byte| hash << 8 | u128::from(*byte)))
    }

    /// A fingerprint of all that a chart shows, where seats stand and what they cost, but not what is blocked: 16
    /// hexadecimal digits.
    pub fn chart_hash(&self) -> String {
        fingerprint(&serde_json::json!([self.price_categories, self.sections, self.focal_point]))
    }

    /// A fingerprint of which seats there are, and in which order: what a seat's place in it means.
    pub fn seats_hash(&self) -> String {
        let seats = |section: &Section| serde_json::json!([section.id, section.rows, section.capacity]);
        fingerprint(&self.sections.iter().map(seats).collect())
    }
}

fn fingerprint(of: &serde_json::Value) -> String {
    let digest = Sha256::digest(of.to_string());
    let (head, _) = digest.split_at(8);
    format!("{:016x}", head.iter().fold(0_u64, |hash, byte| hash << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_that_of_every_equal_definition_however_it_came() {
        let written = r#"{"title": "Arena Night", "startsAt": 5, "priceCategories": [],
            "sections": [{"id": "A", "priceCategory": "gold", "layout": {"x": 0.30000000000000004, "y": -7}}]}"#;
        let definition: Definition = serde_json::from_str(written).unwrap();
        let sent: Definition = serde_json::from_str(&serde_json::to_string(&definition).unwrap()).unwrap();
        assert_eq!(definition.digest(), sent.digest());
        assert_eq!(
            definition.digest(),
            "efc40bf094bdf2dfb1858fd85761cd68",
            "stores and operators have it of earlier versions"
        );
        let renamed = Definition { title: "Arena Day".into(), ..definition.clone() };
        assert_ne!(renamed.digest(), definition.digest());
    }

    #[test]
    fn a_show_is_over_a_week_after_the_last_that_happens_to_it() {
        let definition = |starts_at, closes_at, cancel_until| Definition {
            title: "Arena Night".into(),
            starts_at,
            sales: Sales { closes_at, cancel_until, ..Sales::default() },
            hold: HoldPolicy::default(),
            focal_point: None,
            limits: Limits::default(),
            price_categories: vec![],
            sections: vec![],
            blocked: vec![],
        };
        for (starts_at, closes_at, cancel_until, last) in
            [(5, None, None, 5), (5, Some(3), Some(1), 5), (5, Some(9), None, 9), (5, Some(3), Some(7), 7)]
        {
            assert_eq!(definition(starts_at, closes_at, cancel_until).over_at(), last + 604_800_000);
        }
    }
}
