//! Reading partitions of one topic from given offsets, for ever, without a group.

use async_trait::async_trait;
use boxoffice_runtime::log::{Batch, LogError, ReadToEnd, Tail, TopicPartition};

use super::EmbeddedLog;
use super::reader::Reader;

/// A tail of one topic.
pub struct EmbeddedTail {
    reader: Reader,
}

impl EmbeddedTail {
    /// Opens a tail; every offset of `from` must be within its partition's bounds.
    pub fn open(log: EmbeddedLog, topic: &str, from: &[(u32, u64)]) -> Result<Self, LogError> {
        let news = log.topic(topic)?.news.subscribe();
        let mut reader = Reader::new(log, vec![news]);
        for (partition, offset) in from {
            reader.add(&TopicPartition { topic: topic.to_owned(), partition: *partition }, *offset)?;
        }
        Ok(Self { reader })
    }
}

#[async_trait]
impl Tail for EmbeddedTail {
    async fn next(&mut self, max: usize) -> Result<Batch, LogError> {
        loop {
            self.reader.listen();
            let batches = self.reader.ready(max).await?;
            let batch = Batch {
                records: batches.into_iter().flat_map(|(_, records)| records).collect(),
                ended: self.reader.ended(),
            };
            if batch != Batch::default() {
                return Ok(batch);
            }
            self.reader.wait().await;
        }
    }

    fn read_to_end(&self) -> ReadToEnd {
        ReadToEnd::Always
    }
}
