//! The command worker: HTTP -> one script in Redis (state and outbox in one step) -> relay -> Kafka.
//!
//! Reading order: `http` takes commands, [`store`] carries them out, `relay` publishes what they wrote.

pub mod store;
