//! What every view store does (I5). An implementation brings a [`Fixture`] and names it in
//! [`view_store_conformance!`](crate::view_store_conformance), which makes one test of each behaviour. One whose commits
//! can fail brings [`FailingCommits`] too, and says so.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a suite panics where a test would")]

use std::collections::BTreeSet;

use async_trait::async_trait;
use boxoffice_consumer::handlers::Followers;
use boxoffice_domain::checkpoint::Start;
use boxoffice_domain::{DomainEvent, Envelope};
use boxoffice_runtime::log::TopicPartition;
use boxoffice_runtime::record::Record;
use boxoffice_runtime::view::{Applied, Batch, Beginning, Checkpoints, ViewError, ViewStore};
use uuid::Uuid;

use crate::history::{History, record};

const TOPIC: &str = "seat-events";
const PARTITION: u32 = 3;
const SEATS: u32 = 20;
/// Where the log begins: offsets need not begin with 0.
const FIRST: u64 = 10;

fn partition(partition: u32) -> TopicPartition {
    TopicPartition { topic: TOPIC.into(), partition }
}

/// A view that begins in a partition.
fn beginning(number: u32, offset: u64, start: Start) -> Beginning {
    Beginning { partition: partition(number), offset, earliest: start == Start::Earliest, log: None }
}

fn next_offset(checkpoints: &Checkpoints, number: u32) -> Option<u64> {
    checkpoints.get(&partition(number)).map(|checkpoint| checkpoint.next_offset)
}

/// A store of its own for one test.
#[async_trait]
pub trait Fixture: Sized {
    /// What a parked event means for later ones of its aggregate.
    const FOLLOWERS: Followers;
    /// A store with nothing in it.
    async fn fresh() -> Self;
    /// The store.
    fn store(&self) -> &dyn ViewStore;
    /// An event that makes the view show the `number`-th seat as claimed.
    fn claim(history: &History, number: u32) -> DomainEvent;
    /// An event of the same aggregate that makes it show the seat as free again.
    fn free(history: &History, number: u32) -> DomainEvent;
    /// Ids of the seats that the view shows as claimed.
    async fn claimed(&self) -> BTreeSet<String>;
    /// Offsets of the parked records, in the order in which they are to be taken up again.
    async fn parked(&self) -> Vec<u64>;
}

/// A store outside of the process, whose commits can fail.
#[async_trait]
pub trait FailingCommits: Fixture {
    /// Lets every commit of a checkpoint fail from now on, as a database in trouble does.
    async fn break_commits(&self);
    /// Ends [`Self::break_commits`].
    async fn heal_commits(&self);
}

/// A partition of the log that only this test has.
struct Log<F> {
    fixture: F,
    history: History,
    records: Vec<Record>,
    /// The checkpoint that this member knows.
    expected: u64,
    /// The topic's id.
    identity: Option<&'static str>,
}

impl<F: Fixture> Log<F> {
    /// A SeatingEvent is created.
    async fn created() -> Self {
        let mut log = Self::empty(Start::Earliest).await;
        let created = log.history.created(SEATS);
        log.append(created);
        log
    }

    async fn empty(start: Start) -> Self {
        let fixture = F::fresh().await;
        fixture.store().begin(&[beginning(PARTITION, FIRST, start)]).await.unwrap();
        Self {
            fixture,
            history: History::new("arena-night"),
            records: vec![],
            expected: FIRST,
            identity: None,
        }
    }

    fn append(&mut self, event: DomainEvent) -> Envelope {
        let envelope = self.history.next(event);
        self.repeat(&envelope);
        envelope
    }

    fn claim(&mut self, number: u32) -> Envelope {
        self.append(F::claim(&self.history, number))
    }

    fn free(&mut self, number: u32) -> Envelope {
        self.append(F::free(&self.history, number))
    }

    /// The same record again.
    fn repeat(&mut self, envelope: &Envelope) {
        let offset = FIRST + self.records.len() as u64;
        self.records.push(record(envelope, PARTITION, offset));
    }

    /// The body of the last record.
    fn last(&self) -> String {
        String::from_utf8_lossy(&self.records.last().unwrap().value).into_owned()
    }

    /// The last record has another body.
    fn rewrite(&mut self, body: &str) {
        let Record { partition, offset, .. } = *self.records.last().unwrap();
        let last = self.records.pop().unwrap();
        let (key, headers) = (last.key.clone(), last.headers.clone());
        self.records.push(Record::new(partition, offset, key, body.into(), headers));
    }

    /// Everything from the checkpoint on.
    fn batch(&self) -> Batch {
        let from = self.expected;
        Batch {
            topic: TOPIC.into(),
            partition: PARTITION,
            log: self.identity.map(str::to_owned),
            expected: self.expected,
            records: self.records.iter().filter(|record| record.offset >= from).cloned().collect(),
        }
    }

    async fn apply(&mut self) -> Result<Applied, ViewError> {
        let applied = self.fixture.store().apply(&self.batch()).await?;
        assert_eq!(applied.next_offset, FIRST + self.records.len() as u64);
        self.expected = applied.next_offset;
        Ok(applied)
    }

    async fn apply_all(&mut self) -> Applied {
        self.apply().await.unwrap()
    }

    async fn checkpoint(&self) -> Option<u64> {
        let checkpoints = self.fixture.store().checkpoints(&[partition(PARTITION)]).await.unwrap();
        next_offset(&checkpoints, PARTITION)
    }

    /// There is another topic of that name, with nothing on it, and the view begins there.
    async fn replaced(&mut self, log: &'static str) {
        (self.records, self.expected, self.identity) = (vec![], FIRST, Some(log));
        self.begins().await;
    }

    async fn begins(&self) {
        let log = self.identity.map(str::to_owned);
        let beginning = Beginning { log, ..beginning(PARTITION, FIRST, Start::Earliest) };
        self.fixture.store().begin(&[beginning]).await.unwrap();
    }

    async fn shows(&self, claimed: &[u32]) {
        let expected: BTreeSet<String> =
            claimed.iter().map(|seat| self.history.seat(*seat).to_string()).collect();
        assert_eq!(self.fixture.claimed().await, expected);
    }
}

fn counts(applied: Applied) -> [u64; 4] {
    [applied.applied, applied.duplicates, applied.unknown, applied.parked]
}

/// Events are applied in the order in which they come, within a batch and from one to the next.
pub async fn applies_events_in_order<F: Fixture>() {
    let mut log = Log::<F>::created().await;
    assert_eq!(log.checkpoint().await, Some(FIRST));
    (1..=3).for_each(|seat| drop(log.claim(seat)));
    log.free(2);
    assert_eq!(counts(log.apply_all().await), [5, 0, 0, 0]);
    log.shows(&[1, 3]).await;
    log.free(1);
    log.claim(4);
    log.apply_all().await;
    log.shows(&[3, 4]).await;
    assert_eq!(log.checkpoint().await, Some(17));
}

/// What was seen is skipped, whether it comes again in the same batch or later.
pub async fn i5_skips_duplicates<F: Fixture>() {
    let mut log = Log::<F>::created().await;
    let claim = log.claim(1);
    log.repeat(&claim);
    assert_eq!(counts(log.apply_all().await), [2, 1, 0, 0]);
    let free = log.free(1);
    log.repeat(&claim);
    log.repeat(&free);
    assert_eq!(counts(log.apply_all().await), [1, 2, 0, 0]);
    log.shows(&[]).await;
}

/// A gap stops the partition: what comes before it is in the view, nothing after.
pub async fn i5_stops_at_a_gap<F: Fixture>() {
    let mut log = Log::<F>::created().await;
    log.claim(1);
    log.history.skip_to(5);
    log.claim(2);
    let error = log.apply().await.unwrap_err();
    assert!(matches!(error, ViewError::Gap { sequence: 6, expected: 3, .. }), "{error}");
    log.shows(&[1]).await;
    assert_eq!(log.checkpoint().await, Some(12));
    log.expected = 12;
    assert!(matches!(log.apply().await, Err(ViewError::Gap { .. })), "it stays there");
    assert_eq!(log.checkpoint().await, Some(12));
}

/// Another event with a sequence that was seen is a fork.
pub async fn i5_stops_at_a_fork<F: Fixture>() {
    let mut log = Log::<F>::created().await;
    log.claim(1);
    log.apply_all().await;
    log.history.skip_to(1);
    log.claim(2);
    let error = log.apply().await.unwrap_err();
    assert!(matches!(error, ViewError::Fork { sequence: 2, .. }), "{error}");
    log.shows(&[1]).await;
}

/// A view that begins at earliest misses nothing: a first event that is not number 1 is a gap.
pub async fn i5_begins_with_the_first_event<F: Fixture>() {
    let mut log = Log::<F>::empty(Start::Earliest).await;
    log.history.skip_to(1);
    log.claim(1);
    assert!(matches!(log.apply().await, Err(ViewError::Gap { sequence: 2, expected: 1, .. })));
    assert_eq!(log.checkpoint().await, Some(FIRST));
}

/// After a start elsewhere the first event met sets the baseline.
pub async fn i5_takes_a_baseline_after_a_start_elsewhere<F: Fixture>() {
    let mut log = Log::<F>::empty(Start::Elsewhere).await;
    log.history.skip_to(6);
    log.claim(1);
    log.claim(2);
    assert_eq!(counts(log.apply_all().await), [2, 0, 0, 0]);
    log.history.skip_to(9);
    log.claim(3);
    assert!(matches!(log.apply().await, Err(ViewError::Gap { sequence: 10, expected: 9, .. })));
}

/// A relay that repeats what lies before the start of a view stops nothing: it is skipped and counted.
pub async fn i5_skips_what_is_from_before_the_start<F: Fixture>() {
    let mut log = Log::<F>::empty(Start::Elsewhere).await;
    let repeated = log.history.clone();
    log.history.skip_to(50);
    let created = log.history.created(SEATS);
    log.append(created);
    let seen = log.claim(1);
    log.apply_all().await;
    log.history = repeated;
    log.history.skip_to(44);
    (2..=7).for_each(|seat| drop(log.claim(seat)));
    log.repeat(&seen);
    log.history.skip_to(52);
    log.claim(8);
    let applied = log.apply_all().await;
    assert_eq!((counts(applied), applied.before_start), ([1, 1, 0, 0], 6));
    log.shows(&[1, 8]).await;
}

/// Where a view began is kept: what is declared later changes nothing, in either direction.
pub async fn i5_keeps_where_it_began<F: Fixture>() {
    let mut log = Log::<F>::empty(Start::Elsewhere).await;
    log.claim(1);
    log.apply_all().await;
    let again = log.fixture.store().begin(&[beginning(PARTITION, 0, Start::Earliest)]).await.unwrap();
    assert_eq!(next_offset(&again, PARTITION), Some(11));
    // Another SeatingEvent, which had sold before the start and was quiet since.
    log.history = History::new("quiet");
    log.history.skip_to(6);
    log.claim(1);
    assert_eq!(counts(log.apply_all().await), [1, 0, 0, 0]);

    let mut log = Log::<F>::empty(Start::Earliest).await;
    log.fixture.store().begin(&[beginning(PARTITION, 99, Start::Elsewhere)]).await.unwrap();
    assert_eq!(log.checkpoint().await, Some(FIRST));
    log.history.skip_to(6);
    log.claim(1);
    assert!(matches!(log.apply().await, Err(ViewError::Gap { .. })), "the first event is still due");
}

/// Partitions are asked about together; one in which the view has not begun is left out, and takes no batch.
pub async fn i5_begins_before_anything_is_applied<F: Fixture>() {
    let log = Log::<F>::created().await;
    let store = log.fixture.store();
    store.begin(&[beginning(5, 7, Start::Elsewhere), beginning(6, 0, Start::Earliest)]).await.unwrap();
    let checkpoints = store.checkpoints(&[3, 4, 5, 6].map(partition)).await.unwrap();
    let offsets = [3, 4, 5, 6].map(|number| next_offset(&checkpoints, number));
    assert_eq!(offsets, [Some(FIRST), None, Some(7), Some(0)]);
    let early = Batch { partition: 4, ..log.batch() };
    assert!(matches!(store.apply(&early).await, Err(ViewError::Moved { .. })));
}

/// Offsets that no record has are passed by who knows the checkpoint, and what comes behind them is applied.
pub async fn i5_passes_offsets_that_no_record_has<F: Fixture>() {
    let mut log = Log::<F>::created().await;
    log.apply_all().await;
    let (store, at) = (log.fixture.store(), partition(PARTITION));
    let passed = store.pass(&at, None, FIRST + 1, FIRST + 3).await.unwrap();
    assert_eq!(passed, Applied { next_offset: FIRST + 3, ..Applied::default() });
    assert_eq!(log.checkpoint().await, Some(FIRST + 3));
    for (at, expected) in [(at, FIRST + 1), (partition(4), 0)] {
        let moved = store.pass(&at, None, expected, FIRST + 5).await;
        assert!(matches!(moved, Err(ViewError::Moved { .. })), "{moved:?}");
    }
    let event = log.history.next(F::claim(&log.history, 1));
    let records = vec![record(&event, PARTITION, FIRST + 4)];
    let applied = log.fixture.store().apply(&Batch { expected: FIRST + 3, records, ..log.batch() }).await;
    assert_eq!(applied.unwrap().next_offset, FIRST + 5);
    log.shows(&[1]).await;
}

/// Events of types that have no sequence are applied once each, told apart by their ids, and move no sequence.
pub async fn applies_events_without_a_sequence_once<F: Fixture>() {
    let mut log = Log::<F>::created().await;
    log.apply_all().await;
    let payment = log.history.unnumbered(log.history.payment_requested(1));
    log.repeat(&payment);
    log.repeat(&payment);
    log.claim(1);
    assert_eq!(counts(log.apply_all().await), [2, 1, 0, 0]);
    log.repeat(&payment);
    assert_eq!(counts(log.apply_all().await), [0, 1, 0, 0]);
    log.shows(&[1]).await;
}

/// A record whose body cannot be read is parked. Later events of its seat are parked behind it, in order, where the handler
/// needs what it says, and applied where it does not; the rest goes on in any case.
pub async fn parks_poison_with_what_waits_for_it<F: Fixture>() {
    let mut log = Log::<F>::created().await;
    log.claim(1);
    log.rewrite("}{");
    log.claim(2);
    log.free(1);
    let first = counts(log.apply_all().await);
    log.shows(&[2]).await;
    log.claim(1);
    log.claim(3);
    let second = counts(log.apply_all().await);
    let parked = log.fixture.parked().await;
    match F::FOLLOWERS {
        Followers::Wait => {
            assert_eq!((first, second), ([2, 0, 0, 2], [1, 0, 0, 1]));
            log.shows(&[2, 3]).await;
            assert_eq!(parked, [11, 13, 14]);
        }
        Followers::GoOn => {
            assert_eq!((first, second), ([3, 0, 0, 1], [2, 0, 0, 0]));
            log.shows(&[1, 2, 3]).await;
            assert_eq!(parked, [11]);
        }
    }
}

/// What is claimed of a SeatingEvent whose definition cannot be read is not lost: it is shown as soon as one is there.
pub async fn keeps_what_is_claimed_before_there_is_a_definition<F: Fixture>() {
    let mut log = Log::<F>::created().await;
    log.rewrite("}{");
    (1..=3).for_each(|seat| drop(log.claim(seat)));
    log.free(2);
    assert_eq!(counts(log.apply_all().await), [4, 0, 0, 1]);
    let defined = DomainEvent::EventUpdated(log.history.defined(SEATS));
    log.append(defined);
    log.apply_all().await;
    log.shows(&[1, 3]).await;
    log.free(1);
    log.apply_all().await;
    log.shows(&[3]).await;
}

/// A payload that does not fit its type is poison too.
pub async fn parks_a_payload_that_does_not_fit<F: Fixture>() {
    let mut log = Log::<F>::created().await;
    log.claim(1);
    let body = log.last().replace(r#""seatId":""#, r#""seatId":"not a seat "#);
    log.rewrite(&body.replace(r#""seatIds":[""#, r#""seatIds":["not a seat "#));
    log.claim(2);
    assert_eq!(counts(log.apply_all().await), [2, 0, 0, 1]);
    log.shows(&[2]).await;
}

/// A parked record that the log repeats is a duplicate like any other.
pub async fn parks_poison_once<F: Fixture>() {
    let mut log = Log::<F>::created().await;
    let claim = log.claim(1);
    log.rewrite("}{");
    log.claim(2);
    log.repeat(&claim);
    log.rewrite("}{");
    assert_eq!(counts(log.apply_all().await), [2, 1, 0, 1]);
}

/// A record that names no seat is parked alone, moves no sequence, and holds nothing up.
pub async fn parks_foreign_records_alone<F: Fixture>() {
    let mut log = Log::<F>::created().await;
    let stranger = log.history.clone().next(F::claim(&log.history, 1));
    log.repeat(&stranger);
    let Record { partition, offset, .. } = log.records.pop().unwrap();
    let headers = vec![("greeting".into(), "nul \0".into())];
    log.records.push(Record::new(partition, offset, "nul \0".into(), b"hello \0 world".to_vec(), headers));
    log.claim(1);
    assert_eq!(counts(log.apply_all().await), [2, 0, 0, 1]);
    log.shows(&[1]).await;
    assert_eq!(log.fixture.parked().await, [11]);
}

/// Events of a type that this version does not know are skipped and keep their place in the order.
pub async fn skips_unknown_types<F: Fixture>() {
    let mut log = Log::<F>::created().await;
    let claim = log.claim(1);
    log.rewrite(&log.last().replace(claim.event.event_type(), "seat.painted"));
    log.claim(2);
    assert_eq!(counts(log.apply_all().await), [2, 0, 1, 0]);
    log.shows(&[2]).await;
}

/// View, dedupe and checkpoint are one transaction: a batch that fails leaves nothing, and the same batch works later.
pub async fn i5_a_failed_batch_leaves_nothing<F: FailingCommits>() {
    let mut log = Log::<F>::created().await;
    log.claim(1);
    log.apply_all().await;
    log.claim(2);
    log.fixture.break_commits().await;
    let error = log.apply().await.unwrap_err();
    assert!(matches!(error, ViewError::Unavailable(_)), "{error}");
    log.shows(&[1]).await;
    assert_eq!(log.checkpoint().await, Some(12));
    log.fixture.heal_commits().await;
    assert_eq!(counts(log.apply_all().await), [1, 0, 0, 0]);
    log.shows(&[1, 2]).await;
}

/// A member that was left behind is told so, and writes nothing.
pub async fn i5_tells_a_member_that_another_one_wrote<F: Fixture>() {
    let mut log = Log::<F>::created().await;
    let late = log.batch();
    log.apply_all().await;
    let error = log.fixture.store().apply(&late).await.unwrap_err();
    assert!(matches!(error, ViewError::Moved { at: 11, .. }), "{error}");
    log.claim(1);
    let late = Batch { expected: FIRST, ..log.batch() };
    assert!(matches!(
        log.fixture.store().apply(&late).await,
        Err(ViewError::Moved { at: 11, expected: 10, .. })
    ));
    log.shows(&[]).await;
    assert_eq!(log.checkpoint().await, Some(11));
}

/// Two members that both believe the partition to be theirs: one of them wins, the other is told.
pub async fn i5_lets_one_of_two_members_write<F: Fixture>() {
    let mut log = Log::<F>::created().await;
    log.claim(1);
    let batch = log.batch();
    let store = log.fixture.store();
    let (one, other) = tokio::join!(store.apply(&batch), store.apply(&batch));
    let won = [&one, &other].iter().filter(|result| result.is_ok()).count();
    let moved = [&one, &other].iter().filter(|result| matches!(result, Err(ViewError::Moved { .. }))).count();
    assert_eq!((won, moved), (1, 1), "{one:?} {other:?}");
    log.shows(&[1]).await;
}

/// A purge forgets the seats and keeps the sequence: one that is created anew under the same id goes on from there, in a
/// batch of its own or in the same one.
pub async fn forgets_what_is_purged_and_keeps_its_sequence<F: Fixture>() {
    let mut log = Log::<F>::created().await;
    let neighbour = {
        let mut other = History::new("neighbour");
        [other.created(SEATS), F::claim(&other, 1)].map(|event| other.next(event))
    };
    for event in &neighbour {
        log.repeat(event);
    }
    (1..=3).for_each(|seat| drop(log.claim(seat)));
    log.apply_all().await;
    let purge = log.history.purged();
    let purged = log.append(purge.clone());
    assert_eq!(counts(log.apply_all().await), [1, 0, 0, 0]);
    assert_eq!(log.fixture.claimed().await, ["neighbour.A-1-1".to_owned()].into());
    log.repeat(&purged);
    let created = log.history.created(SEATS);
    log.append(created.clone());
    log.claim(4);
    assert_eq!(counts(log.apply_all().await), [2, 1, 0, 0]);
    log.append(purge);
    log.append(created);
    log.claim(5);
    assert_eq!(counts(log.apply_all().await), [3, 0, 0, 0]);
    let claimed = ["neighbour.A-1-1".to_owned(), log.history.seat(5).to_string()];
    assert_eq!(log.fixture.claimed().await, claimed.into());
    log.history.skip_to(20);
    log.claim(6);
    assert!(matches!(log.apply().await, Err(ViewError::Gap { sequence: 21, expected: 11, .. })));
}

/// Partitions have checkpoints of their own, and SeatingEvents sequences of their own.
pub async fn keeps_partitions_and_seating_events_apart<F: Fixture>() {
    let mut log = Log::<F>::created().await;
    log.apply_all().await;
    let mut other = History::new(&format!("other-{}", Uuid::new_v4().simple()));
    let created = other.created(SEATS);
    let records = [created, F::claim(&other, 1)].map(|event| other.next(event));
    let records = records.iter().zip(0..).map(|(envelope, offset)| record(envelope, 4, offset)).collect();
    log.fixture.store().begin(&[beginning(4, 0, Start::Earliest)]).await.unwrap();
    let batch = Batch { topic: TOPIC.into(), partition: 4, log: None, expected: 0, records };
    let applied = log.fixture.store().apply(&batch).await.unwrap();
    assert_eq!((applied.applied, applied.next_offset), (2, 2));
    assert_eq!(log.checkpoint().await, Some(11));
}

/// On another topic of that name the view begins anew and keeps what it has: what it knows is skipped, what comes next is
/// applied, and what is missing is a gap. Whoever still reads the one before is told.
pub async fn i5_begins_on_another_topic_and_keeps_what_it_has<F: Fixture>() {
    let mut log = Log::<F>::empty(Start::Earliest).await;
    log.replaced("first").await;
    let created = log.history.created(SEATS);
    let known = [log.append(created), log.claim(1)];
    let late = log.batch();
    log.apply_all().await;
    log.begins().await;
    assert_eq!(log.checkpoint().await, Some(FIRST + 2), "it has begun there");

    log.replaced("second").await;
    assert_eq!(log.checkpoint().await, Some(FIRST));
    assert!(matches!(log.fixture.store().apply(&late).await, Err(ViewError::Moved { .. })));
    let passed = log.fixture.store().pass(&partition(PARTITION), Some("first"), FIRST, FIRST + 2).await;
    assert!(matches!(passed, Err(ViewError::Moved { .. })), "{passed:?}");
    for event in &known {
        log.repeat(event);
    }
    log.claim(2);
    assert_eq!(counts(log.apply_all().await), [1, 2, 0, 0]);
    log.shows(&[1, 2]).await;

    log.replaced("third").await;
    log.history.skip_to(5);
    log.claim(3);
    assert!(matches!(log.apply().await, Err(ViewError::Gap { sequence: 6, expected: 4, .. })));
    log.shows(&[1, 2]).await;
}

/// A SeatingEvent that is created on another topic is another one than before, whether the view met its purge or not, and
/// wherever its sequence goes on. On one and the same topic that is a gap, or a fork.
pub async fn i5_what_is_created_on_another_topic_is_another_one<F: Fixture>() {
    let mut log = Log::<F>::empty(Start::Earliest).await;
    log.replaced("first").await;
    let created = log.history.created(SEATS);
    log.append(created.clone());
    (1..=3).for_each(|seat| drop(log.claim(seat)));
    log.apply_all().await;
    for (id, sequence, seat) in [("second", 9, 4), ("third", 0, 5), ("fourth", 1, 6)] {
        log.replaced(id).await;
        log.history.skip_to(sequence);
        log.append(created.clone());
        log.claim(seat);
        assert_eq!(counts(log.apply_all().await), [2, 0, 0, 0], "{id}");
        log.shows(&[seat]).await;
    }
    log.history.skip_to(9);
    log.append(created.clone());
    assert!(matches!(log.apply().await, Err(ViewError::Gap { sequence: 10, expected: 4, .. })));
    log.history.skip_to(1);
    let offset = log.records.len() - 1;
    log.records.truncate(offset);
    log.append(created);
    assert!(matches!(log.apply().await, Err(ViewError::Fork { sequence: 2, .. })));
    log.shows(&[6]).await;
}

/// A view that begins with the log of a SeatingEvent that was purged on another one has nothing to wait for.
pub async fn i5_a_log_may_begin_with_a_creation_of_any_sequence<F: Fixture>() {
    let mut log = Log::<F>::empty(Start::Earliest).await;
    log.history.skip_to(8);
    let created = log.history.created(SEATS);
    log.append(created);
    log.claim(1);
    assert_eq!(counts(log.apply_all().await), [2, 0, 0, 0]);
    log.shows(&[1]).await;
}

/// A checkpoint of nobody knows which topic is taken for one of the topic that there is.
pub async fn i5_a_view_that_kept_no_topic_goes_on_with_the_one_that_there_is<F: Fixture>() {
    let mut log = Log::<F>::created().await;
    log.claim(1);
    log.apply_all().await;
    log.identity = Some("first");
    log.begins().await;
    assert_eq!(log.checkpoint().await, Some(FIRST + 2));
    log.claim(2);
    assert_eq!(counts(log.apply_all().await), [1, 0, 0, 0]);
    log.shows(&[1, 2]).await;
    log.replaced("second").await;
    assert_eq!(log.checkpoint().await, Some(FIRST));
}

/// One test of each behaviour of a view store, for a [`Fixture`](crate::conformance::view_store::Fixture), and those of
/// [`FailingCommits`](crate::conformance::view_store::FailingCommits) where it is said to have them, and of logs whose topics may
/// be replaced.
#[macro_export]
macro_rules! view_store_conformance {
    ($fixture:ty, failing commits, replaced topics) => {
        $crate::view_store_conformance!($fixture);
        $crate::view_store_conformance!($fixture: i5_a_failed_batch_leaves_nothing
            i5_begins_on_another_topic_and_keeps_what_it_has i5_what_is_created_on_another_topic_is_another_one
            i5_a_view_that_kept_no_topic_goes_on_with_the_one_that_there_is);
    };
    ($fixture:ty) => {
        $crate::view_store_conformance!($fixture:
            applies_events_in_order i5_skips_duplicates i5_stops_at_a_gap i5_stops_at_a_fork
            i5_begins_with_the_first_event i5_takes_a_baseline_after_a_start_elsewhere
            i5_skips_what_is_from_before_the_start i5_keeps_where_it_began i5_begins_before_anything_is_applied
            i5_passes_offsets_that_no_record_has
            applies_events_without_a_sequence_once
            parks_poison_with_what_waits_for_it keeps_what_is_claimed_before_there_is_a_definition
            parks_a_payload_that_does_not_fit parks_poison_once
            parks_foreign_records_alone skips_unknown_types i5_tells_a_member_that_another_one_wrote
            i5_lets_one_of_two_members_write keeps_partitions_and_seating_events_apart
            forgets_what_is_purged_and_keeps_its_sequence i5_a_log_may_begin_with_a_creation_of_any_sequence);
    };
    ($fixture:ty: $($behaviour:ident)*) => {
        $(
            #[tokio::test]
            async fn $behaviour() {
                $crate::conformance::view_store::$behaviour::<$fixture>().await;
            }
        )*
    };
}
