//! What a ReservationService becomes, and what is refused.

use std::sync::Arc;

use super::*;
use crate::reservation_service::fixtures::{main_service, with_tokens};
use boxoffice_crds::common::Time;
use boxoffice_crds::reservation_service::{ConsumerGroupStatus, TopicStatus};

const NONE: &[Arc<ReservationService>] = &[];

fn validated(service: &ReservationService) -> ValidatedService {
    validate(service, NONE, "boxoffice/workers:0.1.0").unwrap()
}

fn younger(name: &str) -> ReservationService {
    let mut service = main_service();
    service.metadata.name = Some(name.into());
    service.metadata.uid = Some("s2".into());
    let later = "2026-11-23T11:00:00Z".parse().unwrap();
    service.metadata.creation_timestamp = Some(Time(later));
    service
}

#[test]
fn topics_and_groups_carry_the_prefix() {
    let service = validated(&main_service());
    let topics: Vec<_> = service.topics.iter().map(|topic| (topic.name.as_str(), topic.partitions)).collect();
    assert_eq!(
        topics,
        [
            ("staging.seat-events", 6),
            ("staging.stats-events", 6),
            ("staging.payment-events", 6),
            ("staging.seat-events.dlq", 6),
            ("staging.seat-events.snapshots", 6),
            ("staging.seat-events.archive", 6)
        ]
    );
    let reads = |index: usize| service.consumers[index].group.topics.join(" ");
    assert_eq!(reads(1), "staging.seat-events staging.payment-events");
    assert_eq!(reads(2), "staging.seat-events");
    assert_eq!(service.payments_group, None, "nobody makes payments");
    assert!(service.topics.iter().all(|topic| topic.replication_factor == -1), "the broker's default");
    assert_eq!(service.consumers[1].group.name, "staging.reservation-persistence-service");
}

#[test]
fn snapshots_and_archives_are_compacted_and_as_safe_as_the_seats() {
    let mut service = main_service();
    service.spec.kafka.topic.replication_factor = Some(3);
    service.spec.kafka.topic.config.insert("min.insync.replicas".into(), "2".into());
    let topics = validated(&service).topics;
    let safe = [("cleanup.policy", "compact"), ("min.insync.replicas", "2")];
    let small = [("segment.bytes", "67108864")];
    for (topic, (name, own)) in
        topics[4..].iter().zip([("snapshots", &[][..]), ("archive", &[("retention.ms", "-1")])])
    {
        assert_eq!((&topic.name, topic.replication_factor), (&format!("staging.seat-events.{name}"), 3));
        let config = topic.config.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        assert!(config.eq(safe.iter().chain(own).chain(&small).copied()), "{topic:?}");
    }
    assert_eq!(topics.len(), 6);
}

#[test]
fn a_name_that_leaves_no_room_for_the_topic_of_snapshots_is_refused() {
    let mut service = main_service();
    service.spec.kafka.prefix = "p".repeat(100);
    service.spec.kafka.topic.name = "n".repeat(139);
    assert_eq!(validated(&service).topics.iter().map(|topic| topic.name.len()).max(), Some(249));
    service.spec.kafka.topic.name.push('n');
    let stall = validate(&service, NONE, "").unwrap_err();
    assert!(stall.message.contains("it has 240 characters, and 239 is the most"), "{stall}");
}

#[test]
fn seat_view_and_stats_begin_at_the_earliest_record_whatever_is_declared() {
    let mut service = main_service();
    for consumer in &mut service.spec.consumers {
        consumer.start_from = Some(StartFrom::Latest);
    }
    let starts: Vec<_> = validated(&service).consumers.iter().map(|consumer| consumer.group.start).collect();
    assert_eq!(starts, [Start::Earliest, Start::Latest, Start::Earliest]);
}

#[test]
fn what_acts_outside_begins_with_what_comes_and_never_with_the_earliest_record() {
    let mut service = main_service();
    let payment = service.spec.consumers[1].clone();
    service.spec.consumers[1].handler = Handler::Payment;
    let start = |service: &ReservationService| validated(service).consumers[1].group.start;
    service.spec.consumers[1].start_from = None;
    assert_eq!(start(&service), Start::Latest);
    service.spec.consumers[1].start_from = Some(StartFrom::Timestamp(jiff::Timestamp::UNIX_EPOCH));
    assert_eq!(start(&service), Start::Timestamp(0));
    service.spec.consumers[1].start_from = Some(StartFrom::Earliest);
    let stall = validate(&service, NONE, "").unwrap_err();
    assert!(stall.message.starts_with("consumers[1].startFrom: must not be earliest"), "{stall}");
    service.spec.consumers[1] = Consumer { start_from: None, ..payment };
    assert_eq!(start(&service), Start::Earliest);
}

fn acting(consumer: &str) -> ReservationService {
    let mut service = main_service();
    service.spec.consumers.push(serde_yaml_ng::from_str(consumer).unwrap());
    service
}

#[test]
fn where_payments_are_made_command_workers_read_them() {
    let payment =
        "{name: pay, handler: payment, database: {url: \"postgres://d\"}, payment: {sandbox: true}}";
    let group = validated(&acting(payment)).payments_group.unwrap();
    assert_eq!(group.name, "staging.command-payments");
    assert_eq!((group.topics, group.start), (vec!["staging.payment-events".to_owned()], Start::Earliest));
    let taken = validate(&acting(&payment.replace("pay,", "command-payments,")), NONE, "").unwrap_err();
    assert!(taken.message.contains("consumers[3].name: command-payments is taken"), "{}", taken.message);
}

#[test]
fn what_acts_outside_says_where_and_about_what() {
    let webhook = |url: &str, events: &str| {
        let section = format!("{{url: \"{url}\", secretRef: {{name: s, key: k}}, events: [{events}]}}");
        let consumer = format!(
            "{{name: tell, handler: webhook, database: {{url: \"postgres://d\"}}, webhook: {section}}}"
        );
        validate(&acting(&consumer), NONE, "").map(drop).map_err(|stall| stall.message)
    };
    assert_eq!(webhook("https://tell.example.com", "seat.reserved, payment.completed"), Ok(()));
    assert_eq!(webhook("http://notification:8090/events", ""), Ok(()));
    let message = webhook("http://tell.example.com", "").unwrap_err();
    assert!(message.starts_with("consumers[3].webhook.url: "), "{message}");
    let message = webhook("https://tell.example.com", "seat.reserved, seat.painted").unwrap_err();
    assert!(
        message.starts_with("consumers[3].webhook.events: there is no event type seat.painted"),
        "{message}"
    );
    assert!(webhook("https://tell.example.com", "stats.updated").is_err(), "no webhook reads its topic");

    let reset = "{name: pay, handler: payment, database: {url: \"postgres://d\"}, payment: {sandbox: true}, reset: {requestId: a, to: latest}}";
    let refused = validate(&acting(reset), NONE, "").unwrap_err().message;
    assert!(refused.starts_with("consumers[3].reset: "), "{refused}");
}

#[test]
fn the_query_worker_reads_the_database_of_seat_view() {
    let service = validated(&main_service());
    assert!(matches!(service.view_database.url, Source::Secret(selector) if selector.name == "view-db"));
}

#[test]
fn a_consumer_cannot_take_the_name_of_a_worker() {
    let mut service = main_service();
    service.spec.consumers[1].name = "query".into();
    assert_eq!(validate(&service, NONE, "").unwrap_err().reason, "InvalidSpec");
}

#[test]
fn a_topic_belongs_to_the_service_that_was_there_first() {
    let (elder, younger) = (Arc::new(main_service()), younger("second"));
    let stall = validate(&younger, &[Arc::clone(&elder)], "").unwrap_err();
    assert_eq!(stall.reason, "TopicInUse");
    assert!(stall.message.contains("tickets/main"), "{}", stall.message);
    assert!(validate(&elder, &[Arc::new(younger)], "").is_ok());
}

#[test]
fn services_with_prefixes_of_their_own_share_brokers() {
    let (elder, mut younger) = (Arc::new(main_service()), younger("second"));
    younger.spec.kafka.prefix = "live.".into();
    assert!(validate(&younger, &[Arc::clone(&elder)], "").is_ok());
    younger.spec.kafka.prefix = "staging.".into();
    younger.spec.kafka.bootstrap_servers = "elsewhere:9092".into();
    assert!(validate(&younger, &[elder], "").is_ok());
}

#[test]
fn a_group_belongs_to_the_service_that_was_there_first() {
    let (mut elder, mut younger) = (main_service(), younger("second"));
    younger.spec.kafka.prefix = "staging.b.".into();
    elder.spec.consumers[1].name = "b.persistence".into();
    younger.spec.consumers[1].name = "persistence".into();
    assert_eq!(validate(&younger, &[Arc::new(elder)], "").unwrap_err().reason, "GroupInUse");
}

#[test]
fn one_cluster_by_two_addresses_is_one_cluster() {
    let (mut elder, mut younger) = (main_service(), younger("second"));
    younger.spec.kafka.bootstrap_servers = "kafka-0.elsewhere:9092".into();
    elder.status.get_or_insert_default().kafka_cluster_id = Some("MkU3OEVBNTcwNTJENDM2Qk".into());
    let on = |id: &str| Standing { cluster_id: Some(id.into()), ..Standing::default() };
    let fellows = [Arc::new(elder)];
    let refused = validate_with(&younger, &fellows, "", &on("MkU3OEVBNTcwNTJENDM2Qk")).unwrap_err();
    assert_eq!(refused.reason, "TopicInUse");
    assert!(validate_with(&younger, &fellows, "", &on("another")).is_ok());
    assert!(validate(&younger, &fellows, "").is_ok(), "nobody has asked yet");
    younger.spec.kafka.bootstrap_servers.clone_from(&fellows[0].spec.kafka.bootstrap_servers);
    assert!(validate(&younger, &fellows, "").is_err(), "until then the addresses say it");
    let moved = validate_with(&younger, &fellows, "", &on("another"));
    assert!(moved.is_ok(), "what one of them has is on the cluster that it was led away from");
}

#[test]
fn whoever_has_a_topic_already_keeps_it_from_an_elder_that_comes_later() {
    let (mut elder, mut younger) = (main_service(), younger("second"));
    let topic = |observed| TopicStatus {
        name: "staging.seat-events".into(),
        id: Some("first".into()),
        observed,
        ..TopicStatus::default()
    };
    younger.status.get_or_insert_default().topics = vec![topic(false)];
    let stall = validate(&elder, &[Arc::new(younger.clone())], "").unwrap_err();
    assert!(
        stall.message.contains("staging.seat-events belongs to ReservationService tickets/second"),
        "{stall}"
    );
    elder.status.get_or_insert_default().topics = vec![topic(true)];
    assert!(validate(&elder, &[Arc::new(younger.clone())], "").is_err(), "to use it is not to have it");
    let recorded = Standing { topics: ["staging.seat-events".into()].into(), ..Standing::default() };
    assert!(validate_with(&elder, &[Arc::new(younger)], "", &recorded).is_ok(), "both: then age decides");
}

#[test]
fn the_group_of_a_removed_consumer_is_nobodys() {
    let (elder, mut younger) = (main_service(), younger("second"));
    younger.spec.kafka.prefix = "staging.b.".into();
    younger.spec.consumers[1].name = "persistence".into();
    let group = |removed| ConsumerGroupStatus {
        name: "staging.b.persistence".into(),
        removed,
        ..ConsumerGroupStatus::default()
    };
    let mut elder_with = elder.clone();
    elder_with.spec.consumers[1].name = "b.persistence".into();
    younger.status.get_or_insert_default().consumer_groups = vec![group(true)];
    assert_eq!(validate(&younger, &[Arc::new(elder_with.clone())], "").unwrap_err().reason, "GroupInUse");
    younger.status.get_or_insert_default().consumer_groups = vec![group(false)];
    assert!(validate(&younger, &[Arc::new(elder_with)], "").is_ok(), "its own since before");
}

#[test]
fn a_fellow_whose_topics_cannot_be_named_stands_in_nobodys_way() {
    let (mut elder, younger) = (main_service(), younger("second"));
    elder.spec.kafka.topic.name = "n".repeat(240);
    assert!(validate(&elder, NONE, "").is_err());
    let mut other = younger;
    for consumer in &mut other.spec.consumers {
        consumer.name = format!("other-{}", consumer.name);
    }
    assert!(validate(&other, &[Arc::new(elder)], "").is_ok());
}

#[test]
fn among_files_the_name_decides_whose_a_topic_is_and_nobody_owns_the_objects_yet() {
    let from_file = |name: &str| {
        let mut service = younger(name);
        service.metadata.uid = None;
        service.metadata.creation_timestamp = None;
        Arc::new(service)
    };
    let fellows = [from_file("main"), from_file("second")];
    assert_eq!(validate(&fellows[0], &fellows, "").unwrap().owner, None);
    assert_eq!(validate(&fellows[1], &fellows, "").unwrap_err().reason, "TopicInUse");
}

#[test]
fn the_key_of_an_issuer_is_published_or_in_a_secret() {
    let published = validated(&with_tokens("jwksUrl: \"https://login.example.com/keys\""));
    assert_eq!(published.jwt_key, None);
    let given = validated(&with_tokens("secretRef: {name: issuer, key: public.pem}"));
    assert!(matches!(given.jwt_key, Some(Source::Secret(selector)) if selector.name == "issuer"));
    for url in
        ["login.example.com/keys", "ftp://login.example.com", "https://", "https:///keys", "http://a b"]
    {
        let stall = validate(&with_tokens(&format!("jwksUrl: \"{url}\"")), NONE, "").unwrap_err();
        assert!(stall.message.contains("auth.jwt.jwksUrl"), "{url}: {}", stall.message);
    }
}

#[test]
fn of_two_services_that_would_make_one_name_the_younger_is_refused() {
    let consumer = |name: &str| {
        let text = format!("{{name: {name}, handler: persistence, database: {{url: \"postgres://d\"}}}}");
        serde_yaml_ng::from_str(&text).unwrap()
    };
    let mut senior = main_service();
    senior.spec.consumers.push(consumer("b-command"));
    let mut junior = younger("main-b");
    junior.spec.kafka.prefix = "b.".into();
    let against = |service: &ReservationService, fellow: &ReservationService| {
        validate(service, &[Arc::new(service.clone()), Arc::new(fellow.clone())], "w:1").map(drop)
    };
    let stall = against(&junior, &senior).unwrap_err();
    assert_eq!(stall.reason, "NameTaken");
    for part in ["main-b-command", "the worker b-command", "tickets/main", "another name"] {
        assert!(stall.message.contains(part), "{part}: {}", stall.message);
    }
    assert_eq!(against(&senior, &junior), Ok(()), "it was there first");
    junior.metadata.namespace = Some("elsewhere".into());
    assert_eq!(against(&junior, &senior), Ok(()));

    let mut short = younger("ma");
    (short.spec.kafka.prefix, short.spec.consumers[2].name) = ("m.".into(), "in-query".into());
    assert_eq!(against(&short, &main_service()), Ok(()), "ma-in-query is another name than main-query");
}

#[test]
fn what_the_pod_template_must_not_say_is_refused() {
    let mut service = main_service();
    service.spec.pod_template.labels.insert("team".into(), "box office".into());
    let stall = validate(&service, NONE, "w:1").unwrap_err();
    assert!(
        stall.message.starts_with("podTemplate.labels: the value \"box office\" of team"),
        "{}",
        stall.message
    );
}

#[test]
fn an_authority_stands_in_one_place_and_belongs_to_an_address_that_speaks_tls() {
    let both = "{caSecretRef: {name: s, key: k}, caConfigMapRef: {name: m, key: k}}";
    let one = "{caConfigMapRef: {name: m, key: k}}";
    let refused = |change: &dyn Fn(&mut ReservationServiceSpec)| {
        let mut service = main_service();
        change(&mut service.spec);
        validate(&service, NONE, "w:1").map(drop).map_err(|stall| stall.message)
    };
    let tls = |text: &str| Some(serde_yaml_ng::from_str(text).unwrap());
    let message = refused(&|spec| spec.kafka.tls = tls(both)).unwrap_err();
    assert!(message.starts_with("kafka.tls: give either caSecretRef or caConfigMapRef"), "{message}");
    let message = refused(&|spec| spec.redis.tls = tls(both)).unwrap_err();
    assert!(message.starts_with("redis.tls: "), "{message}");
    let message = refused(&|spec| spec.consumers[1].database.tls = tls(both)).unwrap_err();
    assert!(message.starts_with("consumers[1].database.tls: "), "{message}");
    let redis = |url: &str| {
        refused(&|spec| {
            spec.redis.tls = tls(one);
            (spec.redis.url, spec.redis.url_from) = (Some(url.to_owned()), None);
        })
    };
    assert_eq!(redis("rediss://redis"), Ok(()));
    let message = redis("redis://redis").unwrap_err();
    assert!(message.contains("write rediss:// in redis.url"), "{message}");
    assert_eq!(refused(&|spec| spec.redis.tls = tls(one)), Ok(()), "what a Secret holds is not known");
}

fn refused(change: impl Fn(&mut ReservationServiceSpec)) -> String {
    let mut service = main_service();
    change(&mut service.spec);
    validate(&service, NONE, "w:1").map(drop).map_or_else(|stall| stall.message, |()| String::new())
}

#[test]
fn an_address_that_leads_nowhere_is_refused_before_a_worker_begins_with_it() {
    let redis = |url: &str, cluster: bool| {
        refused(|spec| {
            (spec.redis.url, spec.redis.url_from) = (Some(url.to_owned()), None);
            spec.redis.cluster = cluster;
        })
    };
    assert_eq!(redis("redis://redis:6379/2", false), "");
    assert!(redis("redis://redis:6379/2", true).starts_with("redis.url: names a database"));
    let told = redis("redis:6379", false);
    assert!(told.starts_with("redis.url: names no host: write redis://"), "{told}");
    let told =
        refused(|spec| spec.consumers[1].database.url = Some("mysql://root:hush@db/reservations".into()));
    assert!(told.starts_with("consumers[1].database.url: does not begin with postgres://"), "{told}");
    assert!(!told.contains("hush"), "{told}");
    let told = refused(|spec| spec.kafka.bootstrap_servers = "kafka:9092 kafka:9093".into());
    assert!(told.starts_with("kafka.bootstrapServers: \"kafka:9092 kafka:9093\" is no broker"), "{told}");
}

#[test]
fn what_pages_are_told_is_what_workers_can_read() {
    let web = |text: &str| refused(|spec| spec.web = Some(serde_yaml_ng::from_str(text).unwrap()));
    assert_eq!(
        web("{commandUrl: \"https://tickets.example.com/api\", allowOrigins: [\"https://www.example.com\"]}"),
        ""
    );
    let told = web("{commandUrl: \"https://tickets.example.com:99999\"}");
    assert!(told.starts_with("web.commandUrl: is no address"), "{told}");
    let told = web("{allowOrigins: [\"https://a\", \"https://b,c\"]}");
    assert!(told.starts_with("web.allowOrigins[1]: expected https://host"), "{told}");
}

#[test]
fn two_consumers_cannot_share_a_database() {
    let told = refused(|spec| spec.consumers[2].database = spec.consumers[1].database.clone());
    assert!(
        told.starts_with(
            "consumers[2].database: it is that of consumers[1] (reservation-persistence-service) too"
        ),
        "{told}"
    );
    let told = refused(|spec| spec.consumers[1].database = spec.consumers[0].database.clone());
    assert!(told.starts_with("consumers[1].database: it is that of consumers[0] (seat-view) too"), "{told}");
}

#[test]
fn everything_that_is_wrong_is_one_stall() {
    let mut service = main_service();
    service.spec.kafka.topic.name = "stats-events".into();
    (service.spec.redis.url, service.spec.redis.url_from) = (Some("redis:6379".into()), None);
    service.spec.consumers[1].name = "query".into();
    service.spec.consumers[2].database = service.spec.consumers[0].database.clone();
    let each = faults(&service, NONE);
    let fields: Vec<_> = each.iter().filter_map(|fault| fault.message.split(": ").next()).collect();
    assert_eq!(fields, ["kafka.topic.name", "redis.url", "consumers[1].name", "consumers[2].database"]);
    let stall = validate(&service, NONE, "").unwrap_err();
    assert_eq!(stall.message, each.iter().map(|fault| fault.message.as_str()).collect::<Vec<_>>().join("; "));
    assert_eq!(faults(&main_service(), NONE), []);
}

#[test]
fn the_topic_of_the_seats_is_none_of_the_others() {
    for name in ["stats-events", "payment-events"] {
        let told = refused(|spec| spec.kafka.topic.name = name.into());
        assert!(
            told.starts_with("kafka.topic.name: stats-events and payment-events are the topics"),
            "{told}"
        );
    }
}
