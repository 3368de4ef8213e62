//! The command worker: HTTP -> one script in Redis (state and outbox in one step) -> relay -> Kafka.
//!
//! Reading order: [`http`] takes commands, [`store`] carries them out, [`relay`] owns lanes and publishes what they
//! wrote, [`recover`] puts back what the store lost, [`snapshot`] keeps what the log has of each SeatingEvent so that
//! nobody reads it from its beginning ([`replay`] is how both work one out), [`archive`] tells what one came to that is
//! over, and [`published`] lets an answer wait for the log. [`admin`] is the operator's side, [`sweeper`] ends lapsed
//! holds, [`payments`] does what the payment of a reservation asks for; [`openapi`] describes both APIs, [`app`] puts
//! them together and [`run()`] chooses what stands behind the ports.

pub mod args;

pub mod durability;

pub mod http;

pub mod store;

pub mod relay;

pub mod recover;

pub mod replay;

pub mod snapshot;

pub mod archive;

pub mod published;

pub mod admin;

pub mod sweeper;

pub mod payments;

pub mod openapi;

pub mod app;

pub mod servers;

mod run;

mod tasks;

#[cfg(test)]
mod testing;

pub use run::{RunError, run};
