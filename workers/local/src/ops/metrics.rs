//! What the consumers of a service measure, as Prometheus reads it: how far behind they are is told by them alone.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, Request};
use boxoffice_operator::reservation_service::names;
use boxoffice_runtime::http::Problem;
use futures::future::join_all;
use http_body_util::{BodyExt, Limited};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

use crate::terminal::pods::Pods;

/// Where workers are probed and measured.
const PROBES: u16 = 9090;
/// Longest wait for one of them.
const ANSWER: Duration = Duration::from_secs(5);
/// Most bytes of one of them.
const MOST: usize = 4 << 20;
/// They are asked no more often, whoever looks.
const KEPT: Duration = Duration::from_secs(5);

/// Where consumers are.
#[async_trait]
pub(super) trait Measuring: Send + Sync {
    /// The names of their pods.
    async fn pods(&self) -> anyhow::Result<Vec<String>>;

    /// What one of them measures.
    async fn measured(&self, pod: &str) -> anyhow::Result<String>;
}

/// The consumers of a service.
pub(super) struct Consumers {
    of: Arc<dyn Measuring>,
    told: Mutex<Option<(Instant, String)>>,
}

impl Consumers {
    /// Those of a service.
    pub(super) fn new(of: Arc<dyn Measuring>) -> Self {
        Self { of, told: Mutex::default() }
    }

    /// What those who answer measure.
    async fn text(&self) -> anyhow::Result<String> {
        let mut told = self.told.lock().await;
        if let Some((at, text)) = &*told
            && at.elapsed() < KEPT
        {
            return Ok(text.clone());
        }
        let pods = self.of.pods().await?;
        let asked = pods.iter().map(|pod| async move {
            let measured = timeout(ANSWER, self.of.measured(pod)).await;
            let measured = measured.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer within {ANSWER:?}")));
            measured.inspect_err(|error| tracing::warn!(%error, pod, "what it measures is not known")).ok()
        });
        let text: String = join_all(asked).await.into_iter().flatten().collect();
        *told = Some((Instant::now(), text.clone()));
        Ok(text)
    }
}

/// Answers with all of it.
pub(super) async fn show(
    State(consumers): State<Arc<Consumers>>,
) -> Result<([(HeaderName, &'static str); 2], String), Problem> {
    let text = consumers.text().await;
    let text = text.map_err(|error| Problem::unavailable(format!("the consumers are not known: {error}")))?;
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "no-store")], text))
}

#[async_trait]
impl Measuring for Pods {
    async fn pods(&self) -> anyhow::Result<Vec<String>> {
        self.ready_but_for(&[names::COMMAND, names::QUERY]).await
    }

    async fn measured(&self, pod: &str) -> anyhow::Result<String> {
        let stream = self.connect_to(pod, PROBES).await?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
        let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
        let request = Request::get("/metrics").header("host", pod).body(Body::empty())?;
        let answer = sender.send_request(request).await?;
        let bytes = Limited::new(answer.into_body(), MOST).collect().await;
        let bytes = bytes.map_err(|error| anyhow::anyhow!("its answer broke off: {error}"))?;
        Ok(String::from_utf8(bytes.to_bytes().to_vec())?)
    }
}
