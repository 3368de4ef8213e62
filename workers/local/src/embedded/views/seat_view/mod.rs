//! The seat view in memory: every seat with its status, the reservations of each user with their payments, and their holds.
//!
//! [`snapshots`] is how the query worker loads it, [`orders`] what it looks up, in [`trace`] too, which the log says.
//! The seats take as much memory as there are seats of shows that are not [`over`]; [`reservations`] grow with what is
//! sold.

pub mod holds;

pub mod reservations;

pub mod trace;

mod over;

mod snapshots;

mod orders;

use boxoffice_consumer::handlers::Followers;
use boxoffice_domain::{DomainEvent, Envelope};

use super::maps::Maps;
use super::payments::Payments;
use super::{LogPosition, MemoryHandler, Refusal};
use holds::Holds;
pub use orders::LocalOrders;
use reservations::Reservations;
pub use trace::Trace;

/// Keeps the seat view.
#[derive(Debug)]
pub struct SeatView {
    /// The topic of the seats' domain events, from which whoever loads the view goes on.
    topic: String,
    maps: Maps,
    reservations: Reservations,
    holds: Holds,
    payments: Payments,
}

impl MemoryHandler for SeatView {
    const FOLLOWERS: Followers = Followers::GoOn;

    fn apply(&mut self, event: &Envelope, _: LogPosition<'_>) -> Result<(), Refusal> {
        match &event.event {
            DomainEvent::ReservationCreated(created) => self.reservations.create(created, event)?,
            DomainEvent::ReservationCancelled(cancelled) => {
                self.reservations.cancel(cancelled, event.timestamp);
            }
            fact => {
                // What has no sequence is about no seat.
                if let Some(sequence) = event.metadata.sequence {
                    let Self { maps, reservations, holds, .. } = self;
                    let claims = |purged| over::claims(reservations, holds, fact.seating_event(), purged);
                    maps.apply(fact, sequence, claims)?;
                }
            }
        }
        self.holds.apply(&event.event);
        self.payments.apply(event);
        Ok(())
    }
}

impl SeatView {
    /// A view of the domain events on a topic.
    pub fn new(topic: String) -> Self {
        let (maps, reservations) = (Maps::default(), Reservations::default());
        let (holds, payments) = (Holds::default(), Payments::default());
        Self { topic, maps, reservations, holds, payments }
    }

    /// The seats.
    pub fn maps(&self) -> &Maps {
        &self.maps
    }

    /// The reservations.
    pub fn reservations(&self) -> &Reservations {
        &self.reservations
    }

    /// The holds.
    pub fn holds(&self) -> &Holds {
        &self.holds
    }

    /// The payments.
    pub fn payments(&self) -> &Payments {
        &self.payments
    }
}
