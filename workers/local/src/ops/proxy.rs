//! Carries a request to a worker and its answer back. What says who somebody is comes from here alone: a browser's cookies
//! and claims stay here, and the admin token never reaches the browser.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    AUTHORIZATION, CONNECTION, COOKIE, HOST, ORIGIN, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, REFERER, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use axum::http::uri::{Authority, Scheme};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};
use axum::response::Response;
use boxoffice_runtime::http::Problem;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;

use super::connector::Connector;
use super::routing::{Behind, behind};

/// Longest wait for an answer to begin; it may be asked to wait for 25 s.
const ANSWER: Duration = Duration::from_secs(40);
/// How long a connection is kept: a pod that is no longer ready is left soon.
const IDLE: Duration = Duration::from_secs(15);
/// The header by which a gateway says who somebody is.
const USER_ID: HeaderName = HeaderName::from_static("x-user-id");
/// What concerns one connection and not the next one (RFC 9110, 7.6.1).
const OF_CONNECTION: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];
/// What concerns this process and its browser.
const OF_BROWSER: [HeaderName; 6] = [AUTHORIZATION, COOKIE, HOST, ORIGIN, REFERER, USER_ID];

/// One port of one kind of worker.
pub(super) struct Worker {
    client: Client<Connector, Body>,
    token: Option<HeaderValue>,
}

/// The workers behind the page.
pub(super) struct Proxy {
    /// What everybody may read.
    pub(super) queries: Worker,
    /// What operators read.
    pub(super) figures: Worker,
    /// What operators do.
    pub(super) admin: Worker,
}

impl Worker {
    /// Reached by `connector`, with the admin token where it asks for one.
    pub(super) fn new(connector: Connector, token: Option<&str>) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        let token = token.and_then(|token| format!("Bearer {token}").parse::<HeaderValue>().ok());
        let token = token.map(|mut token| {
            token.set_sensitive(true);
            token
        });
        Self { client, token }
    }

    /// The request as the worker gets it.
    fn addressed(&self, request: Request) -> Result<Request, Problem> {
        let (mut parts, body) = request.into_parts();
        let mut uri = parts.uri.into_parts();
        uri.scheme = Some(Scheme::HTTP);
        uri.authority = Some(Authority::from_static("worker"));
        parts.uri = Uri::from_parts(uri)
            .map_err(|error| Problem::invalid("the address is none").because(error.to_string()))?;
        parts.version = Version::HTTP_11;
        without(&mut parts.headers, &OF_CONNECTION);
        without(&mut parts.headers, &OF_BROWSER);
        if let Some(token) = &self.token {
            parts.headers.insert(AUTHORIZATION, token.clone());
        }
        Ok(Request::from_parts(parts, body))
    }
}

fn without(headers: &mut HeaderMap, names: &[HeaderName]) {
    for name in names {
        headers.remove(name);
    }
}

/// Answers from the worker that knows.
pub(super) async fn forward(State(proxy): State<Arc<Proxy>>, request: Request) -> Result<Response, Problem> {
    let worker = match behind(request.method(), request.uri().path()) {
        Some(Behind::Queries) => &proxy.queries,
        Some(Behind::Figures) => &proxy.figures,
        Some(Behind::Admin) => &proxy.admin,
        None if request.method() == Method::GET => return Err(Problem::no_route()),
        None => return Err(Problem::no_method()),
    };
    let request = worker.addressed(request)?;
    let answer = timeout(ANSWER, worker.client.request(request)).await;
    let answer = answer.map_err(|_| Problem::unavailable("the worker does not answer: ask again"))?;
    let mut answer = answer.map_err(|error| {
        let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        Problem::unavailable(format!("no worker can be reached: {cause}"))
    })?;
    without(answer.headers_mut(), &OF_CONNECTION);
    Ok(answer.map(Body::new))
}
