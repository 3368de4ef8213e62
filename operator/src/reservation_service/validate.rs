//! Turns a ReservationService into a [`ValidatedService`], or says why a person has to change something. Pure.

use std::collections::BTreeMap;

use boxoffice_crds::consumers::{Consumer, Database, Handler, StartFrom, UrlFrom};
use boxoffice_crds::reservation_service::{self as resource, AdoptionPolicy, AuthMode};
use boxoffice_crds::tls::Tls;
use boxoffice_crds::{ReservationService, ReservationServiceSpec};
use boxoffice_domain::DomainEvent;
use boxoffice_runtime::address::{self, InvalidAddress};
use boxoffice_runtime::http::outbound;
use boxoffice_runtime::identity;
use boxoffice_runtime::settings::{archive_topic, origin, snapshots_topic};
use k8s_openapi::api::core::v1::{ConfigMapKeySelector, SecretKeySelector};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, ResourceExt};

use super::faults::{Faults, joined};
use super::in_use::{Names, Standing, same_names, shared};
use super::{image, names, pod_template};
use crate::conditions::Stall;
use crate::kafka::topics::Adoption;
use crate::kafka::{Group, Start, Topic};

/// A value that stands in the resource or beside it.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// In the resource.
    Plain(String),
    /// In a Secret of the same namespace.
    Secret(SecretKeySelector),
    /// In a `ConfigMap` of it.
    ConfigMap(ConfigMapKeySelector),
}

/// A database that can be reached.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidatedDatabase {
    /// Its address.
    pub url: Source,
    /// How it is known, where that is not the address' business.
    pub tls: Option<Tls>,
}

/// A consumer that can run.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidatedConsumer {
    /// The resource's own entry.
    pub declared: Consumer,
    /// `--handler`.
    pub handler: &'static str,
    /// Its database.
    pub database: ValidatedDatabase,
    /// Its consumer group.
    pub group: Group,
}

/// A ReservationService that can be built.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidatedService {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// What its objects say about their owner; nothing where the resource comes from a file, which has no uid yet.
    pub owner: Option<OwnerReference>,
    /// The image of all workers.
    pub image: String,
    /// What was declared, for everything that is passed on as it is.
    pub spec: ReservationServiceSpec,
    /// The issuer's key, where `auth.jwt` names a Secret.
    pub jwt_key: Option<Source>,
    /// Redis.
    pub redis: Source,
    /// The database that the query worker reads: that of the seat-view consumer.
    pub view_database: ValidatedDatabase,
    /// The consumers.
    pub consumers: Vec<ValidatedConsumer>,
    /// The topics: seat events first, then statistics, payments and parked records.
    pub topics: Vec<Topic>,
    /// The group in which command workers read payments; only where a consumer makes any.
    pub payments_group: Option<Group>,
    /// What to do about topics that exist already.
    pub adoption: Adoption,
    /// Where the operator's own pods are.
    pub operator_namespace: String,
}

/// Checks `service` against its fellows, those of the cluster or of the same files; `pinned_image` is used where the spec
/// names none. What cannot run yet is the business of [`unsupported`](super::unsupported).
pub fn validate(
    service: &ReservationService,
    fellows: &[impl AsRef<ReservationService>],
    pinned_image: &str,
) -> Result<ValidatedService, Stall> {
    validate_with(service, fellows, pinned_image, &Standing::of_status(service))
}

/// The same for a service that has so much on its cluster.
pub fn validate_with(
    service: &ReservationService,
    fellows: &[impl AsRef<ReservationService>],
    pinned_image: &str,
    standing: &Standing,
) -> Result<ValidatedService, Stall> {
    check(service, fellows, pinned_image, standing).map_err(|faults| joined(&faults))
}

/// All that is wrong with a service of a file.
pub fn faults(service: &ReservationService, fellows: &[impl AsRef<ReservationService>]) -> Vec<Stall> {
    check(service, fellows, "", &Standing::of_status(service)).err().unwrap_or_default()
}

fn check(
    service: &ReservationService,
    fellows: &[impl AsRef<ReservationService>],
    pinned_image: &str,
    standing: &Standing,
) -> Result<ValidatedService, Vec<Stall>> {
    let spec = &service.spec;
    let mut faults = Faults::default();
    let topics = faults.note(topics(&spec.kafka)).unwrap_or_default();
    let brokers = address::brokers(&spec.kafka.bootstrap_servers);
    faults.note(brokers.map_err(|wrong| invalid(format!("kafka.bootstrapServers: {wrong}"))));
    faults.note(one_authority("kafka", spec.kafka.tls.as_ref()));
    let redis = redis(&spec.redis, &mut faults);
    let jwt_key = faults.note(jwt_key(&spec.auth));
    let consumers = spec.consumers.iter().enumerate();
    let consumers: Vec<_> = consumers
        .filter_map(|(index, consumer)| {
            validate_consumer(index, consumer, &spec.kafka.prefix, &topics, &mut faults)
        })
        .collect();
    faults.extend(shared_databases(&spec.consumers));
    let is_view = |consumer: &&Consumer| consumer.handler == Handler::SeatView;
    faults.note(spec.consumers.iter().find(is_view).ok_or_else(|| {
        invalid("consumers: none has the handler seat-view, whose database the query worker reads: add one")
    }));
    web(spec.web.as_ref(), &mut faults);
    faults.extend(pod_template::faults(&spec.pod_template));
    faults.extend(same_names(service, fellows));
    faults.extend(shared(service, standing, &names_of(service), fellows, names_of));
    let view = consumers.iter().find(|consumer| consumer.handler == "seat-view");
    let view_database = view.map(|view| view.database.clone());
    // Where one of them is absent, it is among the faults why.
    let (Some(redis), Some(jwt_key), Some(view_database), true) =
        (redis, jwt_key, view_database, faults.is_empty())
    else {
        return Err(faults.into_each());
    };
    Ok(ValidatedService {
        name: service.name_any(),
        namespace: service.namespace().unwrap_or_default(),
        owner: service.controller_owner_ref(&()),
        image: image::resolve(spec.image.as_ref(), pinned_image),
        jwt_key,
        redis,
        view_database,
        payments_group: makes_payments(spec).then(|| Group {
            name: format!("{}{}", spec.kafka.prefix, names::COMMAND_PAYMENTS),
            topics: vec![topics[PAYMENTS].name.clone()],
            // The topic may be new, and what was said there before the group was is not to be lost.
            start: Start::Earliest,
        }),
        consumers,
        topics,
        adoption: match spec.kafka.topic.adoption_policy {
            AdoptionPolicy::Fail => Adoption::Fail,
            AdoptionPolicy::Adopt => Adoption::Adopt,
            AdoptionPolicy::Observe => Adoption::Observe,
        },
        operator_namespace: names::OPERATOR_NAMESPACE.to_owned(),
        spec: spec.clone(),
    })
}

/// A consumer that can run, if nothing of it is wrong. Where topics cannot be named, it reads none.
fn validate_consumer(
    index: usize,
    consumer: &Consumer,
    prefix: &str,
    topics: &[Topic],
    faults: &mut Faults,
) -> Option<ValidatedConsumer> {
    let (name, field) = (&consumer.name, format!("consumers[{index}]"));
    if [names::COMMAND, names::QUERY, names::COMMAND_PAYMENTS].contains(&name.as_str()) {
        let message = format!("{field}.name: {name} is taken by the worker of that name: choose another");
        faults.add(invalid(message));
    }
    effects(&field, consumer, faults);
    let handler = match consumer.handler {
        Handler::SeatView => "seat-view",
        Handler::Persistence => "persistence",
        Handler::Stats => "stats",
        Handler::Payment => "payment",
        Handler::Webhook => "webhook",
    };
    let start = faults.note(start(&field, consumer));
    let database = database(&format!("{field}.database"), &consumer.database, faults);
    Some(ValidatedConsumer {
        declared: consumer.clone(),
        handler,
        database: database?,
        group: Group {
            name: format!("{prefix}{name}"),
            topics: read_by(consumer.handler, topics),
            start: start?,
        },
    })
}

/// What a handler reads of the service's topics.
fn read_by(handler: Handler, topics: &[Topic]) -> Vec<String> {
    let indices: &[usize] = match handler {
        Handler::SeatView | Handler::Persistence | Handler::Webhook => &[SEATS, PAYMENTS],
        Handler::Stats | Handler::Payment => &[SEATS],
    };
    indices.iter().filter_map(|index| topics.get(*index)).map(|topic| topic.name.clone()).collect()
}

/// Whether a consumer that acts outside can do so: where to, and about what.
fn effects(at: &str, consumer: &Consumer, faults: &mut Faults) {
    if consumer.handler.acts_outside() && consumer.reset.is_some() {
        faults.add(invalid(format!(
            "{at}.reset: the handlers payment and webhook cannot be replayed, which would charge and tell \
             again: remove it"
        )));
    }
    let mut outbound = |field: &str, url: &str| {
        let checked = outbound::check(url);
        faults.note(checked.map_err(|problem| invalid(format!("{at}.{field}: {problem}"))));
    };
    if let Some(url) = consumer.payment.as_ref().and_then(|payment| payment.url.as_ref()) {
        outbound("payment.url", url);
    }
    let Some(webhook) = &consumer.webhook else { return };
    outbound("webhook.url", &webhook.url);
    let read = DomainEvent::TYPES.iter().filter(|name| **name != "stats.updated");
    let read: Vec<_> = read.copied().collect();
    let asked = webhook.events.iter().map(String::as_str);
    let unknown: Vec<_> = asked.filter(|asked| !read.contains(asked)).collect();
    if !unknown.is_empty() {
        faults.add(invalid(format!(
            "{at}.webhook.events: there is no event type {}: give some of {}, or leave it out for all",
            unknown.join(", "),
            read.join(", ")
        )));
    }
}

/// Where the consumer's group begins. Views need every event; what acts outside must not act again on old ones.
fn start(at: &str, consumer: &Consumer) -> Result<Start, Stall> {
    let acts_outside = match consumer.handler {
        Handler::SeatView | Handler::Stats => return Ok(Start::Earliest),
        handler @ (Handler::Persistence | Handler::Payment | Handler::Webhook) => handler.acts_outside(),
    };
    match consumer.start_from {
        None if acts_outside => Ok(Start::Latest),
        Some(StartFrom::Earliest) if acts_outside => Err(invalid(format!(
            "{at}.startFrom: must not be earliest for the handlers payment and webhook: write latest or a time, or leave it \
             out"
        ))),
        None | Some(StartFrom::Earliest) => Ok(Start::Earliest),
        Some(StartFrom::Latest) => Ok(Start::Latest),
        Some(StartFrom::Timestamp(time)) => Ok(Start::Timestamp(time.as_millisecond())),
    }
}

/// Where each topic stands among [`topics`].
pub const SEATS: usize = 0;
/// The statistics.
pub const STATS: usize = 1;
/// The payments.
pub const PAYMENTS: usize = 2;

/// The topic of statistics, behind the prefix.
const STATS_EVENTS: &str = "stats-events";
/// That of payments.
const PAYMENT_EVENTS: &str = "payment-events";
/// Longest name of a topic.
const LONGEST_TOPIC: usize = 249;

/// Statistics are replaced by newer ones, so their topic keeps the last of each SeatingEvent, and so are snapshots and
/// archives, which survive what the seats' domain events survive; payments and parked records stay.
fn topics(kafka: &resource::Kafka) -> Result<Vec<Topic>, Stall> {
    let resource::Topic { name, partitions, replication_factor, config, .. } = &kafka.topic;
    let prefix = &kafka.prefix;
    let number = |field: &str, value: u32| {
        i32::try_from(value).map_err(|_| invalid(format!("kafka.topic.{field} {value} is too large")))
    };
    let topic = |name: String, config| -> Result<Topic, Stall> {
        Ok(Topic {
            name,
            partitions: number("partitions", *partitions)?,
            replication_factor: replication_factor
                .map_or(Ok(-1), |factor| number("replicationFactor", factor))?,
            config,
        })
    };
    let single = |key: &str, value: &str| [(key.to_owned(), value.to_owned())].into();
    if [STATS_EVENTS, PAYMENT_EVENTS].contains(&name.as_str()) {
        return Err(invalid(format!(
            "kafka.topic.name: {STATS_EVENTS} and {PAYMENT_EVENTS} are the topics of something else: choose another name"
        )));
    }
    let seats = format!("{prefix}{name}");
    // The archives' name is shorter.
    let (snapshots, archive) = (snapshots_topic(&seats), archive_topic(&seats));
    if snapshots.len() > LONGEST_TOPIC {
        return Err(invalid(format!(
            "kafka.topic.name: with kafka.prefix it has {} characters, and {} is the most, so that {snapshots} can be a \
             topic too: shorten one of them",
            seats.len(),
            LONGEST_TOPIC + seats.len() - snapshots.len()
        )));
    }
    Ok(vec![
        topic(seats, config.clone())?,
        topic(format!("{prefix}{STATS_EVENTS}"), single("cleanup.policy", "compact"))?,
        topic(format!("{prefix}{PAYMENT_EVENTS}"), single("retention.ms", "-1"))?,
        topic(format!("{prefix}{name}.dlq"), single("retention.ms", "-1"))?,
        topic(snapshots, newest(config, &[]))?,
        topic(archive, newest(config, &[("retention.ms", "-1")]))?,
    ])
}

/// Of a topic that keeps the newest of each SeatingEvent. A segment that is written to is never compacted, so segments are
/// small.
fn newest(seats: &BTreeMap<String, String>, more: &[(&str, &str)]) -> BTreeMap<String, String> {
    const AS_SEATS: &str = "min.insync.replicas";
    let own = [("cleanup.policy", "compact"), ("segment.bytes", "67108864")];
    let own = own.iter().chain(more).map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    own.chain(seats.get(AS_SEATS).map(|value| (AS_SEATS.to_owned(), value.clone()))).collect()
}

/// An address; one that leads nowhere is refused. What a Secret holds is looked at by the worker.
fn source(
    field: &str,
    url: Option<&str>,
    from: Option<&UrlFrom>,
    check: impl Fn(&str) -> Result<(), InvalidAddress>,
) -> Result<Source, Stall> {
    match (url, from) {
        (Some(url), None) => {
            check(url).map_err(|wrong| invalid(format!("{field}.url: {wrong}")))?;
            Ok(Source::Plain(url.to_owned()))
        }
        (None, Some(from)) => Ok(Source::Secret(from.secret_key_ref.clone())),
        _ => Err(invalid(format!("{field}: give either url or urlFrom"))),
    }
}

fn redis(redis: &resource::Redis, faults: &mut Faults) -> Option<Source> {
    let resource::Redis { url, url_from, tls, cluster } = redis;
    faults.note(one_authority("redis", tls.as_ref()));
    if tls.is_some() && url.as_ref().is_some_and(|url| !url.starts_with("rediss://")) {
        faults.add(invalid(
            "redis.tls: it belongs to an address that speaks TLS: write rediss:// in redis.url, or remove it",
        ));
    }
    faults.note(source("redis", url.as_deref(), url_from.as_ref(), |url| address::redis(url, *cluster)))
}

fn database(field: &str, database: &Database, faults: &mut Faults) -> Option<ValidatedDatabase> {
    let Database { url, url_from, tls } = database;
    faults.note(one_authority(field, tls.as_ref()));
    let url = source(field, url.as_deref(), url_from.as_ref(), |url| address::postgres(url).map(drop));
    Some(ValidatedDatabase { url: faults.note(url)?, tls: tls.clone() })
}

/// A database belongs to one consumer: the worker of the second would end at its start, again and again.
fn shared_databases(consumers: &[Consumer]) -> impl Iterator<Item = Stall> {
    let address = |consumer: &Consumer| (consumer.database.url.clone(), consumer.database.url_from.clone());
    consumers.iter().enumerate().filter_map(move |(index, consumer)| {
        let here = Some(address(consumer)).filter(|(url, from)| url.is_some() || from.is_some())?;
        let earlier = consumers[..index].iter().position(|other| address(other) == here)?;
        let name = &consumers[earlier].name;
        Some(invalid(format!(
            "consumers[{index}].database: it is that of consumers[{earlier}] ({name}) too: give every consumer a database \
             of its own"
        )))
    })
}

/// What pages are told, as the workers read it.
fn web(web: Option<&resource::Web>, faults: &mut Faults) {
    let Some(resource::Web { command_url, allow_origins }) = web else { return };
    let wrong = command_url.as_ref().and_then(|url| address::base(url).err());
    faults.extend(wrong.map(|wrong| invalid(format!("web.commandUrl: {wrong}"))));
    for (index, text) in allow_origins.iter().enumerate() {
        let problem = |problem| invalid(format!("web.allowOrigins[{index}]: {problem}"));
        faults.note(origin(text).map_err(problem));
    }
}

fn one_authority(field: &str, tls: Option<&Tls>) -> Result<(), Stall> {
    if tls.is_some_and(|tls| tls.ca_secret_ref.is_some() && tls.ca_config_map_ref.is_some()) {
        return Err(invalid(format!(
            "{field}.tls: give either caSecretRef or caConfigMapRef; one text may hold several certificates"
        )));
    }
    Ok(())
}

/// What a worker would refuse at its start is refused here, where the message reaches who wrote it.
fn jwt_key(auth: &resource::Auth) -> Result<Option<Source>, Stall> {
    let jwt = match (auth.mode, &auth.jwt) {
        (AuthMode::Header, None) => return Ok(None),
        (AuthMode::Jwt, Some(jwt)) => jwt,
        _ => {
            return Err(invalid("auth.jwt: it belongs to mode jwt, and only to it: add or remove it"));
        }
    };
    match (&jwt.jwks_url, &jwt.secret_ref) {
        (None, Some(secret)) => Ok(Some(Source::Secret(secret.clone()))),
        (Some(url), None) => {
            let address = identity::settings::address(url);
            let problem = |_| invalid("auth.jwt.jwksUrl: write http://host/path or https://host/path");
            address.map(|_| None).map_err(problem)
        }
        _ => Err(invalid("auth.jwt: give either jwksUrl or secretRef")),
    }
}

/// Every topic and group of a service. One whose topics cannot be named has none.
pub fn names_of(service: &ReservationService) -> Names {
    let topics = topics(&service.spec.kafka).unwrap_or_default();
    Names { topics: topics.into_iter().map(|topic| topic.name).collect(), groups: groups(&service.spec) }
}

/// Whether a consumer makes payments, which the command workers then read.
fn makes_payments(spec: &ReservationServiceSpec) -> bool {
    spec.consumers.iter().any(|consumer| consumer.handler == Handler::Payment)
}

/// Every consumer group that a service has.
fn groups(spec: &ReservationServiceSpec) -> Vec<String> {
    let consumers = spec.consumers.iter().map(|consumer| consumer.name.as_str());
    let names = consumers.chain(makes_payments(spec).then_some(names::COMMAND_PAYMENTS));
    names.map(|name| format!("{}{name}", spec.kafka.prefix)).collect()
}

fn invalid(message: impl Into<String>) -> Stall {
    Stall::new("InvalidSpec", message)
}

#[cfg(test)]
#[path = "validate_tests.rs"]
mod tests;
