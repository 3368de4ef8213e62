//! Holds whose seats were chosen, and extended ones.

use boxoffice_domain::events::{DomainEvent, HoldExtended};

use super::{DEADLINE, Story};
use crate::audit::{Answer, Wish};
use crate::history::NOW;

impl Story {
    fn extended(&self, user: &str, numbers: &[u32], until: u64) -> DomainEvent {
        DomainEvent::HoldExtended(HoldExtended {
            hold_id: self.hold(user),
            event_id: self.history.event.clone(),
            user_id: user.parse().unwrap(),
            seat_ids: numbers.iter().map(|number| self.seat(*number)).collect(),
            expires_at: until,
        })
    }

    /// A user asks for more time, until `until`, and is told so.
    fn extends(&mut self, user: &str, numbers: &[u32], until: u64) {
        let seats = numbers.iter().map(|number| self.seat(*number)).collect();
        let (hold, effect) = (self.hold(user), self.extended(user, numbers, until));
        let told = |sequence| Answer::Held { hold, seats, expires_at: until, sequence };
        self.ask(user, Wish::ExtendHold(self.hold(user)), &[effect], told);
    }
}

#[test]
fn the_best_seats_are_as_many_as_were_asked_for() {
    for (numbers, sound) in [(&[2, 3][..], true), (&[2][..], false)] {
        let mut story = Story::on_sale();
        let effect: Vec<_> = numbers.iter().map(|number| story.held("alice", *number)).collect();
        story.ask("alice", Wish::HoldBest(2), &effect, |_| Answer::Unknown);
        if sound {
            story.is_sound();
        } else {
            story.is_refused("I2: it is about");
        }
    }
}

#[test]
fn units_are_of_the_area_and_follow_the_seats() {
    for (section, sound) in [("A", true), ("FLOOR", false)] {
        let mut story = Story::on_sale();
        let effect = [story.held("alice", 4), story.held("alice", 1)];
        let (seats, section) = (vec![story.seat(4)], section.to_owned());
        story.ask("alice", Wish::HoldUnits { seats, section, quantity: 1 }, &effect, |_| Answer::Unknown);
        if sound {
            story.is_sound();
        } else {
            story.is_refused("I2: it is about");
        }
    }
}

#[test]
fn one_wish_is_one_hold() {
    let mut story = Story::on_sale();
    let effect = [story.held("alice", 1), story.held("bob", 2)];
    story.ask("alice", Wish::HoldBest(2), &effect, |_| Answer::Unknown);
    story.is_refused("I2: they are different holds");
}

#[test]
fn i6_an_extended_hold_lasts_as_long_as_it_was_told() {
    let mut story = Story::on_sale();
    story.holds("alice", &[1, 2]);
    story.extends("alice", &[1, 2], DEADLINE + 100_000);
    story.lapse("alice", 1, DEADLINE + 100_000);
    story.is_sound();

    let mut story = Story::on_sale();
    story.holds("alice", &[1]);
    story.extends("alice", &[1], NOW + 900_001);
    story.is_refused("I6: the hold lasts 900001 ms");

    let mut story = Story::on_sale();
    story.holds("alice", &[1, 2]);
    story.extends("alice", &[1], DEADLINE + 1);
    story.is_refused("but the hold has");
}

#[test]
fn a_hold_may_be_extended_and_keeps_its_new_deadline() {
    let mut story = Story::on_sale();
    story.holds("alice", &[1]);
    story.extends("alice", &[1], DEADLINE + 9);
    let (hold, seats) = (story.hold("alice"), vec![story.seat(1)]);
    for (wish, sequence) in [(Wish::ExtendHold(hold.clone()), 3), (Wish::Hold(seats.clone()), 3)] {
        let (hold, seats) = (hold.clone(), seats.clone());
        let again = Answer::Held { hold, seats, expires_at: DEADLINE + 9, sequence };
        story.ask("alice", wish, &[], |_| again);
    }
    story.is_sound();
    let mut lied_to = Story::on_sale();
    lied_to.holds("alice", &[1]);
    let never = Answer::Held { hold: hold.clone(), seats, expires_at: DEADLINE + 9, sequence: 2 };
    lied_to.ask("alice", Wish::ExtendHold(hold), &[], |_| never);
    lied_to.is_refused("I6: that hold did not expire at");
    story.lapse("alice", 1, DEADLINE);
    story.is_refused("I6: the deadline is");

    let mut story = Story::on_sale();
    story.holds("alice", &[1]);
    story.extends("alice", &[1], DEADLINE - 1);
    story.is_refused("comes nearer");
}
