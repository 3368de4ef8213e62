//! `GET /events`, `GET /events/{eventId}`, `GET /events/{eventId}/stats`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use boxoffice_domain::definition::{Layout, Limits, Phase, Point, PriceCategory, Section};
use boxoffice_domain::events::SectionStats;
use boxoffice_domain::seat_map::SeatCounts;
use boxoffice_domain::{SeatMap, SeatingEventId, UnixMillis};
use boxoffice_runtime::clock;
use boxoffice_runtime::http::{Id, Problem};
use boxoffice_runtime::openapi::params::OfEvent;
use boxoffice_runtime::openapi::schemas;
use boxoffice_runtime::reading::{Nothing, Query};
use serde::Serialize;
use utoipa::ToSchema;

use super::Knowledge;
use super::viewed::{After, Viewed};
use crate::openapi::{EVENTS, OfEventRead, OfList};

/// A SeatingEvent as a list shows it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventSummary)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary {
    /// Its id.
    #[schema(value_type = schemas::SeatingEventId)]
    event_id: SeatingEventId,
    /// What buyers read.
    title: String,
    /// When the show begins, in milliseconds since 1970.
    starts_at: UnixMillis,
    /// Where its sale stands.
    #[schema(value_type = schemas::Phase)]
    phase: Phase,
    /// When seats can be held.
    sales: Window,
    /// Seats by status.
    #[schema(value_type = schemas::SeatCounts)]
    seats: SeatCounts,
}

/// A SeatingEvent with what a client needs to draw it and to offer its seats.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventDetail)]
#[serde(rename_all = "camelCase")]
pub(super) struct Detail {
    #[serde(flatten)]
    summary: Summary,
    /// Sequence of the last domain event in it.
    sequence: u64,
    /// What one user may claim.
    #[schema(value_type = schemas::Limits)]
    limits: Limits,
    /// The stage, towards which the best seats are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::Point>)]
    focal_point: Option<Point>,
    /// Prices.
    #[schema(value_type = Vec<schemas::PriceCategory>)]
    price_categories: Vec<PriceCategory>,
    /// In the order of the chart.
    sections: Vec<SectionBody>,
}

/// When seats can be held, and given back.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SalesWindow)]
#[serde(rename_all = "camelCase")]
struct Window {
    /// First moment at which a seat can be held; absent: at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    opens_at: Option<UnixMillis>,
    /// First moment at which no seat can be held any more.
    closes_at: UnixMillis,
    /// Last moment at which buyers cancel what they reserved.
    cancel_until: UnixMillis,
    /// Whether new holds are refused for now.
    paused: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SectionSummary)]
#[serde(rename_all = "camelCase")]
struct SectionBody {
    /// Its id.
    section_id: String,
    /// The name of its price category.
    price_category: String,
    /// Whether its units are all alike: nobody chooses one on a map.
    general_admission: bool,
    /// Where it stands on the map.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::Layout>)]
    layout: Option<Layout>,
    /// Seats by status.
    #[schema(value_type = schemas::SeatCounts)]
    seats: SeatCounts,
}

/// List SeatingEvents
///
/// In the order in which they start; one that was closed for good is not among them.
#[utoipa::path(
    get,
    path = "/events",
    operation_id = "listEvents",
    tag = EVENTS,
    responses(
        (
            status = 200,
            description = "The SeatingEvents.",
            body = Vec<Summary>,
            example = json!([{
                "eventId": "arena-night",
                "title": "Arena Night",
                "startsAt": 4_000_000_000_000_u64,
                "phase": "OnSale",
                "sales": {
                    "closesAt": 4_000_000_000_000_u64,
                    "cancelUntil": 4_000_000_000_000_u64,
                    "paused": false
                },
                "seats": {"total": 8, "available": 5, "held": 1, "reserved": 1, "blocked": 1}
            }])
        ),
        OfList
    )
)]
pub(super) async fn list(
    State(known): State<Arc<Knowledge>>,
    _: Query<Nothing>,
) -> Result<Json<Vec<Summary>>, Problem> {
    known.loaded()?;
    let now = clock::now();
    let mut events: Vec<_> =
        known.views.list().iter().map(|live| live.read(|map| Summary::of(map, now))).collect();
    events.sort_by(|a, b| (a.starts_at, &a.event_id).cmp(&(b.starts_at, &b.event_id)));
    Ok(Json(events))
}

/// Show a SeatingEvent
///
/// What a client needs to draw it and to offer its seats; the seats themselves are its map.
#[utoipa::path(
    get,
    path = "/events/{eventId}",
    operation_id = "showEvent",
    tag = EVENTS,
    params(OfEvent, After),
    responses(
        (
            status = 200,
            description = "The SeatingEvent.",
            body = Detail,
            example = json!({
                "eventId": "arena-night",
                "title": "Arena Night",
                "startsAt": 4_000_000_000_000_u64,
                "phase": "OnSale",
                "sales": {
                    "closesAt": 4_000_000_000_000_u64,
                    "cancelUntil": 4_000_000_000_000_u64,
                    "paused": false
                },
                "seats": {"total": 8, "available": 5, "held": 1, "reserved": 1, "blocked": 1},
                "sequence": 3,
                "limits": {"seatsPerUser": 8},
                "focalPoint": {"x": 0.0, "y": -4.0},
                "priceCategories": [{"name": "gold", "amount": 12_000, "currency": "EUR"}],
                "sections": [
                    {
                        "sectionId": "A",
                        "priceCategory": "gold",
                        "generalAdmission": false,
                        "layout": {"x": 0.0, "y": 2.0, "angle": 0.0},
                        "seats": {"total": 6, "available": 3, "held": 1, "reserved": 1, "blocked": 1}
                    },
                    {
                        "sectionId": "FLOOR",
                        "priceCategory": "gold",
                        "generalAdmission": true,
                        "seats": {"total": 2, "available": 2, "held": 0, "reserved": 0, "blocked": 0}
                    }
                ]
            })
        ),
        OfEventRead
    )
)]
pub(super) async fn show(
    State(known): State<Arc<Knowledge>>,
    Id(event): Id<SeatingEventId>,
    Query(After { after }): Query<After>,
) -> Result<Viewed<Json<Detail>>, Problem> {
    let live = known.event_after(&event, after).await?;
    let (now, age) = (clock::now(), known.age.of(live.partition()));
    Ok(live.read(|map| Viewed {
        sequence: map.sequence,
        epoch: map.epoch,
        age,
        answer: Json(Detail::of(map, now)),
    }))
}

/// Show statistics
///
/// What the `stats` consumer published last. Before its first word
/// the answer is 503, for nobody knows what was sold. Counts that need no statistics
/// are in `GET /events/{eventId}`.
#[utoipa::path(
    get,
    path = "/events/{eventId}/stats",
    operation_id = "showStats",
    tag = EVENTS,
    params(OfEvent, After),
    responses(
        (
            status = 200,
            description = "The statistics.",
            body = StatsBody,
            example = json!({
                "eventId": "arena-night",
                "asOfSequence": 3,
                "sections": [{"sectionId": "A", "available": 3, "held": 1, "reserved": 1, "released": 0}]
            })
        ),
        OfEventRead
    )
)]
pub(super) async fn stats(
    State(known): State<Arc<Knowledge>>,
    Id(event): Id<SeatingEventId>,
    Query(After { after }): Query<After>,
) -> Result<Viewed<Json<StatsBody>>, Problem> {
    let live = known.event_after(&event, after).await?;
    let (sequence, epoch) = live.read(|map| (map.sequence, map.epoch));
    let (as_of_sequence, sections) = known.statistics(event.as_str())?;
    let sections = sections.into_iter().map(SectionCounts::from).collect();
    let answer = Json(StatsBody { event_id: event, as_of_sequence, sections });
    Ok(Viewed { sequence, epoch, age: known.age.of(live.partition()), answer })
}

/// Counts as of a domain event. What they came to is the operators' business.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Statistics)]
#[serde(rename_all = "camelCase")]
pub(super) struct StatsBody {
    /// The SeatingEvent.
    #[schema(value_type = schemas::SeatingEventId)]
    event_id: SeatingEventId,
    /// Sequence of the last domain event that they cover.
    as_of_sequence: u64,
    /// A section each.
    sections: Vec<SectionCounts>,
}

/// Counts of a section.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SectionCounts {
    /// The section.
    section_id: String,
    /// Seats that can be held now.
    available: u64,
    /// Seats in holds.
    held: u64,
    /// Seats in reservations.
    reserved: u64,
    /// How often a seat was released, ever.
    released: u64,
}

impl From<SectionStats> for SectionCounts {
    fn from(stats: SectionStats) -> Self {
        let SectionStats { section_id, available, held, reserved, released, revenue: _ } = stats;
        Self { section_id, available, held, reserved, released }
    }
}

impl Summary {
    fn of(map: &SeatMap, now: UnixMillis) -> Self {
        Self {
            event_id: map.id.clone(),
            title: map.definition.title.clone(),
            starts_at: map.definition.starts_at,
            phase: map.phase(now),
            sales: Window {
                opens_at: map.definition.sales.opens_at,
                closes_at: map.definition.closes_at(),
                cancel_until: map.definition.cancel_until(),
                paused: map.definition.sales.paused,
            },
            seats: map.counts(),
        }
    }
}

impl Detail {
    fn of(map: &SeatMap, now: UnixMillis) -> Self {
        let definition = &map.definition;
        let sections = definition.sections.iter().zip(map.sections());
        Self {
            summary: Summary::of(map, now),
            sequence: map.sequence,
            limits: definition.limits.clone(),
            focal_point: definition.focal_point,
            price_categories: definition.price_categories.clone(),
            sections: sections.map(|(section, seats)| SectionBody::new(section, *seats)).collect(),
        }
    }
}

impl SectionBody {
    fn new(section: &Section, seats: SeatCounts) -> Self {
        Self {
            section_id: section.id.clone(),
            price_category: section.price_category.clone(),
            general_admission: section.capacity.is_some(),
            layout: section.layout,
            seats,
        }
    }
}
