//! What the facts of one SeatingEvent add up to: the state that commands are decided on.
//!
//! The Redis store keeps the same state in its own form; tests compare the two after every command.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

use uuid::Uuid;

use crate::chart::Chart;
use crate::definition::Definition;
use crate::ids::{CorrelationId, SeatingEventId, UnixMillis, UserId};
use crate::seating::Seating;

/// How long an expired hold is remembered, so that its holder learns that it expired: an hour.
pub const EXPIRED_HOLD_MEMORY: UnixMillis = 3_600_000;

/// One SeatingEvent: its definition, and who claims which seat.
#[derive(Debug, Clone)]
pub struct SeatingEventState {
    /// Its id.
    pub id: SeatingEventId,
    /// Its definition with the seats expanded; `None` before `event.created`.
    pub show: Option<Show>,
    /// Sequence of its last domain event; 0 before the first.
    pub sequence: u64,
    /// Seats about which there is something to say, by key; one that is not here is available.
    pub seats: HashMap<String, Seat>,
    /// Holds, also expired and reserved ones.
    pub holds: HashMap<Uuid, Hold>,
    /// Reservations that have seats.
    pub reservations: HashMap<Uuid, Claimed>,
    /// Seats held and reserved by each user; no zeros.
    pub claims: BTreeMap<UserId, u32>,
}

/// A definition with what is derived from it.
#[derive(Debug, Clone)]
pub struct Show {
    /// The definition.
    pub definition: Definition,
    /// Its seats.
    pub chart: Chart,
    /// Whether sales are closed for good (`event.deleted`).
    pub closed: bool,
    seating: OnceLock<Seating>,
}

impl Show {
    /// A definition with its seats.
    pub fn new(definition: Definition, chart: Chart, closed: bool) -> Self {
        Self { definition, chart, closed, seating: OnceLock::new() }
    }

    /// Its seats in order of preference, worked out when first asked for.
    pub fn seating(&self) -> &Seating {
        self.seating.get_or_init(|| Seating::new(&self.definition, &self.chart))
    }
}

/// A seat that is not simply available.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seat {
    /// Available; the last hold on it expired, which its holder may still ask about.
    Lapsed {
        /// Whose hold expired.
        user: UserId,
    },
    /// In a hold.
    Held {
        /// The hold.
        hold: Uuid,
        /// Price at which it is held.
        amount: u64,
    },
    /// In a reservation.
    Reserved {
        /// The reservation.
        reservation: Uuid,
        /// The hold that it came from.
        hold: Uuid,
        /// Price at which it is reserved.
        amount: u64,
    },
    /// Not for sale.
    Blocked {
        /// Why.
        reason: String,
    },
}

/// A hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Whose.
    pub user: UserId,
    /// The chain that it began.
    pub correlation: CorrelationId,
    /// Keys of the seats that it still has, in the order they were asked for.
    pub seats: Vec<String>,
    /// When it was made: extensions count from here.
    pub held_at: UnixMillis,
    /// First moment at which it no longer holds.
    pub expires_at: UnixMillis,
    /// Sequence of its last `seat.held`.
    pub sequence: u64,
    /// Where it stands.
    pub status: HoldStatus,
}

/// Where a hold stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldStatus {
    /// It has seats (though its deadline may have passed).
    Active,
    /// Its seats were released because its deadline passed.
    Expired,
    /// Its last seats became this reservation.
    Reserved(Uuid),
}

/// A reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// Whose.
    pub user: UserId,
    /// The hold that it came from.
    pub hold: Uuid,
    /// Keys of the seats that it still has.
    pub seats: Vec<String>,
    /// When it was made.
    pub reserved_at: UnixMillis,
    /// Sequence of its `reservation.created`.
    pub sequence: u64,
}

impl SeatingEventState {
    /// A SeatingEvent of which nothing has happened yet.
    pub fn new(id: SeatingEventId) -> Self {
        Self {
            id,
            show: None,
            sequence: 0,
            seats: HashMap::new(),
            holds: HashMap::new(),
            reservations: HashMap::new(),
            claims: BTreeMap::new(),
        }
    }
}
