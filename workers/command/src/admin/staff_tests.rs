//! What staff do for buyers, against doubles of the store and the log.

use axum::http::Request;
use boxoffice_domain::DomainEvent;
use serde_json::{Value, json};

use super::tests::{ARENA, Office};
use crate::durability::Guarantee;
use crate::store::Outbox;
use crate::testing::{arena, definition};

const HOLDS: &str = "/admin/events/arena-night/holds";

fn wish(seats: &[&str], blocked: bool) -> Value {
    let seats: Vec<_> = seats.iter().map(|key| format!("arena-night.{key}")).collect();
    json!({"userId": "alice", "seats": seats, "blocked": blocked})
}

impl Office {
    async fn hold(&self, seats: &[&str], blocked: bool) -> (u16, Value) {
        self.call("POST", HOLDS, wish(seats, blocked)).await
    }

    async fn keyed(&self, path: &str, key: &str, body: Value) -> (u16, Value) {
        let request = Request::post(path).header("authorization", "Bearer secret");
        self.take(request.header("idempotency-key", key), body).await
    }

    async fn change(&self, change: impl FnOnce(&mut boxoffice_domain::Definition)) {
        let mut changed = definition();
        change(&mut changed);
        assert_eq!(self.call("PUT", ARENA, json!(changed)).await.0, 200);
    }

    fn last_event(&self) -> DomainEvent {
        self.store.entries(&arena()).pop().unwrap().envelope.event
    }
}

fn id<'a>(body: &'a Value, field: &str) -> &'a str {
    body[field].as_str().unwrap_or_else(|| panic!("no {field} in {body}"))
}

#[tokio::test]
async fn staff_hold_what_buyers_cannot_and_sell_it_at_the_counter() {
    let office = Office::open();
    office.provision().await;
    office
        .change(|it| {
            it.sales.paused = true;
            it.limits.seats_per_user = Some(1);
        })
        .await;
    let (status, refused) = office.hold(&["A-1-3", "A-1-4"], false).await;
    assert_eq!((status, &refused["code"]), (409, &json!("SEAT_NOT_AVAILABLE")));
    assert_eq!(refused["conflicts"], json!([{"seatId": "arena-night.A-1-4", "reason": "BLOCKED"}]));

    let (status, held) = office.hold(&["A-1-3", "A-1-4"], true).await;
    assert_eq!(status, 201, "{held}");
    assert_eq!((&held["total"], &held["currency"]), (&json!(24_000), &json!("EUR")));
    assert_eq!((&held["together"], held["seats"].as_array().unwrap().len()), (&json!(true), 2));
    let sell = format!("/admin/holds/{}/reserve", id(&held, "holdId"));
    let (status, sold) = office.call("POST", &sell, json!({"paidBy": "counter"})).await;
    assert_eq!((status, &sold["seats"]), (200, &held["seats"]));
    let DomainEvent::ReservationCreated(created) = office.last_event() else { panic!("no reservation") };
    assert_eq!(json!(created)["paidBy"], "counter");
    assert_eq!(created.user_id.as_str(), "alice");
    let (status, again) = office.call("POST", &sell, json!({"paidBy": "counter"})).await;
    assert_eq!((status, &again["reservationId"]), (200, &sold["reservationId"]));
}

#[tokio::test]
async fn what_staff_take_back_has_their_note() {
    let office = Office::open();
    office.provision().await;
    let (_, held) = office.hold(&["A-1-1", "A-1-4"], true).await;
    let path = format!("/admin/holds/{}", id(&held, "holdId"));
    let (status, released) = office.call("DELETE", &format!("{path}?note=double%20booking"), json!({})).await;
    assert_eq!(
        (status, &released["released"], &released["seats"]),
        (200, &json!(["arena-night.A-1-1", "arena-night.A-1-4"]), &json!([]))
    );
    let DomainEvent::SeatBlocked(_) = office.last_event() else { panic!("it is blocked again") };
    let noted = office.store.entries(&arena()).into_iter().filter_map(|entry| match entry.envelope.event {
        DomainEvent::SeatReleased(released) => released.note,
        _ => None,
    });
    assert_eq!(noted.collect::<Vec<_>>(), ["double booking", "double booking"]);
}

#[tokio::test]
async fn staff_cancel_anybodys_reservation_also_when_buyers_cannot() {
    let office = Office::open();
    office.provision().await;
    let (_, held) = office.hold(&["A-1-1"], false).await;
    let sell = format!("/admin/holds/{}/reserve", id(&held, "holdId"));
    let (_, sold) = office.call("POST", &sell, json!({"paidBy": "counter"})).await;
    office.change(|it| it.sales.cancel_until = Some(1_600_000_000_000)).await;
    let path = format!("/admin/reservations/{}", id(&sold, "reservationId"));
    let (status, cancelled) = office.call("DELETE", &format!("{path}?note=show%20moved"), json!({})).await;
    assert_eq!((status, &cancelled["released"]), (200, &json!(["arena-night.A-1-1"])));
    let DomainEvent::ReservationCancelled(event) = office.last_event() else { panic!("not cancelled") };
    assert_eq!((&json!(event)["reason"], event.note.as_deref()), (&json!("admin"), Some("show moved")));
    let (status, gone) = office.call("DELETE", &path, json!({})).await;
    assert_eq!((status, &gone["code"]), (404, &json!("RESERVATION_NOT_FOUND")));
}

#[tokio::test]
async fn what_is_malformed_is_told_by_its_field() {
    let office = Office::open();
    office.provision().await;
    let hold = "/admin/holds/arena-night.5f0c2a34-9f1e-4c58-8a53-0d7d2e6b9c11";
    let (sell, long) = (format!("{hold}/reserve"), format!("{hold}?note={}", "x".repeat(501)));
    let (lines, empty) = (format!("{hold}?note=a%0Ab"), format!("{hold}?note="));
    let unknown = format!("{hold}?why=rain");
    for (method, path, body, wrong) in [
        ("POST", HOLDS, json!({"userId": "alice", "seats": []}), "seats: ask for 1 to 100"),
        ("POST", HOLDS, json!({"userId": "", "seats": ["arena-night.A-1-1"]}), "userId: "),
        ("POST", HOLDS, json!({"userId": "alice", "seats": ["other.A-1-1"]}), "seats: other.A-1-1 is not"),
        ("POST", HOLDS, json!({"seats": ["arena-night.A-1-1"]}), "userId"),
        ("POST", &sell, json!({"paidBy": "card"}), "paidBy: "),
        ("POST", &sell, json!({}), "paidBy"),
        ("DELETE", &long, json!({}), "note: say in 1 to 500 characters"),
        ("DELETE", &lines, json!({}), "note: "),
        ("DELETE", &empty, json!({}), "note: "),
        ("DELETE", &unknown, json!({}), "why: unknown parameter"),
    ] {
        let (status, problem) = office.call(method, path, body.clone()).await;
        let detail = problem["detail"].as_str().unwrap();
        assert!(status == 400 && detail.contains(wrong), "{path} {body}: {detail}");
    }
}

#[tokio::test]
async fn a_key_of_staffs_is_of_the_user_they_act_for_and_not_the_users_own() {
    let office = Office::open();
    office.provision().await;
    let first = office.keyed(HOLDS, "k-1", wish(&["A-1-1"], false)).await;
    assert_eq!((first.0, &first), (201, &office.keyed(HOLDS, "k-1", wish(&["A-1-1"], false)).await));
    let (status, problem) = office.keyed(HOLDS, "k-1", wish(&["A-1-2"], false)).await;
    assert_eq!((status, &problem["code"]), (422, &json!("IDEMPOTENCY_MISMATCH")));
    let bob = json!({"userId": "bob", "seats": ["arena-night.A-1-2"]});
    assert_eq!(office.keyed(HOLDS, "k-1", bob).await.0, 201);

    let sell = format!("/admin/holds/{}/reserve", id(&first.1, "holdId"));
    let (_, sold) = office.keyed(&sell, "k-1", json!({"paidBy": "counter"})).await;
    office.store.pass(25 * 3_600_000);
    let (status, told) = office.keyed(HOLDS, "k-1", wish(&["A-1-1"], false)).await;
    assert_eq!((status, &told["reservationId"]), (200, &sold["reservationId"]), "it is reserved by now");
}

#[tokio::test(start_paused = true)]
async fn i7_a_sale_at_the_counter_waits_for_the_log_like_a_buyers() {
    let office = Office::guaranteeing(Guarantee::Log);
    office.provision().await;
    let (_, held) = office.hold(&["A-1-1"], false).await;
    let sell = format!("/admin/holds/{}/reserve", id(&held, "holdId"));
    let counter = json!({"paidBy": "counter"});
    let (status, problem) = office.keyed(&sell, "k-1", counter.clone()).await;
    assert_eq!((status, &problem["code"]), (503, &json!("UNAVAILABLE")));
    assert!(id(&problem, "detail").contains("the reservation stands"), "{problem}");
    assert_eq!(office.keyed(&sell, "k-1", counter.clone()).await.1["code"], "IDEMPOTENCY_IN_FLIGHT");
    office.store.published(&arena(), 4, 0).await.unwrap();
    assert_eq!(office.keyed(&sell, "k-1", counter).await.0, 200);
}
