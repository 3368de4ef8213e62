//! What several routes show as an example of their answer. `openapi/tests.rs` asks for each of them.

use boxoffice_domain::UnixMillis;
use serde_json::{Value, json};

/// A hold of two seats.
pub fn held(expires_at: UnixMillis, sequence: u64) -> Value {
    json!({
        "success": true,
        "correlationId": "order-17",
        "holdId": "arena-night.5f0c2a34-9f1e-4c58-8a53-0d7d2e6b9c11",
        "seats": claimed(),
        "expiresAt": expires_at,
        "sequence": sequence
    })
}

/// A reservation of the same seats.
pub fn reserved(reserved_at: UnixMillis, sequence: u64) -> Value {
    json!({
        "success": true,
        "correlationId": "order-17",
        "reservationId": "arena-night.8d1f6c0e-2b7a-4e0d-9d55-3c1b7a90e2f4",
        "seats": claimed(),
        "reservedAt": reserved_at,
        "sequence": sequence
    })
}

/// The two seats, with their prices.
fn claimed() -> Value {
    let seat = |key| json!({"seatId": format!("arena-night.{key}"), "sectionId": "A", "price": 12_000});
    json!(["A-1-1", "A-1-2"].map(seat))
}

/// The same seats, available again.
pub fn released(sequence: u64) -> Value {
    json!({
        "success": true,
        "correlationId": "order-17",
        "seats": [
            {"seatId": "arena-night.A-1-1", "sectionId": "A"},
            {"seatId": "arena-night.A-1-2", "sectionId": "A"}
        ],
        "sequence": sequence
    })
}

/// The SeatingEvent that they are seats of, of which nobody has any.
pub fn inventory(sequence: u64, phase: &str, blocked: u64) -> Value {
    json!({
        "eventId": "arena-night",
        "chartHash": "9c1f7ad0e3b2465d",
        "partition": 3,
        "sequence": sequence,
        "phase": phase,
        "seats": {"total": 6, "available": 6 - blocked, "held": 0, "reserved": 0, "blocked": blocked}
    })
}
