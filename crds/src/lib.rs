//! The two custom resources of Box Office, with the rules that the API server enforces on them.
//!
//! Shared by the operator, which reconciles them, and by everything that reads or writes their YAML. The types are the
//! source: the YAML beside this crate is generated from them (`make generate`). Nothing here talks to a cluster.
//!
//! A rule stands on the field it speaks about, as CEL with a message that names the fix. What CEL cannot afford to
//! check, overlapping seat ranges or a currency that there is not, the operator reports as a condition.

#![expect(clippy::doc_markdown, reason = "doc comments are what `kubectl explain` prints: plain text")]

pub mod common;
pub mod seating_event;

mod auth;
pub mod consumers;
pub mod durability;
mod kafka;
pub mod reservation_service;
pub mod tls;
mod web;
pub mod workloads;

mod manifests;
mod yaml_1_1;

pub use manifests::{Manifest, manifests};
pub use reservation_service::{ReservationService, ReservationServiceSpec, ReservationServiceStatus};
pub use seating_event::{SeatingEvent, SeatingEventSpec, SeatingEventStatus};

/// The annotation that pauses reconciling while its value is `"true"`.
pub const PAUSED_ANNOTATION: &str = "boxoffice.dev/paused";

/// The annotation of a ReservationService that keeps on sale what no SeatingEvent claims. Value: names, with commas between.
pub const KEEP_UNCLAIMED_ANNOTATION: &str = "boxoffice.dev/keep-unclaimed";

/// The annotation that a SeatingEvent with `deletionPolicy: Delete` needs before its seats are purged. Value: its name.
pub const CONFIRM_DELETE_ANNOTATION: &str = "boxoffice.dev/confirm-delete";

/// The annotation on a ReservationService by which a person accepts topics that replaced others: their ids, with commas.
pub const ACCEPT_TOPICS_ANNOTATION: &str = "boxoffice.dev/accept-topics";
