//! Appending under an id that one owner has at a time: a transactional producer.
//!
//! Each `append` is a transaction, so readers get all of its records or none. Kafka gives every new owner of the id a
//! higher epoch, aborts what the one before left open, and refuses whatever comes with a lower epoch. An appender that
//! fails is spent: what it still had to send is purged, and the next owner of the id, which may be the same process,
//! finds out from the log what became of the records. So it never aborts by itself: the next owner does that.
//!
//! The coordinator is done with a transaction a while after it said that it is committed, and librdkafka waits 20 ms before
//! it asks again for what comes too early. So an owner has two ids, used in turn while it is busy. It takes the first one,
//! then the second, and its first transaction is on the first, also where it takes the second one again after a rest: whoever
//! has the second one after somebody else took both took the first one before, so it is refused there and gets no further.
//! Refused on either, an owner is none any more.
//!
//! An append runs on a thread where it may block. A process has many owners, most of them idle, and a thread each that
//! listens all the time would cost more than all the rest: so a seldom append looks for its deliveries now and then, and
//! only where there are many they are heard as they come ([`Ear`]).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext, PurgeConfig};
use tokio::task::spawn_blocking;

use super::producer::{ROOM, headers, timestamp};
use super::trouble::{Trouble, listen};
use super::{Detached, KafkaLog, LogError, explained, failed, is_fence, named, number, unavailable};
use crate::log::{Appender, TAKE_OVER_LIMIT};
use crate::record::NewRecord;

/// How long Kafka keeps an open transaction whose owner is silent, and with it holds up the readers of its partitions,
/// where no other owner comes.
const ABANDONED: &str = "10000";
/// Wait before another try with the coordinator.
const BACKOFF: &str = "5";
/// Time between two looks for deliveries, where nobody hears of them.
const LOOK: Duration = Duration::from_millis(1);
/// How long an ear listens at once; where nothing comes it wakes no more often.
const EAR: Duration = Duration::from_secs(1);
/// How long an append waits for what is heard, before it looks at the clock.
const HEARD: Duration = Duration::from_millis(100);
/// What was heard is let go of that much later.
const GONE: Duration = Duration::from_micros(50);
/// An append so soon after the one before is one of many.
const BUSY: Duration = Duration::from_millis(100);
/// How often what librdkafka has to say while nothing is appended is heard.
const LISTEN: Duration = Duration::from_secs(5);

type Client = BaseProducer<Context>;

/// Where librdkafka's call-backs go. They run inside `poll`.
struct Context(Trouble);

impl ClientContext for Context {
    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(error, reason);
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = Arc<Deliveries>;

    fn delivery(&self, result: &DeliveryResult<'_>, deliveries: Arc<Deliveries>) {
        deliveries.hear(|delivered| {
            delivered.count += 1;
            match result {
                Ok(message) => {
                    let end = message.offset().unsigned_abs() + 1;
                    delivered.ends.insert(message.partition().unsigned_abs(), end);
                }
                Err((error, message)) => {
                    delivered.error = Some((message.partition().unsigned_abs(), error.clone()));
                }
            }
        });
    }
}

/// What became of an append's records so far, and of how many that is expected.
struct Deliveries {
    expected: usize,
    delivered: Mutex<Delivered>,
    news: Condvar,
}

#[derive(Default)]
struct Delivered {
    count: usize,
    /// The offset behind the last one of each partition.
    ends: BTreeMap<u32, u64>,
    error: Option<(u32, KafkaError)>,
}

impl Delivered {
    /// Whether all are delivered, or one cannot be.
    const fn is_enough(&self, expected: usize) -> bool {
        self.count >= expected || self.error.is_some()
    }
}

impl Deliveries {
    fn new(expected: usize) -> Self {
        Self { expected, delivered: Mutex::default(), news: Condvar::new() }
    }

    /// What is known now.
    fn known(&self) -> MutexGuard<'_, Delivered> {
        self.delivered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what was heard, and tells whoever waits where that is enough.
    fn hear(&self, take_in: impl FnOnce(&mut Delivered)) {
        let mut known = self.known();
        take_in(&mut known);
        if known.is_enough(self.expected) {
            self.news.notify_one();
        }
    }

    /// What is known as soon as that is enough, or after `patience`.
    fn known_within(&self, patience: Duration) -> MutexGuard<'_, Delivered> {
        let is_too_little = |known: &mut Delivered| !known.is_enough(self.expected);
        let waited = self.news.wait_timeout_while(self.known(), patience, is_too_little);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// A thread that hears of a producer's deliveries as they come, until this is dropped: an append that looks for them each
/// [`LOOK`] wakes ten times as often, and half of a look too late.
struct Ear(Arc<AtomicBool>);

impl Ear {
    fn of(client: &Arc<Client>) -> Result<Self, LogError> {
        let (client, is_over) = (Arc::clone(client), Arc::new(AtomicBool::new(false)));
        let ear = Self(Arc::clone(&is_over));
        let listen = move || {
            while !is_over.load(Relaxed) {
                client.poll(EAR);
            }
        };
        thread::Builder::new().name("kafka-ear".to_owned()).spawn(listen).map_err(unavailable)?;
        Ok(ear)
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// See the module.
pub struct KafkaAppender {
    log: KafkaLog,
    id: String,
    state: State,
}

/// The producers of an owner.
struct InTurn {
    first: Detached<Arc<Client>>,
    /// Where it is busy.
    busy: Option<Busy>,
    /// Whether it is the turn of the second one.
    is_second: bool,
    /// When it appended last.
    appended: Option<Instant>,
}

/// What an owner has for busy times alone.
struct Busy {
    second: Detached<Arc<Client>>,
    /// Of both.
    _ears: [Ear; 2],
}

impl InTurn {
    const fn rested(first: Detached<Arc<Client>>) -> Self {
        Self { first, busy: None, is_second: false, appended: None }
    }

    /// The one whose turn it is.
    fn own(&self) -> &Detached<Arc<Client>> {
        self.busy.as_ref().filter(|_| self.is_second).map_or(&self.first, |busy| &busy.second)
    }

    fn is_busy(&self) -> bool {
        self.appended.is_some_and(|last| last.elapsed() < BUSY)
    }

    /// The same with `second` beside it, which is not the next one.
    fn beside(self, second: Detached<Arc<Client>>) -> Result<Self, LogError> {
        let ears = [Ear::of(self.first.get()?)?, Ear::of(second.get()?)?];
        Ok(Self { busy: Some(Busy { second, _ears: ears }), is_second: false, ..self })
    }

    fn next(self) -> Self {
        Self { is_second: self.busy.is_some() && !self.is_second, appended: Some(Instant::now()), ..self }
    }
}

enum State {
    Owner(InTurn),
    /// An append failed, or was not waited for.
    Spent,
    /// Another has taken over.
    Fenced,
}

impl KafkaAppender {
    /// Takes over `id`, and the one beside it.
    pub async fn take_over(log: KafkaLog, id: &str) -> Result<Self, LogError> {
        let first = taken_over(&log, id, TAKE_OVER_LIMIT).await?;
        // Whoever had it before is refused from now on; it is used when there is much to do.
        drop(taken_over(&log, &second(id), TAKE_OVER_LIMIT).await?);
        Ok(Self { log, id: id.to_owned(), state: State::Owner(InTurn::rested(first)) })
    }
}

/// The id that an owner has beside its own.
fn second(id: &str) -> String {
    format!("{id}/2")
}

/// A producer that has `id`, within a time.
async fn taken_over(log: &KafkaLog, id: &str, within: Duration) -> Result<Detached<Arc<Client>>, LogError> {
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
    let trouble = log.trouble.clone();
    let own = id.to_owned();
    let client =
        spawn_blocking(move || initialized(&config, trouble, &own, within)).await.map_err(unavailable)?;
    let client = explained(client.map_err(|error| of(error, id)), &log.trouble)?;
    tokio::spawn(listen_all(Arc::downgrade(&client)));
    Ok(Detached::new(client))
}

#[async_trait]
impl Appender for KafkaAppender {
    async fn append(&mut self, topic: &str, records: Vec<NewRecord>) -> Result<BTreeMap<u32, u64>, LogError> {
        // Nothing is no transaction, and whose turn it is stays.
        if records.is_empty() {
            return Ok(BTreeMap::new());
        }
        // Also for one who gives up the wait.
        let mut clients = match std::mem::replace(&mut self.state, State::Spent) {
            State::Owner(clients) => clients,
            State::Spent => return Err(unavailable(format!("an append as {} failed before", self.id))),
            State::Fenced => {
                self.state = State::Fenced;
                return Err(LogError::Fenced(self.id.clone()));
            }
        };
        if clients.busy.is_none() && clients.is_busy() {
            let limit = self.log.settings.publish_timeout;
            clients = clients.beside(taken_over(&self.log, &second(&self.id), limit).await?)?;
        }
        let (own, topic, limit) =
            (clients.own().get()?.clone(), topic.to_owned(), self.log.settings.publish_timeout);
        let is_heard = clients.busy.is_some();
        let appended = spawn_blocking(move || {
            transact(&own, is_heard, &topic, &records, limit).map_err(|error| {
                own.purge(PurgeConfig::default().queue().inflight().non_blocking());
                listen(&own);
                // What a delivery or a commit says of it depends on how far it got.
                match own.client().fatal_error() {
                    Some((code, _)) if is_fence(code) => LogError::Fenced(String::new()),
                    Some(_) | None => error,
                }
            })
        });
        let appended = appended.await.map_err(unavailable)?.map_err(|error| of(error, &self.id));
        match &appended {
            Ok(_) => self.state = State::Owner(clients.next()),
            Err(LogError::Fenced(_)) => self.state = State::Fenced,
            Err(
                LogError::Unavailable(_)
                | LogError::Missing(_)
                | LogError::OutOfRange { .. }
                | LogError::Replaced { .. },
            ) => {}
        }
        explained(appended, &self.log.trouble)
    }

    fn rest(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Spent) {
            State::Owner(InTurn { first, .. }) => State::Owner(InTurn::rested(first)),
            State::Spent => State::Spent,
            State::Fenced => State::Fenced,
        };
    }
}

/// A producer that has its id. It may block.
fn initialized(
    config: &ClientConfig,
    trouble: Trouble,
    id: &str,
    within: Duration,
) -> Result<Arc<Client>, LogError> {
    let client = Client::from_config_and_context(config, Context(trouble)).map_err(unavailable)?;
    let initialized = client.init_transactions(within);
    listen(&client);
    initialized.map_err(|error| untaken(error, &client, id))?;
    Ok(Arc::new(client))
}

/// One transaction: the offsets behind its records. It may block. Where nobody hears of its deliveries it looks for them
/// itself.
fn transact(
    client: &Client,
    is_heard: bool,
    topic: &str,
    records: &[NewRecord],
    limit: Duration,
) -> Result<BTreeMap<u32, u64>, LogError> {
    let deadline = Instant::now() + limit;
    let in_time = || {
        if Instant::now() < deadline {
            Ok(())
        } else {
            Err(unavailable(format!("not committed within {limit:?}")))
        }
    };
    listen(client);
    client.begin_transaction().map_err(failed)?;
    let deliveries = Arc::new(Deliveries::new(records.len()));
    for record in records {
        let mut next = BaseRecord::with_opaque_to(topic, Arc::clone(&deliveries))
            .partition(number(topic, record.partition)?)
            .key(&record.key)
            .timestamp(timestamp(record))
            .headers(headers(record));
        next.payload = Some(&record.value).filter(|value| !value.is_empty());
        while let Err((error, returned)) = client.send(next) {
            if error != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
                return Err(named(failed(error), topic, record.partition));
            }
            next = returned;
            in_time()?;
            client.poll(Duration::ZERO);
            wait(ROOM);
        }
    }
    let ends = loop {
        if !is_heard {
            client.poll(Duration::ZERO);
        }
        let mut known = deliveries.known_within(if is_heard { HEARD } else { LOOK });
        if let Some((partition, error)) = known.error.take() {
            return Err(named(failed(error), topic, partition));
        }
        let is_all = known.count == records.len();
        // Also what it counts itself has to be none: it would wait for that in steps of 100 ms when it commits.
        if is_all && client.in_flight_count() == 0 {
            break std::mem::take(&mut known.ends);
        }
        drop(known);
        in_time()?;
        if is_all {
            wait(GONE);
        }
    };
    client.commit_transaction(deadline.saturating_duration_since(Instant::now())).map_err(failed)?;
    Ok(ends)
}

#[expect(
    clippy::disallowed_methods,
    reason = "on a thread where it may block; a timer of the runtime is ten times as coarse"
)]
fn wait(duration: Duration) {
    thread::sleep(duration);
}

/// Listens now and then, as long as there is the client.
async fn listen_all(client: Weak<Client>) {
    loop {
        tokio::time::sleep(LISTEN).await;
        let client = client.clone();
        // Where this is the last one that has it, it is dropped there.
        let listened = spawn_blocking(move || client.upgrade().map(|client| listen(&client)));
        if !matches!(listened.await, Ok(Some(()))) {
            return;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_deliveries_hears_of_the_last_one_and_of_a_failure() {
        const LONG: Duration = Duration::from_mins(1);
        let begun = Instant::now();
        let all = Arc::new(Deliveries::new(2));
        let hearing = Arc::clone(&all);
        let ear = thread::spawn(move || {
            for _ in 0..2 {
                hearing.hear(|delivered| delivered.count += 1);
            }
        });
        assert_eq!(all.known_within(LONG).count, 2);
        ear.join().unwrap();
        let failed = Deliveries::new(2);
        failed.hear(|delivered| delivered.error = Some((0, KafkaError::Canceled)));
        assert!(failed.known_within(LONG).error.is_some());
        assert!(begun.elapsed() < LONG);
        assert_eq!(Deliveries::new(1).known_within(LOOK).count, 0, "there is an end to it");
    }
}
