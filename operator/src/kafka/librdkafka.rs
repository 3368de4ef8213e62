//! [`Kafka`] on librdkafka: the two clients of one cluster; `pool` keeps them between rounds.
//!
//! The requests block, so each runs on a blocking thread with a time-out of its own. A group's offsets are read and
//! committed from outside, which the coordinator accepts while nobody is in it: no client ever becomes a member.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use boxoffice_runtime::log::kafka::requests::{
    Described, EARLIEST, Failure, LATEST, ListedOffsets, Requests,
};
use boxoffice_runtime::log::kafka::trouble::Trouble;
use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewPartitions, NewTopic, OwnedResourceSpecifier,
    ResourceSpecifier, TopicReplication, TopicResult,
};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError as ClientError, KafkaResult, RDKafkaErrorCode as Code};
use tokio::task::JoinError;
use tokio::time::error::Elapsed;

use super::connection::Connection;
use super::failure::{Action, Asked};
use super::limits::{Limits, Share};
use super::{Answers, Commits, GroupFacts, Kafka, KafkaError, Offsets, Start, Topic, TopicFacts};

/// One call to the cluster.
const CALL: Duration = Duration::from_secs(5);
/// One call with everything around it, should the client not honour its own time-out.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a client's queue of errors is emptied. Without any time a line of its log would end that, and what comes
/// behind it is the reason of a failure.
const DRAIN: Duration = Duration::from_millis(2);

/// Most partitions that one request for offsets asks about: the client compares them each with each.
const PARTITIONS: usize = 500;

/// The clients of one cluster.
pub struct Cluster {
    asked: Asked,
    /// What both of them tell.
    trouble: Trouble,
    admin: AdminClient<Trouble>,
    reader: Arc<Reader>,
    share: Share,
}

type Reader = BaseConsumer<Trouble>;

impl Cluster {
    /// Clients for `connection`; connecting happens in the background.
    pub(super) fn new(connection: &Connection, limits: &Arc<Limits>) -> Result<Self, KafkaError> {
        let (config, trouble) = (config(connection), Trouble::default());
        let asked = Asked {
            bootstrap_servers: connection.bootstrap_servers.clone(),
            principal: connection.security.sasl.as_ref().map(|sasl| sasl.username.clone()),
        };
        let refused = |error: ClientError| KafkaError::Refused {
            action: "be reached by these settings".to_owned(),
            detail: error.to_string(),
        };
        Ok(Self {
            admin: config.create_with_context(trouble.clone()).map_err(refused)?,
            reader: Arc::new(config.create_with_context(trouble.clone()).map_err(refused)?),
            share: Share::new(limits, &connection.bootstrap_servers),
            asked,
            trouble,
        })
    }

    /// Runs what blocks and then empties the client's queue of errors, which nobody else reads.
    async fn blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Reader) -> T + Send + 'static,
    ) -> Result<Result<T, JoinError>, Elapsed> {
        let reader = Arc::clone(&self.reader);
        let call = async {
            let task = tokio::task::spawn_blocking(move || {
                let answer = call(&reader);
                while reader.poll(DRAIN).is_some() {}
                answer
            });
            task.await
        };
        self.share.within(PATIENCE, call).await
    }

    /// Makes a request.
    async fn request<T: Send + 'static>(
        &self,
        action: &Action,
        call: impl FnOnce(&Requests<Trouble>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, KafkaError> {
        match self.blocking(move |reader| call(&Requests::new(reader.client(), CALL))).await {
            Ok(Ok(Ok(answer))) => {
                self.trouble.is_over();
                Ok(answer)
            }
            Ok(Ok(Err(failure))) => Err(self.failure(action, &failure)),
            Ok(Err(join)) => {
                Err(KafkaError::Refused { action: action.words.clone(), detail: join.to_string() })
            }
            Err(_) => Err(self.silent()),
        }
    }

    /// Makes an admin call that answers for one topic or group; one answer may be `harmless`.
    async fn admin_call<F: Future<Output = KafkaResult<Vec<TopicResult>>>>(
        &self,
        action: &Action,
        harmless: Code,
        call: impl FnOnce() -> F,
    ) -> Result<(), KafkaError> {
        let results = self.share.within(PATIENCE, async { call().await }).await.map_err(|_| self.silent())?;
        for result in results.map_err(|error| self.failure(action, &of_client(&error)))? {
            match result {
                Err((_, code)) if code != harmless => return Err(self.failure(action, &code.into())),
                _ => {}
            }
        }
        Ok(())
    }

    /// The effective configuration of topics.
    async fn configurations(&self, names: &[&str]) -> Result<Answers<BTreeMap<String, String>>, KafkaError> {
        let Some(first) = names.first() else { return Ok(Answers::new()) };
        let action = |name: &str| Action::topic("read the configuration of", "DescribeConfigs", name);
        let (resources, options) = (names.iter().map(|name| ResourceSpecifier::Topic(name)), options());
        let resources: Vec<_> = resources.collect();
        let describe = async { self.admin.describe_configs(&resources, &options).await };
        let described = self
            .share
            .within(PATIENCE, describe)
            .await
            .map_err(|_| self.silent())?
            .map_err(|error| self.failure(&action(first), &of_client(&error)))?;
        // Answers come in the order of the questions; one that failed does not say whose it is.
        let answers = names.iter().zip(described).map(|(name, answer)| {
            let config = answer.map(|resource| shown(resource, name));
            ((*name).to_owned(), config.map_err(|code| self.failure(&action(name), &code.into())))
        });
        Ok(answers.collect())
    }

    fn failure(&self, action: &Action, failure: &Failure) -> KafkaError {
        self.asked.failure(action, failure, self.trouble.last())
    }

    fn silent(&self) -> KafkaError {
        let detail = format!("no answer within {} s", PATIENCE.as_secs());
        self.asked.silence(&detail, self.trouble.last())
    }
}

#[async_trait]
impl Kafka for Cluster {
    async fn cluster_id(&self) -> Result<Option<String>, KafkaError> {
        match self.blocking(|reader| reader.client().fetch_cluster_id(CALL)).await {
            Ok(Ok(Some(id))) => {
                self.share.is_of(&id);
                Ok(Some(id))
            }
            Ok(Ok(None)) => {
                let detail = format!("no answer within {} s", CALL.as_secs());
                Err(self.asked.silence(&detail, self.trouble.last()))
            }
            Ok(Err(_)) | Err(_) => Err(self.silent()),
        }
    }

    async fn topics(&self, names: &[String]) -> Result<Answers<Option<TopicFacts>>, KafkaError> {
        let action = |name: &str| Action::topic("describe", "Describe", name);
        let asked = names.to_vec();
        let first = action(names.first().map(String::as_str).unwrap_or_default());
        let found = self.request(&first, move |requests| requests.topics(&asked)).await?;
        let there: Vec<_> =
            found.iter().filter(|(_, topic)| topic.is_ok()).map(|(name, _)| name.as_str()).collect();
        let mut configurations = self.configurations(&there).await?;
        let facts = found.iter().map(|(name, topic)| {
            let answer = match topic {
                Ok(described) => match configurations.remove(name) {
                    Some(Ok(config)) => Ok(Some(facts(described, config))),
                    Some(Err(error)) => Err(error),
                    None => Err(KafkaError::Settling(format!("nothing was said of topic {name}"))),
                },
                Err(failure) if is_unknown(failure.code) => Ok(None),
                Err(failure) => Err(self.failure(&action(name), failure)),
            };
            (name.clone(), answer)
        });
        Ok(facts.collect())
    }

    async fn create_topic(&self, topic: &Topic) -> Result<(), KafkaError> {
        let replication = TopicReplication::Fixed(topic.replication_factor);
        let mut new = NewTopic::new(&topic.name, topic.partitions, replication);
        for (key, value) in &topic.config {
            new = new.set(key, value);
        }
        let (topics, options) = ([new], options());
        let call = || self.admin.create_topics(&topics, &options);
        self.admin_call(&Action::topic("create", "Create", &topic.name), Code::NoError, call).await
    }

    async fn grow_topic(&self, name: &str, partitions: i32) -> Result<(), KafkaError> {
        let growth = [NewPartitions::new(name, usize::try_from(partitions).unwrap_or_default())];
        let options = options();
        let call = || self.admin.create_partitions(&growth, &options);
        self.admin_call(&Action::topic("grow", "Alter", name), Code::NoError, call).await
    }

    async fn configure_topic(&self, name: &str, config: &BTreeMap<String, String>) -> Result<(), KafkaError> {
        let (action, name, config) =
            (Action::topic("configure", "AlterConfigs", name), name.to_owned(), config.clone());
        self.request(&action, move |requests| requests.configure(&name, &config)).await
    }

    async fn delete_topic(&self, name: &str) -> Result<(), KafkaError> {
        let (names, options) = ([name], options());
        let call = || self.admin.delete_topics(&names, &options);
        self.admin_call(&Action::topic("delete", "Delete", name), Code::UnknownTopicOrPartition, call).await
    }

    async fn offsets(
        &self,
        partitions: &BTreeMap<String, i32>,
        start: Start,
    ) -> Result<Answers<Offsets>, KafkaError> {
        let every: Vec<(String, i32)> = partitions
            .iter()
            .flat_map(|(topic, count)| (0..*count).map(move |partition| (topic.clone(), partition)))
            .collect();
        let mut answers: Answers<Offsets> =
            partitions.keys().map(|topic| (topic.clone(), Ok(Offsets::new()))).collect();
        for part in every.chunks(PARTITIONS) {
            let action = |topic: &str| Action::topic("list the offsets of", "Describe", topic);
            let first = action(part.first().map(|(topic, _)| topic.as_str()).unwrap_or_default());
            let asked = part.to_vec();
            let found = self.request(&first, move |requests| at(requests, &asked, start)).await?;
            for ((topic, partition), offset) in found {
                let answer = answers.entry(topic.clone()).or_insert_with(|| Ok(Offsets::new()));
                match (offset, answer) {
                    (Ok(offset), Ok(offsets)) if offset >= 0 => {
                        offsets.insert(partition, offset);
                    }
                    (Err(failure), answer @ Ok(_)) => *answer = Err(self.failure(&action(&topic), &failure)),
                    (_, _) => {}
                }
            }
        }
        Ok(answers)
    }

    async fn committed(&self, group: &str) -> Result<BTreeMap<String, Commits>, KafkaError> {
        let (action, name) = (Action::group("read the offsets of", "Describe", group), group.to_owned());
        let found = self.request(&action, move |requests| known(requests.committed(&name))).await?;
        let mut commits: BTreeMap<String, Commits> = BTreeMap::new();
        for ((topic, partition), commit) in found.unwrap_or_default() {
            let commit = commit.map_err(|failure| self.failure(&action, &failure))?;
            if commit.offset >= 0 {
                commits.entry(topic).or_default().insert(partition, commit);
            }
        }
        Ok(commits)
    }

    async fn commit(&self, group: &str, commits: &BTreeMap<String, Commits>) -> Result<(), KafkaError> {
        let action = Action::group("commit the start offsets of", "Read", group);
        let (name, commits) = (group.to_owned(), commits.clone());
        let committed = self.request(&action, move |requests| {
            let places: Vec<_> = commits
                .iter()
                .flat_map(|(topic, commits)| {
                    commits.iter().map(|(partition, commit)| (topic.as_str(), *partition, commit))
                })
                .collect();
            requests.commit(&name, &places)
        });
        for ((topic, _), committed) in committed.await? {
            let action = if matches!(&committed, Err(failure) if failure.code == Code::TopicAuthorizationFailed)
            {
                Action::topic("commit an offset in", "Read", &topic)
            } else {
                action.clone()
            };
            committed.map_err(|failure| self.failure(&action, &failure))?;
        }
        Ok(())
    }

    async fn delete_group(&self, name: &str) -> Result<(), KafkaError> {
        let (names, options) = ([name], options());
        let call = || self.admin.delete_groups(&names, &options);
        self.admin_call(&Action::group("delete", "Delete", name), Code::GroupIdNotFound, call).await
    }

    async fn group(&self, name: &str) -> Result<Option<GroupFacts>, KafkaError> {
        let (action, asked) = (Action::group("describe", "Describe", name), name.to_owned());
        let found = self.request(&action, move |requests| known(requests.group(&asked))).await?;
        let facts = found.filter(|(state, _)| state != "Dead").map(|(state, members)| GroupFacts {
            state,
            members: i32::try_from(members).unwrap_or(i32::MAX),
        });
        Ok(facts)
    }
}

/// Nothing for a group that was never there, as brokers of Kafka 4 say it.
fn known<T>(answer: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match answer {
        Err(failure) if failure.code == Code::GroupIdNotFound => Ok(None),
        answer => answer.map(Some),
    }
}

/// One request to each leader; where no record is as young as a time, the end.
fn at(
    requests: &Requests<Trouble>,
    partitions: &[(String, i32)],
    start: Start,
) -> Result<ListedOffsets, Failure> {
    match start {
        Start::Earliest => requests.offsets(partitions, EARLIEST),
        Start::Latest => requests.offsets(partitions, LATEST),
        Start::Timestamp(time) => {
            let mut found = requests.offsets(partitions, LATEST)?;
            found.extend(requests.offsets(partitions, time.max(0))?);
            Ok(found)
        }
    }
}

fn facts(described: &Described, config: BTreeMap<String, String>) -> TopicFacts {
    TopicFacts {
        id: described.id.clone(),
        partitions: i32::try_from(described.partitions).unwrap_or(i32::MAX),
        replicas: i32::try_from(described.replicas).unwrap_or(i32::MAX),
        config,
    }
}

/// What a topic's configuration shows; nothing where it is that of another one.
fn shown(resource: ConfigResource, name: &str) -> BTreeMap<String, String> {
    let is_of_it = matches!(&resource.specifier, OwnedResourceSpecifier::Topic(of) if of == name);
    let entries = resource.entries.into_iter().filter(|_| is_of_it);
    entries.filter_map(|entry| Some((entry.name, entry.value?))).collect()
}

/// The one answer that a topic does not exist. It may still be that this broker has not heard of it yet.
fn is_unknown(code: Code) -> bool {
    matches!(code, Code::UnknownTopicOrPartition | Code::UnknownTopic)
}

fn of_client(error: &ClientError) -> Failure {
    Failure { code: error.rdkafka_error_code().unwrap_or(Code::Fail), words: error.to_string() }
}

fn config(connection: &Connection) -> ClientConfig {
    let mut config = connection.security.client();
    config
        .set("bootstrap.servers", &connection.bootstrap_servers)
        .set("client.id", "boxoffice-operator")
        .set("allow.auto.create.topics", "false")
        .set("socket.timeout.ms", "5000")
        .set("reconnect.backoff.max.ms", "2000");
    config
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(CALL)).operation_timeout(Some(CALL))
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_runtime::log::kafka::security::Security;

    fn plain(bootstrap_servers: String) -> Cluster {
        let connection = Connection { bootstrap_servers, security: Security::default() };
        Cluster::new(&connection, &Arc::default()).unwrap()
    }

    #[tokio::test]
    async fn a_cluster_that_is_not_there_is_unreachable() {
        let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let cluster = plain(unused.to_string());
        let error = cluster.topics(&["seat-events".to_owned()]).await.unwrap_err();
        assert_eq!(error.reason(), "KafkaUnreachable");
        assert!(error.to_string().contains("Connection refused"), "librdkafka's own words: {error}");
    }
}
