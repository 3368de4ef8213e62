//! The command worker's admin API as the operator uses it (I8): definitions in, inventory out.

use std::time::Duration;

use boxoffice_domain::Definition;
use boxoffice_domain::definition::Phase;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Where the command worker of a service answers, unless the settings say otherwise.
pub const URL_TEMPLATE: &str = "http://{service}-command.{namespace}.svc:8082";

/// Where one of its pods answers, unless the settings say otherwise.
pub const POD_URL_TEMPLATE: &str = "http://{address}:{port}";

/// A service whose admin API is called.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub service: String,
    /// The bearer token from its Secret.
    pub token: String,
}

/// What the command worker knows about a SeatingEvent.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Inventory {
    /// The SeatingEvent.
    pub event_id: String,
    /// Fingerprint of its seats and prices.
    pub chart_hash: String,
    /// Digest of the whole definition; a worker of an earlier version does not say.
    #[serde(default)]
    pub definition_hash: Option<String>,
    /// Whether its sales are closed for good, until it is provisioned again.
    #[serde(default)]
    pub closed: bool,
    /// The partition of all its domain events (I4).
    pub partition: i32,
    /// The last domain event (I3).
    pub sequence: u64,
    /// When that happened, Unix milliseconds; a worker of an earlier version does not say.
    #[serde(default)]
    pub last_event_at: Option<u64>,
    /// Where the sale stands, by the worker's clock.
    pub phase: Phase,
    /// Seats by state.
    pub seats: Counts,
}

/// What the command worker made of a definition.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Provisioned {
    /// What it knows now.
    #[serde(flatten)]
    pub inventory: Inventory,
    /// The part that did not take effect; a worker of an earlier version refuses all or nothing, and does not say.
    #[serde(default)]
    pub refused: Option<Refused>,
}

/// The seat map of a definition, which is taken or refused whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Refused {
    /// The seats that stand in the way.
    #[serde(default)]
    pub seats: Vec<Conflict>,
}

/// Seats by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Counts {
    /// All of them.
    pub total: u64,
    /// Free.
    pub available: u64,
    /// Held.
    pub held: u64,
    /// Reserved.
    pub reserved: u64,
    /// Not for sale.
    pub blocked: u64,
}

/// What of all SeatingEvents of a service waits for Kafka.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outbox {
    /// Domain events that wait.
    pub depth: u64,
    /// How long the oldest has waited.
    pub oldest_seconds: u64,
}

/// What one command worker says about the Redis that it uses; one of an earlier version says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Stores {
    /// Lanes of its own that another Redis sells too.
    #[serde(default)]
    pub splits: u64,
    /// The masters that it uses.
    #[serde(default)]
    pub servers: Vec<RedisServer>,
}

/// A Redis master.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct RedisServer {
    /// Its address.
    pub address: String,
    /// What tells it from another one at that address.
    pub history: String,
}

/// The body of a refusal, `application/problem+json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Problem {
    /// Stable word for programs.
    #[serde(default)]
    pub code: String,
    /// A sentence for people.
    #[serde(default)]
    pub detail: String,
    /// The seats that stand in the way.
    #[serde(default)]
    pub conflicts: Vec<Conflict>,
}

/// What a service told about its SeatingEvents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// To ask with next time: then it tells what changed.
    pub cursor: String,
    /// Whether these are all of them, and not only those that changed.
    pub all: bool,
    /// Them.
    pub inventories: Vec<Inventory>,
    /// Those that are not there any more.
    pub gone: Vec<String>,
    /// Those that are there and cannot be read just now.
    pub unreadable: Vec<String>,
    /// Whether what is missing may be there all the same.
    pub is_partial: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Told {
    /// A worker of an earlier version knows no cursor.
    All(Vec<Inventory>),
    Changed {
        cursor: String,
        all: bool,
        events: Vec<Inventory>,
        gone: Vec<String>,
        /// A worker of an earlier version does not tell of any, and fails.
        #[serde(default)]
        unreadable: Vec<String>,
    },
}

/// What a definition would do to the seats.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Plan {
    /// Seats that there are not yet.
    pub added: Seats,
    /// Seats that there would not be any more.
    pub removed: Seats,
    /// Seats that it would take off sale.
    pub blocked: Seats,
    /// Seats that it would put back on sale.
    pub unblocked: Seats,
    /// Seats that somebody has, because of which none of it happens.
    pub refused: Vec<Conflict>,
}

/// Seats of which the first are named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Seats {
    /// How many there are.
    pub count: u64,
    /// The first of them.
    pub seats: Vec<String>,
}

/// A seat that stands in the way.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Conflict {
    /// Its id.
    pub seat_id: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// A call to the admin API that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdminError {
    /// There is no token: the service is gone, or was not reconciled yet.
    #[error("the service has no admin API yet")]
    Absent,
    /// No usable answer in time.
    #[error("the command worker at {url} does not answer: {detail}")]
    Unreachable {
        /// What was called.
        url: String,
        /// The client's own words.
        detail: String,
    },
    /// An answer that says no.
    #[error("the command worker answered {status} {code}: {detail}", code = problem.code, detail = problem.detail)]
    Refused {
        /// HTTP status.
        status: u16,
        /// The body.
        problem: Problem,
    },
}

impl AdminError {
    /// Whether nobody answered: what stands between, or nothing, is no worker.
    pub fn is_silence(&self) -> bool {
        match self {
            Self::Absent | Self::Unreachable { .. } => true,
            Self::Refused { status, problem } => *status >= 500 && problem.code == NO_PROBLEM,
        }
    }
}

/// The code of an answer that is no problem document: no worker's.
const NO_PROBLEM: &str = "UNKNOWN";
/// The header of a list in which something may be missing.
const PARTIAL: &str = "x-partial";
/// Longest wait for counts, which are asked for all the time: one worker that hangs must not make all others' old.
const COUNTS_TIMEOUT: Duration = Duration::from_secs(4);
/// Longest wait for the end of sales: well below how long a deletion waits for an answer.
const REMOVAL_TIMEOUT: Duration = Duration::from_secs(8);
/// Longest cursor that is sent back.
const LONGEST_CURSOR: usize = 4_096;
/// Longest wait for what a pod says of itself; pods are asked side by side.
pub const POD_TIMEOUT: Duration = Duration::from_secs(2);
/// Where pods have their admin API.
const ADMIN_PORT: u16 = 8082;
/// Where they are probed.
const PROBES_PORT: u16 = 9090;

/// The client, shared by all reconciles.
pub struct AdminApi {
    http: Client,
    template: String,
    pod_template: String,
}

/// What one command worker says about the Redis that it uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PodAnswer {
    /// This.
    Stores(Stores),
    /// Nothing to who shows this token.
    TokenRefused,
    /// Nothing in time, or nothing of use.
    Silent,
}

impl AdminApi {
    /// A client that finds services by `template`, in which `{service}` and `{namespace}` stand for the two names, and
    /// single pods by `pod_template`, in which `{address}` and `{port}` do too.
    pub fn new(template: String, pod_template: String) -> Result<Self, reqwest::Error> {
        let http = Client::builder()
            .connect_timeout(Duration::from_secs(3))
            .timeout(Duration::from_secs(15))
            .pool_idle_timeout(Duration::from_secs(30))
            .no_proxy()
            .build()?;
        Ok(Self { http, template, pod_template })
    }

    /// Makes the SeatingEvent's inventory as defined, as far as seats that are held or sold let it; repeating it changes
    /// nothing.
    pub async fn provision(
        &self,
        target: &Target,
        id: &str,
        definition: &Definition,
    ) -> Result<Provisioned, AdminError> {
        let path = format!("/admin/events/{id}");
        read(self.send(target, Method::PUT, &path, |request| request.json(definition)).await?).await
    }

    /// What the definition would do to the seats of a SeatingEvent that is there; nothing where the worker is of an earlier
    /// version, which does not say.
    pub async fn plan(
        &self,
        target: &Target,
        id: &str,
        definition: &Definition,
    ) -> Result<Option<Plan>, AdminError> {
        let path = format!("/admin/events/{id}/plan");
        let asked = self.send(target, Method::POST, &path, |request| request.json(definition)).await;
        match asked {
            Ok(response) => Ok(Some(read(response).await?)),
            Err(AdminError::Refused { status: 404 | 405, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The SeatingEvents of the service, with their counts: those that changed since the answer that gave `cursor`, or all
    /// where it is not known.
    pub async fn inventories(&self, target: &Target, cursor: &str) -> Result<Listing, AdminError> {
        let cursor = if is_cursor(cursor) { cursor } else { "" };
        let path = format!("/admin/events?cursor={cursor}");
        let response = self.send(target, Method::GET, &path, quickly).await?;
        let is_partial = response.headers().get(PARTIAL).is_some_and(|value| value == "true");
        Ok(match read(response).await? {
            Told::All(inventories) => {
                let (cursor, gone, unreadable) = (String::new(), Vec::new(), Vec::new());
                Listing { cursor, all: true, inventories, gone, unreadable, is_partial }
            }
            Told::Changed { cursor, all, events, gone, unreadable } => {
                Listing { cursor, all, inventories: events, gone, unreadable, is_partial }
            }
        })
    }

    /// What waits for Kafka.
    pub async fn outbox(&self, target: &Target) -> Result<Outbox, AdminError> {
        read(self.send(target, Method::GET, "/admin/outbox", at_once).await?).await
    }

    /// Closes the sales and keeps the seats. A SeatingEvent that is not there is no error.
    pub async fn close(&self, target: &Target, id: &str) -> Result<(), AdminError> {
        self.remove(target, &format!("/admin/events/{id}")).await
    }

    /// Closes the sales and forgets the seats, whoever has some. A SeatingEvent that is not there is no error.
    pub async fn purge(&self, target: &Target, id: &str) -> Result<(), AdminError> {
        self.remove(target, &format!("/admin/events/{id}?purge=true")).await
    }

    async fn remove(&self, target: &Target, path: &str) -> Result<(), AdminError> {
        match self.send(target, Method::DELETE, path, in_good_time).await {
            Ok(_) => Ok(()),
            Err(AdminError::Refused { problem, .. }) if problem.code == "EVENT_NOT_FOUND" => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// What the command worker in one pod says about the Redis that it uses.
    pub async fn stores(&self, target: &Target, pod_address: &str) -> PodAnswer {
        let base = self.pod(&target.namespace, &target.service, pod_address, ADMIN_PORT);
        let request = self.http.get(format!("{base}/admin/outbox"));
        let Ok(answer) = request.bearer_auth(&target.token).timeout(POD_TIMEOUT).send().await else {
            return PodAnswer::Silent;
        };
        match answer.status() {
            StatusCode::UNAUTHORIZED => PodAnswer::TokenRefused,
            status if status.is_success() => answer.json().await.map_or(PodAnswer::Silent, PodAnswer::Stores),
            _ => PodAnswer::Silent,
        }
    }

    /// What keeps a worker's pod from being ready, in its own words; nothing where it does not say.
    pub async fn obstacles(&self, namespace: &str, service: &str, pod_address: &str) -> Option<String> {
        let url = format!("{}/readyz", self.pod(namespace, service, pod_address, PROBES_PORT));
        let answer = self.http.get(url).timeout(POD_TIMEOUT).send().await.ok()?;
        if answer.status().is_success() {
            return None;
        }
        answer.text().await.ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    fn pod(&self, namespace: &str, service: &str, address: &str, port: u16) -> String {
        let address = bracketed(address);
        let template = self.pod_template.replace("{address}", &address).replace("{port}", &port.to_string());
        base(&template, namespace, service)
    }

    async fn send(
        &self,
        target: &Target,
        method: Method,
        path: &str,
        body: impl FnOnce(RequestBuilder) -> RequestBuilder + Send,
    ) -> Result<Response, AdminError> {
        let Target { namespace, service, token } = target;
        let url = format!("{}{path}", base(&self.template, namespace, service));
        let request = body(self.http.request(method, &url)).bearer_auth(token);
        let response = request.send().await.map_err(|error| unreachable(&url, &error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let problem = response.json().await.unwrap_or_else(|_| anonymous(status));
        Err(AdminError::Refused { status: status.as_u16(), problem })
    }
}

/// For what is asked again soon.
fn in_good_time(request: RequestBuilder) -> RequestBuilder {
    request.timeout(REMOVAL_TIMEOUT)
}

/// Whether a text can stand in a query as it is: what a worker calls a cursor is its own affair.
fn is_cursor(text: &str) -> bool {
    text.len() <= LONGEST_CURSOR
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_~".contains(&byte))
}

fn quickly(request: RequestBuilder) -> RequestBuilder {
    request.timeout(COUNTS_TIMEOUT)
}

fn at_once(request: RequestBuilder) -> RequestBuilder {
    request.timeout(POD_TIMEOUT)
}

async fn read<T: DeserializeOwned>(response: Response) -> Result<T, AdminError> {
    let url = response.url().to_string();
    response.json().await.map_err(|error| unreachable(&url, &error))
}

/// An address of the pod's network as it stands in a URL: one of IPv6 in brackets.
fn bracketed(address: &str) -> String {
    if address.contains(':') { format!("[{address}]") } else { address.to_owned() }
}

fn base(template: &str, namespace: &str, service: &str) -> String {
    template.replace("{namespace}", namespace).replace("{service}", service)
}

/// The innermost cause says what failed: "connection refused" rather than "error sending request".
fn unreachable(url: &str, error: &reqwest::Error) -> AdminError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    AdminError::Unreachable { url: url.to_owned(), detail: cause.to_string() }
}

fn anonymous(status: StatusCode) -> Problem {
    let detail = status.canonical_reason().unwrap_or("no reason given").to_owned();
    Problem { code: NO_PROBLEM.to_owned(), detail, conflicts: Vec::new() }
}

#[cfg(test)]
#[path = "admin_tests.rs"]
mod tests;
