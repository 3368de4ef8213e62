//! The status of a ReservationService after a reconcile. Pure.

use boxoffice_crds::ReservationService;
use boxoffice_crds::common::Time;
use boxoffice_crds::common::condition::{
    CONSUMER_GROUPS_READY, DRIFT_PERSISTS, READY, SANDBOX_PAYMENTS, SECRETS_READY, TOPICS_READY,
    WORKERS_READY,
};
use boxoffice_crds::consumers::Consumer;
use boxoffice_crds::reservation_service::{
    ConsumerGroupStatus, Endpoints, ReservationServiceStatus, TopicStatus,
};
use kube::ResourceExt;

use super::answering;
use super::apply::Applied;
use super::names;
use super::outbox;
use super::split;
use super::unclaimed;
use crate::conditions::{Finding, Stall, find, update, with_summary};
use crate::kafka::converge::{GroupState, TopicState};

/// How many conditions [`with_summary`] puts before the steps.
const SUMMARY: usize = 3;

/// The next status after `result`: what was applied, or why nothing could be. What a failed step did not see stays as
/// it was.
pub fn next(
    service: &ReservationService,
    pinned_image: &str,
    result: Result<&Applied, &Stall>,
    now: &Time,
) -> ReservationServiceStatus {
    let mut status = service.status.clone().unwrap_or_default();
    let generation = service.metadata.generation;
    let (findings, stall) = match result {
        Ok(applied) => {
            show(&mut status, service, applied);
            (applied.findings(), applied.stall())
        }
        Err(stall) => (Vec::new(), Some(stall.clone())),
    };
    let seen = result.ok().and_then(|applied| applied.stores.as_deref());
    // Before all steps: where the same seats are sold twice it matters most.
    let split = split::finding(seen, &status.conditions);
    let answering =
        answering::finding(result.ok().and_then(|applied| applied.answering.as_ref()), &status.conditions);
    let findings = split.into_iter().chain(with_unseen(&findings, &status)).chain(answering).collect();
    let mut findings = with_summary(findings, stall.as_ref());
    findings.extend(sandbox(service));
    findings.extend(drift(result.ok(), &status));
    let found = result.ok().and_then(|applied| applied.unclaimed.as_ref());
    findings.extend(unclaimed::finding(found, &status.conditions));
    status.conditions = update(&status.conditions, findings, generation, now);
    status.observed_generation = generation;
    status.image = Some(pinned_image.to_owned());
    status
}

/// The next status of one that is being deleted: what that waits for, and all else as it was.
pub fn leaving(service: &ReservationService, why: &Finding, now: &Time) -> ReservationServiceStatus {
    let mut status = service.status.clone().unwrap_or_default();
    // Ready itself is no step: what stands there goes into the summary alone.
    let summary = with_summary(vec![why.clone()], None);
    let findings: Vec<_> = match why.kind {
        READY => summary.into_iter().take(SUMMARY).collect(),
        _ => summary,
    };
    let others =
        status.conditions.iter().filter(|before| findings.iter().all(|finding| finding.kind != before.type_));
    let others: Vec<_> = others.cloned().collect();
    status.conditions = update(&status.conditions, findings, service.metadata.generation, now);
    status.conditions.extend(others);
    status.observed_generation = service.metadata.generation;
    status
}

/// What must not be overlooked where tickets are sold for money.
fn sandbox(service: &ReservationService) -> Option<Finding> {
    let uses_it = |consumer: &&Consumer| consumer.payment.as_ref().is_some_and(|payment| payment.sandbox);
    let names: Vec<_> =
        service.spec.consumers.iter().filter(uses_it).map(|consumer| consumer.name.as_str()).collect();
    let message = format!(
        "{} accepts payments without moving any money: give payment.url to be paid",
        names.join(", ")
    );
    (!names.is_empty()).then(|| Finding::met(SANDBOX_PAYMENTS, "Sandbox", message))
}

/// What is changed back as often as it is written. Who did not look knows what was known.
fn drift(applied: Option<&Applied>, status: &ReservationServiceStatus) -> Option<Finding> {
    match applied.filter(|applied| applied.error.is_none()) {
        Some(applied) => applied.outcome.finding(),
        None => find(&status.conditions, DRIFT_PERSISTS)
            .map(|last| Finding::met(DRIFT_PERSISTS, &last.reason, last.message.clone())),
    }
}

/// Every condition is always there: a step that was not reached keeps its last finding, or waits.
fn with_unseen(findings: &[Finding], status: &ReservationServiceStatus) -> Vec<Finding> {
    let finding = |kind: &'static str| {
        let seen = findings.iter().find(|finding| finding.kind == kind).cloned();
        let last = || {
            let last = find(&status.conditions, kind)?;
            Some(Finding {
                kind,
                met: last.status == "True",
                reason: last.reason.clone(),
                message: last.message.clone(),
            })
        };
        seen.or_else(last).unwrap_or_else(|| Finding::waiting(kind, "not reached yet"))
    };
    [TOPICS_READY, CONSUMER_GROUPS_READY, SECRETS_READY, WORKERS_READY].map(finding).into()
}

fn show(status: &mut ReservationServiceStatus, service: &ReservationService, applied: &Applied) {
    let (name, namespace) = (service.name_any(), service.namespace().unwrap_or_default());
    let url = |component, port| format!("http://{}.{namespace}.svc:{port}", names::worker(&name, component));
    status.endpoints = Some(Endpoints { command: url(names::COMMAND, 8080), query: url(names::QUERY, 8081) });
    if applied.error.is_none() && !applied.wanted.is_empty() {
        status.command = applied.workers.counts(&names::worker(&name, names::COMMAND));
        status.query = applied.workers.counts(&names::worker(&name, names::QUERY));
    }
    if let Some(outbox) = applied.outbox {
        status.outbox = Some(outbox::shown(outbox));
    }
    let Some(declared) = &applied.declared else { return };
    if declared.cluster_id.is_some() && !declared.is_elsewhere() {
        status.kafka_cluster_id.clone_from(&declared.cluster_id);
    }
    if let Ok(topics) = &declared.topics {
        let before = std::mem::take(&mut status.topics);
        status.topics = topics.iter().filter_map(|topic| topic_status(topic, &before)).collect();
        status.topic = topics
            .first()
            .and_then(|main| status.topics.iter().find(|topic| topic.name == main.name).cloned())
            .or_else(|| status.topic.take());
    }
    if let Some(Ok(groups)) = &declared.groups {
        status.lag = Some(groups.iter().map(|group| group.lag).sum());
        let before = std::mem::take(&mut status.consumer_groups);
        let former = declared.former.iter().map(|group| ConsumerGroupStatus {
            lag: None,
            removed: true,
            ..group_status(group, &before)
        });
        status.consumer_groups =
            groups.iter().map(|group| group_status(group, &before)).chain(former).collect();
    }
}

/// What is known of a topic for good: one that was refused keeps the id that it was known by, and one that was made just
/// now has to show its id first.
fn topic_status(topic: &TopicState, before: &[TopicStatus]) -> Option<TopicStatus> {
    let before = before.iter().find(|known| known.name == topic.name).cloned();
    let is_there = topic.partitions > 0 && !(topic.is_new && topic.id.is_none());
    if topic.refused.is_some() || !is_there {
        return before;
    }
    Some(TopicStatus {
        name: topic.name.clone(),
        id: topic.id.clone(),
        partitions: u32::try_from(topic.partitions).unwrap_or_default(),
        observed: !topic.own,
    })
}

fn group_status(group: &GroupState, before: &[ConsumerGroupStatus]) -> ConsumerGroupStatus {
    ConsumerGroupStatus {
        name: group.name.clone(),
        state: Some(group.state.clone()).filter(|state| !state.is_empty()),
        members: u32::try_from(group.members).ok(),
        lag: Some(group.lag),
        removed: false,
        reset: before.iter().find(|known| known.name == group.name).and_then(|known| known.reset.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::{Outbox, RedisServer, Stores};
    use crate::conditions::is_met;
    use crate::kafka::KafkaError;
    use crate::reservation_service::fixtures::main_service;
    use crate::reservation_service::topics::Declared;
    use crate::reservation_service::workers::Workers;
    use boxoffice_crds::common::condition::{READY, REDIS_SPLIT, STALLED};
    use boxoffice_crds::reservation_service::OutboxStatus;

    fn at(second: i64) -> Time {
        Time(jiff::Timestamp::from_second(second).unwrap())
    }

    fn down() -> KafkaError {
        KafkaError::Unreachable { bootstrap_servers: "kafka:9092".into(), detail: "timed out".into() }
    }

    fn group(lag: i64) -> GroupState {
        GroupState { name: format!("g{lag}"), state: "Stable".into(), members: 1, lag }
    }

    fn applied() -> Applied {
        let topic = TopicState {
            name: "staging.seat-events".into(),
            id: Some("first".into()),
            own: true,
            partitions: 6,
            ..TopicState::default()
        };
        let declared = Declared {
            topics: Ok(vec![topic]),
            groups: Some(Ok(vec![group(2), group(3)])),
            cluster_id: Some("c1".into()),
            ..Declared::failed(down())
        };
        Applied { declared: Some(declared), ..with_query_worker() }
    }

    /// The query worker runs, and nothing else is wanted.
    fn with_query_worker() -> Applied {
        let deployment = serde_json::json!({
            "metadata": {"generation": 1},
            "spec": {"replicas": 1, "selector": {}, "template": {}},
            "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1},
        });
        let deployments = [("main-query".to_owned(), serde_json::from_value(deployment).unwrap())].into();
        let workers = Workers { deployments, ..Workers::default() };
        let secrets = Some(Finding::met(SECRETS_READY, "Ready", "none is named"));
        Applied { workers, secrets, wanted: vec!["main-query".into()], ..Applied::default() }
    }

    #[test]
    fn shows_topic_groups_lag_and_endpoints() {
        let status = next(&main_service(), "w:1", Ok(&applied()), &at(1));
        let topic = status.topic.unwrap();
        assert_eq!((status.lag, topic.id.as_deref(), topic.partitions), (Some(5), Some("first"), 6));
        assert_eq!(status.endpoints.unwrap().command, "http://main-command.tickets.svc:8080");
        assert_eq!((status.image.as_deref(), status.observed_generation), (Some("w:1"), Some(4)));
        assert_eq!(status.query.unwrap().ready, 1);
        assert!(is_met(&status.conditions, READY));
    }

    /// The status after one topic was seen so, and what it says of that.
    fn pinned(service: &mut ReservationService, topic: TopicState) -> Option<TopicStatus> {
        let declared = Declared { topics: Ok(vec![topic]), ..Declared::failed(down()) };
        let seen = Applied { declared: Some(declared), ..with_query_worker() };
        service.status = Some(next(service, "w:1", Ok(&seen), &at(1)));
        service.status.as_ref().unwrap().topics.first().cloned()
    }

    #[test]
    fn the_id_of_every_topic_is_kept_while_it_is_missing_or_replaced() {
        let mut service = main_service();
        let made =
            TopicState { name: "t".into(), own: true, partitions: 3, is_new: true, ..TopicState::default() };
        assert_eq!(pinned(&mut service, made.clone()), None, "it was not seen yet");
        let there = TopicState { id: Some("first".into()), is_new: false, ..made };
        let known = pinned(&mut service, there.clone()).unwrap();
        assert_eq!((known.id.as_deref(), known.observed), (Some("first"), false));
        let refused = |id: &str, partitions| TopicState {
            id: Some(id.into()),
            partitions,
            refused: Some(("TopicMissing", String::new())),
            ..there.clone()
        };
        assert_eq!(pinned(&mut service, refused("first", 0)), Some(known.clone()));
        assert_eq!(pinned(&mut service, refused("second", 9)), Some(known.clone()));
        assert_eq!(service.status.as_ref().unwrap().topic, Some(known));
        let foreign = TopicState { name: "u".into(), refused: Some(("TopicExists", String::new())), ..there };
        assert_eq!(pinned(&mut service, foreign), None, "the id of a foreign topic is not kept");
    }

    #[test]
    fn the_cluster_is_kept_while_another_one_answers() {
        let mut service = main_service();
        let mut look = |cluster: &str, refused: Option<&'static str>| {
            let mut seen = applied();
            let declared = seen.declared.as_mut().unwrap();
            declared.cluster_id = Some(cluster.to_owned());
            for topic in declared.topics.as_mut().unwrap() {
                topic.refused = refused.map(|reason| (reason, String::new()));
            }
            service.status = Some(next(&service, "w:1", Ok(&seen), &at(1)));
            service.status.as_ref().unwrap().kafka_cluster_id.clone().unwrap()
        };
        assert_eq!(look("c1", None), "c1");
        assert_eq!(look("c2", Some("TopicElsewhere")), "c1");
        assert_eq!(look("c2", None), "c2", "its topics were accepted there");
    }

    #[test]
    fn groups_of_removed_consumers_are_listed_until_they_are_gone() {
        let mut service = main_service();
        service.status = Some(next(&service, "w:1", Ok(&applied()), &at(1)));
        let mut left = applied();
        let declared = left.declared.as_mut().unwrap();
        declared.groups = Some(Ok(vec![group(2)]));
        declared.former = vec![group(3)];
        service.status = Some(next(&service, "w:1", Ok(&left), &at(2)));
        let groups = |service: &ReservationService| {
            let groups = &service.status.as_ref().unwrap().consumer_groups;
            groups.iter().map(|group| (group.name.clone(), group.removed)).collect::<Vec<_>>()
        };
        assert_eq!(groups(&service), [("g2".to_owned(), false), ("g3".to_owned(), true)]);
        assert_eq!(service.status.as_ref().unwrap().lag, Some(2));
        left.declared.as_mut().unwrap().former.clear();
        service.status = Some(next(&service, "w:1", Ok(&left), &at(3)));
        assert_eq!(groups(&service), [("g2".to_owned(), false)]);
    }

    #[test]
    fn payments_that_move_no_money_are_told_for_as_long_as_they_are_declared() {
        let mut service = main_service();
        let payment = "{name: payment-service, handler: payment, database: {url: \"postgres://u\"}, payment: {sandbox: true}}";
        service.spec.consumers.push(serde_yaml_ng::from_str(payment).unwrap());
        service.status = Some(next(&service, "w:1", Ok(&applied()), &at(1)));
        let conditions = &service.status.as_ref().unwrap().conditions;
        let told = find(conditions, SANDBOX_PAYMENTS).unwrap();
        assert!(told.message.starts_with("payment-service accepts payments"), "{}", told.message);
        assert!(is_met(conditions, READY), "it is no reason to wait");
        service.spec.consumers.pop();
        let status = next(&service, "w:1", Ok(&applied()), &at(2));
        assert_eq!(find(&status.conditions, SANDBOX_PAYMENTS), None);
    }

    #[test]
    fn a_split_is_told_until_somebody_answers_that_it_is_over() {
        let stores = |splits| {
            let server = |address: &str| RedisServer { address: address.into(), history: "a:b".into() };
            let of = |splits, address| Stores { splits, servers: vec![server(address)] };
            Applied { stores: Some(vec![of(splits, "old:6379"), of(0, "new:6379")]), ..applied() }
        };
        let mut service = main_service();
        service.status = Some(next(&service, "w:1", Ok(&stores(0)), &at(1)));
        assert!(is_met(&service.status.as_ref().unwrap().conditions, READY));
        service.status = Some(next(&service, "w:1", Ok(&stores(2)), &at(2)));
        let conditions = &service.status.as_ref().unwrap().conditions;
        let (ready, told) = (find(conditions, READY).unwrap(), find(conditions, REDIS_SPLIT).unwrap());
        assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", "RedisSplit"));
        assert!(told.message.contains("new:6379") && told.message.contains("old:6379"), "{}", told.message);
        for same in [stores(7), Applied { stores: None, ..applied() }] {
            assert_eq!(Some(next(&service, "w:1", Ok(&same), &at(3))), service.status, "I12");
        }
        let after = next(&service, "w:1", Ok(&stores(0)), &at(4));
        assert_eq!(find(&after.conditions, REDIS_SPLIT), None);
        assert!(is_met(&after.conditions, READY));
    }

    #[test]
    fn a_stall_keeps_what_was_seen_before() {
        let mut service = main_service();
        service.status = Some(next(&service, "w:1", Ok(&applied()), &at(1)));
        let status = next(&service, "w:1", Err(&Stall::new("NotYetSupported", "onSale")), &at(2));
        assert!(is_met(&status.conditions, STALLED) && is_met(&status.conditions, TOPICS_READY));
        assert!(!is_met(&status.conditions, READY));
        assert_eq!(status.lag, Some(5));
    }

    #[test]
    fn a_failure_clears_by_itself() {
        let mut service = main_service();
        let failed = Applied { declared: Some(Declared::failed(down())), ..with_query_worker() };
        service.status = Some(next(&service, "w:1", Ok(&failed), &at(1)));
        let conditions = &service.status.as_ref().unwrap().conditions;
        assert_eq!(find(conditions, READY).unwrap().reason, "KafkaUnreachable");
        let status = next(&service, "w:1", Ok(&applied()), &at(2));
        assert!(is_met(&status.conditions, READY));
    }

    #[test]
    fn a_running_sale_changes_nothing_and_a_stuck_outbox_is_seen() {
        let with = |depth, oldest_seconds| {
            let outbox = Some(Outbox { depth, oldest_seconds });
            Applied { outbox, ..applied() }
        };
        let mut service = main_service();
        service.status = Some(next(&service, "w:1", Ok(&with(0, 0)), &at(1)));
        assert_eq!(Some(next(&service, "w:1", Ok(&with(700, 2)), &at(2))), service.status);
        let stuck = next(&service, "w:1", Ok(&with(745, 47)), &at(3));
        assert_eq!(stuck.outbox, Some(OutboxStatus { depth: 740, oldest_seconds: 40 }));
        service.status = Some(stuck.clone());
        assert_eq!(
            next(&service, "w:1", Ok(&applied()), &at(4)).outbox,
            stuck.outbox,
            "nobody said otherwise"
        );
    }

    #[test]
    fn a_deletion_says_what_it_waits_for_and_leaves_all_else_as_it_was() {
        let mut service = main_service();
        service.status = Some(next(&service, "w:1", Ok(&applied()), &at(1)));
        let before = service.status.clone().unwrap();
        // The API server counts a deletion as a change.
        service.metadata.generation = Some(5);
        let waits = Finding::unmet(READY, "Deleting", "waits for opera");
        let status = leaving(&service, &waits, &at(2));
        let ready = find(&status.conditions, READY).unwrap();
        assert_eq!((ready.status.as_str(), ready.message.as_str()), ("False", "waits for opera"));
        assert_eq!((status.conditions.len(), status.observed_generation), (before.conditions.len(), Some(5)));
        for kind in [TOPICS_READY, WORKERS_READY, CONSUMER_GROUPS_READY] {
            assert_eq!(find(&status.conditions, kind), find(&before.conditions, kind), "{kind}");
        }
        service.status = Some(status);
        assert_eq!(Some(leaving(&service, &waits, &at(3))), service.status, "I12");
        let kafka = Finding::unmet(TOPICS_READY, "KafkaUnreachable", "down");
        let status = leaving(&service, &kafka, &at(4));
        assert_eq!(find(&status.conditions, READY).unwrap().reason, "KafkaUnreachable");
        assert!(!is_met(&status.conditions, TOPICS_READY) && is_met(&status.conditions, WORKERS_READY));
    }

    #[test]
    fn an_unchanged_result_gives_an_unchanged_status() {
        let mut service = main_service();
        service.status = Some(next(&service, "w:1", Ok(&applied()), &at(1)));
        assert_eq!(Some(next(&service, "w:1", Ok(&applied()), &at(2))), service.status);
    }
}
