use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode};
use axum::routing::get;
use boxoffice_domain::SeatId;
use boxoffice_domain::command::ConflictReason;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;

fn routes() -> Router {
    Router::new()
        .route("/chain", get(|chain: RequestContext| async move { chain.correlation.to_string() }))
        .route("/never", get(std::future::pending::<()>))
        .route("/seats/{seatId}", get(|Id(seat): Id<SeatId>| async move { refuse(seat) }))
}

fn refuse(seat_id: SeatId) -> Problem {
    let held = ConflictBody { seat_id: seat_id.clone(), reason: ConflictReason::Held, mine: false };
    let own = ConflictBody { seat_id, reason: ConflictReason::Reserved, mine: true };
    Problem::new(StatusCode::CONFLICT, code::SEAT_NOT_AVAILABLE, "it is taken").conflicts(vec![held, own])
}

async fn call(path: &str, correlation: &[&str]) -> Response<Body> {
    let mut request = Request::get(path);
    for id in correlation {
        request = request.header(CORRELATION_ID, *id);
    }
    let service = service(routes(), HttpLayer::new(&mut Registry::default()));
    service.oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn json_of(response: Response<Body>) -> Value {
    serde_json::from_slice(&to_bytes(response.into_body(), 1 << 20).await.unwrap()).unwrap()
}

#[tokio::test]
async fn the_correlation_id_is_taken_or_made_and_always_returned() {
    let taken = call("/chain", &["c-1"]).await;
    assert_eq!(taken.headers()[CORRELATION_ID], "c-1");
    assert_eq!(to_bytes(taken.into_body(), 100).await.unwrap(), "c-1");
    let made = call("/chain", &[]).await;
    assert!(made.headers()[CORRELATION_ID].to_str().unwrap().parse::<uuid::Uuid>().is_ok());
    for unusable in [&[""][..], &["é"], &["c-1", "c-2"]] {
        let refused = call("/chain", unusable).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{unusable:?}");
        assert!(refused.headers().contains_key(CORRELATION_ID));
    }
}

#[tokio::test]
async fn a_problem_says_what_is_wrong_and_in_which_chain() {
    let response = call("/seats/arena.A-1-1", &["c-1"]).await;
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert_eq!(response.headers()["cache-control"], "no-store", "what is refused now is not for ever");
    let expected = json!({
        "type": "https://boxoffice.dev/problems/seat-not-available", "title": "Seat not available", "status": 409,
        "detail": "it is taken", "code": "SEAT_NOT_AVAILABLE", "retryable": false, "correlationId": "c-1",
        "conflicts": [
            {"seatId": "arena.A-1-1", "reason": "HELD"}, {"seatId": "arena.A-1-1", "reason": "RESERVED", "mine": true}
        ]
    });
    assert_eq!(json_of(response).await, expected);
}

#[test]
fn a_problem_tells_the_moment_that_makes_the_difference() {
    let correlation = "c-1".parse().unwrap();
    let told = |moment| {
        let problem = Problem::new(StatusCode::CONFLICT, code::SALES_NOT_OPEN, "not yet").at(moment);
        json!(problem.body(&correlation))
    };
    let (opens, cancels) = (told(Moment::OpensAt(7)), told(Moment::CancelUntil(7)));
    assert_eq!((&opens["opensAt"], &opens["cancelUntil"]), (&json!(7), &Value::Null));
    assert_eq!((&cancels["opensAt"], &cancels["cancelUntil"]), (&Value::Null, &json!(7)));
}

#[tokio::test]
async fn malformed_ids_and_unknown_addresses_are_problems_too() {
    let malformed = call("/seats/A-1-1", &[]).await;
    assert_eq!(malformed.status(), StatusCode::BAD_REQUEST);
    assert_eq!(json_of(malformed).await["code"], "INVALID_REQUEST");
    let missing = call("/nothing", &[]).await;
    assert_eq!(
        (missing.status(), json_of(missing).await["code"].clone()),
        (StatusCode::NOT_FOUND, json!("NOT_FOUND"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_that_takes_too_long_is_told_to_come_again() {
    let late = call("/never", &["c-2"]).await;
    assert_eq!(
        (late.status(), late.headers()["retry-after"].as_bytes()),
        (StatusCode::SERVICE_UNAVAILABLE, &b"1"[..])
    );
    let late = json_of(late).await;
    assert_eq!((&late["code"], &late["retryable"]), (&json!("UNAVAILABLE"), &json!(true)));
}

#[tokio::test(start_paused = true)]
async fn a_read_that_may_last_is_given_its_time_and_no_other_request() {
    const LASTING: &[Lasting] = &[("/slow", Duration::from_secs(30))];
    let slow = async || tokio::time::sleep(Duration::from_secs(20)).await;
    let routes = Router::new().route("/slow", get(slow).post(slow)).route("/other", get(slow));
    let layer = HttpLayer::new(&mut Registry::default()).lasting(LASTING);
    for (method, path, status) in
        [("GET", "/slow", 200), ("HEAD", "/slow", 200), ("POST", "/slow", 503), ("GET", "/other", 503)]
    {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let answer = service(routes.clone(), layer.apart()).oneshot(request).await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{method} {path}");
    }
}

#[tokio::test]
async fn what_the_caller_wrote_comes_back_harmless() {
    let hostile = [
        "/seats/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "/seats/a%0D%0Aset-cookie:%20x",
        "/seats/%00%1B%5B31m",
        "/seats/a%FF%FE",
        &format!("/seats/{}", "a%0A".repeat(5_000)),
    ];
    for path in hostile {
        let refused = call(path, &[]).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(refused.headers()["x-content-type-options"], "nosniff");
        let body = to_bytes(refused.into_body(), 1 << 20).await.unwrap();
        let text = std::str::from_utf8(&body).unwrap();
        assert!(text.len() < 4_000 && !text.contains(['<', '>', '&']), "{text}");
        let detail = serde_json::from_str::<Value>(text).unwrap()["detail"].as_str().unwrap().to_owned();
        assert!(detail.chars().all(|character| !character.is_control()), "{detail:?}");
    }
    for correlation in ["<b>", "c&1"] {
        let refused = call("/seats/x", &[correlation]).await;
        let body = to_bytes(refused.into_body(), 1 << 20).await.unwrap();
        assert!(!std::str::from_utf8(&body).unwrap().contains(['<', '>', '&']));
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["correlationId"], correlation);
    }
}

#[tokio::test]
async fn pages_of_named_origins_may_call_and_say_who_they_are_by_token_alone() {
    let ours = "https://www.example.com";
    let layer = HttpLayer::new(&mut Registry::default()).allowing(vec![ours.parse().unwrap()]);
    let service = service(routes(), layer);
    let asked = async |method: &str, origin: &str| {
        let request = Request::builder().method(method).uri("/chain").header("origin", origin);
        let request = request.header("access-control-request-method", "POST");
        service.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    };
    let preflight = asked("OPTIONS", ours).await;
    assert_eq!(preflight.status(), StatusCode::OK);
    assert_eq!(preflight.headers()["access-control-allow-origin"], ours);
    let allowed = preflight.headers()["access-control-allow-headers"].to_str().unwrap();
    assert!(allowed.contains("authorization") && !allowed.contains("x-user-id"), "{allowed}");
    let read = asked("GET", ours).await;
    let exposed = read.headers()["access-control-expose-headers"].to_str().unwrap();
    for name in
        ["date", "etag", "retry-after", "x-chart-hash", "x-view-age", "x-view-sequence", "x-view-epoch"]
    {
        assert!(exposed.split(',').any(|it| it.trim() == name), "{exposed}");
    }
    let vary: Vec<_> = read.headers().get_all("vary").iter().map(|vary| vary.to_str().unwrap()).collect();
    assert!(vary.join(", ").contains("origin"), "{vary:?}");
    let other = asked("GET", "https://evil.example.com").await;
    assert!(!other.headers().contains_key("access-control-allow-origin"));
    assert!(!asked("OPTIONS", "null").await.headers().contains_key("access-control-allow-origin"));
    let nobody = call("/chain", &[]).await;
    assert!(!nobody.headers().contains_key("access-control-allow-origin"), "by default no page may");
}
