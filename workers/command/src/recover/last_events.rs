//! What the log has last of each SeatingEvent, as far as an owner read it when it came or published it since, and whether
//! what waits goes on from there.
//!
//! Nobody else publishes meanwhile, so an outbox that does not go on is not as it was left: its server has something else
//! under the history that it had before, such as keys that somebody restored. On the log that would be a fork. The first
//! entry of each command names the domain event that it goes on from, where its store knows that.

use std::collections::{HashMap, HashSet};

use boxoffice_domain::SeatingEventId;
use uuid::Uuid;

use crate::store::OutboxEntry;

/// A domain event that is the last of its SeatingEvent, by sequence and id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Last {
    /// Its sequence.
    pub sequence: u64,
    /// Its id.
    pub id: Uuid,
}

impl Last {
    /// The last of what waits.
    pub fn of(entries: &[OutboxEntry]) -> Option<Self> {
        entries.last().map(|entry| Self { sequence: entry.sequence(), id: entry.envelope.event_id })
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct LastEvents(HashMap<SeatingEventId, Last>);

impl LastEvents {
    /// Forgets all but `events`: those that are archived are recovered before anything more waits of them.
    pub fn keep(&mut self, events: &[SeatingEventId]) {
        let events: HashSet<_> = events.iter().collect();
        self.0.retain(|event, _| events.contains(event));
    }

    /// So much of `event` is on the log.
    pub fn published(&mut self, event: &SeatingEventId, last: Last) {
        match self.0.get_mut(event) {
            // What is published again comes before.
            Some(known) if known.sequence >= last.sequence => {}
            Some(known) => *known = last,
            None => drop(self.0.insert(event.clone(), last)),
        }
    }

    /// Whether `entries`, the first that wait of `event` and all of them where `is_all`, go on from what is on the log, or
    /// repeat it.
    pub fn goes_on(&self, event: &SeatingEventId, entries: &[OutboxEntry], is_all: bool) -> bool {
        let (Some(known), Some(first)) = (self.0.get(event), entries.first()) else { return true };
        if first.sequence() > known.sequence {
            let is_next = first.sequence() == known.sequence + 1;
            return first.after.is_none_or(|after| !is_next || after == known.id);
        }
        match entries.iter().find(|entry| entry.sequence() == known.sequence) {
            Some(same) => same.envelope.event_id == known.id,
            // All that there is, and less than the log has.
            None => !is_all,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Outbox;
    use crate::testing::{Memory, arena, provisioned};

    /// Three events, all of which wait.
    async fn entries() -> Vec<OutboxEntry> {
        let store = Memory::default();
        let event = provisioned(&store).await;
        store.hold_for("alice", &event, &["A-1-1", "A-1-2"]).await;
        store.unpublished(&event, 10).await.unwrap().1
    }

    fn published(entries: &[OutboxEntry]) -> LastEvents {
        let mut last_events = LastEvents::default();
        last_events.published(&arena(), Last::of(entries).unwrap());
        last_events
    }

    #[tokio::test]
    async fn what_comes_next_goes_on_unless_it_names_another_event() {
        let mut entries = entries().await;
        let last_events = published(&entries[..2]);
        assert!(last_events.goes_on(&arena(), &entries[2..], true), "it names none");
        entries[2].after = Some(entries[1].envelope.event_id);
        assert!(last_events.goes_on(&arena(), &entries[2..], true));
        entries[2].after = Some(entries[0].envelope.event_id);
        assert!(!last_events.goes_on(&arena(), &entries[2..], true));
        assert!(LastEvents::default().goes_on(&arena(), &entries[2..], true), "nothing is known of it");
        assert!(published(&entries[..1]).goes_on(&arena(), &entries[2..], true), "nor of what is between");
        assert!(last_events.goes_on(&"matinee".parse().unwrap(), &entries[2..], true));
    }

    #[tokio::test]
    async fn what_is_repeated_is_the_same() {
        let (entries, another) = (entries().await, entries().await);
        let mut last_events = published(&entries);
        assert!(last_events.goes_on(&arena(), &entries, true));
        assert!(last_events.goes_on(&arena(), &entries[..1], false), "there is more of it");
        assert!(!last_events.goes_on(&arena(), &another, true), "these have other ids");
        assert!(!last_events.goes_on(&arena(), &entries[..2], true), "the server forgot the last one");
        last_events.published(&arena(), Last::of(&entries[..1]).unwrap());
        assert!(!last_events.goes_on(&arena(), &entries[..2], true), "the log did not");
        last_events.keep(&[arena()]);
        assert!(!last_events.goes_on(&arena(), &another, true));
        last_events.keep(&[]);
        assert!(last_events.goes_on(&arena(), &another, true));
    }
}
