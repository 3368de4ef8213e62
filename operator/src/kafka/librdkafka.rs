//! [`Kafka`] on librdkafka: the set of clients of one cluster; `pool` keeps them between reconciles.
//!
//! The client's calls block, so each runs on a blocking thread with a time-out of its own. Offsets of a group are
//! read and committed by a plain consumer with that `group.id` which neither subscribes nor assigns: it never
//! becomes a member, and a commit from outside is accepted while the group is vacant.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use boxoffice_runtime::log::kafka::trouble::Trouble;
use rdkafka::admin::{
    AdminClient, AdminOptions, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication, TopicResult,
};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError as ClientError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::{Offset, TopicPartitionList};

use super::connection::Connection;
use super::failure::{failure, silence};
use super::{GroupFacts, Kafka, KafkaError, Offsets, Start, Topic, TopicFacts, topic_ids};

/// One call to the cluster.
const CALL: Duration = Duration::from_secs(5);
/// One call with everything around it, should the client not honour its own time-out.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a client's queue of errors is emptied. Without any time a line of its log would end that, and what comes
/// behind it is the reason of a failure.
const DRAIN: Duration = Duration::from_millis(2);

/// The clients of one cluster.
pub struct Cluster {
    connection: Connection,
    /// What all of them tell.
    trouble: Trouble,
    admin: AdminClient<Trouble>,
    reader: Arc<Reader>,
    committers: Mutex<HashMap<String, Arc<Reader>>>,
}

type Reader = BaseConsumer<Trouble>;

impl Cluster {
    /// Clients for `connection`; connecting happens in the background.
    pub fn new(connection: Connection) -> Result<Self, KafkaError> {
        let (config, trouble) = (config(&connection), Trouble::default());
        let refused =
            |error: ClientError| failure(&connection.bootstrap_servers, "create a client", &error, None);
        Ok(Self {
            admin: config.create_with_context(trouble.clone()).map_err(refused)?,
            reader: Arc::new(config.create_with_context(trouble.clone()).map_err(refused)?),
            committers: Mutex::default(),
            connection,
            trouble,
        })
    }

    /// The consumer that reads and commits the group's offsets.
    fn committer(&self, group: &str) -> Result<Arc<Reader>, KafkaError> {
        let mut committers = self.committers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(consumer) = committers.get(group) {
            return Ok(Arc::clone(consumer));
        }
        let consumer: Reader = config(&self.connection)
            .set("group.id", group)
            .create_with_context(self.trouble.clone())
            .map_err(|error| self.failure("create a client", &error))?;
        let consumer = Arc::new(consumer);
        committers.insert(group.to_owned(), Arc::clone(&consumer));
        Ok(consumer)
    }

    /// Runs a blocking call of `consumer` and then empties its queue of errors, which nobody else reads.
    async fn blocking<T: Send + 'static>(
        &self,
        action: &str,
        consumer: &Arc<Reader>,
        call: impl FnOnce(&Reader) -> KafkaResult<T> + Send + 'static,
    ) -> Result<T, KafkaError> {
        let consumer = Arc::clone(consumer);
        let task = tokio::task::spawn_blocking(move || {
            let answer = call(&consumer);
            while consumer.poll(DRAIN).is_some() {}
            answer
        });
        match tokio::time::timeout(PATIENCE, task).await {
            Ok(Ok(Ok(answer))) => {
                self.trouble.is_over();
                Ok(answer)
            }
            Ok(Ok(Err(error))) => Err(self.failure(action, &error)),
            Ok(Err(join)) => Err(KafkaError::Refused { action: action.to_owned(), detail: join.to_string() }),
            Err(_) => Err(self.silent()),
        }
    }

    /// Awaits an admin call that answers for one topic or group; one answer may be `harmless`.
    async fn admin_call(
        &self,
        action: &str,
        harmless: Code,
        call: impl Future<Output = KafkaResult<Vec<TopicResult>>>,
    ) -> Result<(), KafkaError> {
        let results = tokio::time::timeout(PATIENCE, call).await.map_err(|_| self.silent())?;
        for result in results.map_err(|error| self.failure(action, &error))? {
            match result {
                Err((_, code)) if code != harmless => {
                    return Err(self.failure(action, &ClientError::AdminOp(code)));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn failure(&self, action: &str, error: &ClientError) -> KafkaError {
        failure(&self.connection.bootstrap_servers, action, error, self.trouble.last())
    }

    fn silent(&self) -> KafkaError {
        let detail = format!("no answer within {} s", PATIENCE.as_secs());
        silence(&self.connection.bootstrap_servers, &detail, self.trouble.last())
    }
}

#[async_trait]
impl Kafka for Cluster {
    async fn topic(&self, name: &str) -> Result<Option<TopicFacts>, KafkaError> {
        let wanted = name.to_owned();
        let partitions = self
            .blocking("read the metadata", &self.reader, move |reader| {
                let metadata = reader.fetch_metadata(Some(&wanted), CALL)?;
                let topic = metadata.topics().iter().find(|topic| topic.name() == wanted);
                Ok(topic.filter(|topic| topic.error().is_none()).map(|topic| topic.partitions().len()))
            })
            .await?;
        let Some(partitions) = partitions else { return Ok(None) };
        let wanted = name.to_owned();
        let id = self
            .blocking("read the topic's id", &self.reader, move |reader| {
                topic_ids::topic_id(reader, &wanted, CALL)
            })
            .await?;
        let resource = [ResourceSpecifier::Topic(name)];
        let options = options();
        let described = tokio::time::timeout(PATIENCE, self.admin.describe_configs(&resource, &options))
            .await
            .map_err(|_| self.silent())?
            .map_err(|error| self.failure("describe the topic", &error))?;
        let entries = described.into_iter().filter_map(Result::ok).flat_map(|resource| resource.entries);
        Ok(Some(TopicFacts {
            id,
            partitions: i32::try_from(partitions).unwrap_or(i32::MAX),
            config: entries.filter_map(|entry| Some((entry.name, entry.value?))).collect(),
        }))
    }

    async fn create_topic(&self, topic: &Topic) -> Result<(), KafkaError> {
        let replication = TopicReplication::Fixed(topic.replication_factor);
        let mut new = NewTopic::new(&topic.name, topic.partitions, replication);
        for (key, value) in &topic.config {
            new = new.set(key, value);
        }
        let (topics, options) = ([new], options());
        let call = self.admin.create_topics(&topics, &options);
        self.admin_call(&format!("create topic {}", topic.name), Code::NoError, call).await
    }

    async fn grow_topic(&self, name: &str, partitions: i32) -> Result<(), KafkaError> {
        let growth = [NewPartitions::new(name, usize::try_from(partitions).unwrap_or_default())];
        let options = options();
        let call = self.admin.create_partitions(&growth, &options);
        self.admin_call(&format!("grow topic {name}"), Code::NoError, call).await
    }

    async fn delete_topic(&self, name: &str) -> Result<(), KafkaError> {
        let (names, options) = ([name], options());
        let call = self.admin.delete_topics(&names, &options);
        self.admin_call(&format!("delete topic {name}"), Code::UnknownTopicOrPartition, call).await
    }

    async fn offsets(&self, topic: &str, partitions: i32, start: Start) -> Result<Offsets, KafkaError> {
        let topic = topic.to_owned();
        self.blocking("list offsets", &self.reader, move |reader| match start {
            Start::Earliest => ask(reader, &topic, partitions, Offset::Beginning),
            Start::Latest => ask(reader, &topic, partitions, Offset::End),
            Start::Timestamp(time) => {
                let mut ends = ask(reader, &topic, partitions, Offset::End)?;
                ends.extend(ask(reader, &topic, partitions, Offset::Offset(time))?);
                Ok(ends)
            }
        })
        .await
    }

    async fn committed(&self, group: &str, topic: &str, partitions: i32) -> Result<Offsets, KafkaError> {
        let wanted = every_partition(topic, partitions);
        let consumer = self.committer(group)?;
        let action = format!("read the offsets of group {group}");
        self.blocking(&action, &consumer, move |consumer| known(&consumer.committed_offsets(wanted, CALL)?))
            .await
    }

    async fn commit(&self, group: &str, topic: &str, offsets: &Offsets) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        for (partition, offset) in offsets {
            list.add_partition_offset(topic, *partition, Offset::Offset(*offset))
                .map_err(|error| self.failure("commit", &error))?;
        }
        let consumer = self.committer(group)?;
        let action = format!("commit the start offsets of group {group}");
        self.blocking(&action, &consumer, move |consumer| consumer.commit(&list, CommitMode::Sync)).await
    }

    async fn delete_group(&self, name: &str) -> Result<(), KafkaError> {
        let (names, options) = ([name], options());
        let call = self.admin.delete_groups(&names, &options);
        self.admin_call(&format!("delete group {name}"), Code::GroupIdNotFound, call).await
    }

    async fn group(&self, name: &str) -> Result<Option<GroupFacts>, KafkaError> {
        let wanted = name.to_owned();
        self.blocking(&format!("describe group {name}"), &self.reader, move |reader| {
            let list = reader.fetch_group_list(Some(&wanted), CALL)?;
            Ok(list.groups().first().map(|group| GroupFacts {
                state: group.state().to_owned(),
                members: i32::try_from(group.members().len()).unwrap_or(i32::MAX),
            }))
        })
        .await
    }
}

fn config(connection: &Connection) -> ClientConfig {
    let mut config = connection.security.client();
    config
        .set("bootstrap.servers", &connection.bootstrap_servers)
        .set("client.id", "boxoffice-operator")
        .set("allow.auto.create.topics", "false")
        .set("enable.auto.commit", "false")
        .set("socket.timeout.ms", "5000")
        .set("reconnect.backoff.max.ms", "2000")
        .set("coordinator.query.interval.ms", "5000");
    config
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(CALL)).operation_timeout(Some(CALL))
}

fn every_partition(topic: &str, partitions: i32) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    if partitions > 0 {
        list.add_partition_range(topic, 0, partitions - 1);
    }
    list
}

/// One request to each leader: the offsets at `place`, which is a timestamp, the beginning or the end.
fn ask(reader: &Reader, topic: &str, partitions: i32, place: Offset) -> KafkaResult<Offsets> {
    let mut list = every_partition(topic, partitions);
    list.set_all_offsets(place)?;
    known(&reader.offsets_for_times(list, CALL)?)
}

/// The entries that name an offset; an error of one partition is an error of the call.
fn known(list: &TopicPartitionList) -> KafkaResult<Offsets> {
    let mut offsets = Offsets::new();
    for element in list.elements() {
        element.error()?;
        if let Offset::Offset(offset) = element.offset() {
            offsets.insert(element.partition(), offset);
        }
    }
    Ok(offsets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_runtime::log::kafka::security::Security;
    use rdkafka::mocking::MockCluster;

    fn plain(bootstrap_servers: String) -> Cluster {
        Cluster::new(Connection { bootstrap_servers, security: Security::default() }).unwrap()
    }

    #[tokio::test]
    async fn start_offsets_are_committed_from_outside_and_read_back() {
        let mock = MockCluster::new(1).unwrap();
        mock.create_topic("seat-events", 3, 1).unwrap();
        let cluster = plain(mock.bootstrap_servers());
        assert!(cluster.committed("g", "seat-events", 3).await.unwrap().is_empty());
        let ends = cluster.offsets("seat-events", 3, Start::Latest).await.unwrap();
        assert_eq!(ends, [(0, 0), (1, 0), (2, 0)].into());
        assert_eq!(cluster.offsets("seat-events", 3, Start::Earliest).await.unwrap(), ends);
        cluster.commit("g", "seat-events", &ends).await.unwrap();
        assert_eq!(cluster.committed("g", "seat-events", 3).await.unwrap(), ends);
    }

    #[tokio::test]
    async fn a_cluster_that_is_not_there_is_unreachable() {
        let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let cluster = plain(unused.to_string());
        let error = cluster.topic("seat-events").await.unwrap_err();
        assert_eq!(error.reason(), "KafkaUnreachable");
        assert!(error.to_string().contains("Connection refused"), "librdkafka's own words: {error}");
    }
}
