//! Sentences about SeatingEvents that are over. A store that is its own log keeps them, and is told once that what they came
//! to is in the archive.

use boxoffice_command::store::{
    AFTERWARDS, Inventory, Listing, Outbox, Provisioning, SeatStore, StoreError, over_at,
};
use boxoffice_domain::{Command, Definition, HoldId};
use uuid::Uuid;

use super::publish;
use super::stage::{Fixture, START, Stage, TTL, cause, definition, must, named, valid};

/// Where its snapshot is.
const SNAPSHOT: u64 = 40;

/// After the last sale and the last cancellation, when everything is published and no hold is remembered.
pub async fn what_is_over_is_found_when_nothing_is_left_to_do(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let cancel_until = definition().starts_at + 1_000;
    must(stage.redefine(|it| it.sales.cancel_until = Some(cancel_until)).await);
    must(stage.hold("alice", &["A-1-1"]).await);
    must(stage.reserve_seat("alice", "A-1-1").await);
    stage.advance(cancel_until + AFTERWARDS - START - 1).await;
    publish(&stage).await;
    assert!(!is_over(&stage).await, "a late payment may still come");
    stage.advance(1).await;
    assert!(is_over(&stage).await);
    must(stage.block(&["A-1-2"], "rain").await);
    assert!(!is_over(&stage).await, "that has to be published first");
    publish(&stage).await;
    assert!(is_over(&stage).await);
    must(stage.staff_hold("bob", &["A-1-3"]).await);
    publish(&stage).await;
    assert!(!is_over(&stage).await, "a hold is live");
    stage.advance(TTL).await;
    assert!(!is_over(&stage).await, "it has just ended");
    publish(&stage).await;
    assert!(!is_over(&stage).await, "its holder may ask what became of it");
    stage.advance(3_600_000).await;
    assert!(!is_over(&stage).await, "it has just been forgotten");
    assert!(is_over(&stage).await && is_over(&stage).await, "until it is archived");
    must(stage.redefine(|it| it.starts_at = stage.now()).await);
    publish(&stage).await;
    assert!(!is_over(&stage).await, "it is as the definition says that stands");
}

/// Nobody who looks after SeatingEvents meets it any more.
pub async fn one_that_is_archived_is_listed_as_before_and_sells_nothing(on: &impl Fixture) {
    let other = Stage::open(on).await;
    let Some((stage, before)) = archived(on).await else { return };
    for restarts in [false, true] {
        if restarts {
            on.restart().await;
        }
        let store = on.store();
        let found = must(must(store.inventory(&stage.event).await).ok_or("it is gone"));
        let as_before = Inventory { definition: before.definition.clone(), ..found };
        assert_eq!(&as_before, &before);
        let Listing { inventories, unreadable, is_partial } = must(store.inventories().await);
        assert!(!is_partial && unreadable.is_empty());
        let counted = |event| inventories.iter().filter(|it| &it.event == event).count();
        assert_eq!((counted(&stage.event), counted(&other.event)), (1, 1));
        let listed = inventories.into_iter().find(|it| it.event == stage.event);
        assert_eq!(listed.map(|it| (it.seats, it.sequence, it.at)), Some((before.seats, 4, stage.now())));
        let pinned = must(store.pinned().await);
        assert!(pinned.iter().all(|(event, _)| event != &stage.event), "{pinned:?}");
        assert!(pinned.iter().any(|(event, _)| event == &other.event), "{pinned:?}");
        assert_eq!(must(store.archived().await), 1);
        assert_eq!(must(store.pinned_partition(&stage.event).await), Some(3), "who is called finds its lane");
        for command in [
            Command::Hold { wanted: named(&["A-1-2"]), user: valid("bob"), hold: Uuid::new_v4() },
            Command::ReleaseSeat { seat: "A-1-1".into(), user: valid("alice") },
            Command::Block { seats: vec!["A-1-2".into()], reason: "rain".into() },
            Command::Close,
            Command::Purge,
        ] {
            let refused = store.execute(&stage.event, &command, &cause("alice")).await;
            assert!(matches!(refused, Err(StoreError::Recovering)), "{command:?}: {refused:?}");
        }
        let hold = HoldId::new(stage.event.clone(), Uuid::new_v4());
        assert!(matches!(store.hold(&hold, &valid("alice")).await, Err(StoreError::Recovering)));
        assert!(matches!(store.watermark(&stage.event).await, Err(StoreError::Recovering)));
        assert!(!must(store.archive(&stage.event, 4, SNAPSHOT + 1).await), "once is enough");
    }
    // Its owner, who was called, has it among the others before it is recovered.
    assert!(matches!(on.store().unpublished(&stage.event, 1).await, Err(StoreError::Recovering)));
    assert!(must(on.store().pinned().await).contains(&(stage.event.clone(), 3)));
    assert!(!is_over(&stage).await, "it is archived already");
    assert!(
        must(on.store().pinned().await).contains(&(stage.event.clone(), 3)),
        "it is about to be recovered"
    );
    // Where that process died meanwhile it goes out of the way again.
    on.restart().await;
    assert!(!is_over(&stage).await);
    assert!(!must(on.store().pinned().await).contains(&(stage.event.clone(), 3)));
}

/// However often the operator asks.
pub async fn an_equal_definition_leaves_one_that_is_archived_as_it_is(on: &impl Fixture) {
    let Some((stage, before)) = archived(on).await else { return };
    let provision = async |definition: &Definition| {
        on.store().provision(&stage.event, definition, 7, &cause("operator")).await
    };
    for _ in 0..2 {
        let Provisioning { inventory, refused } = must(must(provision(&definition()).await));
        assert_eq!((inventory.sequence, inventory.partition, inventory.seats), (4, 3, before.seats));
        assert_eq!((refused, inventory.definition), (vec![], None), "it is still archived");
    }
    let mut another = definition();
    another.sections[1].capacity = Some(3);
    assert!(matches!(provision(&another).await, Err(StoreError::Recovering)));
    must(must(provision(&definition()).await));
}

/// What is not in the snapshot would be lost, and what time does to it would not be done.
pub async fn nothing_is_archived_that_moved_on(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.hold("alice", &["A-1-1"]).await);
    must(stage.reserve_seat("alice", "A-1-1").await);
    publish(&stage).await;
    let archive = async |sequence| must(on.store().archive(&stage.event, sequence, SNAPSHOT).await);
    stage.advance(over_at(&definition()) - START - 1).await;
    assert!(!archive(4).await, "it is not over yet");
    stage.advance(1).await;
    assert!(!archive(3).await && !archive(5).await, "it is another sequence");
    must(stage.block(&["A-1-2"], "rain").await);
    assert!(!archive(4).await && !archive(5).await, "something waits");
    publish(&stage).await;
    assert!(!archive(4).await, "it has moved on");
    let hold = must(stage.staff_hold("bob", &["A-1-3"]).await).hold;
    publish(&stage).await;
    assert!(!archive(6).await, "a hold is live");
    must(stage.staff(Command::StaffRelease { hold, note: None }).await);
    publish(&stage).await;
    assert!(!must(on.store().archive(&valid("nobody-knows-it"), 0, SNAPSHOT).await));
    assert!(archive(7).await);
    assert!(!archive(7).await && !is_over(&stage).await, "once is enough");
    if !on.archives() {
        must(stage.reserve_seat("alice", "A-1-1").await);
        must(stage.block(&["A-1-4"], "rain").await);
        publish(&stage).await;
        assert!(!archive(7).await && is_over(&stage).await, "it is another one now");
        assert!(archive(8).await && !is_over(&stage).await);
        on.restart().await;
        assert!(is_over(&stage).await, "what another process was told, the archive knows");
    }
}

/// A SeatingEvent with a reservation that is over and archived, and what its inventory was before; `None` where the store
/// keeps all of it.
async fn archived<F: Fixture>(on: &F) -> Option<(Stage<'_, F>, Inventory)> {
    let stage = Stage::open(on).await;
    must(stage.hold("alice", &["A-1-1"]).await);
    must(stage.reserve_seat("alice", "A-1-1").await);
    publish(&stage).await;
    stage.advance(over_at(&definition()) - START).await;
    assert!(is_over(&stage).await);
    let before = must(must(on.store().inventory(&stage.event).await).ok_or("no inventory"));
    assert!(must(on.store().archive(&stage.event, 4, SNAPSHOT).await));
    on.archives().then_some((stage, before))
}

/// Whether a sweep finds it over.
async fn is_over<F: Fixture>(stage: &Stage<'_, F>) -> bool {
    let swept = stage.store().sweep(std::slice::from_ref(&stage.event)).await;
    swept.over.contains(&stage.event)
}
