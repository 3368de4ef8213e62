//! A ReservationService and a SeatingEvent to start from, as JSON: small, valid, and with one of each worker.

use serde_json::{Value, json};

const VERSION: &str = "boxoffice.dev/v1alpha1";

/// A ReservationService on a Kafka, where the names of its topics and groups begin with `prefix`.
pub fn service(name: &str, kafka: &str, prefix: &str) -> Value {
    json!({
        "apiVersion": VERSION,
        "kind": "ReservationService",
        "metadata": {"name": name},
        "spec": {
            "auth": {"mode": "header", "allowFrom": [{"namespaceSelector": {}, "podSelector": {}}]},
            "redis": {"url": "redis://redis:6379"},
            "kafka": {
                "bootstrapServers": kafka,
                "prefix": prefix,
                "topic": {"partitions": 1, "replicationFactor": 1, "deletionPolicy": "Delete"}
            },
            "command": {"replicas": 1},
            "query": {"replicas": 1},
            "consumers": [consumer("seat-view", "seat-view", "postgres://postgres@db:5432/view")]
        }
    })
}

/// A consumer of a service, with a database.
pub fn consumer(name: &str, handler: &str, database: &str) -> Value {
    json!({"name": name, "handler": handler, "database": {"url": database}})
}

/// A SeatingEvent of a service: two rows of twenty and a floor for fifty.
pub fn show(service: &str, name: &str) -> Value {
    json!({
        "apiVersion": VERSION,
        "kind": "SeatingEvent",
        "metadata": {"name": name},
        "spec": {
            "serviceRef": {"name": service},
            "title": "A show of the tests",
            "startsAt": "2099-03-01T20:00:00Z",
            "priceCategories": [{"name": "gold", "amount": 12000, "currency": "EUR"}],
            "sections": [
                {"id": "A", "priceCategory": "gold", "rows": [{"rows": "1-2", "seats": "1-20"}]},
                {"id": "FLOOR", "priceCategory": "gold", "capacity": 50}
            ]
        }
    })
}
