//! What is told of a SeatingEvent as it happens: a frame each [`TICK`](super::forms::TICK) in which something changed, made once
//! and shared by all who listen.
//!
//! A SeatingEvent has a teller as long as somebody listens. Whoever does not keep up is dropped, and comes again with what it
//! had last.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use boxoffice_domain::SeatingEventId;
use bytes::Bytes;
use tokio::sync::broadcast::{self, Receiver, Sender};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::forms::TICK;
use super::live_map::Hashes;
use super::ring::Changes;
use super::tag::Tag;
use super::{LiveMap, Views};

/// Listeners of a replica at most.
const LISTENERS: usize = 10_000;
/// How many frames a listener may be behind: about six seconds.
const BEHIND: usize = 64;
/// How often something is told where nothing changes.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// See the module.
#[derive(Debug)]
pub struct Streams {
    tellers: Mutex<HashMap<SeatingEventId, Sender<Bytes>>>,
    listeners: Arc<AtomicUsize>,
    most: usize,
    /// Ends all of them.
    stop: CancellationToken,
}

/// Too many listen already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// One who listens. As long as it is there, it counts.
#[derive(Debug)]
pub struct Listener {
    /// What is told from now on; closed when the process is about to end.
    pub frames: Receiver<Bytes>,
    place: Arc<AtomicUsize>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.place.fetch_sub(1, SeqCst);
    }
}

impl Streams {
    /// They end when `stop` is cancelled: they have no end of their own, and a process that is about to end waits for its
    /// answers.
    pub fn new(stop: CancellationToken) -> Self {
        Self::of(LISTENERS, stop)
    }

    fn of(most: usize, stop: CancellationToken) -> Self {
        Self { tellers: Mutex::default(), listeners: Arc::default(), most, stop }
    }

    /// How many listen.
    pub fn count(&self) -> usize {
        self.listeners.load(SeqCst)
    }

    /// Listens to a SeatingEvent.
    ///
    /// # Errors
    /// [`Full`].
    pub fn listen(self: &Arc<Self>, views: &Arc<Views>, live: &Arc<LiveMap>) -> Result<Listener, Full> {
        let place = Arc::clone(&self.listeners);
        let taken = place.try_update(SeqCst, SeqCst, |count| (count < self.most).then_some(count + 1));
        taken.map_err(|_| Full)?;
        let mut tellers = self.tellers.lock().unwrap_or_else(PoisonError::into_inner);
        let frames = if let Some(teller) = tellers.get(live.id()) {
            teller.subscribe()
        } else {
            let (teller, frames) = broadcast::channel(BEHIND);
            tellers.insert(live.id().clone(), teller.clone());
            // Before whoever listens looks what there is: nothing falls in between.
            let told = Told::of(live);
            let (streams, views, live) = (Arc::clone(self), Arc::clone(views), Arc::clone(live));
            tokio::spawn(async move { streams.tell(&views, &live, &teller, told).await });
            frames
        };
        Ok(Listener { frames, place })
    }

    /// Tells what changes of a SeatingEvent until nobody listens, or until it is not shown any more: one that comes back under
    /// its name is another one.
    async fn tell(&self, views: &Views, live: &Arc<LiveMap>, teller: &Sender<Bytes>, mut told: Told) {
        let mut spoken = Instant::now();
        loop {
            // From the last frame on: the tick of a clock comes the sooner the later the one before it was.
            tokio::select! {
                () = sleep(TICK) => {}
                () = self.stop.cancelled() => {}
            }
            let is_shown = views.get(live.id().as_str()).is_some_and(|shown| Arc::ptr_eq(&shown, live));
            if self.is_over(live, teller, is_shown) {
                return;
            }
            for frame in told.next(views, live) {
                spoken = Instant::now();
                // Nobody listens any more: the next tick ends it.
                drop(teller.send(frame));
            }
            if spoken.elapsed() >= HEARTBEAT {
                spoken = Instant::now();
                drop(teller.send(Bytes::from_static(b":\n\n")));
            }
        }
    }

    /// Whether nobody listens, or may listen any more; then there is no teller any more.
    fn is_over(&self, live: &LiveMap, teller: &Sender<Bytes>, is_shown: bool) -> bool {
        let mut tellers = self.tellers.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = teller.receiver_count() == 0 || !is_shown || self.stop.is_cancelled();
        if is_over {
            tellers.remove(live.id());
        }
        is_over
    }
}

/// What listeners have been told.
#[derive(Debug)]
pub struct Told {
    epoch: u64,
    sequence: u64,
    hashes: Option<Hashes>,
}

impl Told {
    /// Everything that there is.
    pub fn of(live: &LiveMap) -> Self {
        let Tag { epoch, sequence, .. } = live.tag();
        Self { epoch, sequence, hashes: Some(live.hashes()) }
    }

    /// What one has been told whose last frame had this id; of which chart it was nobody knows.
    pub const fn upto(epoch: u64, sequence: u64) -> Self {
        Self { epoch, sequence, hashes: None }
    }

    /// The frames that lead to the state of now; none where nothing changed.
    pub fn next(&mut self, views: &Views, live: &LiveMap) -> Vec<Bytes> {
        let now = live.read(|map| (map.epoch, map.sequence));
        if now == (self.epoch, self.sequence) {
            return vec![];
        }
        let mut frames = vec![];
        let hashes = live.hashes();
        if self.hashes.as_ref() != Some(&hashes) {
            let Hashes { chart, seats } = &hashes;
            let data = format!(r#"{{"chartHash":"{chart}","seatsHash":"{seats}"}}"#);
            frames.push(frame(None, "definition", &data));
            self.hashes = Some(hashes);
        }
        match views.since(live, self.sequence, self.epoch) {
            // What the ring was not told yet comes with the next tick.
            Ok(Changes { upto, .. }) if upto <= self.sequence => {}
            Ok(Changes { upto, seats }) => {
                self.sequence = upto;
                let mut data = format!(r#"{{"sequence":{upto},"epoch":{},"changes":["#, self.epoch);
                for (nth, (place, status)) in seats.into_iter().enumerate() {
                    let comma = if nth > 0 { "," } else { "" };
                    // It cannot fail: a string has room.
                    let _ = write!(data, r#"{comma}[{place},"{}"]"#, status.as_str());
                }
                data.push_str("]}");
                frames.push(frame(Some((self.epoch, upto)), "changes", &data));
            }
            Err(_) => {
                (self.epoch, self.sequence) = now;
                frames.push(reset(self.epoch, self.sequence));
            }
        }
        frames
    }
}

/// What one is told who has nothing: to load the map, as of this sequence or later.
pub fn reset(epoch: u64, sequence: u64) -> Bytes {
    frame(Some((epoch, sequence)), "reset", &format!(r#"{{"sequence":{sequence}}}"#))
}

fn frame(id: Option<(u64, u64)>, event: &str, data: &str) -> Bytes {
    let id = match id {
        Some((0, sequence)) => format!("id: {sequence}\n"),
        Some((epoch, sequence)) => format!("id: {epoch}-{sequence}\n"),
        None => String::new(),
    };
    format!("{id}event: {event}\ndata: {data}\n\n").into()
}

#[cfg(test)]
#[path = "streams_tests.rs"]
mod tests;
