//! Sentences about definitions that change: what takes effect, what is refused, and when that is tried again.

use boxoffice_command::store::SeatStore;
use boxoffice_domain::definition::Blocked;
use boxoffice_domain::plan::Plan;
use boxoffice_domain::{Command, Definition, Rejection};

use super::conflicts;
use super::expire_due;
use super::stage::{Fixture, Stage, TTL, definition, must, valid};

/// The floor is gone, the pause is on, gold costs more.
fn without_the_floor(it: &mut Definition) {
    it.sections.pop();
    it.sales.paused = true;
    it.price_categories[0].amount = 15_000;
}

/// The seat map is one part, the rest another one.
pub async fn what_is_not_in_the_way_takes_effect_at_once(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let hold = must(stage.hold("alice", &["A-1-1", "FLOOR-1"]).await).hold;
    let provisioned = must(stage.redefine(without_the_floor).await);
    assert_eq!(provisioned.refused, conflicts([("FLOOR-1", "HELD")]));
    let stands = must(provisioned.inventory.definition.ok_or("no definition"));
    assert_eq!((stands.sections, stands.sales.paused), (definition().sections, true));
    assert_eq!(stands.price_categories[0].amount, 15_000);
    assert_eq!(stage.hold("bob", &["A-1-2"]).await, Err(Rejection::SalesPaused));
    let again = must(stage.redefine(without_the_floor).await);
    assert_eq!(again.refused, conflicts([("FLOOR-1", "HELD")]));
    assert_eq!(stage.story(3).await, ["event.updated"], "repeated it appends nothing");
    let (_, seats, _) = must(stage.reserve_hold("alice", hold).await);
    assert_eq!(seats, ["A-1-1 12000", "FLOOR-1 6000"], "a claim keeps its price");
}

/// And nothing happens.
pub async fn a_plan_says_what_a_definition_would_do(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let mut wanted = definition();
    let nothing = must(on.store().plan(&stage.event, &wanted).await);
    assert_eq!(nothing, Ok(Plan::default()));
    must(stage.hold("alice", &["FLOOR-1"]).await);
    without_the_floor(&mut wanted);
    wanted.blocked.clear();
    let planned = must(must(on.store().plan(&stage.event, &wanted).await));
    assert_eq!((planned.added.len(), planned.removed), (0, vec!["FLOOR-1".to_owned(), "FLOOR-2".to_owned()]));
    assert_eq!((planned.blocked.len(), planned.unblocked), (0, vec!["A-2-2".to_owned()]));
    assert_eq!(planned.refused, conflicts([("FLOOR-1", "HELD")]));
    assert_eq!(stage.story(2).await, Vec::<String>::new());
    must(stage.redefine(|_| ()).await);
    assert_eq!(stage.story(2).await, Vec::<String>::new(), "it is not wanted by that");
    wanted.price_categories.iter_mut().for_each(|price| price.currency = "CHF".into());
    let refused = must(on.store().plan(&stage.event, &wanted).await);
    assert!(matches!(refused, Err(Rejection::CurrencyChanged { .. })), "{refused:?}");
    let nobody = must(on.store().plan(&valid("nobody-knows-it"), &wanted).await);
    assert_eq!(nobody, Err(Rejection::EventNotFound));
}

/// By whatever it comes back: given back, cancelled, taken back or expired.
pub async fn a_refused_seat_map_is_tried_again_when_a_seat_comes_back(on: &impl Fixture) {
    for way in 0..4 {
        let stage = Stage::open(on).await;
        let hold = must(stage.hold("alice", &["A-1-1", "FLOOR-1"]).await).hold;
        if way == 1 {
            must(stage.reserve_hold("alice", hold).await);
        }
        let refused = must(stage.redefine(without_the_floor).await).refused;
        assert_eq!(refused.len(), 1, "{refused:?}");
        must(stage.block(&["A-1-3"], "rain").await);
        let before = stage.waiting().await.len();
        match way {
            0 | 1 => drop(must(stage.release_seat("alice", "FLOOR-1").await)),
            2 => drop(must(stage.staff(Command::StaffRelease { hold, note: None }).await)),
            _ => {
                stage.advance(TTL).await;
                must(expire_due(&*on.store()).await);
            }
        }
        let story = stage.story(before).await;
        assert_eq!(story.last().map(String::as_str), Some("event.updated"), "{story:?}");
        let last = must(stage.waiting().await.pop().ok_or("nothing waits"));
        assert_eq!(last.metadata.user_id, None, "nobody asked for it");
        assert_eq!(last.metadata.correlation_id, last.metadata.causation_id.into(), "a chain of its own");
        let inventory = must(must(on.store().inventory(&stage.event).await).ok_or("no inventory"));
        assert_eq!(inventory.definition.map(|definition| definition.sections.len()), Some(1));
        assert_eq!(inventory.seats.total, 6);
    }
}

/// Of two that were in the way one is left.
pub async fn what_is_still_in_the_way_is_waited_for(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.hold("alice", &["FLOOR-1"]).await);
    must(stage.hold("bob", &["FLOOR-2"]).await);
    must(stage.redefine(without_the_floor).await);
    must(stage.release_seat("alice", "FLOOR-1").await);
    assert_eq!(stage.story(4).await, ["seat.released FLOOR-1 User"]);
    must(stage.release_seat("bob", "FLOOR-2").await);
    assert_eq!(stage.story(5).await, ["seat.released FLOOR-2 User", "event.updated"]);
}

/// The last word counts: another definition, or the end of the sales.
pub async fn what_is_wanted_is_what_was_said_last(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let hold = must(stage.hold("alice", &["FLOOR-1"]).await).hold;
    must(stage.redefine(|it| drop(it.sections.pop())).await);
    assert_eq!(must(stage.provision(&definition()).await).refused, []);
    must(stage.release_hold("alice", hold).await);
    assert_eq!(stage.story(2).await, ["seat.released FLOOR-1 User"]);
    let hold = must(stage.hold("alice", &["FLOOR-1"]).await).hold;
    must(stage.redefine(|it| drop(it.sections.pop())).await);
    must(stage.run("operator", Command::Close).await);
    must(stage.release_hold("alice", hold).await);
    let story = ["seat.held FLOOR-1", "event.deleted", "seat.released FLOOR-1 User"];
    assert_eq!(stage.story(3).await, story, "a closed sale is not opened by it");
}

/// What was blocked by hand stays so, what was put on sale by hand too: the definition tells its own difference.
pub async fn a_change_is_judged_by_what_it_changes(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.unblock(&["A-2-2"]).await);
    must(stage.hold("alice", &["A-2-2"]).await);
    must(stage.block(&["A-1-1"], "rain").await);
    let retitled = must(stage.redefine(|it| it.title = "Arena Day".into()).await);
    assert_eq!(retitled.refused, [], "the block of A-2-2 is no new one");
    assert_eq!(stage.counts().await, [6, 1, 0, 1]);
    let block = |seats: &[&str]| Blocked {
        seats: seats.iter().map(ToString::to_string).collect(),
        reason: "stage".into(),
    };
    let refused = must(stage.redefine(|it| it.blocked.push(block(&["A-1-4"]))).await).refused;
    assert_eq!(refused, []);
    must(stage.hold("bob", &["A-1-3"]).await);
    let refused = must(stage.redefine(|it| it.blocked.push(block(&["A-1-2", "A-1-3"]))).await).refused;
    assert_eq!(refused, conflicts([("A-1-3", "HELD")]));
    assert_eq!(stage.counts().await, [4, 2, 0, 2]);
}

/// For ever.
pub async fn the_currency_never_changes(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let refused = stage.redefine(|it| {
        it.title = "Arena Day".into();
        it.price_categories.iter_mut().for_each(|price| price.currency = "CHF".into());
    });
    let expected = Rejection::CurrencyChanged { before: "EUR".into(), after: "CHF".into() };
    assert_eq!(refused.await, Err(expected));
    let refused = stage.redefine(|it| it.sections[0].price_category = "tin".into()).await;
    assert!(matches!(refused, Err(Rejection::InvalidDefinition(_))), "{refused:?}");
    assert_eq!(stage.story(0).await, ["event.created"]);
}
