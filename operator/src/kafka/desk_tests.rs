//! What is left on the desk and read there.

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

fn order(group: &str) -> Order {
    Order { former: [group.to_owned()].into(), ..Order::default() }
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
    let (desk, kafka) = (Desk::default(), at("kafka:9092"));
    desk.place(&key("main"), &kafka, order("a"));
    assert_eq!(desk.unattended().await, std::slice::from_ref(&kafka));
    assert_eq!(desk.unattended().now_or_never(), None, "somebody goes there");
    assert_eq!(keys(desk.next_round(&kafka, false)), Some(vec!["main".to_owned()]));
    assert!(desk.withdraw(&key("main")), "a round is at it");
    desk.learn(&key("main"), found(None));
    assert!(!desk.withdraw(&key("main")));
    assert_eq!(keys(desk.next_round(&kafka, false)), None);
    desk.place(&key("main"), &kafka, order("a"));
    assert_eq!(desk.unattended().await, [kafka], "and again when it is needed again");
}

#[tokio::test]
async fn what_is_new_is_urgent_and_the_same_order_is_not() {
    let (desk, kafka) = (Desk::default(), at("kafka:9092"));
    desk.place(&key("main"), &kafka, order("a"));
    desk.place(&key("other"), &at("elsewhere:9092"), order("a"));
    assert_eq!(keys(desk.next_round(&kafka, true)), Some(vec!["main".to_owned()]));
    desk.learn(&key("main"), found(Some(seen("x"))));
    desk.place(&key("main"), &kafka, order("a"));
    assert!(!desk.is_urgent(&kafka));
    assert_eq!(keys(desk.next_round(&kafka, true)), Some(Vec::new()));
    desk.place(&key("main"), &kafka, order("b"));
    assert!(desk.is_urgent(&kafka));
}

#[tokio::test]
async fn news_is_told_once_and_only_when_it_is_news() {
    let (desk, kafka) = (Arc::new(Desk::default()), at("kafka:9092"));
    let mut news = Box::pin(Arc::clone(&desk).news());
    desk.place(&key("main"), &kafka, order("a"));
    assert_eq!(desk.seen(&key("main")), None);
    desk.learn(&key("main"), found(Some(seen("x"))));
    assert_eq!(news.next().await, Some(key("main")));
    desk.learn(&key("main"), found(Some(seen("x"))));
    desk.learn(&key("main"), found(None));
    assert_eq!(news.next().now_or_never(), None);
    assert_eq!(desk.seen(&key("main")), Some(seen("x")), "in doubt, what was seen before holds");
    let deeds = vec![("GroupCreated", "consumer group a".to_owned())];
    desk.learn(&key("main"), Found { deeds: deeds.clone(), ..found(None) });
    assert_eq!(news.next().await, Some(key("main")));
    assert_eq!(desk.take_deeds(&key("main")), deeds);
    assert!(desk.take_deeds(&key("main")).is_empty());
}

#[tokio::test]
async fn what_was_seen_of_one_cluster_is_not_said_of_another() {
    let desk = Desk::default();
    desk.place(&key("main"), &at("kafka:9092"), order("a"));
    desk.learn(&key("main"), found(Some(seen("x"))));
    desk.place(&key("main"), &at("kafka:9092"), order("b"));
    assert!(desk.seen(&key("main")).is_some());
    desk.place(&key("main"), &at("elsewhere:9092"), order("b"));
    assert_eq!(desk.seen(&key("main")), None);
}

#[test]
fn deeds_that_nobody_asks_for_are_bounded() {
    let desk = Desk::default();
    desk.place(&key("main"), &at("kafka:9092"), order("a"));
    for _ in 0..2 * DEEDS {
        desk.learn(&key("main"), Found { deeds: vec![("TopicConfigured", String::new())], ..found(None) });
    }
    assert_eq!(desk.take_deeds(&key("main")).len(), DEEDS);
}
