//! `GET /events/{eventId}/stream`: server-sent events about a SeatingEvent's seats.

use std::sync::Arc;

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use boxoffice_domain::SeatingEventId;
use boxoffice_runtime::http::{Id, Problem};
use boxoffice_runtime::openapi::params::OfEvent;
use boxoffice_runtime::reading::Query;
use bytes::BytesMut;
use futures::stream::unfold;
use tokio::time::timeout;

use super::Knowledge;
use super::headers::Headers;
use super::viewed::{After, PATIENCE, Viewed};
use crate::openapi::{OfEventRead, SEAT_MAPS};
use crate::view::streams::{Full, Told, reset};

/// How long a client waits before it comes again.
const AGAIN: &str = "retry: 1000\n\n";

/// What a client that comes again says.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what the route reads")]
struct Resumed {
    /// The `id` of the last frame that the client had: what came since is told first.
    #[param(rename = "last-event-id", example = "1", pattern = r"^([0-9]{1,19}-)?[0-9]{1,19}$")]
    last_event_id: Option<String>,
}

/// Follow a seat map
///
/// Server-sent events: `changes` {sequence, epoch, changes: [[place, status]...]}, at most one in 100 ms, with what the seats
/// at these places of the chart are now; `definition` {chartHash, seatsHash} when the chart is another one; `reset` {sequence}
/// where what came before is not known: load the map `after` that sequence. Its `id` is the sequence, with the epoch and a hyphen
/// before it where that is above 0. Whoever falls six seconds behind is cut off and comes again. When the SeatingEvent is closed
/// for good or purged, the stream ends.
#[utoipa::path(
    get,
    path = "/events/{eventId}/stream",
    operation_id = "followSeatMap",
    tag = SEAT_MAPS,
    params(OfEvent, After, Resumed),
    responses(
        (
            status = 200,
            description = "Frames, for as long as the client stays.",
            content_type = "text/event-stream",
            body = String
        ),
        OfEventRead
    )
)]
pub(super) async fn show(
    State(known): State<Arc<Knowledge>>,
    Id(event): Id<SeatingEventId>,
    Query(After { after }): Query<After>,
    Headers(headers): Headers,
) -> Result<Response, Problem> {
    let resumed = headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default());
    let resumed = resumed.map(resumed_at).transpose()?;
    let live = known.event_after(&event, after).await?;
    if let Some((of, at)) = resumed
        && of == live.tag().epoch
    {
        // A replica that is further may have told it: this one would lead back behind that.
        drop(timeout(PATIENCE, known.views.reached(&event, at)).await);
    }
    // Before it is looked what there is: nothing falls in between.
    let listener = known.streams.listen(&known.views, &live).map_err(|Full| {
        Problem::unavailable(
            "too many clients follow seat maps here: come again, or ask for changes since a sequence",
        )
    })?;
    let (sequence, epoch) = live.read(|map| (map.sequence, map.epoch));
    let mut first = BytesMut::from(AGAIN);
    match resumed {
        Some(had) if had == (epoch, sequence) => {}
        Some((of, at)) if of == epoch && at < sequence => {
            for frame in Told::upto(of, at).next(&known.views, &live) {
                first.extend_from_slice(&frame);
            }
        }
        Some(_) | None => first.extend_from_slice(&reset(epoch, sequence)),
    }
    let frames = unfold((Some(first.freeze()), listener), |(first, mut listener)| async {
        let frame = match first {
            Some(first) => first,
            // None for one who is too far behind, and when the process is about to end.
            None => listener.frames.recv().await.ok()?,
        };
        Some((Ok::<_, Infallible>(frame), (None, listener)))
    });
    let answer = (
        [
            (header::CONTENT_TYPE, "text/event-stream"),
            (header::CACHE_CONTROL, "no-store"),
            // Gateways that collect answers would hold frames back.
            (header::HeaderName::from_static("x-accel-buffering"), "no"),
        ],
        Body::from_stream(frames),
    );
    Ok(Viewed { sequence, epoch, age: known.age.of(live.partition()), answer }.into_response())
}

/// Epoch and sequence of a frame's id.
fn resumed_at(id: &str) -> Result<(u64, u64), Problem> {
    let (epoch, sequence) = id.split_once('-').unwrap_or(("0", id));
    let number = |text: &str| {
        // What Rust reads as a number may have a sign.
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
        let malformed = || Problem::invalid("last-event-id: is no id of a frame: leave it out to begin anew");
        text.parse().ok().filter(|_| is_plain).ok_or_else(malformed)
    };
    Ok((number(epoch)?, number(sequence)?))
}
