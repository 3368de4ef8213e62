use boxoffice_domain::SeatId;
use boxoffice_domain::events::PaidBy;
use proptest::prelude::*;

use super::super::intake::{Kept, Rows, take_in};
use super::testing::{created, envelope, payment_of, reservation};
use super::*;

const TIMEOUT: Duration = Duration::from_mins(15);
const CREATED: u64 = 1_000_000;

fn at(now: u64) -> Moment {
    Moment { now, dice: 500 }
}

fn cause(number: u128) -> Cause {
    Cause { event_id: Uuid::from_u128(number), correlation_id: "c-2".parse().unwrap() }
}

fn paid() -> Answer {
    Answer::Succeeded { payment_id: "p-1".into() }
}

/// Two seats for 200, requested at [`CREATED`].
fn requested() -> Payment {
    payment_of("alice")
}

/// Posted at `now`, with no answer yet.
fn posted(now: u64) -> Payment {
    let mut payment = requested();
    assert_eq!(payment.begin(at(now)), (Some(Ask::Post), vec![]));
    payment
}

fn types(announced: &[Envelope]) -> Vec<&'static str> {
    announced.iter().map(|envelope| envelope.event.event_type()).collect()
}

fn told(announced: &Envelope) -> &events::Payment {
    match &announced.event {
        DomainEvent::PaymentRequested(told)
        | DomainEvent::PaymentCompleted(told)
        | DomainEvent::PaymentFailed(told)
        | DomainEvent::PaymentRefundRequested(told) => told,
        other => unreachable!("{} is not announced", other.event_type()),
    }
}

#[test]
fn a_reservation_is_requested_then_paid_in_one_chain() {
    let created = envelope(created("alice", 200, 2, None));
    let DomainEvent::ReservationCreated(reserved) = &created.event else { unreachable!() };
    let (mut payment, announced) = Payment::requested(reserved, &created, TIMEOUT, at(CREATED));
    assert_eq!(types(&announced), ["payment.requested"]);
    assert_eq!(announced[0].metadata.causation_id, created.event_id);
    assert_eq!((payment.state, payment.due), (PaymentState::Requested, Some(CREATED)));
    payment.begin(at(CREATED));
    let completed = payment.answered(Ask::Post, &paid(), at(CREATED + 5));
    assert_eq!(types(&completed), ["payment.completed"]);
    assert_eq!(completed[0].metadata.causation_id, announced[0].event_id);
    assert_eq!(completed[0].metadata.correlation_id, created.metadata.correlation_id);
    assert_eq!((told(&completed[0]).late, told(&completed[0]).payment_id.as_deref()), (false, Some("p-1")));
    assert_eq!((payment.state, payment.charged, payment.due), (PaymentState::Paid, 200, None));
    assert_eq!(payment.answered(Ask::Post, &paid(), at(CREATED + 6)), [], "twice");
}

#[test]
fn what_costs_nothing_is_completed_without_a_call() {
    let created = envelope(created("alice", 0, 1, None));
    let DomainEvent::ReservationCreated(reserved) = &created.event else { unreachable!() };
    let (payment, announced) = Payment::requested(reserved, &created, TIMEOUT, at(CREATED));
    assert_eq!(types(&announced), ["payment.requested", "payment.completed"]);
    assert_eq!((payment.state, payment.due, payment.posts), (PaymentState::Paid, None, 0));
}

#[test]
fn a_timestamp_ahead_of_the_database_counts_as_now() {
    assert_eq!(requested().deadline, CREATED + 900_000);
    let created = envelope(created("alice", 200, 2, None));
    let DomainEvent::ReservationCreated(reserved) = &created.event else { unreachable!() };
    let (payment, _) = Payment::requested(reserved, &created, TIMEOUT, at(CREATED - 500));
    assert_eq!(payment.deadline, CREATED - 500 + 900_000);
}

#[test]
fn a_worker_that_was_away_posts_before_it_gives_up() {
    let away = CREATED + 1_200_000;
    let mut payment = posted(away);
    assert_eq!(payment.answered(Ask::Post, &Answer::Again { after: None }, at(away + 10_000)), []);
    assert_eq!(payment.begin(at(away + 59_999)).0, Some(Ask::Post));
    let failed = payment.answered(Ask::Post, &Answer::Again { after: None }, at(away + 60_000));
    assert_eq!(types(&failed), ["payment.failed"]);
    let mut payment = posted(away);
    assert_eq!(types(&payment.answered(Ask::Post, &paid(), at(away + 10_000))), ["payment.completed"]);
}

#[test]
fn at_the_deadline_it_fails_and_from_then_on_it_is_only_asked() {
    let mut payment = posted(CREATED);
    payment.answered(Ask::Post, &Answer::Again { after: Some(Duration::from_hours(2)) }, at(CREATED + 1));
    assert_eq!(payment.due, Some(CREATED + 900_000), "not later than the deadline");
    let (ask, failed) = payment.begin(at(CREATED + 900_000));
    assert_eq!((ask, types(&failed)), (Some(Ask::Get), vec!["payment.failed"]));
    assert_eq!(told(&failed[0]).reason, Some(PaymentFailure::Timeout));
    payment.answered(Ask::Get, &Answer::Pending, at(CREATED + 900_001));
    payment.answered(Ask::Get, &Answer::Again { after: None }, at(CREATED + 900_002));
    assert_eq!(payment.begin(at(CREATED + 910_000)).0, Some(Ask::Get));
    let late = payment.answered(Ask::Get, &paid(), at(CREATED + 910_001));
    assert_eq!((types(&late), told(&late[0]).late), (vec!["payment.completed"], true));
}

#[test]
fn a_gateway_that_does_not_know_it_is_believed_a_minute_after_the_last_post() {
    let mut payment = posted(CREATED + 899_000);
    payment.answered(Ask::Post, &Answer::Again { after: None }, at(CREATED + 909_000));
    payment.begin(at(CREATED + 959_000));
    assert_eq!(payment.state, PaymentState::TimedOut);
    payment.tries = 9;
    payment.answered(Ask::Get, &Answer::NotFound, at(CREATED + 960_000));
    assert_eq!(payment.due, Some(CREATED + 969_000), "asked again when it can be believed, not later");
    payment.answered(Ask::Get, &Answer::NotFound, at(CREATED + 968_999));
    assert!(matches!(payment.phase, Phase::Ask { .. }));
    assert_eq!(payment.answered(Ask::Get, &Answer::NotFound, at(CREATED + 969_000)), []);
    assert_eq!((payment.phase, payment.state, payment.due), (Phase::Done, PaymentState::TimedOut, None));
}

#[test]
fn before_the_deadline_a_gateway_that_lost_it_is_asked_to_charge_again() {
    let mut payment = posted(CREATED);
    payment.answered(Ask::Post, &Answer::Pending, at(CREATED + 1));
    assert_eq!(payment.begin(at(CREATED + 2000)).0, Some(Ask::Get));
    payment.answered(Ask::Get, &Answer::NotFound, at(CREATED + 2001));
    assert_eq!(payment.begin(at(CREATED + 4000)).0, Some(Ask::Post));
}

#[test]
fn after_a_day_without_an_answer_nobody_asks_any_more() {
    let mut payment = posted(CREATED);
    payment.begin(at(CREATED + 900_000));
    payment.answered(Ask::Get, &Answer::Pending, at(CREATED + 900_000 + GIVE_UP - 1));
    assert_eq!(payment.begin(at(CREATED + 900_000 + GIVE_UP)), (None, vec![]));
    assert_eq!((payment.phase, payment.due), (Phase::Parked, None));
}

#[test]
fn a_refusal_is_believed_at_the_first_post_and_looked_into_at_a_repeat() {
    let mut payment = posted(CREATED);
    let failed = payment.answered(Ask::Post, &Answer::Refused, at(CREATED + 1));
    assert_eq!(
        (told(&failed[0]).reason, payment.state),
        (Some(PaymentFailure::Refused), PaymentState::Refused)
    );
    let mut payment = posted(CREATED);
    payment.answered(Ask::Post, &Answer::Again { after: None }, at(CREATED + 1));
    payment.begin(at(CREATED + 2000));
    assert_eq!(payment.answered(Ask::Post, &Answer::Refused, at(CREATED + 2001)), []);
    assert_eq!(payment.begin(at(CREATED + 2002)).0, Some(Ask::Get));
    let found = payment.answered(Ask::Get, &paid(), at(CREATED + 2003));
    assert_eq!(types(&found), ["payment.completed"]);
}

#[test]
fn cancelled_before_the_first_post_it_is_never_charged() {
    let mut payment = requested();
    assert_eq!(payment.cancelled(1, 120, cause(1), at(CREATED + 1)), []);
    assert_eq!((payment.amount, payment.phase), (80, Phase::Post));
    assert_eq!(payment.cancelled(1, 80, cause(2), at(CREATED + 2)), []);
    assert_eq!((payment.state, payment.begin(at(CREATED + 3))), (PaymentState::Cancelled, (None, vec![])));
}

#[test]
fn cancelled_during_a_post_it_is_asked_about_and_refunded_where_it_was_charged() {
    for is_charged in [true, false] {
        let mut payment = posted(CREATED);
        assert_eq!(payment.cancelled(2, 200, cause(1), at(CREATED + 1)), []);
        payment.answered(Ask::Post, &Answer::Again { after: None }, at(CREATED + 2));
        assert_eq!(payment.begin(at(CREATED + 3000)).0, Some(Ask::Get), "nothing is posted any more");
        let answer = if is_charged { paid() } else { Answer::NotFound };
        let announced = payment.answered(Ask::Get, &answer, at(CREATED + 70_000));
        let expected: &[_] =
            if is_charged { &["payment.completed", "payment.refund_requested"] } else { &[] };
        assert_eq!(types(&announced), expected);
        let state = if is_charged { PaymentState::RefundRequested } else { PaymentState::Cancelled };
        assert_eq!(
            (payment.state, payment.charged, payment.refunded),
            (state, payment.refunded, payment.charged)
        );
        assert_eq!(payment.begin(at(CREATED + 2_000_000)), (None, vec![]), "and never fails by time-out");
    }
}

#[test]
fn the_body_of_a_repeat_is_the_same_and_what_left_meanwhile_is_refunded() {
    let mut payment = posted(CREATED);
    payment.cancelled(1, 120, cause(1), at(CREATED + 1));
    payment.answered(Ask::Post, &Answer::Again { after: None }, at(CREATED + 2));
    payment.begin(at(CREATED + 3000));
    assert_eq!(payment.amount, 200);
    let announced = payment.answered(Ask::Post, &paid(), at(CREATED + 3001));
    assert_eq!(types(&announced), ["payment.completed", "payment.refund_requested"]);
    let refund = &announced[1];
    assert_eq!((told(refund).amount, refund.metadata.causation_id), (120, Uuid::from_u128(1)));
    assert_eq!(refund.event_id, derived(Uuid::from_u128(1), "payment.refund_requested"));
    assert_eq!(refund.metadata.correlation_id.as_str(), "c-2");
    let rest = payment.cancelled(1, 80, cause(2), at(CREATED + 4000));
    assert_eq!((told(&rest[0]).amount, payment.refunded), (80, 200));
}

#[test]
fn what_is_paid_otherwise_is_not_charged() {
    let mut rows = Rows::new();
    let counter = envelope(created("alice", 200, 2, Some(PaidBy::Counter)));
    assert_eq!(take_in(&mut rows, &counter, TIMEOUT, at(CREATED)), []);
    let unknown = envelope(created("alice", 200, 2, Some(PaidBy::Reservation("arena-night.x".into()))));
    assert_eq!(take_in(&mut rows, &unknown, TIMEOUT, at(CREATED)), []);
    assert!(rows.is_empty());
}

#[test]
fn seats_that_came_back_are_refunded_from_the_payment_that_covers_them() {
    let mut payment = posted(CREATED);
    payment.begin(at(CREATED + 900_000));
    payment.answered(Ask::Get, &paid(), at(CREATED + 900_001));
    let first = payment.reservation_id.to_string();
    let mut rows = Rows::from([(first.clone(), Kept::Payment(Box::new(payment)))]);
    let mut again = created("alice", 200, 2, Some(PaidBy::Reservation(first.clone())));
    again.reservation_id = reservation(2);
    assert_eq!(take_in(&mut rows, &envelope(again.clone()), TIMEOUT, at(CREATED + 900_010)), []);
    let Some(Kept::Payment(payment)) = rows.get(&first) else { unreachable!() };
    assert_eq!((payment.state, payment.refunded), (PaymentState::Reinstated, 0));
    let mut left = ReservedSeats { paid_by: None, amount: 120, ..again };
    left.seat_ids.truncate(1);
    let cancelled =
        Envelope { event: DomainEvent::ReservationCancelled(left), ..envelope(created("a", 1, 1, None)) };
    let refund = take_in(&mut rows, &cancelled, TIMEOUT, at(CREATED + 900_020));
    assert_eq!((types(&refund), told(&refund[0]).amount), (vec!["payment.refund_requested"], 120));
    assert_eq!(told(&refund[0]).reservation_id.to_string(), first);
}

/// What happens, in an order that nobody chose.
#[derive(Debug, Clone, Copy)]
enum Transition {
    /// So many milliseconds pass.
    Pass(u32),
    /// The worker takes it, and is told this in the end; or is killed, and nobody is told.
    Ask { reply: Reply, lost: bool },
    /// The buyer cancels a seat. Between the question and its answer, too.
    Cancel { meanwhile: bool },
    /// The command worker gets to know what was announced, and answers.
    Command { seats_are_free: bool },
}

/// How the gateway behaves once.
#[derive(Debug, Clone, Copy)]
enum Reply {
    Honest,
    Declines,
    Refuses,
    /// It does what it is asked and does not say so.
    SilentlyDoes,
    /// It does nothing and does not say so.
    SilentlyNot,
    Pending,
}

fn transitions() -> impl Strategy<Value = Vec<Transition>> {
    let reply = prop_oneof![
        3 => Just(Reply::Honest),
        1 => Just(Reply::Declines),
        1 => Just(Reply::Refuses),
        3 => Just(Reply::SilentlyDoes),
        3 => Just(Reply::SilentlyNot),
        1 => Just(Reply::Pending),
    ];
    let transition = prop_oneof![
        4 => (0..200_000_u32).prop_map(Transition::Pass),
        5 => (reply, any::<bool>()).prop_map(|(reply, lost)| Transition::Ask { reply, lost }),
        2 => any::<bool>().prop_map(|meanwhile| Transition::Cancel { meanwhile }),
        2 => any::<bool>().prop_map(|seats_are_free| Transition::Command { seats_are_free }),
    ];
    proptest::collection::vec(transition, 0..60)
}

/// A gateway, a command worker and a buyer around one payment.
struct World {
    rows: Rows,
    now: u64,
    /// What the gateway charged.
    charged: Option<u64>,
    declined: bool,
    /// The body of the first POST.
    body: Option<u64>,
    /// Seats with their prices that the buyer has, and in which reservation.
    seats: Vec<u64>,
    holds: ReservationId,
    /// Seats that were released because the payment failed.
    released: Vec<u64>,
    announced: Vec<Envelope>,
    /// How many of them the command worker has seen.
    seen: usize,
    events: u128,
    cancel_meanwhile: bool,
}

impl World {
    fn new(seats: Vec<u64>) -> Self {
        let mut world = Self {
            rows: Rows::new(),
            now: CREATED,
            charged: None,
            declined: false,
            body: None,
            holds: reservation(1),
            seats,
            released: vec![],
            announced: vec![],
            seen: 0,
            events: 100,
            cancel_meanwhile: false,
        };
        let reserved = world.reserved(&world.seats, None);
        world.happen(DomainEvent::ReservationCreated(reserved));
        world
    }

    fn reserved(&self, seats: &[u64], paid_by: Option<PaidBy>) -> ReservedSeats {
        let mut reserved = created("alice", seats.iter().sum(), seats.len(), paid_by);
        reserved.reservation_id = self.holds.clone();
        reserved
    }

    fn payment(&mut self) -> &mut Payment {
        match self.rows.get_mut(&reservation(1).to_string()) {
            Some(Kept::Payment(payment)) => payment,
            _ => unreachable!("there is one"),
        }
    }

    fn happen(&mut self, event: DomainEvent) {
        self.events += 1;
        let mut envelope = envelope(created("alice", 1, 1, None));
        (envelope.event_id, envelope.event) = (Uuid::from_u128(self.events), event);
        let announced = take_in(&mut self.rows, &envelope, TIMEOUT, at(self.now));
        self.announced.extend(announced);
    }

    fn cancel(&mut self) {
        let Some(price) = self.seats.pop() else { return };
        let cancelled = self.reserved(&[price], None);
        self.happen(DomainEvent::ReservationCancelled(cancelled));
    }

    fn ask(&mut self, reply: Reply, lost: bool) {
        let now = self.now;
        if self.payment().due.is_none_or(|due| due > now) {
            return;
        }
        let (ask, announced) = self.payment().begin(at(now));
        self.announced.extend(announced);
        let Some(ask) = ask else { return };
        if std::mem::take(&mut self.cancel_meanwhile) {
            self.cancel();
        }
        self.now += 7;
        let answer = match ask {
            Ask::Post => self.post(reply),
            Ask::Get => self.get(reply),
        };
        let now = self.now;
        if lost {
            // Another worker has it when the lease ends.
            self.now += 30_000;
            let now = self.now;
            let payment = self.payment();
            if payment.due.is_some() {
                payment.due = Some(now);
            }
            return;
        }
        let announced = self.payment().answered(ask, &answer, at(now));
        self.announced.extend(announced);
    }

    fn post(&mut self, reply: Reply) -> Answer {
        let amount = self.payment().amount;
        assert_eq!(*self.body.get_or_insert(amount), amount, "another body under the same key");
        assert!(amount > 0, "a call for nothing");
        let silence = Answer::Again { after: None };
        if self.charged.is_some() {
            return match reply {
                Reply::SilentlyDoes | Reply::SilentlyNot => silence,
                Reply::Refuses => Answer::Refused,
                Reply::Honest | Reply::Declines | Reply::Pending => paid(),
            };
        }
        if self.declined {
            return Answer::Declined;
        }
        match reply {
            Reply::Honest => {
                self.charged = Some(amount);
                paid()
            }
            Reply::SilentlyDoes => {
                self.charged = Some(amount);
                silence
            }
            Reply::Pending => {
                self.charged = Some(amount);
                Answer::Pending
            }
            Reply::Declines => {
                self.declined = true;
                Answer::Declined
            }
            Reply::Refuses => Answer::Refused,
            Reply::SilentlyNot => silence,
        }
    }

    fn get(&mut self, reply: Reply) -> Answer {
        match (reply, self.charged, self.declined) {
            (Reply::SilentlyDoes | Reply::SilentlyNot, ..) => Answer::Again { after: None },
            (_, Some(_), _) => paid(),
            (_, None, true) => Answer::Declined,
            (_, None, false) => Answer::NotFound,
        }
    }

    /// The command worker reads one announcement.
    fn command(&mut self, seats_are_free: bool) -> bool {
        let Some(announced) = self.announced.get(self.seen).cloned() else { return false };
        self.seen += 1;
        match announced.event {
            DomainEvent::PaymentFailed(_) if !self.seats.is_empty() => {
                self.released = std::mem::take(&mut self.seats);
                let mut cancelled = self.reserved(&self.released, None);
                cancelled.reason = Some(events::ReleaseReason::PaymentFailed);
                self.happen(DomainEvent::ReservationCancelled(cancelled));
            }
            DomainEvent::PaymentCompleted(completed) if completed.late => {
                if seats_are_free && !self.released.is_empty() {
                    self.seats = std::mem::take(&mut self.released);
                    self.holds = reservation(2);
                    let by = PaidBy::Reservation(reservation(1).to_string());
                    let again = self.reserved(&self.seats, Some(by));
                    self.happen(DomainEvent::ReservationCreated(again));
                } else {
                    self.happen(DomainEvent::ReservationNotReinstated(events::NotReinstated {
                        reservation_id: reservation(1),
                        event_id: "arena-night".parse().unwrap(),
                        user_id: "alice".parse().unwrap(),
                        payment_id: "p-1".into(),
                    }));
                }
            }
            _ => {}
        }
        true
    }

    fn apply(&mut self, transition: Transition) {
        match transition {
            Transition::Pass(millis) => self.now += u64::from(millis),
            Transition::Ask { reply, lost } => self.ask(reply, lost),
            Transition::Cancel { meanwhile: true } => self.cancel_meanwhile = true,
            Transition::Cancel { meanwhile: false } => self.cancel(),
            Transition::Command { seats_are_free } => drop(self.command(seats_are_free)),
        }
    }

    /// Everybody is there again and answers.
    fn calm_down(&mut self) {
        for _ in 0..200 {
            self.now += 40_000;
            self.ask(Reply::Honest, false);
            while self.command(true) {}
        }
    }

    fn count(&self, name: &str) -> usize {
        types(&self.announced).into_iter().filter(|one| *one == name).count()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn charged_minus_refunded_is_what_the_buyer_kept(
        prices in proptest::collection::vec(prop_oneof![1 => Just(0_u64), 5 => 1..200_u64], 1..4),
        transitions in transitions(),
    ) {
        let mut world = World::new(prices);
        for transition in transitions {
            world.apply(transition);
        }
        world.calm_down();
        let kept: u64 = world.seats.iter().sum();
        let payment = world.payment().clone();
        prop_assert_eq!(payment.phase, Phase::Done);
        prop_assert_eq!(payment.due, None);
        prop_assert_ne!(payment.state, PaymentState::Requested);
        prop_assert_eq!(payment.charged, world.charged.unwrap_or_default(), "no charge that nobody knows of");
        prop_assert_eq!(payment.charged - payment.refunded, kept, "{:?}", world.announced);
        let (completed, failed) = (world.count("payment.completed"), world.count("payment.failed"));
        prop_assert!(completed <= 1 && failed <= 1, "{:?}", types(&world.announced));
        let refunds: u64 = world.announced.iter()
            .filter(|one| one.event.event_type() == "payment.refund_requested")
            .map(|one| told(one).amount)
            .sum();
        prop_assert_eq!(refunds, payment.refunded);
        let late = world.announced.iter().any(|one| told(one).late);
        prop_assert_eq!(late, completed == 1 && failed == 1);
        let ids: std::collections::BTreeSet<_> = world.announced.iter().map(|one| one.event_id).collect();
        prop_assert_eq!(ids.len(), world.announced.len(), "every announcement has an id of its own");
    }
}

#[test]
fn a_row_reads_back() {
    let mut payment = posted(CREATED);
    payment.cancelled(1, 120, cause(1), at(CREATED + 1));
    let kept = Kept::Payment(Box::new(payment));
    let json = serde_json::to_string(&kept).unwrap();
    assert!(json.contains(r#""state":"REQUESTED""#), "{json}");
    assert_eq!(serde_json::from_str::<Kept>(&json).unwrap(), kept);
    let seat: SeatId = "arena-night.A-1-1".parse().unwrap();
    assert_eq!(created("alice", 1, 1, None).seat_ids, [seat]);
}
