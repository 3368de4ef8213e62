//! `GET /seats/{seatId}`: one seat; what belongs to its holder is shown to the holder alone.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use boxoffice_domain::project::SeatView;
use boxoffice_domain::{SeatId, SeatMap, UnixMillis, UserId};
use boxoffice_runtime::http::{Id, Problem};
use serde::Serialize;

use super::Knowledge;

/// A seat.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SeatBody {
    seat_id: SeatId,
    event_id: String,
    section_id: String,
    /// Empty for a general-admission unit.
    row: String,
    number: String,
    status: &'static str,
    /// Until when the asking user holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<UnixMillis>,
    /// `true` where the asking user holds it or has it; else absent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    mine: bool,
}

/// The answer depends on who asks, so nothing on the way may keep it.
type Private<T> = ([(HeaderName, &'static str); 2], Json<T>);

/// `GET /seats/{seatId}`.
pub(super) async fn show(
    State(known): State<Knowledge>,
    Id(seat): Id<SeatId>,
    headers: HeaderMap,
) -> Result<Private<SeatBody>, Problem> {
    let user = known.identity.user(&headers).await?;
    let event = known.event(seat.event())?;
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "SEAT_NOT_FOUND", "there is no such seat");
    let body = event.read(|map| SeatBody::of(map, &seat, user.as_ref())).ok_or_else(unknown)?;
    let by_user = (header::VARY, known.identity.header());
    Ok(([(header::CACHE_CONTROL, "private, no-store"), by_user], Json(body)))
}

impl SeatBody {
    fn of(map: &SeatMap, seat: &SeatId, user: Option<&UserId>) -> Option<Self> {
        let position = map.chart().position(seat.key())?;
        let (place, view) = (map.chart().seats().get(position)?, map.seat(position)?);
        let mine = user.is_some() && view.user() == user;
        Some(Self {
            seat_id: seat.clone(),
            event_id: map.id.to_string(),
            section_id: seat.section().to_owned(),
            row: place.row.clone(),
            number: place.number.clone(),
            status: view.status(),
            expires_at: match view {
                SeatView::Held { expires_at, .. } if mine => Some(*expires_at),
                _ => None,
            },
            mine,
        })
    }
}
