//! What every request passes on its way in and out: the chain it belongs to, the limits, the log line, the metrics,
//! and the rendering of a [`Problem`].

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use prometheus_client::registry::Registry;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tracing::Instrument;

use super::context::{CORRELATION_ID, RequestContext};
use super::metrics::HttpMetrics;
use super::problem::Problem;

/// Longest time from a request to its answer.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Most requests at work at once. Beyond it they are turned away at once, which costs less than letting them wait.
pub const MAX_IN_FLIGHT: usize = 4096;

/// What requests share.
#[derive(Clone)]
pub struct HttpLayer {
    metrics: HttpMetrics,
    in_flight: Arc<Semaphore>,
    lasting: &'static [Lasting],
}

/// A read that may take longer than others, because it is asked to wait: the pattern of its path, and how long it may.
pub type Lasting = (&'static str, Duration);

impl HttpLayer {
    /// With its metrics in `registry`.
    pub fn new(registry: &mut Registry) -> Self {
        Self {
            metrics: HttpMetrics::register(registry),
            in_flight: Arc::new(Semaphore::new(MAX_IN_FLIGHT)),
            lasting: &[],
        }
    }

    /// The same with reads that may take longer.
    #[must_use]
    pub fn lasting(self, lasting: &'static [Lasting]) -> Self {
        Self { lasting, ..self }
    }

    /// The same measures with requests of their own: a crowd at one door must not close the other.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self {
            metrics: self.metrics.clone(),
            in_flight: Arc::new(Semaphore::new(MAX_IN_FLIGHT)),
            lasting: self.lasting,
        }
    }

    /// Longest time from a request to its answer.
    fn longest(&self, method: &Method, route: &str) -> Duration {
        let of_route = self.lasting.iter().find(|(lasting, _)| method == Method::GET && *lasting == route);
        of_route.map_or(REQUEST_TIMEOUT, |(_, longest)| *longest)
    }

    async fn answer(&self, request: Request, next: Next, longest: Duration) -> Response {
        let Ok(_permit) = self.in_flight.try_acquire() else {
            return Problem::unavailable("too many requests at once: try again").into_response();
        };
        timeout(longest, next.run(request)).await.unwrap_or_else(|_| {
            let longest = longest.as_secs();
            let detail =
                format!("no answer within {longest} s, and what was asked for may have been done: repeat it");
            Problem::unavailable(detail).into_response()
        })
    }
}

/// The outermost layer of a router.
pub(super) async fn pass(State(layer): State<HttpLayer>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    // The pattern and not the path: labels must not grow with the ids that callers send.
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let (chain, malformed) = match RequestContext::of(request.headers()) {
        Ok(chain) => (chain, None),
        Err(problem) => (RequestContext::begun_here(), Some(problem)),
    };
    request.extensions_mut().insert(chain.clone());
    // A span is written down whether or not anything is logged in it, which a twentieth of a hold would go into: it is
    // for whoever looks closely, and what failed says by itself which request it was.
    let span = tracing::debug_span!("request", correlationId = %chain.correlation, %method, route);

    let longest = layer.longest(&method, &route);
    let answer = match malformed {
        Some(problem) => problem.into_response(),
        None => layer.answer(request, next, longest).instrument(span.clone()).await,
    };
    let (mut response, cause) = rendered(answer, &chain);
    // An answer that repeats an earlier one may have named that one's chain.
    if !response.headers().contains_key(CORRELATION_ID)
        && let Ok(value) = HeaderValue::from_str(chain.correlation.as_str())
    {
        response.headers_mut().insert(CORRELATION_ID, value);
    }
    let (status, seconds) = (response.status(), started.elapsed().as_secs_f64());
    layer.metrics.count(&method, &route, status, seconds);
    if status.is_server_error() {
        let (status, correlation) = (status.as_u16(), chain.correlation.as_str());
        tracing::warn!(correlationId = correlation, %method, route, status, seconds, cause, "failed");
    } else {
        tracing::debug!(parent: &span, status = status.as_u16(), seconds, "answered");
    }
    response
}

/// A problem gets its body here; other answers stay as they are. Headers set before (`Allow`) stay too.
fn rendered(mut response: Response, chain: &RequestContext) -> (Response, Option<String>) {
    let Some(problem) = response.extensions_mut().remove::<Problem>() else { return (response, None) };
    let mut rendered = problem.render(&chain.correlation);
    for (name, value) in response.headers() {
        rendered.headers_mut().entry(name).or_insert_with(|| value.clone());
    }
    (rendered, problem.cause().map(str::to_owned))
}
