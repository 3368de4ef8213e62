//! `GET /events/{eventId}/seats`: every seat of a SeatingEvent, or of one section of it.
//!
//! Bodies are rendered once a sequence ([`LiveMap::picture`](crate::view::LiveMap::picture)); a client that has the
//! newest one is told so before anything is rendered.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use boxoffice_domain::SeatingEventId;
use boxoffice_runtime::http::{Id, Problem};
use boxoffice_runtime::openapi::params::OfEvent;
use boxoffice_runtime::openapi::schemas;
use boxoffice_runtime::reading::Query;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Knowledge;
use super::conditional::{Encoding, entity_tag, has};
use super::seats::SeatStatus;
use crate::openapi::{OfEventRead, SEAT_MAPS};
use crate::view::live_map::PictureError;
use crate::view::tag::Tag;

/// What of a map is asked for. Other parameters are refused: their answer would not be what the client expects.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Only the seats of this section.
    #[param(example = "A")]
    section: Option<String>,
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

/// The JSON of [`Picture`](crate::view::picture::Picture), which is rendered without serde.
#[derive(ToSchema)]
#[schema(as = SeatMap, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what Picture renders")]
struct MapBody {
    /// The SeatingEvent.
    #[schema(value_type = schemas::SeatingEventId)]
    event_id: String,
    /// Sequence of the last domain event in it.
    sequence: u64,
    /// In the order of the chart.
    seats: Vec<MapSeat>,
}

/// A seat on a map.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what Picture renders")]
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
/// Every seat, or those of one section. It is compressed for those who take gzip, and not sent again to those who have it.
#[utoipa::path(
    get,
    path = "/events/{eventId}/seats",
    operation_id = "showSeatMap",
    tag = SEAT_MAPS,
    params(OfEvent, Asked, Conditional),
    responses(
        (
            status = 200,
            description = "The seats.",
            body = MapBody,
            headers(("etag", description = "Names this state of the seats, for if-none-match.")),
            example = json!({
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
            })
        ),
        (status = 304, description = "The client's map still holds."),
        OfEventRead
    )
)]
pub(super) async fn show(
    State(known): State<Knowledge>,
    Id(event): Id<SeatingEventId>,
    Query(Asked { section }): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let live = known.event(event.as_str())?;
    let section = section.as_deref();
    live.has(section)?;
    let (tag, mut encoding) = (live.tag(), Encoding::accepted(&headers));
    if has(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, validators(&tag, encoding)).into_response());
    }
    let drawn = live.picture(section).await?;
    if drawn.anew {
        known.metrics.renders.inc();
    }
    let picture = drawn.picture;
    let compressed = match encoding {
        Encoding::Gzip => picture.gzip().await,
        Encoding::Identity => None,
    };
    let body = compressed.unwrap_or_else(|| {
        encoding = Encoding::Identity;
        picture.json.clone()
    });
    let form = encoding.name().map(|name| [(header::CONTENT_ENCODING, name)]);
    let json = [(header::CONTENT_TYPE, "application/json")];
    Ok((validators(&picture.tag, encoding), form, json, body).into_response())
}

/// Whoever keeps a map asks whether it still holds, and gets the form that it takes.
fn validators(tag: &Tag, encoding: Encoding) -> [(HeaderName, String); 3] {
    [
        (header::ETAG, entity_tag(tag, encoding)),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
        (header::VARY, "accept-encoding".to_owned()),
    ]
}

impl From<PictureError> for Problem {
    fn from(error: PictureError) -> Self {
        match error {
            PictureError::NoSuchSection => Self::invalid("section: the event has no such section"),
            PictureError::Stopped(_) => {
                Self::unavailable("the worker is shutting down").because(error.to_string())
            }
        }
    }
}
