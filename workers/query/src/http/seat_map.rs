//! `GET /events/{eventId}/seats`: every seat of a SeatingEvent, or of one section of it.
//!
//! Renderings are shared by all who ask ([`Views::rendering`](crate::view::Views::rendering)); a client that has the last one
//! is told so before anything is rendered, and one that has an earlier one may ask for what changed since.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, IntoResponseParts, Response};
use boxoffice_domain::{ChartRow, SeatingEventId};
use boxoffice_runtime::http::{Id, Problem, code};
use boxoffice_runtime::openapi::params::OfEvent;
use boxoffice_runtime::openapi::schemas;
use boxoffice_runtime::reading::Query;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use utoipa::ToSchema;

use super::Knowledge;
use super::conditional::{Form, content_encoding, entity_tag, entity_tag_of_section, has};
use super::headers::Headers;
use super::pieces::body;
use super::seats::SeatStatus;
use super::viewed::{Viewed, with_room};
use crate::openapi::{OfMap, SEAT_MAPS};
use crate::view::forms::Encoding;
use crate::view::forms::packed::MEDIA_TYPE;
use crate::view::ring::Changes;
use crate::view::tag::Tag;
use crate::view::{LiveMap, Rendered, Untold};

/// What of a map is asked for. Other parameters are refused: their answer would not be what the client expects.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Only the seats of this section.
    #[param(example = "A")]
    section: Option<String>,
    /// Only what changed after this sequence, of the section where one is given; where that is not known any more the
    /// answer is 410.
    #[param(example = 1)]
    since: Option<u64>,
    /// What sequences are of, as `x-view-epoch` said; with `since` 0 where it is left out. Where it is another one by now the
    /// answer is 410.
    #[param(example = 0)]
    epoch: Option<u64>,
    /// Waits, for at most two seconds, until the domain event with this sequence was taken in.
    #[param(example = 1)]
    after: Option<u64>,
}

/// What changed of a map.
#[derive(Serialize, ToSchema)]
#[schema(as = SeatMapChanges)]
struct ChangesBody {
    /// Sequence of the last domain event in it: where to ask from the next time.
    sequence: u64,
    /// What the sequence is of.
    epoch: u64,
    /// Seats that changed: the place in the order of the chart, and what the seat is now.
    #[schema(value_type = Vec<(u32, SeatStatus)>)]
    changes: Vec<(u32, &'static str)>,
}

/// What a map that is known already is asked for with.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what conditional reads")]
struct Conditional {
    /// The `etag` of a map that the client has: where it still holds, the answer is 304.
    #[param(rename = "if-none-match", example = "*")]
    if_none_match: Option<String>,
}

/// A map, or what changed of it.
#[derive(ToSchema)]
#[schema(as = SeatMapOrChanges)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes what is answered")]
enum MapOrChanges {
    Map(MapBody),
    Changes(ChangesBody),
}

/// The JSON of a [`Rendering`](crate::view::forms::Rendering), which is made without serde.
#[derive(ToSchema)]
#[schema(as = SeatMap, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what is rendered")]
struct MapBody {
    /// The SeatingEvent.
    #[schema(value_type = schemas::SeatingEventId)]
    event_id: String,
    /// Sequence of the last domain event in it.
    sequence: u64,
    /// What the sequence is of; absent where that is 0.
    #[schema(required = false)]
    epoch: u64,
    /// In the order of the chart.
    seats: Vec<MapSeat>,
}

/// A seat on a map.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what is rendered")]
struct MapSeat {
    /// Its id.
    #[schema(value_type = schemas::SeatId)]
    seat_id: String,
    /// Its section.
    section_id: String,
    /// Empty for a general-admission unit.
    row: String,
    /// Its number in the row, or among the units.
    number: String,
    /// `AVAILABLE`, `HELD`, `RESERVED` or `BLOCKED`.
    status: SeatStatus,
    /// The name of its price category.
    price_category: String,
}

/// Show a seat map
///
/// Every seat, or those of one section; at most 100 ms old. It is compressed for those who take gzip, and not sent again to
/// those who have it: they ask with the tag that they have, or for what changed `since`. As
/// `application/vnd.boxoffice.seatmap` it has a quarter of a byte a seat, in the order of the chart.
#[utoipa::path(
    get,
    path = "/events/{eventId}/seats",
    operation_id = "showSeatMap",
    tag = SEAT_MAPS,
    params(OfEvent, Asked, Conditional),
    responses(
        (
            status = 200,
            description = "The seats, or what changed of them.",
            content(
                (MapOrChanges = "application/json", examples(
                    ("map" = (summary = "The seats", value = json!({
                        "eventId": "arena-night",
                        "sequence": 3,
                        "seats": [{
                            "seatId": "arena-night.A-1-1",
                            "sectionId": "A",
                            "row": "1",
                            "number": "1",
                            "status": "HELD",
                            "priceCategory": "gold"
                        }]
                    }))),
                    ("changes" = (summary = "What changed since a sequence", value = json!({
                        "sequence": 3,
                        "epoch": 0,
                        "changes": [[0, "HELD"]]
                    })))
                )),
                (Vec<u8> = "application/vnd.boxoffice.seatmap")
            ),
            headers(("etag", description = "Names this state of the seats, for if-none-match.")),
        ),
        (status = 304, description = "The client's map still holds."),
        OfMap
    )
)]
pub(super) async fn show(
    State(known): State<Arc<Knowledge>>,
    Id(event): Id<SeatingEventId>,
    Query(asked): Query<Asked>,
    Headers(headers): Headers,
) -> Result<Response, Problem> {
    let Asked { section, since, epoch, after } = asked;
    // What the sequences are of that are named. One of another epoch may never come, so it is not waited for.
    let epoch = match (epoch, since) {
        (None, Some(_)) => Some(0),
        (epoch, _) => epoch,
    };
    let is_another = |live: &LiveMap| epoch.is_some_and(|epoch| epoch != live.tag().epoch);
    let awaited = after.max(since);
    let live = match known.event(event.as_str()) {
        Ok(live) if awaited.is_none() || is_another(&live) => live,
        Ok(_) | Err(_) => known.event_after(&event, awaited).await?,
    };
    let current = live.tag();
    if is_another(&live) {
        let sequence = since.or(after).unwrap_or(current.sequence);
        return Ok(viewed(&known, &live, &current, problem(Untold::Gone { event, sequence })));
    }
    let section = section.as_deref();
    if let Some(section) = section
        && !live.read(|map| map.definition.sections.iter().any(|known| known.id == section))
    {
        return Err(no_section(section));
    }
    if let Some(since) = since {
        return Ok(changes(&known, &live, since, epoch.unwrap_or_default(), section));
    }
    map(&known, &live, &current, section, after.unwrap_or_default(), &headers).await
}

async fn map(
    known: &Knowledge,
    live: &Arc<LiveMap>,
    current: &Tag,
    section: Option<&str>,
    after: u64,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let Some(form) = Form::accepted(headers, section.is_none()) else {
        return Err(Problem::invalid(
            "section: the packed form has all of them: leave it out, or accept application/json too",
        ));
    };
    // Where nobody else asks nothing is rendered for whoever has the map.
    if section.is_none() && headers.contains_key(header::IF_NONE_MATCH) {
        let tag = current.to_string();
        if has(headers, &tag) {
            return Ok(unchanged(known, live, current, entity_tag(&tag, form)));
        }
    }
    let Rendered { rendering, anew } = known.views.rendering(live, after).await.map_err(problem)?;
    if anew {
        known.metrics.renders.inc();
    }
    let gone = || no_section(section.unwrap_or_default());
    let of_section = match section {
        Some(section) => Some(rendering.tag_of(section).ok_or_else(gone)?.to_string()),
        None => None,
    };
    let (tag, named) = match &of_section {
        Some(tag) => (tag.as_str(), entity_tag_of_section(tag, form)),
        None => (&*rendering.named, entity_tag(&rendering.named, form)),
    };
    if has(headers, tag) {
        return Ok(unchanged(known, live, &rendering.tag, named));
    }
    let sent = match form {
        Form::Packed => Body::from(rendering.packed()),
        Form::Json(encoding) if encoding == Encoding::Identity || rendering.is_deflated(section) => {
            body(rendering.json(section, encoding).ok_or_else(gone)?)
        }
        Form::Json(encoding) => {
            let (rendering, section) = (Arc::clone(&rendering), section.map(str::to_owned));
            let compressed = spawn_blocking(move || rendering.json(section.as_deref(), encoding));
            body(compressed.await.map_err(|error| problem(error.into()))?.ok_or_else(gone)?)
        }
    };
    let (kind, encoding) = match form {
        Form::Packed => (MEDIA_TYPE, None),
        Form::Json(encoding) => ("application/json", content_encoding(encoding)),
    };
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static(kind))];
    Ok(viewed(known, live, &rendering.tag, (validators(named), encoding, kind, with_room(sent))))
}

/// 304: the client has it.
fn unchanged(known: &Knowledge, live: &LiveMap, tag: &Tag, entity_tag: String) -> Response {
    let answer = (StatusCode::NOT_MODIFIED, validators(entity_tag), with_room(Body::empty()));
    viewed(known, live, tag, answer)
}

fn viewed(known: &Knowledge, live: &LiveMap, tag: &Tag, answer: impl IntoResponse) -> Response {
    let age = known.age.of(live.partition());
    Viewed { sequence: tag.sequence, epoch: tag.epoch, age, answer }.into_response()
}

/// 404: the show has no such section.
fn no_section(section: &str) -> Problem {
    let detail = format!("section: there is no section {section:?}: GET /events/{{eventId}} lists them");
    Problem::new(StatusCode::NOT_FOUND, code::SEAT_NOT_FOUND, detail)
}

/// What changed after a sequence, of all seats or of a section's.
fn changes(known: &Knowledge, live: &LiveMap, since: u64, epoch: u64, section: Option<&str>) -> Response {
    let Changes { upto, mut seats } = match known.views.since(live, since, epoch) {
        Ok(changes) => changes,
        Err(untold) => return viewed(known, live, &live.tag(), problem(untold)),
    };
    if let Some(section) = section {
        let rows: Vec<_> = live.read(|map| {
            let is_its = |row: &ChartRow<'_>| {
                map.definition.sections.get(row.section()).is_some_and(|it| it.id == section)
            };
            map.chart().rows().filter(is_its).map(ChartRow::places).collect()
        });
        seats.retain(|place, _| rows.iter().any(|places| places.contains(&(*place as usize))));
    }
    let changes = seats.into_iter().map(|(place, status)| (place, status.as_str())).collect();
    let body = Json(ChangesBody { sequence: upto, epoch, changes });
    let answer = ([(header::CACHE_CONTROL, SHARED)], body);
    let age = known.age.of(live.partition());
    Viewed { sequence: upto, epoch, age, answer }.into_response()
}

/// Whoever stands between may give it to others for a second, and for another one while it asks for the next.
const SHARED: &str = "public, max-age=0, s-maxage=1, stale-while-revalidate=1";

/// Whoever keeps a map asks whether it still holds, and gets the form that it takes.
fn validators(entity_tag: String) -> impl IntoResponseParts {
    const VARY: &str = "accept, accept-encoding";
    let shared = [(header::CACHE_CONTROL, SHARED), (header::VARY, VARY)];
    let shared = shared.map(|(name, value)| (name, HeaderValue::from_static(value)));
    (shared, [(header::ETAG, entity_tag)])
}

/// What is told where something cannot be.
pub(super) fn problem(error: Untold) -> Problem {
    match error {
        Untold::Gone { event, sequence } => {
            let detail = format!(
                "since: what changed after {sequence} is not known any more: load /events/{event}/seats"
            );
            Problem::new(StatusCode::GONE, code::SEQUENCE_GONE, detail)
        }
        Untold::Stopped(error) => {
            Problem::unavailable("the worker is shutting down").because(error.to_string())
        }
    }
}
