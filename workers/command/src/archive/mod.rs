//! Archives: what a SeatingEvent that is over came to, for whoever keeps the books.
//!
//! Before it leaves the store its lane's owner tells a compacted topic beside the events' one what was sold of it: counts,
//! revenue, reservations, and a hash that everybody can check. That is worked out from what the log says of it up to a
//! sequence and from nothing else, so the same sequence gives the same bytes however often it is told, and the store lets
//! it go only afterwards. [`pieces`] says in how many records it travels, [`shelf`] which are there.

mod pieces;

pub mod shelf;

mod metrics;

use std::collections::BTreeMap;

use boxoffice_domain::command::Reinstatement;
use boxoffice_domain::events::{PaidBy, ReleaseReason};
use boxoffice_domain::ids::section_of;
use boxoffice_domain::seat_map::SeatCounts;
use boxoffice_domain::state::{FailedReservation, Reservation, Sale, Seat};
use boxoffice_domain::{
    Definition, ReservationId, SeatId, SeatingEventId, SeatingEventState, UnixMillis, UserId,
};
use boxoffice_runtime::log::LogError;
use boxoffice_runtime::openapi::schemas;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

pub use self::metrics::ArchiveMetrics;
pub use self::pieces::{Head, records_of};
use crate::replay::records::RecordsError;
use crate::snapshot::{Snapshot, SnapshotError};

/// The form that this version writes. It reads this one and the one before.
pub const FORMAT: u32 = 1;
/// The field that is the hash of all others.
const HASH: &str = "hash";

/// What a SeatingEvent came to. Times are Unix milliseconds, amounts in the currency's minor unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Archive {
    /// The form that it was written in.
    pub format: u32,
    /// The SeatingEvent.
    #[schema(value_type = schemas::SeatingEventId)]
    pub event_id: SeatingEventId,
    /// What buyers read.
    pub title: String,
    /// When the show began.
    pub starts_at: UnixMillis,
    /// First moment at which no seat could be held any more.
    pub closes_at: UnixMillis,
    /// Last moment at which buyers cancelled.
    pub cancel_until: UnixMillis,
    /// Whether its sales were closed for good.
    pub closed: bool,
    /// The partition of its domain events, and of this.
    pub partition: u32,
    /// Sequence of its last domain event: a later archive has a higher one.
    pub sequence: u64,
    /// When that happened.
    pub last_event_at: UnixMillis,
    /// Digest of its definition, as inventories tell it.
    pub definition_hash: String,
    /// Fingerprint of its seats and their prices, as inventories tell it.
    pub chart_hash: String,
    /// Seats by status.
    #[schema(value_type = schemas::SeatCounts)]
    pub seats: SeatCounts,
    /// The same by price category, in the definition's order.
    pub price_categories: Vec<ArchivedCategory>,
    /// What the reserved seats cost together, by currency.
    pub revenue: Vec<Money>,
    /// Reservations that have seats, as they were made.
    pub reservations: Vec<ArchivedReservation>,
    /// Reservations that were cancelled because their payment failed, of the last 50 hours before the last domain event.
    /// All other cancellations are on the log alone.
    pub cancelled: Vec<ArchivedCancellation>,
    /// SHA-256 of all of this but this field, as RFC 8785 writes it, in hexadecimal digits.
    pub hash: String,
}

/// What was sold of a price category.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArchivedCategory {
    /// Its name.
    pub name: String,
    /// What a seat cost at last.
    pub amount: u64,
    /// Of the price.
    pub currency: String,
    /// Seats by status.
    #[schema(value_type = schemas::SeatCounts)]
    pub seats: SeatCounts,
    /// What its reserved seats cost together, by currency: each what it cost when it was held.
    pub revenue: Vec<Money>,
}

/// An amount in the currency's minor unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Money {
    /// 12000 is 120.00 EUR.
    pub amount: u64,
    /// ISO 4217 code.
    pub currency: String,
}

/// A reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArchivedReservation {
    /// The reservation.
    #[schema(value_type = schemas::ReservationId)]
    pub reservation_id: ReservationId,
    /// Whose.
    #[schema(value_type = schemas::UserId)]
    pub user_id: UserId,
    /// When it was made.
    pub created_at: UnixMillis,
    /// The seats that it has.
    pub seats: Vec<ArchivedSeat>,
    /// What they cost together.
    pub amount: u64,
    /// Of the amounts.
    pub currency: String,
    /// What paid for it where no payment of its own did: `counter`, or the reservation whose payment came late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub paid_by: Option<PaidBy>,
}

/// A reservation that was cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArchivedCancellation {
    /// The reservation.
    #[schema(value_type = schemas::ReservationId)]
    pub reservation_id: ReservationId,
    /// Whose it was.
    #[schema(value_type = schemas::UserId)]
    pub user_id: UserId,
    /// When it was cancelled.
    pub cancelled_at: UnixMillis,
    /// Why: `payment_failed`.
    #[schema(value_type = String)]
    pub reason: ReleaseReason,
    /// The seats that it had.
    pub seats: Vec<ArchivedSeat>,
    /// What they cost together.
    pub amount: u64,
    /// Of the amounts.
    pub currency: String,
    /// Whether it was paid after that. Without `reinstatedAs` that is to be given back.
    pub paid_late: bool,
    /// The reservation that then took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schemas::ReservationId, required = false)]
    pub reinstated_as: Option<ReservationId>,
}

/// A seat with the price that it was held at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArchivedSeat {
    /// The seat.
    #[schema(value_type = schemas::SeatId)]
    pub seat_id: SeatId,
    /// Its price.
    pub amount: u64,
}

/// Why there is no archive to be had, or to be written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The log did not do its part.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log gave no records.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// There is no snapshot to be had that it is made of.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// One cannot be written or read.
    #[error("the archive of {event} is of no use: {reason}")]
    Unusable {
        /// Whose it is.
        event: SeatingEventId,
        /// What is wrong with it.
        reason: String,
    },
}

impl Archive {
    /// What is told of a SeatingEvent by what the log says of it; `None` where it was purged.
    ///
    /// # Errors
    /// One that has no JSON.
    pub fn of(snapshot: &Snapshot) -> Result<Option<Self>, ArchiveError> {
        let Snapshot { format: _, partition, offset: _, time, revision: _, state } = snapshot;
        let Some(sale) = &state.sale else { return Ok(None) };
        let Definition { title, starts_at, .. } = &sale.definition;
        let mut archive = Self {
            format: FORMAT,
            event_id: state.id.clone(),
            title: title.clone(),
            starts_at: *starts_at,
            closes_at: sale.definition.closes_at(),
            cancel_until: sale.definition.cancel_until(),
            closed: sale.closed,
            partition: *partition,
            sequence: state.sequence,
            last_event_at: *time,
            definition_hash: sale.definition.digest(),
            chart_hash: sale.definition.chart_hash(),
            seats: SeatCounts::default(),
            price_categories: categories(state, sale),
            revenue: Vec::new(),
            reservations: reservations(state),
            cancelled: cancelled(state),
            hash: String::new(),
        };
        archive.seats = counted(state, sale, |_| true);
        archive.revenue = revenue(state, |_| true);
        let value = serde_json::to_value(&archive);
        let mut value = value.map_err(|error| archive.unusable(&error.to_string()))?;
        take_hash(&mut value);
        archive.hash = hash_of(&value);
        Ok(Some(archive))
    }

    /// Its text: canonical JSON (RFC 8785), of which everything but `hash` is what the hash is of.
    ///
    /// # Errors
    /// One that has none.
    pub fn to_json(&self) -> Result<String, ArchiveError> {
        let value = serde_json::to_value(self);
        value.map(canonical).map_err(|error| self.unusable(&error.to_string()))
    }

    /// What a text says whose hash is right.
    ///
    /// # Errors
    /// One of a later version, or another than was written.
    pub fn read(event: &SeatingEventId, text: &[u8]) -> Result<Self, ArchiveError> {
        let wrong = |reason: String| ArchiveError::Unusable { event: event.clone(), reason };
        let mut value: Value = serde_json::from_slice(text).map_err(|error| wrong(error.to_string()))?;
        let format = value["format"].as_u64().unwrap_or_default();
        if format > FORMAT.into() {
            return Err(wrong(format!("it has format {format}, this version knows {FORMAT} at most")));
        }
        let said = take_hash(&mut value);
        let is = hash_of(&value);
        if said.as_ref().and_then(Value::as_str) != Some(&is) {
            return Err(wrong(format!("its hash is {is}, and it says another one")));
        }
        value[HASH] = is.into();
        let archive: Self = serde_json::from_value(value).map_err(|error| wrong(error.to_string()))?;
        if &archive.event_id != event {
            return Err(wrong(format!("it is that of {}", archive.event_id)));
        }
        Ok(archive)
    }

    fn unusable(&self, reason: &str) -> ArchiveError {
        ArchiveError::Unusable { event: self.event_id.clone(), reason: reason.to_owned() }
    }
}

fn take_hash(value: &mut Value) -> Option<Value> {
    value.as_object_mut()?.remove(HASH)
}

fn hash_of(value: &Value) -> String {
    format!("{:x}", Sha256::digest(canonical(value.clone())))
}

/// There are texts, whole numbers and words in it: with sorted keys and no blanks that is how RFC 8785 writes it.
fn canonical(mut value: Value) -> String {
    value.sort_all_objects();
    value.to_string()
}

/// Counts the seats of those sections that are wanted.
fn counted(state: &SeatingEventState, sale: &Sale, is_wanted: impl Fn(&str) -> bool) -> SeatCounts {
    let chart = sale.chart();
    let sections: Vec<_> = sale.definition.sections.iter().map(|section| is_wanted(&section.id)).collect();
    let is_in = |section: usize| sections.get(section).copied().unwrap_or_default();
    let total = chart.rows().filter(|row| is_in(row.section())).map(|row| row.places().len() as u64).sum();
    let mut counts = SeatCounts { total, ..SeatCounts::default() };
    for (key, seat) in &state.seats {
        if !is_wanted(section_of(key)) {
            continue;
        }
        match seat {
            Seat::Held { .. } => counts.held += 1,
            Seat::Reserved { .. } => counts.reserved += 1,
            Seat::Blocked { .. } => counts.blocked += 1,
            Seat::Lapsed { .. } => {}
        }
    }
    counts.available = total.saturating_sub(counts.held + counts.reserved + counts.blocked);
    counts
}

/// What the reserved seats of those sections cost that are wanted.
fn revenue(state: &SeatingEventState, is_wanted: impl Fn(&str) -> bool) -> Vec<Money> {
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for (key, seat) in &state.seats {
        let Seat::Reserved { reservation, amount, .. } = seat else { continue };
        let Some(reservation) = state.reservations.get(reservation) else { continue };
        if is_wanted(section_of(key)) {
            let sum = sums.entry(&reservation.currency).or_default();
            *sum = sum.saturating_add(*amount);
        }
    }
    sums.into_iter().map(|(currency, amount)| Money { amount, currency: currency.to_owned() }).collect()
}

fn categories(state: &SeatingEventState, sale: &Sale) -> Vec<ArchivedCategory> {
    let category = |category: &boxoffice_domain::definition::PriceCategory| {
        let is_of = |section: &str| {
            let found = sale.definition.sections.iter().find(|it| it.id == section);
            found.is_some_and(|section| section.price_category == category.name)
        };
        ArchivedCategory {
            name: category.name.clone(),
            amount: category.amount,
            currency: category.currency.clone(),
            seats: counted(state, sale, is_of),
            revenue: revenue(state, is_of),
        }
    };
    sale.definition.price_categories.iter().map(category).collect()
}

/// As they were made; those of one moment by their ids.
fn reservations(state: &SeatingEventState) -> Vec<ArchivedReservation> {
    let mut all: Vec<_> = state.reservations.iter().collect();
    all.sort_unstable_by_key(|(id, reservation)| (reservation.reserved_at, **id));
    let archived = |(id, reservation): (&uuid::Uuid, &Reservation)| {
        let Reservation { user, hold: _, seats, reserved_at, currency, paid_by, sequence: _ } = reservation;
        let amount_of = |key: &String| match state.seats.get(key) {
            Some(Seat::Reserved { amount, .. }) => *amount,
            Some(Seat::Held { .. } | Seat::Blocked { .. } | Seat::Lapsed { .. }) | None => 0,
        };
        let seats = priced(state, seats.iter().map(|key| (key, amount_of(key))));
        ArchivedReservation {
            reservation_id: ReservationId::new(state.id.clone(), *id),
            user_id: user.clone(),
            created_at: *reserved_at,
            amount: total(&seats),
            seats,
            currency: currency.clone(),
            paid_by: paid_by.clone(),
        }
    };
    all.into_iter().map(archived).collect()
}

/// As they were cancelled.
fn cancelled(state: &SeatingEventState) -> Vec<ArchivedCancellation> {
    let mut all: Vec<_> = state.failed.iter().collect();
    all.sort_unstable_by_key(|(id, failed)| (failed.failed_at, **id));
    let archived = |(id, failed): (&uuid::Uuid, &FailedReservation)| {
        let FailedReservation { user, seats, currency, failed_at, outcome } = failed;
        let seats = priced(state, seats.iter().map(|(key, amount)| (key, *amount)));
        let reinstated_as = match outcome {
            Some(Reinstatement::Reinstated(id)) => Some(ReservationId::new(state.id.clone(), *id)),
            Some(Reinstatement::NotReinstated) | None => None,
        };
        ArchivedCancellation {
            reservation_id: ReservationId::new(state.id.clone(), *id),
            user_id: user.clone(),
            cancelled_at: *failed_at,
            reason: ReleaseReason::PaymentFailed,
            amount: total(&seats),
            seats,
            currency: currency.clone(),
            paid_late: outcome.is_some(),
            reinstated_as,
        }
    };
    all.into_iter().map(archived).collect()
}

fn priced<'a>(
    state: &SeatingEventState,
    seats: impl Iterator<Item = (&'a String, u64)>,
) -> Vec<ArchivedSeat> {
    let seat =
        |(key, amount): (&String, u64)| ArchivedSeat { seat_id: SeatId::from_chart(&state.id, key), amount };
    seats.map(seat).collect()
}

fn total(seats: &[ArchivedSeat]) -> u64 {
    seats.iter().fold(0, |sum, seat| sum.saturating_add(seat.amount))
}

#[cfg(test)]
mod tests;
