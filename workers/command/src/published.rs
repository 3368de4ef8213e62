//! Waiting until domain events are on the log.
//!
//! A reserve that promises `log` waits here for the watermark that the relay, of this process or of another one,
//! advances and announces. Announcements are a hint: of all who wait for a SeatingEvent one also asks the store, at
//! first and whenever it has heard nothing for a while. A sequence is one of a history's: where the store has another
//! one meanwhile, the wait ends. What waited may also be dropped under the same history, because the log had something
//! else in its place: so whoever reached its sequence asks at last whether it still stands. Where many wait for a
//! SeatingEvent of which nothing comes, no more do: what it takes in places to wait, others lack.
//!
//! The relay of this process says which commands it has appended itself, as soon as the log has them: whose command is among
//! them ([`Own`]) needs neither watermark nor question.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use boxoffice_domain::{SeatingEventId, UnixMillis};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout, timeout_at};
use uuid::Uuid;

use crate::store::{History, Outbox, Signal, StoreError};

/// Longest wait. Kafka's hiccups are shorter, and the caller's patience is not much longer.
pub const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How often the store is asked when nothing is announced.
const POLL: Duration = Duration::from_millis(250);
/// After so long without news of a SeatingEvent no more than so many wait for it: the log is away for it.
const AWAY: (Duration, usize) = (Duration::from_secs(1), 64);

/// Why the wait ended in vain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreached {
    /// The events did not reach the log in time; they will later.
    #[error("sequence {sequence} is not on the log yet: {reached} is")]
    NotYet {
        /// What was waited for.
        sequence: u64,
        /// What is.
        reached: u64,
    },
    /// The store has another history now, in which the sequence may be another event's.
    #[error("sequence {sequence} was given under a history that the store no longer has")]
    AnotherHistory {
        /// What was waited for.
        sequence: u64,
    },
}

/// What one does who wants to know of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Waits until it is reached, [`LONGEST_WAIT`] at most.
    Waits,
    /// Takes what the store says now.
    Asks,
}

/// Whose watermark: a SeatingEvent's, under one history.
type Whose = (SeatingEventId, History);

/// What is known of a watermark.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Progress {
    reached: u64,
    /// Whether the store has said so since somebody waits.
    is_asked: bool,
    /// Whether the store has another history.
    is_over: bool,
}

impl Progress {
    fn is_news(self, sequence: u64) -> bool {
        self.is_over || self.reached >= sequence
    }

    fn of(self, sequence: u64) -> Result<(), Unreached> {
        match self {
            Self { reached, .. } if reached >= sequence => Ok(()),
            Self { is_over: true, .. } => Err(Unreached::AnotherHistory { sequence }),
            Self { reached, .. } => Err(Unreached::NotYet { sequence, reached }),
        }
    }
}

/// A watermark that somebody waits for.
struct Awaited {
    progress: watch::Sender<Progress>,
    /// When it moved last, or somebody began to wait.
    moved: Mutex<Instant>,
    /// The turn of whoever asks for all of them, and when the store was asked last.
    asking: tokio::sync::Mutex<Option<Instant>>,
}

impl Default for Awaited {
    fn default() -> Self {
        let asking = tokio::sync::Mutex::default();
        Self { progress: watch::Sender::default(), moved: Mutex::new(Instant::now()), asking }
    }
}

impl Awaited {
    fn advance(&self, upto: u64) {
        let has_moved = self.progress.send_if_modified(|known| {
            let is_news = known.reached < upto;
            known.reached = upto.max(known.reached);
            is_news
        });
        if has_moved {
            *self.moved.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
    }

    /// Whether enough wait already for what does not come.
    fn is_away(&self) -> bool {
        let (silence, crowd) = AWAY;
        let moved = *self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        self.progress.receiver_count() >= crowd && moved.elapsed() >= silence
    }
}

/// The watermarks that somebody waits for, and the commands.
pub struct Published {
    outbox: Arc<dyn Outbox>,
    awaited: Mutex<HashMap<Whose, Arc<Awaited>>>,
    commands: Mutex<HashMap<Uuid, oneshot::Sender<()>>>,
}

/// A command of somebody who waits until its events are on the log.
pub struct Own<'a> {
    published: &'a Published,
    command: Uuid,
    told: oneshot::Receiver<()>,
}

impl Own<'_> {
    /// Returns when the relay of this process has appended them; never where another one does.
    pub async fn is_on_log(&mut self) {
        if (&mut self.told).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Own<'_> {
    fn drop(&mut self) {
        self.published.commands().remove(&self.command);
    }
}

impl Published {
    /// Nobody waits yet.
    pub fn new(outbox: Arc<dyn Outbox>) -> Arc<Self> {
        Arc::new(Self { outbox, awaited: Mutex::default(), commands: Mutex::default() })
    }

    /// Somebody is going to wait for the events of `command`: to be said before it is given.
    pub fn awaits(&self, command: Uuid) -> Own<'_> {
        let (tell, told) = oneshot::channel();
        self.commands().insert(command, tell);
        Own { published: self, command, told }
    }

    /// All events of these commands are on the log, for this process has appended them.
    pub fn appended(&self, commands: &[Uuid]) {
        let mut waiting = self.commands();
        if waiting.is_empty() {
            return;
        }
        for tell in commands.iter().filter_map(|command| waiting.remove(command)) {
            // Whoever waited may be gone.
            tell.send(()).ok();
        }
    }

    /// Hears announcements, for ever.
    pub async fn listen(self: Arc<Self>) {
        let mut signals = self.outbox.signals();
        loop {
            match signals.recv().await {
                Ok(Signal::Published(event, history, upto)) => {
                    if let Some(awaited) = self.awaited().get(&(event, history)) {
                        awaited.advance(upto);
                    }
                }
                Ok(Signal::Wrote(_) | Signal::Awaited(_) | Signal::Missed) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// The history under which what is written from now on has its sequence, or a later one: to be asked before.
    pub async fn history(&self, event: &SeatingEventId) -> Result<History, StoreError> {
        self.outbox.history(event).await
    }

    /// Returns when every domain event of `event` up to `sequence`, given under `history`, is on the log.
    pub async fn reached(
        &self,
        event: &SeatingEventId,
        history: History,
        sequence: u64,
    ) -> Result<(), Unreached> {
        let whose = (event.clone(), history);
        if self.is_away(&whose) {
            let (event, history) = whose;
            return self.has_reached(&event, history, sequence).await;
        }
        let is_enough = |progress: &Progress| progress.is_news(sequence);
        self.wait(&whose, LONGEST_WAIT, is_enough).await.of(sequence)
    }

    /// The same for whoever may not wait: what the store says now.
    pub async fn has_reached(
        &self,
        event: &SeatingEventId,
        history: History,
        sequence: u64,
    ) -> Result<(), Unreached> {
        let is_enough = |progress: &Progress| progress.is_asked || progress.is_news(sequence);
        self.wait(&(event.clone(), history), POLL, is_enough).await.of(sequence)
    }

    /// Whether what was written `at` that moment of the SeatingEvent's time, under `history`, is what has its sequence on the
    /// log: to be asked when that was reached. Where the log had something else in its place it was dropped, and the sequence
    /// is another's.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn stands(
        &self,
        event: &SeatingEventId,
        history: &History,
        at: UnixMillis,
    ) -> Result<bool, StoreError> {
        let (now, dropped) = self.outbox.dropped(event).await?;
        Ok(now == *history && at > dropped)
    }

    /// Whether what was written `at` that moment, under `history`, is on the log as `sequence`: it was reached, and what was
    /// written stands.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn is_logged(
        &self,
        event: &SeatingEventId,
        history: &History,
        (sequence, at): (u64, UnixMillis),
        patience: Patience,
    ) -> Result<Result<(), Unreached>, StoreError> {
        let reached = match patience {
            Patience::Waits => self.reached(event, history.clone(), sequence).await,
            Patience::Asks => self.has_reached(event, history.clone(), sequence).await,
        };
        if reached.is_ok() && !self.stands(event, history, at).await? {
            return Ok(Err(Unreached::AnotherHistory { sequence }));
        }
        Ok(reached)
    }

    /// What is known of a watermark when that is enough, or when `patience` is over.
    async fn wait(
        &self,
        whose: &Whose,
        patience: Duration,
        is_enough: impl FnMut(&Progress) -> bool,
    ) -> Progress {
        // Dropped in reverse: the subscription first, also when the caller goes away while waiting.
        let _subscription_ends = Forget(self, whose);
        let (awaited, mut progress) = self.subscribe(whose);
        let waiting = async {
            tokio::select! {
                _ = progress.wait_for(is_enough) => {}
                () = self.ask(whose, &awaited) => {}
            }
        };
        drop(timeout(patience, waiting).await);
        *awaited.progress.borrow()
    }

    /// Asks the store for all who wait, when it is this one's turn: at first, then whenever nothing was announced for a
    /// while. Returns when the store has another history.
    async fn ask(&self, (event, history): &Whose, awaited: &Awaited) {
        let progress = &awaited.progress;
        let mut asked = awaited.asking.lock().await;
        let mut announced = progress.subscribe();
        loop {
            if let Some(mut heard) = *asked {
                // An announcement says how far it got; only silence is a reason to ask.
                while timeout_at(heard + POLL, announced.changed()).await.is_ok() {
                    heard = Instant::now();
                }
            }
            let upto = self.outbox.watermark(event).await;
            // Asked after the watermark: a history that the store still has is the one that this was read under.
            match (upto, self.outbox.history(event).await) {
                (Err(StoreError::Recovering), _) => break,
                (_, Ok(now)) if now != *history => break,
                (Ok(upto), Ok(_)) => awaited.advance(upto),
                // One that does not answer is asked again.
                (Err(_), _) | (_, Err(_)) => {}
            }
            progress.send_if_modified(|known| !std::mem::replace(&mut known.is_asked, true));
            announced.mark_unchanged();
            *asked = Some(Instant::now());
        }
        progress.send_modify(|known| known.is_over = true);
    }

    fn subscribe(&self, whose: &Whose) -> (Arc<Awaited>, watch::Receiver<Progress>) {
        let mut all = self.awaited();
        let awaited = Arc::clone(all.entry(whose.clone()).or_default());
        let progress = awaited.progress.subscribe();
        (awaited, progress)
    }

    fn is_away(&self, whose: &Whose) -> bool {
        self.awaited().get(whose).is_some_and(|awaited| awaited.is_away())
    }

    fn awaited(&self) -> MutexGuard<'_, HashMap<Whose, Arc<Awaited>>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn commands(&self) -> MutexGuard<'_, HashMap<Uuid, oneshot::Sender<()>>> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets a watermark that nobody waits for any more.
struct Forget<'a>(&'a Published, &'a Whose);

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        let mut awaited = self.0.awaited();
        if awaited.get(self.1).is_some_and(|awaited| awaited.progress.receiver_count() == 0) {
            awaited.remove(self.1);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;
    use crate::testing::{Memory, provisioned};

    async fn publish(store: &Memory, event: &SeatingEventId, upto: u64) {
        store.published(event, upto, 0).await.unwrap();
    }

    async fn waiting() -> (Arc<Memory>, Arc<Published>, SeatingEventId) {
        let store = Arc::new(Memory::default());
        let event = provisioned(&store).await;
        (Arc::clone(&store), Published::new(store), event)
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_on_the_log_already_is_not_waited_for() {
        let (store, published, event) = waiting().await;
        publish(&store, &event, 1).await;
        let before = Instant::now();
        assert_eq!(published.reached(&event, History::default(), 1).await, Ok(()));
        assert_eq!(before.elapsed(), Duration::ZERO);
        assert!(published.awaited().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn where_many_wait_for_what_does_not_come_no_more_do() {
        let (_store, published, event) = waiting().await;
        let wait = |event: &SeatingEventId| {
            let (published, event) = (Arc::clone(&published), event.clone());
            tokio::spawn(async move {
                let (begun, history) = (Instant::now(), History::default());
                (published.reached(&event, history, 9).await.is_err(), begun.elapsed())
            })
        };
        let (silence, most) = AWAY;
        let crowd: Vec<_> = (0..most).map(|_| wait(&event)).collect();
        tokio::time::sleep(silence / 2).await;
        assert!(!published.is_away(&(event.clone(), History::default())), "it may come");
        tokio::time::sleep(silence / 2).await;
        assert_eq!(wait(&event).await.unwrap(), (true, Duration::ZERO));
        assert_eq!(wait(&"matinee".parse().unwrap()).await.unwrap(), (true, LONGEST_WAIT), "of another one");
        for waited in crowd {
            assert_eq!(waited.await.unwrap(), (true, LONGEST_WAIT));
        }
        assert!(published.awaited().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_may_not_wait_is_told_how_far_it_is() {
        let (store, published, event) = waiting().await;
        let now = |sequence| published.has_reached(&event, History::default(), sequence);
        let before = Instant::now();
        assert_eq!(now(1).await, Err(Unreached::NotYet { sequence: 1, reached: 0 }));
        publish(&store, &event, 1).await;
        assert_eq!(now(1).await, Ok(()));
        store.begin_anew("second");
        assert_eq!(now(1).await, Err(Unreached::AnotherHistory { sequence: 1 }));
        assert_eq!(before.elapsed(), Duration::ZERO);
        assert!(published.awaited().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn whose_command_this_process_appended_needs_no_question() {
        let (store, published, _) = waiting().await;
        let [mine, others, nobodys] = [1, 2, 3].map(Uuid::from_u128);
        let (mut mine_waits, mut other_waits) = (published.awaits(mine), published.awaits(others));
        published.appended(&[nobodys, mine]);
        mine_waits.is_on_log().await;
        assert!(
            timeout(LONGEST_WAIT, other_waits.is_on_log()).await.is_err(),
            "another process may append it"
        );
        drop((mine_waits, other_waits));
        assert!(published.commands().is_empty());
        assert_eq!(store.asked(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_announcement_ends_the_wait_at_once() {
        let (store, published, event) = waiting().await;
        let listening = tokio::spawn(Arc::clone(&published).listen());
        let before = Instant::now();
        let publishing = async {
            tokio::time::sleep(Duration::from_millis(40)).await;
            publish(&store, &event, 1).await;
        };
        let (reached, ()) = tokio::join!(published.reached(&event, History::default(), 1), publishing);
        assert_eq!((reached, before.elapsed()), (Ok(()), Duration::from_millis(40)));
        listening.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_announcement_costs_a_quarter_of_a_second() {
        let (store, published, event) = waiting().await;
        store.hush(true);
        let before = Instant::now();
        let publishing = async {
            tokio::time::sleep(Duration::from_millis(40)).await;
            publish(&store, &event, 1).await;
        };
        let (reached, ()) = tokio::join!(published.reached(&event, History::default(), 1), publishing);
        assert_eq!((reached, before.elapsed()), (Ok(()), POLL));
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_ends_after_five_seconds_also_while_the_store_is_away() {
        let (store, published, event) = waiting().await;
        for away in [false, true] {
            store.fail(away);
            let before = Instant::now();
            assert_eq!(
                published.reached(&event, History::default(), 1).await,
                Err(Unreached::NotYet { sequence: 1, reached: 0 })
            );
            assert_eq!(before.elapsed(), LONGEST_WAIT);
        }
        assert!(published.awaited().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn i7_another_history_ends_the_wait_though_it_has_the_sequence_on_the_log() {
        let (store, published, event) = waiting().await;
        let listening = tokio::spawn(Arc::clone(&published).listen());
        let begins_anew = async {
            tokio::time::sleep(Duration::from_millis(40)).await;
            store.begin_anew("second");
            publish(&store, &event, 1).await;
        };
        let before = Instant::now();
        let (reached, ()) = tokio::join!(published.reached(&event, History::default(), 1), begins_anew);
        assert_eq!((reached, before.elapsed()), (Err(Unreached::AnotherHistory { sequence: 1 }), POLL));
        assert_eq!(published.reached(&event, History::named("second"), 1).await, Ok(()));
        listening.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn i7_what_was_dropped_does_not_stand_though_the_log_has_its_sequence() {
        let (store, published, event) = waiting().await;
        publish(&store, &event, 1).await;
        let stands = async |at| published.stands(&event, &History::default(), at).await.unwrap();
        assert!(stands(1).await, "nothing ever was");
        store.drop_up_to(7);
        assert!(!stands(7).await && stands(8).await);
        assert_eq!(
            published.reached(&event, History::default(), 1).await,
            Ok(()),
            "the sequence alone says nothing"
        );
        store.begin_anew("second");
        assert!(!stands(8).await, "another history may have anything there");
    }

    #[tokio::test(start_paused = true)]
    async fn i7_a_store_that_reads_seats_back_ends_the_wait() {
        let (store, published, event) = waiting().await;
        store.fail_by(|| StoreError::Recovering);
        let ended = published.reached(&event, History::default(), 1).await;
        assert_eq!(ended, Err(Unreached::AnotherHistory { sequence: 1 }));
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_goes_away_leaves_nothing_behind() {
        let (_store, published, event) = waiting().await;
        let gone = timeout(Duration::from_secs(1), published.reached(&event, History::default(), 1)).await;
        assert!(gone.is_err());
        assert!(published.awaited().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn many_who_wait_for_one_seating_event_ask_once() {
        let (store, published, event) = waiting().await;
        store.hush(true);
        let waits = (0..100).map(|_| published.reached(&event, History::default(), 1));
        let publishing = async {
            tokio::time::sleep(Duration::from_millis(40)).await;
            assert_eq!(store.asked(), 1);
            let now = (0..100).map(|_| published.has_reached(&event, History::default(), 1));
            let not_yet = Err(Unreached::NotYet { sequence: 1, reached: 0 });
            assert!(join_all(now).await.into_iter().all(|known| known == not_yet));
            publish(&store, &event, 1).await;
        };
        let (reached, ()) = tokio::join!(join_all(waits), publishing);
        assert_eq!(reached, vec![Ok(()); 100]);
        assert_eq!(store.asked(), 2, "at first, and after a quarter of a second without an announcement");
        assert!(published.awaited().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_next_does_so_when_it_is_time() {
        let (store, published, event) = waiting().await;
        store.hush(true);
        let patience = |millis| Duration::from_millis(millis);
        let one = async |millis| {
            let reached = published.reached(&event, History::default(), 1);
            timeout(patience(millis), reached).await.is_err()
        };
        assert_eq!(tokio::join!(one(100), one(200), one(300), one(600)), (true, true, true, true));
        assert_eq!(store.asked(), 3, "at first, after 250 ms and after 500 ms, whoever had left by then");
    }
}
