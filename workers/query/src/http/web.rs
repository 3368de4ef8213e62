//! `GET /web.json`: what a page has to know before it can ask for anything else.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use boxoffice_runtime::reading::{Nothing, Query};
use serde::Serialize;
use utoipa::ToSchema;

use super::Knowledge;
use crate::openapi::{OfList, PAGES};

/// What a page has to know.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Web)]
#[serde(rename_all = "camelCase")]
pub(super) struct WebBody {
    /// Where it sends commands; absent: to its own origin.
    #[serde(skip_serializing_if = "Option::is_none")]
    command_url: Option<String>,
    /// How buyers are known.
    auth: AuthBody,
    /// Version of the workers.
    version: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebAuth)]
struct AuthBody {
    /// `header`: by a gateway; `jwt`: by a bearer token.
    mode: &'static str,
}

/// Show what a page has to know
///
/// Where commands go, how buyers are known, and which version answers.
#[utoipa::path(
    get,
    path = "/web.json",
    operation_id = "showWeb",
    tag = PAGES,
    responses(
        (
            status = 200,
            description = "What a page has to know.",
            body = WebBody,
            example = json!({
                "commandUrl": "https://tickets.example.com",
                "auth": {"mode": "header"},
                "version": "0.1.0"
            })
        ),
        OfList
    )
)]
pub(super) async fn show(
    State(known): State<Arc<Knowledge>>,
    _: Query<Nothing>,
) -> ([(HeaderName, &'static str); 1], Json<WebBody>) {
    let mode = if known.identity.header() == header::AUTHORIZATION.as_str() { "jwt" } else { "header" };
    let body = WebBody {
        command_url: known.command_url.clone(),
        auth: AuthBody { mode },
        version: env!("CARGO_PKG_VERSION"),
    };
    ([(header::CACHE_CONTROL, "no-cache")], Json(body))
}
