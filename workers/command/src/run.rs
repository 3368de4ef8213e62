//! The worker as a process: arguments, logs, health, and Redis and Kafka behind the ports.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use boxoffice_runtime::address::{self, InvalidAddress};
use boxoffice_runtime::health::{self, Readiness};
use boxoffice_runtime::http::{AdminToken, UnusableToken};
use boxoffice_runtime::identity::Identity;
use boxoffice_runtime::identity::settings::InvalidSettings;
use boxoffice_runtime::log::LogError;
use boxoffice_runtime::log::kafka::{self, KafkaLog};
use boxoffice_runtime::settings::{KafkaArgs, ServiceArgs};
use boxoffice_runtime::tls::{ClientCertificate, Tls};
use boxoffice_runtime::{shutdown, telemetry};
use prometheus_client::registry::Registry;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::app::{self, AppError, LISTENING, Ports, STORE, serve};
use crate::archive::ArchiveMetrics;
use crate::args::Args;
use crate::durability::Durability;
use crate::payments::{PaymentMetrics, Source};
use crate::snapshot::SnapshotMetrics;
use crate::store::StoreError;
use crate::store::redis::recovery::{RECOVERY, Recovery, RecoveryMetrics};
use crate::store::redis::{Clock, ConnectError, RedisStore, Settings};

/// Pause between attempts to reach Redis for the first time.
const RETRY: Duration = Duration::from_secs(1);

/// Why the process ends with exit code 1.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum RunError {
    #[error(transparent)]
    Logging(#[from] anyhow::Error),
    #[error("--redis-url {0}")]
    Redis(#[from] InvalidAddress),
    #[error("signals cannot be handled: {0}")]
    Signals(#[from] std::io::Error),
    #[error(transparent)]
    Token(#[from] UnusableToken),
    #[error(transparent)]
    Identity(#[from] InvalidSettings),
    #[error(transparent)]
    Store(#[from] ConnectError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("cannot listen on {addr}: {source}")]
    Health { addr: SocketAddr, source: std::io::Error },
    #[error(transparent)]
    App(#[from] AppError),
}

/// Runs the worker until SIGTERM, then drains it.
pub async fn run(args: Args) -> Result<(), RunError> {
    let Args { service, kafka, http_addr, admin_addr, admin_token, admin_token_previous, .. } = args;
    let Args { redis_url, redis_cluster, redis_ca, redis_certificate, redis_key, .. } = args;
    let Args { durability_hold, durability_reserve, outbox_high_watermark, max_body_bytes, .. } = args;
    let Args { identity, requests_per_user_per_second, payments_group, web, .. } = args;
    let ServiceArgs { service, metrics_addr, log: directives, drain_seconds } = service;
    let KafkaArgs {
        kafka_bootstrap_servers,
        kafka_topic,
        kafka_stats_topic,
        kafka_payment_topic,
        kafka_security,
    } = kafka;
    telemetry::init(&directives)?;
    // Refused only where another part of the process has installed the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();

    address::redis(&redis_url, redis_cluster)?;
    let durability = Durability { hold: durability_hold, reserve: durability_reserve };
    let redis = Settings {
        url: redis_url,
        tls: Tls {
            authority: redis_ca.filter(|pem| !pem.is_empty()),
            certificate: ClientCertificate::given(redis_certificate, redis_key),
        },
        cluster: redis_cluster,
        service: service.clone(),
        durability,
        high_watermark: outbox_high_watermark,
        clock: Clock::Server,
    };
    let readiness = Readiness::waiting_for(&[LISTENING, STORE, RECOVERY]);
    let mut registry = Registry::with_prefix("boxoffice");
    let metrics = app::Metrics::register(&mut registry);
    let metrics = app::Metrics { layer: metrics.layer.allowing(web.allow_origins), ..metrics };
    let payments = payments_group.map(|group| Source {
        topic: kafka_payment_topic.clone(),
        group,
        metrics: PaymentMetrics::register(&mut registry),
    });
    let settings = app::Settings {
        service,
        topic: kafka_topic,
        stats_topic: kafka_stats_topic,
        payment_topic: kafka_payment_topic,
        durability,
        identity: Identity::open(identity.try_into()?, &mut registry, &readiness)?,
        requests_per_user_per_second,
        max_body_bytes,
        payments,
        drain: Duration::from_secs(drain_seconds),
    };
    let admin_token = AdminToken::new(admin_token)?.or(admin_token_previous);
    let addresses = app::Addresses { http_addr, admin_addr, admin_token };
    let stop = shutdown::on_signal()?;
    let log = KafkaLog::with(kafka::Settings {
        security: kafka_security.into(),
        ..kafka::Settings::new(&kafka_bootstrap_servers)
    });
    let log = Arc::new(log?);
    let recovering = RecoveryMetrics::register(&mut registry);
    let snapshots = Some(SnapshotMetrics::register(&mut registry));
    let archives = Some(ArchiveMetrics::register(&mut registry));

    // Probes are answered from before Redis is reached until the drain is over.
    let probing = health::serve(metrics_addr, registry, readiness.clone(), CancellationToken::new());
    let working = async {
        let Some(store) = connect(redis, &readiness, &stop).await? else { return Ok(()) };
        let (store, topic) = (Arc::new(store), settings.topic.clone());
        let recovery = Arc::new(Recovery::new(Arc::clone(&store), Arc::clone(&log) as _, topic, recovering));
        let completed = Arc::clone(&recovery);
        let waiting = readiness.clone();
        let mut completing =
            AbortOnDropHandle::new(tokio::spawn(async move { completed.is_complete(&waiting).await }));
        let ports = Ports { store, log, recovery, snapshots, archives };
        tokio::select! {
            ended = serve(ports, settings, addresses, metrics, readiness, stop) => Ok(ended?),
            // It ends when everything is there, and only a panic is an end before that: nobody would come to be ready.
            Err(_) = &mut completing => Err(AppError::Ended("look for what redis lacks").into()),
        }
    };
    tokio::select! {
        ended = working => ended,
        failed = probing => match failed {
            Err(source) => Err(RunError::Health { addr: metrics_addr, source }),
            Ok(()) => Ok(()),
        }
    }
}

/// The store; waits for a Redis that is not there yet, and gives up on one that cannot be right.
async fn connect(
    settings: Settings,
    readiness: &Readiness,
    stop: &CancellationToken,
) -> Result<Option<RedisStore>, ConnectError> {
    let mut told = false;
    loop {
        match RedisStore::connect(settings.clone()).await {
            Err(ConnectError::Store(StoreError::Unavailable(reason))) => {
                if !told {
                    tracing::warn!(reason, "redis cannot be reached: waiting for it");
                    told = true;
                }
                readiness.not_ready(STORE, reason);
            }
            done => return done.map(Some),
        }
        tokio::select! {
            () = sleep(RETRY) => {}
            () = stop.cancelled() => return Ok(None),
        }
    }
}
