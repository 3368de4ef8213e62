//! A notification service: receives domain events over HTTP, and prints the mail that it would send to the buyer.
//!
//! It attaches by the `webhook` consumer of a ReservationService. What it shows is all that a receiver has to do: check
//! the signature (Standard Webhooks), drop repeats by `webhook-id`, answer 2xx once the work is done.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::hmac;
use serde_json::Value;

/// How old a delivery may be: an old one may be somebody's who recorded it.
const TOLERANCE: Duration = Duration::from_mins(5);

struct Receiver {
    key: hmac::Key,
    seen: Mutex<BTreeSet<String>>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let key = std::env::var("WEBHOOK_KEY")?;
    let addr = std::env::var("ADDR").unwrap_or_else(|_| "0.0.0.0:8090".into());
    let receiver =
        Receiver { key: hmac::Key::new(hmac::HMAC_SHA256, &secret(&key)?), seen: Mutex::default() };
    let routes = Router::new().route("/events", post(receive)).route("/healthz", get(|| async { "ok" }));
    let listener = tokio::net::TcpListener::bind(&addr).await?;
    print(&format!("listening on {addr}"));
    Ok(axum::serve(listener, routes.with_state(Arc::new(receiver))).await?)
}

/// The key's bytes: `whsec_` and base64, or the text itself.
fn secret(key: &str) -> anyhow::Result<Vec<u8>> {
    let key = key.trim();
    key.strip_prefix("whsec_").map_or_else(|| Ok(key.into()), |text| Ok(BASE64_STANDARD.decode(text)?))
}

async fn receive(State(receiver): State<Arc<Receiver>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    if !is_genuine(&receiver.key, id, timestamp, &body, header("webhook-signature")) {
        return StatusCode::UNAUTHORIZED;
    }
    let Ok(event) = serde_json::from_slice::<Value>(&body) else { return StatusCode::BAD_REQUEST };
    // A receiver of your own keeps these in its database, in the transaction of whatever the event makes it do.
    if receiver.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned()) {
        print_mail(header("ce-type"), &event);
    }
    StatusCode::NO_CONTENT
}

/// Whether one of the signatures is that of who has the key, over this very delivery.
#[expect(
    clippy::disallowed_methods,
    reason = "the clock of this machine is what the age of a delivery is told by"
)]
fn is_genuine(key: &hmac::Key, id: &str, timestamp: &str, body: &[u8], signatures: &str) -> bool {
    let signed = [id.as_bytes(), timestamp.as_bytes(), body].join(b".".as_slice());
    let sent = timestamp.parse().map_or(UNIX_EPOCH, |seconds| UNIX_EPOCH + Duration::from_secs(seconds));
    let now = SystemTime::now();
    let age = now.duration_since(sent).or_else(|_| sent.duration_since(now)).unwrap_or(Duration::MAX);
    let is_of_key = |signature: &str| {
        let bytes = signature.strip_prefix("v1,").and_then(|text| BASE64_STANDARD.decode(text).ok());
        bytes.is_some_and(|bytes| hmac::verify(key, &signed, &bytes).is_ok())
    };
    age <= TOLERANCE && signatures.split(' ').any(is_of_key)
}

#[expect(clippy::print_stdout, reason = "this is where the mail goes")]
fn print(line: &str) {
    println!("{line}");
}

fn print_mail(kind: &str, event: &Value) {
    let (payload, chain) = (&event["payload"], &event["metadata"]["correlationId"]);
    let text = |name: &str| payload[name].as_str().unwrap_or_default();
    let (user, reservation) = (text("userId"), text("reservationId"));
    let line = match kind {
        "reservation.created" => format!("Your seats are reserved: {}", payload["seatIds"]),
        "reservation.cancelled" => format!("These seats are not yours any more: {}", payload["seatIds"]),
        "payment.completed" => {
            format!("Paid: {} {}. Here are your tickets.", payload["amount"], text("currency"))
        }
        "payment.failed" => format!("Your payment failed ({}): the seats were given back.", text("reason")),
        "payment.refund_requested" => format!("You get back {} {}.", payload["amount"], text("currency")),
        other => format!("{other}: {payload}"),
    };
    print(&format!("mail to {user} about {reservation} [{chain}]: {line}"));
}
