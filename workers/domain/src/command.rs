//! Commands, and what deciding one gives: an answer with the facts it makes, or a rejection.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::definition::Definition;
use crate::events::DomainEvent;
use crate::faults::Fault;
use crate::ids::{UnixMillis, UserId};

/// Most seats that a hold may grow to: `reservation.created` and `hold.extended` name all of them, and have to fit into a
/// record of the log.
pub const MOST_SEATS_OF_A_HOLD: u32 = 1_000;

/// A wish to change a SeatingEvent. Seats are named by their keys, holds and reservations by their UUIDs.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Claim seats for a while, all or none.
    Hold {
        /// Which.
        wanted: Wanted,
        /// Who claims them.
        user: UserId,
        /// What the hold will be called.
        hold: Uuid,
    },
    /// Let a live hold have more seats, all or none, until its own deadline.
    AddToHold {
        /// The hold.
        hold: Uuid,
        /// Which seats.
        wanted: Wanted,
        /// Who asks.
        user: UserId,
    },
    /// Move a hold's deadline away, as far as the SeatingEvent allows.
    ExtendHold {
        /// The hold.
        hold: Uuid,
        /// Who asks.
        user: UserId,
        /// By how many seconds; absent: as long as a new hold lasts.
        seconds: Option<u32>,
    },
    /// Confirm one held seat, as a reservation of its own.
    ReserveSeat {
        /// The seat's key.
        seat: String,
        /// Who confirms.
        user: UserId,
        /// What the reservation will be called.
        reservation: Uuid,
    },
    /// Confirm every seat that a hold still has.
    ReserveHold {
        /// The hold.
        hold: Uuid,
        /// Who confirms.
        user: UserId,
        /// What the reservation will be called.
        reservation: Uuid,
    },
    /// Give one seat back: out of an own hold or an own reservation.
    ReleaseSeat {
        /// The seat's key.
        seat: String,
        /// Who gives it back.
        user: UserId,
    },
    /// Give back every seat that a hold still has.
    ReleaseHold {
        /// The hold.
        hold: Uuid,
        /// Who gives it back.
        user: UserId,
    },
    /// Give back every seat that a reservation still has.
    CancelReservation {
        /// The reservation.
        reservation: Uuid,
        /// Who cancels.
        user: UserId,
    },
    /// End a hold whose deadline has passed; nothing where it has not.
    Expire {
        /// The hold.
        hold: Uuid,
    },
    /// Claim seats for somebody at the box office, all or none: outside the sales window, the limit and the gap rule.
    StaffHold {
        /// Their keys; no repeats.
        seats: Vec<String>,
        /// For whom.
        user: UserId,
        /// What the hold will be called.
        hold: Uuid,
        /// Whether blocked seats may be among them.
        blocked: bool,
    },
    /// Sell every seat that anybody's hold still has, paid for at the counter.
    StaffReserve {
        /// The hold.
        hold: Uuid,
        /// What the reservation will be called.
        reservation: Uuid,
    },
    /// Take back every seat that anybody's hold still has.
    StaffRelease {
        /// The hold.
        hold: Uuid,
        /// Why, in the box office's words.
        note: Option<String>,
    },
    /// Take back every seat that anybody's reservation still has.
    StaffCancel {
        /// The reservation.
        reservation: Uuid,
        /// Why, in the box office's words.
        note: Option<String>,
    },
    /// Take back every seat of a reservation whose payment failed; nothing where none has it, or where no payment of its
    /// own pays for it.
    FailPayment {
        /// The reservation.
        reservation: Uuid,
    },
    /// Give a reservation whose payment failed back to whoever paid for it after all, as a new one at its old prices:
    /// where all of its seats are free and sales are open, else it is refused for good. Nothing where none is remembered.
    Reinstate {
        /// The reservation whose payment failed.
        reservation: Uuid,
        /// The payment, by the gateway's name for it.
        payment: String,
        /// What the hold will be called that its seats go through.
        hold: Uuid,
        /// What the new reservation will be called.
        reinstated: Uuid,
    },
    /// Create the SeatingEvent, or change its definition.
    Provision {
        /// What it is to be.
        definition: Box<Definition>,
    },
    /// Take seats that nobody has off sale, all or none.
    Block {
        /// Their keys; no repeats.
        seats: Vec<String>,
        /// Why.
        reason: String,
    },
    /// Put blocked seats back on sale; others stay as they are.
    Unblock {
        /// Their keys; no repeats.
        seats: Vec<String>,
    },
    /// Close the sales for good and keep the seats.
    Close,
    /// Forget it with its seats, whoever has some of them. Its sequence goes on, should it be created again.
    Purge,
}

/// What commands have in common: what their caller relies on afterwards, and what they may be refused for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandKind {
    /// Claims seats for a while, or for a while longer.
    Hold,
    /// Claims held seats for good.
    Reserve,
    /// Gives seats back.
    Release,
    /// Changes what is on sale.
    Operate,
}

/// What a command says about the definition that is wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wants<'a> {
    /// This one, in place of any before.
    Definition(&'a Definition),
    /// None any more.
    Nothing,
    /// Nothing new.
    AsBefore,
}

impl Command {
    /// Which kind it is of.
    pub fn kind(&self) -> CommandKind {
        match self {
            Self::Hold { .. } | Self::AddToHold { .. } | Self::ExtendHold { .. } | Self::StaffHold { .. } => {
                CommandKind::Hold
            }
            Self::ReserveSeat { .. }
            | Self::ReserveHold { .. }
            | Self::StaffReserve { .. }
            | Self::Reinstate { .. } => CommandKind::Reserve,
            Self::ReleaseSeat { .. }
            | Self::ReleaseHold { .. }
            | Self::CancelReservation { .. }
            | Self::Expire { .. }
            | Self::StaffRelease { .. }
            | Self::StaffCancel { .. }
            | Self::FailPayment { .. } => CommandKind::Release,
            Self::Provision { .. }
            | Self::Block { .. }
            | Self::Unblock { .. }
            | Self::Close
            | Self::Purge => CommandKind::Operate,
        }
    }

    /// What is wanted from now on, should a part of it be refused.
    pub fn wants(&self) -> Wants<'_> {
        match self {
            Self::Provision { definition } => Wants::Definition(definition),
            Self::Close | Self::Purge => Wants::Nothing,
            Self::Hold { .. }
            | Self::AddToHold { .. }
            | Self::ExtendHold { .. }
            | Self::ReserveSeat { .. }
            | Self::ReserveHold { .. }
            | Self::ReleaseSeat { .. }
            | Self::ReleaseHold { .. }
            | Self::CancelReservation { .. }
            | Self::Expire { .. }
            | Self::StaffHold { .. }
            | Self::StaffReserve { .. }
            | Self::StaffRelease { .. }
            | Self::StaffCancel { .. }
            | Self::FailPayment { .. }
            | Self::Reinstate { .. }
            | Self::Block { .. }
            | Self::Unblock { .. } => Wants::AsBefore,
        }
    }
}

/// Which seats a hold is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// These, and so many units of these areas.
    These {
        /// Keys of seats; no repeats.
        seats: Vec<String>,
        /// General-admission areas; none twice.
        areas: Vec<Area>,
    },
    /// The best that are available.
    Best(Best),
}

/// Units of a general-admission area, whichever are free.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Area {
    /// The section.
    pub section_id: String,
    /// How many units.
    pub quantity: u32,
}

/// Numbered seats to be chosen, adjacent ones where there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Best {
    /// How many seats.
    pub quantity: u32,
    /// Of this section alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section_id: Option<String>,
    /// Of this price category alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_category: Option<String>,
    /// Whether nothing but neighbours will do; absent: `preferred`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub together: Option<Together>,
}

/// Whether chosen seats have to be neighbours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Together {
    /// They have to: otherwise none is held.
    Required,
    /// Others are held where there are not so many neighbours.
    #[default]
    Preferred,
}

impl From<Vec<String>> for Wanted {
    fn from(seats: Vec<String>) -> Self {
        Self::These { seats, areas: vec![] }
    }
}

/// What a command does: nothing of it, or all.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What the caller learns.
    pub answer: Answer,
    /// The facts, in order; none where the answer repeats an earlier one.
    pub changes: Vec<DomainEvent>,
    /// The first moment at which it would be another decision, if time alone makes it one.
    pub until: Option<UnixMillis>,
}

impl Decision {
    /// Whether it takes seats that were available: none are taken while too many events wait to be published.
    pub fn takes_seats(&self) -> bool {
        self.changes.iter().any(|change| matches!(change, DomainEvent::SeatHeld(_)))
    }
}

/// The records of a SeatingEvent that a decision looked at, whether they were there or not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reads {
    /// Seats, by key.
    pub seats: BTreeSet<String>,
    /// Holds.
    pub holds: BTreeSet<Uuid>,
    /// Reservations.
    pub reservations: BTreeSet<Uuid>,
    /// Reservations whose payment failed.
    pub failed: BTreeSet<Uuid>,
}

impl Reads {
    /// Whether all of `other` is among them.
    pub fn cover(&self, other: &Self) -> bool {
        self.seats.is_superset(&other.seats)
            && self.holds.is_superset(&other.holds)
            && self.reservations.is_superset(&other.reservations)
            && self.failed.is_superset(&other.failed)
    }

    /// These and those of `other`.
    pub fn add(&mut self, other: Self) {
        self.seats.extend(other.seats);
        self.holds.extend(other.holds);
        self.reservations.extend(other.reservations);
        self.failed.extend(other.failed);
    }
}

/// What the caller of an accepted command learns: all of the hold or the reservation, as it is after the command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The hold: new, already theirs, grown or extended.
    Held {
        /// The hold.
        hold: Uuid,
        /// Its seats, in the order asked for.
        seats: Vec<PricedSeat>,
        /// Of the prices.
        currency: String,
        /// First moment at which it no longer holds.
        expires_at: UnixMillis,
        /// Whether all of its seats are neighbours of each other.
        together: bool,
        /// Sequence of the domain event that last changed it.
        sequence: u64,
    },
    /// The reservation, new or already theirs.
    Reserved {
        /// The reservation.
        reservation: Uuid,
        /// Its seats.
        seats: Vec<PricedSeat>,
        /// Of the prices.
        currency: String,
        /// When it was made.
        reserved_at: UnixMillis,
        /// Sequence of the domain event that last changed it.
        sequence: u64,
    },
    /// Seats given back; also of an expiry.
    Released {
        /// Their keys.
        released: Vec<String>,
        /// What the hold or the reservation still has.
        left: Vec<PricedSeat>,
        /// Of the prices.
        currency: String,
        /// When what is left of a hold expires; `None` for a reservation, and where nothing is left.
        expires_at: Option<UnixMillis>,
        /// Sequence of the last domain event.
        sequence: u64,
    },
    /// What became of a reservation whose payment came late, now or earlier.
    Reinstatement {
        /// What became of it; `None` where no such reservation is remembered.
        outcome: Option<Reinstatement>,
        /// Sequence of the SeatingEvent's last domain event.
        sequence: u64,
    },
    /// The SeatingEvent is as the operator wants it, but for what is refused; also where it is wanted no more.
    Provisioned {
        /// The seats in the way of the seat map that is wanted, which did not take effect; empty where it did.
        refused: Vec<Conflict>,
        /// Sequence of the SeatingEvent's last domain event.
        sequence: u64,
    },
}

impl Answer {
    /// The seats in the way of a seat map; none in answers about anything else.
    pub fn refused(&self) -> &[Conflict] {
        match self {
            Self::Provisioned { refused, .. } => refused,
            Self::Held { .. }
            | Self::Reserved { .. }
            | Self::Released { .. }
            | Self::Reinstatement { .. } => &[],
        }
    }

    /// The sequence that a reader waits for to see the effect.
    pub fn sequence(&self) -> u64 {
        match self {
            Self::Held { sequence, .. }
            | Self::Reserved { sequence, .. }
            | Self::Released { sequence, .. }
            | Self::Reinstatement { sequence, .. }
            | Self::Provisioned { sequence, .. } => *sequence,
        }
    }
}

/// What becomes of a reservation whose payment comes late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reinstatement {
    /// Its seats are in this reservation now.
    Reinstated(Uuid),
    /// Its seats were gone, or sales were not open.
    NotReinstated,
}

/// A seat with the price that it was held at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PricedSeat {
    /// The seat's key.
    pub key: String,
    /// Price in the currency's minor unit.
    pub amount: u64,
    /// The price category that its section has now; empty where the chart has no such section any more.
    pub price_category: String,
}

/// A seat in the way of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// The seat's key.
    pub seat: String,
    /// What is in the way.
    pub reason: ConflictReason,
    /// Whether it is the caller's own hold or reservation.
    pub mine: bool,
}

impl Conflict {
    /// A conflict with nothing of the caller's own.
    pub fn new(seat: impl Into<String>, reason: ConflictReason) -> Self {
        Self { seat: seat.into(), reason, mine: false }
    }
}

/// Why a seat is in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ConflictReason {
    /// The chart has no such seat.
    NotFound,
    /// It is in a hold.
    Held,
    /// It is in a reservation.
    Reserved,
    /// It is not for sale.
    Blocked,
    /// It is not even asked for: it would be left single between taken ones.
    SingleSeatGap,
}

impl ConflictReason {
    /// Every one.
    pub const ALL: [Self; 5] =
        [Self::NotFound, Self::Held, Self::Reserved, Self::Blocked, Self::SingleSeatGap];

    /// The word that programs read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "NOT_FOUND",
            Self::Held => "HELD",
            Self::Reserved => "RESERVED",
            Self::Blocked => "BLOCKED",
            Self::SingleSeatGap => "SINGLE_SEAT_GAP",
        }
    }
}

/// A business refusal: the command changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// There is no such SeatingEvent.
    #[error("there is no such event")]
    EventNotFound,
    /// The chart has no such seat.
    #[error("there is no such seat")]
    SeatNotFound(Vec<Conflict>),
    /// No such hold, or one that ended more than an hour ago.
    #[error("there is no such hold")]
    HoldNotFound,
    /// No such reservation, or a cancelled one.
    #[error("there is no such reservation")]
    ReservationNotFound,
    /// Somebody else's.
    #[error("it belongs to another user")]
    NotHolder,
    /// Seats that are taken or blocked.
    #[error("not every seat is available")]
    SeatNotAvailable(Vec<Conflict>),
    /// Fewer seats, or fewer together, than are wanted.
    #[error("{}", not_enough(*wanted, *available, .section.as_deref()))]
    NotEnoughSeats {
        /// Seats asked for.
        wanted: u32,
        /// Seats that are available there, if not together.
        available: u32,
        /// The area or the section that was asked for.
        section: Option<String>,
    },
    /// The SeatingEvent has nothing of this name.
    #[error("{field}: there is no {what} {name:?}")]
    SectionNotFound {
        /// Where it stands in the request.
        field: &'static str,
        /// `section` or `price category`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A section of the other kind.
    #[error("{field}: {name} {problem}")]
    WrongSection {
        /// Where it stands in the request.
        field: &'static str,
        /// The name.
        name: String,
        /// What it is, and the fix.
        problem: &'static str,
    },
    /// Nobody holds the seat.
    #[error("the seat is not held")]
    SeatNotHeld,
    /// The hold's deadline has passed.
    #[error("the hold has expired")]
    HoldExpired,
    /// More seats than one user may claim.
    #[error("at most {limit} seats a user: {claimed} claimed already, {wanted} wanted")]
    LimitExceeded {
        /// The limit.
        limit: u32,
        /// Seats held and reserved already.
        claimed: u32,
        /// Seats asked for.
        wanted: u32,
    },
    /// More seats than one hold may grow to.
    #[error(
        "at most {most} seats a hold: it has {has}, {wanted} more wanted: reserve it, or make another one",
        most = MOST_SEATS_OF_A_HOLD
    )]
    HoldFull {
        /// Seats that it has.
        has: u32,
        /// Seats asked for beside them.
        wanted: u32,
    },
    /// Sales open later.
    #[error("sales have not opened yet")]
    SalesNotOpen {
        /// When they open.
        opens_at: UnixMillis,
    },
    /// Sales are paused.
    #[error("sales are paused")]
    SalesPaused,
    /// Sales are over.
    #[error("sales have closed")]
    SalesClosed,
    /// Buyers cancel no more.
    #[error("reservations could be cancelled until {cancel_until}")]
    CancellationClosed {
        /// The last moment at which they could.
        cancel_until: UnixMillis,
    },
    /// A hold of this id exists, and other seats are asked for: the idempotency key that it derives from was used before.
    #[error("the idempotency key was used before, for other seats")]
    OtherSeatsHeld,
    /// Seats that are held or sold cannot be blocked.
    #[error("seats that are held or sold cannot be blocked: release or cancel them first")]
    SeatsClaimed(Vec<Conflict>),
    /// Prices are in one currency for ever.
    #[error("priceCategories: the currency is {before} and cannot become {after}: make another event for it")]
    CurrencyChanged {
        /// What it is.
        before: String,
        /// What was wanted.
        after: String,
    },
    /// What is wanted is no definition.
    #[error(transparent)]
    InvalidDefinition(#[from] Fault),
}

fn not_enough(wanted: u32, available: u32, section: Option<&str>) -> String {
    let within = section.map(|section| format!(" in {section}")).unwrap_or_default();
    if available < wanted {
        format!("{wanted} seats wanted{within}, {available} available")
    } else {
        format!("{wanted} seats wanted{within}: {available} are available, but not so many of them together")
    }
}
