//! `GET /events/{eventId}/seats`: every seat of a SeatingEvent, or of one section of it.
//!
//! Bodies are rendered once a sequence ([`LiveMap::picture`](crate::view::LiveMap::picture)); a client that has the
//! newest one is told so before anything is rendered.

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use boxoffice_domain::SeatingEventId;
use boxoffice_runtime::http::{Id, Problem};
use serde::Deserialize;

use super::Knowledge;
use super::conditional::{Encoding, entity_tag, has};
use crate::view::live_map::{PictureError, Tag};

/// What of a map is asked for. Other parameters are refused: their answer would not be what the client expects.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    section: Option<String>,
}

/// `GET /events/{eventId}/seats`.
pub(super) async fn show(
    State(known): State<Knowledge>,
    Id(event): Id<SeatingEventId>,
    asked: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(Asked { section }) = asked.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    let live = known.event(event.as_str())?;
    let section = section.as_deref();
    live.has(section).map_err(refused)?;
    let (tag, mut encoding) = (live.tag(), Encoding::accepted(&headers));
    if has(&headers, &tag) {
        return answer(StatusCode::NOT_MODIFIED, &tag, encoding, Body::empty());
    }
    let drawn = live.picture(section).await.map_err(refused)?;
    if drawn.anew {
        known.metrics.renders.inc();
    }
    let picture = drawn.picture;
    let compressed = match encoding {
        Encoding::Gzip => picture.gzip().await,
        Encoding::Identity => None,
    };
    let body = compressed.unwrap_or_else(|| {
        encoding = Encoding::Identity;
        picture.json.clone()
    });
    answer(StatusCode::OK, &picture.tag, encoding, Body::from(body))
}

fn answer(status: StatusCode, tag: &Tag, encoding: Encoding, body: Body) -> Result<Response, Problem> {
    let mut response = Response::builder()
        .status(status)
        .header(header::ETAG, entity_tag(tag, encoding))
        .header(header::CACHE_CONTROL, "no-cache")
        .header(header::VARY, "accept-encoding");
    if status == StatusCode::OK {
        response = response.header(header::CONTENT_TYPE, "application/json");
        if let Some(name) = encoding.name() {
            response = response.header(header::CONTENT_ENCODING, HeaderValue::from_static(name));
        }
    }
    response
        .body(body)
        .map_err(|error| Problem::unavailable("the answer cannot be sent").because(error.to_string()))
}

fn refused(error: PictureError) -> Problem {
    match error {
        PictureError::NoSuchSection => Problem::invalid("section: the event has no such section"),
        PictureError::Stopped(_) => {
            Problem::unavailable("the worker is shutting down").because(error.to_string())
        }
    }
}
