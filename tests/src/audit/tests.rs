//! Small histories: one that is sound, and one for each way in which a history can lie.

mod choosing;

mod house;

mod paying;

mod repeating;

mod stored;

use boxoffice_domain::events::{Claim, DomainEvent, ReleaseReason, SeatBlock};
use boxoffice_domain::{CorrelationId, Envelope, HoldId, ReservationId, SeatId, UserId};
use uuid::Uuid;

use super::{Answer, Audit, HoldSeen, Loss, Request, ShownSeats, Wish};
use crate::history::{History, NOW};

const DEADLINE: u64 = NOW + 300_000;

/// A SeatingEvent with five seats, what happened on it, and what its clients were told.
struct Story {
    history: History,
    records: Vec<Envelope>,
    requests: Vec<Request>,
    losses: Vec<Loss>,
}

impl Story {
    fn on_sale() -> Self {
        let mut history = History::new("arena");
        let created = history.created(5);
        let records = vec![history.next(created)];
        Self { history, records, requests: vec![], losses: vec![] }
    }

    /// A request, its effect, and its answer, which may know the last sequence.
    fn ask(&mut self, user: &str, wish: Wish, effect: &[DomainEvent], answer: impl FnOnce(u64) -> Answer) {
        let (user, correlation): (UserId, _) = (user.parse().unwrap(), CorrelationId::from(Uuid::new_v4()));
        self.history.correlation = correlation.clone();
        for event in effect {
            let mut envelope = self.history.next(event.clone());
            envelope.metadata.user_id = Some(user.clone());
            self.records.push(envelope);
        }
        let sequence = self.records.last().unwrap().metadata.sequence.unwrap();
        // One after the other, a second apart.
        let at = NOW + 1000 * self.requests.len() as u64;
        let answer = answer(sequence);
        self.requests.push(Request { user, correlation, key: None, wish, answer, between: (at, at) });
    }

    /// A hold lapses; nobody asked for that.
    fn lapse(&mut self, user: &str, number: u32, at: u64) {
        let event = self.given_back(user, number, ReleaseReason::Expired, at);
        let envelope = self.history.next(event);
        self.records.push(envelope);
    }

    fn seat(&self, number: u32) -> SeatId {
        self.history.seat(number)
    }

    /// The hold of a user; each has one.
    fn hold(&self, user: &str) -> HoldId {
        let id = user.bytes().fold(0, |id, byte| id << 8 | u128::from(byte));
        HoldId::new(self.history.event.clone(), Uuid::from_u128(id))
    }

    fn reservation(&self, user: &str) -> ReservationId {
        ReservationId::new(self.history.event.clone(), self.hold(user).uuid())
    }

    fn held(&self, user: &str, number: u32) -> DomainEvent {
        let DomainEvent::SeatHeld(mut e) = self.history.held(number) else { unreachable!() };
        (e.user_id, e.hold_id) = (user.parse().unwrap(), self.hold(user));
        DomainEvent::SeatHeld(e)
    }

    fn reserved(&self, user: &str, number: u32) -> DomainEvent {
        let DomainEvent::SeatReserved(mut e) = self.history.reserved(number) else { unreachable!() };
        (e.user_id, e.hold_id, e.reservation_id) =
            (user.parse().unwrap(), self.hold(user), self.reservation(user));
        DomainEvent::SeatReserved(e)
    }

    fn created(&self, user: &str, numbers: &[u32]) -> DomainEvent {
        let mut e = self.history.reservation(1);
        (e.user_id, e.reservation_id) = (user.parse().unwrap(), self.reservation(user));
        e.amount *= numbers.len() as u64;
        e.seat_ids = numbers.iter().map(|number| self.seat(*number)).collect();
        DomainEvent::ReservationCreated(e)
    }

    fn given_back(&self, user: &str, number: u32, reason: ReleaseReason, at: u64) -> DomainEvent {
        let DomainEvent::SeatReleased(mut e) = self.history.released(number) else { unreachable!() };
        (e.user_id, e.reason, e.released_at) = (user.parse().unwrap(), reason, at);
        e.claim = match reason {
            ReleaseReason::Cancelled | ReleaseReason::PaymentFailed => {
                Claim::Reservation(self.reservation(user))
            }
            _ => Claim::Hold(self.hold(user)),
        };
        DomainEvent::SeatReleased(e)
    }

    /// A user holds seats and is told so.
    fn holds(&mut self, user: &str, numbers: &[u32]) {
        let seats: Vec<_> = numbers.iter().map(|number| self.seat(*number)).collect();
        let effect: Vec<_> = numbers.iter().map(|number| self.held(user, *number)).collect();
        let (hold, wish) = (self.hold(user), Wish::Hold(seats.clone()));
        self.ask(user, wish, &effect, |sequence| Answer::Held {
            hold,
            seats,
            expires_at: DEADLINE,
            sequence,
        });
    }

    /// A user reserves the hold and is told so.
    fn reserves(&mut self, user: &str, numbers: &[u32]) {
        let seats: Vec<_> = numbers.iter().map(|number| self.seat(*number)).collect();
        let mut effect: Vec<_> = numbers.iter().map(|number| self.reserved(user, *number)).collect();
        effect.push(self.created(user, numbers));
        let (reservation, wish) = (self.reservation(user), Wish::ReserveHold(self.hold(user)));
        self.ask(user, wish, &effect, |sequence| Answer::Reserved {
            reservation,
            seats,
            reserved_at: NOW,
            sequence,
        });
    }

    /// Something of which no client knows, in the chain of the last request.
    fn happens(&mut self, event: DomainEvent) {
        let envelope = self.history.next(event);
        self.records.push(envelope);
    }

    fn block(&self, number: u32) -> SeatBlock {
        let (seat_id, event_id) = (self.seat(number), self.history.event.clone());
        SeatBlock { seat_id, event_id, section_id: "A".into(), reason: "camera".into() }
    }

    fn audit(&self) -> Audit {
        Audit::of(&self.history.event, self.records.clone(), &self.requests, &self.losses)
    }

    #[track_caller]
    fn is_sound(&self) -> Audit {
        let audit = self.audit();
        assert_eq!(audit.findings, Vec::<String>::new());
        audit
    }

    #[track_caller]
    fn is_refused(&self, why: &str) {
        let findings = self.audit().findings;
        assert!(findings.iter().any(|finding| finding.contains(why)), "{why:?} is not in {findings:#?}");
    }
}

/// Alice holds two seats, reserves them and cancels; Bob's hold lapses; Carol's request was never answered.
fn sound() -> Story {
    let mut story = Story::on_sale();
    story.holds("alice", &[1, 2]);
    story.holds("bob", &[3]);
    story.reserves("alice", &[1, 2]);
    story.ask("bob", Wish::Hold(vec![story.seat(1)]), &[], |_| Answer::Refused { code: "X".into() });
    story.lapse("bob", 3, DEADLINE);
    let cancelled =
        |story: &Story, number| story.given_back("alice", number, ReleaseReason::Cancelled, NOW + 9);
    let DomainEvent::ReservationCreated(end) = story.created("alice", &[1, 2]) else { unreachable!() };
    let effect = [cancelled(&story, 1), cancelled(&story, 2), DomainEvent::ReservationCancelled(end)];
    let released = vec![story.seat(1), story.seat(2)];
    let wish = Wish::Cancel(story.reservation("alice"));
    story.ask("alice", wish, &effect, |sequence| Answer::Released { released, left: vec![], sequence });
    story.ask("carol", Wish::Hold(vec![story.seat(3)]), &[story.held("carol", 3)], |_| Answer::Unknown);
    story.ask("dave", Wish::Hold(vec![story.seat(4)]), &[], |_| Answer::Unknown);
    story
}

#[test]
fn a_sound_history_has_no_findings() {
    let mut story = sound();
    story.is_sound();
    // The log may repeat a record.
    story.records.insert(5, story.records[2].clone());
    story.records.push(story.records[1].clone());
    story.is_sound();
}

#[test]
fn i3_a_gap_and_a_changed_repeat_are_found() {
    let mut story = sound();
    story.records.remove(4);
    story.is_refused("I3: sequence 5 is to come");
    let mut story = sound();
    story.records.swap(2, 3);
    story.is_refused("I3: sequence 3 is to come");
    let mut story = sound();
    let mut changed = story.records[2].clone();
    changed.timestamp += 1;
    story.records.push(changed);
    story.is_refused("I9: ");
    let mut story = sound();
    let mut again = story.records[2].clone();
    again.event_id = Uuid::new_v4();
    story.records.push(again);
    story.is_refused("I3: ");
}

#[test]
fn i1_two_owners_are_found() {
    let mut story = Story::on_sale();
    story.holds("alice", &[1]);
    story.holds("bob", &[1]);
    story.is_refused("I1: bob holds a seat that is not free");

    let mut story = Story::on_sale();
    story.holds("alice", &[1]);
    story.reserves("alice", &[1]);
    story.holds("bob", &[1]);
    story.is_refused("I1: bob holds a seat that is not free");

    let mut story = Story::on_sale();
    story.holds("alice", &[1]);
    story.reserves("bob", &[1]);
    story.is_refused("I1: the seat is not in hold");

    let mut story = Story::on_sale();
    story.holds("alice", &[1]);
    let theft = story.given_back("bob", 1, ReleaseReason::User, NOW);
    let (wish, released) = (Wish::ReleaseSeat(story.seat(1)), vec![story.seat(1)]);
    story.ask("bob", wish, &[theft], |sequence| Answer::Released { released, left: vec![], sequence });
    story.is_refused("I1: the seat is not in hold");
}

#[test]
fn i6_holds_that_end_at_the_wrong_time_are_found() {
    let mut story = Story::on_sale();
    story.holds("alice", &[1]);
    story.lapse("alice", 1, DEADLINE - 1);
    story.is_refused("I6: the deadline is");

    let mut story = Story::on_sale();
    story.holds("alice", &[1]);
    let DomainEvent::SeatReserved(mut late) = story.reserved("alice", 1) else { unreachable!() };
    late.reserved_at = DEADLINE;
    let effect = [DomainEvent::SeatReserved(late), story.created("alice", &[1])];
    story.ask("alice", Wish::ReserveSeat(story.seat(1)), &effect, |_| Answer::Unknown);
    story.is_refused("I6: the hold ended 0 ms before");

    let mut story = Story::on_sale();
    story.holds("alice", &[1]);
    let late = story.given_back("alice", 1, ReleaseReason::User, DEADLINE);
    story.ask("alice", Wish::ReleaseSeat(story.seat(1)), &[late], |_| Answer::Unknown);
    story.is_refused("I6: the deadline was");
}

#[test]
fn i2_half_of_a_request_is_found() {
    let mut story = Story::on_sale();
    let wish = Wish::Hold(vec![story.seat(1), story.seat(2)]);
    story.ask("alice", wish, &[story.held("alice", 1)], |_| Answer::Unknown);
    story.is_refused("I2: it is about");

    let mut story = Story::on_sale();
    story.holds("alice", &[1, 2]);
    let effect = [story.reserved("alice", 1), story.created("alice", &[1])];
    story.ask("alice", Wish::ReserveHold(story.hold("alice")), &effect, |_| Answer::Unknown);
    story.is_refused("I2: it left [\"A-1-2\"] out");

    let mut story = Story::on_sale();
    story.holds("alice", &[1]);
    story.ask("alice", Wish::ReserveSeat(story.seat(1)), &[story.reserved("alice", 1)], |_| Answer::Unknown);
    story.is_refused("I2: half of it happened");

    let mut story = Story::on_sale();
    let refused = |_| Answer::Refused { code: "SEAT_NOT_AVAILABLE".into() };
    story.ask("alice", Wish::Hold(vec![story.seat(1)]), &[story.held("alice", 1)], refused);
    story.is_refused("I2: it had an effect");

    let mut story = sound();
    story.requests.remove(1);
    story.is_refused("nobody asked for it");
}

#[test]
fn i7_an_acknowledgement_of_what_is_not_there_is_found() {
    let mut story = Story::on_sale();
    story.holds("alice", &[1]);
    story.records.pop();
    story.is_refused("I7: no such seat.held");

    let mut story = Story::on_sale();
    story.holds("alice", &[1]);
    story.reserves("alice", &[1]);
    story.records.truncate(2);
    story.is_refused("I7: no such reservation.created");

    let mut story = sound();
    let (wish, released) = (Wish::ReleaseSeat(story.seat(5)), vec![story.seat(5)]);
    story.ask("alice", wish, &[], |sequence| Answer::Released { released, left: vec![], sequence });
    story.is_refused("I7: nothing was released");

    let mut story = Story::on_sale();
    story.holds("alice", &[1]);
    if let Some(Request { answer: Answer::Held { sequence, .. }, .. }) = story.requests.last_mut() {
        *sequence += 1;
    }
    story.is_refused("I7: the last one is");
}

#[test]
fn an_answer_may_repeat_an_earlier_one() {
    let mut story = Story::on_sale();
    story.holds("alice", &[1, 2]);
    let (hold, seats) = (story.hold("alice"), vec![story.seat(1), story.seat(2)]);
    let again = Answer::Held { hold: hold.clone(), seats, expires_at: DEADLINE, sequence: 3 };
    story.ask("alice", Wish::Hold(vec![story.seat(2)]), &[], |_| again.clone());
    story.is_sound();
    story.ask("bob", Wish::Hold(vec![story.seat(2)]), &[], |_| again);
    story.is_refused("I7: that was another hold");

    let mut story = Story::on_sale();
    story.holds("alice", &[1, 2]);
    let half = Answer::Held { hold, seats: vec![story.seat(2)], expires_at: DEADLINE, sequence: 3 };
    story.ask("alice", Wish::Hold(vec![story.seat(2)]), &[], |_| half);
    story.is_refused("I7: that hold had");
}

#[test]
fn what_operators_and_payments_do_is_asked_for_by_no_client() {
    let mut story = Story::on_sale();
    story.happens(DomainEvent::SeatBlocked(story.block(1)));
    story.happens(DomainEvent::SeatUnblocked(story.block(1)));
    story.holds("alice", &[1, 2]);
    story.happens(story.given_back("alice", 2, ReleaseReason::Admin, NOW));
    story.ask("alice", Wish::ReserveSeat(story.seat(1)), &[], |_| Answer::Unknown);
    let effect = [story.reserved("alice", 1), story.created("alice", &[1])];
    story.ask("alice", Wish::ReserveSeat(story.seat(1)), &effect, |_| Answer::Unknown);
    story.happens(story.given_back("alice", 1, ReleaseReason::PaymentFailed, NOW));
    let DomainEvent::ReservationCreated(end) = story.created("alice", &[1]) else { unreachable!() };
    story.happens(DomainEvent::ReservationCancelled(end));
    story.holds("bob", &[1]);
    story.is_sound();

    let mut story = Story::on_sale();
    story.holds("alice", &[1]);
    story.happens(DomainEvent::SeatBlocked(story.block(1)));
    story.is_refused("I1: somebody has it");
}

#[test]
fn a_map_that_shows_something_else_is_found() {
    let audit = sound().is_sound();
    let shown = |statuses: [&str; 5]| {
        let seats = (1..).zip(statuses);
        seats.map(|(number, status)| (History::new("arena").seat(number), status.to_owned())).collect()
    };
    let early = ShownSeats { sequence: 4, seats: shown(["HELD", "HELD", "HELD", "AVAILABLE", "AVAILABLE"]) };
    assert_eq!(audit.compare(&early), Vec::<String>::new());
    let reserved = shown(["RESERVED", "RESERVED", "HELD", "AVAILABLE", "AVAILABLE"]);
    assert_eq!(audit.compare(&ShownSeats { sequence: 7, seats: reserved.clone() }), Vec::<String>::new());
    assert_eq!(audit.compare(&ShownSeats { sequence: 4, seats: reserved }).len(), 2);
    assert_eq!(audit.compare(&ShownSeats { sequence: 99, ..early.clone() }).len(), 1);
    let mut lacking = early;
    lacking.seats.pop_first();
    assert_eq!(audit.compare(&lacking).len(), 1);
}

#[test]
fn i7_a_live_hold_that_is_not_found_is_found() {
    let mut story = Story::on_sale();
    story.holds("alice", &[1]);
    let (audit, hold) = (story.is_sound(), story.hold("alice"));
    let seen = |between, code: Option<&str>| HoldSeen {
        hold: hold.clone(),
        between,
        expires_at: code.is_none().then_some(DEADLINE),
        code: code.map(str::to_owned),
    };
    let (early, late) = ((NOW, NOW + 1), (DEADLINE, DEADLINE + 1));
    let expired = Some("HOLD_EXPIRED");
    for sound in
        [seen(early, None), seen(late, expired), seen((NOW, DEADLINE), None), seen((NOW, DEADLINE), expired)]
    {
        assert_eq!(audit.holds_as_seen(&sound), None);
    }
    let moved = HoldSeen { expires_at: Some(DEADLINE + 1), ..seen(early, None) };
    for lie in [seen(early, Some("HOLD_NOT_FOUND")), seen(early, expired), seen(late, None), moved] {
        assert!(audit.holds_as_seen(&lie).is_some(), "{lie:?}");
    }
}
