//! Rounds to a Kafka of a few maps.

use super::super::fake::Fake;
use super::*;
use crate::kafka::converge::Absences;
use crate::kafka::{Group, Start, Topic};

fn declaration(name: &str) -> Declaration {
    let topic = Topic { name: name.into(), partitions: 1, replication_factor: -1, config: BTreeMap::new() };
    let group = Group { name: format!("{name}-group"), topics: vec![name.into()], start: Start::Earliest };
    Declaration { topics: vec![topic], groups: vec![group], ..Declaration::default() }
}

fn turn(name: &str, declaration: &Declaration) -> Turn {
    let key = ("tickets".to_owned(), name.to_owned());
    Turn { key, declaration: declaration.clone(), absences: Absences::default() }
}

async fn once(fake: &Fake, declarations: &[(&str, &Declaration)]) -> Vec<Outlook> {
    let turns = declarations.iter().map(|(name, declaration)| turn(name, declaration)).collect();
    let found = round(fake, &mut None, turns).await;
    found.into_iter().map(|(_, found)| found.seen.unwrap().outlook).collect()
}

#[tokio::test]
async fn a_service_is_there_after_its_topics_were_recorded() {
    let (fake, mut declaration) = (Fake::default(), declaration("a"));
    let first = once(&fake, &[("a", &declaration)]).await.remove(0);
    assert_eq!((first.groups, first.to_record.len()), (None, 1));
    declaration.known.record.extend(first.to_record);
    let second = once(&fake, &[("a", &declaration)]).await.remove(0);
    assert!(second.is_unsettled(), "its id is not known yet");
    assert_eq!(second.groups.unwrap().unwrap().len(), 1);
    let third = once(&fake, &[("a", &declaration)]).await.remove(0);
    assert!(!third.is_unsettled());
    assert_eq!(third.to_record, [("a".to_owned(), Some("id-0".to_owned()))].into());
    assert!(third.groups.unwrap().is_ok(), "an id that is recorded later keeps no group waiting");
}

#[tokio::test]
async fn what_is_wrong_with_one_service_is_no_matter_of_the_others() {
    let fake = Fake { hidden: ["b".to_owned()].into(), ..Fake::default() };
    let (mut a, b) = (declaration("a"), declaration("b"));
    a.known.record = [("a".to_owned(), None)].into();
    let seen = once(&fake, &[("a", &a), ("b", &b)]).await;
    assert!(seen[0].groups.as_ref().unwrap().is_ok());
    assert_eq!(seen[1].error().unwrap().reason(), "KafkaForbidden");
}

#[tokio::test]
async fn a_cluster_that_is_away_is_asked_once_in_a_round() {
    let fake = Fake { is_down: true, ..Fake::default() };
    let declarations: Vec<_> = ["a", "b", "c"].map(declaration).into();
    let named: Vec<_> = ["a", "b", "c"].into_iter().zip(&declarations).collect();
    let seen = once(&fake, &named).await;
    assert!(seen.iter().all(|outlook| outlook.error().is_some_and(KafkaError::is_silence)));
    assert_eq!(fake.calls.lock().unwrap().values().sum::<usize>(), 1);
}

#[tokio::test]
async fn all_services_share_the_questions_about_topics_and_ends() {
    let fake = Fake::default();
    let mut declarations: Vec<_> = ["a", "b", "c"].map(declaration).into();
    for declaration in &mut declarations {
        declaration.known.record = [(declaration.topics[0].name.clone(), None)].into();
    }
    let named: Vec<_> = ["a", "b", "c"].into_iter().zip(&declarations).collect();
    // They are made, and then their ids are known and said.
    once(&fake, &named).await;
    once(&fake, &named).await;
    fake.calls.lock().unwrap().clear();
    once(&fake, &named).await;
    let calls = fake.calls.lock().unwrap().clone();
    let wanted = [("cluster_id", 1), ("committed", 3), ("group", 3), ("offsets", 2), ("topics", 1)];
    assert_eq!(calls, wanted.into());
}

#[tokio::test]
async fn a_topic_in_doubt_leaves_what_was_seen_before() {
    let (fake, mut declaration) = (Fake::default(), declaration("a"));
    declaration.known.record = [("a".to_owned(), Some("id-0".to_owned()))].into();
    let mut found = round(&fake, &mut None, vec![turn("a", &declaration)]).await;
    assert_eq!(found.remove(0).1.seen, None);
    assert!(fake.topics.lock().unwrap().is_empty(), "nothing is created in its place");
}
