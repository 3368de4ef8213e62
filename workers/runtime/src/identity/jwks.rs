//! The keys that an issuer publishes, as they were seen last.
//!
//! One task fetches them: at the start until there are some, every few minutes, and when a token names one that is not
//! there. Requests look at what is known and wait for a fetch only in the last case. A fetch that fails changes
//! nothing: an issuer that is away for a while locks nobody out.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{StatusCode, Uri};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::JWKS;
use super::keys::{InvalidKeys, KeySet};
use super::metrics::{Metrics, Outcome};
use super::settings::{InvalidSettings, address};
use crate::health::Readiness;
use crate::http::client::{chain, connector};

/// Largest answer of an issuer, in bytes.
const MAX_BYTES: usize = 256 << 10;
/// Most requests that wait for a fetch at once: others are sent away, because anybody can name a key that is not there.
const MAX_WAITING: usize = 64;

/// When keys are fetched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// After a fetch that worked.
    pub(super) refresh: Duration,
    /// After one that did not, while there are keys.
    pub(super) again: Duration,
    /// After one that did not, while there are none.
    pub(super) retry: Duration,
    /// Least time between a fetch and another one that a token asks for.
    pub(super) cooldown: Duration,
    /// Longest wait for the issuer.
    pub(super) timeout: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            refresh: Duration::from_mins(5),
            again: Duration::from_secs(30),
            retry: Duration::from_secs(2),
            cooldown: Duration::from_secs(1),
            timeout: Duration::from_secs(5),
        }
    }
}

/// What is known.
#[derive(Debug, Default)]
struct Known {
    keys: Option<Arc<KeySet>>,
    /// Fetches that ended, and when the last one did.
    fetches: u64,
    ended: Option<Instant>,
}

/// What a fetch that a token asked for brought.
pub(super) enum Newer {
    /// Keys that are newer than those that were known.
    Keys(Arc<KeySet>),
    /// Nothing, or it was too early for another fetch.
    None,
    /// Too many wait for it.
    Busy,
}

/// The keys of one issuer. They are followed as long as this is there.
pub(super) struct Jwks {
    known: watch::Receiver<Known>,
    wanted: Arc<Notify>,
    waiting: Semaphore,
    cooldown: Duration,
    _following: AbortOnDropHandle<()>,
}

/// Why there are no new keys.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("no answer within {} s", .0.as_secs_f64())]
    Late(Duration),
    #[error("cannot be reached: {}", chain(.0))]
    Unreachable(#[from] hyper_util::client::legacy::Error),
    #[error("answers {0}")]
    Status(StatusCode),
    #[error("the answer cannot be read: {0}")]
    Body(#[from] Box<dyn std::error::Error + Send + Sync>),
    #[error("the answer is {0}")]
    Keys(#[from] InvalidKeys),
}

impl Jwks {
    /// Follows what is published at `url`.
    pub(super) fn follow(
        url: &str,
        pace: Pace,
        metrics: Metrics,
        readiness: &Readiness,
    ) -> Result<Self, InvalidSettings> {
        let issuer = Issuer::new(address(url)?)?;
        let (known, seen) = watch::channel(Known::default());
        let wanted = Arc::new(Notify::new());
        readiness.not_ready(JWKS, "starting");
        let follower = Follower {
            issuer,
            pace,
            known,
            wanted: Arc::clone(&wanted),
            metrics,
            readiness: readiness.clone(),
        };
        Ok(Self {
            known: seen,
            wanted,
            waiting: Semaphore::new(MAX_WAITING),
            cooldown: pace.cooldown,
            _following: AbortOnDropHandle::new(tokio::spawn(follower.run())),
        })
    }

    /// The keys, once there are some.
    pub(super) fn keys(&self) -> Option<Arc<KeySet>> {
        self.known.borrow().keys.clone()
    }

    /// Has the keys fetched anew, unless that was done just now.
    pub(super) async fn newer(&self) -> Newer {
        let mut known = self.known.clone();
        let fetches = {
            let known = known.borrow_and_update();
            if known.ended.is_some_and(|ended| ended.elapsed() < self.cooldown) {
                return Newer::None;
            }
            known.fetches
        };
        let Ok(_waiting) = self.waiting.try_acquire() else { return Newer::Busy };
        self.wanted.notify_one();
        match known.wait_for(|known| known.fetches > fetches).await {
            Ok(known) => known.keys.clone().map_or(Newer::None, Newer::Keys),
            Err(_) => Newer::None,
        }
    }
}

struct Follower {
    issuer: Issuer,
    pace: Pace,
    known: watch::Sender<Known>,
    wanted: Arc<Notify>,
    metrics: Metrics,
    readiness: Readiness,
}

impl Follower {
    async fn run(self) {
        loop {
            let outcome = timeout(self.pace.timeout, self.issuer.fetch()).await;
            let now = Instant::now();
            let pause = self.keep(outcome.unwrap_or(Err(FetchError::Late(self.pace.timeout))), now);
            tokio::select! {
                () = sleep_until(now + pause) => {}
                () = self.wanted_after(now + self.pace.cooldown) => {}
            }
        }
    }

    /// A wish for newer keys after `time`; earlier ones have been answered.
    async fn wanted_after(&self, time: Instant) {
        loop {
            self.wanted.notified().await;
            if Instant::now() >= time {
                return;
            }
        }
    }

    /// Keeps what came by `now`, and says when to ask again.
    fn keep(&self, outcome: Result<KeySet, FetchError>, now: Instant) -> Duration {
        let had = self.known.borrow().keys.is_some();
        let (keys, pause) = match outcome {
            Ok(keys) => {
                self.metrics.refreshed(Outcome::Fetched);
                self.readiness.ready(JWKS);
                (Some(Arc::new(keys)), self.pace.refresh)
            }
            Err(error) => {
                self.metrics.refreshed(Outcome::Failed);
                let issuer = &self.issuer.uri;
                tracing::warn!(%issuer, %error, kept = had, "the issuer's keys cannot be fetched");
                if had {
                    (None, self.pace.again)
                } else {
                    self.readiness.not_ready(JWKS, format!("{issuer}: {error}"));
                    (None, self.pace.retry)
                }
            }
        };
        self.known.send_modify(|known| {
            known.keys = keys.or(known.keys.take());
            known.fetches += 1;
            known.ended = Some(now);
        });
        pause
    }
}

/// Where keys are published.
struct Issuer {
    uri: Uri,
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

impl Issuer {
    fn new(uri: Uri) -> Result<Self, InvalidSettings> {
        let connector = connector(&uri).map_err(InvalidSettings::Authorities)?;
        Ok(Self { uri, client: Client::builder(TokioExecutor::new()).build(connector) })
    }

    async fn fetch(&self) -> Result<KeySet, FetchError> {
        let response = self.client.get(self.uri.clone()).await?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await?.to_bytes();
        Ok(KeySet::published(&body)?)
    }
}

#[cfg(test)]
#[path = "jwks_tests.rs"]
mod tests;
