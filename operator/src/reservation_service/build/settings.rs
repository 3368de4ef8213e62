//! The `ConfigMap` with what all workers are told, by the names of their environment variables.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;

use super::{kafka, meta};
use crate::reservation_service::fingerprint::fingerprint;
use crate::reservation_service::names;
use crate::reservation_service::validate::{PAYMENTS, SEATS, STATS, ValidatedService};

/// Seconds a worker may take to finish what it began.
pub(super) const DRAIN_SECONDS: i64 = 20;

pub(super) fn build(service: &ValidatedService) -> ConfigMap {
    let spec = &service.spec;
    let topic = |index: usize| service.topics.get(index).map(|topic| topic.name.clone()).unwrap_or_default();
    let mut data = BTreeMap::from([
        ("BOXOFFICE_SERVICE", format!("{}/{}", service.namespace, service.name)),
        ("BOXOFFICE_LOG", "info".to_owned()),
        ("BOXOFFICE_DRAIN_SECONDS", DRAIN_SECONDS.to_string()),
        ("BOXOFFICE_KAFKA_BOOTSTRAP_SERVERS", spec.kafka.bootstrap_servers.clone()),
        ("BOXOFFICE_KAFKA_TOPIC", topic(SEATS)),
        ("BOXOFFICE_KAFKA_STATS_TOPIC", topic(STATS)),
        ("BOXOFFICE_DURABILITY_HOLD", spec.durability.hold.to_string()),
        ("BOXOFFICE_DURABILITY_RESERVE", spec.durability.reserve.to_string()),
        ("BOXOFFICE_OUTBOX_HIGH_WATERMARK", spec.outbox.high_watermark.to_string()),
        ("BOXOFFICE_MAX_BODY_BYTES", spec.limits.max_body_bytes.to_string()),
    ]);
    data.extend(kafka::settings(&spec.kafka));
    // What a service does not declare is not there: a setting that says nothing new would roll its pods.
    if !spec.kafka.prefix.is_empty() {
        data.insert("BOXOFFICE_KAFKA_PAYMENT_TOPIC", topic(PAYMENTS));
    }
    if spec.redis.cluster {
        data.insert("BOXOFFICE_REDIS_CLUSTER", "true".to_owned());
    }
    if let Some(jwt) = &spec.auth.jwt {
        data.insert("BOXOFFICE_AUTH_MODE", "jwt".to_owned());
        data.insert("BOXOFFICE_JWT_ISSUER", jwt.issuer.clone());
        data.insert("BOXOFFICE_JWT_AUDIENCE", jwt.audience.clone());
        data.extend(jwt.jwks_url.clone().map(|url| ("BOXOFFICE_JWT_JWKS_URL", url)));
    }
    if spec.max_view_age_seconds > 0 {
        data.insert("BOXOFFICE_MAX_VIEW_AGE_SECONDS", spec.max_view_age_seconds.to_string());
    }
    if let Some(web) = &spec.web {
        data.extend(web.command_url.clone().map(|url| ("BOXOFFICE_COMMAND_URL", url)));
        if !web.allow_origins.is_empty() {
            data.insert("BOXOFFICE_ALLOW_ORIGINS", web.allow_origins.join(","));
        }
    }
    let rate = spec.limits.requests_per_user_per_second;
    data.extend(rate.map(|rate| ("BOXOFFICE_REQUESTS_PER_USER_PER_SECOND", rate.to_string())));
    ConfigMap {
        metadata: meta(service, names::settings(&service.name)),
        data: Some(data.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        ..ConfigMap::default()
    }
}

/// A fingerprint of the settings: pods that carry another one are replaced.
pub(super) fn hash(settings: &ConfigMap) -> String {
    let lines: Vec<_> =
        settings.data.iter().flatten().map(|(key, value)| format!("{key}={value}\n")).collect();
    fingerprint(&lines.concat())
}
