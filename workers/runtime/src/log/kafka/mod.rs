//! The event log on Apache Kafka.
//!
//! `producer` publishes, `appender` appends as the one owner of an id, `tail` reads without a group (`heard` knows how
//! late that is) and `subscription` as a member of one; this file says how Kafka is reached and asks it what there is;
//! `security` says how connections are secured, and `trouble` hears what librdkafka has to say; `idle_partitions` finds
//! out how far a member has everything; `requests` are those that the safe client lacks, for the operator too, and
//! `said` is what it and members say of their commits. It makes no topic and no group: that is the operator's work.

mod appender;
mod commits;
mod group_context;
mod heard;
mod idle_partitions;
mod partition_list;
mod producer;
pub mod requests;
pub mod said;
pub mod security;
mod subscription;
mod tail;
pub mod trouble;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::Offset;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::metadata::MetadataTopic;
use rdkafka::producer::{BaseProducer, Producer};
use tokio::sync::oneshot;

use self::producer::Publisher;
use self::requests::Requests;
use self::security::Security;
use self::trouble::{Trouble, listen};
use super::{Appender, Committed, EventLog, LogError, PUBLISH_LIMIT, Subscription, Tail, TopicPartition};
use crate::record::{NewRecord, Record};

/// Longest wait for an answer to a question: metadata, bounds, a committed offset, a seek.
const ANSWER: Duration = Duration::from_secs(5);

/// How Kafka is reached.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Bootstrap servers: host:port with commas.
    pub bootstrap_servers: String,
    /// What the brokers' logs and quotas call this process.
    pub client_id: String,
    /// Longest wait for the acknowledgement of everything given to one `publish`; after that, or when nobody waits for
    /// it any longer, none of it is sent any more.
    pub publish_timeout: Duration,
    /// TLS and SASL.
    pub security: Security,
}

impl Settings {
    /// The defaults, for brokers that speak plain text and ask for no credentials.
    pub fn new(bootstrap_servers: &str) -> Self {
        Self {
            bootstrap_servers: bootstrap_servers.to_owned(),
            client_id: "boxoffice".to_owned(),
            publish_timeout: PUBLISH_LIMIT,
            security: Security::default(),
        }
    }

    fn client(&self) -> ClientConfig {
        let mut config = self.security.client();
        config
            .set("bootstrap.servers", &self.bootstrap_servers)
            .set("client.id", &self.client_id)
            .set("socket.keepalive.enable", "true")
            .set("reconnect.backoff.max.ms", "1000")
            // Topics are the operator's: one that is lost must not come back empty because somebody asked for it.
            .set("allow.auto.create.topics", "false")
            // New partitions are noticed this soon.
            .set("topic.metadata.refresh.interval.ms", "10000");
        config
    }
}

/// Kafka as the event log.
#[derive(Clone)]
pub struct KafkaLog {
    settings: Settings,
    /// Who is asked. It has no thread that polls all the time, which would cost an idle process most of what it takes.
    questions: Arc<Detached<BaseProducer<Trouble>>>,
    publisher: Arc<Publisher>,
    trouble: Trouble,
}

impl KafkaLog {
    /// A log on these bootstrap servers. Nothing is sent yet: brokers that are away make the first call wait.
    ///
    /// # Errors
    /// Settings that librdkafka refuses.
    pub fn new(bootstrap_servers: &str) -> Result<Self, LogError> {
        Self::with(Settings::new(bootstrap_servers))
    }

    /// A log with settings of one's own.
    ///
    /// # Errors
    /// Settings that librdkafka refuses.
    pub fn with(settings: Settings) -> Result<Self, LogError> {
        let trouble = Trouble::default();
        let client = BaseProducer::from_config_and_context(&settings.client(), trouble.clone());
        let questions = Arc::new(Detached::new(client.map_err(unavailable)?));
        let publisher = Arc::new(Publisher::new(settings.clone(), trouble.clone()));
        Ok(Self { settings, questions, publisher, trouble })
    }

    /// Asks about the cluster as a whole.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&BaseProducer<Trouble>) -> Result<T, KafkaError> + Send + 'static,
    ) -> Result<T, LogError> {
        let questions = Arc::clone(&self.questions);
        ask(&self.trouble, move || {
            let client = questions.get()?;
            let answer = question(client).map_err(failed);
            listen(client);
            answer
        })
        .await
    }
}

#[async_trait]
impl EventLog for KafkaLog {
    async fn publish(&self, topic: &str, records: Vec<NewRecord>) -> Result<(), LogError> {
        explained(self.publisher.publish(topic, &records).await, &self.trouble)
    }

    async fn appender(&self, id: &str) -> Result<Box<dyn Appender>, LogError> {
        Ok(Box::new(appender::KafkaAppender::take_over(self.clone(), id).await?))
    }

    async fn partitions(&self, topic: &str) -> Result<u32, LogError> {
        let name = topic.to_owned();
        let metadata = self.ask(move |client| client.client().fetch_metadata(Some(&name), ANSWER)).await?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        let count = found.map_or(0, |found| found.partitions().len());
        match found.and_then(MetadataTopic::error).map(RDKafkaErrorCode::from) {
            Some(code) if !is_missing(code) => Err(unavailable(code)),
            None if count > 0 => Ok(u32::try_from(count).unwrap_or(u32::MAX)),
            _ => Err(LogError::Missing(format!("topic {topic}"))),
        }
    }

    async fn identity(&self, topic: &str) -> Result<Option<String>, LogError> {
        let name = topic.to_owned();
        let questions = Arc::clone(&self.questions);
        ask(&self.trouble, move || {
            let client = questions.get()?;
            let answer = Requests::new(client.client(), ANSWER).topics(std::slice::from_ref(&name));
            listen(client);
            let described = answer.map(|mut topics| topics.pop().map(|(_, described)| described));
            match described {
                Ok(Some(Ok(described))) => Ok(described.id),
                Ok(Some(Err(failure))) | Err(failure) if is_missing(failure.code) => {
                    Err(LogError::Missing(format!("topic {name}")))
                }
                Ok(Some(Err(failure))) | Err(failure) => Err(unavailable(failure.code)),
                Ok(None) => Err(unavailable(format!("nothing was said of topic {name}"))),
            }
        })
        .await
    }

    async fn bounds(&self, topic: &str, partition: u32) -> Result<(u64, u64), LogError> {
        let (name, number) = (topic.to_owned(), number(topic, partition)?);
        // Every client reads committed records only, if it is not told otherwise: the end is the last stable offset.
        let asked = self.ask(move |client| client.client().fetch_watermarks(&name, number, ANSWER)).await;
        let (begin, end) = asked.map_err(|error| named(error, topic, partition))?;
        Ok((begin.unsigned_abs(), end.unsigned_abs()))
    }

    async fn tail(&self, topic: &str, from: Vec<(u32, u64)>) -> Result<Box<dyn Tail>, LogError> {
        Ok(Box::new(tail::KafkaTail::open(self.clone(), topic, &from).await?))
    }

    async fn subscribe(&self, group: &str, topics: &[String]) -> Result<Box<dyn Subscription>, LogError> {
        for topic in topics {
            self.partitions(topic).await?;
        }
        Ok(Box::new(subscription::Member::join(self, group, topics)?))
    }

    async fn committed(
        &self,
        group: &str,
        partition: &TopicPartition,
    ) -> Result<Option<Committed>, LogError> {
        let mut config = self.settings.client();
        config.set("group.id", group);
        let (list, trouble) = (partition_list::one(partition, Offset::Invalid)?, self.trouble.clone());
        let answer = ask(&self.trouble, move || {
            // It asks the group's coordinator and never joins.
            let asker = BaseConsumer::<Trouble>::from_config_and_context(&config, trouble);
            let asker = Detached::new(asker.map_err(unavailable)?);
            asker.get()?.committed_offsets(list, ANSWER).map_err(failed)
        });
        let answer = answer.await.map_err(|error| named(error, &partition.topic, partition.partition))?;
        Ok(partition_list::committed(&answer))
    }
}

/// What an error in place of a record means: `Ok` where librdkafka goes on by itself.
fn read_error(error: &KafkaError) -> Result<(), LogError> {
    match error {
        KafkaError::MessageConsumptionFatal(code) => Err(unavailable(code)),
        KafkaError::MessageConsumption(code) if is_missing(*code) => {
            Err(LogError::Missing("such topic any more".to_owned()))
        }
        _ => {
            tracing::warn!(%error, "reading goes on");
            Ok(())
        }
    }
}

/// Asks on a thread where librdkafka may block.
async fn ask<T: Send + 'static>(
    trouble: &Trouble,
    question: impl FnOnce() -> Result<T, LogError> + Send + 'static,
) -> Result<T, LogError> {
    explained(tokio::task::spawn_blocking(question).await.map_err(unavailable)?, trouble)
}

/// `result`, and where the log is unavailable also what librdkafka told of the reason.
fn explained<T>(result: Result<T, LogError>, trouble: &Trouble) -> Result<T, LogError> {
    match (result, trouble.last()) {
        (Ok(answer), _) => {
            trouble.is_over();
            Ok(answer)
        }
        (Err(LogError::Unavailable(what)), Some(told)) => {
            Err(unavailable(format!("{what} ({})", told.words)))
        }
        (error, _) => error,
    }
}

/// A client that is dropped on a thread of its own: librdkafka takes leave of its brokers first, which may take a
/// while and must not hold up a task, nor the end of the process.
struct Detached<T: Send + 'static>(Option<T>);

impl<T: Send + 'static> Detached<T> {
    fn new(client: T) -> Self {
        Self(Some(client))
    }

    fn get(&self) -> Result<&T, LogError> {
        self.0.as_ref().ok_or_else(|| unavailable("it has been left"))
    }

    /// Begins to drop it; the receiver resolves when it is gone.
    fn retire(&mut self) -> oneshot::Receiver<()> {
        let (gone, done) = oneshot::channel();
        if let Some(client) = self.0.take() {
            let close = move || {
                drop(client);
                gone.send(()).ok();
            };
            // Without a thread to be had it is dropped here and now.
            std::thread::Builder::new().name("kafka-close".to_owned()).spawn(close).ok();
        }
        done
    }
}

impl<T: Send + 'static> Drop for Detached<T> {
    fn drop(&mut self) {
        drop(self.retire());
    }
}

fn unavailable(why: impl std::fmt::Display) -> LogError {
    LogError::Unavailable(why.to_string())
}

fn failed(error: KafkaError) -> LogError {
    match error.rdkafka_error_code() {
        Some(code) if is_missing(code) => LogError::Missing("such topic or partition".to_owned()),
        Some(code) if is_fence(code) => LogError::Fenced("this producer's id".to_owned()),
        _ => unavailable(error),
    }
}

/// The same error, with the name of what is missing.
fn named(error: LogError, topic: &str, partition: u32) -> LogError {
    match error {
        LogError::Missing(_) => missing(topic, partition),
        other => other,
    }
}

fn missing(topic: &str, partition: u32) -> LogError {
    LogError::Missing(format!("partition {topic}[{partition}]"))
}

fn is_missing(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{UnknownPartition, UnknownTopic, UnknownTopicOrPartition};
    matches!(code, UnknownTopicOrPartition | UnknownTopic | UnknownPartition)
}

/// Whether a producer is told that its id has another owner.
fn is_fence(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{Fenced, InvalidProducerEpoch, ProducerFenced};
    matches!(code, Fenced | ProducerFenced | InvalidProducerEpoch)
}

/// A partition as librdkafka numbers it.
fn number(topic: &str, partition: u32) -> Result<i32, LogError> {
    i32::try_from(partition).map_err(|_| missing(topic, partition))
}

fn position(offset: u64) -> Offset {
    Offset::Offset(i64::try_from(offset).unwrap_or(i64::MAX))
}

fn record(message: &BorrowedMessage<'_>) -> Record {
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).map(str::to_owned).ok();
    let headers = message.headers().map(|headers| {
        headers
            .iter()
            .filter_map(|header| Some((header.key.to_owned().into(), text(header.value?)?.into())))
            .collect()
    });
    Record::new(
        message.partition().unsigned_abs(),
        message.offset().unsigned_abs(),
        message.key().and_then(text).unwrap_or_default(),
        message.payload().unwrap_or_default().to_vec(),
        headers.unwrap_or_default(),
    )
}
