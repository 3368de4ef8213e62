//! The operators' routes, against orders that a test gives.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use boxoffice_domain::events::{SectionStats, StatsUpdated};
use boxoffice_runtime::http::{AdminToken, HttpLayer, guarded, service};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::routes;
use crate::http::Knowledge;
use crate::http::viewed::aged;
use crate::orders::OrderService;
use crate::orders::testing::FakeOrders;
use crate::testing::{deleted, event_id, knowledge, map};
use crate::view::{Stats, Trust, Views};

fn known() -> Knowledge {
    let (views, stats) = (Views::default(), Stats::default());
    let orders = Arc::new(FakeOrders::of_a_busy_day());
    views.install(vec![map("arena-night", 1)], BTreeMap::new(), Trust::Further);
    let section = SectionStats { section_id: "A".into(), revenue: 12_000, ..SectionStats::default() };
    stats.keep(StatsUpdated {
        event_id: event_id("arena-night"),
        as_of_sequence: 3,
        epoch: 0,
        sections: vec![section],
    });
    let (views, stats) = (Arc::new(views), Arc::new(stats));
    Knowledge { views, stats, order_service: OrderService::new(orders), ..knowledge() }
}

async fn get_by(known: &Knowledge, path: &str, token: &str) -> (u16, Value) {
    let guarded = guarded(routes(known.clone()), AdminToken::new("secret".into()).unwrap());
    let request = Request::get(path).header("authorization", token).body(Body::empty()).unwrap();
    let layer = aged(HttpLayer::new(&mut Registry::default()), Arc::clone(&known.age));
    let served = service(guarded, layer);
    let response = served.oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    assert!(response.headers().contains_key("x-view-age"), "{path}");
    let kept = response.headers()["cache-control"].to_str().unwrap();
    assert!(kept.contains("no-store"), "{path}: it names users, and is {kept}");
    (status, serde_json::from_slice(&to_bytes(response.into_body(), 1 << 20).await.unwrap()).unwrap())
}

async fn get(known: &Knowledge, path: &str) -> (u16, Value) {
    get_by(known, path, "Bearer secret").await
}

#[tokio::test]
async fn only_who_shows_the_token_is_told() {
    for path in
        ["/admin/orders", "/admin/payments", "/admin/trace/order-17", "/admin/events/arena-night/stats"]
    {
        for token in ["", "Bearer guessed", "secret"] {
            let (status, problem) = get_by(&known(), path, token).await;
            assert_eq!((status, &problem["code"]), (401, &json!("UNAUTHENTICATED")), "{path} {token}");
        }
        assert_eq!(get(&known(), path).await.0, 200, "{path}");
    }
}

#[tokio::test]
async fn revenue_is_told_also_when_sales_are_closed() {
    let known = known();
    let revenue = json!({
        "eventId": "arena-night", "asOfSequence": 3, "currency": "EUR",
        "sections": [{"sectionId": "A", "available": 0, "held": 0, "reserved": 0, "released": 0, "revenue": 12_000}]
    });
    assert_eq!(get(&known, "/admin/events/arena-night/stats").await, (200, revenue.clone()));
    let closed = deleted("arena-night");
    known.views.apply(closed.seating_event(), 2, Some(&closed)).unwrap();
    assert_eq!(get(&known, "/admin/events/arena-night/stats").await, (200, revenue));
    assert_eq!(get(&known, "/admin/events/nowhere/stats").await.1["code"], "EVENT_NOT_FOUND");
    assert_eq!(get(&known, "/admin/events/nowhere/curve").await.1["code"], "EVENT_NOT_FOUND");
}

#[tokio::test]
async fn orders_tell_whose_they_are_and_payments_how_they_stand() {
    let known = known();
    let (_, orders) = get(&known, "/admin/orders?minutes=5").await;
    let users: Vec<_> = orders.as_array().unwrap().iter().map(|order| &order["userId"]).collect();
    assert_eq!(users, ["alice", "bob"]);
    let (_, payments) = get(&known, "/admin/payments").await;
    assert_eq!(
        payments["states"],
        json!([{"state": "PAID", "currency": "EUR", "count": 1, "charged": 24_000, "refunded": 0}])
    );
    assert_eq!(payments["payments"][0]["userId"], "alice");
    let (_, none) = get(&known, "/admin/payments?state=DECLINED").await;
    assert_eq!((&none["states"], &none["payments"]), (&json!([]), &json!([])));
}

#[tokio::test]
async fn operators_see_all_of_a_chain() {
    let (_, chain) = get(&known(), "/admin/trace/order-17").await;
    let types: Vec<_> = chain["events"].as_array().unwrap().iter().map(|event| &event["eventType"]).collect();
    assert_eq!(types, ["reservation.created", "seat.blocked"]);
    assert_eq!(chain["events"][0]["caused"][0]["eventType"], "payment.requested");
    assert_eq!(get(&known(), "/admin/trace/another").await.0, 404);
}

#[tokio::test]
async fn what_is_asked_wrongly_is_told_by_name() {
    for (path, names) in [
        ("/admin/orders?minutes=0", "minutes"),
        ("/admin/orders?minutes=10081", "minutes"),
        ("/admin/orders?minutes=soon", "minutes"),
        ("/admin/events/arena-night/curve?minute=5", "minutes"),
        ("/admin/events/arena-night/stats?section=A", "section"),
        ("/admin/payments?state=PAYED", "PAID"),
        ("/admin/trace/%C3%A9", "correlationId"),
        ("/admin/events/ARENA/stats", "eventId"),
    ] {
        let (status, problem) = get(&known(), path).await;
        assert_eq!((status, &problem["code"]), (400, &json!("INVALID_REQUEST")), "{path}");
        assert!(problem["detail"].as_str().unwrap().contains(names), "{path}: {problem}");
    }
}
