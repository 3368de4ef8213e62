//! Real Redis, Kafka and PostgreSQL for tests, on loopback ports and in temporary folders.
//!
//! Most tests use the shared ones, which `boxoffice-servers` starts around a whole run: [`redis_url`], [`kafka`],
//! [`topic`], [`database`]. A test that crashes or freezes a server starts one of its own: `Server::start(Kafka)`.

pub mod certificates;
pub mod child;
mod kafka;
mod postgres;
mod redis;
pub mod redis_kinds;
mod server;
mod shared;

pub use certificates::Certificates;
pub use kafka::Kafka;
pub use postgres::Postgres;
pub use redis::Redis;
pub use server::{Program, Server, free_port};
pub use shared::{
    Database, KAFKA, POSTGRES, REDIS, database, kafka, redis_url, service, topic, topic_on, unique,
};
