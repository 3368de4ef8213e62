//! Sentences about commands that come with an idempotency key, and come again.

use boxoffice_command::store::{Cause, Idempotency, Outcome, SeatStore, StoreError};
use boxoffice_domain::{Answer, Command, Rejection, Wanted};
use uuid::Uuid;

use super::stage::{Fixture, HIGH_WATERMARK, Stage, best_in, cause, definition, held, must, named, valid};
use super::{conflicts, publish};

/// Sends `command` of `user` under `key`, as the request `asked`; ids that it makes up are new ones each time, as they are
/// where requests come in.
async fn send<F: Fixture>(
    stage: &Stage<'_, F>,
    user: &str,
    key: &str,
    asked: &str,
    command: Command,
) -> Result<Result<Outcome, Rejection>, StoreError> {
    let idempotency = Some(Idempotency::new(&valid(user), key, asked));
    stage.store().execute(&stage.event, &command, &Cause { idempotency, ..cause(user) }).await
}

/// The same of a hold, which has to go well.
async fn send_hold<F: Fixture>(stage: &Stage<'_, F>, user: &str, key: &str, wanted: Wanted) -> Outcome {
    let asked = format!("{wanted:?}");
    let command = Command::Hold { wanted, user: valid(user), hold: Uuid::new_v4() };
    must(must(send(stage, user, key, &asked, command).await))
}

/// Also when what it was about has changed since.
pub async fn a_repeated_command_gets_the_same_answer_and_writes_nothing(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let first = send_hold(&stage, "alice", "k-1", named(&["A-1-1", "A-1-2"])).await;
    assert!(first.changed && !first.repeated);
    stage.advance(1000).await;
    let again = send_hold(&stage, "alice", "k-1", named(&["A-1-1", "A-1-2"])).await;
    assert_eq!(again, Outcome { repeated: true, ..first.clone() });
    must(stage.release_hold("alice", held(first.answer.clone()).hold).await);
    let again = send_hold(&stage, "alice", "k-1", named(&["A-1-1", "A-1-2"])).await;
    assert_eq!(again, Outcome { repeated: true, ..first });
    assert_eq!(stage.counts().await, [7, 0, 0, 1]);
    assert_eq!(stage.waiting().await.len(), 5, "event.created, two seat.held, two seat.released");
}

/// Holds, reservations, releases, blocks; what changed something and what found it done already.
pub async fn every_kind_of_answer_is_kept(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let (alice, new, staffs) = (|| valid("alice"), Uuid::new_v4, Uuid::new_v4());
    let hold =
        held(send_hold(&stage, "alice", "k-0", named(&["A-1-1", "A-1-2", "FLOOR-1"])).await.answer).hold;
    let (reservation, ..) = {
        must(stage.hold("alice", &["A-1-3", "A-1-4"]).await);
        must(stage.reserve_seat("alice", "A-1-3").await)
    };
    let commands = [
        Command::Hold { wanted: named(&["A-1-1", "FLOOR-1"]), user: alice(), hold: new() },
        Command::ExtendHold { hold, user: alice(), seconds: Some(1) },
        Command::ReserveSeat { seat: "A-1-1".into(), user: alice(), reservation: new() },
        Command::ReserveSeat { seat: "A-1-1".into(), user: alice(), reservation: new() },
        Command::ReleaseSeat { seat: "A-1-2".into(), user: alice() },
        Command::ReserveHold { hold, user: alice(), reservation: new() },
        Command::ReserveHold { hold, user: alice(), reservation: new() },
        Command::ReleaseSeat { seat: "FLOOR-1".into(), user: alice() },
        Command::CancelReservation { reservation, user: alice() },
        Command::Block { seats: vec!["A-1-3".into()], reason: "sight\nline".into() },
        Command::Block { seats: vec!["A-1-3".into()], reason: "sight\nline".into() },
        Command::Unblock { seats: vec!["A-1-3".into(), "A-2-1".into()] },
        Command::Hold { wanted: best_in(1, Some("A"), None), user: alice(), hold: new() },
        Command::StaffHold {
            seats: vec!["A-1-2".into(), "A-2-2".into()],
            user: valid("bob"),
            hold: staffs,
            blocked: true,
        },
        Command::AddToHold { hold: staffs, wanted: named(&["A-1-3"]), user: valid("bob") },
        Command::StaffRelease { hold: staffs, note: Some("rain".into()) },
    ];
    for (number, command) in commands.into_iter().enumerate() {
        let (key, asked) = (format!("k-{}", number + 1), format!("{command:?}"));
        let first = must(must(send(&stage, "alice", &key, &asked, command.clone()).await));
        let story = stage.story(0).await;
        let again = must(must(send(&stage, "alice", &key, &asked, command).await));
        assert_eq!(again, Outcome { repeated: true, ..first }, "{asked}");
        assert_eq!(stage.story(0).await, story, "{asked}");
    }
}

/// Whoever uses it for another one has made a mistake, and nothing is done.
pub async fn a_key_stands_for_one_request(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    send_hold(&stage, "alice", "k-1", named(&["A-1-1"])).await;
    let other = Command::Hold { wanted: named(&["A-1-2"]), user: valid("alice"), hold: Uuid::new_v4() };
    let refused = send(&stage, "alice", "k-1", "another request", other).await;
    assert!(matches!(refused, Err(StoreError::KeyReused)), "{refused:?}");
    assert_eq!(stage.story(1).await, ["seat.held A-1-1"]);
}

/// What was refused may go well the next time, under the same key.
pub async fn refusals_are_evaluated_again(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.hold("alice", &["A-1-1"]).await);
    let wanted = || Command::Hold { wanted: named(&["A-1-1"]), user: valid("bob"), hold: Uuid::new_v4() };
    let refused = must(send(&stage, "bob", "k-1", "A-1-1", wanted()).await);
    assert_eq!(refused, Err(Rejection::SeatNotAvailable(conflicts([("A-1-1", "HELD")]))));
    must(stage.release_seat("alice", "A-1-1").await);
    let done = must(must(send(&stage, "bob", "k-1", "A-1-1", wanted()).await));
    assert!(!done.repeated, "{done:?}");
    assert_eq!(stage.counts().await, [6, 1, 0, 1]);
}

/// One of the same id is another one: who has a seat of the first has none of it.
pub async fn what_was_answered_before_a_purge_is_no_answer_of_what_is_created_anew(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    send_hold(&stage, "alice", "k-1", named(&["A-1-1"])).await;
    must(stage.purge().await);
    on.restart().await;
    stage.advance(1).await;
    must(stage.provision(&definition()).await);
    let anew = send_hold(&stage, "alice", "k-1", named(&["A-1-1"])).await;
    assert!(anew.changed && !anew.repeated, "{anew:?}");
    assert_eq!(stage.counts().await, [6, 1, 0, 1]);
    on.restart().await;
    let again = send_hold(&stage, "alice", "k-1", named(&["A-1-1"])).await;
    assert_eq!(again, Outcome { repeated: true, ..anew });
}

/// So nobody has to make keys that nobody else has.
pub async fn a_key_is_of_one_user_and_one_seating_event(on: &impl Fixture) {
    let (stage, elsewhere) = (Stage::open(on).await, Stage::open(on).await);
    let seats = [(&stage, "alice", "A-1-1"), (&stage, "bob", "A-1-2"), (&elsewhere, "alice", "A-1-1")];
    for (stage, user, seat) in seats {
        let done = send_hold(stage, user, "k-1", named(&[seat])).await;
        assert!(!done.repeated, "{user} {seat}");
    }
}

/// Whoever was told nothing, because the process ended, asks the next one.
pub async fn answers_survive_a_restart(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let first = send_hold(&stage, "alice", "k-1", best_in(2, None, None)).await;
    publish(&stage).await;
    on.restart().await;
    let again = send_hold(&stage, "alice", "k-1", best_in(2, None, None)).await;
    assert_eq!(again, Outcome { repeated: true, ..first });
    let other = Command::Close;
    let refused = send(&stage, "alice", "k-1", "another request", other).await;
    assert!(matches!(refused, Err(StoreError::KeyReused)), "{refused:?}");
    assert_eq!(stage.counts().await, [5, 2, 0, 1]);
}

/// It is about what was, and neither a definition nor a full outbox changes that.
pub async fn a_repetition_is_not_checked_again(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let hold = send_hold(&stage, "alice", "k-1", best_in(1, Some("A"), None)).await;
    must(stage.release_hold("alice", held(hold.answer.clone()).hold).await);
    while (stage.waiting().await.len() as u64) < HIGH_WATERMARK {
        must(stage.hold("bob", &["FLOOR-1"]).await);
        must(stage.release_seat("bob", "FLOOR-1").await);
    }
    let again = send_hold(&stage, "alice", "k-1", best_in(1, Some("A"), None)).await;
    assert_eq!(again, Outcome { repeated: true, ..hold.clone() });
    let renamed = stage.redefine(|it| {
        it.sections[0].id = "B".into();
        it.blocked.clear();
        it.sales.paused = true;
    });
    must(renamed.await);
    let again = send_hold(&stage, "alice", "k-1", best_in(1, Some("A"), None)).await;
    let mut told = Outcome { repeated: true, ..hold };
    if let Answer::Held { seats, together, .. } = &mut told.answer {
        seats[0].price_category.clear();
        *together = false;
    }
    assert_eq!(again, told, "the floor plan that stands has no such seat");
}

/// A caller who loses patience and asks again while the first is under way.
pub async fn i1_one_key_from_many_tasks_has_one_effect(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let sent = (0..8).map(|_| send_hold(&stage, "alice", "k-1", best_in(2, None, None)));
    let outcomes = futures::future::join_all(sent).await;
    assert_eq!(outcomes.iter().filter(|outcome| !outcome.repeated).count(), 1, "{outcomes:?}");
    let answers: Vec<&Answer> = outcomes.iter().map(|outcome| &outcome.answer).collect();
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
    assert_eq!(stage.counts().await, [5, 2, 0, 1]);
    assert_eq!(stage.waiting().await.len(), 3, "event.created and two seat.held");
}
