//! What stands behind the ports in this crate's tests: the embedded seat store with nothing behind it, and a log in memory.

mod log;

mod memory;

use boxoffice_domain::{CorrelationId, Definition, SeatingEventId};
use serde_json::json;
use uuid::Uuid;

pub use log::FakeLog;
pub use memory::Memory;

use crate::store::{Cause, SeatStore};

/// Three seats in row A-1, two standing places, and one blocked seat; a hold lasts 300 s and a user may claim four.
pub fn definition() -> Definition {
    serde_json::from_value(json!({
        "title": "Arena Night", "startsAt": 4_000_000_000_000_u64,
        "limits": {"seatsPerUser": 4},
        "priceCategories": [{"name": "gold", "amount": 12_000, "currency": "EUR"}],
        "sections": [
            {"id": "A", "priceCategory": "gold", "rows": [{"row": "1", "seats": "1-4"}]},
            {"id": "FLOOR", "priceCategory": "gold", "capacity": 2}
        ],
        "blocked": [{"seats": ["A-1-4"], "reason": "camera"}]
    }))
    .unwrap()
}

/// The id of the SeatingEvent that tests sell.
pub fn arena() -> SeatingEventId {
    "arena-night".parse().unwrap()
}

/// Makes it exist.
pub async fn provisioned(store: &Memory) -> SeatingEventId {
    store.provision(&arena(), &definition(), 3, &cause()).await.unwrap().unwrap();
    arena()
}

/// A cause like any other.
pub fn cause() -> Cause {
    let correlation = CorrelationId::from(Uuid::new_v4());
    Cause { command: Uuid::new_v4(), correlation, user: None, traceparent: None, idempotency: None }
}
