//! A payment gateway that declines, hangs, answers late, twice over or with rubbish, goes away for a while, and keeps to
//! its word: one key is one charge with one body.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio_util::task::AbortOnDropHandle;

/// How a gateway takes a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Charges and says so.
    Accepts,
    /// Does not charge and says so.
    Declines,
    /// Charges, and says so only to the second who asks: the first is left without an answer.
    Hangs,
    /// Has it in hand until it is asked the third time.
    Pending,
    /// Charges, and answers rubbish the first time.
    Rubbish,
    /// Charges, and answers 503 the first time.
    Stumbles,
    /// Charges, and answers 503 whenever it is asked.
    Silent,
    /// Does not hear it the first time: 429 with Retry-After.
    Busy,
}

/// A charge as the gateway knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Charge {
    /// What it was asked for first.
    pub body: Value,
    /// How often it was asked to charge, or what became of it.
    pub asked: u32,
    /// How often it was asked to charge.
    pub posts: u32,
    /// Whether it was charged.
    pub charged: bool,
    /// The correlation id that came with it.
    pub correlation_id: String,
}

/// The gateway; it is gone when dropped.
pub struct Gateway {
    addr: SocketAddr,
    shared: Arc<Shared>,
    _serving: AbortOnDropHandle<()>,
}

struct Shared {
    manner: Box<dyn Fn(u64) -> Manner + Send + Sync>,
    state: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    charges: BTreeMap<String, Charge>,
    numbers: HashMap<String, u64>,
    away: bool,
    /// What was done that a gateway refuses: a key with another body, a call without a key or token.
    wrongs: Vec<String>,
}

/// The token that it wants to see.
pub const TOKEN: &str = "let-me-in";

impl Gateway {
    /// A gateway that takes the first charge that it is asked for as `manner(0)` says, the next one as `manner(1)`, and so
    /// on.
    pub async fn start(manner: impl Fn(u64) -> Manner + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared { manner: Box::new(manner), state: Mutex::default() });
        let routes = Router::new()
            .route("/charges", post(charge))
            .route("/charges/{key}", get(look))
            .with_state(Arc::clone(&shared));
        let (addr, serving) = super::serve(routes, 0).await;
        Self { addr, shared, _serving: serving }
    }

    /// Where charges are posted.
    pub fn url(&self) -> String {
        format!("http://{}/charges", self.addr)
    }

    /// Answers nothing but 503 from now on, or no longer.
    pub fn away(&self, away: bool) {
        self.shared.state().away = away;
    }

    /// How many charges it knows.
    pub fn count(&self) -> usize {
        self.shared.state().charges.len()
    }

    /// What it knows, by key.
    pub fn charges(&self) -> BTreeMap<String, Charge> {
        self.shared.state().charges.clone()
    }

    /// What was done that a gateway refuses.
    pub fn wrongs(&self) -> Vec<String> {
        self.shared.state().wrongs.clone()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, Known> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What to answer, and whether only after the caller has given up.
struct Said(Response, bool);

async fn tell(Said(response, hangs): Said) -> Response {
    if hangs {
        // Longer than anybody waits.
        tokio::time::sleep(Duration::from_mins(1)).await;
    }
    response
}

async fn charge(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let said = heard(&shared, &headers, &body);
    tell(said).await
}

fn heard(shared: &Shared, headers: &HeaderMap, body: &[u8]) -> Said {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let now = |status: StatusCode| Said(status.into_response(), false);
    let mut known = shared.state();
    if known.away {
        return now(StatusCode::SERVICE_UNAVAILABLE);
    }
    let key = header("idempotency-key").to_owned();
    if key.is_empty() || header("authorization") != format!("Bearer {TOKEN}") {
        known.wrongs.push(format!("a charge without a key or a token: {headers:?}"));
        return now(StatusCode::UNAUTHORIZED);
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let next = known.numbers.len() as u64;
    let number = *known.numbers.entry(key.clone()).or_insert(next);
    let manner = (shared.manner)(number);
    if manner == Manner::Busy && !known.charges.contains_key(&key) {
        let fresh = Charge {
            body,
            asked: 1,
            posts: 1,
            charged: false,
            correlation_id: header("x-correlation-id").to_owned(),
        };
        known.charges.insert(key, fresh);
        return Said((StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")]).into_response(), false);
    }
    let fresh = Charge {
        body: body.clone(),
        asked: 0,
        posts: 0,
        charged: false,
        correlation_id: header("x-correlation-id").to_owned(),
    };
    let charge = known.charges.entry(key.clone()).or_insert(fresh);
    if charge.body != body {
        let wrong = format!("{key} with another body: {body}, not {}", charge.body);
        known.wrongs.push(wrong);
        return now(StatusCode::UNPROCESSABLE_ENTITY);
    }
    charge.posts += 1;
    answer(charge, &key, manner)
}

async fn look(State(shared): State<Arc<Shared>>, Path(key): Path<String>) -> Response {
    let said = {
        let mut known = shared.state();
        let away = known.away;
        let number = known.numbers.get(&key).copied().unwrap_or_default();
        let manner = (shared.manner)(number);
        match known.charges.get_mut(&key) {
            _ if away => Said(StatusCode::SERVICE_UNAVAILABLE.into_response(), false),
            Some(charge) if charge.charged || manner != Manner::Busy => answer(charge, &key, manner),
            _ => Said(StatusCode::NOT_FOUND.into_response(), false),
        }
    };
    tell(said).await
}

/// What it says about a charge that it knows.
fn answer(charge: &mut Charge, key: &str, manner: Manner) -> Said {
    charge.asked += 1;
    charge.charged = manner != Manner::Declines;
    let (first, third) = (charge.asked == 1, charge.asked >= 3);
    let is =
        |status: &str| Json(json!({"status": status, "paymentId": format!("pay-{key}")})).into_response();
    match manner {
        Manner::Declines => Said(is("declined"), false),
        Manner::Hangs if first => Said(is("succeeded"), true),
        Manner::Pending if !third => Said(is("pending"), false),
        Manner::Rubbish if first => Said("<html>all is well</html>".into_response(), false),
        Manner::Silent => Said(StatusCode::SERVICE_UNAVAILABLE.into_response(), false),
        Manner::Stumbles if first => Said(StatusCode::SERVICE_UNAVAILABLE.into_response(), false),
        Manner::Accepts
        | Manner::Hangs
        | Manner::Pending
        | Manner::Rubbish
        | Manner::Stumbles
        | Manner::Busy => Said(is("succeeded"), false),
    }
}
