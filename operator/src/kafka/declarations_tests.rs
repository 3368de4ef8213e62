//! What is declared and read.

use super::*;
use crate::kafka::KafkaError;
use boxoffice_runtime::log::kafka::security::Security;
use futures::{FutureExt, StreamExt};

fn at(bootstrap_servers: &str) -> Connection {
    Connection { bootstrap_servers: bootstrap_servers.into(), security: Security::default() }
}

fn key(name: &str) -> Key {
    ("tickets".to_owned(), name.to_owned())
}

fn declaration(group: &str) -> Declaration {
    Declaration { former: [group.to_owned()].into(), ..Declaration::default() }
}

fn seen(detail: &str) -> Seen {
    let error = KafkaError::SecretUnusable(detail.to_owned());
    Seen { cluster_id: None, outlook: Outlook::failed(error) }
}

fn found(seen: Option<Seen>) -> Found {
    Found { seen, deeds: Vec::new(), absences: Absences::default() }
}

fn keys(turns: Option<Vec<Turn>>) -> Option<Vec<String>> {
    Some(turns?.into_iter().map(|turn| turn.key.1).collect())
}

#[tokio::test]
async fn a_cluster_is_gone_to_while_somebody_needs_it() {
    let (declarations, kafka) = (Declarations::default(), at("kafka:9092"));
    declarations.place(&key("main"), &kafka, declaration("a"));
    assert_eq!(declarations.unattended().await, std::slice::from_ref(&kafka));
    assert_eq!(declarations.unattended().now_or_never(), None, "somebody goes there");
    assert_eq!(keys(declarations.next_round(&kafka, false)), Some(vec!["main".to_owned()]));
    assert!(declarations.withdraw(&key("main")), "a round is at it");
    declarations.learn(&key("main"), found(None));
    assert!(!declarations.withdraw(&key("main")));
    assert_eq!(keys(declarations.next_round(&kafka, false)), None);
    declarations.place(&key("main"), &kafka, declaration("a"));
    assert_eq!(declarations.unattended().await, [kafka], "and again when it is needed again");
}

#[tokio::test]
async fn what_is_new_is_urgent_and_the_same_order_is_not() {
    let (declarations, kafka) = (Declarations::default(), at("kafka:9092"));
    declarations.place(&key("main"), &kafka, declaration("a"));
    declarations.place(&key("other"), &at("elsewhere:9092"), declaration("a"));
    assert_eq!(keys(declarations.next_round(&kafka, true)), Some(vec!["main".to_owned()]));
    declarations.learn(&key("main"), found(Some(seen("x"))));
    declarations.place(&key("main"), &kafka, declaration("a"));
    assert!(!declarations.is_urgent(&kafka));
    assert_eq!(keys(declarations.next_round(&kafka, true)), Some(Vec::new()));
    declarations.place(&key("main"), &kafka, declaration("b"));
    assert!(declarations.is_urgent(&kafka));
}

#[tokio::test]
async fn news_is_told_once_and_only_when_it_is_news() {
    let (declarations, kafka) = (Arc::new(Declarations::default()), at("kafka:9092"));
    let mut news = Box::pin(Arc::clone(&declarations).news());
    declarations.place(&key("main"), &kafka, declaration("a"));
    assert_eq!(declarations.seen(&key("main")), None);
    declarations.learn(&key("main"), found(Some(seen("x"))));
    assert_eq!(news.next().await, Some(key("main")));
    declarations.learn(&key("main"), found(Some(seen("x"))));
    declarations.learn(&key("main"), found(None));
    assert_eq!(news.next().now_or_never(), None);
    assert_eq!(declarations.seen(&key("main")), Some(seen("x")), "in doubt, what was seen before holds");
    let deeds = vec![("GroupCreated", "consumer group a".to_owned())];
    declarations.learn(&key("main"), Found { deeds: deeds.clone(), ..found(None) });
    assert_eq!(news.next().await, Some(key("main")));
    assert_eq!(declarations.take_deeds(&key("main")), deeds);
    assert!(declarations.take_deeds(&key("main")).is_empty());
}

#[tokio::test]
async fn what_was_seen_of_one_cluster_is_not_said_of_another() {
    let declarations = Declarations::default();
    declarations.place(&key("main"), &at("kafka:9092"), declaration("a"));
    declarations.learn(&key("main"), found(Some(seen("x"))));
    declarations.place(&key("main"), &at("kafka:9092"), declaration("b"));
    assert!(declarations.seen(&key("main")).is_some());
    declarations.place(&key("main"), &at("elsewhere:9092"), declaration("b"));
    assert_eq!(declarations.seen(&key("main")), None);
}

#[test]
fn deeds_that_nobody_asks_for_are_bounded() {
    let declarations = Declarations::default();
    declarations.place(&key("main"), &at("kafka:9092"), declaration("a"));
    for _ in 0..2 * DEEDS {
        declarations
            .learn(&key("main"), Found { deeds: vec![("TopicConfigured", String::new())], ..found(None) });
    }
    assert_eq!(declarations.take_deeds(&key("main")).len(), DEEDS);
}
