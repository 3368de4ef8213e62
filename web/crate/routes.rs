//! Which pages and files a process serves, and where.

use axum::Router;
use axum::extract::Path;
use axum::http::HeaderMap;
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use boxoffice_runtime::http::Problem;

use crate::asset::{Asset, EVERYTHING, OF_DOCS, find, set};
use crate::missing;
use crate::policy::Policy;

/// A table of files, sorted by path.
type Table = &'static [&'static Asset];

/// Of a query worker: everything but the operators' page. The page sends commands to `command_url`, or to its own origin.
pub fn of_query<S: Clone + Send + Sync + 'static>(command_url: Option<&str>) -> Router<S> {
    let policy = Policy::of_page(command_url);
    files(EVERYTHING)
        .route("/", page(EVERYTHING, "index.html", policy.clone()))
        .route("/licenses", page(EVERYTHING, "licenses.html", policy))
        .route("/docs", page(EVERYTHING, "docs.html", Policy::of_docs()))
}

/// Of a command worker: the page of its API. Behind a gateway it is at `/command/docs`.
pub fn of_command<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let docs = page(OF_DOCS, "docs.html", Policy::of_docs());
    files(OF_DOCS).route("/docs", docs.clone()).route("/command/docs", docs)
}

/// Of a process that is everything at once.
pub fn of_one_process<S: Clone + Send + Sync + 'static>(command_url: Option<&str>) -> Router<S> {
    of_query(command_url)
        .route("/command/docs", page(EVERYTHING, "docs.html", Policy::of_docs()))
        .route("/ops", page(EVERYTHING, "ops.html", Policy::of_page(command_url)))
}

/// The operators' page alone.
pub fn of_operators<S: Clone + Send + Sync + 'static>() -> Router<S> {
    files(EVERYTHING).route("/ops", page(EVERYTHING, "ops.html", Policy::of_page(None)))
}

/// A page of the table, or what says that there is none.
fn page<S: Clone + Send + Sync + 'static>(
    table: Table,
    path: &'static str,
    policy: Policy,
) -> MethodRouter<S> {
    get(move |headers: HeaderMap| async move {
        policy.on(find(table, path).map_or_else(missing::answer, |page| page.answer(&headers)))
    })
}

/// The files of the table that are no pages: pages of other origins may load them too.
fn files<S: Clone + Send + Sync + 'static>(table: Table) -> Router<S> {
    let at_the_top = table.iter().filter(|asset| !asset.path.contains('/') && !asset.is_page());
    let routes = Router::new().route(
        "/assets/{*path}",
        get(move |path, headers: HeaderMap| async move { file(table, path, &headers) }),
    );
    at_the_top.fold(routes, |routes, asset| {
        let answer = move |headers: HeaderMap| async move { shared(asset.answer(&headers)) };
        routes.route(&format!("/{}", asset.path), get(answer))
    })
}

fn file(table: Table, Path(path): Path<String>, headers: &HeaderMap) -> Response {
    let found = find(table, &format!("assets/{path}"));
    // One that is not here may be on a worker of another version: nobody is to remember that it was not.
    let missing = || ([(CACHE_CONTROL, "no-store")], Problem::no_route()).into_response();
    shared(found.map_or_else(missing, |asset| asset.answer(headers)))
}

/// Whoever shows the map in a page of theirs has its scripts from here. They say nothing of anybody.
fn shared(mut response: Response) -> Response {
    set(&mut response, ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    response
}
