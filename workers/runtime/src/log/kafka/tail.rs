//! Reading partitions from given offsets, for ever: a consumer that joins no group and commits nothing.
//!
//! librdkafka wants a group's name all the same; none by that name ever comes to be.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures::FutureExt;
use rdkafka::TopicPartitionList;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;

use super::heard::{Heard, Listening};
use super::{Detached, KafkaLog, LogError, number, position, read_error, record, unavailable};
use crate::log::{Batch, EventLog, ReadToEnd, Tail};

/// A tail of one topic.
pub struct KafkaTail {
    log: KafkaLog,
    topic: String,
    /// The next offset of each partition.
    next: BTreeMap<u32, u64>,
    consumer: Detached<StreamConsumer<Listening>>,
    heard: Heard,
    /// What came after the records of the last batch.
    error: Option<KafkaError>,
}

impl KafkaTail {
    /// Opens a tail; every offset of `from` must be within its partition's bounds.
    pub async fn open(log: KafkaLog, topic: &str, from: &[(u32, u64)]) -> Result<Self, LogError> {
        let mut config = log.settings.client();
        config
            .set("group.id", format!("{}-tail", log.settings.client_id))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            // What is read ahead, and how much of it comes at once: compressed, so that it takes up several times as much.
            // A process has many tails where it recovers; one that is full is filled again this soon.
            .set("queued.max.messages.kbytes", "4096")
            .set("max.partition.fetch.bytes", "524288")
            .set("fetch.queue.backoff.ms", "10")
            .set("statistics.interval.ms", "1000")
            .set("auto.offset.reset", "error");
        let heard = Heard::default();
        let context =
            Listening { trouble: log.trouble.clone(), topic: topic.to_owned(), heard: heard.clone() };
        let consumer = StreamConsumer::from_config_and_context(&config, context).map_err(unavailable)?;
        let mut start = TopicPartitionList::new();
        for (partition, offset) in from {
            let number = number(topic, *partition)?;
            start.add_partition_offset(topic, number, position(*offset)).map_err(unavailable)?;
        }
        consumer.assign(&start).map_err(unavailable)?;
        let tail = Self {
            log,
            topic: topic.to_owned(),
            next: from.iter().copied().collect(),
            consumer: Detached::new(consumer),
            heard,
            error: None,
        };
        match tail.out_of_range().await? {
            Some(error) => Err(error),
            None => Ok(tail),
        }
    }

    /// Which partition is to be read where it has no records, if one is.
    async fn out_of_range(&self) -> Result<Option<LogError>, LogError> {
        for (&partition, &offset) in &self.next {
            let (begin, end) = self.log.bounds(&self.topic, partition).await?;
            if !(begin..=end).contains(&offset) {
                let topic = self.topic.clone();
                return Ok(Some(LogError::OutOfRange { topic, partition, offset, begin, end }));
            }
        }
        Ok(None)
    }

    /// `Ok` where librdkafka goes on by itself.
    async fn failed(&self, error: &KafkaError) -> Result<(), LogError> {
        use RDKafkaErrorCode::{AutoOffsetReset, OffsetOutOfRange};
        if let KafkaError::MessageConsumption(AutoOffsetReset | OffsetOutOfRange) = error {
            // librdkafka stops at this one, whatever the bounds say by now.
            return Err(self.out_of_range().await?.unwrap_or_else(|| unavailable(error)));
        }
        read_error(error)
    }
}

#[async_trait]
impl Tail for KafkaTail {
    async fn next(&mut self, max: usize) -> Result<Batch, LogError> {
        if let Some(error) = &self.error {
            self.failed(error).await?;
            self.error = None;
        }
        let mut batch = Batch::default();
        while batch.records.is_empty() && batch.ended.is_empty() {
            if let Err(error) = take(&mut batch, self.consumer.get()?.recv().await) {
                self.failed(&error).await?;
            }
        }
        while batch.records.len() < max {
            let Some(ready) = self.consumer.get()?.recv().now_or_never() else { break };
            if let Err(error) = take(&mut batch, ready) {
                self.error = Some(error);
                break;
            }
        }
        for record in &batch.records {
            self.next.insert(record.partition, record.offset + 1);
        }
        self.heard.took(&batch);
        Ok(batch)
    }

    fn read_to_end(&self) -> ReadToEnd {
        ReadToEnd::Known(self.heard.known())
    }
}

/// Adds what came to a batch; the error that it may be instead.
fn take(batch: &mut Batch, came: Result<BorrowedMessage<'_>, KafkaError>) -> Result<(), KafkaError> {
    match came {
        Ok(message) => batch.records.push(record(&message)),
        // It comes through the same queue as the records before it.
        Err(KafkaError::PartitionEOF(partition)) => batch.ended.push(partition.unsigned_abs()),
        Err(error) => return Err(error),
    }
    Ok(())
}
