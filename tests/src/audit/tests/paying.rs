//! Payments that fail, and those that come late.

use boxoffice_domain::events::{Claim, DomainEvent, NotReinstated, PaidBy, ReleaseReason, ReservedSeats};
use boxoffice_domain::state::FAILED_PAYMENT_MEMORY;
use boxoffice_domain::{HoldId, ReservationId};
use uuid::Uuid;

use super::Story;
use crate::history::{NOW, PRICE};

const USER: &str = "alice";

impl Story {
    /// Alice's seats 1 and 2 were reserved, and their payment failed.
    fn failed() -> Self {
        let mut story = Self::on_sale();
        story.holds(USER, &[1, 2]);
        story.reserves(USER, &[1, 2]);
        story.fails();
        story
    }

    fn fails(&mut self) {
        for number in [1, 2] {
            self.nobody(self.given_back(USER, number, ReleaseReason::PaymentFailed, NOW));
        }
        let DomainEvent::ReservationCreated(created) = self.created(USER, &[1, 2]) else { unreachable!() };
        let reason = Some(ReleaseReason::PaymentFailed);
        self.nobody(DomainEvent::ReservationCancelled(ReservedSeats { reason, ..created }));
    }

    fn nobody(&mut self, event: DomainEvent) {
        self.happens(event);
        self.records.last_mut().unwrap().metadata.user_id = None;
    }

    /// These seats become hers again, in a reservation that her first payment pays for.
    fn comes_back(&mut self, numbers: &[u32], price: u64) {
        let (hold, reservation) = (self.late_hold(), self.late());
        for number in numbers {
            let DomainEvent::SeatHeld(mut again) = self.held(USER, *number) else { unreachable!() };
            (again.hold_id, again.amount) = (hold.clone(), price);
            self.nobody(DomainEvent::SeatHeld(again));
        }
        for number in numbers {
            let DomainEvent::SeatReserved(mut reserved) = self.reserved(USER, *number) else {
                unreachable!()
            };
            (reserved.hold_id, reserved.reservation_id) = (hold.clone(), reservation.clone());
            reserved.amount = price;
            self.nobody(DomainEvent::SeatReserved(reserved));
        }
        let DomainEvent::ReservationCreated(created) = self.created(USER, numbers) else { unreachable!() };
        self.nobody(DomainEvent::ReservationCreated(ReservedSeats {
            reservation_id: reservation,
            amount: price * numbers.len() as u64,
            paid_by: Some(PaidBy::Reservation(self.reservation(USER).to_string())),
            ..created
        }));
    }

    fn late_hold(&self) -> HoldId {
        HoldId::new(self.history.event.clone(), Uuid::from_u128(77))
    }

    fn late(&self) -> ReservationId {
        ReservationId::new(self.history.event.clone(), Uuid::from_u128(78))
    }

    fn is_refused_late(&mut self) {
        self.nobody(DomainEvent::ReservationNotReinstated(NotReinstated {
            reservation_id: self.reservation(USER),
            event_id: self.history.event.clone(),
            user_id: USER.parse().unwrap(),
            payment_id: "pay-1".into(),
        }));
    }

    /// The price of every seat, from now on.
    fn costs(&mut self, amount: u64) {
        let mut defined = self.history.defined(5);
        defined.definition.price_categories[0].amount = amount;
        self.nobody(DomainEvent::EventUpdated(defined));
    }

    fn pauses(&mut self) {
        let mut defined = self.history.defined(5);
        defined.definition.sales.paused = true;
        self.nobody(DomainEvent::EventUpdated(defined));
    }
}

#[test]
fn a_late_payment_gets_its_seats_at_the_price_that_they_had() {
    let mut story = Story::failed();
    story.costs(99_000);
    story.comes_back(&[1, 2], PRICE);
    story.is_sound();

    let mut story = Story::failed();
    story.costs(99_000);
    story.comes_back(&[1, 2], PRICE - 1);
    story.is_refused("but the price is");

    let mut story = Story::failed();
    story.costs(99_000);
    story.comes_back(&[1, 2], 99_000);
    story.is_refused("its seats cost 198000, and 24000 was paid");
}

#[test]
fn the_price_of_a_failed_payment_is_for_nothing_else() {
    let mut story = Story::failed();
    story.costs(99_000);
    story.comes_back(&[1, 2], PRICE);
    let Some(DomainEvent::ReservationCreated(created)) =
        story.records.last_mut().map(|record| &mut record.event)
    else {
        unreachable!()
    };
    created.paid_by = None;
    story.is_refused("its prices are those of a payment that failed");
}

#[test]
fn what_comes_back_is_all_of_it_and_once() {
    let mut story = Story::failed();
    story.comes_back(&[1], PRICE);
    story.is_refused("come back");

    let mut story = Story::failed();
    story.comes_back(&[1, 2], PRICE);
    story.is_refused_late();
    story.is_refused("it was answered before");

    let mut story = Story::on_sale();
    story.comes_back(&[1, 2], PRICE);
    story.is_refused("no payment of it failed");

    let mut story = Story::failed();
    story.pauses();
    story.comes_back(&[1, 2], PRICE);
    story.is_refused("sales are not open");
}

#[test]
fn a_late_payment_is_refused_only_for_a_reason() {
    let mut story = Story::failed();
    story.is_refused_late();
    story.is_refused("its seats are free, and sales are open");

    let mut story = Story::failed();
    story.holds("bob", &[2]);
    story.is_refused_late();
    story.is_sound();

    let mut story = Story::failed();
    story.pauses();
    story.is_refused_late();
    story.is_sound();

    let mut story = Story::failed();
    story.pauses();
    story.is_refused_late();
    story.records.last_mut().unwrap().timestamp = NOW + FAILED_PAYMENT_MEMORY + 1;
    story.is_refused("its payment failed too long ago");
}

#[test]
fn no_payment_takes_what_another_one_pays_for() {
    let mut story = Story::failed();
    story.comes_back(&[1, 2], PRICE);
    let DomainEvent::SeatReleased(mut released) =
        story.given_back(USER, 1, ReleaseReason::PaymentFailed, NOW)
    else {
        unreachable!()
    };
    released.claim = Claim::Reservation(story.late());
    story.nobody(DomainEvent::SeatReleased(released));
    story.is_refused("no payment of its own pays for it");
}
