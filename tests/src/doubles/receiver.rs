//! A receiver of events over HTTP that checks signatures, remembers what came in which order, and fails as it is told.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use boxoffice_consumer::handlers::webhook::signature::Signer;
use serde_json::Value;
use tokio_util::task::AbortOnDropHandle;

/// The key that it checks signatures with.
pub const KEY: &str = "whsec_bWFrZSBtZSBhIGtleSB0aGF0IG5vYm9keSBndWVzc2Vz";

/// How a receiver takes a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// 204.
    Takes,
    /// 204, after so many milliseconds.
    Slow(u64),
    /// 500.
    Fails,
    /// 429 with Retry-After: 1.
    Busy,
    /// 400.
    Refuses,
    /// 410.
    Gone,
    /// 204, and the request is forgotten in an answer that does not come.
    Hangs,
}

/// What was taken: an event's id, what it is about, and its sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// `webhook-id`.
    pub id: String,
    /// Topic and aggregate.
    pub lane: (bool, String),
    /// Its number within the SeatingEvent, where it has one.
    pub sequence: Option<u64>,
    /// `ce-type`.
    pub kind: String,
    /// `x-correlation-id`.
    pub correlation_id: String,
}

/// The receiver; its port is closed when it is dropped.
pub struct Receiver {
    addr: SocketAddr,
    shared: Arc<Shared>,
    _serving: AbortOnDropHandle<()>,
}

type Manners = dyn Fn(u64, &Taken) -> Manner + Send + Sync;

struct Shared {
    manner: Box<Manners>,
    signer: Signer,
    state: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    requests: u64,
    taken: Vec<Taken>,
    wrongs: Vec<String>,
}

impl Receiver {
    /// A receiver that takes the first request as `manner(0, ..)` says, the next one as `manner(1, ..)`, and so on.
    pub async fn start(manner: impl Fn(u64, &Taken) -> Manner + Send + Sync + 'static) -> Self {
        Self::on(0, manner).await
    }

    /// The same on this port.
    pub async fn on(port: u16, manner: impl Fn(u64, &Taken) -> Manner + Send + Sync + 'static) -> Self {
        let signer = match Signer::new(KEY) {
            Ok(signer) => signer,
            Err(error) => panic!("{error}"),
        };
        let shared = Arc::new(Shared { manner: Box::new(manner), signer, state: Mutex::default() });
        let routes = Router::new()
            .route("/events", post(take))
            .layer(DefaultBodyLimit::max(16 << 20))
            .with_state(Arc::clone(&shared));
        let (addr, serving) = super::serve(routes, port).await;
        Self { addr, shared, _serving: serving }
    }

    /// Where events are posted.
    pub fn url(&self) -> String {
        format!("http://{}/events", self.addr)
    }

    /// How many requests came.
    pub fn requests(&self) -> u64 {
        self.shared.state().requests
    }

    /// What it took, in order, repeats and all.
    pub fn taken(&self) -> Vec<Taken> {
        self.shared.state().taken.clone()
    }

    /// How much it took.
    pub fn count(&self) -> usize {
        self.shared.state().taken.len()
    }

    /// What was sent that should not be: unsigned, wrongly signed, or not of its headers.
    pub fn wrongs(&self) -> Vec<String> {
        self.shared.state().wrongs.clone()
    }

    /// What it took of each aggregate and topic, in the order in which it came first.
    pub fn lanes(&self) -> BTreeMap<(bool, String), Vec<Taken>> {
        let mut lanes: BTreeMap<_, Vec<Taken>> = BTreeMap::new();
        for taken in self.taken() {
            let lane = lanes.entry(taken.lane.clone()).or_default();
            if lane.iter().all(|before| before.id != taken.id) {
                lane.push(taken);
            }
        }
        lanes
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, Known> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn take(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let taken = Taken {
        id: header("webhook-id").to_owned(),
        lane: (header("ce-type").starts_with("payment."), header("ce-subject").to_owned()),
        sequence: header("ce-sequence").parse().ok(),
        kind: header("ce-type").to_owned(),
        correlation_id: header("x-correlation-id").to_owned(),
    };
    let signature =
        shared.signer.sign(&taken.id, header("webhook-timestamp").parse().unwrap_or_default(), &body);
    let envelope: Value = serde_json::from_slice(&body).unwrap_or_default();
    let is_right = signature == header("webhook-signature")
        && envelope["eventId"] == taken.id.as_str()
        && envelope["eventType"] == taken.kind.as_str()
        && envelope["aggregateId"] == taken.lane.1.as_str();
    let number = {
        let mut known = shared.state();
        known.requests += 1;
        if !is_right {
            known.wrongs.push(format!("{headers:?}"));
        }
        known.requests - 1
    };
    let manner = (shared.manner)(number, &taken);
    if let Manner::Slow(millis) = manner {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
    match manner {
        Manner::Takes | Manner::Slow(_) | Manner::Hangs => {
            shared.state().taken.push(taken);
            if manner == Manner::Hangs {
                // Longer than anybody waits.
                tokio::time::sleep(Duration::from_mins(1)).await;
            }
            StatusCode::NO_CONTENT.into_response()
        }
        Manner::Fails => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Manner::Busy => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")]).into_response(),
        Manner::Refuses => StatusCode::BAD_REQUEST.into_response(),
        Manner::Gone => StatusCode::GONE.into_response(),
    }
}
