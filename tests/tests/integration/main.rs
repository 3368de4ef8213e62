//! Tests on real servers, run by `make test SUITES=integration`: one module a subject.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "also what tests share fails by a panic"
)]

mod archives;
mod bench;
mod cluster_losses;
mod command_worker;
mod consumer;
mod consumer_database;
mod consumer_replaced;
mod consumer_stage;
mod consumer_starts;
mod database_tls;
mod door;
mod effect_store;
mod effects_support;
mod embedded_event_log;
mod embedded_seats;
mod embedded_views;
mod event_log;
mod formats;
mod harness;
mod histories_crash;
mod kafka_leaderless;
mod kafka_outages;
mod kafka_security;
mod kafka_transactions;
mod local_contract;
mod local_crash;
mod local_files;
mod local_lock;
mod local_payments;

mod local_process;
mod local_support;
mod local_terminal;
mod local_tokens;
mod openapi;
mod operator_kafka;
mod orders;
mod payment_and_seats;
mod payment_worker;
mod payments;
mod payments_crash;
mod query_outages;
mod query_snapshot;
mod query_worker;
mod recovery_progress;
mod redis_crash;
mod redis_full;
mod redis_histories;
mod redis_promises;
mod redis_recovery;
mod relay_replicas;
mod rush;
mod sale_support;
mod seat_store;
mod seat_store_cluster;
mod snapshot_shown;
mod snapshots;
mod stack_crash;
mod versions_crash;
mod view_order;
mod view_store;
mod view_upkeep;
mod webhook_worker;
