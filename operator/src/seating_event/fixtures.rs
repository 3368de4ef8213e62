//! Resources for the tests of this folder.

use boxoffice_crds::SeatingEvent;
use boxoffice_domain::definition::Phase;

use super::slim::SlimSeatingEvent;
use crate::admin::{Counts, Inventory};
pub use crate::reservation_service::fixtures::main_service;

pub fn arena_night() -> SeatingEvent {
    let yaml = r#"
apiVersion: boxoffice.dev/v1alpha1
kind: SeatingEvent
metadata: {name: arena-night, namespace: tickets, uid: e1, generation: 2}
spec:
  serviceRef: {name: main}
  title: Arena Night
  startsAt: 2099-03-01T20:00:00Z
  sales: {opensAt: 2026-11-01T10:00:00Z}
  limits: {seatsPerUser: 8}
  priceCategories: [{name: gold, amount: 12000, currency: EUR}]
  sections:
  - {id: A, priceCategory: gold, rows: [{row: "1", seats: "1-20"}, {rows: "2-3", seats: "1-39/2"}]}
  - {id: FLOOR, priceCategory: gold, capacity: 200}
  blocked: [{seats: ["A-1-1"], reason: camera}]
"#;
    serde_yaml_ng::from_str(yaml).unwrap()
}

pub fn show() -> SlimSeatingEvent {
    arena_night().into()
}

pub fn inventory() -> Inventory {
    Inventory {
        event_id: "arena-night".into(),
        chart_hash: "abc".into(),
        definition_hash: Some("old".into()),
        closed: false,
        partition: 3,
        sequence: 7,
        last_event_at: None,
        phase: Phase::OnSale,
        seats: Counts { total: 260, available: 250, held: 6, reserved: 3, blocked: 1 },
    }
}
