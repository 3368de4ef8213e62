//! Following an issuer that rotates its keys, is away, or is slow; over real connections.

use serde_json::{Value, json};

use super::*;
use crate::identity::testing::{Issuer, Signer};
use jsonwebtoken::Algorithm::ES256;
use prometheus_client::registry::Registry;

/// Fetches only when asked to, unless a test says otherwise.
const PACE: Pace = Pace {
    refresh: Duration::from_hours(1),
    again: Duration::from_hours(1),
    retry: Duration::from_millis(10),
    cooldown: Duration::ZERO,
    timeout: Duration::from_millis(200),
};

fn follow(url: &str, pace: Pace) -> (Jwks, Readiness) {
    let readiness = Readiness::default();
    let metrics = Metrics::register(&mut Registry::default());
    (Jwks::follow(url, pace, metrics, &readiness).unwrap(), readiness)
}

async fn following(issuer: &Issuer, pace: Pace) -> Jwks {
    let (jwks, readiness) = follow(&issuer.url(), pace);
    readiness.reached().await;
    jwks
}

fn knows(jwks: &Jwks, id: &str) -> bool {
    jwks.keys().unwrap().find(Some(id), ES256).is_some()
}

fn key(id: &str) -> Value {
    Signer::ec().jwk(Some(id))
}

#[tokio::test]
async fn keys_that_rotate_are_followed_at_once_when_a_token_names_a_new_one() {
    let issuer = Issuer::open(&[key("old")]).await;
    let jwks = following(&issuer, PACE).await;
    assert!(knows(&jwks, "old") && !knows(&jwks, "new"));
    issuer.publish(&[key("new")]);
    assert!(matches!(jwks.newer().await, Newer::Keys(_)));
    assert!(knows(&jwks, "new") && !knows(&jwks, "old"));
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test]
async fn keys_are_fetched_again_from_time_to_time() {
    let issuer = Issuer::open(&[key("one")]).await;
    let _jwks = following(&issuer, Pace { refresh: Duration::from_millis(5), ..PACE }).await;
    issuer.was_asked(4).await;
}

#[tokio::test]
async fn a_token_cannot_have_them_fetched_again_and_again() {
    let issuer = Issuer::open(&[key("one")]).await;
    let jwks = following(&issuer, Pace { cooldown: Duration::from_hours(1), ..PACE }).await;
    for _ in 0..100 {
        assert!(matches!(jwks.newer().await, Newer::None));
    }
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test]
async fn many_tokens_share_one_fetch_and_too_many_are_sent_away() {
    let issuer = Issuer::open(&[key("one")]).await;
    let jwks = following(&issuer, PACE).await;
    issuer.fall_silent();
    let outcomes = futures::future::join_all((0..=MAX_WAITING).map(|_| jwks.newer())).await;
    let busy = outcomes.iter().filter(|outcome| matches!(outcome, Newer::Busy)).count();
    assert_eq!((busy, outcomes.len()), (1, MAX_WAITING + 1));
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test]
async fn an_issuer_that_is_away_slow_or_confused_changes_nothing() {
    let issuer = Issuer::open(&[key("one")]).await;
    let jwks = following(&issuer, PACE).await;
    issuer.fail();
    assert!(matches!(jwks.newer().await, Newer::Keys(_)) && knows(&jwks, "one"));
    issuer.fall_silent();
    assert!(matches!(jwks.newer().await, Newer::Keys(_)) && knows(&jwks, "one"));
    for confused in ["<html>".to_owned(), json!({ "keys": [] }).to_string(), " ".repeat(MAX_BYTES + 1)] {
        issuer.publish_text(confused);
        assert!(matches!(jwks.newer().await, Newer::Keys(_)) && knows(&jwks, "one"));
    }
}

#[tokio::test]
async fn without_keys_it_is_not_ready_says_why_and_tries_on() {
    let issuer = Issuer::open(&[]).await;
    let (jwks, readiness) = follow(&issuer.url(), PACE);
    assert_eq!(readiness.obstacles(), ["jwks: starting"]);
    issuer.was_asked(3).await;
    assert!(jwks.keys().is_none());
    let expected = format!("jwks: {}: the answer is {}", issuer.url(), InvalidKeys::NoneUsable);
    assert_eq!(readiness.obstacles(), [expected]);
    issuer.publish(&[key("one")]);
    readiness.reached().await;
    assert!(knows(&jwks, "one"));
}

#[tokio::test]
async fn an_issuer_that_is_not_there_is_told_by_its_address() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    drop(listener);
    let (jwks, readiness) = follow(&url, PACE);
    assert!(matches!(jwks.newer().await, Newer::None));
    let obstacles = readiness.obstacles();
    assert!(obstacles[0].contains(&url) && obstacles[0].contains("refused"), "{obstacles:?}");
}

#[test]
fn an_address_that_cannot_be_right_is_refused_at_the_start() {
    let metrics = Metrics::register(&mut Registry::default());
    let refused = Jwks::follow("file:///keys", PACE, metrics, &Readiness::default());
    assert!(matches!(refused, Err(InvalidSettings::Address(_))));
}
