//! The names of everything in Redis. A service shares no key with another, and all keys of a SeatingEvent are in one
//! slot of a Redis Cluster, as a script needs them.

use boxoffice_domain::SeatingEventId;
use boxoffice_domain::partition::partition_of;

/// How many buckets SeatingEvents are spread over; relays share them out.
pub const BUCKETS: u32 = 16;

/// The keys of one service.
#[derive(Debug, Clone)]
pub struct Keys {
    service: String,
}

/// The keys of one SeatingEvent, in the order that `scripts/lib/head.lua` names them.
pub struct EventKeys([String; 7]);

impl Keys {
    /// Those of the service `namespace/name`.
    pub fn new(service: &str) -> Self {
        Self { service: service.to_owned() }
    }

    /// The set of every SeatingEvent's id.
    pub fn registry(&self) -> String {
        format!("{}:events", self.service)
    }

    /// The channel of signals: `wrote <eventId>` and `published <eventId> <sequence>`.
    pub fn signals(&self) -> String {
        format!("{}:signals", self.service)
    }

    /// The keys of a SeatingEvent.
    pub fn event(&self, event: &SeatingEventId) -> EventKeys {
        let parts = ["meta", "seats", "holds", "reservations", "users", "deadlines", "outbox"];
        EventKeys(parts.map(|part| format!("{}:{{{event}}}:{part}", self.service)))
    }

    /// The hash of every bucket's lease: all in one slot, so that a relay's round is one script.
    pub fn leases(&self) -> String {
        format!("{}:{{relay}}:leases", self.service)
    }

    /// The sorted set of the relays that stay, by the end of their term.
    pub fn relays(&self) -> String {
        format!("{}:{{relay}}:relays", self.service)
    }
}

impl EventKeys {
    /// All of them.
    pub fn all(&self) -> &[String] {
        &self.0
    }

    /// The hash of revision, definition, counts, sequence and watermark.
    pub fn meta(&self) -> &str {
        &self.0[0]
    }

    /// The sorted set of holds by deadline.
    pub fn deadlines(&self) -> &str {
        &self.0[5]
    }

    /// The stream of events that wait to be published.
    pub fn outbox(&self) -> &str {
        &self.0[6]
    }
}

/// The bucket of a SeatingEvent.
pub fn bucket_of(event: &SeatingEventId) -> u32 {
    partition_of(event.as_str(), BUCKETS)
}
