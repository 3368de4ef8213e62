//! What every request passes on its way in and out: the chain it belongs to, the limits, the log line, the metrics,
//! and the rendering of a [`Problem`].

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, SizeHint};
use prometheus_client::registry::Registry;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use tower_http::cors::CorsLayer;
use tracing::Instrument;

use super::context::{CORRELATION_ID, RequestContext, TRACEPARENT};
use super::metrics::HttpMetrics;
use super::problem::Problem;
use super::server::UNSENT;

/// Longest time from a request to its answer.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Most requests at work at once. Beyond it they are turned away at once, which costs less than letting them wait.
pub const MAX_IN_FLIGHT: usize = 4096;

/// What requests share.
#[derive(Clone)]
pub struct HttpLayer {
    metrics: HttpMetrics,
    in_flight: Arc<Semaphore>,
    pub(super) cors: Option<CorsLayer>,
    lasting: &'static [Lasting],
    telling: Option<Arc<Telling>>,
}

/// What is told in the headers of every answer.
type Telling = dyn Fn(&mut HeaderMap) + Send + Sync;

/// A read that may take longer than others, because it is asked to wait: the pattern of its path, and how long it may.
pub type Lasting = (&'static str, Duration);

/// How long a browser remembers what a page may send.
const REMEMBERED: Duration = Duration::from_hours(1);
/// What a page may send beside what every page may, and what it may read.
const SENT: [HeaderName; 7] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    HeaderName::from_static("idempotency-key"),
    header::IF_NONE_MATCH,
    HeaderName::from_static("last-event-id"),
    TRACEPARENT,
    CORRELATION_ID,
];
const READ: [HeaderName; 8] = [
    header::DATE,
    header::ETAG,
    header::RETRY_AFTER,
    HeaderName::from_static("x-chart-hash"),
    HeaderName::from_static("x-view-age"),
    HeaderName::from_static("x-view-epoch"),
    HeaderName::from_static("x-view-sequence"),
    CORRELATION_ID,
];

impl HttpLayer {
    /// With its metrics in `registry`.
    pub fn new(registry: &mut Registry) -> Self {
        let in_flight = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
        let metrics = HttpMetrics::register(registry);
        Self { metrics, in_flight, cors: None, lasting: &[], telling: None }
    }

    /// Lets pages of these origins call, without what a gateway says of who that is.
    #[must_use]
    pub fn allowing(self, origins: Vec<HeaderValue>) -> Self {
        let cors = (!origins.is_empty()).then(|| {
            CorsLayer::new()
                .allow_origin(origins)
                .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::DELETE])
                .allow_headers(SENT)
                .expose_headers(READ)
                .max_age(REMEMBERED)
        });
        Self { cors, ..self }
    }

    /// The same with reads that may take longer.
    #[must_use]
    pub fn lasting(self, lasting: &'static [Lasting]) -> Self {
        Self { lasting, ..self }
    }

    /// The same with something that `tell` adds to the headers of every answer, whoever gives it.
    #[must_use]
    pub fn telling(self, tell: impl Fn(&mut HeaderMap) + Send + Sync + 'static) -> Self {
        Self { telling: Some(Arc::new(tell)), ..self }
    }

    /// The same measures with requests of their own: a crowd at one door must not close the other.
    #[must_use]
    pub fn apart(&self) -> Self {
        let in_flight = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
        Self { in_flight, cors: None, ..self.clone() }
    }

    /// Longest time from a request to its answer.
    fn longest(&self, method: &Method, route: &str) -> Duration {
        let is_read = method == Method::GET || method == Method::HEAD;
        let of_route = self.lasting.iter().find(|(lasting, _)| is_read && *lasting == route);
        of_route.map_or(REQUEST_TIMEOUT, |(_, longest)| *longest)
    }

    async fn answer(&self, request: Request, next: Next, longest: Duration) -> Response {
        let Ok(permit) = Arc::clone(&self.in_flight).try_acquire_owned() else {
            return Problem::unavailable("too many requests at once: try again").into_response();
        };
        let answered = timeout(longest, next.run(request)).await.unwrap_or_else(|_| {
            let longest = longest.as_secs();
            let detail =
                format!("no answer within {longest} s, and what was asked for may have been done: repeat it");
            Problem::unavailable(detail).into_response()
        });
        kept_until_sent(answered, permit)
    }
}

/// An answer that the system takes over at once is not kept by whoever is slow to take it.
const SENT_AT_ONCE: u64 = UNSENT as u64;

/// An answer counts as being at work until all of it was taken, unless it is one without end, which is counted where it is made.
fn kept_until_sent(answer: Response, permit: OwnedSemaphorePermit) -> Response {
    let has_an_end = answer.body().size_hint().exact();
    if has_an_end.is_none_or(|bytes| bytes <= SENT_AT_ONCE) {
        return answer;
    }
    answer.map(|body| Body::new(Kept { body, _permit: permit }))
}

/// A body that keeps a permit.
struct Kept {
    body: Body,
    _permit: OwnedSemaphorePermit,
}

impl HttpBody for Kept {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The outermost layer of a router.
pub(super) async fn pass(State(layer): State<Arc<HttpLayer>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    // The pattern and not the path: labels must not grow with the ids that callers send.
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or("unmatched", MatchedPath::as_str);
    let (chain, malformed) = match RequestContext::of(request.headers()) {
        Ok(chain) => (chain, None),
        Err(problem) => (RequestContext::begun_here(), Some(problem)),
    };
    request.extensions_mut().insert(chain.clone());
    // A span is written down whether or not anything is logged in it, which a twentieth of a hold would go into: it is
    // for whoever looks closely, and what failed says by itself which request it was.
    let span = tracing::debug_span!("request", correlationId = %chain.correlation, %method, route);

    let longest = layer.longest(&method, route);
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
    if let Some(tell) = &layer.telling {
        tell(response.headers_mut());
    }
    let (status, seconds) = (response.status(), started.elapsed().as_secs_f64());
    layer.metrics.count(&method, route, status, seconds);
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

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    #[tokio::test]
    async fn a_large_answer_is_at_work_until_it_was_taken() {
        let places = Arc::new(Semaphore::new(2));
        let take = || Arc::clone(&places).try_acquire_owned().unwrap();
        let small = kept_until_sent("ok".into_response(), take());
        assert_eq!(places.available_permits(), 2);
        let large = kept_until_sent(vec![0_u8; 100_000].into_response(), take());
        assert_eq!(places.available_permits(), 1);
        assert_eq!(large.body().size_hint().exact(), Some(100_000));
        assert_eq!(to_bytes(large.into_body(), usize::MAX).await.unwrap().len(), 100_000);
        assert_eq!(places.available_permits(), 2);
        let abandoned = kept_until_sent(vec![0_u8; 100_000].into_response(), take());
        drop((small, abandoned));
        assert_eq!(places.available_permits(), 2);
    }
}
