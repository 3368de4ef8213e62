//! `GET /events`, `GET /events/{eventId}`, `GET /events/{eventId}/stats`.

use axum::Json;
use axum::extract::State;
use boxoffice_domain::definition::{Layout, Limits, Phase, Point, PriceCategory, Section};
use boxoffice_domain::events::{SectionStats, StatsUpdated};
use boxoffice_domain::seat_map::SeatCounts;
use boxoffice_domain::{SeatMap, SeatingEventId, UnixMillis};
use boxoffice_runtime::clock;
use boxoffice_runtime::http::{Id, Problem};
use serde::Serialize;

use super::Knowledge;

/// A SeatingEvent as a list shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary {
    event_id: SeatingEventId,
    title: String,
    starts_at: UnixMillis,
    phase: Phase,
    seats: SeatCounts,
}

/// A SeatingEvent with what a client needs to draw it and to offer its seats.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Detail {
    #[serde(flatten)]
    summary: Summary,
    sequence: u64,
    sales: Window,
    limits: Limits,
    #[serde(skip_serializing_if = "Option::is_none")]
    focal_point: Option<Point>,
    price_categories: Vec<PriceCategory>,
    sections: Vec<SectionBody>,
}

/// When seats can be held.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Window {
    #[serde(skip_serializing_if = "Option::is_none")]
    opens_at: Option<UnixMillis>,
    closes_at: UnixMillis,
    paused: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SectionBody {
    section_id: String,
    price_category: String,
    /// Whether its units are all alike: nobody chooses one on a map.
    general_admission: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    layout: Option<Layout>,
    seats: SeatCounts,
}

/// `GET /events`: in the order in which they start.
pub(super) async fn list(State(known): State<Knowledge>) -> Json<Vec<Summary>> {
    let now = clock::now();
    let mut events: Vec<_> =
        known.views.list().iter().map(|live| live.read(|map| Summary::of(map, now))).collect();
    events.sort_by(|a, b| (a.starts_at, &a.event_id).cmp(&(b.starts_at, &b.event_id)));
    Json(events)
}

/// `GET /events/{eventId}`.
pub(super) async fn show(
    State(known): State<Knowledge>,
    Id(event): Id<SeatingEventId>,
) -> Result<Json<Detail>, Problem> {
    let now = clock::now();
    Ok(Json(known.event(event.as_str())?.read(|map| Detail::of(map, now))))
}

/// `GET /events/{eventId}/stats`: what the `stats` consumer published last. Before its first word that is what was
/// known before the SeatingEvent's first domain event: no sections, as of sequence 0. Counts that need no statistics
/// are in `GET /events/{eventId}`.
pub(super) async fn stats(
    State(known): State<Knowledge>,
    Id(event): Id<SeatingEventId>,
) -> Result<Json<StatsBody>, Problem> {
    known.event(event.as_str())?;
    let body = match known.stats.get(event.as_str()) {
        Some(stats) => StatsBody::from(&*stats),
        None => StatsBody { event_id: event, as_of_sequence: 0, sections: vec![] },
    };
    Ok(Json(body))
}

/// The payload of `stats.updated`, as it was published.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StatsBody {
    event_id: SeatingEventId,
    as_of_sequence: u64,
    sections: Vec<SectionStats>,
}

impl From<&StatsUpdated> for StatsBody {
    fn from(stats: &StatsUpdated) -> Self {
        let StatsUpdated { event_id, as_of_sequence, sections } = stats.clone();
        Self { event_id, as_of_sequence, sections }
    }
}

impl Summary {
    fn of(map: &SeatMap, now: UnixMillis) -> Self {
        Self {
            event_id: map.id.clone(),
            title: map.definition.title.clone(),
            starts_at: map.definition.starts_at,
            phase: map.phase(now),
            seats: map.counts(),
        }
    }
}

impl Detail {
    fn of(map: &SeatMap, now: UnixMillis) -> Self {
        let definition = &map.definition;
        let mut sections: Vec<_> = definition.sections.iter().map(SectionBody::empty).collect();
        for (seat, view) in map.chart().seats().iter().zip(map.seats()) {
            sections[seat.section].seats.add(view);
        }
        Self {
            summary: Summary::of(map, now),
            sequence: map.sequence,
            sales: Window {
                opens_at: definition.sales.opens_at,
                closes_at: definition.closes_at(),
                paused: definition.sales.paused,
            },
            limits: definition.limits.clone(),
            focal_point: definition.focal_point,
            price_categories: definition.price_categories.clone(),
            sections,
        }
    }
}

impl SectionBody {
    fn empty(section: &Section) -> Self {
        Self {
            section_id: section.id.clone(),
            price_category: section.price_category.clone(),
            general_admission: section.capacity.is_some(),
            layout: section.layout,
            seats: SeatCounts::default(),
        }
    }
}
