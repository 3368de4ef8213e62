//! The operator: turns custom resources into workers, topics, consumer groups and inventory.
//!
//! Reading order: [`run`](mod@run) starts the process and waits to lead ([`leader`]), in namespaces that are this
//! installation's ([`namespace_leases`]); [`watch`](mod@watch) and [`controller`] are what both controllers share;
//! [`reservation_service`] and [`seating_event`] each go dereference -> validate -> build -> apply -> status. Only the first and the last two of these steps do IO, so everything that decides is tested without a
//! cluster. [`kafka`] and [`admin`] are the two systems it acts on besides the API server ([`api`]).
//!
//! Architecture invariant: nothing here opens a connection to Redis or Postgres (I8), and a reconcile that has nothing
//! to change writes nothing (I12).

pub mod args;
pub mod run;

pub mod leader;
pub mod lease;
pub mod namespace_leases;

pub mod context;
pub mod controller;
pub mod directory;
pub mod watch;

pub mod backoff;
pub mod conditions;
pub mod definitions;
pub mod departures;
pub mod last_written;
pub mod metrics;
pub mod notices;
pub mod pause;
pub mod refusals;

#[cfg(test)]
mod fake_api;

#[cfg(test)]
mod told_tests;

pub mod reservation_service;

pub mod seating_event;

pub mod admin;
pub mod api;
pub mod kafka;
pub mod secrets;
