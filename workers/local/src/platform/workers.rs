//! The roles of the workers on the embedded store, behind one door: command, query and ([`super::consumers`]) every
//! declared consumer.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use boxoffice_command::app::{self, App, LISTENING, STORE, Settings};
use boxoffice_command::archive::ArchiveMetrics;
use boxoffice_command::payments::{PaymentMetrics, Source};
use boxoffice_command::recover::NothingIsLost;
use boxoffice_command::relay::RelayMetrics;
use boxoffice_command::servers::ServerMetrics;
use boxoffice_command::store::{Inventory, SeatStore};
use boxoffice_consumer::run::LOG;
use boxoffice_query::{Ports, Query, READY, Topics};
use boxoffice_runtime::clock;
use boxoffice_runtime::health::{self, Readiness};
use boxoffice_runtime::http::{
    AdminToken, HttpLayer, Lock, guarded, json_alone, listen, locked, serve, service,
};
use boxoffice_runtime::identity::Identity;
use boxoffice_runtime::log::EventLog;
use boxoffice_runtime::openapi::{pages, together};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use utoipa::openapi::OpenApi;

use super::declared::Declared;
use super::{Platform, PlatformError};
use crate::embedded::views::{LocalOrders, Trace};

/// Readiness part: the query role shows every SeatingEvent as it was when the roles began.
const SHOWS: &str = "shows";
/// How long the way out may take.
const DRAIN: Duration = Duration::from_secs(5);

/// Where everything is served, and who may do what the operator does.
pub struct Door {
    /// The one port: connections wait in it until the roles are started, and while they are started anew.
    pub listener: Arc<TcpListener>,
    /// Its address.
    pub addr: SocketAddr,
    /// The token of `/admin`; without one `/admin` is open, which only a loopback address is.
    pub admin_token: Option<AdminToken>,
    /// Keeps pages of other sites out.
    pub lock: Lock,
}

/// Not ready until every role is.
pub fn waiting() -> Readiness {
    Readiness::waiting_for(&[LISTENING, STORE, READY, LOG, SHOWS])
}

impl Platform {
    /// Runs the roles until `stop` is cancelled, then drains them.
    ///
    /// # Errors
    /// A part that ended before it was asked to, or a data file that failed.
    pub async fn run(
        &self,
        declared: &Declared,
        door: &Door,
        readiness: Readiness,
        stop: &CancellationToken,
    ) -> Result<(), PlatformError> {
        let mut registry = Registry::default();
        let log: Arc<dyn EventLog> = Arc::new(self.log.clone());
        let own = registry.sub_registry_with_prefix("boxoffice");
        let identity = Identity::open(declared.identity.clone(), own, &readiness)?;
        let app = self.command(declared, identity.clone(), &mut registry, readiness.clone(), stop);
        let layer = HttpLayer::new(registry.sub_registry_with_prefix("boxoffice"));
        let web = declared.service.spec.web.clone().unwrap_or_default();
        let origins: Vec<_> = web.allow_origins.iter().filter_map(|origin| origin.parse().ok()).collect();
        let lock = door.lock.admitting(origins.clone());
        let layer = layer.lasting(boxoffice_query::http::LASTING).allowing(origins);

        let (seat_view, consuming) = self.consume(declared, &mut registry, &readiness, stop).await?;
        let topics = Topics { seats: declared.topic().to_owned(), stats: declared.stats_topic().to_owned() };
        let logged = [declared.topic(), declared.payment_topic()];
        let days = declared.service.spec.retention.unwrap_or_default().trace_days;
        let trace = Trace::new(self.journal.readers().clone(), logged, days, Arc::new(clock::now));
        let orders = Arc::new(LocalOrders::new(Arc::clone(&seat_view), trace));
        let ports = Ports { snapshots: seat_view, log, orders };
        let web_pages = boxoffice_web::of_one_process(web.command_url.as_deref());
        let query = Query::new(ports, topics, identity, readiness.clone(), &mut registry, stop.clone())
            .commanded_at(web.command_url);

        let (views, shows) = (query.views(), self.seats.inventories().await?.inventories);
        let waiting = readiness.clone();
        let _showing = AbortOnDropHandle::new(tokio::spawn(async move {
            for Inventory { event, sequence, .. } in shows {
                views.reached(&event, sequence).await;
            }
            waiting.ready(SHOWS);
        }));

        let admin = app.operators().merge(query.operators()).merge(pages::of_operators(&admin_document()));
        let routes = app.buyers().merge(query.routes()).merge(operators(admin, door));
        let routes = routes.merge(pages::routes(&document())).merge(web_pages);
        let routes = routes.merge(pages::of_commands(&boxoffice_command::http::document()));
        let routes = service(routes, query.aged(layer)).merge(health::routes(registry, readiness));
        let routes = locked(routes, lock);
        let server = serve(Arc::clone(&door.listener), routes, stop.clone(), DRAIN / 2);
        let _following = AbortOnDropHandle::new(tokio::spawn(query.follow()));
        tokio::select! {
            ended = app.run(server) => ended?,
            failed = self.journal.failed() => return Err(failed.into()),
        }
        consuming.wait().await;
        Ok(())
    }

    fn command(
        &self,
        declared: &Declared,
        identity: Identity,
        registry: &mut Registry,
        readiness: Readiness,
        stop: &CancellationToken,
    ) -> App {
        let limits = &declared.service.spec.limits;
        let settings = Settings {
            service: declared.name(),
            topic: declared.topic().to_owned(),
            stats_topic: declared.stats_topic().to_owned(),
            durability: declared.durability,
            identity,
            requests_per_user_per_second: limits.requests_per_user_per_second.and_then(NonZeroU32::new),
            max_body_bytes: usize::try_from(limits.max_body_bytes).unwrap_or(usize::MAX),
            payment_topic: declared.payment_topic().to_owned(),
            payments: declared.service.payments_group.as_ref().map(|group| Source {
                topic: declared.payment_topic().to_owned(),
                group: group.name.clone(),
                metrics: PaymentMetrics::register(registry.sub_registry_with_prefix("boxoffice")),
            }),
            drain: DRAIN,
        };
        let registry = registry.sub_registry_with_prefix("boxoffice");
        let metrics = RelayMetrics::register(registry);
        let archives = ArchiveMetrics::register(registry);
        let ports = app::Ports {
            store: Arc::clone(&self.seats),
            log: Arc::new(self.log.clone()),
            recovery: Arc::new(NothingIsLost),
            snapshots: None,
            archives: Some(archives),
        };
        App::new(ports, settings, (metrics, ServerMetrics::default()), readiness, stop.clone())
    }
}

impl Door {
    /// Opens a port that is known by `hosts` too.
    ///
    /// # Errors
    /// An address that cannot be listened on.
    pub fn open(
        addr: SocketAddr,
        hosts: &[String],
        admin_token: Option<AdminToken>,
    ) -> Result<Self, PlatformError> {
        let failed = |source| PlatformError::Listen { addr, source };
        let listener = listen(addr).map_err(failed)?;
        let addr = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, addr, admin_token, lock: Lock::of(addr, hosts) })
    }
}

/// One document of everything that buyers and readers can ask for.
fn document() -> OpenApi {
    together("Box Office", boxoffice_command::http::document(), boxoffice_query::http::document())
}

/// One document of everything that operators can ask for.
fn admin_document() -> OpenApi {
    let (commands, queries) = (boxoffice_command::admin::document(), boxoffice_query::admin::document());
    together("Box Office administration", commands, queries)
}

/// `/admin` as the door has it: for the bearer of the token; else for everybody on this machine, and on a port that
/// others reach for nobody.
fn operators(routes: Router, door: &Door) -> Router {
    match &door.admin_token {
        Some(token) => guarded(routes, token.clone()),
        None if door.addr.ip().is_loopback() => json_alone(routes),
        None => Router::new(),
    }
}

#[cfg(test)]
mod tests {
    use boxoffice_runtime::testing::document::Document;

    use super::*;

    #[test]
    fn one_document_has_the_routes_of_both_workers() {
        let both = Document::new(&document());
        both.sound();
        assert_eq!(both.at("/paths/~1seats~1{seatId}/get/operationId"), "showSeat");
        assert_eq!(both.at("/paths/~1seats~1{seatId}~1hold/post/operationId"), "holdSeat");
        let operators = Document::new(&admin_document());
        operators.sound();
        assert_eq!(operators.at("/paths/~1admin~1events/get/operationId"), "listInventories");
        assert_eq!(operators.at("/paths/~1admin~1orders/get/operationId"), "listOrders");
    }
}
