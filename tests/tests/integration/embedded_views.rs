//! The view store in memory: the port's suite for each handler, and what each handler keeps.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

use std::collections::BTreeSet;

use async_trait::async_trait;
use boxoffice_consumer::handlers::Followers;
use boxoffice_domain::definition::Blocked;
use boxoffice_domain::events::{ReservedSeats, SeatBlock, SectionStats, StatsUpdated};
use boxoffice_domain::project::SeatStatus;
use boxoffice_domain::{DomainEvent, Envelope, PaymentState, PaymentView, SeatId, UserId};
use boxoffice_local::embedded::views::maps::Maps;
use boxoffice_local::embedded::views::{MemoryHandler, MemoryView, Persistence, SeatView, Stats};
use boxoffice_query::view::Snapshots;
use boxoffice_runtime::log::TopicPartition;
use boxoffice_runtime::record::Record;
use boxoffice_runtime::view::{Applied, Batch, Beginning, ViewStore};
use boxoffice_tests::conformance::view_store::Fixture;
use boxoffice_tests::history::{History, NOW, PRICE, record};
use futures::FutureExt;

const TOPIC: &str = "seat-events";

/// A handler that the suite can ask what it shows.
trait Shown: MemoryHandler + Sized {
    fn handler() -> Self;
    /// Ids of the claimed seats.
    fn claimed(&self) -> BTreeSet<String>;
    fn claim(history: &History, number: u32) -> DomainEvent {
        history.held(number)
    }
    fn free(history: &History, number: u32) -> DomainEvent {
        history.released(number)
    }
}

fn claimed(maps: &Maps) -> BTreeSet<String> {
    let seats =
        maps.iter().flat_map(|map| map.chart().seats().zip(map.statuses()).map(|seat| (&map.id, seat)));
    let claimed = seats.filter(|(_, (_, seat))| matches!(seat, SeatStatus::Held | SeatStatus::Reserved));
    claimed.map(|(event, (seat, _))| SeatId::from_chart(event, &seat.key()).to_string()).collect()
}

impl Shown for SeatView {
    fn handler() -> Self {
        Self::new(TOPIC.into())
    }

    fn claimed(&self) -> BTreeSet<String> {
        claimed(self.maps())
    }
}

impl Shown for Stats {
    fn handler() -> Self {
        Self::default()
    }

    fn claimed(&self) -> BTreeSet<String> {
        self.claimed().map(ToString::to_string).collect()
    }
}

impl Shown for Persistence {
    fn handler() -> Self {
        Self::default()
    }

    fn claimed(&self) -> BTreeSet<String> {
        self.owners().map(|(seat, _)| seat.to_string()).collect()
    }

    fn claim(history: &History, number: u32) -> DomainEvent {
        DomainEvent::ReservationCreated(history.reservation(number))
    }

    fn free(history: &History, number: u32) -> DomainEvent {
        DomainEvent::ReservationCancelled(history.reservation(number))
    }
}

struct Memory<H>(MemoryView<H>);

impl<H: MemoryHandler> Memory<H> {
    fn of(handler: H) -> Self {
        Self(MemoryView::new(handler))
    }

    /// A view of `handler` in which a SeatingEvent with `seats` seats was created.
    async fn created(handler: H, seats: u32) -> (Self, History) {
        let (view, mut history) = (Self::of(handler), History::new("arena-night"));
        let created = history.created(seats);
        view.apply(&[history.next(created)]).await;
        (view, history)
    }

    /// Applies `events` as the next batch of their partition.
    async fn apply(&self, events: &[Envelope]) -> Applied {
        self.apply_to(TOPIC, events).await
    }

    async fn apply_to(&self, topic: &str, events: &[Envelope]) -> Applied {
        let expected = self.begun(topic).await;
        let records = events.iter().zip(expected..);
        let records = records.map(|(event, offset)| record(event, 0, offset)).collect();
        self.0
            .apply(&Batch { topic: topic.into(), partition: 0, log: None, expected, records })
            .await
            .unwrap()
    }

    async fn batch(&self, records: Vec<Record>) -> Applied {
        let expected = self.begun(TOPIC).await;
        self.0
            .apply(&Batch { topic: TOPIC.into(), partition: 0, log: None, expected, records })
            .await
            .unwrap()
    }

    /// How far it is in a partition, in which it has begun then.
    async fn begun(&self, topic: &str) -> u64 {
        let partition = TopicPartition { topic: topic.into(), partition: 0 };
        let beginning = Beginning { partition: partition.clone(), offset: 0, earliest: true, log: None };
        self.0.begin(&[beginning]).await.unwrap()[&partition].next_offset
    }

    fn read<T>(&self, look: impl FnOnce(&H) -> T) -> T {
        self.0.read(|handler, _| look(handler))
    }
}

#[async_trait]
impl<H: Shown> Fixture for Memory<H> {
    const FOLLOWERS: Followers = H::FOLLOWERS;

    async fn fresh() -> Self {
        Self(MemoryView::new(H::handler()))
    }

    fn store(&self) -> &dyn ViewStore {
        &self.0
    }

    fn claim(history: &History, number: u32) -> DomainEvent {
        H::claim(history, number)
    }

    fn free(history: &History, number: u32) -> DomainEvent {
        H::free(history, number)
    }

    async fn claimed(&self) -> BTreeSet<String> {
        self.read(Shown::claimed)
    }

    async fn parked(&self) -> Vec<u64> {
        self.0.read(|_, ledger| ledger.parked().iter().map(|parked| parked.record.offset).collect())
    }
}

mod seat_view_suite {
    use super::{Memory, SeatView};
    boxoffice_tests::view_store_conformance!(Memory<SeatView>);
}

mod persistence_suite {
    use super::{Memory, Persistence};
    boxoffice_tests::view_store_conformance!(Memory<Persistence>);
}

mod stats_suite {
    use super::{Memory, Stats};
    boxoffice_tests::view_store_conformance!(Memory<Stats>);
}

#[tokio::test]
async fn the_seat_view_shows_a_sale_with_its_reservation() {
    let (view, mut history) = Memory::created(SeatView::new(TOPIC.into()), 3).await;
    view.apply(&history.sold(2)).await;
    view.read(|view| {
        assert_eq!(claimed(view.maps()), ["arena-night.A-1-2".to_owned()].into());
        let of_alice: Vec<_> = view.reservations().of("alice").collect();
        assert_eq!((of_alice.len(), view.reservations().of("bob").count()), (1, 0));
        assert_eq!((of_alice[0].seats.as_slice(), of_alice[0].amount), ([history.seat(2)].as_slice(), PRICE));
        assert_eq!((of_alice[0].created_at, of_alice[0].cancelled_at), (NOW + 4, None));
    });
}

#[tokio::test]
async fn a_partial_cancellation_shrinks_a_reservation_and_the_last_one_ends_it() {
    let (view, mut history) = Memory::created(SeatView::new(TOPIC.into()), 3).await;
    let both = ReservedSeats {
        seat_ids: vec![history.seat(1), history.seat(2)],
        amount: 2 * PRICE,
        ..history.reservation(1)
    };
    let second = ReservedSeats { seat_ids: vec![history.seat(2)], ..history.reservation(1) };
    let first = history.reservation(1);
    let left = || {
        view.read(|view| {
            let reservation = view.reservations().of("alice").next().unwrap().clone();
            (reservation.seats, reservation.amount, reservation.cancelled_at.is_some())
        })
    };
    let events = [DomainEvent::ReservationCreated(both), DomainEvent::ReservationCancelled(first)];
    view.apply(&events.map(|event| history.next(event))).await;
    assert_eq!(left(), (vec![history.seat(2)], PRICE, false));
    view.apply(&[history.next(DomainEvent::ReservationCancelled(second))]).await;
    assert_eq!(left(), (vec![], 0, true));
}

#[tokio::test]
async fn a_changed_definition_keeps_claims_and_blocks_what_it_says() {
    let (view, mut history) = (Memory::of(SeatView::new(TOPIC.into())), History::new("arena-night"));
    let blocked = |seats: &[&str]| {
        let seats = seats.iter().map(ToString::to_string).collect();
        vec![Blocked { seats, reason: "camera".into() }]
    };
    let [mut before, mut after] = [history.defined(4), history.defined(5)];
    before.blocks = Some(blocked(&["A-1-1", "A-1-2"]));
    (after.blocks, after.unblocks) = (Some(blocked(&["A-1-3", "A-1-4"])), Some(vec!["A-1-1".into()]));
    // The list alone says nothing: what was put on sale by hand stays so.
    after.definition.blocked = blocked(&["A-1-2", "A-1-3", "A-1-4", "A-1-5"]);
    let events = [DomainEvent::EventCreated(before), history.held(4), DomainEvent::EventUpdated(after)];
    view.apply(&events.map(|event| history.next(event))).await;
    let statuses: Vec<_> = view.read(|view| {
        view.maps().get("arena-night").unwrap().statuses().iter().map(|status| status.as_str()).collect()
    });
    assert_eq!(statuses, ["AVAILABLE", "BLOCKED", "BLOCKED", "HELD", "AVAILABLE"]);
}

#[tokio::test]
async fn a_definition_that_does_not_expand_is_parked_and_changes_nothing() {
    let (view, mut history) = Memory::created(SeatView::new(TOPIC.into()), 3).await;
    let mut broken = history.defined(3);
    broken.definition.sections.clear();
    let events = [history.held(1), DomainEvent::EventUpdated(broken), history.held(2)];
    let applied = view.apply(&events.map(|event| history.next(event))).await;
    assert_eq!((applied.applied, applied.parked), (2, 1));
    assert_eq!(view.read(|view| claimed(view.maps()).len()), 2);
}

#[tokio::test]
async fn what_was_claimed_before_a_definition_could_be_read_is_shown_with_it() {
    let (view, mut history) = (Memory::of(SeatView::new(TOPIC.into())), History::new("arena-night"));
    let [mut unreadable, mut defined] = [history.defined(4), history.defined(4)];
    unreadable.definition.sections.clear();
    let blocked = vec![Blocked { seats: vec!["A-1-1".into(), "A-1-3".into()], reason: "camera".into() }];
    defined.blocks = Some(blocked);
    let events =
        [DomainEvent::EventCreated(unreadable), history.held(1), history.held(2), history.released(2)];
    let applied = view.apply(&events.map(|event| history.next(event))).await;
    assert_eq!((applied.applied, applied.parked), (3, 1));
    assert_eq!(view.0.load().await.unwrap().gone, [(history.event.clone(), 4)].into());
    view.apply(&[history.next(DomainEvent::EventUpdated(defined))]).await;
    let snapshot = view.0.load().await.unwrap();
    let statuses: Vec<_> = snapshot.maps[0].statuses().iter().map(|status| status.as_str()).collect();
    assert_eq!(statuses, ["HELD", "AVAILABLE", "BLOCKED", "AVAILABLE"]);
    assert!(snapshot.gone.is_empty());
}

#[tokio::test]
async fn a_snapshot_is_of_one_moment_with_its_offsets() {
    let (view, mut history) = Memory::created(SeatView::new(TOPIC.into()), 3).await;
    let held = history.next(history.held(1));
    let skipped = history.next(history.held(2));
    let mut records = vec![record(&held, 0, 2), record(&skipped, 0, 3)];
    let Record { partition, offset, .. } = records[1];
    let body = String::from_utf8_lossy(&records[1].value).replace("seat.held", "seat.painted");
    records[1] =
        Record::new(partition, offset, records[1].key.clone(), body.into(), records[1].headers.clone());
    view.batch(records).await;
    let snapshot = view.0.load().await.unwrap();
    assert_eq!(snapshot.next_offsets, [(0, 4)].into());
    let [map] = snapshot.maps.as_slice() else { unreachable!("one SeatingEvent was created") };
    assert_eq!((map.sequence, map.counts().held), (3, 1));
}

#[tokio::test]
async fn a_snapshot_tells_how_far_a_purged_seating_event_had_come() {
    let (view, mut history) = Memory::created(SeatView::new(TOPIC.into()), 3).await;
    view.apply(&history.sold(1)).await;
    view.apply(&[history.next(history.purged())]).await;
    let snapshot = view.0.load().await.unwrap();
    assert!(snapshot.maps.is_empty());
    assert_eq!(snapshot.gone, [(history.event.clone(), 5)].into());
    view.apply(&[history.next(history.created(2))]).await;
    let snapshot = view.0.load().await.unwrap();
    assert_eq!((snapshot.maps[0].sequence, snapshot.gone.len()), (6, 0));
    let of_alice = view.read(|view| view.reservations().of("alice").count());
    assert_eq!(of_alice, 1, "reservations stay on record");
}

/// What a map says of each seat: what it is, whether Alice has it, until when.
fn seats(view: &Memory<SeatView>) -> Vec<(SeatStatus, bool, Option<u64>)> {
    let alice: UserId = "alice".parse().unwrap();
    view.read(|view| {
        let map = view.maps().get("arena-night").unwrap();
        let seat = |(place, status): (usize, &SeatStatus)| {
            (*status, map.is_owner(&alice, place), map.deadline(place))
        };
        map.statuses().iter().enumerate().map(seat).collect()
    })
}

#[tokio::test]
async fn a_show_that_is_put_off_after_it_left_is_as_if_it_had_stayed() {
    let mut history = History::new("arena-night");
    let seats_of = |numbers: &[u32]| numbers.iter().map(|number| format!("A-1-{number}")).collect::<Vec<_>>();
    let camera = |numbers: &[u32]| Some(vec![Blocked { seats: seats_of(numbers), reason: "camera".into() }]);
    let mut created = history.defined(9);
    created.definition.starts_at = NOW;
    created.blocks = camera(&[8, 9]);
    let over_at = created.definition.over_at();
    let created = DomainEvent::EventCreated(created);
    let mut before = vec![history.next(created.clone())];
    // What was sold before a purge is nobody's any more.
    before.extend(history.sold(1));
    before.extend([history.purged(), created].map(|event| history.next(event)));
    before.extend(history.sold(2));
    before.extend(history.sold(3));
    let cancelled = DomainEvent::ReservationCancelled(history.reservation(3));
    let others = [history.released(3), cancelled, history.held(4)];
    before.extend(others.map(|event| history.next(event)));
    // Staff may still do all of that.
    let by_hand = |seat_id| SeatBlock {
        seat_id,
        event_id: "arena-night".parse().unwrap(),
        section_id: "A".into(),
        reason: "rain".into(),
    };
    let rain = DomainEvent::SeatBlocked(by_hand(history.seat(6)));
    let sun = DomainEvent::SeatUnblocked(by_hand(history.seat(9)));
    let others = [history.held(5), history.released(4), rain, sun];
    let mut meanwhile = others.map(|event| history.next(event)).to_vec();
    meanwhile.extend(history.sold(7));
    let mut put_off = history.defined(9);
    (put_off.blocks, put_off.unblocks) = (camera(&[4, 5]), Some(seats_of(&[8])));
    let put_off = [history.next(DomainEvent::EventUpdated(put_off))];

    let (left, stayed) = (Memory::of(SeatView::handler()), Memory::of(SeatView::handler()));
    for view in [&left, &stayed] {
        view.apply(&before).await;
    }
    left.0.leave(over_at - 1);
    assert_eq!(seats(&left), seats(&stayed));
    left.0.leave(over_at);
    let snapshot = left.0.load().await.unwrap();
    assert_eq!((snapshot.maps.len(), snapshot.gone), (0, [(history.event.clone(), 15)].into()));
    assert_eq!(left.read(|view| view.reservations().of("alice").count()), 3, "they stay");
    for view in [&left, &stayed] {
        view.apply(&meanwhile).await;
    }
    assert!(left.0.load_one(&history.event).await.unwrap().is_none());
    for view in [&left, &stayed] {
        view.apply(&put_off).await;
    }
    assert_eq!(seats(&left), seats(&stayed));
    let map = left.0.load_one(&history.event).await.unwrap().unwrap();
    assert_eq!((map.counts().reserved, map.counts().held, map.counts().blocked), (2, 1, 2));
    left.0.leave(over_at);
    assert!(left.0.load_one(&history.event).await.unwrap().is_some(), "it is not over any more");
}

#[tokio::test]
async fn persistence_keeps_every_reservation_and_frees_its_seats_on_cancellation() {
    let (view, mut history) = Memory::created(Persistence::default(), 3).await;
    view.apply(&history.sold(1)).await;
    let first = history.reservation(1);
    let again = ReservedSeats { seat_ids: vec![history.seat(1)], ..history.reservation(2) };
    let events =
        [DomainEvent::ReservationCancelled(first.clone()), DomainEvent::ReservationCreated(again.clone())];
    let applied = view.apply(&events.map(|event| history.next(event))).await;
    assert_eq!(applied.applied, 2, "sold again within one batch");
    view.read(|view| {
        let cancelled = view.reservation(&first.reservation_id).unwrap();
        assert_eq!((cancelled.amount, cancelled.cancelled_at), (0, Some(NOW + 5)));
        assert_eq!(cancelled.seats, [(history.seat(1), Some(NOW + 5))].into());
        let confirmed = view.reservation(&again.reservation_id).unwrap();
        assert_eq!((confirmed.amount, confirmed.cancelled_at), (PRICE, None));
        assert_eq!(confirmed.correlation_id, history.correlation);
    });
}

#[tokio::test]
async fn persistence_keeps_the_reservations_of_a_purged_seating_event_and_lets_its_seats_be_sold_again() {
    let (view, mut history) = Memory::created(Persistence::default(), 3).await;
    view.apply(&history.sold(1)).await;
    let again = ReservedSeats { seat_ids: vec![history.seat(1)], ..history.reservation(2) };
    let events = [history.purged(), history.created(3), DomainEvent::ReservationCreated(again.clone())];
    let applied = view.apply(&events.map(|event| history.next(event))).await;
    assert_eq!((applied.applied, applied.parked), (3, 0));
    view.read(|view| {
        let before = view.reservation(&history.reservation(1).reservation_id).unwrap();
        assert_eq!((before.amount, before.cancelled_at), (PRICE, None));
        assert_eq!(before.seats, [(history.seat(1), Some(NOW + 5))].into());
        assert_eq!(view.owners().collect::<Vec<_>>(), [(&history.seat(1), &again.reservation_id)]);
    });
}

#[tokio::test]
async fn i1_a_second_owner_of_a_seat_is_parked_and_the_rest_of_the_batch_goes_on() {
    let (view, mut history) = Memory::created(Persistence::default(), 3).await;
    let second = ReservedSeats { seat_ids: vec![history.seat(1)], ..history.reservation(2) };
    let events = [
        DomainEvent::ReservationCreated(history.reservation(1)),
        DomainEvent::ReservationCreated(second.clone()),
        DomainEvent::ReservationCancelled(second),
        DomainEvent::ReservationCreated(history.reservation(3)),
    ];
    let applied = view.apply(&events.map(|event| history.next(event))).await;
    assert_eq!((applied.applied, applied.parked), (2, 2));
    view.0.read(|_, ledger| {
        let offsets: Vec<_> = ledger.parked().iter().map(|parked| parked.record.offset).collect();
        assert_eq!(offsets, [2, 3]);
        let reason = ledger.parked()[0].reason.as_str();
        assert!(reason.contains("i1_one_reservation_a_seat"), "{reason}");
        assert_eq!(ledger.sequence("arena-night"), Some(5));
    });
}

/// What waits to be announced, and the envelopes of it.
fn announced(view: &Memory<Stats>) -> Vec<(StatsUpdated, Envelope)> {
    let outbox = view.read(|stats| stats.outbox().clone());
    let waiting = outbox.take().now_or_never().unwrap_or_default();
    let stats = waiting.into_iter().map(|envelope| match &envelope.event {
        DomainEvent::StatsUpdated(stats) => (stats.clone(), envelope),
        other => unreachable!("{} is not announced", other.event_type()),
    });
    stats.collect()
}

fn section(available: u64, held: u64, reserved: u64, released: u64) -> SectionStats {
    SectionStats { section_id: "A".into(), available, held, reserved, released, revenue: reserved * PRICE }
}

#[tokio::test]
async fn stats_counts_a_sale_and_announces_it_once_a_batch() {
    let (view, mut history) = Memory::created(Stats::default(), 10).await;
    assert_eq!(announced(&view)[0].0.sections, [section(10, 0, 0, 0)]);
    let mut batch = history.sold(1).to_vec();
    for event in [history.held(2), history.held(3), history.released(3)] {
        batch.push(history.next(event));
    }
    view.apply(&batch).await;
    let [(stats, envelope)] = announced(&view).try_into().unwrap();
    assert_eq!((stats.sections, stats.as_of_sequence), (vec![section(8, 1, 1, 1)], 7));
    assert_eq!(envelope.metadata.causation_id, batch[5].event_id);
    assert_eq!(envelope.metadata.correlation_id, history.correlation);
    assert_eq!(envelope.metadata.sequence, None);
    let reservation = history.next(DomainEvent::ReservationCreated(history.reservation(2)));
    view.apply(&[reservation]).await;
    assert_eq!(announced(&view), [], "nothing was counted");
}

#[tokio::test]
async fn stats_counts_again_by_a_changed_definition_and_releases_go_on() {
    let (view, mut history) = Memory::created(Stats::default(), 4).await;
    let mut batch = history.sold(1).to_vec();
    let updated = DomainEvent::EventUpdated(history.defined(6));
    for event in [history.held(2), history.released(2), updated, history.held(5)] {
        batch.push(history.next(event));
    }
    view.apply(&batch).await;
    assert_eq!(announced(&view)[0].0.sections, [section(4, 1, 1, 1)]);
}

#[tokio::test]
async fn stats_begin_with_the_first_definition_that_can_be_read_and_know_what_was_sold_before() {
    let (view, mut history) = (Memory::of(Stats::default()), History::new("arena-night"));
    let mut unreadable = history.defined(9);
    unreadable.definition.sections.clear();
    let mut events = vec![history.next(DomainEvent::EventCreated(unreadable))];
    events.extend(history.sold(1));
    events.push(history.next(history.held(2)));
    view.apply(&events).await;
    assert_eq!(announced(&view), [], "how many seats there are is not known");
    view.apply(&[history.next(DomainEvent::EventUpdated(history.defined(9)))]).await;
    assert_eq!(announced(&view)[0].0.sections, [section(7, 1, 1, 0)]);
}

#[tokio::test]
async fn stats_of_a_purged_seating_event_are_none_and_begin_from_nothing() {
    let (view, mut history) = Memory::created(Stats::default(), 10).await;
    let mut batch = history.sold(1).to_vec();
    for event in [history.held(2), history.released(2), history.purged()] {
        batch.push(history.next(event));
    }
    drop(announced(&view));
    view.apply(&batch).await;
    let [(stats, _)] = announced(&view).try_into().unwrap();
    assert_eq!((stats.sections, stats.as_of_sequence), (vec![], 7));
    let anew = [history.created(4), history.held(1)];
    view.apply(&anew.map(|event| history.next(event))).await;
    assert_eq!(announced(&view)[0].0.sections, [section(3, 1, 0, 0)]);
}

#[tokio::test]
async fn an_amount_that_cannot_be_counted_is_parked_alone() {
    let (view, mut history) = Memory::created(Stats::default(), 4).await;
    let DomainEvent::SeatHeld(mut held) = history.held(1) else { unreachable!("a hold was asked for") };
    held.amount = u64::MAX;
    let events = [history.held(2), DomainEvent::SeatHeld(held), history.held(3)];
    let applied = view.apply(&events.map(|event| history.next(event))).await;
    assert_eq!((applied.applied, applied.parked), (2, 1));
    assert_eq!(view.read(|stats| stats.sections("arena-night")), [section(2, 2, 0, 0)]);
}

#[tokio::test]
async fn payments_stand_beside_reservations_and_touch_no_seat() {
    let (view, mut history) = Memory::created(SeatView::new(TOPIC.into()), 3).await;
    let id = history.reservation(1).reservation_id;
    let requested = history.unnumbered(history.payment_requested(1));
    let completed = history.unnumbered(DomainEvent::PaymentCompleted(history.payment(1)));
    view.apply_to("payment-events", &[requested.clone(), requested, completed.clone()]).await;
    view.apply(&history.sold(1)).await;
    assert_eq!(view.apply_to("payment-events", &[completed]).await.duplicates, 1);
    view.read(|view| {
        let payment = view.payments().of(&id).unwrap();
        assert_eq!((payment.state(), payment.charged), (Some(PaymentState::Paid), Some(PRICE)));
        assert_eq!(claimed(view.maps()).len(), 1);
    });
    let snapshot = view.0.load().await.unwrap();
    assert_eq!((snapshot.maps[0].sequence, snapshot.next_offsets), (4, [(0, 4)].into()));

    let (view, mut history) = Memory::created(Persistence::default(), 3).await;
    view.apply(&history.sold(1)).await;
    let cancelled = history.next(DomainEvent::ReservationCancelled(history.reservation(1)));
    view.apply(&[cancelled]).await;
    view.apply_to("payment-events", &[history.unnumbered(history.payment_requested(1))]).await;
    let state = view.read(|view| view.payments().of(&id).and_then(PaymentView::state));
    assert_eq!(state, Some(PaymentState::Cancelled));
}
