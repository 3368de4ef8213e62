//! Waiting until what was written is on disk (WAITAOF) or on replicas (WAIT), for many commands at once.
//!
//! Both commands speak of what their own connection wrote before, and block it. So nobody else writes here: a round
//! writes one key and waits for that. Whatever a server executed before the round began, on any connection, comes
//! before that key in its append-only file and in its replicas' stream, and is covered: also the write that a repeated
//! command only reports. Everybody who asks during a round shares the next one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::RedisResult;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::RedisStore;
use super::fsync::Fsync;
use super::link::{Connector, Link};
use super::slots::Shard;
use crate::durability::{Durability, Guarantee};
use crate::store::{History, StoreError};

/// How long one round waits in Redis.
const ROUND: Duration = Duration::from_millis(1500);
/// Longest wait of a command: for the end of the round before its own, and for its own.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// Waiters that may stand in line.
const LINE: usize = 65_536;

/// What a write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// The end of the server, by its disk.
    Disk,
    /// The loss of the server, by so many replicas.
    Replicas(u8),
}

impl Level {
    /// The level that a guarantee asks of Redis, where it asks for more than the script's answer.
    pub fn of(guarantee: Guarantee) -> Option<Self> {
        match guarantee {
            Guarantee::Fsync => Some(Self::Disk),
            Guarantee::Replicas(count) => Some(Self::Replicas(count)),
            Guarantee::Redis | Guarantee::Log => None,
        }
    }

    /// What the log must not run ahead of.
    pub fn all(durability: Durability) -> Vec<Self> {
        let mut levels: Vec<_> =
            [durability.hold, durability.reserve].into_iter().filter_map(Self::of).collect();
        levels.dedup();
        levels
    }
}

type Key = (Shard, Level);

/// The barriers of all servers, made when first needed.
#[derive(Default)]
pub struct Barriers(Mutex<HashMap<Key, Arc<Barrier>>>);

struct Barrier {
    line: mpsc::Sender<Waiter>,
    rounds: AbortOnDropHandle<()>,
}

/// Somebody who wants to know whether what was written in `history` is safe.
struct Waiter {
    history: History,
    done: oneshot::Sender<Result<(), StoreError>>,
}

impl RedisStore {
    /// Returns when everything that was done so far, in `history`, to the SeatingEvents of `slot` is safe.
    pub(super) async fn secure(&self, slot: u16, level: Level, history: &History) -> Result<(), StoreError> {
        let unavailable = |reason: &str| StoreError::Unavailable(reason.to_owned());
        let shard =
            self.topology.shard_of(slot).ok_or_else(|| unavailable("no server of the cluster has it"))?;
        let barrier = self.barrier(shard, level)?;
        let (done, answer) = oneshot::channel();
        let waited = timeout(LONGEST_WAIT, async {
            let waiter = Waiter { history: history.clone(), done };
            barrier.line.send(waiter).await.map_err(|_| unavailable("the barrier ended"))?;
            answer.await.map_err(|_| unavailable("the barrier ended"))?
        });
        waited.await.unwrap_or_else(|_| Err(unsecured(level)))
    }

    fn barrier(&self, shard: Shard, level: Level) -> Result<Arc<Barrier>, StoreError> {
        let mut barriers = self.barriers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(barrier) = barriers.get(&(shard.clone(), level))
            && !barrier.rounds.is_finished()
        {
            return Ok(Arc::clone(barrier));
        }
        // Servers that are no masters any more need none.
        let masters = self.topology.shards();
        barriers.retain(|(shard, _), _| masters.contains(shard));
        let connector = self.topology.connector_apart(&shard.node)?;
        let (line, waiters) = mpsc::channel(LINE);
        let rounds = tokio::spawn(rounds(connector, level, self.keys.barrier(shard.first_slot), waiters));
        let barrier = Arc::new(Barrier { line, rounds: AbortOnDropHandle::new(rounds) });
        barriers.insert((shard, level), Arc::clone(&barrier));
        Ok(barrier)
    }
}

/// Round after round, as long as somebody waits.
async fn rounds(connector: Connector, level: Level, key: String, mut waiters: mpsc::Receiver<Waiter>) {
    let mut waiting = Vec::new();
    while waiters.recv_many(&mut waiting, LINE).await > 0 {
        let round = round(&connector, level, &key).await;
        for Waiter { history, done } in waiting.drain(..) {
            let answer = match &round {
                Ok((now, _)) if *now != history => Err(StoreError::Unavailable(
                    "redis began anew before the change was safe: it may be lost".to_owned(),
                )),
                Ok((_, true)) => Ok(()),
                Ok((_, false)) => Err(unsecured(level)),
                Err(error) => Err(StoreError::Unavailable(error.to_string())),
            };
            // Whoever waited may be gone.
            drop(done.send(answer));
        }
    }
}

/// The server's history, and whether everything before is safe there.
async fn round(connector: &Connector, level: Level, key: &str) -> Result<(History, bool), StoreError> {
    let link = connector.link().await?;
    match reached(&link, level, key).await {
        Ok(reached) => Ok((link.history.clone(), reached)),
        Err(error) => {
            link.heed(&error);
            Err(error.into())
        }
    }
}

async fn reached(link: &Link, level: Level, key: &str) -> RedisResult<bool> {
    let millis = ROUND.as_millis();
    let mut round = redis::pipe();
    round.cmd("SET").arg(key).arg("").ignore();
    let safe = match level {
        Level::Disk if link.fsync == Some(Fsync::Always) => {
            link.query_all::<()>(&round).await.map(|()| true)?
        }
        Level::Disk => {
            round.cmd("WAITAOF").arg(1).arg(0).arg(millis);
            let ((local, _),): ((u64, u64),) = link.query_all(&round).await?;
            local >= 1
        }
        Level::Replicas(count) => {
            round.cmd("WAIT").arg(count).arg(millis);
            let (replicas,): (u64,) = link.query_all(&round).await?;
            replicas >= u64::from(count)
        }
    };
    // A server that took over another's data meanwhile has made that safe, and nothing else.
    link.confirm().await?;
    Ok(safe)
}

fn unsecured(level: Level) -> StoreError {
    let why = match level {
        Level::Disk => "redis has not confirmed that it is on disk".to_owned(),
        Level::Replicas(count) => format!("fewer than {count} replicas of redis have confirmed it"),
    };
    StoreError::Unsecured { why, repeated: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_waits_for_the_same_as_answers_do() {
        let levels = |hold, reserve| Level::all(Durability { hold, reserve });
        assert_eq!(levels(Guarantee::Redis, Guarantee::Log), []);
        assert_eq!(levels(Guarantee::Fsync, Guarantee::Fsync), [Level::Disk]);
        assert_eq!(levels(Guarantee::Fsync, Guarantee::Replicas(2)), [Level::Disk, Level::Replicas(2)]);
    }
}
