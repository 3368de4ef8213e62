//! The cluster as a test sees it: resources by the Kubernetes API, seats by HTTP, facts by Kafka and PostgreSQL.

use std::collections::{BTreeSet, HashSet};
use std::ops::Deref;
use std::panic::AssertUnwindSafe;
use std::process::Stdio;
use std::time::Duration;

use boxoffice_crds::{ReservationService, SeatingEvent};
use boxoffice_domain::events::{Incoming, parse};
use boxoffice_domain::{DomainEvent, Envelope, SeatId};
use boxoffice_runtime::log::kafka::KafkaLog;
use boxoffice_tests::api_audit::ApiAudit;
use boxoffice_tests::conformance::event_log::read_all;
pub use boxoffice_tests::kubernetes::{Objects, condition, gone};
use boxoffice_tests::process::measured;
use boxoffice_tests::resources;
use boxoffice_tests::servers::unique;
use boxoffice_tests::wait::until_within;
use futures::FutureExt;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{Api, DeleteParams, ListParams};
use kube::{Client, ResourceExt};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// Pods are pulled, started, elected: a busy machine takes its time.
pub const PATIENCE: Duration = Duration::from_mins(3);

/// Repeats `probe` until it gives a value, as long as a cluster may take.
pub async fn until<T>(what: &str, probe: impl AsyncFnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, probe).await
}

pub struct Cluster {
    objects: Objects,
    pub kafka: String,
    pub reservations: String,
    http: reqwest::Client,
}

impl Cluster {
    pub async fn connect() -> Self {
        let objects = Objects { client: Client::try_default().await.unwrap() };
        // A connection that is kept leads to where the address of a Service led when it was made, which may have been
        // another Service's a moment before.
        let http = reqwest::Client::builder().timeout(Duration::from_secs(15)).pool_max_idle_per_host(0);
        let http = http.build().unwrap();
        Self { objects, kafka: setting("KAFKA"), reservations: setting("DATABASE_URL_RESERVATIONS"), http }
    }

    /// The ReservationService that `examples/` declare.
    pub fn examples(&self) -> Service<'_> {
        Service {
            cluster: self,
            namespace: "tickets".into(),
            command: setting("COMMAND_URL"),
            query: setting("QUERY_URL"),
        }
    }
}

impl Deref for Cluster {
    type Target = Objects;

    fn deref(&self) -> &Objects {
        &self.objects
    }
}

impl Cluster {
    /// A port of a Service, as this machine reaches it.
    pub async fn address(&self, namespace: &str, name: &str, port: u16) -> String {
        let service: k8s_openapi::api::core::v1::Service = self.api(namespace).get(name).await.unwrap();
        format!("http://{}:{port}", service.spec.unwrap().cluster_ip.unwrap())
    }

    /// The token of a service's admin API.
    pub async fn admin_token(&self, namespace: &str, service: &str) -> String {
        self.secret(namespace, &format!("{service}-admin-token"), "token").await.unwrap()
    }
}

pub fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `make test SUITES=cluster`"))
}

/// What a program says that is run to its end, no longer than a cluster may take.
pub async fn ran(program: &str, arguments: &[&str]) -> String {
    let mut command = tokio::process::Command::new(program);
    let ended = command.args(arguments).stdin(Stdio::null()).kill_on_drop(true).output();
    let output =
        tokio::time::timeout(PATIENCE, ended).await.unwrap_or_else(|_| panic!("{program} does not end"));
    let output = output.unwrap_or_else(|error| panic!("{program} does not run: {error}"));
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {}: {complained}", arguments.join(" "));
    String::from_utf8(output.stdout).unwrap()
}

/// What the operator asks of the API server from now on; nothing where that writes no audit log.
pub fn audit() -> Option<ApiAudit> {
    let log = std::env::var("AUDIT_LOG").ok().filter(|log| !log.is_empty())?;
    Some(ApiAudit::of("system:serviceaccount:boxoffice-system:boxoffice-operator".to_owned(), log.into()))
}

/// A running ReservationService and how to reach it.
pub struct Service<'a> {
    pub cluster: &'a Cluster,
    pub namespace: String,
    pub command: String,
    pub query: String,
}

impl Service<'_> {
    /// Sends a command; the status and the body.
    pub async fn command(
        &self,
        method: Method,
        path: &str,
        user: &str,
        headers: &[(&str, &str)],
    ) -> (u16, Value) {
        self.try_command(method, path, user, headers).await.unwrap()
    }

    /// The same while workers die: an error where there is no answer.
    pub async fn try_command(
        &self,
        method: Method,
        path: &str,
        user: &str,
        headers: &[(&str, &str)],
    ) -> reqwest::Result<(u16, Value)> {
        let mut request =
            self.cluster.http.request(method, format!("{}{path}", self.command)).header("x-user-id", user);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await?;
        Ok((response.status().as_u16(), response.json().await?))
    }

    /// Sells a seat to alice.
    pub async fn sell(&self, seat: &str) {
        for step in ["hold", "reserve"] {
            let (status, answer) = self.post(&format!("/seats/{seat}/{step}"), "alice").await;
            assert_eq!(status, 200, "{step} {seat}: {answer}");
        }
    }

    pub async fn post(&self, path: &str, user: &str) -> (u16, Value) {
        self.command(Method::POST, path, user, &[]).await
    }

    /// What the query role answers; null where it does not, as while its pods are replaced.
    pub async fn query(&self, path: &str) -> Value {
        let answer = self.cluster.http.get(format!("{}{path}", self.query)).send().await;
        match answer {
            Ok(answer) => answer.json().await.unwrap_or(Value::Null),
            Err(_) => Value::Null,
        }
    }

    /// What the query role tells operators; null where it does not answer.
    pub async fn figures(&self, path: &str) -> Value {
        let url = self.cluster.address(&self.namespace, "main-query", 8082).await;
        let token = self.cluster.admin_token(&self.namespace, "main").await;
        match self.cluster.http.get(format!("{url}{path}")).bearer_auth(token).send().await {
            Ok(answer) => answer.json().await.unwrap_or(Value::Null),
            Err(_) => Value::Null,
        }
    }

    /// Waits until the query role shows a seat with a status.
    pub async fn shows(&self, seat: &str, status: &str) {
        until(&format!("{seat} is {status}"), async || {
            let shown = self.query(&format!("/seats/{seat}")).await;
            (shown["status"] == status).then_some(())
        })
        .await;
    }

    /// A SeatingEvent of the test's own, ready for sale; deleted with the guard's [`SeatingEventHandle::remove`].
    pub async fn show(&self, change: impl FnOnce(&mut Value)) -> SeatingEventHandle<'_> {
        let id = unique("show");
        let mut resource = resources::show("main", &id);
        change(&mut resource);
        self.cluster.apply::<SeatingEvent>(&self.namespace, &resource).await.unwrap();
        let show = SeatingEventHandle { service: self, id };
        show.ready().await;
        // The query role knows it as soon as event.created has travelled.
        until(&format!("{} is shown", show.id), async || {
            (self.query(&format!("/events/{}", show.id)).await["eventId"] == show.id.as_str()).then_some(())
        })
        .await;
        show
    }
}

/// A SeatingEvent on sale.
pub struct SeatingEventHandle<'a> {
    service: &'a Service<'a>,
    pub id: String,
}

impl SeatingEventHandle<'_> {
    pub fn seat(&self, key: &str) -> String {
        format!("{}.{key}", self.id)
    }

    pub async fn resource(&self) -> SeatingEvent {
        self.service.cluster.api(&self.service.namespace).get(&self.id).await.unwrap()
    }

    pub async fn ready(&self) {
        let Service { cluster, namespace, .. } = self.service;
        cluster.condition::<SeatingEvent>(namespace, &self.id, "Ready", "True", None, PATIENCE).await;
    }

    /// Every domain event of it on the topic, in order, each once.
    pub async fn facts(&self, topic: &str) -> Vec<Envelope> {
        facts(&self.service.cluster.kafka, topic, &self.id).await
    }

    /// Waits until everybody knows what is sold: every seat on the log once (I1) and without a gap (I3), with all that buyers
    /// were told to have among them; each one row in PostgreSQL; counted by the query role and in the status.
    pub async fn has_sold(&self, acknowledged: &BTreeSet<SeatId>) {
        let facts = self.facts("seat-events").await;
        assert_gapless(&facts);
        let reserved = reserved_by(&facts);
        let lost: Vec<_> = acknowledged.difference(&reserved).collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
        let mut expected: Vec<_> = reserved.iter().map(|seat| (seat.to_string(), 1)).collect();
        expected.sort();
        until("PostgreSQL has every reservation once", async || {
            let mut rows = reserved_rows(&self.service.cluster.reservations, &self.id).await;
            rows.sort();
            (rows == expected).then_some(())
        })
        .await;
        until("the query role and the status count them", async || {
            let shown = self.service.query(&format!("/events/{}", self.id)).await;
            let (status, count) = (json!(self.resource().await.status), json!(reserved.len()));
            (shown["seats"]["reserved"] == count && status["seats"]["reserved"] == count).then_some(())
        })
        .await;
    }

    pub async fn remove(self) {
        let Service { cluster, namespace, .. } = self.service;
        cluster.delete::<SeatingEvent>(namespace, &self.id).await;
        cluster.gone::<SeatingEvent>(namespace, &self.id, PATIENCE).await;
    }
}

/// Reads a topic to its end and keeps the first occurrence of each domain event of one SeatingEvent.
pub async fn facts(kafka: &str, topic: &str, id: &str) -> Vec<Envelope> {
    let log = KafkaLog::new(kafka).unwrap();
    let mut seen = HashSet::new();
    let mut facts = Vec::new();
    for record in read_all(&log, topic).await {
        let Incoming::Known(envelope) = parse(&record.value).unwrap() else { continue };
        if record.key == id && seen.insert(envelope.event_id) {
            facts.push(envelope);
        }
    }
    facts
}

/// The seats that have a row of a live reservation, each with how many.
pub async fn reserved_rows(url: &str, id: &str) -> Vec<(String, i64)> {
    let mut database = PgConnection::connect(url).await.unwrap();
    let rows = sqlx::query_as(
        "SELECT s.seat_id, count(*) FROM reservation_seats s JOIN reservations r USING (reservation_id) \
         WHERE r.event_id = $1 AND s.released_at IS NULL GROUP BY s.seat_id ORDER BY s.seat_id",
    );
    rows.bind(id).fetch_all(&mut database).await.unwrap()
}

pub fn is_true(condition: &Value) -> bool {
    condition["status"] == "True"
}

/// Runs `body` with a namespace that is deleted afterwards, with its databases, also when the body fails.
pub async fn with_namespace(cluster: &Cluster, body: impl AsyncFnOnce(&str)) {
    let name = cluster.namespace("e2e").await;
    for view in VIEWS {
        database(&format!("CREATE DATABASE {}", database_name(&name, view))).await;
    }
    let outcome = AssertUnwindSafe(body(&name)).catch_unwind().await;
    // SeatingEvents first: where their workers go before them they wait half a minute for an answer.
    for show in cluster.list::<SeatingEvent>(&name, "").await {
        cluster.delete::<SeatingEvent>(&name, &show.name_any()).await;
        cluster.gone::<SeatingEvent>(&name, &show.name_any(), PATIENCE).await;
    }
    let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
    // A test may have deleted it itself.
    drop(namespaces.delete(&name, &DeleteParams::default()).await);
    gone(&namespaces, &name, PATIENCE).await;
    for view in VIEWS {
        database(&format!("DROP DATABASE {} WITH (FORCE)", database_name(&name, view))).await;
    }
    if let Err(failure) = outcome {
        std::panic::resume_unwind(failure);
    }
}

const VIEWS: [&str; 3] = ["view", "reservations", "stats"];

fn database_name(namespace: &str, view: &str) -> String {
    format!("{}_{view}", namespace.replace('-', "_"))
}

async fn database(statement: &str) {
    let mut connection = PgConnection::connect(&setting("DATABASE_URL_VIEW")).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
}

/// The URL of a view's database of a namespace that [`with_namespace`] made.
pub fn database_url(namespace: &str, view: &str) -> String {
    let base = setting("DATABASE_URL_VIEW");
    let (server, _) = base.rsplit_once('/').unwrap();
    format!("{server}/{}", database_name(namespace, view))
}

/// A small ReservationService `main` of a namespace, with topics and groups of its own.
pub fn service_resource(namespace: &str) -> Value {
    let consumer = |name, view| resources::consumer(name, name, &database_url(namespace, view));
    let mut resource = resources::service("main", "kafka.tickets:9092", &format!("{namespace}-"));
    let spec = &mut resource["spec"];
    spec["redis"]["url"] = json!("redis://redis.tickets:6379");
    spec["kafka"]["topic"]["partitions"] = json!(3);
    spec["consumers"] = json!([
        consumer("seat-view", "view"),
        consumer("persistence", "reservations"),
        consumer("stats", "stats")
    ]);
    resource
}

/// Applies a ReservationService and waits until it is Ready.
pub async fn service<'a>(cluster: &'a Cluster, namespace: &str, resource: &Value) -> Service<'a> {
    cluster.apply::<ReservationService>(namespace, resource).await.unwrap();
    main_of(cluster, namespace).await
}

/// Waits until the ReservationService of a namespace is Ready.
pub async fn main_of<'a>(cluster: &'a Cluster, namespace: &str) -> Service<'a> {
    cluster.condition::<ReservationService>(namespace, "main", "Ready", "True", None, PATIENCE).await;
    Service {
        cluster,
        namespace: namespace.to_owned(),
        command: cluster.address(namespace, "main-command", 8080).await,
        query: cluster.address(namespace, "main-query", 8081).await,
    }
}

/// The keys of the seats that facts say are reserved at the end.
fn reserved_by(facts: &[Envelope]) -> BTreeSet<SeatId> {
    let mut reserved = BTreeSet::new();
    for fact in facts {
        match &fact.event {
            DomainEvent::SeatReserved(e) => {
                assert!(reserved.insert(e.seat_id.clone()), "I1: {} twice", e.seat_id);
            }
            DomainEvent::SeatReleased(e) => {
                reserved.remove(&e.seat_id);
            }
            _ => {}
        }
    }
    reserved
}

/// I3: sequences 1, 2, 3 ... in the order of their first occurrence.
pub fn assert_gapless(facts: &[Envelope]) {
    let sequences: Vec<_> = facts.iter().filter_map(|fact| fact.metadata.sequence).collect();
    assert_eq!(sequences, (1..=facts.len() as u64).collect::<Vec<_>>(), "I3");
}

/// Waits until no pod is leaving: of tests before this one.
pub async fn settled(cluster: &Cluster, namespaces: &[&str]) {
    until("no pod is leaving", async || {
        for namespace in namespaces {
            let pods = cluster.list::<Pod>(namespace, "").await;
            if pods.iter().any(|pod| pod.metadata.deletion_timestamp.is_some()) {
                return None;
            }
        }
        Some(())
    })
    .await;
}

/// Waits until ReservationServices were reconciled so many times more.
pub async fn is_reconciled(cluster: &Cluster, times: f64) {
    let done = reconciles(cluster).await;
    until("the service is reconciled again", async || {
        (reconciles(cluster).await >= done + times).then_some(())
    })
    .await;
}

/// Reconciles of ReservationServices completed, by the operator's metrics.
async fn reconciles(cluster: &Cluster) -> f64 {
    const COUNTER: &str =
        "boxoffice_operator_reconciles_total{controller=\"reservation-service\",result=\"completed\"} ";
    let pods = cluster.api::<Pod>("boxoffice-system").list(&ListParams::default()).await.unwrap();
    let mut done = 0.0;
    for pod in pods {
        let path = format!("/api/v1/namespaces/boxoffice-system/pods/{}:9090/proxy/metrics", pod.name_any());
        let request = http::Request::get(path).body(vec![]).unwrap();
        let Ok(text) = cluster.client.request_text(request).await else { continue };
        done += measured(&text, COUNTER);
    }
    done
}
