//! What one consumer remembers of its effects: all of it in memory, every change of it written to the data file before
//! anybody outside hears of it.
//!
//! What is decided is decided under one lock and written before that is let go, so the file has the order of memory.
//! Leases are in memory alone: the file belongs to one process, and what that had taken is due again when it starts.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use boxoffice_consumer::effects::{
    Change, Due, EFFECTS, Effect, EffectError, EffectStore, LEASE, Lane, Lease, Moment, Settled, Taken, Work,
};
use boxoffice_domain::{Envelope, UnixMillis};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::embedded::journal::effects::{EffectChange, EffectRow};
use crate::embedded::journal::{Journal, JournalError, Ticket, Write};
use crate::embedded::seats::Clock;
use crate::embedded::views::LogPosition;

use super::file;
use super::pages::Pages;

/// See the module. Clones are the same book.
#[derive(Clone)]
pub struct Book(Arc<Shared>);

impl std::fmt::Debug for Book {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Book").field(&self.0.consumer).finish()
    }
}

struct Shared {
    consumer: Arc<str>,
    journal: Journal,
    clock: Clock,
    pages: Mutex<Pages>,
    more: Arc<Notify>,
    announced: Arc<Notify>,
}

/// What is changed under one lock, and the rows of it.
pub(super) struct Turn<'a> {
    consumer: &'a Arc<str>,
    pub(super) pages: MutexGuard<'a, Pages>,
    rows: Vec<EffectRow>,
}

impl Book {
    /// What `consumer` remembers in the data file behind `journal`.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub async fn open(journal: Journal, consumer: &str, clock: Clock) -> Result<Self, JournalError> {
        // What an earlier life of this consumer in this process wrote last may still wait to be committed.
        journal.committed(journal.write(Write::default())).await?;
        let pages = file::pages(journal.readers(), consumer).await?;
        Ok(Self(Arc::new(Shared {
            consumer: consumer.into(),
            journal,
            clock,
            pages: Mutex::new(pages),
            more: Arc::default(),
            announced: Arc::default(),
        })))
    }

    /// Told when lanes may be due that were not.
    pub fn more(&self) -> Arc<Notify> {
        Arc::clone(&self.0.more)
    }

    /// To be told when something was announced.
    pub fn announced(&self) -> Arc<Notify> {
        Arc::clone(&self.0.announced)
    }

    /// When something is decided now.
    pub(super) fn moment(&self) -> Moment {
        Moment::new((self.0.clock)(), Uuid::new_v4())
    }

    /// Whether what stands at `position` was taken in before.
    pub(super) fn is_known(&self, position: LogPosition<'_>) -> bool {
        let pages = self.0.pages();
        let next = pages.checkpoints.get(&(position.topic.to_owned(), position.partition));
        next.is_some_and(|next| position.offset < *next)
    }

    /// Changes something, with where on the log it came from, and lets it be written.
    pub(super) fn take_in<T, E>(
        &self,
        position: LogPosition<'_>,
        change: impl FnOnce(&mut Turn<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut turn = self.turn();
        let changed = change(&mut turn)?;
        turn.pages.checkpoints.insert((position.topic.to_owned(), position.partition), position.offset + 1);
        turn.row(EffectChange::Checkpoint(
            position.topic.to_owned(),
            position.partition,
            position.offset + 1,
        ));
        self.write(turn, false);
        self.0.more.notify_one();
        Ok(changed)
    }

    /// What is to be announced, at most `max`, once it is committed: the number of the last, and all of them.
    pub(super) async fn to_announce(&self, max: usize) -> Result<Option<(u64, Vec<String>)>, JournalError> {
        let (batch, ticket) = {
            let pages = self.0.pages();
            (pages.outbox.iter().take(max).cloned().collect::<Vec<_>>(), pages.written)
        };
        self.0.journal.committed(ticket).await?;
        let Some((last, _)) = batch.last() else { return Ok(None) };
        Ok(Some((*last, batch.iter().map(|(_, envelope)| envelope.clone()).collect())))
    }

    /// Announcements up to this number are on the log.
    pub(super) fn published(&self, upto: u64) {
        let mut turn = self.turn();
        while turn.pages.outbox.front().is_some_and(|(number, _)| *number <= upto) {
            turn.pages.outbox.pop_front();
        }
        turn.row(EffectChange::Published(upto));
        self.write(turn, false);
    }

    /// Lanes that were set aside, with the reason.
    pub fn parked(&self) -> Vec<(Lane, String)> {
        let pages = self.0.pages();
        let parked = pages.lanes.iter().filter_map(|(lane, page)| Some((lane.clone(), page.parked.clone()?)));
        parked.collect()
    }

    /// What is kept of a lane, as JSON.
    pub fn state(&self, lane: &Lane) -> Option<String> {
        self.0.pages().lanes.get(lane)?.state.clone()
    }

    /// Domain events that wait to be announced, as JSON.
    pub fn waiting(&self) -> Vec<String> {
        self.0.pages().outbox.iter().map(|(_, envelope)| envelope.clone()).collect()
    }

    fn turn(&self) -> Turn<'_> {
        Turn { consumer: &self.0.consumer, pages: self.0.pages(), rows: vec![] }
    }

    /// Lets the rows of a turn be written, before its lock is let go.
    fn write(&self, mut turn: Turn<'_>, sync: bool) -> Ticket {
        let write = Write { effects: std::mem::take(&mut turn.rows), sync, ..Write::default() };
        turn.pages.written = self.0.journal.write(write);
        turn.pages.written
    }

    async fn committed(&self, ticket: Ticket) -> Result<(), EffectError> {
        self.0.journal.committed(ticket).await.map_err(|error| EffectError(error.to_string()))
    }
}

impl Shared {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    fn row(&mut self, what: EffectChange) {
        self.rows.push(EffectRow { consumer: Arc::clone(self.consumer), what });
    }

    /// Domain events to announce.
    pub(super) fn announce(&mut self, announced: &[Envelope]) {
        for envelope in announced {
            // Never in practice: no payload has a key that is not text.
            let json = envelope.to_json().ok().and_then(|json| String::from_utf8(json).ok());
            let Some(json) = json else { continue };
            let number = self.number();
            self.pages.outbox.push_back((number, json.clone()));
            self.row(EffectChange::Announced(number, json));
        }
    }

    fn number(&mut self) -> u64 {
        self.pages.next += 1;
        self.pages.next
    }

    /// Hangs an effect below its lane; one that nobody knew is due at `now`.
    pub(super) fn enqueue(&mut self, lane: &Lane, envelope: String, now: UnixMillis) {
        let number = self.number();
        self.row(EffectChange::Effect(lane.clone(), number, envelope.clone()));
        let is_new = !self.pages.lanes.contains_key(lane);
        let page = self.pages.lanes.entry(lane.clone()).or_default();
        page.effects.push_back(Effect { number, envelope });
        if is_new {
            self.set_due(lane, Some(now));
            self.row_of(lane, Some(now));
        }
    }

    /// What is kept of a lane becomes this, due then; one that is taken stays so until it is settled.
    pub(super) fn keep(&mut self, lane: &Lane, state: String, due: Option<UnixMillis>) {
        let page = self.pages.lanes.entry(lane.clone()).or_default();
        page.state = Some(state);
        if page.token.is_none() {
            self.set_due(lane, due);
        }
        self.row_of(lane, due);
    }

    /// A lane becomes what `change` says; with a token it is taken until `until`.
    fn change(&mut self, lane: &Lane, change: &Change, leased: Option<(Uuid, UnixMillis)>, now: UnixMillis) {
        if let Some(upto) = change.done {
            self.row(EffectChange::Done(lane.clone(), upto));
        }
        self.announce(&change.announce);
        let Some(page) = self.pages.lanes.get_mut(lane) else { return };
        if let Some(upto) = change.done {
            while page.effects.front().is_some_and(|effect| effect.number <= upto) {
                page.effects.pop_front();
            }
        }
        (page.attempts, page.state) = (change.attempts, change.state.clone());
        (page.parked, page.token) = (change.parked.clone(), leased.map(|(token, _)| token));
        if leased.is_none() && change.due == Due::Queue && page.effects.is_empty() {
            self.set_due(lane, None);
            self.pages.lanes.remove(lane);
            self.row(EffectChange::Gone(lane.clone()));
            return;
        }
        let due = match change.due {
            Due::Queue => Some(now),
            Due::At(at) => Some(at),
            Due::Never => None,
        };
        self.set_due(lane, leased.map_or(due, |(_, until)| Some(until)));
        // A lease ends with the process.
        self.row_of(lane, leased.map_or(due, |_| Some(now)));
    }

    fn set_due(&mut self, lane: &Lane, due: Option<UnixMillis>) {
        let Pages { lanes, due: queue, .. } = &mut *self.pages;
        let Some(page) = lanes.get_mut(lane) else { return };
        if let Some(before) = page.due {
            queue.remove(&(before, lane.clone()));
        }
        page.due = due;
        queue.extend(due.map(|due| (due, lane.clone())));
    }

    fn row_of(&mut self, lane: &Lane, due: Option<UnixMillis>) {
        let Some(page) = self.pages.lanes.get(lane) else { return };
        let row = EffectChange::Lane {
            lane: lane.clone(),
            due,
            attempts: page.attempts,
            state: page.state.clone(),
            parked: page.parked.clone(),
        };
        self.row(row);
    }
}

impl EffectStore for Book {
    async fn take<W: Work>(&self, work: &W, limit: usize) -> Result<Taken<W::Job>, EffectError> {
        let (taken, ticket) = {
            let now = (self.0.clock)();
            let mut turn = self.turn();
            let due = turn.pages.due.iter().take_while(|(due, _)| *due <= now).take(limit);
            let due: Vec<Lane> = due.map(|(_, lane)| lane.clone()).collect();
            let mut taken = Taken { looked_at: due.len(), ..Taken::default() };
            for lane in due {
                let Some(held) = turn.pages.held(&lane, EFFECTS) else { continue };
                let ticket = Uuid::new_v4();
                let (change, job) = work.begin(&held, Moment::new(now, ticket));
                taken.announced |= !change.announce.is_empty();
                let leased = job.map(|job| {
                    taken.jobs.push((Lease { lane: lane.clone(), token: ticket }, job));
                    (ticket, now.saturating_add(LEASE))
                });
                turn.change(&lane, &change, leased, now);
            }
            let next = turn.pages.due.first().map(|(due, _)| due.saturating_sub(now));
            taken.next = next.map(Duration::from_millis);
            // What is begun outside has to be known here also after a power cut.
            let sync = !taken.jobs.is_empty();
            (taken, if turn.rows.is_empty() { None } else { Some(self.write(turn, sync)) })
        };
        if let Some(ticket) = ticket {
            self.committed(ticket).await?;
        }
        Ok(taken)
    }

    async fn settle<W: Work>(&self, work: &W, ended: &[(Lease, W::Outcome)]) -> Result<Settled, EffectError> {
        let (settled, ticket) = {
            let now = (self.0.clock)();
            let (mut turn, mut settled) = (self.turn(), Settled::default());
            for (lease, outcome) in ended {
                let is_mine =
                    turn.pages.lanes.get(&lease.lane).is_some_and(|page| page.token == Some(lease.token));
                let held = turn.pages.held(&lease.lane, 0).filter(|_| is_mine);
                let Some(held) = held else {
                    settled.lost += 1;
                    continue;
                };
                let change = work.end(&held, outcome, Moment::new(now, lease.token));
                settled.announced |= !change.announce.is_empty();
                settled.parked += usize::from(change.parked.is_some());
                turn.change(&lease.lane, &change, None, now);
            }
            (settled, self.write(turn, false))
        };
        self.committed(ticket).await?;
        Ok(settled)
    }
}
