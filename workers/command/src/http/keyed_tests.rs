//! Requests that are sent again under their key, and holds whose id derives from it.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::tests::{Answered, HOLD, HOLDS, House, RESERVE, priced};
use crate::durability::Guarantee;
use crate::store::Outbox;
use crate::testing::arena;

/// Longer than any stored answer is kept.
const LONG: u64 = 25 * 3_600_000;

impl House {
    /// A `POST` with an idempotency key; without a body where it is null.
    async fn keyed(&self, user: &str, path: &str, key: &str, body: Value) -> Answered {
        let request = Request::post(path).header("x-user-id", user).header("idempotency-key", key);
        let request = match body {
            Value::Null => request.body(Body::empty()),
            body => request.header("content-type", "application/json").body(Body::from(body.to_string())),
        };
        self.send(request.unwrap()).await
    }
}

#[tokio::test]
async fn the_same_key_gives_the_stored_answer() {
    let house = House::open().await;
    let best = json!({"bestAvailable": {"quantity": 1}});
    let first = house.keyed("alice", HOLDS, "k-1", best.clone()).await;
    let again = house.keyed("alice", HOLDS, "k-1", best.clone()).await;
    assert_eq!(first.done(201), again.done(201), "the chain too: it is where the hold's events are");
    assert_eq!(first.headers["location"], again.headers["location"]);
    let request = Request::post(HOLDS).header("x-user-id", "alice").header("idempotency-key", "k-1");
    let named = request.header("x-correlation-id", "c-2").body(Body::from(best.to_string())).unwrap();
    let named = house.send(named).await;
    assert_eq!(
        (&named.done(201)["holdId"], &named.body["correlationId"]),
        (&first.body["holdId"], &json!("c-2"))
    );
    let of_bob = house.keyed("bob", HOLDS, "k-1", best).await;
    assert_ne!(of_bob.done(201)["holdId"], first.body["holdId"]);
    let other = house.keyed("alice", HOLDS, "k-1", json!({"bestAvailable": {"quantity": 2}})).await;
    other.refused(422, "IDEMPOTENCY_MISMATCH");
    house.keyed("alice", HOLD, "k-1", Value::Null).await.refused(422, "IDEMPOTENCY_MISMATCH");
}

#[tokio::test]
async fn what_was_nothing_new_is_nothing_new_when_it_is_repeated() {
    let house = House::open().await;
    let asked = json!({"seats": ["arena-night.A-1-1"]});
    let held = house.hold("alice", &["A-1-1"]).await;
    for _ in 0..2 {
        let same = house.keyed("alice", HOLDS, "k-1", asked.clone()).await;
        assert_eq!(same.done(200)["holdId"], held.body["holdId"]);
    }
}

#[tokio::test]
async fn refusals_are_evaluated_again() {
    let house = House::open().await;
    house.keyed("alice", RESERVE, "k-1", Value::Null).await.refused(409, "SEAT_NOT_HELD");
    house.post("alice", HOLD).await.done(200);
    house.keyed("alice", RESERVE, "k-1", Value::Null).await.done(200);
}

#[tokio::test]
async fn a_key_is_printable_and_not_too_long() {
    let house = House::open().await;
    for key in ["", "sch\u{f6}n", &"x".repeat(256)] {
        let refused = house.keyed("alice", HOLD, key, Value::Null).await;
        assert!(refused.refused(400, "INVALID_REQUEST").detail().contains("idempotency-key"));
    }
}

#[tokio::test(start_paused = true)]
async fn i7_what_is_done_but_not_yet_durable_is_in_flight() {
    let house = House::guaranteeing(Guarantee::Log).await;
    house.post("alice", HOLD).await.done(200);
    house.keyed("alice", RESERVE, "k-1", Value::Null).await.refused(503, "UNAVAILABLE");
    let again = house.keyed("alice", RESERVE, "k-1", Value::Null).await;
    assert_eq!((again.status.as_u16(), &again.body["code"]), (409, &json!("IDEMPOTENCY_IN_FLIGHT")));
    assert_eq!(again.body["retryable"], true);
    assert!(again.headers.contains_key("retry-after"));
    house.store.published(&arena(), 4, 0).await.unwrap();
    house.keyed("alice", RESERVE, "k-1", Value::Null).await.done(200);
}

fn pair() -> Value {
    json!({"seats": ["arena-night.A-1-1", "arena-night.A-1-2"]})
}

#[tokio::test]
async fn a_hold_under_a_key_has_the_id_of_that_key_and_is_told_as_it_is_by_then() {
    let house = House::open().await;
    let made = house.keyed("alice", HOLDS, "k-1", pair()).await;
    let hold = made.done(201)["holdId"].as_str().unwrap().to_owned();
    let elsewhere = House::open().await;
    assert_eq!(elsewhere.keyed("alice", HOLDS, "k-1", pair()).await.done(201)["holdId"], *hold);
    house.post("alice", &format!("/holds/{hold}/reserve")).await.done(200);

    house.store.pass(LONG);
    let reserved = house.keyed("alice", HOLDS, "k-1", pair()).await;
    assert_eq!(reserved.done(200)["seats"], json!(["A-1-1", "A-1-2"].map(priced)), "it is reserved by now");
    assert!(reserved.body["reservationId"].is_string() && reserved.body["holdId"].is_null());
    house.store.pass(LONG);
    let seat = house.keyed("alice", HOLD, "k-1", Value::Null).await;
    assert_eq!(seat.done(200)["reservationId"], reserved.body["reservationId"]);
    house.store.pass(LONG);
    let other = json!({"seats": ["arena-night.A-1-3"]});
    house.keyed("alice", HOLDS, "k-1", other).await.refused(422, "IDEMPOTENCY_MISMATCH");
}

#[tokio::test(start_paused = true)]
async fn i7_a_hold_that_is_told_as_a_reservation_waits_for_the_log_as_one_does() {
    let house = House::guaranteeing(Guarantee::Log).await;
    let held = house.keyed("alice", HOLDS, "k-1", pair()).await;
    let path = format!("/holds/{}/reserve", held.done(201)["holdId"].as_str().unwrap());
    house.post("alice", &path).await.refused(503, "UNAVAILABLE");
    house.store.pass(LONG);
    let waiting = house.keyed("alice", HOLDS, "k-1", pair()).await;
    assert!(waiting.refused(503, "UNAVAILABLE").detail().contains("the reservation stands"));
    house.store.published(&arena(), 6, 0).await.unwrap();
    assert_eq!(house.keyed("alice", HOLDS, "k-1", pair()).await.done(200)["sequence"], 6);
}
