//! Every route and code of the contract, against a seat store in memory.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode};
use boxoffice_domain::{Answer, Definition, HoldId};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tower::ServiceExt;
use uuid::Uuid;

use boxoffice_runtime::http::{HttpLayer, service};
use boxoffice_runtime::identity::Identity;

use super::command_service::CommandService;
use super::gate::Gate;
use super::routes;
use crate::durability::{Durability, Guarantee};
use crate::published::Published;
use crate::store::{Outbox, SeatStore};
use crate::testing::{Memory, arena, cause, definition, provisioned};

pub const HOLD: &str = "/seats/arena-night.A-1-1/hold";
pub const RESERVE: &str = "/seats/arena-night.A-1-1/reserve";
const RELEASE: &str = "/seats/arena-night.A-1-1/release";
pub const HOLDS: &str = "/events/arena-night/holds";
pub const TTL: u64 = 300_000;

/// The API of one SeatingEvent, with the store behind it.
pub struct House {
    pub store: Arc<Memory>,
    pub published: Arc<Published>,
    router: Router,
}

/// An answer, read.
pub struct Answered {
    pub status: StatusCode,
    pub headers: axum::http::HeaderMap,
    pub body: Value,
}

/// Behind a gateway, as often as one likes.
fn gate() -> Gate {
    Gate::new(Identity::by_header(), None)
}

impl House {
    pub async fn open() -> Self {
        Self::guaranteeing(Guarantee::Redis).await
    }

    pub async fn guaranteeing(reserve: Guarantee) -> Self {
        let store = Arc::new(Memory::default());
        provisioned(&store).await;
        let published = Published::new(Arc::clone(&store) as Arc<dyn Outbox>);
        let durability = Durability { hold: Guarantee::Redis, reserve };
        let seats: Arc<dyn SeatStore> = Arc::clone(&store) as _;
        let commands = CommandService::new(seats, Arc::clone(&published), durability);
        Self {
            store,
            published,
            router: service(routes(gate(), commands, 1024), HttpLayer::new(&mut Registry::default())),
        }
    }

    pub async fn redefine(&self, change: impl FnOnce(&mut Definition)) {
        let mut changed = definition();
        change(&mut changed);
        self.store.provision(&arena(), &changed, 0, &cause()).await.unwrap().unwrap();
    }

    pub async fn send(&self, request: Request<Body>) -> Answered {
        let response: Response<Body> = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answered { status: parts.status, headers: parts.headers, body }
    }

    pub async fn call(&self, user: &str, method: &str, path: &str) -> Answered {
        let request = Request::builder().method(method).uri(path).header("x-user-id", user);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub async fn post(&self, user: &str, path: &str) -> Answered {
        self.call(user, "POST", path).await
    }

    pub async fn post_json(&self, user: &str, path: &str, body: &str) -> Answered {
        let request = Request::builder().method("POST").uri(path).header("x-user-id", user);
        let request = request.header("content-type", "application/json; charset=utf-8");
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    pub async fn hold(&self, user: &str, seats: &[&str]) -> Answered {
        let seats: Vec<_> = seats.iter().map(|key| format!("arena-night.{key}")).collect();
        self.post_json(user, HOLDS, &json!({ "seats": seats }).to_string()).await
    }
}

impl Answered {
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) -> &Self {
        assert_eq!((self.status.as_u16(), self.body["code"].as_str()), (status, Some(code)), "{}", self.body);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let slug = code.to_lowercase().replace('_', "-");
        assert_eq!(self.body["type"], format!("https://boxoffice.dev/problems/{slug}"));
        assert_eq!(self.body["status"], status);
        assert_eq!(self.body["retryable"], status == 503);
        assert_eq!(self.headers.contains_key("retry-after"), status == 503);
        assert_eq!(self.body["correlationId"], self.headers["x-correlation-id"].to_str().unwrap());
        assert!(
            !self.body["title"].as_str().unwrap().is_empty()
                && !self.body["detail"].as_str().unwrap().is_empty()
        );
        self
    }

    #[track_caller]
    pub fn done(&self, status: u16) -> &Value {
        assert_eq!((self.status.as_u16(), &self.body["success"]), (status, &json!(true)), "{}", self.body);
        assert_eq!(self.body["correlationId"], self.headers["x-correlation-id"].to_str().unwrap());
        &self.body
    }

    pub fn detail(&self) -> &str {
        self.body["detail"].as_str().unwrap()
    }
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// A seat as answers tell it.
pub fn priced(key: &str) -> Value {
    let section = key.split('-').next().unwrap();
    json!({
        "seatId": format!("arena-night.{key}"), "sectionId": section, "priceCategory": "gold", "price": 12_000
    })
}

/// The fields of an answer about a hold.
const HELD: [&str; 9] =
    ["correlationId", "currency", "expiresAt", "holdId", "seats", "sequence", "success", "together", "total"];
/// And about a reservation.
const RESERVED: [&str; 8] =
    ["correlationId", "currency", "reservationId", "reservedAt", "seats", "sequence", "success", "total"];

fn with_seat_id<'a>(fields: &[&'a str]) -> Vec<&'a str> {
    let mut fields: Vec<_> = fields.iter().copied().chain(["seatId"]).collect();
    fields.sort_unstable();
    fields
}

#[tokio::test]
async fn a_seat_is_held_reserved_and_released() {
    let house = House::open().await;
    let held = house.post("alice", HOLD).await;
    let held = held.done(200);
    assert_eq!(keys(held), with_seat_id(&HELD));
    assert_eq!((&held["seatId"], &held["sequence"]), (&json!("arena-night.A-1-1"), &json!(2)));
    assert_eq!(
        (&held["seats"], &held["total"], &held["currency"]),
        (&json!([priced("A-1-1")]), &json!(12_000), &json!("EUR"))
    );
    assert_eq!(held["expiresAt"], 1_700_000_300_000_u64);
    held["holdId"].as_str().unwrap().parse::<HoldId>().unwrap();

    let reserved = house.post("alice", RESERVE).await;
    let reserved = reserved.done(200);
    assert_eq!(keys(reserved), with_seat_id(&RESERVED));
    assert_eq!((&reserved["reservedAt"], &reserved["sequence"]), (&json!(1_700_000_000_000_u64), &json!(4)));
    assert_eq!(reserved["seats"], json!([priced("A-1-1")]));

    let released = house.post("alice", RELEASE).await;
    let expected = json!({
        "success": true, "correlationId": released.body["correlationId"], "seatId": "arena-night.A-1-1",
        "released": ["arena-night.A-1-1"], "seats": [], "currency": "EUR", "total": 0, "sequence": 6
    });
    assert_eq!(*released.done(200), expected);
}

#[tokio::test]
async fn a_seat_of_several_is_answered_with_all_of_the_hold_and_leaves_the_others() {
    let house = House::open().await;
    house.hold("alice", &["A-1-1", "A-1-2", "A-1-3"]).await.done(201);
    let again = house.post("alice", HOLD).await;
    assert_eq!(again.done(200)["seats"], json!(["A-1-1", "A-1-2", "A-1-3"].map(priced)), "the whole hold");
    assert_eq!((&again.body["total"], &again.body["together"]), (&json!(36_000), &json!(true)));

    let released = house.post("alice", "/seats/arena-night.A-1-2/release").await;
    let left = json!(["A-1-1", "A-1-3"].map(priced));
    assert_eq!((&released.done(200)["seats"], &released.body["total"]), (&left, &json!(24_000)));
    assert_eq!(released.body["released"], json!(["arena-night.A-1-2"]));
    assert_eq!(released.body["expiresAt"], 1_700_000_300_000_u64, "what is left still expires");
    assert_eq!(house.post("alice", HOLD).await.done(200)["together"], false);

    let reserved = house.post("alice", RESERVE).await;
    assert_eq!(reserved.done(200)["seats"], json!([priced("A-1-1")]), "a reservation of its own");
    let rest = house.post("alice", "/seats/arena-night.A-1-3/release").await;
    assert_eq!((&rest.done(200)["seats"], &rest.body["expiresAt"]), (&json!([]), &Value::Null));
}

#[tokio::test]
async fn repeating_gives_the_same_answer() {
    let house = House::open().await;
    let (first, again) = (house.post("alice", HOLD).await, house.post("alice", HOLD).await);
    assert_eq!(first.done(200)["holdId"], again.done(200)["holdId"]);
    let (first, again) = (house.post("alice", RESERVE).await, house.post("alice", RESERVE).await);
    assert_eq!(first.done(200)["reservationId"], again.done(200)["reservationId"]);
    assert_eq!(first.body["sequence"], again.body["sequence"]);
    let (first, again) = (house.hold("bob", &["A-1-2"]).await, house.hold("bob", &["A-1-2"]).await);
    assert_eq!(first.done(201)["holdId"], again.done(200)["holdId"]);
}

#[tokio::test]
async fn several_seats_are_held_shown_and_reserved() {
    let house = House::open().await;
    let created = house.hold("alice", &["A-1-2", "FLOOR-1"]).await;
    let body = created.done(201);
    let seats = json!([priced("A-1-2"), priced("FLOOR-1")]);
    assert_eq!(keys(body), HELD);
    assert_eq!((&body["seats"], &body["sequence"]), (&seats, &json!(3)));
    assert_eq!((&body["total"], &body["together"]), (&json!(24_000), &json!(false)));
    let path = format!("/holds/{}", body["holdId"].as_str().unwrap());
    assert_eq!(created.headers["location"], path.as_str());

    let shown = house.call("alice", "GET", &path).await;
    assert_eq!((&shown.done(200)["seats"], &shown.body["holdId"]), (&seats, &body["holdId"]));
    assert_eq!(keys(&shown.body), HELD);
    house.call("bob", "GET", &path).await.refused(403, "NOT_HOLDER");

    let reserved = house.post("alice", &format!("{path}/reserve")).await;
    let reserved = reserved.done(200);
    assert_eq!(keys(reserved), RESERVED);
    assert_eq!((&reserved["seats"], &reserved["sequence"]), (&seats, &json!(6)));

    let path = format!("/reservations/{}", reserved["reservationId"].as_str().unwrap());
    house.call("bob", "DELETE", &path).await.refused(403, "NOT_HOLDER");
    let cancelled = house.call("alice", "DELETE", &path).await;
    assert_eq!(cancelled.done(200)["released"], json!(["arena-night.A-1-2", "arena-night.FLOOR-1"]));
    assert_eq!((&cancelled.body["seats"], &cancelled.body["total"]), (&json!([]), &json!(0)));
    house.call("alice", "DELETE", &path).await.refused(404, "RESERVATION_NOT_FOUND");
}

#[tokio::test]
async fn a_hold_is_given_back_whole() {
    let house = House::open().await;
    let hold = house.hold("alice", &["A-1-1", "A-1-2"]).await;
    let path = format!("/holds/{}", hold.done(201)["holdId"].as_str().unwrap());
    house.call("bob", "DELETE", &path).await.refused(403, "NOT_HOLDER");
    assert_eq!(house.call("alice", "DELETE", &path).await.done(200)["sequence"], 5);
    house.call("alice", "DELETE", &path).await.refused(404, "HOLD_NOT_FOUND");
    house.post("bob", HOLD).await.done(200);
}

#[tokio::test]
async fn every_conflicting_seat_is_named_with_its_reason() {
    let house = House::open().await;
    house.post("alice", HOLD).await.done(200);
    house.post("alice", "/seats/arena-night.A-1-2/hold").await.done(200);
    house.post("alice", "/seats/arena-night.A-1-2/reserve").await.done(200);
    let refused = house.hold("bob", &["A-1-1", "A-1-2", "A-1-3", "A-1-4"]).await;
    let conflicts = json!([
        {"seatId": "arena-night.A-1-1", "reason": "HELD"},
        {"seatId": "arena-night.A-1-2", "reason": "RESERVED"},
        {"seatId": "arena-night.A-1-4", "reason": "BLOCKED"}
    ]);
    assert_eq!(refused.refused(409, "SEAT_NOT_AVAILABLE").body["conflicts"], conflicts);
    let refused = house.hold("bob", &["A-1-3", "B-1-1"]).await;
    let conflicts = json!([{"seatId": "arena-night.B-1-1", "reason": "NOT_FOUND"}]);
    assert_eq!(refused.refused(404, "SEAT_NOT_FOUND").body["conflicts"], conflicts);
    house.hold("bob", &["A-1-3"]).await.done(201);
}

#[tokio::test]
async fn what_is_in_the_way_and_ones_own_says_so() {
    let house = House::open().await;
    house.hold("alice", &["A-1-1"]).await.done(201);
    house.post("alice", "/seats/arena-night.A-1-2/hold").await.done(200);
    house.post("alice", "/seats/arena-night.A-1-2/reserve").await.done(200);
    house.post("bob", "/seats/arena-night.A-1-3/hold").await.done(200);
    house.redefine(|it| it.limits.seats_per_user = None).await;
    let refused = house.hold("alice", &["A-1-1", "A-1-2", "A-1-3"]).await;
    let conflicts = json!([
        {"seatId": "arena-night.A-1-1", "reason": "HELD", "mine": true},
        {"seatId": "arena-night.A-1-2", "reason": "RESERVED", "mine": true},
        {"seatId": "arena-night.A-1-3", "reason": "HELD"}
    ]);
    assert_eq!(refused.refused(409, "SEAT_NOT_AVAILABLE").body["conflicts"], conflicts);
}

#[tokio::test]
async fn refusals_have_their_codes() {
    let house = House::open().await;
    house.post("alice", RESERVE).await.refused(409, "SEAT_NOT_HELD");
    house.post("alice", RELEASE).await.refused(409, "SEAT_NOT_HELD");
    house.post("alice", HOLD).await.done(200);
    let refused = house.post("bob", HOLD).await;
    assert_eq!(refused.refused(409, "SEAT_NOT_AVAILABLE").body["conflicts"][0]["reason"], "HELD");
    house.post("bob", RESERVE).await.refused(403, "NOT_HOLDER");
    house.post("bob", RELEASE).await.refused(403, "NOT_HOLDER");
    house.post("alice", "/seats/nowhere.A-1-1/hold").await.refused(404, "EVENT_NOT_FOUND");
    let hold = HoldId::new(arena(), Uuid::from_u128(7));
    house.call("alice", "GET", &format!("/holds/{hold}")).await.refused(404, "HOLD_NOT_FOUND");
    house.post("alice", &format!("/holds/{hold}/reserve")).await.refused(404, "HOLD_NOT_FOUND");
    house
        .call("alice", "DELETE", &format!("/reservations/{hold}"))
        .await
        .refused(404, "RESERVATION_NOT_FOUND");
    house.hold("alice", &["A-1-2", "A-1-3", "FLOOR-1", "FLOOR-2"]).await.refused(409, "LIMIT_EXCEEDED");
}

#[tokio::test]
async fn i6_a_hold_ends_at_its_deadline() {
    let house = House::open().await;
    let hold = house.hold("alice", &["A-1-1"]).await;
    let path = format!("/holds/{}", hold.done(201)["holdId"].as_str().unwrap());
    house.store.pass(TTL);
    house.call("alice", "GET", &path).await.refused(409, "HOLD_EXPIRED");
    house.call("alice", "DELETE", &path).await.refused(409, "HOLD_EXPIRED");
    house.post("alice", &format!("{path}/reserve")).await.refused(409, "HOLD_EXPIRED");
    house.post("alice", RESERVE).await.refused(409, "HOLD_EXPIRED");
    house.post("bob", HOLD).await.done(200);
}

#[tokio::test]
async fn the_sales_window_is_kept() {
    let house = House::open().await;
    house.redefine(|it| it.sales.opens_at = Some(1_700_000_000_001)).await;
    let refused = house.post("alice", HOLD).await;
    assert_eq!(refused.refused(409, "SALES_NOT_OPEN").body["opensAt"], 1_700_000_000_001_u64);
    house.redefine(|it| it.sales.paused = true).await;
    house.post("alice", HOLD).await.refused(409, "SALES_PAUSED");
    house.redefine(|it| it.sales.closes_at = Some(1_700_000_000_000)).await;
    house.post("alice", HOLD).await.refused(409, "SALES_CLOSED");
}

#[tokio::test]
async fn buyers_cancel_until_the_last_moment_for_it() {
    let house = House::open().await;
    let hold = house.hold("alice", &["A-1-1", "A-1-2"]).await;
    let path = format!("/holds/{}/reserve", hold.done(201)["holdId"].as_str().unwrap());
    let reserved = house.post("alice", &path).await;
    let path = format!("/reservations/{}", reserved.done(200)["reservationId"].as_str().unwrap());
    house.redefine(|it| it.sales.cancel_until = Some(1_700_000_000_000)).await;
    house.post("alice", RELEASE).await.done(200);
    house.store.pass(1);
    let refused = house.call("alice", "DELETE", &path).await;
    assert_eq!(refused.refused(409, "CANCELLATION_CLOSED").body["cancelUntil"], 1_700_000_000_000_u64);
    house.post("alice", "/seats/arena-night.A-1-2/release").await.refused(409, "CANCELLATION_CLOSED");
}

#[tokio::test]
async fn the_correlation_id_is_taken_or_made_and_always_returned() {
    let house = House::open().await;
    let request = |id: &str| {
        let request = Request::post(HOLD).header("x-user-id", "alice").header("x-correlation-id", id);
        request
            .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
            .body(Body::empty())
    };
    let held = house.send(request("order-17").unwrap()).await;
    assert_eq!(held.done(200)["correlationId"], "order-17");
    let written = house.store.entries(&arena()).pop().unwrap();
    assert_eq!(written.envelope.metadata.correlation_id.as_str(), "order-17");
    assert_eq!(
        written.traceparent.as_deref(),
        Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    );

    let made = house.post("alice", HOLD).await;
    made.done(200)["correlationId"].as_str().unwrap().parse::<Uuid>().unwrap();
    let refused = house.send(request(&"x".repeat(129)).unwrap()).await;
    refused.refused(400, "INVALID_REQUEST").body["correlationId"].as_str().unwrap().parse::<Uuid>().unwrap();
    house.post("alice", "/nowhere").await.refused(404, "NOT_FOUND");
}

#[tokio::test]
async fn a_user_must_be_named_once_and_well() {
    let house = House::open().await;
    let anonymous = Request::post(HOLD).body(Body::empty()).unwrap();
    let refused = house.send(anonymous).await;
    assert!(refused.refused(401, "UNAUTHENTICATED").detail().contains("x-user-id"));
    house.post("", HOLD).await.refused(401, "UNAUTHENTICATED");
    house.post(&"x".repeat(129), HOLD).await.refused(400, "INVALID_REQUEST");
    let twice =
        Request::post(HOLD).header("x-user-id", "alice").header("x-user-id", "bob").body(Body::empty());
    house.send(twice.unwrap()).await.refused(400, "INVALID_REQUEST");
}

#[tokio::test]
async fn malformed_requests_name_what_is_wrong() {
    let house = House::open().await;
    let full: Vec<_> = (0..101).map(|n| format!("arena-night.A-1-{n}")).collect();
    let cases = [
        (r"{", "body: ends at line 1, column 1, before its JSON is complete"),
        (r"7", "body: must be an object, but is 7"),
        (r#"{"seats": [7]}"#, "seats[0]: must be a text, in quotes, but is 7"),
        (r#"{"seats": ["A-1-1"]}"#, "seats[0]: seatId"),
        (
            r#"{"seats": ["arena-night.A-1-1"], "count": 2}"#,
            "count: unknown field: remove it, or write seats, areas or bestAvailable",
        ),
        (r#"{"seats": ["arena-night.A-1-1"]} x"#, "body: goes on behind its end at line 1, column 34"),
        (r"{}", "seats, areas: ask for 1 to 100"),
        (r#"{"seats": []}"#, "seats, areas: ask for 1 to 100"),
        (r#"{"seats": ["other.A-1-1"]}"#, "other.A-1-1 is not a seat of arena-night"),
        (r#"{"seats": ["arena-night.A-1-1", "arena-night.A-1-1"]}"#, "more than once"),
    ];
    for (body, wrong) in cases {
        let refused = house.post_json("alice", HOLDS, body).await;
        assert!(
            refused.refused(400, "INVALID_REQUEST").detail().contains(wrong),
            "{body}: {}",
            refused.detail()
        );
    }
    let many = router_with_long_bodies(&house, &json!({ "seats": full }).to_string()).await;
    assert!(many.refused(400, "INVALID_REQUEST").detail().contains("not 101"));
    for path in
        ["/seats/A-1-1/hold", "/seats/a%FF/hold", "/events/Arena/holds", "/holds/arena-night.7/reserve"]
    {
        house.post_json("alice", path, "{}").await.refused(400, "INVALID_REQUEST");
    }
    for (text, told) in
        [("", "body: empty"), ("seats=A-1-1", "send a JSON document"), ("7", "must be an object")]
    {
        let plain = Request::post(HOLDS).header("x-user-id", "alice").body(Body::from(text)).unwrap();
        let refused = house.send(plain).await;
        assert!(refused.refused(400, "INVALID_REQUEST").detail().contains(told), "{}", refused.detail());
    }
    house.post_json("alice", HOLDS, &" ".repeat(1025)).await.refused(413, "PAYLOAD_TOO_LARGE");
    let wrong_method = house.call("alice", "GET", HOLD).await;
    wrong_method.refused(405, "METHOD_NOT_ALLOWED");
    assert_eq!(wrong_method.headers["allow"], "POST");
}

/// The same store behind a router whose body limit does not stand in the way.
async fn router_with_long_bodies(house: &House, body: &str) -> Answered {
    let published = Published::new(Arc::clone(&house.store) as Arc<dyn Outbox>);
    let durability = Durability { hold: Guarantee::Redis, reserve: Guarantee::Redis };
    let store = Arc::clone(&house.store) as Arc<dyn SeatStore>;
    let commands = CommandService::new(store, published, durability);
    let router = service(routes(gate(), commands, 1 << 20), HttpLayer::new(&mut Registry::default()));
    House { store: Arc::clone(&house.store), published: Arc::clone(&house.published), router }
        .post_json("alice", HOLDS, body)
        .await
}

#[tokio::test]
async fn failures_say_that_repeating_helps_and_keep_their_reasons_to_the_log() {
    let house = House::open().await;
    house.store.fill(true);
    house.post("alice", HOLD).await.refused(503, "OUTBOX_FULL");
    house.store.fill(false);
    house.store.fail(true);
    let refused = house.post("alice", HOLD).await;
    assert!(!refused.refused(503, "UNAVAILABLE").detail().contains("connection refused"));
    house
        .call("alice", "GET", &format!("/holds/{}", HoldId::new(arena(), Uuid::nil())))
        .await
        .refused(503, "UNAVAILABLE");
}

#[tokio::test(start_paused = true)]
async fn i7_a_reserve_that_does_not_reach_the_log_stands_and_says_so() {
    let house = House::guaranteeing(Guarantee::Log).await;
    house.post("alice", HOLD).await.done(200);
    let refused = house.post("alice", RESERVE).await;
    assert!(refused.refused(503, "UNAVAILABLE").detail().contains("the reservation stands"));

    house.store.published(&arena(), 4, 0).await.unwrap();
    assert_eq!(house.post("alice", RESERVE).await.done(200)["sequence"], 4);
    let Answer::Held { .. } = house.store.hold_for("bob", &arena(), &["A-1-2"]).await else { panic!() };
}
