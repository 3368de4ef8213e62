//! A command worker as a process at addresses that it keeps: killed, it can be started again where it was.

use std::time::Duration;

use anyhow::{Context, ensure};
use boxoffice_domain::SeatingEventId;
use boxoffice_domain::seat_map::SeatCounts;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

use crate::process::Process;
use crate::servers::free_port;

/// The worker of this version.
pub const BINARY: &str = "boxoffice-command";
/// The bearer token of its admin API.
pub const TOKEN: &str = "secret";
/// Longest wait for an answer of the admin API.
const ANSWER: Duration = Duration::from_secs(10);

/// The worker.
pub struct CommandWorker {
    /// The process.
    pub process: Process,
    /// Where buyers go.
    pub http: String,
    /// Where the operator goes.
    pub admin: String,
    /// Where probes and measurements are.
    pub watched: String,
    binary: String,
    environment: Vec<(&'static str, String)>,
}

impl CommandWorker {
    /// Starts a worker of `service` (namespace/name).
    ///
    /// # Errors
    /// A binary that was not built.
    pub fn start(service: &str, redis: &str, kafka: &str, topic: &str) -> anyhow::Result<Self> {
        Self::start_with(service, redis, kafka, topic, [])
    }

    /// The same with `more` in its environment.
    ///
    /// # Errors
    /// A binary that was not built.
    pub fn start_with(
        service: &str,
        redis: &str,
        kafka: &str,
        topic: &str,
        more: impl IntoIterator<Item = (&'static str, String)>,
    ) -> anyhow::Result<Self> {
        let ports = [free_port()?, free_port()?, free_port()?];
        let [http, admin, watched] = ports.map(|port| format!("127.0.0.1:{port}"));
        let environment = [
            ("BOXOFFICE_SERVICE", service.to_owned()),
            ("BOXOFFICE_HTTP_ADDR", http.clone()),
            ("BOXOFFICE_ADMIN_ADDR", admin.clone()),
            ("BOXOFFICE_METRICS_ADDR", watched.clone()),
            ("BOXOFFICE_ADMIN_TOKEN", TOKEN.to_owned()),
            ("BOXOFFICE_REDIS_URL", redis.to_owned()),
            ("BOXOFFICE_KAFKA_BOOTSTRAP_SERVERS", kafka.to_owned()),
            ("BOXOFFICE_KAFKA_TOPIC", topic.to_owned()),
        ];
        let environment: Vec<_> = environment.into_iter().chain(more).collect();
        let process = Process::start(BINARY, environment.clone())?;
        let [http, admin, watched] = [http, admin, watched].map(|address| format!("http://{address}"));
        Ok(Self { process, http, admin, watched, binary: BINARY.to_owned(), environment })
    }

    /// Starts it again, where it was, as the worker of another version from now on; does not wait until it is ready.
    ///
    /// # Errors
    /// A binary that is not there.
    pub fn becomes(&mut self, binary: &str) -> anyhow::Result<()> {
        binary.clone_into(&mut self.binary);
        self.restart()
    }

    /// Waits until it is ready.
    ///
    /// # Errors
    /// It ends instead, or is not ready in time.
    pub async fn ready(&mut self) -> anyhow::Result<()> {
        self.process.ready(&format!("{}/readyz", self.watched)).await
    }

    /// Starts it again, where it was; does not wait until it is ready.
    ///
    /// # Errors
    /// A binary that is gone.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.process.kill();
        self.process = Process::start(&self.binary, self.environment.clone())?;
        Ok(())
    }

    /// Puts a SeatingEvent on sale.
    ///
    /// # Errors
    /// A definition that is refused.
    pub async fn provision(&self, event: &SeatingEventId, definition: &Value) -> anyhow::Result<()> {
        self.admin(Method::PUT, event, Some(definition)).await.map(drop)
    }

    /// How many seats are what, as the operator is told, and as of which domain event.
    ///
    /// # Errors
    /// No answer.
    pub async fn counts(&self, event: &SeatingEventId) -> anyhow::Result<(u64, SeatCounts)> {
        let answer = self.admin(Method::GET, event, None).await?;
        let sequence = answer["sequence"].as_u64().context("no sequence")?;
        Ok((sequence, serde_json::from_value(answer["seats"].clone())?))
    }

    async fn admin(
        &self,
        method: Method,
        event: &SeatingEventId,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let client = Client::builder().no_proxy().timeout(ANSWER).build()?;
        let request = client.request(method, format!("{}/admin/events/{event}", self.admin));
        let request = body.into_iter().fold(request.bearer_auth(TOKEN), RequestBuilder::json);
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{status} {text}");
        Ok(serde_json::from_str(&text)?)
    }
}
