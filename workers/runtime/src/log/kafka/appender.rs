//! Appending under an id that one owner has at a time: a transactional producer.
//!
//! Each `append` is a transaction, so readers get all of its records or none. Kafka gives every new owner of the id a
//! higher epoch, aborts what the one before left open, and refuses whatever comes with a lower epoch. An appender that
//! fails is spent: what it still had to send is purged, and the next owner of the id, which may be the same process,
//! finds out from the log what became of the records. So it never aborts by itself: the next owner does that.

use std::collections::BTreeMap;
use std::thread;

use async_trait::async_trait;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, Producer, PurgeConfig};
use tokio::time::{Instant, sleep, timeout_at};

use super::producer::{ROOM, outgoing};
use super::trouble::Trouble;
use super::{Detached, KafkaLog, LogError, ask, explained, failed, is_fence, named, unavailable};
use crate::log::{Appender, TAKE_OVER_LIMIT};
use crate::record::NewRecord;

/// How long Kafka keeps an open transaction whose owner is silent, and with it holds up the readers of its partitions,
/// where no other owner comes.
const ABANDONED: &str = "10000";
/// Wait before another try with the coordinator, which mostly is one after a transaction that was just committed.
const BACKOFF: &str = "5";

type Client = FutureProducer<Trouble>;

/// See the module.
pub struct KafkaAppender {
    log: KafkaLog,
    id: String,
    state: State,
}

enum State {
    Owner(Detached<Client>),
    /// An append failed, or was not waited for.
    Spent,
    /// Another has taken over.
    Fenced,
}

impl KafkaAppender {
    /// Takes over `id`.
    pub async fn take_over(log: KafkaLog, id: &str) -> Result<Self, LogError> {
        let mut config = log.settings.client();
        let limit = log.settings.publish_timeout.as_millis().to_string();
        config
            .set("transactional.id", id)
            .set("transaction.timeout.ms", ABANDONED)
            .set("message.timeout.ms", limit)
            .set("acks", "all")
            .set("linger.ms", "0")
            .set("compression.type", "lz4")
            .set("retry.backoff.ms", BACKOFF)
            // A topic that is not there is an error this soon.
            .set("topic.metadata.propagation.max.ms", "1000");
        let (trouble, own) = (log.trouble.clone(), id.to_owned());
        let client = ask(&log.trouble, move || {
            let client = Client::from_config_and_context(&config, trouble).map_err(unavailable)?;
            client.init_transactions(TAKE_OVER_LIMIT).map_err(|error| untaken(error, &client, &own))?;
            Ok(client)
        });
        let client = Detached::new(client.await.map_err(|error| of(error, id))?);
        Ok(Self { log, id: id.to_owned(), state: State::Owner(client) })
    }
}

#[async_trait]
impl Appender for KafkaAppender {
    async fn append(&mut self, topic: &str, records: Vec<NewRecord>) -> Result<BTreeMap<u32, u64>, LogError> {
        // Also for one who gives up the wait.
        let client = match std::mem::replace(&mut self.state, State::Spent) {
            State::Owner(client) => client,
            State::Spent => return Err(unavailable(format!("an append as {} failed before", self.id))),
            State::Fenced => {
                self.state = State::Fenced;
                return Err(LogError::Fenced(self.id.clone()));
            }
        };
        let limit = self.log.settings.publish_timeout;
        let deadline = Instant::now() + limit;
        let appended = timeout_at(deadline, transact(client.get()?, topic, &records, deadline)).await;
        let error = match appended {
            Ok(Ok(ends)) => {
                self.state = State::Owner(client);
                return explained(Ok(ends), &self.log.trouble);
            }
            Ok(Err(error)) => error,
            Err(_) => unavailable(format!("not committed within {limit:?}")),
        };
        client.get()?.purge(PurgeConfig::default().queue().inflight().non_blocking());
        // What a delivery or a commit says of it depends on how far it got.
        let error = match client.get()?.client().fatal_error() {
            Some((code, _)) if is_fence(code) => LogError::Fenced(self.id.clone()),
            _ => of(error, &self.id),
        };
        if matches!(error, LogError::Fenced(_)) {
            self.state = State::Fenced;
        }
        explained(Err(error), &self.log.trouble)
    }
}

/// One transaction: the offsets behind its records.
async fn transact(
    client: &Client,
    topic: &str,
    records: &[NewRecord],
    deadline: Instant,
) -> Result<BTreeMap<u32, u64>, LogError> {
    if records.is_empty() {
        return Ok(BTreeMap::new());
    }
    // A word with librdkafka's own thread, none with a broker.
    client.begin_transaction().map_err(failed)?;
    let mut deliveries = Vec::with_capacity(records.len());
    for record in records {
        let queued = queue(client, topic, record).await;
        deliveries.push((record.partition, queued.map_err(|error| named(error, topic, record.partition))?));
    }
    let mut ends = BTreeMap::new();
    for (partition, delivery) in deliveries {
        match delivery.await {
            Ok(Ok(delivery)) => ends.insert(partition, delivery.offset.unsigned_abs() + 1),
            Ok(Err((error, _))) => return Err(named(failed(error), topic, partition)),
            Err(_) => return Err(unavailable("the producer is gone")),
        };
    }
    let committing = client.clone();
    let committed = tokio::task::spawn_blocking(move || {
        // A delivery counts for a moment after it was told, and one that counts would be polled for during 100 ms.
        while committing.in_flight_count() > 0 && Instant::now() < deadline {
            thread::yield_now();
        }
        committing.commit_transaction(deadline.saturating_duration_since(Instant::now()))
    });
    committed.await.map_err(unavailable)?.map_err(failed)?;
    Ok(ends)
}

/// Hands one record to librdkafka; waits for room where its queue is full.
async fn queue(client: &Client, topic: &str, record: &NewRecord) -> Result<DeliveryFuture, LogError> {
    let mut next = outgoing(topic, record)?;
    loop {
        match client.send_result(next) {
            Ok(delivery) => return Ok(delivery),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), returned)) => next = returned,
            Err((error, _)) => return Err(failed(error)),
        }
        sleep(ROOM).await;
    }
}

/// Why an id could not be taken over.
fn untaken(error: KafkaError, client: &Client, id: &str) -> LogError {
    let fatal = client.client().fatal_error().map(|(code, _)| code);
    let forbidden = Some(RDKafkaErrorCode::TransactionalIdAuthorizationFailed);
    if error.rdkafka_error_code() == forbidden || fatal == forbidden {
        return unavailable(format!(
            "kafka's ACLs do not let this user publish as {id}: allow Write and Describe on that transactional id"
        ));
    }
    failed(error)
}

/// The same error, with the id that somebody else has.
fn of(error: LogError, id: &str) -> LogError {
    match error {
        LogError::Fenced(_) => LogError::Fenced(id.to_owned()),
        other => other,
    }
}
