//! What the last look at Kafka means for a service.

use super::*;
use crate::conditions::update;
use crate::reservation_service::build::build;
use crate::reservation_service::fixtures::main_service;
use crate::reservation_service::validate::validate;
use boxoffice_crds::common::Time;
use boxoffice_crds::reservation_service::{ConsumerGroupStatus, PodCounts, TopicStatus};
use std::sync::Arc;

fn topic() -> TopicState {
    TopicState { name: "seat-events".into(), own: true, partitions: 6, ..TopicState::default() }
}

fn unreachable() -> KafkaError {
    KafkaError::Unreachable { bootstrap_servers: "kafka:9092".into(), detail: "timed out".into() }
}

fn declared(topics: Vec<TopicState>, groups: Option<Vec<GroupState>>) -> Declared {
    Declared { topics: Ok(topics), groups: groups.map(Ok), ..Declared::failed(unreachable()) }
}

fn desired(service: &ReservationService) -> DesiredState {
    build(&validate(service, &[] as &[Arc<ReservationService>], "w:1").unwrap()).unwrap()
}

/// The service after its topics and groups were seen.
fn seen() -> ReservationService {
    let mut service = main_service();
    let DesiredState { topics, groups, .. } = desired(&service);
    let status = service.status.get_or_insert_default();
    let topics = topics.into_iter().map(|topic| TopicStatus { name: topic.name, ..TopicStatus::default() });
    status.topics = topics.collect();
    let groups = groups
        .into_iter()
        .map(|group| ConsumerGroupStatus { name: group.name, ..ConsumerGroupStatus::default() });
    status.consumer_groups = groups.collect();
    service
}

#[test]
fn all_is_there_when_topics_and_groups_are() {
    let whole = declared(vec![topic()], Some(vec![GroupState::default()]));
    assert!(whole.is_complete());
    assert!(whole.findings().iter().all(|finding| finding.met));
    assert!(!declared(vec![topic()], None).is_complete());
}

#[test]
fn a_broken_promise_keeps_workers_from_beginning_and_stops_none() {
    let mut service = main_service();
    let breach = "topic t has retention.ms=5".to_owned();
    let broken = declared(vec![TopicState { breaches: vec![breach], ..topic() }], Some(Vec::new()));
    assert!(!may_begin(Some(&broken), &service));
    let [found, _] = broken.findings();
    assert_eq!((found.met, found.reason.as_str()), (false, "DurabilityBroken"));
    assert!(found.message.contains("retention.ms=5"), "{}", found.message);
    assert_eq!(broken.stall(), None);
    let conditions = update(&[], vec![found], None, &Time(jiff::Timestamp::UNIX_EPOCH));
    service.status.get_or_insert_default().conditions = conditions;
    assert!(!may_begin(None, &service), "it was seen before the operator started anew");
    assert!(!may_begin(Some(&Declared::failed(unreachable())), &service));
    assert!(may_begin(Some(&declared(vec![topic()], None)), &service), "it was put right");
    service.status.get_or_insert_default().command = Some(PodCounts::default());
    assert!(may_begin(Some(&broken), &service), "workers ran before");
}

#[test]
fn the_seats_topic_is_promised_where_durability_is_log() {
    let mut service = main_service();
    let promised = |service: &ReservationService| {
        declaration(service, &desired(service), Knowledge::default(), BTreeSet::new()).promised
    };
    assert_eq!(promised(&service).as_deref(), Some("staging.seat-events"));
    service.spec.durability.reserve = Durability::Fsync;
    assert_eq!(promised(&service), None);
}

#[test]
fn groups_of_removed_consumers_are_former_unless_a_fellow_has_them() {
    let mut service = seen();
    let removed = service.spec.consumers.pop().unwrap();
    let (desired, standing) = (desired(&service), Standing::default());
    let none: &[Arc<ReservationService>] = &[];
    let name = format!("staging.{}", removed.name);
    assert_eq!(former(&service, &desired, &standing, none), [name].into());
    let mut fellow = main_service();
    fellow.metadata.name = Some("other".into());
    assert!(former(&service, &desired, &standing, &[Arc::new(fellow)]).is_empty());
}

#[test]
fn what_is_recorded_already_is_not_recorded_again() {
    let service = main_service();
    let desired = desired(&service);
    let name = "staging.seat-events".to_owned();
    let to_record = [(name.clone(), Some("first".to_owned())), ("another".to_owned(), None)].into();
    let outlook = Outlook { to_record, ..Outlook::failed(unreachable()) };
    let mut known = Knowledge::default();
    let new: Vec<_> = unrecorded(&outlook, &desired, &known).collect();
    assert_eq!(new, [(name, Some("first".to_owned()))]);
    known.record.extend(new);
    assert_eq!(unrecorded(&outlook, &desired, &known).count(), 0);
}

#[test]
fn an_unreachable_kafka_is_named_and_the_groups_wait() {
    let declared = Declared::failed(unreachable());
    let [topics, groups] = declared.findings();
    assert_eq!((topics.reason.as_str(), groups.reason.as_str()), ("KafkaUnreachable", "Waiting"));
    assert!(topics.message.contains("kafka:9092"), "{}", topics.message);
    assert!(!declared.is_complete() && declared.stall().is_none());
}

#[test]
fn a_foreign_topic_stalls() {
    let refused = TopicState { refused: Some(("TopicExists", "adopt it".into())), ..topic() };
    let declared = declared(vec![topic(), refused], None);
    assert_eq!(declared.stall(), Some(Stall::new("TopicExists", "adopt it")));
    assert!(!declared.is_complete());
}

#[test]
fn a_difference_is_shown_and_stops_nothing() {
    for (state, reason) in [
        (TopicState { differences: vec!["retention".into()], ..topic() }, "TopicConfigDiffers"),
        (TopicState { replication: Some("on 1 brokers".into()), ..topic() }, "ReplicationFactorDiffers"),
    ] {
        let declared = declared(vec![state], Some(Vec::new()));
        assert_eq!(declared.findings()[0].reason, reason);
        assert!(declared.is_complete() && declared.stall().is_none());
    }
}

#[test]
fn deeds_of_one_kind_are_one_notice() {
    let deed = |group: &str| ("GroupCreated", format!("consumer group {group}"));
    let declared = Declared { done: vec![deed("a"), deed("b")], ..Declared::failed(unreachable()) };
    assert_eq!(declared.deeds(), [Notice::normal("GroupCreated", "consumer group a; consumer group b")]);
}
