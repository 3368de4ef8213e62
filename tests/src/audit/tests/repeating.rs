//! Requests that are sent again under their key, and what may be lost.

use super::Story;
use crate::audit::{Answer, Loss, Wish};
use crate::history::NOW;

impl Story {
    /// The last request is one of this key.
    fn under(&mut self, key: &str) {
        self.requests.last_mut().unwrap().key = Some(key.to_owned());
    }

    /// The last request is sent again, and nothing new happens.
    fn again(&mut self, answer: Option<Answer>) {
        let last = self.requests.last().unwrap().clone();
        let (user, answer) = (last.user.to_string(), answer.unwrap_or(last.answer));
        self.ask(&user, last.wish, &[], |_| answer);
        self.requests.last_mut().unwrap().key = last.key;
    }
}

/// Alice holds a seat under a key, and releases it under another one.
fn released() -> Story {
    let mut story = Story::on_sale();
    story.holds("alice", &[1]);
    story.under("k-1");
    let effect = story.given_back("alice", 1, boxoffice_domain::events::ReleaseReason::User, NOW);
    let released = vec![story.seat(1)];
    story.ask("alice", Wish::ReleaseSeat(story.seat(1)), &[effect], |sequence| Answer::Released {
        released,
        left: vec![],
        sequence,
    });
    story.under("k-2");
    story
}

#[test]
fn the_same_answer_again_is_sound() {
    let mut story = released();
    story.again(None);
    story.is_sound();
    let mut story = released();
    story.again(Some(Answer::Unknown));
    story.again(Some(Answer::Refused { code: "IDEMPOTENCY_IN_FLIGHT".into() }));
    story.is_sound();
    let mut story = released();
    story.again(None);
    story.requests.last_mut().unwrap().key = None;
    story.is_refused("I7: nothing was released");
}

#[test]
fn i7_another_answer_under_the_same_key_is_found() {
    let mut story = released();
    let other = Answer::Released { released: vec![story.seat(2)], left: vec![], sequence: 3 };
    story.again(Some(other));
    story.is_refused("I7: it is about");
    story.is_refused("I7: it was answered Released");

    let mut story = released();
    story.again(Some(Answer::Refused { code: "SEAT_NOT_HELD".into() }));
    story.is_refused("and then refused: SEAT_NOT_HELD");
}

#[test]
fn i2_what_is_done_twice_under_one_key_is_found() {
    let mut story = Story::on_sale();
    for number in [1, 2] {
        let effect = story.held("alice", number);
        story.ask("alice", Wish::HoldBest(1), &[effect], |_| Answer::Unknown);
        story.under("k-1");
    }
    story.is_refused("key k-1 of alice: I2: it was done 2 times");
}

#[test]
fn i7_a_hold_may_be_lost_with_the_store_but_a_reservation_may_not() {
    let loss = |from, to| Loss { from: NOW + from, to: NOW + to };
    // The hold is asked for at 0, and the reservation a second later.
    let mut story = Story::on_sale();
    story.holds("alice", &[1]);
    story.records.pop();
    for during in [loss(0, 10), loss(0, 0)] {
        story.losses = vec![loss(5_000, 6_000), during];
        story.is_sound();
    }
    story.losses = vec![loss(1, 10)];
    story.is_refused("I7: no such seat.held");

    let mut story = Story::on_sale();
    story.holds("alice", &[1]);
    story.reserves("alice", &[1]);
    story.records.truncate(2);
    story.losses = vec![loss(0, 5_000)];
    story.is_refused("I7: no such reservation.created");
}
