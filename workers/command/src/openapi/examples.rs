//! What several routes show as an example of their answer. `openapi/tests.rs` asks for each of them.

use boxoffice_domain::UnixMillis;
use serde_json::{Value, json};

/// A hold of two seats.
pub fn held(expires_at: UnixMillis, sequence: u64) -> Value {
    json!({
        "success": true,
        "correlationId": "order-17",
        "holdId": "arena-night.5f0c2a34-9f1e-4c58-8a53-0d7d2e6b9c11",
        "seats": priced(&["A-1-1", "A-1-2"]),
        "currency": "EUR",
        "total": 24_000,
        "expiresAt": expires_at,
        "together": true,
        "sequence": sequence
    })
}

/// A reservation of the same seats.
pub fn reserved(reserved_at: UnixMillis, sequence: u64) -> Value {
    json!({
        "success": true,
        "correlationId": "order-17",
        "reservationId": "arena-night.8d1f6c0e-2b7a-4e0d-9d55-3c1b7a90e2f4",
        "seats": priced(&["A-1-1", "A-1-2"]),
        "currency": "EUR",
        "total": 24_000,
        "reservedAt": reserved_at,
        "sequence": sequence
    })
}

/// Seats given back, and what is left: of a hold it expires.
pub fn released(released: &[&str], left: &[&str], expires_at: Option<UnixMillis>, sequence: u64) -> Value {
    let answer = json!({
        "success": true,
        "correlationId": "order-17",
        "released": released.iter().map(|key| format!("arena-night.{key}")).collect::<Vec<_>>(),
        "seats": priced(left),
        "currency": "EUR",
        "total": 12_000 * left.len(),
        "sequence": sequence
    });
    match expires_at {
        Some(expires_at) => with(answer, &[("expiresAt", expires_at.into())]),
        None => answer,
    }
}

/// The same answer of a route about one seat.
pub fn of_seat(answer: Value) -> Value {
    with(answer, &[("seatId", "arena-night.A-1-1".into())])
}

fn priced(keys: &[&str]) -> Value {
    let seat = |key: &&str| json!({"seatId": format!("arena-night.{key}"), "sectionId": "A", "priceCategory": "gold", "price": 12_000});
    keys.iter().map(seat).collect()
}

/// The SeatingEvent that they are seats of, of which nobody has any.
pub fn inventory(sequence: u64, phase: &str, blocked: u64) -> Value {
    json!({
        "eventId": "arena-night",
        "chartHash": "9c1f7ad0e3b2465d",
        "definitionHash": "5b0c64de81f3a9720b6e9c1f7ad0e3b2",
        "closed": phase == "Closed",
        "partition": 3,
        "sequence": sequence,
        "lastEventAt": 1_700_000_000_000_u64,
        "phase": phase,
        "seats": {"total": 6, "available": 6 - blocked, "held": 0, "reserved": 0, "blocked": blocked}
    })
}

/// All SeatingEvents, for whoever comes with a cursor that is not known.
pub fn changed_inventories() -> Value {
    json!({
        "cursor": "0c6d24f0a1f74d2f9f3b0b6a2c55d1ee.3-1",
        "all": true,
        "events": [inventory(1, "OnSale", 1)],
        "gone": [],
        "unreadable": []
    })
}

/// The same, as a definition made it.
pub fn provisioned(sequence: u64) -> Value {
    with(inventory(sequence, "OnSale", 1), &[("applied", true.into())])
}

/// The same, where a seat stands in the way of the seat map that is wanted.
pub fn partly_provisioned(sequence: u64) -> Value {
    let refused = json!({
        "seats": [{"seatId": "arena-night.A-1-1", "reason": "HELD"}],
        "detail": "seats that are held or sold would be dropped or blocked: A-1-1 HELD"
    });
    with(inventory(sequence, "OnSale", 1), &[("applied", false.into()), ("refused", refused)])
}

/// A snapshot of the same SeatingEvent, with a hold of two seats.
pub fn snapshot() -> Value {
    const HOLD: &str = "5f0c2a34-9f1e-4c58-8a53-0d7d2e6b9c11";
    let seat = json!({"status": "HELD", "hold": HOLD, "amount": 12_000, "blocked": null});
    let hold = json!({
        "user": "alice",
        "correlation": "order-17",
        "seats": ["A-1-1", "A-1-2"],
        "heldAt": 1_700_000_000_000_u64,
        "expiresAt": 1_700_000_300_000_u64,
        "currency": "EUR",
        "sequence": 3,
        "status": "ACTIVE"
    });
    json!({
        "eventId": "arena-night",
        "format": 1,
        "partition": 3,
        "offset": 1_204,
        "sequence": 3,
        "time": 1_700_000_000_000_u64,
        "revision": "0b8e3f3a-7a1d-4a35-b9f4-6c1f2d8a5e77",
        "sale": {"closed": false, "definition": defined()},
        "seats": {"A-1-1": seat, "A-1-2": seat, "A-1-4": {"status": "BLOCKED", "reason": "camera"}},
        "holds": {HOLD: hold},
        "reservations": {},
        "failed": {},
        "claims": {"alice": 2}
    })
}

/// The archive of the same SeatingEvent, when those two were sold.
pub fn archive() -> Value {
    let seat = |key: &str| json!({"seatId": format!("arena-night.{key}"), "amount": 12_000});
    let seats = json!({"total": 6, "available": 3, "held": 0, "reserved": 2, "blocked": 1});
    let revenue = json!([{"amount": 24_000, "currency": "EUR"}]);
    json!({
        "format": 1,
        "eventId": "arena-night",
        "title": "Arena Night",
        "startsAt": 4_000_000_000_000_u64,
        "closesAt": 4_000_000_000_000_u64,
        "cancelUntil": 4_000_000_000_000_u64,
        "closed": false,
        "partition": 3,
        "sequence": 6,
        "lastEventAt": 1_700_000_000_000_u64,
        "definitionHash": "efc40bf094bdf2dfb1858fd85761cd68",
        "chartHash": "9f86d081884c7d65",
        "seats": seats,
        "priceCategories": [
            {"name": "gold", "amount": 12_000, "currency": "EUR", "seats": seats, "revenue": revenue}
        ],
        "revenue": revenue,
        "reservations": [{
            "reservationId": "arena-night.8d1f6c0e-2b7a-4e0d-9d55-3c1b7a90e2f4",
            "userId": "alice",
            "createdAt": 1_700_000_000_000_u64,
            "seats": [seat("A-1-1"), seat("A-1-2")],
            "amount": 24_000,
            "currency": "EUR"
        }],
        "cancelled": [],
        "hash": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    })
}

/// Its definition, with all that was left out.
fn defined() -> Value {
    json!({
        "title": "Arena Night",
        "startsAt": 4_000_000_000_000_u64,
        "sales": {"paused": false},
        "hold": {"ttlSeconds": 300, "maxSeconds": 900, "noSingleSeatGaps": "prefer"},
        "limits": {"seatsPerUser": 4},
        "priceCategories": [{"name": "gold", "amount": 12_000, "currency": "EUR"}],
        "sections": [
            {"id": "A", "priceCategory": "gold", "rows": [{"row": "1", "seats": "1-4"}]},
            {"id": "FLOOR", "priceCategory": "gold", "capacity": 2}
        ],
        "blocked": [{"seats": ["A-1-4"], "reason": "camera"}]
    })
}

fn with(mut answer: Value, more: &[(&str, Value)]) -> Value {
    if let Some(fields) = answer.as_object_mut() {
        fields.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    }
    answer
}
