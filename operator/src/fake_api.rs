//! An API server of Leases and Events for unit tests: optimistic locking and watches, in memory.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use futures::StreamExt;
use kube::Client;
use serde_json::{Value, json};
use tokio::sync::watch;

/// The server; clones are the same one.
#[derive(Clone, Default)]
pub struct FakeApi(Arc<Inner>);

#[derive(Default)]
struct Inner {
    leases: Mutex<BTreeMap<String, Value>>,
    changed: watch::Sender<u64>,
    calls: Mutex<Vec<String>>,
    /// Whether all calls fail.
    is_down: Mutex<bool>,
    /// Whether its namespaces are being deleted.
    is_terminating: Mutex<bool>,
    /// Whether nobody has rights in a namespace any more.
    is_bereft: Mutex<bool>,
}

impl FakeApi {
    /// A client of it.
    pub fn client(&self) -> Client {
        let routes = Router::new()
            .route("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases", any(collection))
            .route("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}", any(one))
            .route("/api/v1/namespaces/{namespace}", any(namespace))
            .route("/apis/events.k8s.io/v1/namespaces/{namespace}/events", any(event))
            .with_state(self.clone());
        Client::new(routes, "default")
    }

    /// Lets every call fail, or not.
    pub fn set_down(&self, is_down: bool) {
        *self.0.is_down.lock().unwrap() = is_down;
    }

    /// Deletes every namespace, with what is in it.
    pub fn terminate(&self) {
        self.0.leases.lock().unwrap().clear();
        *self.0.is_terminating.lock().unwrap() = true;
    }

    /// Takes away the Roles in every namespace.
    pub fn bereave(&self) {
        *self.0.is_bereft.lock().unwrap() = true;
    }

    /// The calls since it was asked last, as `PUT namespace/lease`; Events with reason and note.
    pub fn calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.calls.lock().unwrap())
    }

    /// Whose the Lease is.
    pub fn holder(&self, namespace: &str, name: &str) -> Option<String> {
        let leases = self.0.leases.lock().unwrap();
        let lease = leases.get(&format!("{namespace}/{name}"))?;
        Some(lease["spec"]["holderIdentity"].as_str()?.to_owned())
    }

    fn write(&self, namespace: &str, name: &str, mut lease: Value) -> Response {
        let mut leases = self.0.leases.lock().unwrap();
        let key = format!("{namespace}/{name}");
        let live = leases.get(&key).map(|live| live["metadata"]["resourceVersion"].clone());
        if live.clone().unwrap_or_default() != lease["metadata"]["resourceVersion"] {
            return refused(StatusCode::CONFLICT, "Conflict");
        }
        let version = *self.0.changed.borrow() + 1;
        lease["metadata"]["namespace"] = json!(namespace);
        lease["metadata"]["resourceVersion"] = json!(version.to_string());
        leases.insert(key, lease.clone());
        self.0.changed.send_replace(version);
        Json(lease).into_response()
    }

    fn all(&self, namespace: &str) -> Vec<Value> {
        let leases = self.0.leases.lock().unwrap();
        let there = leases.iter().filter(|(key, _)| key.starts_with(&format!("{namespace}/")));
        there.map(|(_, lease)| lease.clone()).collect()
    }
}

async fn collection(
    State(api): State<FakeApi>,
    Path(namespace): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
    request: Request,
) -> Response {
    if *api.0.is_down.lock().unwrap() {
        return refused(StatusCode::INTERNAL_SERVER_ERROR, "InternalError");
    }
    if request.method() == Method::POST {
        if *api.0.is_terminating.lock().unwrap() {
            return refused(StatusCode::FORBIDDEN, "Forbidden");
        }
        let lease = body(request).await;
        let name = lease["metadata"]["name"].as_str().unwrap().to_owned();
        api.0.calls.lock().unwrap().push(format!("POST {namespace}/{name}"));
        return api.write(&namespace, &name, lease);
    }
    if !query.contains_key("watch") {
        let version = api.0.changed.borrow().to_string();
        let list = json!({"kind": "LeaseList", "apiVersion": "coordination.k8s.io/v1",
            "metadata": {"resourceVersion": version}, "items": api.all(&namespace)});
        return Json(list).into_response();
    }
    api.0.calls.lock().unwrap().push(format!("WATCH {namespace}"));
    let changes = futures::stream::unfold(api.0.changed.subscribe(), |mut changes| async {
        changes.changed().await.ok()?;
        Some(((), changes))
    });
    let lines = changes.flat_map(move |()| {
        let lines = api.all(&namespace).into_iter().map(|lease| json!({"type": "MODIFIED", "object": lease}));
        futures::stream::iter(lines.map(|line| Ok::<_, Infallible>(format!("{line}\n"))).collect::<Vec<_>>())
    });
    Body::from_stream(lines).into_response()
}

async fn one(
    State(api): State<FakeApi>,
    Path((namespace, name)): Path<(String, String)>,
    request: Request,
) -> Response {
    if *api.0.is_down.lock().unwrap() {
        return refused(StatusCode::INTERNAL_SERVER_ERROR, "InternalError");
    }
    if *api.0.is_bereft.lock().unwrap() {
        return refused(StatusCode::FORBIDDEN, "NoRight");
    }
    api.0.calls.lock().unwrap().push(format!("{} {namespace}/{name}", request.method()));
    if request.method() == Method::PUT {
        return api.write(&namespace, &name, body(request).await);
    }
    let lease = api.0.leases.lock().unwrap().get(&format!("{namespace}/{name}")).cloned();
    lease.map_or_else(|| refused(StatusCode::NOT_FOUND, "NotFound"), |lease| Json(lease).into_response())
}

async fn namespace(State(api): State<FakeApi>, Path(name): Path<String>) -> Response {
    let ending = api.0.is_terminating.lock().unwrap().then_some("2026-11-30T00:00:00Z");
    let metadata = json!({"name": name, "deletionTimestamp": ending});
    Json(json!({"kind": "Namespace", "apiVersion": "v1", "metadata": metadata})).into_response()
}

async fn event(State(api): State<FakeApi>, request: Request) -> Response {
    let event = body(request).await;
    let text = |field: &Value| field.as_str().unwrap_or_default().to_owned();
    let (kind, reason, note) =
        (text(&event["regarding"]["kind"]), text(&event["reason"]), text(&event["note"]));
    api.0.calls.lock().unwrap().push(format!("Event {kind} {reason}: {note}"));
    Json(event).into_response()
}

async fn body(request: Request) -> Value {
    let bytes = axum::body::to_bytes(request.into_body(), usize::MAX).await.unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn refused(status: StatusCode, reason: &str) -> Response {
    let causes = if reason == "Forbidden" { json!([{"reason": "NamespaceTerminating"}]) } else { json!([]) };
    let problem = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": reason, "reason": reason, "details": {"causes": causes}, "code": status.as_u16()});
    (status, Json(problem)).into_response()
}
