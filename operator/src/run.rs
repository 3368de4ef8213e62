//! Puts the parts together: health server, leader election, both controllers. If one ends, all end.

use std::sync::Arc;
use std::time::Duration;

use boxoffice_crds::common::Time;
use boxoffice_runtime::health::{self, Readiness};
use boxoffice_runtime::shutdown;
use jiff::Timestamp;
use kube::Client;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::admin::AdminApi;
use crate::args::RunArgs;
use crate::backoff::Backoff;
use crate::context::Context;
use crate::kafka::pool::Pool;
use crate::leader::Candidate;
use crate::metrics::Metrics;
use crate::notices::Notices;
use crate::seating_event::inventories::Inventories;
use crate::{reservation_service, seating_event};

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
    let RunArgs { workers_image, admin_url_template, namespace, metrics_addr, log: _ } = args;
    let stop = shutdown::on_signal()?;
    let client = client().await?;
    let mut registry = Registry::default();
    let readiness = Readiness::default();
    let context = Arc::new(Context {
        admin: AdminApi::new(admin_url_template)?,
        kafka: Pool::default(),
        desk: Arc::default(),
        inventories: Inventories::default(),
        backoff: Backoff::default(),
        notices: Notices::new(client.clone()),
        metrics: Metrics::register(&mut registry),
        default_image: workers_image,
        now,
        client: client.clone(),
    });
    let mut leadership = Candidate::new(client, &namespace, identity(), now);
    let health_server = health::serve(metrics_addr, registry, readiness.clone(), CancellationToken::new());
    let result = tokio::select! {
        ended = health_server => ended.map_err(Error::Io).and(Err(Error::Ended("health server"))),
        ended = lead(&mut leadership, context, readiness) => Err(ended),
        () = stop.cancelled() => Ok(()),
    };
    if let Err(error) = leadership.release().await {
        tracing::warn!(%error, "lease not released");
    }
    result
}

/// Waits for its turn, then reconciles until something ends.
async fn lead(candidate: &mut Candidate, context: Arc<Context>, readiness: Readiness) -> Error {
    candidate.acquire().await;
    tracing::info!("leading");
    tokio::select! {
        () = candidate.hold() => Error::LeadershipLost,
        () = reservation_service::run(Arc::clone(&context), readiness.clone()) => {
            Error::Ended("reservation service controller")
        }
        () = seating_event::run(context, readiness) => Error::Ended("seating event controller"),
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
