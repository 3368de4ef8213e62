//! Appending to the log without a gap (I3).
//!
//! Records leave in the order they came in, one request at a time, so a later one is never stored where an earlier
//! one was not. What could break that is a producer that goes on after it gave a record up. So librdkafka never gives
//! one up by itself (`message.timeout.ms` is endless; where a broker refuses one, `enable.gapless.guarantee` stops the
//! producer), and a `publish` that fails, or is late, or is no longer waited for takes its producer with it: what that
//! one still had to send is purged, and the next call gets a fresh one. A request that is already on its way may
//! still be stored: it repeats records, and leaves none out.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer, PurgeConfig};

use super::trouble::Trouble;
use super::{Detached, LogError, Settings, failed, named, number, unavailable};
use crate::record::NewRecord;

/// Time until the next try when librdkafka's queue is full.
pub const ROOM: Duration = Duration::from_millis(5);

type Shared = Arc<Producing>;

/// A producer, until a publish on it fails. From then on nothing more is queued: what came behind purged records of
/// the same partition would be a gap (I3).
pub struct Producing {
    client: Detached<FutureProducer<Trouble>>,
    retired: RwLock<bool>,
}

impl Producing {
    fn get(&self) -> Result<&FutureProducer<Trouble>, LogError> {
        self.client.get()
    }

    /// Forgets what is queued and lets nothing more in.
    fn retire(&self) {
        *self.retired.write().unwrap_or_else(PoisonError::into_inner) = true;
        if let Ok(client) = self.get() {
            client.purge(PurgeConfig::default().queue().inflight().non_blocking());
        }
    }
}

/// The producer of the moment, from the first publish on: its thread polls all the time.
pub struct Publisher {
    settings: Settings,
    trouble: Trouble,
    current: Mutex<Option<Shared>>,
}

impl Publisher {
    /// A publisher that has published nothing yet.
    pub fn new(settings: Settings, trouble: Trouble) -> Self {
        Self { settings, trouble, current: Mutex::default() }
    }

    fn current(&self) -> Result<Shared, KafkaError> {
        let mut current = self.lock();
        if let Some(producer) = &*current {
            return Ok(Arc::clone(producer));
        }
        let fresh = producer(&self.settings, &self.trouble)?;
        Ok(Arc::clone(current.insert(fresh)))
    }

    /// Appends all of `records` in order, or fails; then they may be published again, from the first one on.
    pub async fn publish(&self, topic: &str, records: &[NewRecord]) -> Result<(), LogError> {
        let producer = self.current().map_err(unavailable)?;
        let mut attempt = Attempt { publisher: self, producer, succeeded: false };
        let timeout = self.settings.publish_timeout;
        let sent = tokio::time::timeout(timeout, send(&attempt.producer, topic, records)).await;
        let result =
            sent.unwrap_or_else(|_| Err(unavailable(format!("no acknowledgement within {timeout:?}"))));
        attempt.succeeded = result.is_ok();
        result
    }

    /// Takes leave of a producer that failed, unless that has been done: the next publish makes a fresh one.
    fn retire(&self, spent: &Shared) {
        let mut current = self.lock();
        if let Some(spent) = current.take_if(|current| Arc::ptr_eq(current, spent)) {
            spent.retire();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Shared>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One `publish`. Unless it succeeded, its end, also by being dropped, is the end of its producer.
struct Attempt<'a> {
    publisher: &'a Publisher,
    producer: Shared,
    succeeded: bool,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.succeeded {
            self.publisher.retire(&self.producer);
        }
    }
}

fn producer(settings: &Settings, trouble: &Trouble) -> Result<Shared, KafkaError> {
    let mut config = settings.client();
    config
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("enable.gapless.guarantee", "true")
        .set("max.in.flight.requests.per.connection", "1")
        .set("message.timeout.ms", "0")
        .set("linger.ms", "1")
        .set("compression.type", "lz4")
        // A topic that is not there is an error this soon.
        .set("topic.metadata.propagation.max.ms", "1000");
    let client = Detached::new(FutureProducer::from_config_and_context(&config, trouble.clone())?);
    Ok(Arc::new(Producing { client, retired: RwLock::new(false) }))
}

/// Queues all records, then waits until all are durable.
async fn send(producer: &Shared, topic: &str, records: &[NewRecord]) -> Result<(), LogError> {
    let mut deliveries = Vec::with_capacity(records.len());
    for record in records {
        let queued = queue(producer, topic, record).await;
        deliveries.push((record, queued.map_err(|error| named(error, topic, record.partition))?));
    }
    for (record, delivery) in deliveries {
        match delivery.await {
            Ok(Ok(_)) => {}
            Ok(Err((error, _))) => return Err(named(failed(error), topic, record.partition)),
            Err(_) => return Err(unavailable("another publish failed before")),
        }
    }
    Ok(())
}

/// Hands one record to librdkafka; waits for room where its queue is full.
async fn queue(producer: &Shared, topic: &str, record: &NewRecord) -> Result<DeliveryFuture, LogError> {
    let mut next = FutureRecord::to(topic)
        .partition(number(topic, record.partition)?)
        .key(&record.key)
        .timestamp(timestamp(record))
        .headers(headers(record));
    next.payload = Some(&record.value).filter(|value| !value.is_empty());
    loop {
        {
            let retired = producer.retired.read().unwrap_or_else(PoisonError::into_inner);
            if *retired {
                return Err(unavailable("another publish failed before"));
            }
            match producer.get()?.send_result(next) {
                Ok(delivery) => return Ok(delivery),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), returned)) => {
                    next = returned;
                }
                Err((error, _)) => return Err(failed(error)),
            }
        }
        tokio::time::sleep(ROOM).await;
    }
}

/// A record's headers as librdkafka takes them.
pub fn headers(record: &NewRecord) -> OwnedHeaders {
    let room = OwnedHeaders::new_with_capacity(record.headers.len());
    record
        .headers
        .iter()
        .fold(room, |headers, (key, value)| headers.insert(Header { key, value: Some(value.as_ref()) }))
}

/// A record's time as librdkafka takes it.
pub fn timestamp(record: &NewRecord) -> i64 {
    i64::try_from(record.timestamp).unwrap_or(i64::MAX)
}
