//! Puts the parts together: health server, leader election, both controllers. If one ends, all end.

use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use boxoffice_crds::common::Time;
use boxoffice_runtime::health::{self, Readiness};
use boxoffice_runtime::shutdown;
use jiff::Timestamp;
use kube::Client;
use prometheus_client::registry::Registry;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::admin::AdminApi;
use crate::args::RunArgs;
use crate::backoff::Backoff;
use crate::context::Context;
use crate::definitions::{Definitions, compare};
use crate::departures::Departures;
use crate::directory::Directory;
use crate::kafka::pool::Pool;
use crate::last_written::LastWritten;
use crate::leader::{Candidate, LEASE};
use crate::metrics::Metrics;
use crate::namespace_leases::NamespaceLeases;
use crate::notices::Notices;
use crate::refusals::Refusals;
use crate::reservation_service::memory::Memory;
use crate::reservation_service::pods::Lists;
use crate::reservation_service::tokens::Keyring;
use crate::reservation_service::unclaimed::memory::SalesMemory;
use crate::seating_event::checks::Checks;
use crate::seating_event::inventories::Inventories;
use crate::seating_event::pace::Pace;
use crate::secrets::{ConfigMaps, Secrets};
use crate::watch::Watches;
use crate::watch::health::Health;
use crate::watch::scope::Scope;
use crate::watch::unreadable::{Unreadable, telling};
use crate::{reservation_service, seating_event};

/// How long reconciles have to end before the Lease is released: a hand-over takes less than two seconds in all.
const LAST_MOMENT: Duration = Duration::from_millis(800);

/// Why the operator ended without being asked to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no usable kubeconfig and no service account.
    #[error("no kubernetes API is configured")]
    Config(#[from] kube::config::InferConfigError),
    /// The Kubernetes client cannot be made.
    #[error("the kubernetes client cannot be made")]
    Client(#[from] kube::Error),
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made")]
    Http(#[from] reqwest::Error),
    /// Signals cannot be watched, or the health server cannot listen.
    #[error("the operating system refused")]
    Io(#[from] std::io::Error),
    /// A part ended.
    #[error("the {0} ended")]
    Ended(&'static str),
    /// Another process leads, or this one could not renew its claim.
    #[error("leadership was lost")]
    LeadershipLost,
}

/// Runs until SIGTERM or until a part ends.
pub async fn run(args: RunArgs) -> Result<(), Error> {
    let RunArgs {
        workers_image,
        admin_url_template,
        pod_url_template,
        unclaimed_sales_after,
        watch_namespaces: scope,
        namespace,
        metrics_addr,
        resync_seconds,
        log: _,
    } = args;
    let stop = shutdown::on_signal()?;
    let client = client().await?;
    let mut registry = Registry::default();
    let readiness = Readiness::default();
    let (metrics, notices) = (Metrics::register(&mut registry), Notices::new(client.clone()));
    let health = Health::new(readiness.clone(), metrics.clone());
    let unreadable = Arc::new(Unreadable::default());
    let installation = format!("{namespace}/{LEASE}");
    let context = Arc::new(Context {
        admin: AdminApi::new(admin_url_template, pod_url_template)?,
        kafka: Pool::default(),
        declarations: Arc::default(),
        inventories: Inventories::default(),
        memory: Arc::new(Memory::default()),
        departures: Departures::default(),
        unclaimed: SalesMemory::default(),
        unclaimed_sales_after,
        shows: OnceLock::new(),
        directory: Directory::default(),
        checks: Checks::default(),
        pace: Pace::default(),
        backoff: Backoff::default(),
        secrets: Secrets::default(),
        config_maps: ConfigMaps::default(),
        tokens: Keyring::default(),
        pods: Lists::default(),
        refusals: Refusals::default(),
        watches: Watches::new(client.clone(), scope.clone(), health, Arc::clone(&unreadable)),
        namespace_leases: NamespaceLeases::new(
            client.clone(),
            installation,
            now,
            metrics.clone(),
            notices.clone(),
        ),
        unreadable,
        definitions: Definitions::default(),
        last_written: LastWritten::default(),
        ending: CancellationToken::new(),
        notices,
        metrics,
        default_image: workers_image,
        resync: Duration::from_secs(resync_seconds),
        namespace: namespace.clone(),
        now,
        client: client.clone(),
    });
    let mut leadership = Candidate::new(client, &namespace, identity(), now);
    let health_server = health::serve(metrics_addr, registry, readiness, CancellationToken::new());
    let result = tokio::select! {
        ended = health_server => ended.map_err(Error::Io).and(Err(Error::Ended("health server"))),
        ended = lead(&mut leadership, context, &scope, stop) => ended,
    };
    // Nothing of what the leader did goes on by now.
    if let Err(error) = leadership.release().await {
        tracing::warn!(%error, "lease not released");
    }
    result
}

/// Waits for its turn, then reconciles until something ends or it is to stop. Then nothing new begins, and what was begun
/// has a moment to end while the Lease is still held.
async fn lead(
    candidate: &mut Candidate,
    context: Arc<Context>,
    scope: &Scope,
    stop: CancellationToken,
) -> Result<(), Error> {
    tokio::select! {
        () = candidate.acquire() => tracing::info!("leading"),
        () = stop.cancelled() => return Ok(()),
    }
    let ending = context.ending.clone();
    let mut work = pin!(work(context, scope));
    let mut hold = pin!(candidate.hold());
    tokio::select! {
        () = &mut hold => return Err(Error::LeadershipLost),
        ended = &mut work => return Err(Error::Ended(ended)),
        () = stop.cancelled() => ending.cancel(),
    }
    tokio::select! {
        () = &mut hold => tracing::warn!("leadership was lost while stopping"),
        _ = &mut work => tracing::info!("all reconciles ended"),
        () = sleep(LAST_MOMENT) => tracing::info!("reconciles that did not end are dropped"),
    }
    Ok(())
}

/// Both controllers and what goes on beside them. Returns the part that ended first; once all is to end, when both
/// controllers have.
async fn work(context: Arc<Context>, scope: &Scope) -> &'static str {
    let wanted = scope.namespaces().into_iter().flatten().map(str::to_owned).collect();
    let mut services = pin!(reservation_service::run(Arc::clone(&context)));
    let mut events = pin!(seating_event::run(Arc::clone(&context)));
    let both = async {
        tokio::select! {
            () = &mut services => {
                if context.ending.is_cancelled() {
                    events.await;
                }
                "reservation service controller"
            }
            () = &mut events => {
                if context.ending.is_cancelled() {
                    services.await;
                }
                "seating event controller"
            }
        }
    };
    tokio::select! {
        ended = both => ended,
        () = context.namespace_leases.keep(&wanted) => "claims",
        () = telling::tell(Arc::clone(&context)) => "report of unreadable objects",
        () = compare::compare(Arc::clone(&context)) => "comparison of definitions",
    }
}

/// The read time-out is for watches, which are silent for long; every other call has a shorter one of its own.
async fn client() -> Result<Client, Error> {
    let mut config = kube::Config::infer().await?;
    config.connect_timeout = Some(Duration::from_secs(5));
    config.write_timeout = Some(Duration::from_secs(15));
    config.read_timeout = Some(Duration::from_secs(295));
    Ok(Client::try_from(config)?)
}

/// The pod's name, which is its host name, and something that tells two runs of it apart.
fn identity() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "boxoffice-operator".to_owned());
    format!("{host}_{}", Uuid::new_v4())
}

fn now() -> Time {
    let millis = i64::try_from(boxoffice_runtime::clock::now()).unwrap_or(i64::MAX);
    Time(Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX))
}
