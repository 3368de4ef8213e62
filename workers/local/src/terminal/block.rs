//! `boxoffice block` and `unblock`: seats that operators take off sale and put back, by the admin API. Prints the
//! SeatingEvent with its counts as JSON. Doing either twice changes nothing the second time.

use std::time::Duration;

use boxoffice_domain::SeatId;
use reqwest::Method;
use serde_json::{Value, json};

use super::buy::{print, read};
use super::target::{client, send_patiently};
use crate::args::{Admin, Block, Unblock};
use crate::failure::Failure;

/// Longest wait for an answer: the worker itself gives up after 10 s.
const ANSWER: Duration = Duration::from_secs(15);

/// Takes seats off sale.
///
/// # Errors
/// The problem that the API answers, or seats of several SeatingEvents.
pub async fn block(Block { seats, reason, admin }: Block) -> Result<(), Failure> {
    change(Method::POST, &seats, json!({ "seats": seats, "reason": reason }), admin).await
}

/// Puts seats back on sale.
///
/// # Errors
/// The problem that the API answers, or seats of several SeatingEvents.
pub async fn unblock(Unblock { seats, admin }: Unblock) -> Result<(), Failure> {
    change(Method::DELETE, &seats, json!({ "seats": seats }), admin).await
}

async fn change(method: Method, seats: &[SeatId], body: Value, admin: Admin) -> Result<(), Failure> {
    let event = event_of(seats)?;
    let endpoint = admin.reach().await?;
    let url = format!("{}/admin/events/{event}/blocks", endpoint.url);
    let request = endpoint.authorize(client()?.request(method, url)).json(&body).timeout(ANSWER);
    print(&read(send_patiently(request, &endpoint).await, &endpoint).await?)
}

/// The one SeatingEvent that has all of the seats.
fn event_of(seats: &[SeatId]) -> Result<&str, Failure> {
    let event = seats.first().map(SeatId::event).unwrap_or_default();
    match seats.iter().find(|seat| seat.event() != event) {
        Some(other) => {
            Err(Failure::Usage(format!("{other} is not a seat of {event}: take them one after the other")))
        }
        None => Ok(event),
    }
}
