//! What every answer says of the state that it comes from: `x-view-age`, and about one SeatingEvent `x-view-sequence` and, above
//! 0, `x-view-epoch`; and how a reader asks for one that is late enough: `?after=`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use boxoffice_domain::SeatingEventId;
use boxoffice_runtime::http::{HttpLayer, Problem};
use serde::Deserialize;
use tokio::time::timeout;

use super::Knowledge;
use crate::view::LiveMap;
use crate::view::age::Age;

/// The sequence of the state.
pub(super) const SEQUENCE: HeaderName = HeaderName::from_static("x-view-sequence");
/// What the sequence is of.
pub(super) const EPOCH: HeaderName = HeaderName::from_static("x-view-epoch");
/// How many milliseconds ago it was known last that nothing is missing.
const AGE: HeaderName = HeaderName::from_static("x-view-age");
/// Longest wait for a state that is late enough.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// The query of an address that takes no other parameter.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct After {
    /// Waits, for at most two seconds, until the domain event with this sequence was taken in: a client that has just changed
    /// something sees it.
    #[param(example = 1)]
    pub(super) after: Option<u64>,
}

/// An answer, with the state that it comes from.
pub(crate) struct Viewed<T> {
    /// The sequence.
    pub(crate) sequence: u64,
    /// The epoch.
    pub(crate) epoch: u64,
    /// How old it may be, by the partition that the SeatingEvent lies on.
    pub(crate) age: Duration,
    /// The answer.
    pub(crate) answer: T,
}

/// Says of every answer that is not [`Viewed`] how old the oldest may be: also where there is nothing at an address, or too
/// much to do.
pub(crate) fn aged(layer: HttpLayer, age: Arc<Age>) -> HttpLayer {
    layer.telling(move |headers| {
        headers.entry(AGE).or_insert_with(|| in_millis(age.of(None)));
    })
}

fn in_millis(age: Duration) -> HeaderValue {
    HeaderValue::from(u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
}

/// How many headers an answer has at most, with those that it gets on its way out.
const HEADERS: usize = 12;

/// An answer with room for all its headers: those that come last do not move the others.
pub(super) fn with_room(body: Body) -> Response {
    let mut response = Response::new(body);
    *response.headers_mut() = HeaderMap::with_capacity(HEADERS);
    response
}

impl<T: IntoResponse> IntoResponse for Viewed<T> {
    fn into_response(self) -> Response {
        let mut response = self.answer.into_response();
        let headers = response.headers_mut();
        headers.insert(SEQUENCE, HeaderValue::from(self.sequence));
        if self.epoch > 0 {
            headers.insert(EPOCH, HeaderValue::from(self.epoch));
        }
        headers.insert(AGE, in_millis(self.age));
        response
    }
}

impl Knowledge {
    /// A SeatingEvent, once it is known up to a sequence.
    pub(super) async fn event_after(
        &self,
        event: &SeatingEventId,
        after: Option<u64>,
    ) -> Result<Arc<LiveMap>, Problem> {
        if let Some(after) = after
            && timeout(PATIENCE, self.views.reached(event, after)).await.is_err()
        {
            // One that nobody knows may be one that was made just now; it was waited for all the same.
            self.event(event.as_str())?;
            return Err(not_yet(after));
        }
        self.event(event.as_str())
    }
}

/// 503: somebody waited for a sequence in vain.
pub(super) fn not_yet(after: u64) -> Problem {
    Problem::unavailable(format!("after: sequence {after} is not known here yet: ask again"))
}
