//! The names of everything in Redis. A service shares no key with another, and all keys of a SeatingEvent are in one
//! slot of a Redis Cluster, as a script needs them.

use boxoffice_domain::SeatingEventId;
use redis::Cmd;
use uuid::Uuid;

use super::slots::{slot_of, tag, third};
use crate::store::IdempotencyKey;

/// How many places of a Redis Cluster have what belongs to no SeatingEvent. They are spread over the slots, so that one
/// server that is away has not all of them. One server has the first place alone.
pub const PLACES: u16 = 3;

/// The keys of one service.
#[derive(Debug, Clone)]
pub struct Keys {
    service: String,
    signals: String,
}

/// What the keys of a SeatingEvent end with: scripts name them so, in upper case.
pub const PARTS: [&str; 11] = [
    "meta",
    "seats",
    "holds",
    "reservations",
    "users",
    "deadlines",
    "outbox",
    "map",
    "rows",
    "layout",
    "runs",
];

/// What takes the place of seats, holds, reservations, users and deadlines in a recovery.
pub const BESIDE: [&str; 5] = ["new_seats", "new_holds", "new_reservations", "new_users", "new_deadlines"];

/// The keys of one SeatingEvent, end to end: every command has them all, packed once for what is known of it.
#[derive(Debug)]
pub struct EventKeys {
    text: String,
    ends: [usize; PARTS.len()],
}

impl Keys {
    /// Those of the service `namespace/name`.
    pub fn new(service: &str) -> Self {
        Self { service: service.to_owned(), signals: format!("{service}:signals") }
    }

    /// The set of every SeatingEvent's id but for those that are archived, in one of its places.
    pub fn registry(&self, place: u16) -> String {
        let first = format!("{}:events", self.service);
        match place {
            0 => first,
            _ => format!("{}:{{{}}}:events", self.service, tag(third(slot_of(first.as_bytes()), place))),
        }
    }

    /// The set of the ids of those that are archived, in the slot of [`registry`](Self::registry): an id goes from one to
    /// the other in one step.
    pub fn archived(&self, place: u16) -> String {
        let live = self.registry(place);
        match place {
            0 => format!("{{{live}}}:archived"),
            _ => format!("{live}:archived"),
        }
    }

    /// The channel of signals: `wrote <eventId>` and `published <eventId> <sequence> <history>`.
    pub fn signals(&self) -> &str {
        &self.signals
    }

    /// The keys of a SeatingEvent.
    pub fn event(&self, event: &SeatingEventId) -> EventKeys {
        let begin = self.service.len() + ":{}:".len() + event.as_str().len();
        let mut text = String::with_capacity(PARTS.len() * (begin + "reservations".len()));
        let ends = PARTS.map(|part| {
            for piece in [&self.service, ":{", event.as_str(), "}:", part] {
                text.push_str(piece);
            }
            text.len()
        });
        EventKeys { text, ends }
    }

    /// The answer that is stored under an idempotency key of a user's, in the slot of the SeatingEvent.
    pub fn answer(&self, event: &SeatingEventId, key: &IdempotencyKey) -> String {
        format!("{}:{{{event}}}:answer:{}", self.service, key.digest())
    }

    /// The history for which the server that has `slot` was recovered last.
    pub fn history(&self, slot: u16) -> String {
        format!("{}:{{{}}}:history", self.service, tag(slot))
    }

    /// The hash of every partition's history for which that server was recovered last, and of where on the log: the
    /// server has what lies before. `<history> <offset>` by partition.
    pub fn recovered(&self, slot: u16) -> String {
        format!("{}:{{{}}}:recovered", self.service, tag(slot))
    }

    /// What is written there only to learn when it is safe, and everything before it.
    pub fn barrier(&self, slot: u16) -> String {
        format!("{}:{{{}}}:barrier", self.service, tag(slot))
    }

    /// The hash of every lane's lease: all in one slot, so that a relay's round is one script.
    pub fn leases(&self, place: u16) -> String {
        self.relay(place, "leases")
    }

    /// How many partitions the topic was known to have.
    pub fn partitions(&self, place: u16) -> String {
        self.relay(place, "partitions")
    }

    /// The sorted set of the relays that stay, by the end of their lease.
    pub fn relays(&self, place: u16) -> String {
        self.relay(place, "relays")
    }

    fn relay(&self, place: u16, part: &str) -> String {
        match place {
            0 => format!("{}:{{relay}}:{part}", self.service),
            _ => format!("{}:{{{}}}:{part}", self.service, tag(third(slot_of(b"relay"), place))),
        }
    }
}

impl EventKeys {
    /// All of them.
    pub fn all(&self) -> [&str; PARTS.len()] {
        let mut begin = 0;
        self.ends.map(|end| &self.text[std::mem::replace(&mut begin, end)..end])
    }

    /// All of them as the client packs them.
    pub fn packed(&self) -> Cmd {
        let mut packed = Cmd::with_capacity(PARTS.len(), self.text.len());
        packed.arg(&self.all());
        packed
    }

    /// The hash of revision, definition, counts, sequence and watermark; of a purged one, of its place on the log alone, of
    /// one that is archived also of what lists show.
    pub fn meta(&self) -> &str {
        &self.text[..self.ends[0]]
    }

    /// Keys beside seats, holds, reservations, users and deadlines, of one recovery.
    pub fn beside(&self, recovery: Uuid) -> [String; 5] {
        let all = self.all();
        [1, 2, 3, 4, 5].map(|part| format!("{}:recovery:{recovery}", all[part]))
    }

    /// The slot that all of them are in.
    pub fn slot(&self) -> u16 {
        slot_of(self.meta().as_bytes())
    }

    /// The sorted set of holds by deadline.
    pub fn deadlines(&self) -> &str {
        self.all()[5]
    }

    /// The stream of events that wait to be published.
    pub fn outbox(&self) -> &str {
        self.all()[6]
    }
}
