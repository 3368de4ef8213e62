//! `boxoffice ops`: the operators' page of a ReservationService in a cluster, at one origin on this machine.
//!
//! [`key`] lets one browser in, [`routing`] says which worker answers a request, [`connector`] reaches a pod of it and
//! [`proxy`] carries requests there; [`metrics`] is what the consumers measure. The page and its files are this
//! binary's own; what it asks for is the workers'. Pages of other sites are kept out as they are by `boxoffice local`
//! ([`boxoffice_runtime::http::Lock`]).

mod key;

mod routing;

mod connector;

mod proxy;

mod metrics;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::Redirect;
use axum::routing::{any, get};
use boxoffice_runtime::http::{HttpLayer, Lasting, Lock, listen, locked, serve, service};
use boxoffice_runtime::shutdown;
use prometheus_client::registry::Registry;

use crate::failure::Failure;
use crate::tell;
use crate::terminal::target::{Clustered, Port};
use connector::Connector;
use key::Keys;
use metrics::Consumers;
use proxy::{Proxy, Worker};

/// Where everything is that the page asks for.
const BEHIND: &str = "/{*path}";
/// A worker may be asked to wait, and a connection to it takes a while.
const LASTING: &[Lasting] = &[(BEHIND, Duration::from_secs(45))];
/// How long the way out may take: a page that is open has a stream, which only ends with the process.
const DRAIN: Duration = Duration::from_secs(1);

/// Serves until Ctrl-C or SIGTERM.
///
/// # Errors
/// A service that is not in the cluster, has no worker that is ready, or that this user may not reach.
pub async fn run(name: &str, port: u16) -> Result<(), Failure> {
    let stop = shutdown::on_signal()?;
    let found = Clustered::of(name).await?;
    let token = found.admin_token().await?.ok_or_else(|| {
        Failure::Refused(format!("the Secret of the admin token of ReservationService {name} has none"))
    })?;
    let worker = async |port: Port, token: Option<&str>| {
        let pods = found.pods(port);
        pods.ready().await?;
        Ok::<_, Failure>(Worker::new(Connector::to(pods, port.number()), token))
    };
    let proxy = Proxy {
        queries: worker(Port::Queries, None).await?,
        figures: worker(Port::Figures, Some(&token)).await?,
        admin: worker(Port::Admin, Some(&token)).await?,
    };

    let failed =
        |error| Failure::Refused(format!("cannot listen on port {port}: {error}: give another --port"));
    let listener = listen((Ipv4Addr::LOCALHOST, port).into()).map_err(failed)?;
    let addr = listener.local_addr()?;
    let keys = Arc::new(Keys::new(addr.port()));
    tell::say(format_args!(
        "The operators' page of ReservationService {name}:\n\n  {}\n\nThe address works once. Ctrl-C ends it.",
        keys.address(addr)
    ));
    let consumers = Consumers::new(Arc::new(found.all()));
    serve(listener, locked(routes(proxy, consumers, keys), Lock::of(addr, &[])), stop, DRAIN).await;
    Ok(())
}

/// The page, and what is behind it, for whoever has the key.
fn routes(proxy: Proxy, consumers: Consumers, keys: Arc<Keys>) -> Router {
    let measured = Router::new().route("/metrics", get(metrics::show)).with_state(Arc::new(consumers));
    let behind = Router::new().route(BEHIND, any(proxy::forward)).with_state(Arc::new(proxy));
    let routes =
        Router::new().route("/", get(|| async { Redirect::to(key::PAGE) })).merge(behind).merge(measured);
    let routes = routes.merge(boxoffice_web::of_operators());
    let layer = HttpLayer::new(&mut Registry::default()).lasting(LASTING);
    service(routes.layer(from_fn_with_state(keys, key::admit)), layer)
}

#[cfg(test)]
mod tests;
