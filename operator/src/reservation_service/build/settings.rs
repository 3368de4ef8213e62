//! What each worker is told, by the names of its environment variables: an immutable `ConfigMap` a worker, named after
//! what it says.
//!
//! A pod that starts again reads what it read before, other settings are another name and so another template, and what
//! one worker alone reads rolls that one alone.

use std::collections::BTreeMap;

use boxoffice_crds::ReservationServiceSpec;
use boxoffice_crds::consumers::Handler;
use k8s_openapi::api::core::v1::ConfigMap;

use super::{kafka, worker_meta};
use crate::reservation_service::fingerprint::fingerprint;
use crate::reservation_service::names;
use crate::reservation_service::validate::{
    PAYMENTS, SEATS, STATS, ValidatedConsumer, ValidatedDatabase, ValidatedService,
};

/// Seconds a worker may take to finish what it began.
pub(super) const DRAIN_SECONDS: i64 = 20;

/// Who reads them.
pub(super) enum Reader<'a> {
    /// The command worker.
    Command,
    /// The query worker.
    Query,
    /// A consumer.
    Consumer(&'a ValidatedConsumer),
}

/// Settings by name.
type Data = BTreeMap<&'static str, String>;

pub(super) fn build(service: &ValidatedService, reader: &Reader) -> ConfigMap {
    let mut data = of_everybody(service);
    match reader {
        Reader::Command => of_command(&mut data, service),
        Reader::Query => of_query(&mut data, service),
        Reader::Consumer(consumer) => {
            topics(&mut data, service, topics_of(consumer));
            database(&mut data, &consumer.database);
        }
    }
    let component = match reader {
        Reader::Command => names::COMMAND,
        Reader::Query => names::QUERY,
        Reader::Consumer(consumer) => &consumer.declared.name,
    };
    let mut metadata = worker_meta(service, component);
    metadata.name = Some(names::settings(&service.name, component, &said(&data)));
    ConfigMap {
        metadata,
        immutable: Some(true),
        data: Some(data.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        ..ConfigMap::default()
    }
}

/// A fingerprint of the settings.
fn said(data: &Data) -> String {
    let lines: Vec<_> = data.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
    fingerprint(&lines.concat())
}

fn of_everybody(service: &ValidatedService) -> Data {
    let mut data = BTreeMap::from([
        ("BOXOFFICE_SERVICE", format!("{}/{}", service.namespace, service.name)),
        ("BOXOFFICE_LOG", "info".to_owned()),
        ("BOXOFFICE_DRAIN_SECONDS", DRAIN_SECONDS.to_string()),
        ("BOXOFFICE_KAFKA_BOOTSTRAP_SERVERS", service.spec.kafka.bootstrap_servers.clone()),
    ]);
    data.extend(kafka::settings(&service.spec.kafka));
    data
}

// What a service does not declare is not there: a setting that says nothing new would roll its pods.

fn of_command(data: &mut Data, service: &ValidatedService) {
    let spec = &service.spec;
    topics(data, service, &[SEATS, STATS, PAYMENTS]);
    data.insert("BOXOFFICE_DURABILITY_HOLD", spec.durability.hold.to_string());
    data.insert("BOXOFFICE_DURABILITY_RESERVE", spec.durability.reserve.to_string());
    data.insert("BOXOFFICE_OUTBOX_HIGH_WATERMARK", spec.outbox.high_watermark.to_string());
    data.insert("BOXOFFICE_MAX_BODY_BYTES", spec.limits.max_body_bytes.to_string());
    if spec.redis.cluster {
        data.insert("BOXOFFICE_REDIS_CLUSTER", "true".to_owned());
    }
    let rate = spec.limits.requests_per_user_per_second;
    data.extend(rate.map(|rate| ("BOXOFFICE_REQUESTS_PER_USER_PER_SECOND", rate.to_string())));
    of_buyers(data, spec);
}

fn of_query(data: &mut Data, service: &ValidatedService) {
    let spec = &service.spec;
    topics(data, service, &[SEATS, STATS]);
    database(data, &service.view_database);
    if spec.max_view_age_seconds > 0 {
        data.insert("BOXOFFICE_MAX_VIEW_AGE_SECONDS", spec.max_view_age_seconds.to_string());
    }
    let command_url = spec.web.as_ref().and_then(|web| web.command_url.clone());
    data.extend(command_url.map(|url| ("BOXOFFICE_COMMAND_URL", url)));
    of_buyers(data, spec);
}

/// How a database is known.
fn database(data: &mut Data, database: &ValidatedDatabase) {
    if database.tls.is_some() {
        data.insert("BOXOFFICE_DATABASE_TLS", "true".to_owned());
    }
}

/// What whoever answers buyers has to know: who they are, and which pages they come from.
fn of_buyers(data: &mut Data, spec: &ReservationServiceSpec) {
    if let Some(jwt) = &spec.auth.jwt {
        data.insert("BOXOFFICE_AUTH_MODE", "jwt".to_owned());
        data.insert("BOXOFFICE_JWT_ISSUER", jwt.issuer.clone());
        data.insert("BOXOFFICE_JWT_AUDIENCE", jwt.audience.clone());
        data.extend(jwt.jwks_url.clone().map(|url| ("BOXOFFICE_JWT_JWKS_URL", url)));
    }
    if let Some(web) = spec.web.as_ref().filter(|web| !web.allow_origins.is_empty()) {
        data.insert("BOXOFFICE_ALLOW_ORIGINS", web.allow_origins.join(","));
    }
}

/// The topics that a consumer reads or writes.
fn topics_of(consumer: &ValidatedConsumer) -> &'static [usize] {
    match consumer.declared.handler {
        Handler::SeatView | Handler::Persistence | Handler::Webhook | Handler::Payment => &[SEATS, PAYMENTS],
        Handler::Stats => &[SEATS, STATS],
    }
}

/// The topic of payments has its name by itself where there is no prefix.
fn topics(data: &mut Data, service: &ValidatedService, indices: &[usize]) {
    for index in indices {
        let name = match *index {
            STATS => "BOXOFFICE_KAFKA_STATS_TOPIC",
            PAYMENTS if service.spec.kafka.prefix.is_empty() => continue,
            PAYMENTS => "BOXOFFICE_KAFKA_PAYMENT_TOPIC",
            _ => "BOXOFFICE_KAFKA_TOPIC",
        };
        data.extend(service.topics.get(*index).map(|topic| (name, topic.name.clone())));
    }
}
