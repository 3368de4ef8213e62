//! `boxoffice hold`, `extend`, `reserve`, `release` and `cancel`: the HTTP API's commands, one each; with `--staff` those of
//! the box office, on the admin API. Prints the answer as JSON, and what it means in a line on standard error. What is sent
//! by POST has an idempotency key of its own, so that sending it again does nothing twice.

use std::io::{Write, stderr, stdout};
use std::time::Duration;

use boxoffice_domain::{HoldId, SeatId};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use uuid::Uuid;

use super::target::{Endpoint, Port, Refusal, client, send, send_patiently};
use super::{told, wish};
use crate::args::{Admin, Buyer, Cancel, Extend, Hold, Release, Reserve, Staff};
use crate::failure::Failure;

/// Longest wait for an answer: the worker itself gives up after 10 s.
const ANSWER: Duration = Duration::from_secs(15);

/// Holds seats of one SeatingEvent.
///
/// # Errors
/// The problem that the API answers, or a command line that asks for two things.
pub async fn hold(hold: Hold) -> Result<(), Failure> {
    let (path, body) = wish::request(&hold)?;
    tell(&CommandClient::of(hold.buyer, hold.staff).await?.command(Method::POST, &path, body).await?)
}

/// Moves the end of a hold away.
///
/// # Errors
/// The problem that the API answers.
pub async fn extend(Extend { hold, seconds, buyer }: Extend) -> Result<(), Failure> {
    let body = seconds.map(|seconds| json!({ "seconds": seconds }));
    let path = format!("/holds/{hold}/extend");
    tell(&CommandClient::of_buyer(buyer).await?.command(Method::POST, &path, body).await?)
}

/// Reserves a held seat, or a whole hold.
///
/// # Errors
/// The problem that the API answers.
pub async fn reserve(Reserve { seat_or_claim, buyer, staff }: Reserve) -> Result<(), Failure> {
    let (path, body) = match (SeatOrClaim::of(&seat_or_claim)?, staff.staff) {
        (SeatOrClaim::Claim(hold), true) => {
            (format!("/admin/holds/{hold}/reserve"), Some(json!({"paidBy": "counter"})))
        }
        (SeatOrClaim::Seat(_), true) => return Err(whole_hold("sells")),
        (SeatOrClaim::Seat(seat), false) => (format!("/seats/{seat}/reserve"), None),
        (SeatOrClaim::Claim(hold), false) => (format!("/holds/{hold}/reserve"), None),
    };
    tell(&CommandClient::of(buyer, staff).await?.command(Method::POST, &path, body).await?)
}

/// Gives back a seat, a hold or a reservation. A hold and a reservation look alike: what is not the one is the other.
///
/// # Errors
/// The problem that the API answers.
pub async fn release(Release { seat_or_claim, note, buyer, staff }: Release) -> Result<(), Failure> {
    let (seat_or_claim, is_staff) = (SeatOrClaim::of(&seat_or_claim)?, staff.staff);
    if is_staff && matches!(seat_or_claim, SeatOrClaim::Seat(_)) {
        return Err(whole_hold("takes back"));
    }
    let client = CommandClient::of(buyer, staff).await?;
    let answer = match seat_or_claim {
        SeatOrClaim::Claim(hold) if is_staff => {
            client.take_back(&format!("/admin/holds/{hold}"), note).await?
        }
        SeatOrClaim::Seat(seat) => {
            client.command(Method::POST, &format!("/seats/{seat}/release"), None).await?
        }
        SeatOrClaim::Claim(id) => match client.command(Method::DELETE, &format!("/holds/{id}"), None).await {
            Err(Failure::Refused(why)) if why.starts_with("HOLD_NOT_FOUND") => {
                client.command(Method::DELETE, &format!("/reservations/{id}"), None).await?
            }
            answer => answer?,
        },
    };
    tell(&answer)
}

/// Cancels a reservation.
///
/// # Errors
/// The problem that the API answers.
pub async fn cancel(Cancel { reservation, note, buyer, staff }: Cancel) -> Result<(), Failure> {
    let admin = if staff.staff { "/admin" } else { "" };
    let path = format!("{admin}/reservations/{reservation}");
    tell(&CommandClient::of(buyer, staff).await?.take_back(&path, note).await?)
}

/// The box office acts on holds: a seat is not said to be in one.
fn whole_hold(does: &str) -> Failure {
    Failure::Usage(format!("--staff {does} a whole hold: give its id (arena-night.<uuid>)"))
}

/// What a command line names.
enum SeatOrClaim {
    Seat(SeatId),
    /// `<eventId>.<uuid>`: a hold or a reservation.
    Claim(HoldId),
}

impl SeatOrClaim {
    fn of(text: &str) -> Result<Self, Failure> {
        if let Ok(hold) = text.parse() {
            return Ok(Self::Claim(hold));
        }
        let neither = || {
            Failure::Usage(format!(
                "{text} is neither a seat (arena-night.A-7-7) nor a hold or reservation (arena-night.<uuid>)"
            ))
        };
        text.parse().map(Self::Seat).map_err(|_| neither())
    }
}

/// Where commands are handed in, and by whom.
struct CommandClient {
    endpoint: Endpoint,
    client: reqwest::Client,
    who: Who,
}

enum Who {
    User(String),
    /// A user, by what the issuer says.
    Bearer(String),
    /// The box office, by the endpoint's own token.
    Staff,
}

impl CommandClient {
    async fn of(buyer: Buyer, staff: Staff) -> Result<Self, Failure> {
        let Staff { staff, admin_url, admin_token } = staff;
        if !staff {
            return Self::of_buyer(buyer).await;
        }
        let endpoint = Admin { target: buyer.target, admin_url, admin_token }.reach().await?;
        Ok(Self { endpoint, client: client()?, who: Who::Staff })
    }

    async fn of_buyer(Buyer { target, user, token }: Buyer) -> Result<Self, Failure> {
        let endpoint = target.reach(Port::Commands).await?;
        let who = token.map_or_else(|| Who::User(user.to_string()), Who::Bearer);
        Ok(Self { endpoint, client: client()?, who })
    }

    /// Sends a DELETE with the note of the box office, if it wrote one.
    async fn take_back(&self, path: &str, note: Option<String>) -> Result<Value, Failure> {
        let noted = note.map(|note| {
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("note", &note).finish();
            format!("{path}?{query}")
        });
        self.command(Method::DELETE, noted.as_deref().unwrap_or(path), None).await
    }

    async fn command(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, Failure> {
        let repeatable = method == Method::POST;
        let request = self.client.request(method, format!("{}{path}", self.endpoint.url));
        let mut request = match &self.who {
            Who::Bearer(token) => request.bearer_auth(token),
            Who::User(user) => request.header("x-user-id", user),
            Who::Staff => self.endpoint.authorize(request),
        }
        .timeout(ANSWER);
        if let Some(body) = &body {
            request = request.json(body);
        }
        if repeatable {
            let request = request.header("idempotency-key", Uuid::new_v4().to_string());
            return read(send_patiently(request, &self.endpoint).await, &self.endpoint).await;
        }
        // Done, but unanswered: the next one would be told that there is no such hold.
        read(send(request, &self.endpoint).await, &self.endpoint).await
    }
}

/// The JSON in an answer.
///
/// # Errors
/// A refusal, or an answer that is something else.
pub async fn read(answer: Result<Response, Refusal>, endpoint: &Endpoint) -> Result<Value, Failure> {
    let read = answer?.json().await;
    read.map_err(|error| Failure::Refused(format!("{} did not answer with JSON: {error}", endpoint.url)))
}

/// Prints an answer about a hold or a reservation, and says in a line what it means.
fn tell(answer: &Value) -> Result<(), Failure> {
    print(answer)?;
    told::line(answer).map_or(Ok(()), |line| Ok(writeln!(stderr(), "{line}")?))
}

/// Prints an answer.
///
/// # Errors
/// Nobody who reads it.
pub fn print(answer: &Value) -> Result<(), Failure> {
    Ok(writeln!(stdout(), "{answer:#}")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_and_holds_are_told_apart() {
        assert!(matches!(SeatOrClaim::of("arena-night.A-7-7"), Ok(SeatOrClaim::Seat(_))));
        let hold = "arena-night.12345678-9abc-4def-8123-000000000001";
        assert!(matches!(SeatOrClaim::of(hold), Ok(SeatOrClaim::Claim(_))));
        assert!(SeatOrClaim::of("A-7-7").is_err());
    }
}
