//! The consumer worker: one handler a process, from Kafka to PostgreSQL.
