//! Tests on real servers, run by `make test SUITES=integration`: one module a subject.
mod command_worker;
mod consumer;
mod event_log;
mod harness;
mod kafka_outages;
mod operator_kafka;
mod query_snapshot;
mod query_worker;
mod seat_store;
mod view_store;
