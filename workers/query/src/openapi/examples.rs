//! What several routes show as an example of their answer. `tests.rs` asks for each of them.

use serde_json::{Value, json};

/// A reservation that is paid.
pub(crate) fn reservation() -> Value {
    json!({
        "reservationId": "arena-night.8d1f6c0e-2b7a-4e0d-9d55-3c1b7a90e2f4",
        "eventId": "arena-night",
        "seats": [
            {"seatId": "arena-night.A-1-1", "sectionId": "A"},
            {"seatId": "arena-night.A-1-2", "sectionId": "A"}
        ],
        "currency": "EUR",
        "total": 24_000,
        "reservedAt": 1_700_000_000_000_u64,
        "payment": {"state": "PAID", "charged": 24_000, "refunded": 0}
    })
}

/// The same, for operators.
pub(crate) fn order() -> Value {
    let mut order = reservation();
    order["userId"] = json!("alice");
    order
}

/// How payments stand.
pub(crate) fn payments() -> Value {
    json!({
        "since": 1_699_996_400_000_u64,
        "states": [{"state": "PAID", "currency": "EUR", "count": 1, "charged": 24_000, "refunded": 0}],
        "payments": [{
            "reservationId": "arena-night.8d1f6c0e-2b7a-4e0d-9d55-3c1b7a90e2f4",
            "eventId": "arena-night",
            "userId": "alice",
            "currency": "EUR",
            "state": "PAID",
            "charged": 24_000,
            "refunded": 0,
            "paymentId": "pay-17",
            "updatedAt": 1_700_000_001_000_u64
        }]
    })
}

/// A minute in which two seats were sold.
pub(crate) fn curve() -> Value {
    json!({
        "eventId": "arena-night",
        "since": 1_699_996_400_000_u64,
        "minutes": [{
            "at": 1_699_999_980_000_u64, "reservations": 1, "seats": 2, "revenue": 24_000, "currency": "EUR"
        }]
    })
}

/// A reservation, and the payment that it caused.
pub(crate) fn trace() -> Value {
    json!({
        "correlationId": "order-17",
        "events": [{
            "eventId": "6f1e0d9a-5c3b-4b8e-9a55-0c2d4f6a8b10",
            "eventType": "reservation.created",
            "aggregateId": "arena-night.8d1f6c0e-2b7a-4e0d-9d55-3c1b7a90e2f4",
            "seatingEvent": "arena-night",
            "sequence": 4,
            "timestamp": 1_700_000_000_000_u64,
            "causationId": "0d1c2b3a-4f5e-4d6c-8b7a-112233445566",
            "userId": "alice",
            "caused": [{
                "eventId": "7a2b1c0d-9e8f-4a7b-8c6d-5e4f3a2b1c0d",
                "eventType": "payment.requested",
                "aggregateId": "arena-night.8d1f6c0e-2b7a-4e0d-9d55-3c1b7a90e2f4",
                "seatingEvent": "arena-night",
                "timestamp": 1_700_000_000_500_u64,
                "causationId": "6f1e0d9a-5c3b-4b8e-9a55-0c2d4f6a8b10",
                "userId": "alice",
                "caused": []
            }]
        }],
        "isCut": false
    })
}
