//! `GET /seats/{seatId}`: one seat; what belongs to its holder is shown to the holder alone.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use boxoffice_domain::{SeatId, SeatMap, UnixMillis, UserId};
use boxoffice_runtime::http::{Id, Problem, code};
use boxoffice_runtime::openapi::params::OfSeat;
use boxoffice_runtime::openapi::schemas;
use boxoffice_runtime::reading::Query;
use serde::Serialize;
use utoipa::ToSchema;

use super::Knowledge;
use super::headers::Headers;
use super::viewed::{After, Viewed};
use crate::openapi::{OfSeatRead, SEAT_MAPS};

/// A seat.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Seat)]
#[serde(rename_all = "camelCase")]
pub(super) struct SeatBody {
    /// Its id.
    #[schema(value_type = schemas::SeatId)]
    seat_id: SeatId,
    /// Its SeatingEvent.
    #[schema(value_type = schemas::SeatingEventId)]
    event_id: String,
    /// Its section.
    section_id: String,
    /// Empty for a general-admission unit.
    row: String,
    /// Its number in the row, or among the units.
    number: String,
    /// `AVAILABLE`, `HELD`, `RESERVED` or `BLOCKED`.
    #[schema(value_type = SeatStatus)]
    status: &'static str,
    /// Until when the asking user holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<UnixMillis>,
    /// `true` where the asking user holds it or has it; else absent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    mine: bool,
}

/// What a seat can be.
#[derive(ToSchema)]
#[schema(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(dead_code, reason = "describes the words of the domain's")]
pub(super) enum SeatStatus {
    Available,
    Held,
    Reserved,
    Blocked,
}

/// The answer depends on who asks, so nothing on the way may keep it.
type Private<T> = ([(HeaderName, &'static str); 2], Json<T>);

/// Show a seat
///
/// Whoever holds it or has it learns so; to others it is just taken.
#[utoipa::path(
    get,
    path = "/seats/{seatId}",
    operation_id = "showSeat",
    tag = SEAT_MAPS,
    params(OfSeat, After),
    security((), ("user" = []), ("token" = [])),
    responses(
        (
            status = 200,
            description = "The seat.",
            body = SeatBody,
            examples(
                ("anybody" = (
                    summary = "As others see it",
                    value = json!({
                        "seatId": "arena-night.A-1-1",
                        "eventId": "arena-night",
                        "sectionId": "A",
                        "row": "1",
                        "number": "1",
                        "status": "HELD"
                    })
                )),
                ("holder" = (
                    summary = "As its holder sees it",
                    value = json!({
                        "seatId": "arena-night.A-1-1",
                        "eventId": "arena-night",
                        "sectionId": "A",
                        "row": "1",
                        "number": "1",
                        "status": "HELD",
                        "expiresAt": 1_700_000_300_000_u64,
                        "mine": true
                    })
                ))
            )
        ),
        OfSeatRead
    )
)]
pub(super) async fn show(
    State(known): State<Arc<Knowledge>>,
    Id(seat): Id<SeatId>,
    Query(After { after }): Query<After>,
    Headers(headers): Headers,
) -> Result<Viewed<Private<SeatBody>>, Problem> {
    let user = known.identity.user(&headers).await?;
    let event = known.event_after(&seat.event_id(), after).await?;
    let unknown = || Problem::new(StatusCode::NOT_FOUND, code::SEAT_NOT_FOUND, "there is no such seat");
    let look = |map: &SeatMap| Some((map.sequence, map.epoch, SeatBody::of(map, &seat, user.as_ref())?));
    let (sequence, epoch, body) = event.read(look).ok_or_else(unknown)?;
    let by_user = (header::VARY, known.identity.header());
    let answer = ([(header::CACHE_CONTROL, "private, no-store"), by_user], Json(body));
    Ok(Viewed { sequence, epoch, age: known.age.of(event.partition()), answer })
}

impl SeatBody {
    fn of(map: &SeatMap, seat: &SeatId, user: Option<&UserId>) -> Option<Self> {
        let position = map.chart().position(seat.key())?;
        let (place, status) = (map.chart().seat(position)?, map.status(position)?);
        let mine = user.is_some_and(|user| map.is_owner(user, position));
        Some(Self {
            seat_id: seat.clone(),
            event_id: map.id.to_string(),
            section_id: seat.section().to_owned(),
            row: place.row().to_owned(),
            number: place.number().into_owned(),
            status: status.as_str(),
            expires_at: map.deadline(position).filter(|_| mine),
            mine,
        })
    }
}
