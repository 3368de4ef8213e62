//! What is remembered in memory of the effects of one consumer.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use boxoffice_consumer::effects::{Effect, Held, Lane};
use boxoffice_domain::UnixMillis;
use uuid::Uuid;

use crate::embedded::journal::Ticket;

/// What is in memory.
#[derive(Debug, Default)]
pub(super) struct Pages {
    pub(super) lanes: HashMap<Lane, Page>,
    /// Lanes that are due by themselves, the first one first.
    pub(super) due: BTreeSet<(UnixMillis, Lane)>,
    /// The number of the next effect, and of the next announcement.
    pub(super) next: u64,
    /// What is to be announced.
    pub(super) outbox: VecDeque<(u64, String)>,
    /// By topic and partition, the first offset that was not taken in.
    pub(super) checkpoints: BTreeMap<(String, u32), u64>,
    /// The last write.
    pub(super) written: Ticket,
}

/// A lane.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) due: Option<UnixMillis>,
    pub(super) token: Option<Uuid>,
    pub(super) attempts: u32,
    pub(super) state: Option<String>,
    pub(super) parked: Option<String>,
    pub(super) effects: VecDeque<Effect>,
}

impl Pages {
    /// What is lent of a lane, with so many of its effects.
    pub(super) fn held(&self, lane: &Lane, effects: usize) -> Option<Held> {
        let page = self.lanes.get(lane)?;
        Some(Held {
            lane: lane.clone(),
            attempts: page.attempts,
            state: page.state.clone(),
            effects: page.effects.iter().take(effects).cloned().collect(),
        })
    }
}
