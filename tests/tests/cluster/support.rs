//! The cluster as a test sees it: resources by the Kubernetes API, seats by HTTP, facts by Kafka and PostgreSQL.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use boxoffice_crds::{ReservationService, SeatingEvent};
use boxoffice_domain::events::{Incoming, parse};
use boxoffice_domain::{Envelope, SeatId};
use boxoffice_runtime::log::kafka::KafkaLog;
use boxoffice_tests::api_audit::ApiAudit;
use boxoffice_tests::conformance::event_log::read_all;
use boxoffice_tests::wait::within;
use futures::FutureExt;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use kube::{Client, Resource, ResourceExt};
use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

/// Pods are pulled, started, elected: a busy machine takes its time.
pub const PATIENCE: Duration = Duration::from_mins(3);

/// Repeats `probe` until it gives a value, as long as a cluster may take.
pub async fn until<T>(what: &str, probe: impl AsyncFnMut() -> Option<T>) -> T {
    within(PATIENCE, probe).await.unwrap_or_else(|| panic!("waited {PATIENCE:?} in vain: {what}"))
}

pub struct Cluster {
    pub client: Client,
    pub kafka: String,
    pub reservations: String,
    http: reqwest::Client,
}

impl Cluster {
    pub async fn connect() -> Self {
        let client = Client::try_default().await.unwrap();
        // A connection that is kept leads to where the address of a Service led when it was made, which may have been
        // another Service's a moment before.
        let http = reqwest::Client::builder().timeout(Duration::from_secs(15)).pool_max_idle_per_host(0);
        let http = http.build().unwrap();
        Self { client, kafka: setting("KAFKA"), reservations: setting("DATABASE_URL_RESERVATIONS"), http }
    }

    pub fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<Scope = kube::core::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Applies a resource that is written as JSON.
    pub async fn apply<K>(&self, namespace: &str, resource: &Value) -> kube::Result<K>
    where
        K: Resource<Scope = kube::core::NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug
            + Serialize,
        K::DynamicType: Default,
    {
        let name = resource["metadata"]["name"].as_str().unwrap();
        self.api::<K>(namespace)
            .patch(name, &PatchParams::apply("tests").force(), &Patch::Apply(resource))
            .await
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

impl Cluster {
    /// A port of a Service, as this machine reaches it.
    pub async fn address(&self, namespace: &str, name: &str, port: u16) -> String {
        let service: k8s_openapi::api::core::v1::Service = self.api(namespace).get(name).await.unwrap();
        format!("http://{}:{port}", service.spec.unwrap().cluster_ip.unwrap())
    }

    /// The token of a service's admin API.
    pub async fn admin_token(&self, namespace: &str, service: &str) -> String {
        let secret: Secret = self.api(namespace).get(&format!("{service}-admin-token")).await.unwrap();
        String::from_utf8(secret.data.unwrap().remove("token").unwrap().0).unwrap()
    }
}

pub fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `make test SUITES=cluster`"))
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

    /// A SeatingEvent of the test's own, ready for sale; deleted with the guard's [`Show::remove`].
    pub async fn show(&self, change: impl FnOnce(&mut Value)) -> Show<'_> {
        let id = format!("show-{}", &Uuid::new_v4().simple().to_string()[..8]);
        let mut resource = show_resource(&self.namespace, &id);
        change(&mut resource);
        self.cluster.apply::<SeatingEvent>(&self.namespace, &resource).await.unwrap();
        let show = Show { service: self, id };
        show.ready().await;
        // The query role knows it as soon as event.created has travelled.
        until(&format!("{} is shown", show.id), async || {
            (self.query(&format!("/events/{}", show.id)).await["eventId"] == show.id.as_str()).then_some(())
        })
        .await;
        show
    }
}

/// Two rows of twenty and a floor for fifty.
pub fn show_resource(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "boxoffice.dev/v1alpha1",
        "kind": "SeatingEvent",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "serviceRef": {"name": "main"},
            "title": "A show of the tests",
            "startsAt": "2099-03-01T20:00:00Z",
            "priceCategories": [{"name": "gold", "amount": 12000, "currency": "EUR"}],
            "sections": [
                {"id": "A", "priceCategory": "gold", "rows": [{"rows": "1-2", "seats": "1-20"}]},
                {"id": "FLOOR", "priceCategory": "gold", "capacity": 50}
            ]
        }
    })
}

/// A SeatingEvent on sale.
pub struct Show<'a> {
    service: &'a Service<'a>,
    pub id: String,
}

impl Show<'_> {
    pub fn seat(&self, key: &str) -> String {
        format!("{}.{key}", self.id)
    }

    pub async fn resource(&self) -> SeatingEvent {
        self.service.cluster.api(&self.service.namespace).get(&self.id).await.unwrap()
    }

    pub async fn ready(&self) {
        let api = self.service.cluster.api::<SeatingEvent>(&self.service.namespace);
        let ready =
            within(PATIENCE, async || condition(&api.get(&self.id).await.unwrap(), "Ready").filter(is_true))
                .await;
        assert!(
            ready.is_some(),
            "SeatingEvent {} is not Ready: {:#?}",
            self.id,
            self.resource().await.status
        );
    }

    /// Every domain event of it on the topic, in order, each once.
    pub async fn facts(&self, topic: &str) -> Vec<Envelope> {
        facts(&self.service.cluster.kafka, topic, &self.id).await
    }

    pub async fn remove(self) {
        let api = self.service.cluster.api::<SeatingEvent>(&self.service.namespace);
        api.delete(&self.id, &DeleteParams::default()).await.unwrap();
        gone(&api, &self.id).await;
    }
}

/// Reads a topic to its end and keeps the first occurrence of each domain event of one SeatingEvent.
pub async fn facts(kafka: &str, topic: &str, id: &str) -> Vec<Envelope> {
    let log = KafkaLog::new(kafka).unwrap();
    let mut seen = std::collections::HashSet::new();
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

/// A condition of a resource's status, as JSON.
pub fn condition<K: Serialize>(resource: &K, kind: &str) -> Option<Value> {
    let resource = serde_json::to_value(resource).unwrap();
    let found = resource["status"]["conditions"].as_array()?.iter().find(|c| c["type"] == kind)?.clone();
    let current = resource["status"]["observedGeneration"] == resource["metadata"]["generation"];
    current.then_some(found)
}

pub fn is_true(condition: &Value) -> bool {
    condition["status"] == "True"
}

/// Waits until a resource no longer exists.
pub async fn gone<K: Resource + Clone + DeserializeOwned + std::fmt::Debug>(api: &Api<K>, name: &str) {
    until(&format!("{name} is gone"), async || api.get_opt(name).await.unwrap().is_none().then_some(()))
        .await;
}

/// Runs `body` with a namespace that is deleted afterwards, with its databases, also when the body fails.
pub async fn with_namespace(cluster: &Cluster, body: impl AsyncFnOnce(&str)) {
    let name = format!("e2e-{}", &Uuid::new_v4().simple().to_string()[..8]);
    let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
    let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
    let metadata = json!({"name": name, "labels": labels});
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata});
    namespaces.patch(&name, &PatchParams::apply("tests"), &Patch::Apply(&namespace)).await.unwrap();
    for view in VIEWS {
        database(&format!("CREATE DATABASE {}", database_name(&name, view))).await;
    }
    let outcome = AssertUnwindSafe(body(&name)).catch_unwind().await;
    // SeatingEvents first: where their workers go before them they wait half a minute for an answer.
    let shows = cluster.api::<SeatingEvent>(&name);
    for show in shows.list(&kube::api::ListParams::default()).await.unwrap() {
        shows.delete(&show.name_any(), &DeleteParams::default()).await.ok();
        gone(&shows, &show.name_any()).await;
    }
    // A test may have deleted it itself.
    drop(namespaces.delete(&name, &DeleteParams::default()).await);
    gone(&namespaces, &name).await;
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
    let consumer = |name: &str, handler: &str, view: &str| json!({"name": name, "handler": handler, "database": {"url": database_url(namespace, view)}});
    json!({
        "apiVersion": "boxoffice.dev/v1alpha1",
        "kind": "ReservationService",
        "metadata": {"name": "main", "namespace": namespace},
        "spec": {
            "auth": {"mode": "header", "allowFrom": [{"namespaceSelector": {}, "podSelector": {}}]},
            "redis": {"url": "redis://redis.tickets:6379"},
            "kafka": {
                "bootstrapServers": "kafka.tickets:9092",
                "prefix": format!("{namespace}-"),
                "topic": {"partitions": 3, "replicationFactor": 1, "deletionPolicy": "Delete"}
            },
            "command": {"replicas": 1},
            "query": {"replicas": 1},
            "consumers": [
                consumer("seat-view", "seat-view", "view"),
                consumer("persistence", "persistence", "reservations"),
                consumer("stats", "stats", "stats")
            ]
        }
    })
}

/// Applies a ReservationService and waits until it is Ready.
pub async fn service<'a>(cluster: &'a Cluster, namespace: &str, resource: &Value) -> Service<'a> {
    cluster.apply::<ReservationService>(namespace, resource).await.unwrap();
    let api = cluster.api::<ReservationService>(namespace);
    let ready =
        within(PATIENCE, async || condition(&api.get("main").await.unwrap(), "Ready").filter(is_true)).await;
    assert!(ready.is_some(), "ReservationService is not Ready: {:#?}", api.get("main").await.unwrap().status);
    Service {
        cluster,
        namespace: namespace.to_owned(),
        command: cluster.address(namespace, "main-command", 8080).await,
        query: cluster.address(namespace, "main-query", 8081).await,
    }
}

/// The keys of the seats that facts say are reserved at the end.
pub fn reserved_by(facts: &[Envelope]) -> std::collections::BTreeSet<SeatId> {
    use boxoffice_domain::DomainEvent;
    let mut reserved = std::collections::BTreeSet::new();
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
