//! The command worker: HTTP, the seat scripts in Redis, the relay to Kafka.
