//! `GET /admin/events/{eventId}/stats` and `/curve`: what a SeatingEvent sold, by section and by minute, and for how much.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use boxoffice_domain::events::SectionStats;
use boxoffice_domain::{SeatMap, SeatingEventId, UnixMillis};
use boxoffice_runtime::http::{Id, Problem};
use boxoffice_runtime::openapi::params::OfEvent;
use boxoffice_runtime::openapi::schemas;
use boxoffice_runtime::reading::{Nothing, Query};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::minutes_ago;
use crate::http::Knowledge;
use crate::http::viewed::Viewed;
use crate::openapi::{OfOperatorEvent, SALES};
use crate::orders::Minute;

/// The payload of `stats.updated`, as it was published, with the currency of its revenue.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Statistics)]
#[serde(rename_all = "camelCase")]
pub(super) struct StatsBody {
    /// The SeatingEvent.
    #[schema(value_type = schemas::SeatingEventId)]
    event_id: SeatingEventId,
    /// Sequence of the last domain event that they cover.
    as_of_sequence: u64,
    /// Of the revenue.
    currency: String,
    /// A section each.
    #[schema(value_type = Vec<schemas::SectionStats>)]
    sections: Vec<SectionStats>,
}

/// What was sold, by minute.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Curve)]
#[serde(rename_all = "camelCase")]
pub(super) struct CurveBody {
    /// The SeatingEvent.
    #[schema(value_type = schemas::SeatingEventId)]
    event_id: SeatingEventId,
    /// Where it begins.
    since: UnixMillis,
    /// In order; a minute in which nothing was reserved is left out.
    minutes: Vec<MinuteBody>,
}

/// What was sold in a minute, as far as it was not given back since.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Minute)]
#[serde(rename_all = "camelCase")]
struct MinuteBody {
    /// When it began.
    at: UnixMillis,
    /// Reservations that were made in it, cancelled ones too.
    reservations: u64,
    /// The seats that these still have.
    seats: u64,
    /// What these cost together.
    revenue: u64,
    /// The currency.
    currency: String,
}

/// How far back.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// How many minutes back, at most a week; absent: a day.
    #[param(required = false, minimum = 1, maximum = 10_080, default = 1_440, example = 60)]
    minutes: u64,
}

impl Default for Asked {
    fn default() -> Self {
        Self { minutes: 1_440 }
    }
}

/// Show statistics with their revenue
///
/// What the `stats` consumer published last, also of a SeatingEvent whose sales are closed for good.
#[utoipa::path(
    get,
    path = "/admin/events/{eventId}/stats",
    operation_id = "showRevenue",
    tag = SALES,
    params(OfEvent),
    responses(
        (
            status = 200,
            description = "The statistics.",
            body = StatsBody,
            example = json!({
                "eventId": "arena-night",
                "asOfSequence": 3,
                "currency": "EUR",
                "sections": [{
                    "sectionId": "A", "available": 3, "held": 1, "reserved": 1, "released": 0, "revenue": 12_000
                }]
            })
        ),
        OfOperatorEvent
    )
)]
pub(super) async fn stats(
    State(known): State<Arc<Knowledge>>,
    Id(event): Id<SeatingEventId>,
    _: Query<Nothing>,
) -> Result<Viewed<Json<StatsBody>>, Problem> {
    let live = known.any_event(event.as_str())?;
    let look = |map: &SeatMap| (map.sequence, map.epoch, map.definition.currency().to_owned());
    let (sequence, epoch, currency) = live.read(look);
    let (as_of_sequence, sections) = known.statistics(event.as_str())?;
    let answer = Json(StatsBody { event_id: event, as_of_sequence, currency, sections });
    Ok(Viewed { sequence, epoch, age: known.age.of(live.partition()), answer })
}

/// Show the sales curve
///
/// What was reserved in each of the last minutes, as far as it was not given back since. What is
/// cancelled is taken off the minute in which it was reserved.
#[utoipa::path(
    get,
    path = "/admin/events/{eventId}/curve",
    operation_id = "showCurve",
    tag = SALES,
    params(OfEvent, Asked),
    responses(
        (
            status = 200,
            description = "The curve.",
            body = CurveBody,
            example = json!(crate::openapi::examples::curve())
        ),
        OfOperatorEvent
    )
)]
pub(super) async fn curve(
    State(known): State<Arc<Knowledge>>,
    Id(event): Id<SeatingEventId>,
    Query(Asked { minutes }): Query<Asked>,
) -> Result<Json<CurveBody>, Problem> {
    let since = minutes_ago(minutes)?;
    let minutes = known.order_service.orders().curve(&event, since).await?;
    if minutes.is_empty() {
        known.any_event(event.as_str())?;
    }
    let minutes = minutes.into_iter().map(MinuteBody::from).collect();
    Ok(Json(CurveBody { event_id: event, since, minutes }))
}

impl From<Minute> for MinuteBody {
    fn from(Minute { at, reservations, seats, amount, currency }: Minute) -> Self {
        Self { at, reservations, seats, revenue: amount, currency }
    }
}
