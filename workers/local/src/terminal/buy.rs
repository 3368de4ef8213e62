//! `boxoffice hold`, `extend`, `reserve` and `release`: the HTTP API's commands, one each. Prints the answer as JSON. What
//! is sent by POST has an idempotency key of its own, so that sending it again does nothing twice.

use std::io::{Write, stdout};
use std::time::Duration;

use boxoffice_domain::{HoldId, SeatId};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use uuid::Uuid;

use super::target::{Endpoint, Port, Refusal, client, send, send_patiently};
use super::wish;
use crate::args::{Buyer, Extend, Hold, Release, Reserve};
use crate::failure::Failure;

/// Longest wait for an answer: the worker itself gives up after 10 s.
const ANSWER: Duration = Duration::from_secs(15);

/// Holds seats of one SeatingEvent.
///
/// # Errors
/// The problem that the API answers, or a command line that asks for two things.
pub async fn hold(hold: Hold) -> Result<(), Failure> {
    let (path, body) = wish::request(&hold)?;
    print(&Desk::of(hold.buyer).await?.command(Method::POST, &path, body).await?)
}

/// Moves the end of a hold away.
///
/// # Errors
/// The problem that the API answers.
pub async fn extend(Extend { hold, seconds, buyer }: Extend) -> Result<(), Failure> {
    let body = seconds.map(|seconds| json!({ "seconds": seconds }));
    let path = format!("/holds/{hold}/extend");
    print(&Desk::of(buyer).await?.command(Method::POST, &path, body).await?)
}

/// Reserves a held seat, or a whole hold.
///
/// # Errors
/// The problem that the API answers.
pub async fn reserve(Reserve { claim, buyer }: Reserve) -> Result<(), Failure> {
    let path = match Claim::of(&claim)? {
        Claim::Seat(seat) => format!("/seats/{seat}/reserve"),
        Claim::Several(hold) => format!("/holds/{hold}/reserve"),
    };
    print(&Desk::of(buyer).await?.command(Method::POST, &path, None).await?)
}

/// Gives back a seat, a hold or a reservation. A hold and a reservation look alike: what is not the one is the other.
///
/// # Errors
/// The problem that the API answers.
pub async fn release(Release { claim, buyer }: Release) -> Result<(), Failure> {
    let desk = Desk::of(buyer).await?;
    let answer = match Claim::of(&claim)? {
        Claim::Seat(seat) => desk.command(Method::POST, &format!("/seats/{seat}/release"), None).await?,
        Claim::Several(id) => match desk.command(Method::DELETE, &format!("/holds/{id}"), None).await {
            Err(Failure::Refused(why)) if why.starts_with("HOLD_NOT_FOUND") => {
                desk.command(Method::DELETE, &format!("/reservations/{id}"), None).await?
            }
            answer => answer?,
        },
    };
    print(&answer)
}

/// What a command line names.
enum Claim {
    Seat(SeatId),
    /// `<eventId>.<uuid>`: a hold or a reservation.
    Several(HoldId),
}

impl Claim {
    fn of(text: &str) -> Result<Self, Failure> {
        if let Ok(hold) = text.parse() {
            return Ok(Self::Several(hold));
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
struct Desk {
    endpoint: Endpoint,
    client: reqwest::Client,
    user: String,
    token: Option<String>,
}

impl Desk {
    async fn of(Buyer { target, user, token }: Buyer) -> Result<Self, Failure> {
        let endpoint = target.reach(Port::Commands).await?;
        Ok(Self { endpoint, client: client()?, user: user.to_string(), token })
    }

    async fn command(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, Failure> {
        let repeatable = method == Method::POST;
        let request = self.client.request(method, format!("{}{path}", self.endpoint.url));
        let mut request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request.header("x-user-id", &self.user),
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
        assert!(matches!(Claim::of("arena-night.A-7-7"), Ok(Claim::Seat(_))));
        let hold = "arena-night.12345678-9abc-4def-8123-000000000001";
        assert!(matches!(Claim::of(hold), Ok(Claim::Several(_))));
        assert!(Claim::of("A-7-7").is_err());
    }
}
