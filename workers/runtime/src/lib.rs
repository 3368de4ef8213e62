//! What every worker shares, and the two ports that stand between workers.
//!
//! [`command_line`] reads the arguments, [`settings`] are those that several have and [`address`] what they lead to,
//! [`telemetry`] the logs, [`health`] the probes and metrics, [`mod@http`] what stands around every route, [`reading`]
//! how what callers write is read, [`openapi`] the documents of the routes, [`identity`] who a caller is, [`shutdown`]
//! the way out, [`clock`] the one place that reads the time, [`mod@postgres`] how to connect to a database. [`record`]
//! gives a domain event its form on the log. The ports: [`log`](mod@log) is what domain events are published to and
//! read from, [`view`] is where a consumer keeps what it built. What stands behind a port is chosen in a `main` and
//! nowhere else.

pub mod address;
pub mod clock;
pub mod command_line;
pub mod health;
pub mod http;
pub mod identity;
pub mod log;
pub mod openapi;
pub mod postgres;
pub mod reading;
pub mod record;
pub mod settings;
pub mod shutdown;
pub mod telemetry;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod tls;
pub mod view;
