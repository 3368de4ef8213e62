//! A wish as a request of the HTTP API.

use boxoffice_domain::SeatingEventId;
use reqwest::Method;
use serde_json::{Value, json};

use crate::audit::Wish;

/// Method, path and body.
pub fn request(event: &SeatingEventId, wish: &Wish) -> (Method, String, Option<Value>) {
    let holds = |body| (Method::POST, format!("/events/{event}/holds"), Some(body));
    let plain = |method, path| (method, path, None);
    match wish {
        Wish::Hold(seats) => match seats.as_slice() {
            [seat] => plain(Method::POST, format!("/seats/{seat}/hold")),
            several => holds(json!({"seats": several})),
        },
        Wish::HoldBest(quantity) => holds(json!({"bestAvailable": {"quantity": quantity}})),
        Wish::HoldUnits { seats, section, quantity } => {
            holds(json!({"seats": seats, "areas": [{"sectionId": section, "quantity": quantity}]}))
        }
        Wish::Add(hold, seats) => {
            (Method::POST, format!("/holds/{hold}/seats"), Some(json!({"seats": seats})))
        }
        Wish::ExtendHold(hold) => plain(Method::POST, format!("/holds/{hold}/extend")),
        Wish::ReserveSeat(seat) => plain(Method::POST, format!("/seats/{seat}/reserve")),
        Wish::ReserveHold(hold) => plain(Method::POST, format!("/holds/{hold}/reserve")),
        Wish::ReleaseSeat(seat) => plain(Method::POST, format!("/seats/{seat}/release")),
        Wish::ReleaseHold(hold) => plain(Method::DELETE, format!("/holds/{hold}")),
        Wish::Cancel(reservation) => plain(Method::DELETE, format!("/reservations/{reservation}")),
    }
}

/// Whether it may carry an `Idempotency-Key`.
pub fn may_have_key(wish: &Wish) -> bool {
    !matches!(wish, Wish::ReleaseHold(_) | Wish::Cancel(_))
}
