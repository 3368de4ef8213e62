//! Finds the ReservationService that a command line means: by its address, or by its name in the cluster that the
//! kubeconfig names.

use std::fmt::Write;
use std::time::Duration;

use boxoffice_operator::reservation_service::names;
use boxoffice_operator::reservation_service::token_secret::of_content;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use reqwest::header::RETRY_AFTER;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::Value;
use tokio::time::timeout;

use super::forward::Forward;
use super::pods::Pods;
use crate::args::{Admin, Target};
use crate::failure::Failure;

/// Longest wait for the cluster's API server.
const CLUSTER: Duration = Duration::from_secs(15);
/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How often a request is sent in all.
const ATTEMPTS: u32 = 4;
/// Pause before it is sent again where the answer does not say how long.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest pause that an answer can ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Which of the workers' ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// Buyers' commands.
    Commands,
    /// The command worker's for operators.
    Admin,
    /// Buyers' queries.
    Queries,
    /// The query worker's for operators.
    Figures,
}

impl Port {
    pub(crate) fn number(self) -> u16 {
        match self {
            Self::Commands => 8080,
            Self::Queries => 8081,
            Self::Admin | Self::Figures => 8082,
        }
    }

    /// The workers that have it.
    pub(crate) fn component(self) -> &'static str {
        match self {
            Self::Commands | Self::Admin => names::COMMAND,
            Self::Queries | Self::Figures => names::QUERY,
        }
    }

    /// Whether it asks for the admin token.
    fn is_operators(self) -> bool {
        match self {
            Self::Admin | Self::Figures => true,
            Self::Commands | Self::Queries => false,
        }
    }
}

/// A place to send requests to.
#[derive(Debug)]
pub struct Endpoint {
    /// Base URL, without a slash at its end.
    pub url: String,
    /// The admin API's bearer token, where one is known.
    pub token: Option<String>,
    /// Ends with the endpoint.
    _forward: Option<Forward>,
}

impl Endpoint {
    /// The place at `url`.
    pub fn at(url: &str, token: Option<String>) -> Self {
        Self { url: url.trim_end_matches('/').to_owned(), token, _forward: None }
    }

    /// The same with another token, where one is given.
    #[must_use]
    pub fn with_token(self, token: Option<String>) -> Self {
        Self { token: token.or(self.token), ..self }
    }

    /// The request with the token, where one is known.
    pub fn authorize(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}

/// Why there is no good answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What the person who asked reads.
    pub text: String,
    /// The pause after which the same request may be answered otherwise, if it may.
    pub again: Option<Duration>,
}

impl From<Refusal> for Failure {
    fn from(Refusal { text, again: _ }: Refusal) -> Self {
        Self::Refused(text)
    }
}

/// A client whose connections are waited for only so long.
///
/// # Errors
/// A system without TLS.
pub fn client() -> Result<reqwest::Client, Failure> {
    let client = reqwest::Client::builder().connect_timeout(CONNECT).build();
    client.map_err(|error| Failure::Refused(format!("no HTTP client: {error}")))
}

/// Sends a request; an answer that is a problem is a refusal that says what the problem is.
///
/// # Errors
/// A place that cannot be reached, or a problem.
pub async fn send(request: RequestBuilder, endpoint: &Endpoint) -> Result<Response, Refusal> {
    let response = request.send().await.map_err(|error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        let text = format!("{} cannot be reached{cause}: is it running there?", endpoint.url);
        // Broken off on the way: whoever answers knows whether it was done.
        let broke_off = !error.is_connect() && !error.is_timeout();
        Refusal { text, again: broke_off.then_some(PAUSE) }
    })?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let retry_after =
        response.headers().get(RETRY_AFTER).and_then(|seconds| seconds.to_str().ok()?.parse().ok());
    let problem: Value = response.json().await.unwrap_or_default();
    let text = explain(&problem).unwrap_or_else(|| format!("{} answered {status}", endpoint.url));
    Err(Refusal { text, again: pause(status, &problem, retry_after) })
}

/// Sends a request that can be repeated without harm, and repeats it while that may help: a platform that is
/// restarting, or an answer that is not yet as durable as promised.
///
/// # Errors
/// The last refusal.
pub async fn send_patiently(request: RequestBuilder, endpoint: &Endpoint) -> Result<Response, Refusal> {
    for _ in 1..ATTEMPTS {
        let Some(copy) = request.try_clone() else { break };
        match send(copy, endpoint).await {
            Err(Refusal { again: Some(pause), text }) => {
                tracing::info!(?pause, "it is sent again: {text}");
                tokio::time::sleep(pause).await;
            }
            answered => return answered,
        }
    }
    send(request, endpoint).await
}

/// How long to wait before the same request is sent again, where the problem says that this may help.
fn pause(status: StatusCode, problem: &Value, retry_after: Option<u64>) -> Option<Duration> {
    let passes = status == StatusCode::SERVICE_UNAVAILABLE || problem["code"] == "IDEMPOTENCY_IN_FLIGHT";
    passes.then(|| retry_after.map_or(PAUSE, Duration::from_secs).min(LONGEST_PAUSE))
}

/// A problem in one line a conflict.
fn explain(problem: &Value) -> Option<String> {
    let text = |of: &Value, name: &str| of[name].as_str().map(str::to_owned);
    let mut lines = format!("{}: {}", text(problem, "code")?, text(problem, "detail")?);
    for conflict in problem["conflicts"].as_array().into_iter().flatten() {
        let (seat, reason) = (text(conflict, "seatId")?, text(conflict, "reason")?);
        _ = write!(lines, "\n  {seat} {reason}");
    }
    if let Some(correlation) = text(problem, "correlationId") {
        _ = write!(lines, "\n  correlation id {correlation}");
    }
    Some(lines)
}

impl Target {
    /// Where to send requests.
    ///
    /// # Errors
    /// A service that is not in the cluster, or has no pod that is ready.
    pub async fn reach(&self, port: Port) -> Result<Endpoint, Failure> {
        let Some(service) = &self.service else { return Ok(Endpoint::at(&self.command_url, None)) };
        reach(service, port).await
    }
}

impl Admin {
    /// Where to send requests of operators.
    ///
    /// # Errors
    /// A service that is not in the cluster, or has no pod that is ready.
    pub async fn reach(self) -> Result<Endpoint, Failure> {
        let Self { target, admin_url, admin_token } = self;
        let endpoint = match admin_url {
            Some(url) => Endpoint::at(&url, None),
            None => target.reach(Port::Admin).await?,
        };
        Ok(endpoint.with_token(admin_token))
    }
}

/// A port of a ReservationService in the cluster, named as namespace/name.
///
/// # Errors
/// A service that is not in the cluster, or has no pod that is ready.
pub async fn reach(service: &str, port: Port) -> Result<Endpoint, Failure> {
    let reached = timeout(CLUSTER, in_cluster(service, port)).await;
    reached.map_err(|_| silent())?
}

async fn in_cluster(service: &str, port: Port) -> Result<Endpoint, Failure> {
    let service = Clustered::of(service).await?;
    let token = if port.is_operators() { service.admin_token().await? } else { None };
    let forward = Forward::to(service.pods(port), port.number()).await?;
    Ok(Endpoint { url: forward.url(), token, _forward: Some(forward) })
}

/// A ReservationService of the cluster that the kubeconfig names.
pub struct Clustered<'a> {
    client: Client,
    namespace: &'a str,
    name: &'a str,
}

impl<'a> Clustered<'a> {
    /// The one that is named as namespace/name; it may not be there.
    ///
    /// # Errors
    /// A name that is none, or no kubeconfig.
    pub async fn of(service: &'a str) -> Result<Self, Failure> {
        let Some((namespace, name)) = service.split_once('/') else {
            return Err(Failure::Usage(format!(
                "--service {service}: expected namespace/name, such as tickets/main"
            )));
        };
        let client = Client::try_default().await.map_err(|error| of_cluster(&error))?;
        Ok(Self { client, namespace, name })
    }

    /// The bearer token of its admin APIs.
    ///
    /// # Errors
    /// A Secret that is not there, or that this user may not read.
    pub async fn admin_token(&self) -> Result<Option<String>, Failure> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), self.namespace);
        let secret = timeout(CLUSTER, secrets.get(&names::admin_token(self.name))).await;
        let secret = secret.map_err(|_| silent())?.map_err(|error| of_cluster(&error))?;
        Ok(secret.data.as_ref().and_then(of_content))
    }

    /// The pods of all its workers.
    pub fn all(&self) -> Pods {
        Pods::of_all(self.client.clone(), self.namespace, self.name)
    }

    /// The pods that have a port.
    pub fn pods(&self, port: Port) -> Pods {
        Pods::of(self.client.clone(), self.namespace, self.name, port.component())
    }
}

fn of_cluster(error: &kube::Error) -> Failure {
    Failure::Refused(format!("the cluster: {error}"))
}

fn silent() -> Failure {
    Failure::Refused(format!("the cluster does not answer within {CLUSTER:?}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_problem_says_what_is_wrong_with_each_seat() {
        let problem = json!({
            "code": "SEAT_NOT_AVAILABLE", "detail": "not every seat is available", "correlationId": "c-1",
            "conflicts": [{"seatId": "arena.A-1-1", "reason": "HELD"}, {"seatId": "arena.A-1-2", "reason": "BLOCKED"}]
        });
        let expected = "SEAT_NOT_AVAILABLE: not every seat is available\n  arena.A-1-1 HELD\n  arena.A-1-2 BLOCKED\n  \
                        correlation id c-1";
        assert_eq!(explain(&problem).as_deref(), Some(expected));
        assert_eq!(explain(&json!({"anything": "else"})), None);
    }

    #[test]
    fn only_what_passes_is_asked_again() {
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        let in_flight = json!({"code": "IDEMPOTENCY_IN_FLIGHT"});
        assert_eq!(pause(unavailable, &Value::Null, None), Some(PAUSE));
        assert_eq!(pause(unavailable, &Value::Null, Some(2)), Some(Duration::from_secs(2)));
        assert_eq!(pause(unavailable, &Value::Null, Some(600)), Some(LONGEST_PAUSE));
        assert_eq!(pause(StatusCode::CONFLICT, &in_flight, None), Some(PAUSE));
        assert_eq!(pause(StatusCode::CONFLICT, &json!({"code": "SEAT_NOT_AVAILABLE"}), None), None);
        assert_eq!(pause(StatusCode::TOO_MANY_REQUESTS, &Value::Null, Some(1)), None);
    }
}
