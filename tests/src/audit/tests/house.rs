//! The rules of the house: carts, prices that stand, what box-office staff do, and definitions that change.

use boxoffice_domain::events::{DomainEvent, PaidBy, ReleaseReason};

use super::{DEADLINE, Story};
use crate::audit::{Answer, Wish};
use crate::history::{NOW, PRICE};

impl Story {
    /// Something that nobody is named for: box-office staff or the operator did it.
    fn staff(&mut self, event: DomainEvent) {
        self.happens(event);
        self.records.last_mut().unwrap().metadata.user_id = None;
    }

    /// The last request tells that it has these seats.
    fn told(&mut self, numbers: &[u32]) {
        let has = numbers.iter().map(|number| self.seat(*number)).collect();
        if let Some(Answer::Held { seats, .. }) = self.requests.last_mut().map(|last| &mut last.answer) {
            *seats = has;
        }
    }

    /// A user adds seats to the hold, and is told of all of it.
    fn adds(&mut self, user: &str, numbers: &[u32], all: &[u32]) {
        self.holds(user, numbers);
        let seats = numbers.iter().map(|number| self.seat(*number)).collect();
        self.requests.last_mut().unwrap().wish = Wish::Add(self.hold(user), seats);
        self.told(all);
    }
}

#[test]
fn a_cart_grows_and_tells_all_that_is_in_it() {
    let mut story = Story::on_sale();
    story.holds("alice", &[1]);
    story.adds("alice", &[2, 3], &[1, 2, 3]);
    story.is_sound();
    story.told(&[2, 3]);
    story.is_refused("I7: what it has is");

    let mut story = Story::on_sale();
    story.holds("alice", &[1]);
    story.adds("alice", &[2], &[1, 2]);
    story.requests.last_mut().unwrap().wish = Wish::Add(story.hold("alice"), vec![story.seat(3)]);
    story.is_refused("I2: it is about");
}

#[test]
fn a_hold_that_lapsed_counts_for_no_limit() {
    for (at, sound) in [(DEADLINE, true), (DEADLINE - 1, false)] {
        let mut story = Story::on_sale();
        let mut limited = story.history.defined(5);
        limited.definition.limits.seats_per_user = Some(1);
        story.staff(DomainEvent::EventUpdated(limited));
        story.holds("alice", &[1]);
        let DomainEvent::SeatHeld(mut second) = story.held("alice", 2) else { unreachable!() };
        second.hold_id = story.hold("alices-other");
        (second.held_at, second.expires_at) = (at, at + 300_000);
        let wish = Wish::Hold(vec![story.seat(2)]);
        story.ask("alice", wish, &[DomainEvent::SeatHeld(second)], |_| Answer::Unknown);
        if sound {
            story.is_sound();
        } else {
            story.is_refused("alice has 1 seats already");
        }
    }
}

#[test]
fn a_claim_that_changes_its_price_is_found() {
    let mut story = Story::on_sale();
    let DomainEvent::SeatHeld(mut cheap) = story.held("alice", 1) else { unreachable!() };
    cheap.amount = 1;
    story.ask("alice", Wish::Hold(vec![story.seat(1)]), &[DomainEvent::SeatHeld(cheap)], |_| Answer::Unknown);
    story.is_refused("but the price is");

    let mut story = Story::on_sale();
    story.holds("alice", &[1]);
    let DomainEvent::SeatReserved(mut dear) = story.reserved("alice", 1) else { unreachable!() };
    dear.currency = "CHF".into();
    let effect = [DomainEvent::SeatReserved(dear), story.created("alice", &[1])];
    story.ask("alice", Wish::ReserveSeat(story.seat(1)), &effect, |_| Answer::Unknown);
    story.is_refused("and is reserved in CHF");

    let mut story = Story::on_sale();
    story.holds("alice", &[1]);
    let DomainEvent::ReservationCreated(mut end) = story.created("alice", &[1]) else { unreachable!() };
    end.amount = PRICE + 1;
    let effect = [story.reserved("alice", 1), DomainEvent::ReservationCreated(end)];
    story.ask("alice", Wish::ReserveSeat(story.seat(1)), &effect, |_| Answer::Unknown);
    story.is_refused("its seats cost 12000 together, not 12001");
}

#[test]
fn what_is_cancelled_adds_up_to_what_was_reserved() {
    for (second, why) in [(PRICE, None), (PRICE - 1, Some("what it loses cost 12000, not 11999"))] {
        let mut story = Story::on_sale();
        story.holds("alice", &[1, 2]);
        story.reserves("alice", &[1, 2]);
        for (number, amount) in [(1, PRICE), (2, second)] {
            story.staff(story.given_back("alice", number, ReleaseReason::PaymentFailed, NOW));
            let DomainEvent::ReservationCreated(mut end) = story.created("alice", &[number]) else {
                unreachable!()
            };
            end.amount = amount;
            story.staff(DomainEvent::ReservationCancelled(end));
        }
        match why {
            None => drop(story.is_sound()),
            Some(why) => story.is_refused(why),
        }
    }
    let mut story = Story::on_sale();
    story.holds("alice", &[1]);
    story.reserves("alice", &[1]);
    story.staff(story.given_back("alice", 1, ReleaseReason::PaymentFailed, NOW));
    let DomainEvent::ReservationCreated(mut end) = story.created("alice", &[1]) else { unreachable!() };
    (end.seat_ids, end.amount) = (vec![], 0);
    story.staff(DomainEvent::ReservationCancelled(end));
    story.is_refused("but no more was cancelled");
}

/// Alice's seat was blocked when staff held it for her, and it came back.
fn held_from_a_block() -> Story {
    let mut story = Story::on_sale();
    story.staff(DomainEvent::SeatBlocked(story.block(1)));
    story.staff(story.held("alice", 1));
    story.staff(story.given_back("alice", 1, ReleaseReason::Expired, DEADLINE));
    story
}

#[test]
fn what_staff_took_from_the_blocked_seats_is_blocked_again() {
    let mut story = held_from_a_block();
    story.staff(DomainEvent::SeatBlocked(story.block(1)));
    story.is_sound();

    let story = held_from_a_block();
    story.is_refused("was blocked (camera) before staff held it, and is not blocked again");
    let mut story = held_from_a_block();
    story.staff(story.held("bob", 2));
    story.is_refused("is not blocked again");

    let mut story = Story::on_sale();
    story.staff(DomainEvent::SeatBlocked(story.block(1)));
    story.holds("alice", &[1]);
    story.is_refused("I1: alice holds a seat that is not free");
}

#[test]
fn what_is_paid_at_the_counter_was_sold_by_staff() {
    let mut story = Story::on_sale();
    story.holds("alice", &[1]);
    let DomainEvent::ReservationCreated(mut end) = story.created("alice", &[1]) else { unreachable!() };
    end.paid_by = Some(PaidBy::Counter);
    let effect = [story.reserved("alice", 1), DomainEvent::ReservationCreated(end)];
    story.ask("alice", Wish::ReserveSeat(story.seat(1)), &effect, |_| Answer::Unknown);
    story.is_refused("a buyer sold it to themself");
}

#[test]
fn i1_a_definition_takes_no_seat_from_anybody() {
    let fewer = |story: &Story| DomainEvent::EventUpdated(story.history.defined(3));
    let mut story = Story::on_sale();
    story.holds("alice", &[3]);
    story.staff(fewer(&story));
    story.is_sound();

    let mut story = Story::on_sale();
    story.holds("alice", &[4]);
    story.staff(fewer(&story));
    story.is_refused("I1: it drops A-1-4");

    let mut story = Story::on_sale();
    let mut elsewhere = story.history.defined(5);
    elsewhere.definition.price_categories[0].currency = "CHF".into();
    story.staff(DomainEvent::EventUpdated(elsewhere));
    story.is_refused("the currency was EUR and is CHF now");
}

#[test]
fn nothing_is_held_or_reserved_once_the_sales_are_over() {
    let mut story = Story::on_sale();
    story.holds("alice", &[1]);
    let over = DomainEvent::EventDeleted(story.history.defined(5));
    story.staff(over);
    story.reserves("alice", &[1]);
    story.is_refused("sales have closed");
}

#[test]
fn what_is_purged_is_there_no_more_and_may_be_created_anew() {
    let mut story = Story::on_sale();
    let purge = story.history.purged();
    story.staff(purge.clone());
    story.is_sound();
    story.staff(purge.clone());
    story.is_refused("it was not created yet");

    let mut story = Story::on_sale();
    story.staff(purge);
    let anew = story.history.created(5);
    story.staff(anew);
    story.holds("alice", &[1]);
    story.is_sound();
}
