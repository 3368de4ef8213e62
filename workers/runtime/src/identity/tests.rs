//! Who a request is from, as the workers ask.

use axum::http::StatusCode;
use prometheus_client::registry::Registry;

use super::testing::{Issuer, SECRET, Signer, trusting};
use super::*;
use crate::http::RequestContext;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap())).collect()
}

fn jwt(settings: settings::JwtSettings) -> (Identity, Readiness) {
    let readiness = Readiness::default();
    let identity = Identity::open(Settings::Jwt(settings), &mut Registry::default(), &readiness).unwrap();
    (identity, readiness)
}

async fn refused(identity: &Identity, headers: &HeaderMap) -> (StatusCode, String) {
    let problem = identity.caller(headers).await.unwrap_err();
    let response = problem.render(&RequestContext::begun_here().correlation);
    let status = response.status();
    assert_eq!(status == StatusCode::UNAUTHORIZED, response.headers().contains_key("www-authenticate"));
    let body = axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    (status, body["detail"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_gateway_names_the_user_in_a_header() {
    let identity = Identity::by_header();
    let alice = headers(&[("x-user-id", "alice"), ("authorization", "Basic of somebody else")]);
    assert_eq!(identity.caller(&alice).await.unwrap().as_str(), "alice");
    assert_eq!(identity.user(&headers(&[])).await.unwrap(), None);
    assert_eq!(refused(&identity, &headers(&[])).await.0, StatusCode::UNAUTHORIZED);
    let twice = headers(&[("x-user-id", "alice"), ("x-user-id", "bob")]);
    for malformed in [twice, headers(&[("x-user-id", " ")])] {
        assert_eq!(refused(&identity, &malformed).await.0, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn where_tokens_are_checked_the_header_means_nothing() {
    let signer = Signer::secret(SECRET);
    let (identity, readiness) = jwt(trusting(&signer));
    assert!(readiness.obstacles().is_empty(), "a given key is there at once");
    let token = format!("Bearer {}", signer.token_of(None, "alice"));
    let both = headers(&[("x-user-id", "mallory"), ("authorization", &token)]);
    assert_eq!(identity.caller(&both).await.unwrap().as_str(), "alice");
    let header_alone = headers(&[("x-user-id", "mallory")]);
    assert_eq!(identity.user(&header_alone).await.unwrap(), None);
    let (status, detail) = refused(&identity, &header_alone).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(detail.contains("Authorization: Bearer"), "{detail}");
}

#[tokio::test]
async fn a_refusal_repeats_nothing_of_the_token() {
    let (identity, _) = jwt(trusting(&Signer::secret(SECRET)));
    let forged = Signer::secret("not the secret").token_of(Some("<script>"), "<b>mallory</b>");
    let (status, detail) =
        refused(&identity, &headers(&[("authorization", &format!("Bearer {forged}"))])).await;
    assert_eq!((status, detail.as_str()), (StatusCode::UNAUTHORIZED, "the token's signature does not match"));
}

#[tokio::test]
async fn a_user_goes_on_through_a_rotation_and_an_outage_of_the_issuer() {
    let (old, new) = (Signer::ec(), Signer::rsa());
    let issuer = Issuer::open(&[old.jwk(Some("old"))]).await;
    let (identity, readiness) = jwt(issuer.settings());
    readiness.reached().await;
    let bearing = |signer: &Signer, kid| {
        headers(&[("authorization", &format!("Bearer {}", signer.token_of(Some(kid), "alice")))])
    };
    assert_eq!(identity.caller(&bearing(&old, "old")).await.unwrap().as_str(), "alice");
    issuer.fail();
    assert_eq!(identity.caller(&bearing(&old, "old")).await.unwrap().as_str(), "alice");
    // Just fetched: a key that is not there is none.
    let (status, detail) = refused(&identity, &bearing(&new, "new")).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "{detail}");
    assert!(detail.contains("name no key"), "{detail}");
}

#[tokio::test]
async fn before_there_are_keys_nobody_is_refused_and_nobody_believed() {
    let issuer = Issuer::open(&[]).await;
    let (identity, readiness) = jwt(issuer.settings());
    let token = format!("Bearer {}", Signer::ec().token_of(None, "alice"));
    let (status, detail) = refused(&identity, &headers(&[("authorization", &token)])).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{detail}");
    assert!(readiness.obstacles()[0].starts_with("jwks: "));
}
