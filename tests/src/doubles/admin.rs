//! Command workers as the operator knows them: the admin APIs of as many ReservationServices as it asks for, in one process
//! and at one address, and of their pods.
//!
//! What answers is the worker's own code on the seat store that needs no server, so what a definition becomes is no guess;
//! only the outbox is made up: nothing is published here. Each service does what a test tells it: it answers, hangs, refuses,
//! takes some tokens alone, or is another process altogether.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, ensure};
use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use boxoffice_command::app::{App, Ports, Settings};
use boxoffice_command::durability::{Durability, Guarantee};
use boxoffice_command::recover::NothingIsLost;
use boxoffice_command::store::embedded::EmbeddedSeats;
use boxoffice_command::store::embedded::journal::{SeatJournal, Ticket, Write};
use boxoffice_command::store::{Inventory, SeatStore, StoreError};
use boxoffice_domain::SeatingEventId;
use boxoffice_runtime::clock;
use boxoffice_runtime::health::Readiness;
use boxoffice_runtime::http::{AdminToken, HttpLayer, Problem, guarded, json_alone, service};
use boxoffice_runtime::identity::Identity;
use boxoffice_runtime::log::{Appender, EventLog, LogError, Subscription, Tail};
use boxoffice_runtime::record::NewRecord;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tower::ServiceExt;
use uuid::Uuid;

/// Longest body that is taken.
const MAX_BODY_BYTES: usize = 1 << 20;
/// Longest wait for a worker that stands behind this one.
const FORWARDED: Duration = Duration::from_secs(15);

/// How a service or a pod takes a call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Manner {
    /// As the command worker does.
    #[default]
    Answers,
    /// Never says a word.
    Hangs,
    /// Says nothing but this.
    Refuses(StatusCode),
    /// Is a worker at another address, which is asked.
    Forwards(String),
}

/// What sets a pod apart from others of its service.
#[derive(Debug, Clone, Default)]
pub struct Pod {
    /// How it takes a call.
    pub manner: Manner,
    /// What it says on `/readyz` that it lacks, a line a part: `redis: connection refused`; it is ready where it lacks
    /// nothing.
    pub obstacles: Option<String>,
    /// What it says on `/admin/outbox`.
    pub outbox: Option<Value>,
}

/// A call, as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// GET, PUT, DELETE.
    pub method: Method,
    /// From `/admin` on.
    pub path: String,
    /// The address of the pod that was asked, where it was not the service.
    pub pod: Option<String>,
    /// What was answered; nothing yet where it hangs.
    pub status: Option<u16>,
}

/// The workers; they are gone when dropped.
pub struct CommandWorkers {
    addr: SocketAddr,
    shared: Arc<Shared>,
    _serving: AbortOnDropHandle<()>,
}

type Name = (String, String);

#[derive(Default)]
struct Shared {
    services: Mutex<BTreeMap<Name, Service>>,
    http: reqwest::Client,
}

struct Service {
    seats: Arc<Seats>,
    routes: Router,
    /// The same for whoever is not let in.
    locked: Router,
    manner: Manner,
    /// Pods that do not as the service does, by address.
    pods: BTreeMap<String, Pod>,
    outbox: Value,
    /// Those that are let in; where there are none, everybody who shows one.
    tokens: BTreeSet<String>,
    calls: Vec<Call>,
}

type Seats = EmbeddedSeats<Unkept>;

impl CommandWorkers {
    /// Workers of every service there may be, each with nothing on sale.
    pub async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let routes = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let (addr, serving) = super::serve(routes, 0).await;
        Self { addr, shared, _serving: serving }
    }

    /// For `--admin-url-template`.
    pub fn url_template(&self) -> String {
        format!("http://{}/services/{{namespace}}/{{service}}", self.addr)
    }

    /// For `--pod-url-template`.
    pub fn pod_url_template(&self) -> String {
        format!("http://{}/pods/{{namespace}}/{{service}}/{{address}}", self.addr)
    }

    /// Where one service is.
    pub fn url(&self, namespace: &str, service: &str) -> String {
        format!("http://{}/services/{namespace}/{service}", self.addr)
    }

    /// How a service takes calls from now on.
    pub fn take(&self, namespace: &str, service: &str, manner: Manner) {
        self.shared.with(namespace, service, |it| it.manner = manner);
    }

    /// How one of its pods does, by its address; the others do as the service.
    pub fn pod(&self, namespace: &str, service: &str, address: &str, pod: Pod) {
        self.shared.with(namespace, service, |it| drop(it.pods.insert(address.to_owned(), pod)));
    }

    /// Changes what `GET /admin/outbox` says, of the service and of its pods that say nothing else.
    pub fn outbox(&self, namespace: &str, service: &str, change: impl FnOnce(&mut Value)) {
        self.shared.with(namespace, service, |it| change(&mut it.outbox));
    }

    /// Lets in these tokens alone.
    pub fn admit(&self, namespace: &str, service: &str, tokens: &[&str]) {
        let tokens = tokens.iter().map(ToString::to_string).collect();
        self.shared.with(namespace, service, |it| it.tokens = tokens);
    }

    /// Forgets all seats of a service, as a Redis does that comes back empty.
    pub fn lose(&self, namespace: &str, service: &str) {
        self.shared.with(namespace, service, |it| {
            let fresh = Service::new(&format!("{namespace}/{service}"));
            (it.seats, it.routes, it.locked) = (fresh.seats, fresh.routes, fresh.locked);
        });
    }

    /// Every call so far, to a service and its pods.
    pub fn calls(&self, namespace: &str, service: &str) -> Vec<Call> {
        self.shared.with(namespace, service, |it| it.calls.clone())
    }

    /// How many calls of a method all services had together.
    pub fn count(&self, method: &Method) -> usize {
        let services = self.shared.services();
        services.values().flat_map(|it| &it.calls).filter(|call| call.method == *method).count()
    }

    /// What a service has of a SeatingEvent.
    pub async fn inventory(&self, namespace: &str, service: &str, event: &str) -> Option<Inventory> {
        let seats = self.shared.with(namespace, service, |it| Arc::clone(&it.seats));
        let event: SeatingEventId = event.parse().ok()?;
        seats.inventory(&event).await.ok().flatten()
    }

    /// Has a buyer hold and reserve so many seats of a SeatingEvent, the best ones.
    ///
    /// # Errors
    /// Sales that are not open, or too few seats.
    pub async fn sell(
        &self,
        namespace: &str,
        service: &str,
        event: &str,
        quantity: u32,
    ) -> anyhow::Result<Value> {
        let wish = json!({"bestAvailable": {"quantity": quantity, "together": "preferred"}});
        let held = self.buy(namespace, service, &format!("/events/{event}/holds"), &wish).await?;
        let id = held["holdId"].as_str().context("no holdId")?.to_owned();
        self.buy(namespace, service, &format!("/holds/{id}/reserve"), &json!({})).await
    }

    async fn buy(&self, namespace: &str, service: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.url(namespace, service));
        let answer = self.shared.http.post(url).header("x-user-id", "alice").json(body).send().await?;
        let (status, answer) = (answer.status(), answer.json::<Value>().await?);
        ensure!(status.is_success(), "{status}: {answer}");
        Ok(answer)
    }
}

impl Service {
    fn new(name: &str) -> Self {
        let seats = Arc::new(Seats::new(Unkept, Arc::new(clock::now), []));
        let app = App::new(
            Ports {
                store: Arc::clone(&seats),
                log: Arc::new(OnePartition),
                recovery: Arc::new(NothingIsLost),
                snapshots: None,
                archives: None,
            },
            settings(name),
            Default::default(),
            Readiness::default(),
            CancellationToken::new(),
        );
        let routes = json_alone(app.operators()).merge(app.buyers());
        let layer = HttpLayer::new(&mut Registry::default());
        let locked = service(guarded(app.operators(), nobody()), layer.clone());
        let routes = service(routes, layer);
        let outbox = json!({"events": 0, "depth": 0, "oldestSeconds": 0, "splits": 0, "servers": []});
        let (manner, tokens, calls) = (Manner::default(), BTreeSet::new(), Vec::new());
        Self { seats, routes, locked, manner, pods: BTreeMap::new(), outbox, tokens, calls }
    }
}

/// A token that nobody has.
fn nobody() -> AdminToken {
    match AdminToken::new(Uuid::new_v4().to_string()) {
        Ok(token) => token,
        Err(error) => panic!("{error}"),
    }
}

fn settings(service: &str) -> Settings {
    Settings {
        service: service.to_owned(),
        topic: "seats".to_owned(),
        stats_topic: "stats".to_owned(),
        payment_topic: "payments".to_owned(),
        // Nothing is ever published, so nobody waits for it.
        durability: Durability { hold: Guarantee::Redis, reserve: Guarantee::Redis },
        identity: Identity::by_header(),
        requests_per_user_per_second: None,
        max_body_bytes: MAX_BODY_BYTES,
        payments: None,
        drain: Duration::ZERO,
    }
}

impl Shared {
    fn services(&self) -> MutexGuard<'_, BTreeMap<Name, Service>> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, namespace: &str, service: &str, look: impl FnOnce(&mut Service) -> T) -> T {
        let mut services = self.services();
        let name = (namespace.to_owned(), service.to_owned());
        look(services.entry(name).or_insert_with(|| Service::new(&format!("{namespace}/{service}"))))
    }
}

/// Whom a request is for, and what it asks of them.
struct Asked {
    namespace: String,
    service: String,
    /// Its address.
    pod: Option<String>,
    path: String,
}

impl Asked {
    /// Of `/services/<namespace>/<service>/...` or `/pods/<namespace>/<service>/<address>/...`.
    fn of(path: &str) -> Option<Self> {
        let (kind, rest) = path.strip_prefix('/')?.split_once('/')?;
        let (namespace, rest) = rest.split_once('/')?;
        let (service, rest) = rest.split_once('/')?;
        let (pod, path) = match kind {
            "services" => (None, rest),
            "pods" => rest.split_once('/').map(|(pod, path)| (Some(pod.to_owned()), path))?,
            _ => return None,
        };
        let (namespace, service) = (namespace.to_owned(), service.to_owned());
        Some(Self { namespace, service, pod, path: format!("/{path}") })
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let Some(asked) = Asked::of(request.uri().path()) else { return Problem::no_route().into_response() };
    let told = asked.path.starts_with("/admin") || asked.path == "/readyz";
    let (method, path, pod) = (request.method().clone(), asked.path.clone(), asked.pod.clone());
    let place = shared.with(&asked.namespace, &asked.service, |it| {
        it.calls.extend(told.then_some(Call { method, path, pod, status: None }));
        it.calls.len().saturating_sub(1)
    });
    let response = respond(&shared, &asked, request).await;
    shared.with(&asked.namespace, &asked.service, |it| {
        if let (true, Some(call)) = (told, it.calls.get_mut(place)) {
            call.status = Some(response.status().as_u16());
        }
    });
    response
}

async fn respond(shared: &Shared, asked: &Asked, mut request: Request) -> Response {
    let (manner, routes, outbox, obstacles, admitted) = shared.with(&asked.namespace, &asked.service, |it| {
        let pod = asked.pod.as_ref().and_then(|pod| it.pods.get(pod));
        let manner = pod.map_or(&it.manner, |pod| &pod.manner).clone();
        let obstacles = pod.and_then(|pod| pod.obstacles.clone());
        let outbox = pod.and_then(|pod| pod.outbox.as_ref()).unwrap_or(&it.outbox).clone();
        let admitted = !asked.path.starts_with("/admin") || it.admits(&request);
        let routes = if admitted { &it.routes } else { &it.locked };
        (manner, routes.clone(), outbox, obstacles, admitted)
    });
    match manner {
        Manner::Hangs => std::future::pending().await,
        Manner::Refuses(status) => return status.into_response(),
        Manner::Forwards(url) => {
            return forward(&shared.http, &format!("{url}{}", asked.path), request).await;
        }
        Manner::Answers => {}
    }
    if asked.path == "/readyz" {
        return match obstacles {
            Some(obstacles) => (StatusCode::SERVICE_UNAVAILABLE, obstacles).into_response(),
            None => "ok".into_response(),
        };
    }
    if asked.path == "/admin/outbox" && admitted {
        return Json(outbox).into_response();
    }
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    match format!("{}{query}", asked.path).parse::<Uri>() {
        Ok(uri) => *request.uri_mut() = uri,
        Err(_) => return Problem::no_route().into_response(),
    }
    routes.oneshot(request).await.into_response()
}

impl Service {
    fn admits(&self, request: &Request) -> bool {
        let shown = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let shown = shown.and_then(|value| value.strip_prefix("Bearer "));
        shown.is_some_and(|token| self.tokens.is_empty() || self.tokens.contains(token))
    }
}

/// Asks the worker that stands behind this one.
async fn forward(http: &reqwest::Client, url: &str, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let mut asked = http.request(parts.method, format!("{url}{query}")).timeout(FORWARDED).body(body);
    for name in [header::AUTHORIZATION, header::CONTENT_TYPE] {
        if let Some(value) = parts.headers.get(&name) {
            asked = asked.header(name, value);
        }
    }
    let Ok(answer) = asked.send().await else { return StatusCode::BAD_GATEWAY.into_response() };
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut response = (status, Body::from(answer.bytes().await.unwrap_or_default())).into_response();
    for (name, value) in &headers {
        if name != header::TRANSFER_ENCODING && name != header::CONTENT_LENGTH {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

/// Keeps nothing: what these workers know is gone with them.
struct Unkept;

#[async_trait]
impl SeatJournal for Unkept {
    fn write(&self, _: Write) -> Ticket {
        Ticket::default()
    }

    async fn committed(&self, _: Ticket) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A log with one partition to a topic, of which nobody reads.
struct OnePartition;

fn nothing<T>() -> Result<T, LogError> {
    Err(LogError::Unavailable("these workers publish nothing".to_owned()))
}

#[async_trait]
impl EventLog for OnePartition {
    async fn publish(&self, _: &str, _: Vec<NewRecord>) -> Result<(), LogError> {
        nothing()
    }

    async fn appender(&self, _: &str) -> Result<Box<dyn Appender>, LogError> {
        nothing()
    }

    async fn partitions(&self, _: &str) -> Result<u32, LogError> {
        Ok(1)
    }

    async fn bounds(&self, _: &str, _: u32) -> Result<(u64, u64), LogError> {
        nothing()
    }

    async fn tail(&self, _: &str, _: Vec<(u32, u64)>) -> Result<Box<dyn Tail>, LogError> {
        nothing()
    }

    async fn subscribe(&self, _: &str, _: &[String]) -> Result<Box<dyn Subscription>, LogError> {
        nothing()
    }
}
