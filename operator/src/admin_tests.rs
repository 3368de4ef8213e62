//! The client against an HTTP server of this process.

use super::*;
use axum::extract::Path;
use axum::http::{HeaderMap, Uri};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

const HOUSE: &str = "arena-night";

fn target() -> Target {
    Target { namespace: "tickets".into(), service: "main".into(), token: "secret".into() }
}

fn inventory() -> Value {
    json!({"eventId": HOUSE, "chartHash": "abc", "partition": 3, "sequence": 7, "phase": "OnSale",
           "seats": {"total": 9, "available": 4, "held": 3, "reserved": 1, "blocked": 1}})
}

fn definition() -> Definition {
    serde_json::from_value(
        json!({"title": "Arena Night", "startsAt": 5, "priceCategories": [], "sections": []}),
    )
    .unwrap()
}

async fn serve(routes: Router) -> AdminApi {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    let base = format!("http://{address}/{{namespace}}/{{service}}");
    AdminApi::new(base.clone(), format!("{base}/{{address}}/{{port}}")).unwrap()
}

#[tokio::test]
async fn reads_what_waits_and_passes_over_a_worker_that_cannot_say() {
    let waiting = || async { Json(json!({"events": 2, "depth": 17, "oldestSeconds": 4})) };
    let routes = Router::new().route("/tickets/main/admin/outbox", get(waiting));
    let found = serve(routes).await.outbox(&target()).await;
    assert_eq!(found, Ok(Outbox { depth: 17, oldest_seconds: 4 }));
    let before = serve(Router::new()).await.outbox(&target()).await;
    assert!(matches!(before, Err(AdminError::Refused { status: 404, .. })), "{before:?}");
}

#[test]
fn a_pod_is_reached_by_addresses_of_both_kinds() {
    let admin = AdminApi::new(URL_TEMPLATE.to_owned(), POD_URL_TEMPLATE.to_owned()).unwrap();
    assert_eq!(admin.pod("tickets", "main", "10.0.0.7", 8082), "http://10.0.0.7:8082");
    assert_eq!(admin.pod("tickets", "main", "fd00::7", 9090), "http://[fd00::7]:9090");
}

#[tokio::test]
async fn a_pod_says_what_it_uses_or_that_it_does_not_know_the_token() {
    let told = |headers: HeaderMap| async move {
        let known = headers.get("authorization").is_some_and(|shown| shown == "Bearer secret");
        if known { Ok(Json(json!({"splits": 2}))) } else { Err(StatusCode::UNAUTHORIZED) }
    };
    let ready = || async { (StatusCode::SERVICE_UNAVAILABLE, "redis: connection refused\n") };
    let routes = Router::new()
        .route("/tickets/main/10.0.0.7/8082/admin/outbox", get(told))
        .route("/tickets/main/10.0.0.7/9090/readyz", get(ready));
    let admin = serve(routes).await;
    let answer = admin.stores(&target(), "10.0.0.7").await;
    assert_eq!(answer, PodAnswer::Stores(Stores { splits: 2, servers: Vec::new() }));
    let other = Target { token: "other".into(), ..target() };
    assert_eq!(admin.stores(&other, "10.0.0.7").await, PodAnswer::TokenRefused);
    assert_eq!(admin.stores(&target(), "10.0.0.8").await, PodAnswer::Silent);
    let obstacles = admin.obstacles("tickets", "main", "10.0.0.7").await;
    assert_eq!(obstacles.as_deref(), Some("redis: connection refused"));
}

#[test]
fn a_worker_of_an_earlier_version_says_nothing_about_its_redis() {
    let before: Stores =
        serde_json::from_value(json!({"events": 0, "depth": 0, "oldestSeconds": 0})).unwrap();
    assert_eq!(before, Stores::default());
    let now = json!({"depth": 0, "splits": 2, "servers": [{"address": "redis:6379", "history": "a:b"}]});
    let now: Stores = serde_json::from_value(now).unwrap();
    assert_eq!((now.splits, now.servers[0].address.as_str()), (2, "redis:6379"));
}

#[tokio::test]
async fn provisions_with_the_token_and_reads_the_inventory() {
    let put = |Path(id): Path<String>, headers: HeaderMap, Json(body): Json<Value>| async move {
        assert_eq!((id.as_str(), headers["authorization"].to_str().unwrap()), (HOUSE, "Bearer secret"));
        assert_eq!(body["startsAt"], 5);
        Json(inventory())
    };
    let api = serve(Router::new().route("/tickets/main/admin/events/{id}", axum::routing::put(put))).await;
    let answer = api.provision(&target(), HOUSE, &definition()).await.unwrap();
    let Provisioned { inventory, refused } = answer;
    assert_eq!((inventory.partition, inventory.seats.held, inventory.phase), (3, 3, Phase::OnSale));
    assert_eq!(refused, None, "a worker of an earlier version does not say");
}

#[tokio::test]
async fn a_seat_map_that_did_not_take_effect_is_read_beside_the_inventory() {
    let put = |applied: bool, refused: Value| {
        let mut answer = inventory();
        answer["applied"] = json!(applied);
        if applied {
            assert!(refused.is_null());
        } else {
            answer["refused"] = refused;
        }
        move || async { Json(answer) }
    };
    let path = "/tickets/main/admin/events/{id}";
    let seats = json!({"seats": [{"seatId": "arena-night.A-1-1", "reason": "RESERVED"}]});
    for (applied, refused, named) in [(true, Value::Null, None), (false, seats, Some("arena-night.A-1-1"))] {
        let api = serve(Router::new().route(path, axum::routing::put(put(applied, refused)))).await;
        let answer = api.provision(&target(), HOUSE, &definition()).await.unwrap();
        assert_eq!(answer.inventory.seats.total, 9);
        let refused = answer.refused.as_ref().map(|refused| refused.seats[0].seat_id.as_str());
        assert_eq!(refused, named);
    }
}

#[tokio::test]
async fn a_problem_keeps_its_code_and_its_seats() {
    let refuse = || async {
        let conflicts = json!([{"seatId": "arena-night.A-1-1", "reason": "RESERVED"}]);
        (
            StatusCode::CONFLICT,
            Json(json!({"code": "SEAT_MAP_CONFLICT", "detail": "sold", "conflicts": conflicts})),
        )
    };
    let api = serve(Router::new().route("/tickets/main/admin/events", get(refuse))).await;
    let AdminError::Refused { status, problem } = api.inventories(&target(), "").await.unwrap_err() else {
        panic!()
    };
    assert_eq!((status, problem.code.as_str()), (409, "SEAT_MAP_CONFLICT"));
    assert_eq!(problem.conflicts[0].seat_id, "arena-night.A-1-1");
}

#[tokio::test]
async fn a_partial_list_says_so() {
    for (header, is_partial) in [("x-partial", true), ("x-other", false)] {
        let list = move || async move { ([(header, "true")], Json(json!([inventory()]))) };
        let api = serve(Router::new().route("/tickets/main/admin/events", get(list))).await;
        let listing = api.inventories(&target(), "").await.unwrap();
        assert_eq!((listing.inventories.len(), listing.is_partial), (1, is_partial));
    }
}

#[tokio::test]
async fn what_changed_since_a_cursor_is_read_and_a_cursor_that_is_none_is_not_sent() {
    let changed = |uri: Uri| async move {
        let cursor = uri.query().unwrap().strip_prefix("cursor=").unwrap().to_owned();
        let mut one = inventory();
        one["definitionHash"] = json!("d1");
        one["closed"] = json!(true);
        let cursor = format!("{cursor}.1");
        Json(json!({
            "cursor": cursor, "all": false, "events": [one], "gone": ["opera"], "unreadable": ["ballet"],
        }))
    };
    let api = serve(Router::new().route("/tickets/main/admin/events", get(changed))).await;
    let listing = api.inventories(&target(), "a-3").await.unwrap();
    assert_eq!((listing.cursor.as_str(), listing.all), ("a-3.1", false));
    assert_eq!((listing.gone, listing.unreadable), (vec!["opera".to_owned()], vec!["ballet".to_owned()]));
    let told = &listing.inventories[0];
    assert_eq!((told.definition_hash.as_deref(), told.closed), (Some("d1"), true));
    for none in ["a&purge=true", "a b", &"x".repeat(5_000)] {
        assert_eq!(api.inventories(&target(), none).await.unwrap().cursor, ".1");
    }
    let before = serve(
        Router::new().route("/tickets/main/admin/events", get(|| async { Json(json!([inventory()])) })),
    )
    .await;
    let listing = before.inventories(&target(), "a-3").await.unwrap();
    assert!(listing.all && listing.cursor.is_empty(), "a worker of an earlier version tells all");
    assert_eq!((&listing.inventories[0].definition_hash, listing.inventories[0].closed), (&None, false));
}

#[tokio::test]
async fn a_plan_is_read_and_a_worker_of_an_earlier_version_has_none() {
    let none = json!({"count": 0, "seats": []});
    let plan = json!({"added": {"count": 30, "seats": ["arena-night.A-1-1"]}, "removed": none, "blocked": none,
        "unblocked": none, "refused": [{"seatId": "arena-night.A-1-2", "reason": "HELD"}]});
    let path = "/tickets/main/admin/events/{id}/plan";
    let api = serve(Router::new().route(path, axum::routing::post(|| async { Json(plan) }))).await;
    let planned = api.plan(&target(), HOUSE, &definition()).await.unwrap().unwrap();
    assert_eq!((planned.added.count, planned.removed.count, planned.refused.len()), (30, 0, 1));
    assert_eq!(serve(Router::new()).await.plan(&target(), HOUSE, &definition()).await, Ok(None));
}

#[tokio::test]
async fn an_answer_that_is_no_problem_document_is_still_a_refusal() {
    let api =
        serve(Router::new().route("/tickets/main/admin/events", get(|| async { StatusCode::BAD_GATEWAY })))
            .await;
    let error = api.inventories(&target(), "").await.unwrap_err();
    assert!(matches!(error, AdminError::Refused { status: 502, .. }), "{error}");
}

#[tokio::test]
async fn closing_what_is_not_there_is_done() {
    let gone = || async { (StatusCode::NOT_FOUND, Json(json!({"code": "EVENT_NOT_FOUND"}))) };
    let api =
        serve(Router::new().route("/tickets/main/admin/events/{id}", axum::routing::delete(gone))).await;
    api.close(&target(), HOUSE).await.unwrap();
}

#[tokio::test]
async fn purging_asks_for_more_than_closing() {
    let routes = |said: &'static str| {
        let remove = move |axum::extract::RawQuery(query): axum::extract::RawQuery| async move {
            let status = if query.as_deref().unwrap_or_default() == said {
                StatusCode::NO_CONTENT
            } else {
                StatusCode::IM_A_TEAPOT
            };
            (status, "")
        };
        Router::new().route("/tickets/main/admin/events/{id}", axum::routing::delete(remove))
    };
    serve(routes("purge=true")).await.purge(&target(), HOUSE).await.unwrap();
    serve(routes("")).await.close(&target(), HOUSE).await.unwrap();
}

#[test]
fn only_an_answer_of_a_worker_breaks_a_silence() {
    let refused = |status, code: &str| AdminError::Refused {
        status,
        problem: Problem { code: code.into(), ..Problem::default() },
    };
    for (error, is_silence) in [
        (AdminError::Absent, true),
        (AdminError::Unreachable { url: "http://x".into(), detail: "refused".into() }, true),
        (refused(502, NO_PROBLEM), true),
        (refused(503, "RECOVERING"), false),
        (refused(401, NO_PROBLEM), false),
    ] {
        assert_eq!(error.is_silence(), is_silence, "{error}");
    }
}

#[tokio::test]
async fn nobody_listening_is_unreachable() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let api = AdminApi::new(format!("http://{unused}"), POD_URL_TEMPLATE.to_owned()).unwrap();
    let error = api.inventories(&target(), "").await.unwrap_err();
    assert!(error.to_string().contains("refused"), "{error}");
}
