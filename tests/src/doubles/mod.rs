//! Services of other people, as servers in the test's own process that do what they are told: a payment [`gateway`] and a
//! [`receiver`] of events; and for the operator, whose services are our own, command workers by the hundred: [`admin`].
#![expect(clippy::missing_panics_doc, reason = "what goes wrong in here is a failed test")]

pub mod admin;
pub mod gateway;
pub mod receiver;

use std::net::SocketAddr;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// Serves `routes` on a port of its own, until dropped.
async fn serve(routes: Router, port: u16) -> (SocketAddr, AbortOnDropHandle<()>) {
    let listener = match TcpListener::bind(("127.0.0.1", port)).await {
        Ok(listener) => listener,
        Err(error) => panic!("no port for a double: {error}"),
    };
    let addr = match listener.local_addr() {
        Ok(addr) => addr,
        Err(error) => panic!("a double has no address: {error}"),
    };
    let serving = tokio::spawn(async move {
        let _ = axum::serve(listener, routes).await;
    });
    (addr, AbortOnDropHandle::new(serving))
}
