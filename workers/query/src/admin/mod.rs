//! The operators' API, on a port of its own: what was sold and paid, for how much, and how anything came about. It names users,
//! and changes nothing.

mod orders;

mod payments;

mod sales;

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::Response;
use axum::{Json, Router};
use boxoffice_domain::UnixMillis;
use boxoffice_runtime::clock;
use boxoffice_runtime::http::{Id, Problem};
use boxoffice_runtime::openapi::params::OfChain;
use boxoffice_runtime::reading::{Nothing, Query};
use tower::util::MapResponseLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::Knowledge;
use crate::http::trace::{PathCorrelationId, TraceBody};
use crate::openapi::{OfOperatorTrace, TRACES, about_operators, for_operators};

/// Longest time that a list goes back, in minutes: a week.
const LONGEST_BACK: u64 = 10_080;

/// The routes, for whoever reaches them.
pub fn routes(knowledge: Knowledge) -> Router {
    let (routes, _) = described().split_for_parts();
    routes.layer(MapResponseLayer::new(unkept)).with_state(Arc::new(knowledge))
}

/// It names users, so nothing on the way may keep it.
fn unkept(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response
}

/// What the routes do, for programs and people.
pub fn document() -> OpenApi {
    for_operators(described().into_openapi())
}

fn described() -> OpenApiRouter<Arc<Knowledge>> {
    OpenApiRouter::with_openapi(about_operators())
        .routes(routes!(sales::stats))
        .routes(routes!(sales::curve))
        .routes(routes!(orders::list))
        .routes(routes!(payments::list))
        .routes(routes!(trace))
}

/// Trace a request, whosever it was
///
/// Every domain event that followed from a request, below what caused it.
#[utoipa::path(
    get,
    path = "/admin/trace/{correlationId}",
    operation_id = "showWholeTrace",
    tag = TRACES,
    params(OfChain),
    responses(
        (
            status = 200,
            description = "The chain.",
            body = TraceBody,
            example = json!(crate::openapi::examples::trace())
        ),
        OfOperatorTrace
    )
)]
async fn trace(
    State(known): State<Arc<Knowledge>>,
    Id(PathCorrelationId(chain)): Id<PathCorrelationId>,
    _: Query<Nothing>,
) -> Result<Json<TraceBody>, Problem> {
    known.trace(chain, None).await.map(Json)
}

/// The moment that is so many minutes ago.
fn minutes_ago(minutes: u64) -> Result<UnixMillis, Problem> {
    if (1..=LONGEST_BACK).contains(&minutes) {
        Ok(clock::now().saturating_sub(minutes * 60_000))
    } else {
        Err(Problem::invalid(format!("minutes: {minutes} is out of bounds: ask for 1 to {LONGEST_BACK}")))
    }
}

#[cfg(test)]
mod tests;
