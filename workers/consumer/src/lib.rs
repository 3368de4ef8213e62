//! The consumer worker: one handler a process, from the event log to PostgreSQL.
//!
//! On the data path it stands between Kafka and the views. Reading order: [`run`] takes records from the log, [`view`]
//! applies them in one transaction with their checkpoint (I5), [`handlers`] know the tables, [`effects`] carries out
//! what reaches outside, [`relay`] publishes what a handler produced, [`upkeep`] takes out what is old. [`worker`] puts
//! these together with [`args`] and [`metrics`].

pub mod run;

pub mod upkeep;
pub mod view;

pub mod handlers;

pub mod effects;

pub mod relay;

pub mod metrics;

pub mod args;

pub mod worker;
