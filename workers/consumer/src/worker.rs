//! The process: one handler on PostgreSQL, with its probes, its metrics, what it carries out outside and the relay of what
//! it produces.

use std::sync::Arc;
use std::time::Duration;

use boxoffice_domain::checkpoint::Start;
use boxoffice_runtime::address::InvalidAddress;
use boxoffice_runtime::health::{self, Readiness};
use boxoffice_runtime::log::EventLog;
use boxoffice_runtime::postgres::watch::{Lost, Watch};
use boxoffice_runtime::postgres::{DatabaseArgs, until_reached};
use boxoffice_runtime::settings::{KafkaArgs, ServiceArgs};
use prometheus_client::registry::Registry;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::args::{Args, HandlerName};
use crate::effects::engine::{Beside, Surroundings, beside};
use crate::effects::metrics::EffectMetrics;
use crate::effects::postgres::Clock;
use crate::effects::settings::RefusedOption;
use crate::effects::settings::{PaymentSettings, WebhookSettings};
use crate::handlers::payment::PaymentHandler;
use crate::handlers::payment::work::PaymentWork;
use crate::handlers::persistence::PersistenceHandler;
use crate::handlers::seat_view::SeatViewHandler;
use crate::handlers::stats::StatsHandler;
use crate::handlers::webhook::WebhookHandler;
use crate::handlers::webhook::work::WebhookWork;
use crate::handlers::{Handler, Topic};
use crate::metrics::Metrics;
use crate::relay::Relay;
use crate::run::lag::{self, Offsets};
use crate::run::origin::Origin;
use crate::run::standing::Standing;
use crate::run::{Consumer, LOG};
use crate::upkeep;
use crate::view::PgViewStore;
use crate::view::database::{DatabaseError, Owner, claim};

/// The part of readiness that is the database's.
const DATABASE: &str = "database";
/// Time between two looks at the database.
const PROBE: Duration = Duration::from_secs(2);

/// Why the process cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// A setting that a handler with effects cannot begin with.
    #[error(transparent)]
    Refused(#[from] RefusedOption),
    /// A handler whose effects reach outside, told to begin with the past.
    #[error(
        "handler {0} never begins at earliest, where it would charge and tell what is long over: give --start-from \
         latest, or the time at which its group began"
    )]
    NotEarliest(&'static str),
    /// A declared reset of a handler whose effects reach outside of its database (I9).
    #[error("handler {0} cannot be replayed: its effects reach outside of its database")]
    NotReplayable(&'static str),
    /// A database URL that is none.
    #[error("--database-url {0}")]
    DatabaseUrl(#[from] InvalidAddress),
    /// A database that this worker must not write to.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Probes and metrics that cannot be served.
    #[error("the metrics port cannot be served: {0}")]
    Health(#[from] std::io::Error),
}

/// Runs the handler that `args` name until `stop`, with domain events from `log`.
///
/// # Errors
/// Arguments that cannot be used. What is away is waited for instead.
pub async fn run(args: Args, log: Arc<dyn EventLog>, stop: CancellationToken) -> Result<(), WorkerError> {
    match args.handler {
        HandlerName::SeatView => run_handler(SeatViewHandler, Start::Earliest, None, args, log, stop).await,
        HandlerName::Persistence => {
            run_handler(PersistenceHandler, args.start_from, None, args, log, stop).await
        }
        HandlerName::Stats => run_handler(StatsHandler, Start::Earliest, None, args, log, stop).await,
        HandlerName::Payment => {
            let PaymentSettings { gateway, timeout } = args.payment.clone().try_into()?;
            let handler = PaymentHandler { timeout, clock: Clock::Server };
            let work = beside(|metrics| PaymentWork { gateway, metrics });
            run_handler(handler, args.start_from, Some(work), args, log, stop).await
        }
        HandlerName::Webhook => {
            let settings = args.webhook.clone().settings(args.service.service.clone())?;
            let WebhookSettings { receiver, wanted } = settings;
            let handler = WebhookHandler { wanted, clock: Clock::Server };
            let work = beside(|metrics| WebhookWork { receiver, metrics });
            run_handler(handler, args.start_from, Some(work), args, log, stop).await
        }
    }
}

async fn run_handler<H: Handler + Clone>(
    handler: H,
    start: Start,
    effects: Option<Beside>,
    args: Args,
    log: Arc<dyn EventLog>,
    stop: CancellationToken,
) -> Result<(), WorkerError> {
    let Args { service, kafka, database, handler: _, group, start_from: _, reset_id, retention, .. } = args;
    let drain = service.drain();
    let ServiceArgs { service, metrics_addr, log: _, drain_seconds: _ } = service;
    let owner = Owner { service: service.clone(), group: group.clone(), topic: kafka.kafka_topic.clone() };
    if !reset_id.is_empty() && !H::REPLAYABLE {
        return Err(WorkerError::NotReplayable(H::NAME));
    }
    if start == Start::Earliest && !H::REPLAYABLE {
        return Err(WorkerError::NotEarliest(H::NAME));
    }
    let mut registry = Registry::default();
    let metrics = Metrics::new(&mut registry, H::NAME);
    let effects = effects.map(|beside| (beside, EffectMetrics::new(&mut registry, H::NAME)));
    let readiness = Readiness::waiting_for(&[LOG, DATABASE]);
    let probes = health::serve(metrics_addr, registry, readiness.clone(), CancellationToken::new());

    let work = async {
        let Some(options) = prepared::<H>(&database, &owner, &stop).await? else { return Ok(()) };
        let view = PgViewStore::new(options.clone(), handler.clone(), start, reset_id.clone());
        let view = Arc::new(view);
        let (more, announced) = (view.committed(), Arc::new(Notify::new()));
        let effects = effects.map(|(beside, metrics)| {
            let (database, stop, more) = (options.clone(), stop.clone(), Arc::clone(&more));
            let announced = Arc::clone(&announced);
            beside(Surroundings { database, more, announced, metrics, stop })
        });
        let relay = H::PRODUCES.then(|| Relay {
            log: Arc::clone(&log),
            topic: topic(H::PRODUCES_TO, &kafka),
            source: service,
            database: options.clone(),
            // What is carried out beside the loop is told of commits, and tells on.
            committed: if effects.is_some() { announced } else { more },
        });
        let offsets = Offsets::default();
        let consumer = Consumer {
            log: Arc::clone(&log),
            view: Arc::clone(&view) as _,
            group,
            topics: H::READS.iter().map(|read| topic(*read, &kafka)).collect(),
            origin: Origin { start, replayable: H::REPLAYABLE, is_reset: !reset_id.is_empty() },
            reset_id,
            metrics: metrics.clone(),
            readiness: readiness.clone(),
            standing: Standing::new(readiness.clone()),
            offsets: offsets.clone(),
        };
        tokio::join!(
            consumer.run(&stop),
            lag::watch(log, offsets, metrics, stop.clone()),
            probe(options.clone(), view.lost(), &readiness, &stop),
            async {
                if H::HAS_UPKEEP {
                    Box::pin(upkeep::run(&handler, options, retention.into(), &stop)).await;
                }
            },
            async {
                if let Some(relay) = relay {
                    relay.run(stop.clone()).await;
                }
            },
            async {
                if let Some(effects) = effects {
                    effects.await;
                }
            },
        );
        Ok(())
    };
    let drained = async {
        stop.cancelled().await;
        tokio::time::sleep(drain).await;
    };
    tokio::select! {
        done = work => done,
        served = probes => Ok(served?),
        () = drained => {
            tracing::warn!("work was still in hand when the time to drain was over: it will be done again");
            Ok(())
        }
    }
}

/// The name of a topic.
fn topic(topic: Topic, kafka: &KafkaArgs) -> String {
    match topic {
        Topic::Seats => kafka.kafka_topic.clone(),
        Topic::Payments => kafka.kafka_payment_topic.clone(),
        Topic::Stats => kafka.kafka_stats_topic.clone(),
    }
}

/// How to connect to the handler's database, once that is reached, its tables are there and it is `owner`'s; `None`
/// where `stop` came first.
async fn prepared<H: Handler>(
    database: &DatabaseArgs,
    owner: &Owner,
    stop: &CancellationToken,
) -> Result<Option<PgConnectOptions>, WorkerError> {
    let options = database.options(&format!("boxoffice-consumer {}", H::NAME))?;
    let reached = until_reached("the database", stop, || async {
        match claim::<H>(&options, owner).await {
            Err(error) if !error.is_final() => Err(error),
            settled => Ok(settled),
        }
    });
    let Some(settled) = reached.await else { return Ok(None) };
    settled?;
    Ok(Some(options))
}

/// Tells readiness whether the database can be written to, and whoever waits for it that it cannot.
async fn probe(options: PgConnectOptions, lost: &Lost, readiness: &Readiness, stop: &CancellationToken) {
    let (mut watch, mut is_usable) = (Watch::new(options), true);
    loop {
        let asked = watch.ask().await;
        let was_usable = std::mem::replace(&mut is_usable, asked.is_ok());
        match asked {
            Ok(()) => readiness.ready(DATABASE),
            Err(error) => {
                if was_usable {
                    tracing::warn!(%error, "the database cannot be used");
                }
                lost.happened();
                readiness.not_ready(DATABASE, error.to_string());
            }
        }
        if stop.run_until_cancelled(tokio::time::sleep(PROBE)).await.is_none() {
            return;
        }
    }
}
