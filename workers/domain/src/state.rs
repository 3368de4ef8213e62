//! What the facts of one SeatingEvent add up to: the state that commands are decided on.
//!
//! The Redis store keeps the same state in its own form; tests compare the two after every command. Its JSON is what
//! snapshots say.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::chart::Chart;
use crate::command::{Answer, PricedSeat, Reinstatement};
use crate::definition::Definition;
use crate::events::PaidBy;
use crate::ids::{CorrelationId, SeatingEventId, UnixMillis, UserId, section_of};
use crate::seating::Seating;

/// How long an expired hold is remembered, so that its holder learns that it expired: an hour.
pub const EXPIRED_HOLD_MEMORY: UnixMillis = 3_600_000;
/// How long a reservation whose payment failed is remembered, so that a payment that comes late finds it: longer than a
/// gateway is asked for its final answer.
pub const FAILED_PAYMENT_MEMORY: UnixMillis = 50 * 3_600_000;

/// One SeatingEvent: its definition, and who claims which seat.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeatingEventState {
    /// Its id.
    pub id: SeatingEventId,
    /// Its definition with the seats expanded; `None` before `event.created` and after `event.purged`.
    pub sale: Option<Arc<Sale>>,
    /// Sequence of its last domain event; 0 before the first.
    pub sequence: u64,
    /// Seats about which there is something to say, by key; one that is not here is available.
    pub seats: HashMap<String, Seat>,
    /// Holds, also expired and reserved ones.
    pub holds: HashMap<Uuid, Hold>,
    /// Reservations that have seats.
    pub reservations: HashMap<Uuid, Reservation>,
    /// Reservations whose payment failed, also those that nobody has to remember any more.
    pub failed: HashMap<Uuid, FailedReservation>,
    /// Seats held and reserved by each user; no zeros.
    pub claims: BTreeMap<UserId, u32>,
}

/// What is on sale: a definition with its seats, and whether its sales are over for good.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sale {
    /// The definition.
    pub definition: Definition,
    /// Whether sales are closed for good (`event.deleted`).
    pub closed: bool,
    #[serde(skip)]
    chart: OnceLock<Chart>,
    #[serde(skip)]
    seating: OnceLock<Seating>,
}

impl Sale {
    /// The sale of a definition.
    pub fn new(definition: Definition, closed: bool) -> Self {
        Self { definition, closed, chart: OnceLock::new(), seating: OnceLock::new() }
    }

    /// The seats, expanded when first asked for.
    pub fn chart(&self) -> &Chart {
        self.chart.get_or_init(|| Chart::expand(&self.definition).unwrap_or_default())
    }

    /// The seats in order of preference, worked out when first asked for.
    pub fn seating(&self) -> &Seating {
        self.seating.get_or_init(|| Seating::new(&self.definition, self.chart()))
    }

    /// Whether the chart has seats of all these keys, and they are neighbours.
    pub fn are_together<'a>(&self, keys: impl IntoIterator<Item = &'a str>) -> bool {
        let mut places = keys.into_iter().map(|key| self.seating().place(self.chart().position(key)?));
        places.by_ref().collect::<Option<Vec<_>>>().is_some_and(|places| self.seating().together(places))
    }

    /// The name of the price category that a seat's section has.
    pub fn category_of(&self, key: &str) -> &str {
        let section = section_of(key);
        let section = self.definition.sections.iter().find(|it| it.id == section);
        section.map_or("", |section| &section.price_category)
    }

    /// Fills in what an answer tells beside the records: price categories, and whether seats are together. Stores keep
    /// answers without these.
    pub fn complete(&self, answer: &mut Answer) {
        let categories = |seats: &mut Vec<PricedSeat>| {
            for seat in seats {
                self.category_of(&seat.key).clone_into(&mut seat.price_category);
            }
        };
        match answer {
            Answer::Held { seats, together, .. } => {
                *together = self.are_together(seats.iter().map(|seat| seat.key.as_str()));
                categories(seats);
            }
            Answer::Reserved { seats, .. } => categories(seats),
            Answer::Released { left, .. } => categories(left),
            Answer::Reinstatement { .. } | Answer::Provisioned { .. } => {}
        }
    }
}

/// A seat that is not simply available.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "SCREAMING_SNAKE_CASE")]
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
        /// Why it was blocked before staff held it: it is blocked again when the hold ends unsold.
        blocked: Option<String>,
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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
    /// Of the prices, for ever.
    pub currency: String,
    /// Sequence of the domain event that last changed it.
    pub sequence: u64,
    /// Where it stands.
    pub status: HoldStatus,
}

/// Where a hold stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HoldStatus {
    /// It has seats (though its deadline may have passed).
    Active,
    /// Its seats were released because its deadline passed.
    Expired,
    /// Its last seats became this reservation.
    Reserved(Uuid),
}

/// A reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reservation {
    /// Whose.
    pub user: UserId,
    /// The hold that it came from.
    pub hold: Uuid,
    /// Keys of the seats that it still has.
    pub seats: Vec<String>,
    /// When it was made.
    pub reserved_at: UnixMillis,
    /// Of the prices, for ever.
    pub currency: String,
    /// What pays for it where no payment of its own does.
    pub paid_by: Option<PaidBy>,
    /// Sequence of the domain event that last changed it.
    pub sequence: u64,
}

/// A reservation whose payment failed, as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailedReservation {
    /// Whose it was.
    pub user: UserId,
    /// Keys of the seats that it still had, with their prices.
    pub seats: Vec<(String, u64)>,
    /// Of the prices.
    pub currency: String,
    /// When its payment failed.
    pub failed_at: UnixMillis,
    /// What became of it when the payment came late; `None` before.
    pub outcome: Option<Reinstatement>,
}

impl FailedReservation {
    /// First moment at which nobody has to remember it any more.
    pub fn forgotten_at(&self) -> UnixMillis {
        self.failed_at.saturating_add(FAILED_PAYMENT_MEMORY)
    }
}

impl SeatingEventState {
    /// A SeatingEvent of which nothing has happened yet.
    pub fn new(id: SeatingEventId) -> Self {
        Self {
            id,
            sale: None,
            sequence: 0,
            seats: HashMap::new(),
            holds: HashMap::new(),
            reservations: HashMap::new(),
            failed: HashMap::new(),
            claims: BTreeMap::new(),
        }
    }

    /// Forgets what nobody has to remember any more: expired holds, and reservations whose payment failed.
    pub fn forget(&mut self, now: UnixMillis) {
        self.holds.retain(|_, hold| {
            hold.status != HoldStatus::Expired || now < hold.expires_at + EXPIRED_HOLD_MEMORY
        });
        self.failed.retain(|_, failed| now < failed.forgotten_at());
    }
}
