//! Holds that leave the choice to the store, and those that grow and last longer.

use boxoffice_domain::definition::GapPolicy;
use serde_json::{Value, json};

use super::tests::{Answered, HOLD, HOLDS, House, TTL, priced};

impl House {
    pub async fn ask(&self, user: &str, body: Value) -> Answered {
        self.post_json(user, HOLDS, &body.to_string()).await
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
    let limited = house.ask("bob", json!({"bestAvailable": {"quantity": 100}})).await;
    limited.refused(409, "LIMIT_EXCEEDED");
    house.redefine(|it| it.limits.seats_per_user = None).await;
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
    house.redefine(|it| it.limits.seats_per_user = None).await;
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
async fn a_hold_grows_seat_by_seat_and_keeps_its_deadline() {
    let house = House::open().await;
    let hold = house.hold("alice", &["A-1-1"]).await;
    let path = format!("/holds/{}/seats", hold.done(201)["holdId"].as_str().unwrap());
    house.store.pass(60_000);
    let grown = house.post_json("alice", &path, r#"{"seats": ["arena-night.A-1-2"]}"#).await;
    assert_eq!(grown.done(200)["seats"], json!(["A-1-1", "A-1-2"].map(priced)));
    assert_eq!(
        (&grown.body["holdId"], &grown.body["expiresAt"], &grown.body["total"], &grown.body["together"]),
        (&hold.body["holdId"], &hold.body["expiresAt"], &json!(24_000), &json!(true))
    );
    let same = house.post_json("alice", &path, r#"{"seats": ["arena-night.A-1-1"]}"#).await;
    assert_eq!((&same.done(200)["seats"], &same.body["sequence"]), (&grown.body["seats"], &json!(3)));
    let standing =
        house.post_json("alice", &path, r#"{"areas": [{"sectionId": "FLOOR", "quantity": 1}]}"#).await;
    assert_eq!(seats(standing.done(200)).last(), Some(&"arena-night.FLOOR-1"));
    let best = house.post_json("alice", &path, r#"{"bestAvailable": {"quantity": 1}}"#).await;
    assert_eq!(seats(best.done(200)).len(), 4);
}

#[tokio::test]
async fn what_cannot_be_added_to_a_hold_leaves_it_as_it_was() {
    let house = House::open().await;
    let hold = house.hold("alice", &["A-1-1"]).await;
    let hold = hold.done(201)["holdId"].as_str().unwrap();
    let path = format!("/holds/{hold}/seats");
    house.post("bob", "/seats/arena-night.A-1-2/hold").await.done(200);
    let both = r#"{"seats": ["arena-night.A-1-3", "arena-night.A-1-2"]}"#;
    let refused = house.post_json("alice", &path, both).await;
    assert_eq!(
        refused.refused(409, "SEAT_NOT_AVAILABLE").body["conflicts"],
        json!([{"seatId": "arena-night.A-1-2", "reason": "HELD"}])
    );
    house.post_json("bob", &path, both).await.refused(403, "NOT_HOLDER");
    let many = r#"{"bestAvailable": {"quantity": 4}}"#;
    house.post_json("alice", &path, many).await.refused(409, "LIMIT_EXCEEDED");
    for (body, wrong) in [
        (r#"{"seats": ["other.A-1-1"]}"#, "other.A-1-1 is not a seat of arena-night"),
        ("{}", "seats, areas: ask for 1 to 100"),
        (r#"{"bestAvailable": {"quantity": 101}}"#, "bestAvailable.quantity: ask for 1 to 100, not 101"),
    ] {
        let refused = house.post_json("alice", &path, body).await;
        assert!(refused.refused(400, "INVALID_REQUEST").detail().contains(wrong), "{}", refused.detail());
    }
    house.redefine(|it| it.sales.paused = true).await;
    let free = r#"{"seats": ["arena-night.A-1-3"]}"#;
    house.post_json("alice", &path, free).await.refused(409, "SALES_PAUSED");
    let shown = house.call("alice", "GET", &format!("/holds/{hold}")).await;
    assert_eq!(seats(shown.done(200)), ["arena-night.A-1-1"]);
    house.store.pass(TTL);
    house.redefine(|_| {}).await;
    house.post_json("alice", &path, free).await.refused(409, "HOLD_EXPIRED");
}
