//! One SeatingEvent as the read side keeps it in memory: every seat in chart order, with counts.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU64;
use std::sync::{Arc, LazyLock};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::chart::{Chart, ChartError};
use crate::definition::{Definition, Phase};
use crate::events::{DomainEvent, SeatingEventDefined};
use crate::evolve::block_changes;
use crate::ids::{SeatingEventId, UnixMillis, UserId};
use crate::project::{Projected, SeatStatus, SeatView, project};

/// Seats by status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are the contract's words")]
pub struct SeatCounts {
    pub total: u64,
    pub available: u64,
    pub held: u64,
    pub reserved: u64,
    pub blocked: u64,
}

/// What a fact changed of a map. Seats are told as places in chart order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// What these are.
    Seats(Vec<usize>),
    /// The definition, but not which seats there are; and what these are.
    Definition(Vec<usize>),
    /// Which seats there are: every place means another one.
    Chart,
}

/// A SeatingEvent's seats as of a sequence. A replica has a million of them: a seat takes up nine bytes beside its row's part
/// of the chart, whoever has it, and a few more while it is held.
#[derive(Debug, Clone)]
pub struct SeatMap {
    /// The SeatingEvent.
    pub id: SeatingEventId,
    /// Its definition.
    pub definition: Arc<Definition>,
    /// Whether it is closed for good.
    pub closed: bool,
    /// Sequence of the last domain event applied.
    pub sequence: u64,
    /// How often what a sequence shows has become something else.
    pub epoch: u64,
    chart: Arc<Chart>,
    statuses: Vec<SeatStatus>,
    owners: Vec<Option<Owner>>,
    deadlines: HashMap<usize, UnixMillis>,
    sections: Vec<SeatCounts>,
}

/// Who has a seat, as a fingerprint under a key of this process: enough to tell somebody's own seats from others', and a
/// name takes up many times as much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Owner(NonZeroU64);

impl Owner {
    fn of(user: &UserId) -> Self {
        static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        Self(NonZeroU64::new(KEY.hash_one(user.as_str())).unwrap_or(NonZeroU64::MIN))
    }
}

impl SeatMap {
    /// The seats of a definition, all available: what is blocked or claimed is [`set`](Self::set).
    pub fn new(id: SeatingEventId, definition: Definition, sequence: u64) -> Result<Self, ChartError> {
        let chart = Arc::new(Chart::expand(&definition)?);
        let definition = Arc::new(definition);
        let mut sections = vec![SeatCounts::default(); definition.sections.len()];
        for row in chart.rows() {
            let seats = row.places().len() as u64;
            sections[row.section()].total += seats;
            sections[row.section()].available += seats;
        }
        let (statuses, owners) = (vec![SeatStatus::Available; chart.len()], vec![None; chart.len()]);
        let deadlines = HashMap::new();
        Ok(Self {
            id,
            definition,
            closed: false,
            sequence,
            epoch: 0,
            chart,
            statuses,
            owners,
            deadlines,
            sections,
        })
    }

    /// The seats of a SeatingEvent that has just come on the platform.
    pub fn created(e: &SeatingEventDefined, sequence: u64) -> Result<Self, ChartError> {
        let mut map = Self::new(e.event_id.clone(), e.definition.clone(), sequence)?;
        let (blocks, _) = block_changes(e, None);
        for key in blocks.keys() {
            map.set(key, &SeatView::Blocked);
        }
        Ok(map)
    }

    /// Applies a fact and says what it changed.
    ///
    /// # Errors
    /// The chart of an `event.updated` that does not expand.
    pub fn apply(&mut self, event: &DomainEvent, sequence: u64) -> Result<Changed, ChartError> {
        let changed = match project(event) {
            Projected::Defined(defined) => self.redefine(defined)?,
            // Whoever keeps the map forgets it; whoever still looks at it sees that nothing more is sold.
            Projected::Closed | Projected::Purged => {
                self.closed = true;
                Changed::Seats(vec![])
            }
            Projected::Seat { seat, to } => Changed::Seats(self.set(seat.key(), &to).into_iter().collect()),
            // It says the whole state of each, also of one whose hold was not to be read.
            Projected::Extended { seats, user, hold, expires_at } => {
                let to = SeatView::Held { user: user.clone(), hold: hold.clone(), expires_at };
                Changed::Seats(seats.iter().filter_map(|seat| self.set(seat.key(), &to)).collect())
            }
            Projected::Reserved(_) | Projected::Cancelled(_) | Projected::Nothing => Changed::Seats(vec![]),
        };
        self.sequence = sequence;
        Ok(changed)
    }

    /// Sets what a seat is; its place, if the chart has it.
    pub fn set(&mut self, key: &str, to: &SeatView) -> Option<usize> {
        let place = self.chart.position(key)?;
        let deadline = match to {
            SeatView::Held { expires_at, .. } => Some(*expires_at),
            SeatView::Available | SeatView::Reserved { .. } | SeatView::Blocked => None,
        };
        self.put(place, to.status(), to.user().map(Owner::of), deadline);
        Some(place)
    }

    fn put(
        &mut self,
        place: usize,
        to: SeatStatus,
        owner: Option<Owner>,
        deadline: Option<UnixMillis>,
    ) -> Option<()> {
        let section = self.chart.seat(place)?.section();
        let counts = self.sections.get_mut(section)?;
        let status = self.statuses.get_mut(place)?;
        *counts.of(*status) -= 1;
        *counts.of(to) += 1;
        *status = to;
        self.owners[place] = owner;
        match deadline {
            Some(deadline) => drop(self.deadlines.insert(place, deadline)),
            None => drop(self.deadlines.remove(&place)),
        }
        Some(())
    }

    fn redefine(&mut self, e: &SeatingEventDefined) -> Result<Changed, ChartError> {
        let is_alike = e.definition.seats_hash() == self.definition.seats_hash();
        let (blocks, unblocks) = block_changes(e, Some(&self.definition));
        if is_alike {
            self.definition = Arc::new(e.definition.clone());
            self.closed = false;
        } else {
            let mut next = Self::new(self.id.clone(), e.definition.clone(), self.sequence)?;
            next.epoch = self.epoch;
            for (place, seat) in self.chart.seats().enumerate() {
                let status = self.statuses[place];
                if status == SeatStatus::Available {
                    continue;
                }
                if let Some(new) = next.chart.position(&seat.key()) {
                    next.put(new, status, self.owners[place], self.deadlines.get(&place).copied());
                }
            }
            *self = Self { epoch: self.epoch, ..next };
        }
        let mut changed = vec![];
        let unblocked = unblocks.iter().map(|key| (key, &SeatView::Available));
        for (key, to) in unblocked.chain(blocks.keys().map(|key| (key, &SeatView::Blocked))) {
            let has_owner = |place: usize| self.owners.get(place).is_some_and(Option::is_some);
            if self.chart.position(key).is_some_and(|place| !has_owner(place)) {
                changed.extend(self.set(key, to));
            }
        }
        Ok(if is_alike { Changed::Definition(changed) } else { Changed::Chart })
    }

    /// The seats of the chart, in order.
    pub const fn chart(&self) -> &Arc<Chart> {
        &self.chart
    }

    /// What the seat at a place in chart order is.
    pub fn status(&self, place: usize) -> Option<SeatStatus> {
        self.statuses.get(place).copied()
    }

    /// What the seats are, in chart order.
    pub fn statuses(&self) -> &[SeatStatus] {
        &self.statuses
    }

    /// Whether `user` holds the seat at a place in chart order, or has it.
    pub fn is_owner(&self, user: &UserId, place: usize) -> bool {
        self.owners.get(place).is_some_and(|owner| *owner == Some(Owner::of(user)))
    }

    /// Until when the seat at a place in chart order is held, if it is.
    pub fn deadline(&self, place: usize) -> Option<UnixMillis> {
        self.deadlines.get(&place).copied()
    }

    /// Seats by status.
    pub fn counts(&self) -> SeatCounts {
        self.sections.iter().copied().fold(SeatCounts::default(), SeatCounts::and)
    }

    /// Seats by status, of each section of the definition.
    pub fn sections(&self) -> &[SeatCounts] {
        &self.sections
    }

    /// Where the sale stands at `now`.
    pub fn phase(&self, now: UnixMillis) -> Phase {
        self.definition.phase(self.closed, self.counts().available, now)
    }
}

impl SeatCounts {
    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            total: self.total + other.total,
            available: self.available + other.available,
            held: self.held + other.held,
            reserved: self.reserved + other.reserved,
            blocked: self.blocked + other.blocked,
        }
    }

    const fn of(&mut self, status: SeatStatus) -> &mut u64 {
        match status {
            SeatStatus::Available => &mut self.available,
            SeatStatus::Held => &mut self.held,
            SeatStatus::Reserved => &mut self.reserved,
            SeatStatus::Blocked => &mut self.blocked,
        }
    }
}
