//! `GET /events/{eventId}/seats`: every seat of a SeatingEvent, or of one section of it.
//!
//! Bodies are rendered once a sequence ([`LiveMap::picture`](crate::view::LiveMap::picture)); a client that has the
//! newest one is told so before anything is rendered.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
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
    live.has(section)?;
    let (tag, mut encoding) = (live.tag(), Encoding::accepted(&headers));
    if has(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, validators(&tag, encoding)).into_response());
    }
    let drawn = live.picture(section).await?;
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
    let form = encoding.name().map(|name| [(header::CONTENT_ENCODING, name)]);
    let json = [(header::CONTENT_TYPE, "application/json")];
    Ok((validators(&picture.tag, encoding), form, json, body).into_response())
}

/// Whoever keeps a map asks whether it still holds, and gets the form that it takes.
fn validators(tag: &Tag, encoding: Encoding) -> [(HeaderName, String); 3] {
    [
        (header::ETAG, entity_tag(tag, encoding)),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
        (header::VARY, "accept-encoding".to_owned()),
    ]
}

impl From<PictureError> for Problem {
    fn from(error: PictureError) -> Self {
        match error {
            PictureError::NoSuchSection => Self::invalid("section: the event has no such section"),
            PictureError::Stopped(_) => {
                Self::unavailable("the worker is shutting down").because(error.to_string())
            }
        }
    }
}
