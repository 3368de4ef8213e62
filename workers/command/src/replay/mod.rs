//! One SeatingEvent worked out from the log: on its way back to a store that lost some of it
//! ([`recovery`](crate::store::redis::recovery)), or into its next [`snapshot`](crate::snapshot). Pure: others read records
//! and keep what comes out.

pub mod records;

use std::collections::HashMap;

use boxoffice_domain::subject::{OfSeatingEvent, Subject};
use boxoffice_domain::{DomainEvent, Envelope, SeatingEventId, SeatingEventState, UnixMillis, evolve};
use uuid::Uuid;

use crate::snapshot::{FORMAT, Snapshot};
use crate::store::OutboxEntry;

/// About how many bytes of states are worked out at the same time: what is above that has a pass of its own.
pub const WEIGHT: u64 = 48 * 1024 * 1024;
/// How often, in events, what nobody has to remember any more is forgotten.
const FORGET_EVERY: u64 = 65_536;
/// About how many bytes of memory one takes that has nothing yet, and how many more an event that was applied.
const EMPTY: u64 = 16_384;
const APPLIED: u64 = 256;

/// What a store has of a SeatingEvent, as far as it takes to know whether that is all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Whether there is anything, be it the place on the log of one that was purged.
    pub is_there: bool,
    /// The history that it was recovered for.
    pub history: Option<String>,
    /// Where on the log nothing more of it is, where that was kept.
    pub offset: Option<u64>,
    /// Where its snapshot is, if that is all that there is of it but for a few numbers.
    pub archived: Option<u64>,
    /// Sequence of its last domain event; 0 where there is none.
    pub sequence: u64,
    /// Up to where its events are known to be on the log.
    pub published: u64,
    /// Its partition, pinned (I4).
    pub partition: Option<u32>,
    /// Ids of its domain events as far as it says them, by sequence: those that wait to be published, what they go on from,
    /// and the last one.
    pub known: HashMap<u64, Uuid>,
}

/// Why what is worked out so far is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// The log has another event than Redis: the log wins.
    Fork,
    /// It was purged and created anew when a purge was no domain event: what came before is another life.
    BornAgain,
}

/// What a record comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is taken in, or was known.
    Done,
    /// It is to be applied to what Redis has, which is to be read first.
    NeedsState,
    /// The SeatingEvent is to be worked out from its first event.
    Again(Again),
    /// It cannot be applied.
    Trouble(String),
}

/// See the module.
#[derive(Debug)]
pub struct Replay {
    event: SeatingEventId,
    /// The state; `None` while it is simply what Redis has.
    pub state: Option<SeatingEventState>,
    /// Id of the command that wrote the definition, where one was applied.
    pub revision: Option<Uuid>,
    /// Whether what Redis has is of before a purge.
    pub purged: bool,
    /// When the last event that was applied happened; the SeatingEvent's time never goes back.
    pub time: UnixMillis,
    /// The partition of the first record.
    pub partition: Option<u32>,
    /// Sequence of the last event that the log has.
    pub logged: u64,
    /// Id of the last event that was applied; a snapshot does not say that of its own.
    pub last: Option<Uuid>,
    /// Events applied.
    pub applied: u64,
    /// Whether what Redis has is of no use, and why.
    pub rebuilt: Option<Again>,
    /// Bytes of the snapshot that it began at.
    size: u64,
    is_snapshot: bool,
    sequence: u64,
    known: HashMap<u64, Uuid>,
    born: Option<Uuid>,
}

impl Replay {
    /// Goes on from what Redis has, or begins at the first event.
    pub fn new(event: SeatingEventId, found: &Found, rebuilt: Option<Again>) -> Self {
        let from_nothing = found.sequence == 0 || rebuilt.is_some();
        Self {
            state: from_nothing.then(|| SeatingEventState::new(event.clone())),
            event,
            revision: None,
            purged: false,
            time: 0,
            partition: found.partition,
            logged: 0,
            last: None,
            applied: 0,
            rebuilt,
            size: 0,
            is_snapshot: false,
            sequence: if from_nothing { 0 } else { found.sequence },
            known: if from_nothing { HashMap::new() } else { found.known.clone() },
            born: None,
        }
    }

    /// Goes on from a snapshot, whose JSON has `size` bytes.
    pub fn from_snapshot(snapshot: Snapshot, size: u64, rebuilt: Option<Again>) -> Self {
        let Snapshot { format: _, partition, offset: _, time, revision, state } = snapshot;
        let sequence = state.sequence;
        Self {
            event: state.id.clone(),
            revision,
            purged: state.sale.is_none(),
            time,
            partition: Some(partition),
            logged: sequence,
            last: None,
            applied: 0,
            // What came before a second life is not in a snapshot.
            rebuilt: rebuilt.filter(|why| *why == Again::Fork),
            size,
            is_snapshot: true,
            sequence,
            known: HashMap::new(),
            born: None,
            state: Some(state),
        }
    }

    /// The snapshot of what the log has before `offset`; `None` where it has nothing of it.
    pub fn into_snapshot(mut self, partition: u32, offset: u64) -> Option<Snapshot> {
        let mut state = self.state.take().filter(|state| state.sequence > 0)?;
        state.forget(self.time);
        Some(Snapshot { format: FORMAT, partition, offset, time: self.time, revision: self.revision, state })
    }

    /// About how many bytes of memory it takes.
    pub const fn weight(&self) -> u64 {
        weight_of(self.size, self.applied)
    }

    /// Takes in the record of the event `id`.
    pub fn take(
        &mut self,
        sequence: u64,
        id: Uuid,
        read: impl FnOnce() -> Result<Envelope, String>,
    ) -> Taken {
        if sequence == 1 && self.born.is_some_and(|born| born != id) {
            if self.state.is_none() || self.rebuilt.is_none() {
                return Taken::Again(Again::BornAgain);
            }
            self.state = Some(SeatingEventState::new(self.event.clone()));
            (self.logged, self.sequence, self.purged) = (0, 0, true);
        }
        // A record may be there twice (I3).
        if sequence <= self.logged {
            return Taken::Done;
        }
        if sequence <= self.sequence {
            if self.known.get(&sequence).is_some_and(|known| *known != id) {
                return Taken::Again(Again::Fork);
            }
            self.note(sequence, id);
            return Taken::Done;
        }
        let is_next = sequence == self.sequence + 1;
        if is_next && self.state.is_none() {
            return Taken::NeedsState;
        }
        let envelope = match read() {
            Ok(envelope) if is_next || matches!(envelope.event, DomainEvent::EventCreated(_)) => envelope,
            Err(error) if is_next => {
                return Taken::Trouble(format!("event {sequence} cannot be read: {error}"));
            }
            Ok(_) | Err(_) => {
                let expected = self.sequence + 1;
                return Taken::Trouble(format!(
                    "I3: the log has event {sequence} where {expected} should come"
                ));
            }
        };
        if !is_next {
            // It was purged on another log, which is gone: nothing of what came before stands.
            (self.state, self.purged) = (Some(SeatingEventState::new(self.event.clone())), true);
        }
        let Some(state) = &mut self.state else { return Taken::NeedsState };
        evolve(state, &envelope);
        self.sequence = sequence;
        self.applied += 1;
        if self.applied.is_multiple_of(FORGET_EVERY) {
            state.forget(envelope.timestamp);
        }
        self.learn(&envelope);
        self.note(sequence, id);
        Taken::Done
    }

    /// What beside the state comes of an event that was applied to it.
    fn learn(&mut self, envelope: &Envelope) {
        self.last = Some(envelope.event_id);
        self.time = self.time.max(envelope.timestamp);
        match envelope.event.subject() {
            Subject::SeatingEvent(OfSeatingEvent::Purged(_)) => (self.revision, self.purged) = (None, true),
            Subject::SeatingEvent(
                OfSeatingEvent::Created(_) | OfSeatingEvent::Updated(_) | OfSeatingEvent::Deleted(_),
            ) => {
                self.revision = Some(envelope.metadata.causation_id);
            }
            Subject::Seat(_)
            | Subject::Hold(_)
            | Subject::Reservation(_)
            | Subject::Statistics(_)
            | Subject::Payment(_) => {}
        }
    }

    fn note(&mut self, sequence: u64, id: Uuid) {
        self.logged = sequence;
        if sequence == 1 {
            self.born = Some(id);
        }
    }

    /// Whether what Redis has is to be replaced.
    pub const fn replaces(&self) -> bool {
        self.applied > 0 || self.is_snapshot
    }

    /// Adds the events that only Redis has, where they go on from what the log has: whether they do.
    pub fn go_on_with(&mut self, entries: &[OutboxEntry]) -> bool {
        let Some(state) = &mut self.state else { return true };
        let logged = self.logged;
        let waiting = entries.iter().filter(|entry| entry.sequence() > logged);
        let goes_on = self.rebuilt != Some(Again::Fork)
            && (self.sequence + 1..)
                .zip(waiting.clone())
                .all(|(expected, entry)| entry.sequence() == expected);
        if goes_on {
            for entry in waiting.clone() {
                evolve(state, &entry.envelope);
            }
            for entry in waiting {
                self.learn(&entry.envelope);
                self.sequence = entry.sequence();
            }
        }
        goes_on
    }
}

/// About how many bytes a state takes of whose snapshot's JSON has `size` and to which so many events are applied.
pub const fn weight_of(size: u64, applied: u64) -> u64 {
    EMPTY + size + applied * APPLIED
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_domain::Command;

    use crate::store::{Outbox, SeatStore};
    use crate::testing::{Memory, arena, cause, provisioned};

    /// Four events of a sale: created, held, held, reserved twice over.
    async fn history() -> (Vec<OutboxEntry>, SeatingEventState) {
        let store = Memory::default();
        let event = provisioned(&store).await;
        store.hold_for("alice", &event, &["A-1-1"]).await;
        store.hold_for("bob", &event, &["A-1-2"]).await;
        store.pass(300_000);
        store.expire_due().await.unwrap();
        let (_, entries) = store.unpublished(&event, 100).await.unwrap();
        let mut state = SeatingEventState::new(event);
        for entry in &entries {
            evolve(&mut state, &entry.envelope);
        }
        (entries, state)
    }

    fn take(replay: &mut Replay, entry: &OutboxEntry) -> Taken {
        let envelope = entry.envelope.clone();
        replay.take(entry.sequence(), envelope.event_id, || Ok(envelope))
    }

    #[tokio::test]
    async fn with_nothing_in_redis_it_is_worked_out_from_its_first_event() {
        let (entries, expected) = history().await;
        let mut replay = Replay::new(arena(), &Found::default(), None);
        for entry in entries.iter().chain(&entries) {
            assert_eq!(take(&mut replay, entry), Taken::Done, "a record may be there twice");
        }
        let state = replay.state.as_ref().unwrap();
        assert_eq!(
            (&state.seats, &state.claims, state.sequence),
            (&expected.seats, &expected.claims, expected.sequence)
        );
        assert_eq!(replay.revision, Some(entries[0].envelope.metadata.causation_id));
        assert_eq!((replay.logged, replay.applied), (expected.sequence, expected.sequence));
        assert_eq!(replay.last, entries.last().map(|entry| entry.envelope.event_id));
    }

    #[tokio::test]
    async fn one_that_was_purged_on_a_log_that_is_gone_begins_with_its_creation_whatever_the_sequence() {
        let (mut entries, _) = history().await;
        for entry in &mut entries {
            entry.envelope.metadata.sequence = Some(entry.sequence() + 7);
        }
        let old = Found { sequence: 3, published: 3, ..Found::default() };
        for found in [Found::default(), old] {
            let mut replay = Replay::new(arena(), &found, None);
            assert!(
                matches!(take(&mut replay, &entries[1]), Taken::Trouble(_)),
                "a creation, and nothing else"
            );
            for entry in &entries {
                assert_eq!(take(&mut replay, entry), Taken::Done);
            }
            assert!(replay.purged && replay.replaces());
            assert_eq!(replay.state.as_ref().unwrap().sequence, entries.last().unwrap().sequence());
        }
    }

    #[tokio::test]
    async fn what_redis_has_is_only_read_where_the_log_has_more() {
        let (entries, _) = history().await;
        let found = Found { sequence: 3, published: 3, ..Found::default() };
        let mut replay = Replay::new(arena(), &found, None);
        for entry in &entries[..3] {
            assert_eq!(take(&mut replay, entry), Taken::Done);
        }
        assert!(!replay.replaces());
        assert_eq!(replay.last, None, "what Redis says of it stands");
        assert_eq!(take(&mut replay, &entries[3]), Taken::NeedsState);
        let mut had = SeatingEventState::new(arena());
        for entry in &entries[..3] {
            evolve(&mut had, &entry.envelope);
        }
        replay.state = Some(had);
        assert_eq!(take(&mut replay, &entries[3]), Taken::Done);
        assert!(replay.replaces());
        assert_eq!(replay.revision, None, "the definition is still the one that Redis has");
    }

    #[tokio::test]
    async fn another_event_than_redis_has_is_a_fork_and_the_log_wins() {
        let (entries, _) = history().await;
        let known = HashMap::from([(2, entries[1].envelope.event_id), (3, Uuid::from_u128(9))]);
        let found = Found { sequence: 3, published: 1, known, ..Found::default() };
        let mut replay = Replay::new(arena(), &found, None);
        assert_eq!(take(&mut replay, &entries[0]), Taken::Done);
        assert_eq!(take(&mut replay, &entries[1]), Taken::Done);
        assert_eq!(take(&mut replay, &entries[2]), Taken::Again(Again::Fork));
        let mut again = Replay::new(arena(), &found, Some(Again::Fork));
        for entry in &entries {
            assert_eq!(take(&mut again, entry), Taken::Done);
        }
        assert!(!again.go_on_with(&entries), "what waits is of the other branch");
    }

    #[tokio::test]
    async fn a_second_life_has_nothing_of_the_first() {
        let ((first, _), (second, expected)) = (history().await, history().await);
        let mut replay = Replay::new(arena(), &Found::default(), None);
        for entry in &first {
            take(&mut replay, entry);
        }
        assert_eq!(take(&mut replay, &second[0]), Taken::Again(Again::BornAgain));
        let mut again = Replay::new(arena(), &Found::default(), Some(Again::BornAgain));
        for entry in first.iter().chain(&second[..2]) {
            assert_eq!(take(&mut again, entry), Taken::Done);
        }
        assert_eq!(again.logged, 2);
        assert!(again.go_on_with(&second), "what waits goes on from what is on the log");
        assert_eq!(again.last, second.last().map(|entry| entry.envelope.event_id));
        assert_eq!(again.state.unwrap().seats, expected.seats);
    }

    #[tokio::test]
    async fn a_purge_leaves_the_sequence_and_what_comes_after_is_worked_out_from_it() {
        let store = Memory::default();
        let event = provisioned(&store).await;
        store.hold_for("alice", &event, &["A-1-1"]).await;
        store.execute(&event, &Command::Purge, &cause()).await.unwrap().unwrap();
        let (_, purged) = store.unpublished(&event, 100).await.unwrap();
        let mut replay = Replay::new(arena(), &Found::default(), None);
        for entry in &purged {
            assert_eq!(take(&mut replay, entry), Taken::Done);
        }
        let state = replay.state.as_ref().unwrap();
        assert_eq!((state.sequence, state.sale.is_none(), state.seats.len()), (3, true, 0));
        assert_eq!((replay.revision, replay.purged), (None, true));

        provisioned(&store).await;
        let (_, all) = store.unpublished(&event, 100).await.unwrap();
        let found = Found { sequence: 2, published: 2, ..Found::default() };
        let mut replay = Replay::new(arena(), &found, None);
        replay.state = Some(SeatingEventState { sequence: 2, ..SeatingEventState::new(arena()) });
        for entry in &all {
            assert_eq!(take(&mut replay, entry), Taken::Done);
        }
        assert!(replay.purged, "what Redis has is of the life before");
        assert_eq!(replay.revision, Some(all[3].envelope.metadata.causation_id));
    }

    #[tokio::test]
    async fn a_log_that_has_lost_its_beginning_says_so() {
        let (entries, _) = history().await;
        let mut replay = Replay::new(arena(), &Found::default(), None);
        let trouble = take(&mut replay, &entries[1]);
        assert_eq!(trouble, Taken::Trouble("I3: the log has event 2 where 1 should come".into()));
        let unreadable = replay.take(1, Uuid::nil(), || Err("no JSON".into()));
        assert_eq!(unreadable, Taken::Trouble("event 1 cannot be read: no JSON".into()));
    }
}
