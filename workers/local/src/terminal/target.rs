//! Finds the ReservationService that a command line means: by its address, or by its name in the cluster that the
//! kubeconfig names.

use std::fmt::Write;
use std::time::Duration;

use boxoffice_operator::reservation_service::names;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use reqwest::{RequestBuilder, Response};
use serde_json::Value;
use tokio::time::timeout;

use super::forward::Forward;
use crate::args::Target;
use crate::failure::Failure;

/// Longest wait for the cluster's API server.
const CLUSTER: Duration = Duration::from_secs(15);
/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// Which of a command worker's ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// Buyers' commands.
    Commands,
    /// The operator's.
    Admin,
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
}

/// A client whose connections are waited for only so long.
///
/// # Errors
/// A system without TLS.
pub fn client() -> Result<reqwest::Client, Failure> {
    let client = reqwest::Client::builder().connect_timeout(CONNECT).build();
    client.map_err(|error| Failure::Refused(format!("no HTTP client: {error}")))
}

/// Sends a request; an answer that is a problem is a failure that says what the problem is.
///
/// # Errors
/// A place that cannot be reached, or a problem.
pub async fn send(request: RequestBuilder, endpoint: &Endpoint) -> Result<Response, Failure> {
    let sent = request.send().await;
    let response = sent.map_err(|error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        Failure::Refused(format!("{} cannot be reached{cause}: is it running there?", endpoint.url))
    })?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let problem: Value = response.json().await.unwrap_or_default();
    Err(Failure::Refused(explain(&problem).unwrap_or_else(|| format!("{} answered {status}", endpoint.url))))
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
        let reached = timeout(CLUSTER, in_cluster(service, port)).await;
        reached.map_err(|_| Failure::Refused(format!("the cluster does not answer within {CLUSTER:?}")))?
    }
}

async fn in_cluster(service: &str, port: Port) -> Result<Endpoint, Failure> {
    let Some((namespace, name)) = service.split_once('/') else {
        return Err(Failure::Refused(format!(
            "--service {service}: expected namespace/name, such as tickets/main"
        )));
    };
    let failed = |error: kube::Error| Failure::Refused(format!("the cluster: {error}"));
    let client = Client::try_default().await.map_err(failed)?;
    let token = match port {
        Port::Commands => None,
        Port::Admin => {
            let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
            let secret = secrets.get(&names::admin_token(name)).await.map_err(failed)?;
            let token = secret.data.and_then(|mut data| data.remove(names::ADMIN_TOKEN_KEY));
            token.and_then(|token| String::from_utf8(token.0).ok())
        }
    };
    let number = match port {
        Port::Commands => 8080,
        Port::Admin => 8082,
    };
    let forward = Forward::to(client, namespace, name, number).await?;
    Ok(Endpoint { url: forward.url(), token, _forward: Some(forward) })
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
}
