//! What is known of services and their SeatingEvents while they answer, fall silent and return.

use super::*;
use crate::seating_event::fixtures::inventory;

const SECOND: Duration = Duration::from_secs(1);

struct Known {
    inventories: Inventories,
    service: Key,
    start: Instant,
}

impl Known {
    fn new() -> Self {
        let service = ("tickets".to_owned(), "main".to_owned());
        Self { inventories: Inventories::default(), service, start: Instant::now() }
    }

    /// Asks the service at that second, if it is due, and takes in the answer: which of three shows are woken.
    fn ask(&self, second: u32, answer: Result<Listing, AdminError>) -> Option<BTreeSet<String>> {
        let now = self.start + SECOND * second;
        self.inventories.begin(&self.service, now, time(second))?;
        Some(self.inventories.note_answer(
            &self.service,
            answer,
            &events(&["arena-night", "opera", "unknown"]),
            now,
        ))
    }

    fn told(&self, id: &str) -> Told {
        self.inventories.told(&self.service, id)
    }
}

fn time(second: u32) -> Time {
    Time(jiff::Timestamp::from_second(second.into()).unwrap())
}

fn events(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(ToString::to_string).collect()
}

fn one(id: &str, sequence: u64) -> Inventory {
    Inventory { event_id: id.into(), sequence, ..inventory() }
}

fn all(inventories: Vec<Inventory>) -> Listing {
    let (gone, unreadable) = (vec![], vec![]);
    Listing { cursor: "c".into(), all: true, inventories, gone, unreadable, is_partial: false }
}

fn changed(inventories: Vec<Inventory>, gone: &[&str]) -> Listing {
    let gone = gone.iter().map(ToString::to_string).collect();
    Listing { all: false, gone, ..all(inventories) }
}

fn both(sequence: u64) -> Listing {
    all(vec![one("arena-night", sequence), one("opera", 7)])
}

fn down() -> Result<Listing, AdminError> {
    Err(AdminError::Unreachable { url: "http://x".into(), detail: "refused".into() })
}

#[test]
fn only_what_changed_is_reconciled() {
    let known = Known::new();
    assert_eq!(known.told("opera"), Told::Nothing);
    assert_eq!(known.ask(0, Ok(both(7))), Some(events(&["arena-night", "opera", "unknown"])));
    assert_eq!(known.ask(1, Ok(both(7))), None, "it was asked a moment ago");
    assert_eq!(known.ask(10, Ok(both(8))), Some(events(&["arena-night"])));
    assert_eq!(known.ask(20, Ok(both(8))), Some(events(&[])));
    assert_eq!(known.ask(30, Ok(changed(vec![one("opera", 9)], &[]))), Some(events(&["opera"])));
    let arena = Told::Known { inventory: Some(one("arena-night", 8)), answers: true };
    assert_eq!(known.told("arena-night"), arena, "it is as it was");
    assert_eq!(known.inventories.heard(&known.service), Some(time(30)));
}

#[test]
fn a_seating_event_that_the_store_lost_is_reconciled() {
    let known = Known::new();
    known.ask(0, Ok(both(7)));
    assert_eq!(known.ask(10, Ok(all(vec![one("arena-night", 7)]))), Some(events(&["opera"])));
    assert_eq!(known.ask(20, Ok(changed(vec![], &["arena-night", "other"]))), Some(events(&["arena-night"])));
    assert_eq!(known.told("arena-night"), Told::Known { inventory: None, answers: true });
}

#[test]
fn a_seating_event_that_a_partial_answer_leaves_out_stays_as_it_was_known() {
    let known = Known::new();
    known.ask(0, Ok(both(7)));
    let partial = Listing { is_partial: true, ..all(vec![one("arena-night", 8)]) };
    assert_eq!(known.ask(10, Ok(partial)), Some(events(&["arena-night"])), "opera is as it was");
    assert_eq!(known.ask(20, Ok(all(vec![one("arena-night", 8)]))), Some(events(&["opera"])));
}

#[test]
fn a_seating_event_that_its_service_cannot_read_is_neither_gone_nor_as_it_was() {
    let known = Known::new();
    known.ask(0, Ok(both(7)));
    let listing = |unreadable: &[&str]| {
        let unreadable = unreadable.iter().map(ToString::to_string).collect();
        Listing { unreadable, is_partial: true, ..changed(vec![], &[]) }
    };
    assert_eq!(known.ask(10, Ok(listing(&["opera"]))), Some(events(&["opera"])));
    assert_eq!(known.told("opera"), Told::Unreadable);
    assert_eq!(known.ask(20, Ok(listing(&["opera"]))), Some(events(&[])));
    assert_eq!(known.ask(30, Ok(listing(&[]))), Some(events(&["opera"])));
    assert_eq!(known.told("opera"), Told::Known { inventory: Some(one("opera", 7)), answers: true });
}

#[test]
fn a_service_that_misses_a_question_concerns_nobody() {
    let known = Known::new();
    known.ask(0, Ok(both(7)));
    assert_eq!(known.ask(10, down()), Some(events(&[])));
    let as_before = Told::Known { inventory: Some(one("opera", 7)), answers: false };
    assert_eq!(
        (known.told("opera"), known.inventories.answering(&known.service)),
        (as_before, Answering::Unsure)
    );
    assert_eq!(known.ask(20, Ok(both(7))), Some(events(&[])));
    assert_eq!(known.inventories.answering(&known.service), Answering::Answers);
}

#[test]
fn a_service_that_is_silent_for_thirty_seconds_concerns_all_once_and_so_does_its_return() {
    let (known, everybody) = (Known::new(), events(&["arena-night", "opera", "unknown"]));
    known.ask(0, Ok(both(7)));
    for second in [10, 20, 30, 39] {
        assert_eq!(known.ask(second, down()), Some(events(&[])), "{second}");
    }
    assert_eq!(known.ask(46, down()).as_ref(), Some(&everybody));
    let error = down().unwrap_err();
    assert_eq!(known.told("opera"), Told::Silent(error.clone()));
    assert_eq!(known.inventories.answering(&known.service), Answering::Silent(error));
    assert_eq!(known.ask(60, down()), Some(events(&[])));
    assert_eq!(known.ask(70, Ok(both(7))), Some(everybody));
}

#[test]
fn nothing_is_said_of_a_service_before_it_is_known_whether_it_has_shows() {
    let known = Known::new();
    let answering = || known.inventories.answering(&known.service);
    assert_eq!(answering(), Answering::Unsure, "a condition of before stays");
    known.inventories.note_presence(&known.service, Presence::Here);
    let ours = BTreeMap::from([(known.service.clone(), 0)]);
    known.inventories.keep_only(&ours);
    assert_eq!(answering(), Answering::Unsure, "it was not asked yet");
    known.inventories.keep_only::<u8>(&BTreeMap::new());
    assert_eq!(answering(), Answering::Unasked);
}

#[test]
fn one_that_never_answered_is_silent_too() {
    let known = Known::new();
    known.ask(0, down());
    assert_eq!(
        (known.told("opera"), known.inventories.answering(&known.service)),
        (Told::Nothing, Answering::Unsure)
    );
    assert_eq!(known.ask(31, down()).map(|woken| woken.len()), Some(3));
    assert!(matches!(known.told("opera"), Told::Silent(_)));
}

#[test]
fn who_has_something_for_a_service_is_woken_when_it_answers() {
    let known = Known::new();
    known.ask(0, Ok(both(7)));
    known.ask(10, down());
    known.inventories.wait(&known.service, "opera");
    assert_eq!(known.ask(20, down()), Some(events(&[])));
    assert_eq!(known.ask(30, Ok(both(7))), Some(events(&["opera"])));
    assert_eq!(known.ask(40, Ok(both(7))), Some(events(&[])));
}

#[test]
fn what_was_said_while_a_question_was_under_way_is_newer() {
    let known = Known::new();
    known.ask(0, Ok(both(7)));
    let now = known.start + SECOND * 10;
    assert!(known.inventories.begin(&known.service, now, time(10)).is_some());
    assert_eq!(known.inventories.begin(&known.service, now + SECOND * 60, time(70)), None, "one at a time");
    let event = ("tickets".to_owned(), "opera".to_owned());
    let given = Given { wanted: "new".into(), told: Some("new".into()), at: now, became: Became::Taken };
    known.inventories.note_given(&known.service, &event, given, Some(one("opera", 8)));
    known.inventories.note_answer(&known.service, Ok(both(7)), &events(&["opera"]), now);
    assert_eq!(known.told("opera"), Told::Known { inventory: Some(one("opera", 8)), answers: true });
}

#[test]
fn a_service_is_given_two_definitions_at_once() {
    let known = Known::new();
    let turns = [known.inventories.turn(&known.service), known.inventories.turn(&known.service)];
    assert!(turns.iter().all(Option::is_some) && known.inventories.turn(&known.service).is_none());
    assert!(known.inventories.turn(&("tickets".to_owned(), "other".to_owned())).is_some());
    known.inventories.keep_only::<u8>(&BTreeMap::new());
    assert!(known.inventories.turn(&known.service).is_none(), "they are still given");
    drop(turns);
    assert!(known.inventories.turn(&known.service).is_some());
}

#[test]
fn one_that_comes_or_goes_is_noticed() {
    let known = Known::new();
    let note = |presence| known.inventories.note_presence(&known.service, presence);
    let said =
        [Presence::Here, Presence::Here, Presence::Leaving, Presence::Absent, Presence::Here].map(note);
    assert_eq!(said, [false, false, true, true, true]);
}

#[test]
fn what_is_gone_is_not_known_when_it_comes_back() {
    let known = Known::new();
    known.ask(0, Ok(both(7)));
    let nothing = Told::Known { inventory: None, answers: true };
    let opera = (known.service.0.clone(), "opera".to_owned());
    known.inventories.forget(&opera);
    assert_eq!(known.told("opera"), nothing);
    let now = known.start + SECOND * 10;
    known.inventories.begin(&known.service, now, time(10)).unwrap();
    known.inventories.forget(&opera);
    known.inventories.note_answer(&known.service, Ok(both(7)), &events(&["opera"]), now);
    assert_eq!(known.told("opera"), nothing, "that was told before it went");
    assert_ne!(known.told("arena-night"), nothing);
}

#[test]
fn a_service_that_comes_back_is_asked_anew() {
    let known = Known::new();
    let note = |presence| known.inventories.note_presence(&known.service, presence);
    note(Presence::Here);
    known.ask(0, Ok(both(7)));
    assert!(note(Presence::Leaving));
    assert_ne!(known.told("opera"), Told::Nothing, "it may still close it");
    assert!(note(Presence::Here));
    assert_eq!(known.told("opera"), Told::Nothing);
    assert_eq!(known.inventories.begin(&known.service, known.start, time(1)), Some(String::new()));
    assert!(note(Presence::Absent) && note(Presence::Here));
    known.inventories.note_answer(&known.service, Ok(both(7)), &events(&["opera"]), known.start);
    assert_eq!(known.told("opera"), Told::Nothing, "it was told by the one of before");
}

#[tokio::test]
async fn who_wants_a_service_asked_before_its_time_is_heard() {
    let known = Known::new();
    known.ask(0, Ok(both(7)));
    assert_eq!(known.inventories.begin(&known.service, known.start + SECOND, time(1)), None);
    known.inventories.ask_soon(&known.service);
    known.inventories.nudged().await;
    assert_eq!(known.inventories.begin(&known.service, known.start + SECOND, time(1)).as_deref(), Some("c"));
    known.inventories.give_up(&known.service, known.start + SECOND);
    assert_eq!(known.ask(2, Ok(both(7))), None, "later");
    known.inventories.keep_only::<u8>(&BTreeMap::new());
    assert_eq!(known.told("opera"), Told::Nothing, "nobody has a show there");
}
