//! The command worker: HTTP -> one script in Redis (state and outbox in one step) -> relay -> Kafka.
//!
//! Reading order: [`http`] takes commands, [`store`] carries them out, [`relay`] publishes what they wrote and
//! [`published`] lets an answer wait for it. [`admin`] is the operator's side, [`sweeper`] ends lapsed holds, [`payments`]
//! does what the payment of a reservation asks for;
//! [`openapi`] describes both APIs, [`app`] puts them together and [`run()`] chooses what stands behind the ports.

pub mod args;

pub mod durability;

pub mod http;

pub mod store;

pub mod relay;

pub mod published;

pub mod admin;

pub mod sweeper;

pub mod payments;

pub mod openapi;

pub mod app;

mod run;

#[cfg(test)]
mod testing;

pub use run::{RunError, run};
