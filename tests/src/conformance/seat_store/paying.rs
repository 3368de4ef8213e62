//! Sentences about payments: what fails takes its seats back, what comes late gets them again where they are there.

use boxoffice_command::store::{Cause, SeatStore};
use boxoffice_domain::command::Reinstatement;
use boxoffice_domain::events::{DomainEvent, PaidBy};
use boxoffice_domain::state::FAILED_PAYMENT_MEMORY;
use boxoffice_domain::{Answer, Command, Rejection, ReservationId};
use uuid::Uuid;

use super::expire_due;
use super::stage::{Fixture, Stage, TTL, cause, must, valid};

impl<F: Fixture> Stage<'_, F> {
    /// A hold of `user`'s that becomes a reservation.
    async fn sell(&self, user: &str, seats: &[&str]) -> Uuid {
        let hold = must(self.hold(user, seats).await).hold;
        must(self.reserve_hold(user, hold).await).0
    }

    /// Its payment fails: the seats that it gives back.
    async fn fail_payment(&self, reservation: Uuid) -> Vec<String> {
        match must(self.staff(Command::FailPayment { reservation }).await) {
            Answer::Released { released, left, .. } => {
                assert_eq!(left, []);
                released
            }
            other => panic!("nothing released: {other:?}"),
        }
    }

    /// It is paid late, and would be called `reinstated` then.
    async fn pay_late(&self, reservation: Uuid, reinstated: Uuid) -> Option<Reinstatement> {
        let payment = "pay | \"1\"".to_owned();
        let hold = Uuid::from_u128(reinstated.as_u128() + 1);
        match must(self.staff(Command::Reinstate { reservation, payment, hold, reinstated }).await) {
            Answer::Reinstatement { outcome, .. } => outcome,
            other => panic!("no reinstatement: {other:?}"),
        }
    }
}

/// All of them, and says what they cost; again it does nothing, also after a restart.
pub async fn a_payment_that_fails_gives_its_seats_back(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let reservation = stage.sell("alice", &["A-1-1", "FLOOR-1"]).await;
    must(stage.run("operator", Command::Close).await);
    assert_eq!(stage.fail_payment(reservation).await, ["A-1-1", "FLOOR-1"]);
    on.restart().await;
    assert!(stage.fail_payment(reservation).await.is_empty());
    let story = [
        "seat.released A-1-1 PaymentFailed",
        "seat.released FLOOR-1 PaymentFailed",
        "reservation.cancelled 18000",
    ];
    assert_eq!(stage.story(7).await, story);
    assert_eq!(stage.counts().await, [7, 0, 0, 1]);
    assert_eq!(stage.cancel("alice", reservation).await, Err(Rejection::ReservationNotFound));
}

/// What was cancelled, or is another's by now, or was paid at the counter, stays as it is.
pub async fn a_payment_that_fails_takes_nothing_else(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let reservation = stage.sell("alice", &["A-1-1", "A-1-2"]).await;
    must(stage.release_seat("alice", "A-1-1").await);
    must(stage.hold("bob", &["A-1-1"]).await);
    assert_eq!(stage.fail_payment(reservation).await, ["A-1-2"]);
    assert_eq!(stage.counts().await, [6, 1, 0, 1]);
    let cancelled = stage.sell("carol", &["A-1-3"]).await;
    must(stage.cancel("carol", cancelled).await);
    let hold = must(stage.staff_hold("carol", &["A-1-4"]).await).hold;
    let at_the_counter = Uuid::new_v4();
    must(stage.staff(Command::StaffReserve { hold, reservation: at_the_counter }).await);
    on.restart().await;
    for untouched in [cancelled, at_the_counter, Uuid::new_v4()] {
        assert!(stage.fail_payment(untouched).await.is_empty());
        assert_eq!(stage.pay_late(untouched, Uuid::new_v4()).await, None);
    }
    assert_eq!(stage.counts().await, [5, 1, 1, 1]);
}

/// As a new reservation at the prices that they had, which is like any other; the limit refuses it nothing.
pub async fn a_late_payment_gets_its_seats_again(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.redefine(|it| it.limits.seats_per_user = Some(2)).await);
    let reservation = stage.sell("alice", &["A-1-1", "A-1-2"]).await;
    stage.fail_payment(reservation).await;
    must(stage.hold("alice", &["A-2-1", "FLOOR-1"]).await);
    must(
        stage
            .redefine(|it| {
                it.limits.seats_per_user = Some(2);
                it.price_categories[0].amount = 99_000;
            })
            .await,
    );
    on.restart().await;
    let before = stage.waiting().await.len();
    let reinstated = Uuid::new_v4();
    let done = Some(Reinstatement::Reinstated(reinstated));
    assert_eq!(stage.pay_late(reservation, reinstated).await, done);
    assert_eq!(stage.pay_late(reservation, Uuid::new_v4()).await, done);
    let story = [
        "seat.held A-1-1",
        "seat.held A-1-2",
        "seat.reserved A-1-1",
        "seat.reserved A-1-2",
        "reservation.created 24000",
    ];
    assert_eq!(stage.story(before).await, story);
    let last = stage.waiting().await.pop().map(|it| it.event);
    let Some(DomainEvent::ReservationCreated(created)) = last else { panic!("{last:?}") };
    let paid = ReservationId::new(stage.event.clone(), reservation).to_string();
    assert_eq!((created.user_id, created.paid_by), (valid("alice"), Some(PaidBy::Reservation(paid))));
    assert_eq!(stage.counts().await, [3, 2, 2, 1]);
    assert!(stage.fail_payment(reinstated).await.is_empty(), "no payment of its own pays for it");
    on.restart().await;
    assert!(stage.fail_payment(reinstated).await.is_empty());
    assert_eq!(must(stage.cancel("alice", reinstated).await), ["A-1-1", "A-1-2"]);
    assert_eq!(stage.pay_late(reservation, Uuid::new_v4()).await, done, "it does not come back twice");
}

/// One event says so, and it stays so.
pub async fn a_late_payment_whose_seats_are_gone_is_refused_for_good(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let reservation = stage.sell("alice", &["A-1-1", "A-1-2"]).await;
    stage.fail_payment(reservation).await;
    let hold = must(stage.hold("bob", &["A-1-2"]).await).hold;
    let refused = Some(Reinstatement::NotReinstated);
    assert_eq!(stage.pay_late(reservation, Uuid::new_v4()).await, refused);
    must(stage.release_hold("bob", hold).await);
    on.restart().await;
    assert_eq!(stage.pay_late(reservation, Uuid::new_v4()).await, refused);
    let story = ["seat.held A-1-2", "reservation.not_reinstated", "seat.released A-1-2 User"];
    assert_eq!(stage.story(9).await, story);
    let told = stage.waiting().await.into_iter().find_map(|it| match it.event {
        DomainEvent::ReservationNotReinstated(e) => Some(e),
        _ => None,
    });
    let told = told.unwrap_or_else(|| panic!("it is told"));
    assert_eq!((told.reservation_id.uuid(), told.user_id), (reservation, valid("alice")));
    assert_eq!(told.payment_id, "pay | \"1\"");
    let closed = stage.sell("alice", &["A-1-3"]).await;
    stage.fail_payment(closed).await;
    must(stage.run("operator", Command::Close).await);
    assert_eq!(stage.pay_late(closed, Uuid::new_v4()).await, refused);
}

/// As a hold's that somebody asks for the seats of.
pub async fn a_late_payment_ends_a_lapsed_hold_that_is_in_the_way(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let reservation = stage.sell("alice", &["A-1-1", "A-1-2"]).await;
    stage.fail_payment(reservation).await;
    must(stage.hold("bob", &["A-1-2", "A-1-3"]).await);
    stage.advance(TTL).await;
    let reinstated = Uuid::new_v4();
    let done = Some(Reinstatement::Reinstated(reinstated));
    assert_eq!(stage.pay_late(reservation, reinstated).await, done);
    let story = ["seat.released A-1-2 Expired", "seat.released A-1-3 Expired", "seat.held A-1-1"];
    assert_eq!(stage.story(11).await[..3], story);
    assert_eq!(stage.counts().await, [5, 0, 2, 1]);
    must(stage.hold("carol", &["A-1-3"]).await);
}

/// Swept or not, and then it is as if it had never been.
pub async fn a_failed_payment_is_remembered_for_fifty_hours(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.redefine(|it| it.starts_at += 10 * 86_400_000).await);
    let sold = [
        stage.sell("alice", &["A-1-1"]).await,
        stage.sell("bob", &["A-1-2"]).await,
        stage.sell("carol", &["A-1-3"]).await,
    ];
    for reservation in sold {
        stage.fail_payment(reservation).await;
    }
    stage.advance(FAILED_PAYMENT_MEMORY - 1).await;
    must(expire_due(&*on.store()).await);
    assert_eq!(on.state(&stage.event).await.failed.len(), 3);
    let reinstated = Uuid::new_v4();
    let done = Some(Reinstatement::Reinstated(reinstated));
    assert_eq!(stage.pay_late(sold[0], reinstated).await, done);
    stage.advance(1).await;
    assert_eq!(stage.pay_late(sold[1], Uuid::new_v4()).await, None, "nothing swept it away yet");
    assert_eq!(must(expire_due(&*on.store()).await), 0);
    on.restart().await;
    assert_eq!(stage.pay_late(sold[2], Uuid::new_v4()).await, None);
    let cause = Cause { user: None, ..cause("nobody") };
    let again = Command::FailPayment { reservation: sold[0] };
    let outcome = must(must(on.store().execute(&stage.event, &again, &cause).await));
    assert!(!outcome.changed);
    let mut kept = on.state(&stage.event).await;
    kept.forget(stage.now());
    assert!(kept.failed.is_empty());
    assert_eq!(stage.counts().await, [6, 0, 1, 1]);
}
