//! The loop beside the loop: takes lanes that are due, carries out what they say side by side, settles what came of it.
//!
//! While jobs go on nothing is settled and nothing taken, and while it settles and takes, jobs end: batches grow with the
//! load. What cannot be settled waits for the store, and nothing is taken meanwhile.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::backoff::growing;
use super::gate::Gate;
use super::metrics::EffectMetrics;
use super::postgres::{Clock, PgEffectStore};
use super::{EffectStore, Lease, Verdict, Work};

/// Most lanes taken at once.
const BATCH: usize = 128;
/// How long what another member left due may wait.
const POLL: Duration = Duration::from_secs(1);
/// Back-off while the store is away: doubled from the first to the last.
const FIRST: Duration = Duration::from_millis(100);
const LAST: Duration = Duration::from_secs(5);

/// See the module.
pub struct Engine<S, W> {
    /// Where lanes are kept.
    pub store: S,
    /// What they mean.
    pub work: Arc<W>,
    /// Told when lanes may be due that were not.
    pub more: Arc<Notify>,
    /// To be told when something was announced.
    pub announced: Arc<Notify>,
    /// What is counted.
    pub metrics: EffectMetrics,
}

/// What a handler does beside the loop, made of what only its process knows.
pub type Beside = Box<dyn FnOnce(Surroundings) -> BoxFuture<'static, ()> + Send>;

/// What a process tells what goes on beside its loop.
pub struct Surroundings {
    /// The handler's database.
    pub database: PgConnectOptions,
    /// Told after every batch that was committed.
    pub more: Arc<Notify>,
    /// To be told when something was announced.
    pub announced: Arc<Notify>,
    /// What is counted.
    pub metrics: EffectMetrics,
    /// When to stop.
    pub stop: CancellationToken,
}

/// What carries out the work that `work` makes, on PostgreSQL.
pub fn beside<W: Work>(work: impl FnOnce(EffectMetrics) -> W + Send + 'static) -> Beside {
    Box::new(move |Surroundings { database, more, announced, metrics, stop }| {
        let store = PgEffectStore::new(database, Clock::Server);
        let work = Arc::new(work(metrics.clone()));
        Box::pin(Engine { store, work, more, announced, metrics }.run(stop))
    })
}

/// What is in hand.
struct Hand<W: Work> {
    running: JoinSet<(Lease, W::Outcome)>,
    ended: Vec<(Lease, W::Outcome)>,
    gate: Gate,
    failures: u32,
}

impl<S: EffectStore, W: Work> Engine<S, W> {
    /// Works until `stop`; what is in hand is finished.
    pub async fn run(self, stop: CancellationToken) {
        let gate = Gate::new(self.work.side_by_side());
        let mut hand = Hand { running: JoinSet::new(), ended: vec![], gate, failures: 0 };
        loop {
            let settled = self.settle(&mut hand).await;
            if stop.is_cancelled() && hand.running.is_empty() && hand.ended.is_empty() {
                return;
            }
            let wait = match settled {
                Ok(()) if stop.is_cancelled() => POLL,
                Ok(()) => self.take(&mut hand).await,
                Err(wait) => wait,
            };
            if wait.is_zero() {
                continue;
            }
            tokio::select! {
                Some(ended) = hand.running.join_next(), if !hand.running.is_empty() => {
                    self.ended(&mut hand, ended);
                    while let Some(ended) = hand.running.try_join_next() {
                        self.ended(&mut hand, ended);
                    }
                }
                // What was committed may have been announced too.
                () = self.more.notified() => self.announced.notify_one(),
                () = stop.cancelled(), if !stop.is_cancelled() => {}
                () = sleep(wait) => {}
            }
        }
    }

    fn ended(&self, hand: &mut Hand<W>, ended: Result<(Lease, W::Outcome), tokio::task::JoinError>) {
        let (lease, outcome) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(%error, "an effect broke off: it is tried again when its lease ends");
                return;
            }
        };
        let (verdict, was_closed) = (self.work.verdict(&outcome), hand.gate.is_closed());
        hand.gate.told(verdict, Instant::now());
        self.metrics.carried_out.inc();
        if verdict == Verdict::Troubled {
            self.metrics.troubled.inc();
        }
        if hand.gate.is_closed() != was_closed {
            self.metrics.closed.set(i64::from(hand.gate.is_closed()));
            match (hand.gate.is_gone(), hand.gate.is_closed()) {
                (true, _) => {
                    self.metrics.alarms.inc();
                    tracing::error!(
                        "the other side answered 410 Gone: nothing more goes there until this worker is started again"
                    );
                }
                (false, true) => tracing::warn!("the other side fails again and again: one probe at a time"),
                (false, false) => tracing::info!("the other side is there again"),
            }
        }
        hand.ended.push((lease, outcome));
    }

    /// Settles what has ended; how long to wait where that failed.
    async fn settle(&self, hand: &mut Hand<W>) -> Result<(), Duration> {
        if hand.ended.is_empty() {
            return Ok(());
        }
        match self.store.settle(&*self.work, &hand.ended).await {
            Ok(settled) => {
                (hand.ended, hand.failures) = (vec![], 0);
                self.metrics.lost.inc_by(settled.lost as u64);
                self.metrics.parked.inc_by(settled.parked as u64);
                if settled.lost > 0 {
                    tracing::warn!(
                        lanes = settled.lost,
                        "effects outlasted their lease: others have them now"
                    );
                }
                if settled.announced {
                    self.announced.notify_one();
                }
                Ok(())
            }
            Err(error) => {
                let wait = growing(FIRST, LAST, hand.failures);
                hand.failures = hand.failures.saturating_add(1);
                tracing::warn!(%error, retry_in = ?wait, "what effects came to is not written yet");
                Err(wait)
            }
        }
    }

    /// Takes what is due and begins it; how long to wait for more.
    async fn take(&self, hand: &mut Hand<W>) -> Duration {
        let now = Instant::now();
        let free = hand.gate.free(hand.running.len(), now).min(BATCH);
        if free == 0 {
            return hand.gate.wait(now).filter(|wait| !wait.is_zero()).unwrap_or(POLL).min(POLL);
        }
        match self.store.take(&*self.work, free).await {
            Ok(taken) => {
                hand.failures = 0;
                if taken.announced {
                    self.announced.notify_one();
                }
                for (lease, job) in taken.jobs {
                    let work = Arc::clone(&self.work);
                    hand.running.spawn(async move { (lease, work.carry_out(job).await) });
                }
                let is_more = taken.looked_at == free && hand.gate.free(hand.running.len(), now) > 0;
                if is_more { Duration::ZERO } else { taken.next.unwrap_or(POLL).clamp(FIRST / 10, POLL) }
            }
            Err(error) => {
                let wait = growing(FIRST, LAST, hand.failures);
                hand.failures = hand.failures.saturating_add(1);
                tracing::warn!(%error, retry_in = ?wait, "nothing is taken");
                wait
            }
        }
    }
}
