use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode};
use axum::routing::get;
use boxoffice_domain::SeatId;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;

fn routes() -> Router {
    Router::new()
        .route("/chain", get(|chain: Chain| async move { chain.correlation.to_string() }))
        .route("/never", get(std::future::pending::<()>))
        .route("/seats/{seatId}", get(|Id(seat): Id<SeatId>| async move { refuse(seat) }))
}

fn refuse(seat_id: SeatId) -> Problem {
    let conflict = ConflictBody { seat_id, reason: "HELD" };
    Problem::new(StatusCode::CONFLICT, "SEAT_NOT_AVAILABLE", "it is taken").conflicts(vec![conflict])
}

async fn call(path: &str, correlation: &[&str]) -> Response<Body> {
    let mut request = Request::get(path);
    for id in correlation {
        request = request.header(CORRELATION_ID, *id);
    }
    let service = service(routes(), Edge::new(&mut Registry::default()));
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
    let expected = json!({
        "type": "https://boxoffice.dev/problems/seat-not-available", "title": "Seat not available", "status": 409,
        "detail": "it is taken", "code": "SEAT_NOT_AVAILABLE", "retryable": false, "correlationId": "c-1",
        "conflicts": [{"seatId": "arena.A-1-1", "reason": "HELD"}]
    });
    assert_eq!(json_of(response).await, expected);
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
async fn serving_ends_when_told_to_even_with_a_request_in_progress() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let served = tokio::spawn(serve(listener, routes(), stop.clone(), Duration::from_secs(20)));
    let mut open = tokio::net::TcpStream::connect(addr).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut open, b"GET /never HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    stop.cancel();
    served.await.unwrap().unwrap();
}
