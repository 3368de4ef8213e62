//! Who is let in, how often, and with how much: tokens, the limit a user, bodies; against a seat store in memory.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Request};
use boxoffice_runtime::health::Readiness;
use boxoffice_runtime::http::{HttpLayer, service};
use boxoffice_runtime::identity::Identity;
use boxoffice_runtime::identity::settings::{JwtSettings, Settings};
use boxoffice_runtime::identity::testing::{Issuer, SECRET, Signer, claims, trusting};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::command_service::CommandService;
use super::gate::Gate;
use super::routes;
use crate::durability::{Durability, Guarantee};
use crate::published::Published;
use crate::store::{Outbox, SeatStore};
use crate::testing::{Memory, provisioned};

const HOLD: &str = "/seats/arena-night.A-1-1/hold";
const HOLDS: &str = "/events/arena-night/holds";

struct Answered {
    status: u16,
    headers: HeaderMap,
    text: String,
    body: Value,
}

async fn behind(gate: Gate) -> Router {
    let store = Arc::new(Memory::default());
    provisioned(&store).await;
    let published = Published::new(Arc::clone(&store) as Arc<dyn Outbox>);
    let durability = Durability { hold: Guarantee::Redis, reserve: Guarantee::Redis };
    let commands = CommandService::new(store as Arc<dyn SeatStore>, published, durability);
    service(routes(gate, commands, 1024), HttpLayer::new(&mut Registry::default()))
}

async fn checking(settings: JwtSettings) -> Router {
    let readiness = Readiness::default();
    let identity = Identity::open(Settings::Jwt(settings), &mut Registry::default(), &readiness).unwrap();
    readiness.reached().await;
    behind(Gate::new(identity, None)).await
}

async fn at_rate(rate: u32) -> Router {
    behind(Gate::new(Identity::by_header(), NonZeroU32::new(rate))).await
}

async fn send(router: &Router, request: Request<Body>) -> Answered {
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let text = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
    let body = serde_json::from_str(&text).unwrap();
    Answered { status: parts.status.as_u16(), headers: parts.headers, text, body }
}

async fn post(router: &Router, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answered {
    let request =
        headers.iter().fold(Request::post(path), |request, (name, value)| request.header(*name, *value));
    send(router, request.body(body.into()).unwrap()).await
}

async fn hold(router: &Router, token: &str) -> Answered {
    post(router, HOLD, &[("authorization", &format!("Bearer {token}"))], Body::empty()).await
}

impl Answered {
    #[track_caller]
    fn refused(&self, status: u16, code: &str) -> &str {
        assert_eq!((self.status, &self.body["code"]), (status, &json!(code)), "{}", self.body);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        self.body["detail"].as_str().unwrap()
    }
}

#[tokio::test]
async fn the_bearer_of_a_token_acts_as_its_sub() {
    let signer = Signer::secret(SECRET);
    let router = checking(trusting(&signer)).await;
    let token = signer.token_of(None, "alice");
    assert_eq!(hold(&router, &token).await.status, 200);
    let hold_id = hold(&router, &token).await.body["holdId"].as_str().unwrap().to_owned();
    let as_bob = format!("Bearer {}", signer.token_of(None, "bob"));
    let pretending = [("authorization", as_bob.as_str()), ("x-user-id", "alice")];
    let reserve = format!("/holds/{hold_id}/reserve");
    post(&router, &reserve, &pretending, Body::empty()).await.refused(403, "NOT_HOLDER");
    let as_alice = format!("Bearer {token}");
    assert_eq!(post(&router, &reserve, &[("authorization", &as_alice)], Body::empty()).await.status, 200);
}

#[tokio::test]
async fn whoever_is_not_believed_is_told_why_and_how() {
    let signer = Signer::secret(SECRET);
    let router = checking(trusting(&signer)).await;
    let mut late = claims("alice");
    late["exp"] = json!(1_000_000_000);
    let refused = hold(&router, &signer.token(None, &late)).await;
    assert!(refused.refused(401, "UNAUTHENTICATED").contains("expired"));
    assert_eq!(
        (&refused.headers["www-authenticate"], &refused.body["retryable"]),
        (&"Bearer".parse().unwrap(), &json!(false))
    );
    let header_alone = post(&router, HOLD, &[("x-user-id", "alice")], Body::empty()).await;
    assert!(header_alone.refused(401, "UNAUTHENTICATED").contains("names no user"));
    let basic = post(&router, HOLD, &[("authorization", "Basic YTpi")], Body::empty()).await;
    basic.refused(401, "UNAUTHENTICATED");
    let none = signer.signed(&json!({ "alg": "none" }), &claims("alice"));
    hold(&router, &none).await.refused(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn the_issuers_published_keys_are_those_that_count() {
    let (published, other) = (Signer::ec(), Signer::ec());
    let issuer = Issuer::open(&[published.jwk(Some("one"))]).await;
    let router = checking(issuer.settings()).await;
    assert_eq!(hold(&router, &published.token_of(Some("one"), "alice")).await.status, 200);
    hold(&router, &other.token_of(Some("one"), "mallory")).await.refused(401, "UNAUTHENTICATED");
    let unknown = hold(&router, &other.token_of(Some("two"), "mallory")).await;
    assert!(unknown.refused(401, "UNAUTHENTICATED").contains("no key"));
}

#[tokio::test]
async fn a_user_who_asks_for_too_much_waits_and_others_do_not() {
    let router = at_rate(3).await;
    let as_user = async |user: &str| post(&router, HOLD, &[("x-user-id", user)], Body::empty()).await;
    let mut limited = None;
    // More than a bucket gets while they are sent.
    for _ in 0..1000 {
        let answer = as_user("alice").await;
        if answer.status == 429 {
            limited = Some(answer);
            break;
        }
    }
    let limited = limited.unwrap();
    assert!(limited.refused(429, "RATE_LIMITED").contains("3 requests a second"));
    assert_eq!(
        (&limited.headers["retry-after"], &limited.body["retryable"]),
        (&"1".parse().unwrap(), &json!(true))
    );
    as_user("bob").await.refused(409, "SEAT_NOT_AVAILABLE");
}

#[tokio::test]
async fn a_request_without_a_user_uses_up_nobodys_tokens() {
    let router = at_rate(1).await;
    for _ in 0..5 {
        post(&router, HOLD, &[], Body::empty()).await.refused(401, "UNAUTHENTICATED");
    }
    assert_eq!(post(&router, HOLD, &[("x-user-id", "alice")], Body::empty()).await.status, 200);
}

#[tokio::test]
async fn a_body_is_too_large_whether_or_not_it_says_so_beforehand() {
    let router = behind(Gate::new(Identity::by_header(), None)).await;
    let headers = [("x-user-id", "alice"), ("content-type", "application/json")];
    let chunks =
        futures::stream::iter((0..20).map(|_| Ok::<_, std::io::Error>(Bytes::from(" ".repeat(100)))));
    post(&router, HOLDS, &headers, Body::from_stream(chunks)).await.refused(413, "PAYLOAD_TOO_LARGE");
    post(&router, HOLDS, &headers, " ".repeat(2000)).await.refused(413, "PAYLOAD_TOO_LARGE");
}

#[tokio::test]
async fn what_a_body_or_a_header_says_comes_back_harmless() {
    let router = behind(Gate::new(Identity::by_header(), None)).await;
    let script = "<script>alert(1)</script>";
    let long = "x".repeat(900);
    for field in [script, "a\\u0000\\r\\nb", &long] {
        for body in [
            format!(r#"{{"{field}": 1}}"#),
            format!(r#"{{"seats": ["{field}"]}}"#),
            format!(r#"{{"seats": "{field}"}}"#),
        ] {
            let headers = [("x-user-id", "alice"), ("content-type", "application/json")];
            let answer = post(&router, HOLDS, &headers, body).await;
            let detail = answer.refused(400, "INVALID_REQUEST");
            assert!(detail.chars().count() <= 401 && !detail.contains(char::is_control), "{detail:?}");
            assert!(!answer.text.contains(['<', '>']), "{}", answer.text);
        }
    }
    let user = "é".repeat(200);
    let answer = post(&router, HOLD, &[("x-user-id", &user)], Body::empty()).await;
    answer.refused(400, "INVALID_REQUEST");
    assert!(answer.text.len() < 1000, "{}", answer.text);
}
