//! What both kinds share: the condition types of their status, and what happens on deletion.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// The `type` of each condition. `status` is `"True"`, `"False"` or `"Unknown"`.
pub mod condition {
    /// Everything that the spec asks for is there and serving.
    pub const READY: &str = "Ready";
    /// The operator is still working towards the spec.
    pub const RECONCILING: &str = "Reconciling";
    /// The operator cannot go on until someone changes something; reason and message say what.
    pub const STALLED: &str = "Stalled";
    /// ReservationService: its topics exist as declared and keep what durability promises, as they were last seen.
    pub const TOPICS_READY: &str = "TopicsReady";
    /// ReservationService: its consumer groups exist with their start offsets.
    pub const CONSUMER_GROUPS_READY: &str = "ConsumerGroupsReady";
    /// ReservationService: the Secrets and ConfigMaps that its workers read are there with their keys, and its workers take
    /// the admin token; reason and message name field, object, key and what to do.
    pub const SECRETS_READY: &str = "SecretsReady";
    /// ReservationService: its workers run and are ready.
    pub const WORKERS_READY: &str = "WorkersReady";
    /// ReservationService: its command worker answers what the operator asks about its SeatingEvents. There only while it
    /// has any; the service is not ready when nothing was answered for 30 s.
    pub const COMMAND_ANSWERS: &str = "CommandAnswers";
    /// ReservationService: a payment consumer uses the sandbox, so no money moves. There only while one does; it has no part
    /// in whether the service is ready.
    pub const SANDBOX_PAYMENTS: &str = "SandboxPayments";
    /// ReservationService: two Redis masters sell the same seats; the message names both. There only while they do, and
    /// the service is not ready then.
    pub const REDIS_SPLIT: &str = "RedisSplit";
    /// ReservationService: an object was written as wanted, and the API server's answer had another content, as where an
    /// admission webhook changes it; the message names objects and places. There only while it is so; it has no part in
    /// whether the service is ready. Tried again after an hour, and when the service changes.
    pub const DRIFT_PERSISTS: &str = "DriftPersists";
    /// Both: a person asked to leave the object alone, by annotation. There only while it is so.
    pub const RECONCILE_PAUSED: &str = "ReconcilePaused";
    /// ReservationService: the definitions of the kinds are older than the operator, and what they lack is dropped. There
    /// only while it is so; it has no part in whether the service is ready.
    pub const CRDS_OUTDATED: &str = "CrdsOutdated";
    /// ReservationService: its workers sell what no SeatingEvent claims; the message names it. `False` names what was closed
    /// for that. It has no part in whether the service is ready.
    pub const UNCLAIMED_SALES: &str = "UnclaimedSales";
    /// SeatingEvent: its seats are provisioned as declared.
    pub const INVENTORY_READY: &str = "InventoryReady";
}

/// The schema of a moment: RFC 3339, and nothing that [`Time`] could not read. One object that the types cannot read would
/// keep the operator from seeing all others.
pub(crate) fn moment(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "format": "date-time",
        "maxLength": 35,
        "pattern": format!("^{MOMENT}$"),
    })
}

/// As a regular expression. It leaves to others how many days a month has, and knows no leap second: the API server reads
/// none.
pub(crate) const MOMENT: &str =
    r"[12]\d{3}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)";

/// What becomes of the data when the object that declared it is deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// Keep it: applying the object again finds it.
    #[default]
    Retain,
    /// Delete it too.
    Delete,
}
