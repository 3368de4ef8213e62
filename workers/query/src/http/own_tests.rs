//! What a user is told of the user's own, against orders that a test gives.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, header};
use boxoffice_domain::PaymentState;
use boxoffice_runtime::http::{HttpLayer, service};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tower::ServiceExt;

use super::{Knowledge, LASTING, routes};
use crate::orders::OrderService;
use crate::orders::testing::{self, FakeOrders, paid, reservation};
use crate::testing::knowledge;

const HERS: &str = "/reservations/arena-night.8d1f6c0e-2b7a-4e0d-9d55-3c1b7a90e2f4";
const BOBS: &str = "/reservations/arena-night.00000000-0000-0000-0000-000000000002";

struct Stage {
    orders: Arc<FakeOrders>,
    known: Knowledge,
    _looking: AbortOnDropHandle<std::convert::Infallible>,
}

impl Stage {
    fn set() -> Self {
        let orders = Arc::new(FakeOrders::of_a_busy_day());
        let order_service = OrderService::new(Arc::clone(&orders) as _);
        let looking = AbortOnDropHandle::new(tokio::spawn(order_service.clone().look()));
        let known = Knowledge { order_service, ..knowledge() };
        Self { orders, known, _looking: looking }
    }

    async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Response<Body> {
        let layer = HttpLayer::new(&mut Registry::default()).lasting(LASTING);
        let request =
            headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
        service(routes(self.known.clone()), layer)
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap()
    }

    async fn get(&self, path: &str, user: &str) -> (u16, Value) {
        let response = self.get_with(path, &[("x-user-id", user)]).await;
        let status = response.status().as_u16();
        if status == 200 {
            assert_eq!(response.headers()[header::CACHE_CONTROL], "private, no-store", "{path}");
            assert_eq!(response.headers()[header::VARY], "x-user-id", "{path}");
        }
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }
}

#[tokio::test]
async fn a_user_is_told_what_the_user_has_and_nobody_else_is() {
    let stage = Stage::set();
    let seats = json!([
        {"seatId": "arena-night.A-1-1", "sectionId": "A"}, {"seatId": "arena-night.A-1-2", "sectionId": "A"}
    ]);
    let (_, reservations) = stage.get("/users/alice/reservations", "alice").await;
    let expected = json!([{
        "reservationId": "arena-night.8d1f6c0e-2b7a-4e0d-9d55-3c1b7a90e2f4", "eventId": "arena-night",
        "seats": seats, "currency": "EUR", "total": 24_000, "reservedAt": 1_700_000_000_000_u64,
        "payment": {"state": "PAID", "charged": 24_000, "refunded": 0}
    }]);
    assert_eq!(reservations, expected);
    assert_eq!(stage.get(HERS, "alice").await, (200, expected[0].clone()));
    assert_eq!(stage.get(BOBS, "bob").await.1.get("payment"), None, "nobody asked for one");
    let (_, holds) = stage.get("/users/alice/holds", "alice").await;
    let held = json!([
        {"seatId": "arena-night.A-1-1", "sectionId": "A", "price": 12_000},
        {"seatId": "arena-night.A-1-2", "sectionId": "A", "price": 12_000}
    ]);
    assert_eq!((&holds[0]["seats"], &holds[0]["expiresAt"]), (&held, &json!(1_700_000_300_000_u64)));
    assert_eq!((&holds[0]["currency"], &holds[0]["total"]), (&json!("EUR"), &json!(24_000)));
    assert_eq!(stage.get("/users/bob/holds", "bob").await, (200, json!([])));

    for (path, code) in [
        ("/users/alice/reservations", "NOT_FOUND"),
        ("/users/alice/holds", "NOT_FOUND"),
        (HERS, "RESERVATION_NOT_FOUND"),
        ("/reservations/arena-night.00000000-0000-0000-0000-000000000009", "RESERVATION_NOT_FOUND"),
    ] {
        let (status, problem) = stage.get(path, "bob").await;
        assert_eq!((status, &problem["code"]), (404, &json!(code)), "{path}");
    }
}

#[tokio::test]
async fn a_user_sees_the_events_of_a_chain_that_name_the_user() {
    let stage = Stage::set();
    let (_, chain) = stage.get("/trace/order-17", "alice").await;
    assert_eq!((&chain["correlationId"], &chain["isCut"]), (&json!("order-17"), &json!(false)));
    let events = chain["events"].as_array().unwrap();
    assert_eq!((events.len(), &events[0]["eventType"]), (1, &json!("reservation.created")));
    assert_eq!(events[0]["caused"][0]["eventType"], "payment.requested");
    let (status, problem) = stage.get("/trace/order-17", "bob").await;
    assert_eq!((status, &problem["code"]), (404, &json!("NOT_FOUND")));
}

#[tokio::test]
async fn nobody_in_particular_is_told_nothing_and_what_is_asked_wrongly_is_named() {
    let stage = Stage::set();
    for path in ["/users/alice/reservations", "/users/alice/holds", HERS, "/trace/order-17"] {
        assert_eq!(stage.get_with(path, &[]).await.status(), 401, "{path}");
        let (status, problem) = stage.get(&format!("{path}?page=2"), "alice").await;
        assert_eq!(status, 400, "{path}");
        assert!(problem["detail"].as_str().unwrap().contains("page"), "{problem}");
    }
    let wait = |wait: &str| format!("{HERS}?wait={wait}");
    for (path, names) in [
        (wait("26"), "wait"),
        (wait("-1"), "wait"),
        (wait("soon"), "wait"),
        (wait(""), "wait"),
        ("/users/%20alice/holds".to_owned(), "userId"),
        ("/users/%00/reservations".to_owned(), "userId"),
        ("/reservations/arena-night.A-1-1".to_owned(), "reservationId"),
        ("/trace/%C3%A9".to_owned(), "correlationId"),
    ] {
        let (status, problem) = stage.get(&path, "alice").await;
        assert_eq!((status, &problem["code"]), (400, &json!("INVALID_REQUEST")), "{path}");
        assert!(problem["detail"].as_str().unwrap().contains(names), "{path}: {problem}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_unavailable() {
    let stage = Stage::set();
    stage.orders.away(true);
    for path in ["/users/alice/reservations", "/users/alice/holds", HERS, "/trace/order-17"] {
        let response = stage.get_with(path, &[("x-user-id", "alice")]).await;
        assert_eq!(response.status(), 503, "{path}");
        assert_eq!(response.headers()[header::RETRY_AFTER], "1", "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_a_change_or_with_its_time() {
    let stage = Stage::set();
    let began = Instant::now();
    let path = format!("{BOBS}?wait=25");
    let (changed, ()) = tokio::join!(stage.get(&path, "bob"), async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        stage.orders.put(paid(reservation(2, "bob"), PaymentState::Requested));
    });
    assert_eq!(changed.1["payment"]["state"], "REQUESTED");
    assert!(
        began.elapsed() < Duration::from_secs(21),
        "longer than other requests may take, no longer than needed"
    );
    let (status, unchanged) = stage.get(&format!("{BOBS}?wait=2"), "bob").await;
    assert_eq!((status, &unchanged["payment"]["state"]), (200, &json!("REQUESTED")));
}

#[tokio::test(start_paused = true)]
async fn a_tag_says_what_a_change_is_a_change_of() {
    let stage = Stage::set();
    let with_tag = async |path: &str, tag: &str| {
        let headers = [("x-user-id", "alice"), ("if-none-match", tag)];
        let response = stage.get_with(path, &headers).await;
        (response.status().as_u16(), response.headers()[header::ETAG].to_str().unwrap().to_owned())
    };
    let (status, tag) = with_tag(HERS, "\"older\"").await;
    assert_eq!(status, 200);
    assert_eq!(with_tag(HERS, &tag).await, (304, tag.clone()));
    stage.orders.put(paid(reservation(testing::HERS, "alice"), PaymentState::RefundRequested));
    let began = Instant::now();
    let (status, newer) = with_tag(&format!("{HERS}?wait=20"), &tag).await;
    assert_eq!(status, 200, "it had changed before it was asked for");
    assert!(began.elapsed() < Duration::from_secs(1) && newer != tag);
    assert_eq!(with_tag(&format!("{HERS}?wait=2"), &newer).await, (304, newer.clone()));
}
