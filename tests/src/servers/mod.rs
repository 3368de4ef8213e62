//! Real Redis, Kafka and PostgreSQL for tests, on loopback ports and in temporary folders.
//!
//! Most tests use the shared ones, which `boxoffice-servers` starts around a whole run: [`redis_url`], [`kafka`] with
//! its other listeners [`secure_kafka`] and [`mutual_kafka`], [`topic`], [`database`]. A test that crashes or freezes a
//! server starts one of its own: `Server::start(Kafka)`. The operator's tests have a Kubernetes beside them:
//! [`ControlPlane`].

mod append_only;
pub mod certificates;
pub mod child;
pub mod control_plane;
mod installed;
mod kafka;
mod kafka_cluster;
mod kafka_measured;
mod kafka_secure;
mod pgbouncer;
mod postgres;
mod postgres_secure;
mod redis;
pub mod redis_kinds;
mod server;
mod shared;

pub use certificates::Certificates;
pub use control_plane::ControlPlane;
pub use installed::program;
pub use kafka::Kafka;
pub use kafka_cluster::KafkaCluster;
pub use kafka_measured::MeasuredKafka;
pub use kafka_secure::{LIMITED, PASSWORD, SecureKafka, USERNAME};
pub use pgbouncer::PgBouncer;
pub use postgres::{Postgres, Standby};
pub use postgres_secure::SecurePostgres;
pub use redis::Redis;
pub use server::{Program, Server, free_port};
pub use shared::{
    Database, KAFKA, KAFKA_CA, KAFKA_MUTUAL, KAFKA_SECURE, POSTGRES, REDIS, database, kafka,
    kafka_certificates, kafka_security, mutual_kafka, redis_url, replace_topic, secure_kafka, service, topic,
    topic_on, topic_placed, unique,
};
