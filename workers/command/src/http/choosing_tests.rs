//! Holds that leave the choice to the store, extensions, and requests that are sent again under their key.

use axum::body::Body;
use axum::http::Request;
use boxoffice_domain::definition::GapPolicy;
use serde_json::{Value, json};

use super::tests::{Answered, HOLD, HOLDS, House, RESERVE, TTL};
use crate::durability::Promise;
use crate::store::Outbox;
use crate::testing::arena;

impl House {
    async fn ask(&self, user: &str, body: Value) -> Answered {
        self.post_json(user, HOLDS, &body.to_string()).await
    }

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

fn seats(answered: &Value) -> Vec<&str> {
    answered["seats"].as_array().unwrap().iter().map(|seat| seat["seatId"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_best_seats_are_chosen_and_named() {
    let house = House::open().await;
    let held = house.ask("alice", json!({"bestAvailable": {"quantity": 2}})).await;
    let best = seats(held.done(201)).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(best.len(), 2);
    for seat in &best {
        house.post("bob", &format!("/seats/{seat}/hold")).await.refused(409, "SEAT_NOT_AVAILABLE");
    }
    let refused = house.ask("bob", json!({"bestAvailable": {"quantity": 100, "sectionId": "A"}})).await;
    let detail = refused.refused(409, "NOT_ENOUGH_SEATS").detail();
    assert!(detail.starts_with("100 seats wanted in A, "), "{detail}");
    let unknown = house.ask("bob", json!({"bestAvailable": {"quantity": 1, "sectionId": "Z"}})).await;
    assert!(unknown.refused(404, "SEAT_NOT_FOUND").detail().starts_with("bestAvailable.sectionId: "));
}

#[tokio::test]
async fn areas_and_seats_are_held_together() {
    let house = House::open().await;
    let body = json!({"seats": ["arena-night.A-1-1"], "areas": [{"sectionId": "FLOOR", "quantity": 1}]});
    let held = house.ask("alice", body).await;
    assert_eq!(seats(held.done(201)), ["arena-night.A-1-1", "arena-night.FLOOR-1"]);
    let numbered = house.ask("bob", json!({"areas": [{"sectionId": "A", "quantity": 1}]})).await;
    assert!(numbered.refused(400, "INVALID_REQUEST").detail().contains("numbered seats"));
    let many = house.ask("bob", json!({"areas": [{"sectionId": "FLOOR", "quantity": 99}]})).await;
    assert!(many.refused(409, "NOT_ENOUGH_SEATS").detail().contains("99 seats wanted in FLOOR"));
}

#[tokio::test]
async fn what_cannot_be_asked_together_is_refused_by_its_field() {
    let house = House::open().await;
    let best = json!({"quantity": 1});
    for (body, wrong) in [
        (json!({"bestAvailable": best, "seats": ["arena-night.A-1-1"]}), "bestAvailable stands alone"),
        (json!({"bestAvailable": {"quantity": 0}}), "bestAvailable.quantity: ask for 1 to 100, not 0"),
        (
            json!({"bestAvailable": {"quantity": -1}}),
            "bestAvailable.quantity: must be a whole number of at least 1, but is -1",
        ),
        (json!({"bestAvailable": {}}), "bestAvailable.quantity: missing: add it"),
        (json!({"areas": [{"sectionId": "FLOOR", "quantity": 101}]}), "areas[0].quantity"),
        (
            json!({"areas": [{"sectionId": "FLOOR", "quantity": 1}, {"sectionId": "FLOOR", "quantity": 1}]}),
            "areas[1].sectionId: FLOOR is there already",
        ),
        (
            json!({"areas": [{"sectionId": "FLOOR", "quantity": 60}, {"sectionId": "B", "quantity": 60}]}),
            "not 120",
        ),
    ] {
        let refused = house.ask("alice", body.clone()).await;
        let detail = refused.refused(400, "INVALID_REQUEST").detail();
        assert!(detail.contains(wrong), "{body}: {detail}");
    }
}

#[tokio::test]
async fn a_single_seat_is_not_left_where_that_is_enforced() {
    let house = House::open().await;
    house
        .redefine(|definition| {
            definition.hold.no_single_seat_gaps = GapPolicy::Enforce;
            definition.sections[0].rows[0].seats = "1-8".into();
            definition.blocked.clear();
        })
        .await;
    let refused = house.post("alice", "/seats/arena-night.A-1-2/hold").await;
    let conflicts = &refused.refused(409, "SEAT_NOT_AVAILABLE").body["conflicts"];
    assert_eq!(*conflicts, json!([{"seatId": "arena-night.A-1-1", "reason": "SINGLE_SEAT_GAP"}]));
    house.post("alice", HOLD).await.done(200);
}

#[tokio::test]
async fn a_hold_is_extended_up_to_the_longest() {
    let house = House::open().await;
    let answer = house.hold("alice", &["A-1-1"]).await;
    let (hold, expires) =
        (answer.body["holdId"].as_str().unwrap(), answer.body["expiresAt"].as_u64().unwrap());
    let path = format!("/holds/{hold}/extend");
    let extended = house.post_json("alice", &path, r#"{"seconds": 60}"#).await;
    assert_eq!(extended.done(200)["expiresAt"], expires + 60_000);
    assert_eq!(seats(&extended.body), ["arena-night.A-1-1"]);
    assert_eq!(house.post("alice", &path).await.done(200)["expiresAt"], expires + 60_000 + TTL);
    let longest = house.post_json("alice", &path, r#"{"seconds": 4000000000}"#).await;
    assert_eq!(longest.done(200)["expiresAt"], expires - TTL + 900_000);
    house.post("bob", &path).await.refused(403, "NOT_HOLDER");
    let zero = house.post_json("alice", &path, r#"{"seconds": 0}"#).await;
    assert!(zero.refused(400, "INVALID_REQUEST").detail().starts_with("seconds: "));
    house.store.pass(900_000);
    house.post("alice", &path).await.refused(409, "HOLD_EXPIRED");
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
    let house = House::promising(Promise::Log).await;
    house.post("alice", HOLD).await.done(200);
    house.keyed("alice", RESERVE, "k-1", Value::Null).await.refused(503, "UNAVAILABLE");
    let again = house.keyed("alice", RESERVE, "k-1", Value::Null).await;
    assert_eq!((again.status.as_u16(), &again.body["code"]), (409, &json!("IDEMPOTENCY_IN_FLIGHT")));
    assert_eq!(again.body["retryable"], true);
    assert!(again.headers.contains_key("retry-after"));
    let lease = house.store.lease(&arena());
    house.store.published(&arena(), &lease, 4).await.unwrap().unwrap();
    house.keyed("alice", RESERVE, "k-1", Value::Null).await.done(200);
}
