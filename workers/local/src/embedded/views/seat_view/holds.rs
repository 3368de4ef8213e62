//! Who holds which seats, and what they cost: a hold is there as long as a seat is in it.

use std::collections::{BTreeMap, HashMap};

use boxoffice_domain::events::SeatHeld;
use boxoffice_domain::subject::{OfSeat, OfSeatingEvent, Subject};
use boxoffice_domain::{DomainEvent, HoldId, SeatId, SeatingEventId, UnixMillis, UserId};

/// A hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its id.
    pub id: HoldId,
    /// Its seats, and what each of them is held at.
    pub seats: BTreeMap<SeatId, u64>,
    /// Of these prices.
    pub currency: String,
    /// Until when.
    pub expires_at: UnixMillis,
}

/// The holds of everybody.
#[derive(Debug, Default)]
pub struct Holds {
    of_users: HashMap<UserId, BTreeMap<String, Held>>,
    /// Of each seat that is held, by whom and in which hold.
    seats: HashMap<SeatId, (UserId, String)>,
}

impl Holds {
    /// The holds of a user, by id.
    pub fn of(&self, user: &str) -> impl Iterator<Item = &Held> {
        self.of_users.get(user).into_iter().flat_map(BTreeMap::values)
    }

    /// The seats of a SeatingEvent that are held, by whom and in which hold.
    pub(super) fn of_event(&self, event: &SeatingEventId) -> impl Iterator<Item = (&SeatId, &UserId, &Held)> {
        let its = self.seats.iter().filter(move |(seat, _)| seat.event() == event.as_str());
        its.filter_map(|(seat, (user, id))| Some((seat, user, self.of_users.get(user)?.get(id)?)))
    }

    /// Takes in what an event of a SeatingEvent means.
    pub(super) fn apply(&mut self, event: &DomainEvent) {
        match event.subject() {
            Subject::Seat(of) => match of {
                OfSeat::Held(held) => {
                    self.leave(&held.seat_id);
                    self.enter(held);
                }
                OfSeat::Reserved(reserved) => self.leave(&reserved.seat_id),
                OfSeat::Released(released) => self.leave(&released.seat_id),
                OfSeat::Blocked(block) | OfSeat::Unblocked(block) => self.leave(&block.seat_id),
            },
            Subject::Hold(extended) => {
                for seat in &extended.seat_ids {
                    if let Some(held) = self.hold_of(seat) {
                        held.expires_at = extended.expires_at;
                    }
                }
            }
            Subject::SeatingEvent(OfSeatingEvent::Purged(purged)) => {
                let is_its = |seat: &&SeatId| seat.event() == purged.event_id.as_str();
                let gone: Vec<_> = self.seats.keys().filter(is_its).cloned().collect();
                for seat in &gone {
                    self.leave(seat);
                }
            }
            Subject::SeatingEvent(
                OfSeatingEvent::Created(_) | OfSeatingEvent::Updated(_) | OfSeatingEvent::Deleted(_),
            )
            | Subject::Reservation(_)
            | Subject::Statistics(_)
            | Subject::Payment(_) => {}
        }
    }

    fn enter(&mut self, held: &SeatHeld) {
        let SeatHeld { seat_id, user_id, hold_id, expires_at, amount, currency, .. } = held;
        let id = hold_id.to_string();
        let begun = || Held {
            id: hold_id.clone(),
            seats: BTreeMap::new(),
            currency: currency.clone(),
            expires_at: *expires_at,
        };
        let claim = self.of_users.entry(user_id.clone()).or_default().entry(id.clone()).or_insert_with(begun);
        claim.seats.insert(seat_id.clone(), *amount);
        claim.expires_at = claim.expires_at.max(*expires_at);
        self.seats.insert(seat_id.clone(), (user_id.clone(), id));
    }

    fn leave(&mut self, seat: &SeatId) {
        let Some((user, id)) = self.seats.remove(seat) else { return };
        let Some(holds) = self.of_users.get_mut(&user) else { return };
        if let Some(held) = holds.get_mut(&id) {
            held.seats.remove(seat);
            if held.seats.is_empty() {
                holds.remove(&id);
            }
        }
        if holds.is_empty() {
            self.of_users.remove(&user);
        }
    }

    fn hold_of(&mut self, seat: &SeatId) -> Option<&mut Held> {
        let (user, id) = self.seats.get(seat)?;
        self.of_users.get_mut(user)?.get_mut(id)
    }
}
