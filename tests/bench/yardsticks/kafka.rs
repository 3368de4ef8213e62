//! What Kafka takes from its own tool, and what it got from the relay: records, and the batches that they came in.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use boxoffice_runtime::log::EventLog;
use boxoffice_runtime::log::kafka::KafkaLog;
use boxoffice_runtime::record::NewRecord;
use boxoffice_tests::servers::{Kafka, Server, topic_on};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Headers;
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use tokio::process::Command;

use crate::load::Tally;

/// Longest wait for a record.
const PATIENCE: Duration = Duration::from_secs(20);

/// What begins every batch on disk: its first offset and its length; the number of its records is further back.
const BATCH_HEAD: usize = 12;
const RECORDS_AT: usize = 57;

/// How much lies on a topic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TopicSize {
    /// Records.
    pub records: u64,
    /// The batches that they came in; the relay has one on its way at a time, so each was a round trip.
    pub batches: u64,
}

/// How long a transaction of one record takes.
#[derive(Debug, Clone, Copy)]
pub struct Transactions {
    /// Half of them took less, in ms.
    pub p50_ms: f64,
    /// 99 % took less, in ms.
    pub p99_ms: f64,
}

/// So many transactions of one record, one after the other.
///
/// # Errors
/// A log that does not take them.
pub async fn transactions(kafka: &Server<Kafka>, number: u32) -> anyhow::Result<Transactions> {
    let topic = topic_on(&kafka.address(), "yardstick", 1).await?;
    let log = KafkaLog::new(&kafka.address())?;
    let mut appender = log.appender("yardstick").await?;
    let mut tally = Tally::default();
    for _ in 0..number.max(2) {
        let record = NewRecord {
            partition: 0,
            key: "yardstick".to_owned(),
            value: vec![b'x'; 450],
            headers: vec![],
            timestamp: 0,
        };
        let begun = Instant::now();
        appender.append(&topic, vec![record]).await?;
        tally.add(200, begun.elapsed());
    }
    Ok(Transactions { p50_ms: tally.latency_ms(500), p99_ms: tally.latency_ms(990) })
}

/// `ProducerPerformance` with as many records of so many bytes, acks=all: records a second.
///
/// # Errors
/// A tool that fails or says something else.
pub async fn producer(kafka: &Server<Kafka>, records: u64, bytes: usize) -> anyhow::Result<f64> {
    let topic = topic_on(&kafka.address(), "yardstick", 1).await?;
    let mut command = Command::from(Kafka::tool("org.apache.kafka.tools.ProducerPerformance")?);
    command.args(["--topic", &topic, "--num-records", &records.to_string()]);
    command.args(["--record-size", &bytes.to_string(), "--throughput", "-1", "--producer-props"]);
    command.args([&format!("bootstrap.servers={}", kafka.address()), "acks=all", "compression.type=lz4"]);
    let output = command.kill_on_drop(true).output().await?;
    let text = String::from_utf8_lossy(&output.stdout);
    let complaint = || format!("ProducerPerformance: {text}{}", String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), complaint());
    read(&text).with_context(complaint)
}

/// The rate of the last line that has one, which is about all of them.
fn read(text: &str) -> Option<f64> {
    let line = text.lines().rfind(|line| line.contains("records/sec"))?;
    line.split(", ").nth(1)?.split(' ').next()?.parse().ok()
}

/// Bytes of a `seat.held` on `topic`: key, value and headers.
///
/// # Errors
/// A topic without one.
pub async fn size_of_a_record(kafka: &Server<Kafka>, topic: &str, partitions: i32) -> anyhow::Result<usize> {
    let (address, topic) = (kafka.address(), topic.to_owned());
    let find = move || {
        let mut config = ClientConfig::new();
        let consumer: BaseConsumer =
            config.set("bootstrap.servers", address).set("group.id", "none").create()?;
        let mut assigned = TopicPartitionList::new();
        for partition in 0..partitions {
            assigned.add_partition_offset(&topic, partition, Offset::Beginning)?;
        }
        consumer.assign(&assigned)?;
        loop {
            let record = consumer.poll(PATIENCE).context("no seat.held is on the topic")??;
            let value = record.payload().unwrap_or_default();
            if value.windows(9).any(|bytes| bytes == b"seat.held") {
                let headers = record.headers().into_iter().flat_map(|headers| headers.iter());
                let headers: usize =
                    headers.map(|header| header.key.len() + header.value.map_or(0, <[u8]>::len)).sum();
                return Ok(value.len() + record.key().map_or(0, <[u8]>::len) + headers);
            }
        }
    };
    tokio::task::spawn_blocking(find).await?
}

/// What lies on `topic`, read from the broker's files.
///
/// # Errors
/// Files that are not there.
pub fn written(kafka: &Server<Kafka>, topic: &str) -> anyhow::Result<TopicSize> {
    let mut all = TopicSize::default();
    for folder in std::fs::read_dir(kafka.folder().join("data"))? {
        let folder = folder?.path();
        if partition_of(&folder) != Some(topic) {
            continue;
        }
        for file in std::fs::read_dir(folder)? {
            let file = file?.path();
            if file.extension().is_some_and(|extension| extension == "log") {
                let TopicSize { records, batches } = batches(&std::fs::read(&file)?);
                all.records += records;
                all.batches += batches;
            }
        }
    }
    Ok(all)
}

/// The topic of a folder `<topic>-<partition>`.
fn partition_of(folder: &Path) -> Option<&str> {
    folder.file_name()?.to_str()?.rsplit_once('-').map(|(topic, _)| topic)
}

/// Records and batches of a log file; one that is just being written is left out.
fn batches(mut file: &[u8]) -> TopicSize {
    let number = |bytes: &[u8]| bytes.try_into().map(u32::from_be_bytes).ok();
    let mut found = TopicSize::default();
    while let Some(length) = file.get(8..BATCH_HEAD).and_then(number)
        && let Some(batch) = file.get(..BATCH_HEAD + length as usize)
        && let Some(records) = batch.get(RECORDS_AT..RECORDS_AT + 4).and_then(number)
    {
        found.records += u64::from(records);
        found.batches += 1;
        file = &file[batch.len()..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_about_all_records() {
        let text = "100 records sent, 20.0 records/sec (0.01 MB/sec), 5.0 ms avg latency\n\
                    200000 records sent, 93023.3 records/sec (26.62 MB/sec), 310.1 ms avg latency, 500 ms max\n";
        assert_eq!(read(text), Some(93023.3));
        assert_eq!(read("no such topic"), None);
    }

    #[test]
    fn batches_are_counted_with_their_records() {
        let batch = |records: u32| {
            let mut bytes = vec![0; 70];
            bytes[8..12].copy_from_slice(&58_u32.to_be_bytes());
            bytes[57..61].copy_from_slice(&records.to_be_bytes());
            bytes
        };
        let file = [batch(3), batch(500), batch(1)].concat();
        assert_eq!(batches(&file), TopicSize { records: 504, batches: 3 });
        assert_eq!(batches(&file[..150]), TopicSize { records: 503, batches: 2 });
        assert_eq!(batches(&[]), TopicSize::default());
    }

    #[test]
    fn a_folder_is_a_partition_of_its_topic() {
        assert_eq!(partition_of(Path::new("/data/seat-events-1a-11")), Some("seat-events-1a"));
    }
}
