//! What every worker shares: arguments, telemetry, shutdown, health, Kafka and PostgreSQL plumbing.
