//! Every record of a topic, from given offsets on, for ever and without a consumer group.
//!
//! Comes back by itself when the log was away and when the topic has grown; keeps its own place, so nothing is lost
//! or repeated by that.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use boxoffice_runtime::log::{Batch, EventLog, LogError, ReadToEnd, Tail};
use tokio::time::{sleep, timeout};

use crate::backoff::Backoff;

/// Records taken at once.
const BATCH: usize = 1_000;
/// How often a topic is looked at: whether it has new partitions, and is still the same.
const LOOK: Duration = Duration::from_secs(30);
/// Longest wait for an answer about a topic.
const ANSWER: Duration = Duration::from_secs(15);

/// A place in every partition of a topic.
pub struct Reader {
    log: Arc<dyn EventLog>,
    topic: String,
    next_offsets: BTreeMap<u32, u64>,
    /// The id of the topic that is read, as far as it is known.
    identity: Option<String>,
    open: Option<Open>,
    backoff: Backoff,
}

struct Open {
    tail: Box<dyn Tail>,
    /// Ends when the topic has more partitions than `tail` reads, or is another one.
    changed: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Reader {
    /// A reader at `next_offsets` of the topic with the id `identity`, if that is known; partitions that are not in it are read
    /// from their beginning.
    pub fn new(
        log: Arc<dyn EventLog>,
        topic: &str,
        next_offsets: BTreeMap<u32, u64>,
        identity: Option<String>,
    ) -> Self {
        let (topic, backoff) = (topic.to_owned(), Backoff::default());
        Self { log, topic, next_offsets, identity, open: None, backoff }
    }

    /// What comes next: records, or the end of a partition. Waits as long as it takes; giving up the wait
    /// loses nothing.
    ///
    /// # Errors
    /// Only [`LogError::OutOfRange`] and [`LogError::Replaced`]: the log does not have what comes next.
    pub async fn next(&mut self) -> Result<Batch, LogError> {
        loop {
            match self.read().await {
                Ok(Some(batch)) => {
                    for record in &batch.records {
                        self.next_offsets.insert(record.partition, record.offset + 1);
                    }
                    self.backoff.reset();
                    return Ok(batch);
                }
                Ok(None) => {
                    tracing::info!(topic = self.topic, "the topic has grown, or is another one");
                    self.open = None;
                }
                Err(error @ (LogError::OutOfRange { .. } | LogError::Replaced { .. })) => return Err(error),
                Err(error) => {
                    tracing::warn!(topic = self.topic, %error, "reading is interrupted");
                    self.open = None;
                    sleep(self.backoff.wait()).await;
                }
            }
        }
    }

    /// The partitions that are read, and when it was known last that nothing of them is missing.
    pub fn read_to_end(&self) -> (impl Iterator<Item = u32>, ReadToEnd) {
        let read = self.open.as_ref().map(|open| open.tail.read_to_end());
        (self.next_offsets.keys().copied(), read.unwrap_or(ReadToEnd::Known(BTreeMap::new())))
    }

    /// What comes next, or `None` where the topic has grown or is another one.
    async fn read(&mut self) -> Result<Option<Batch>, LogError> {
        let open = match &mut self.open {
            Some(open) => open,
            closed => {
                let found = identity(&self.log, &self.topic).await?;
                if let (Some(known), Some(found)) = (&self.identity, &found)
                    && known != found
                {
                    let (topic, known, found) = (self.topic.clone(), known.clone(), found.clone());
                    return Err(LogError::Replaced { topic, known, found });
                }
                self.identity = found.or_else(|| self.identity.take());
                closed.insert(
                    open(&self.log, &self.topic, &mut self.next_offsets, self.identity.clone()).await?,
                )
            }
        };
        tokio::select! {
            batch = open.tail.next(BATCH) => batch.map(Some),
            () = &mut open.changed => Ok(None),
        }
    }
}

/// Which topic that is, where it has an id.
pub async fn identity(log: &Arc<dyn EventLog>, topic: &str) -> Result<Option<String>, LogError> {
    within(log.identity(topic)).await
}

/// First offset of each partition of a topic, and how far it can be read now.
pub async fn bounds(log: &Arc<dyn EventLog>, topic: &str) -> Result<BTreeMap<u32, (u64, u64)>, LogError> {
    let mut bounds = BTreeMap::new();
    for partition in 0..within(log.partitions(topic)).await? {
        bounds.insert(partition, within(log.bounds(topic, partition)).await?);
    }
    Ok(bounds)
}

async fn open(
    log: &Arc<dyn EventLog>,
    topic: &str,
    next: &mut BTreeMap<u32, u64>,
    identity: Option<String>,
) -> Result<Open, LogError> {
    let count = within(log.partitions(topic)).await?;
    for partition in 0..count {
        if let Entry::Vacant(unknown) = next.entry(partition) {
            let (begin, _) = within(log.bounds(topic, partition)).await?;
            unknown.insert(begin);
        }
    }
    let from = next.iter().map(|(partition, offset)| (*partition, *offset)).collect();
    let tail = within(log.tail(topic, from)).await?;
    Ok(Open { tail, changed: Box::pin(changed(Arc::clone(log), topic.to_owned(), count, identity)) })
}

async fn changed(log: Arc<dyn EventLog>, topic: String, count: u32, known: Option<String>) {
    loop {
        sleep(LOOK).await;
        let now = async {
            Ok::<_, LogError>((within(log.partitions(&topic)).await?, identity(&log, &topic).await?))
        };
        match now.await {
            Ok((now, _)) if now > count => return,
            Ok((_, Some(found))) if known.as_ref().is_some_and(|known| *known != found) => return,
            Ok(_) => {}
            Err(error) => tracing::debug!(topic, %error, "it cannot be looked at now"),
        }
    }
}

async fn within<T>(answer: impl Future<Output = Result<T, LogError>>) -> Result<T, LogError> {
    let late = |_| LogError::Unavailable(format!("no answer within {} s", ANSWER.as_secs()));
    timeout(ANSWER, answer).await.map_err(late)?
}
