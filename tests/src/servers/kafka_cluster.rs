//! Apache Kafka on three brokers, each of which is a controller too and can be ended or frozen by itself.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use async_trait::async_trait;
use futures::future::try_join_all;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::metadata::{MetadataPartition, MetadataTopic};
use tokio::sync::{Mutex, MutexGuard};

use super::kafka::{self, Kafka, QuorumNode};
use super::server::{Program, Server, free_port};
use crate::wait::{PATIENCE, within};

/// How many brokers.
pub const BROKERS: usize = 3;
/// Longest wait for the answer to one question.
const ANSWER: Duration = Duration::from_secs(2);

/// One of the brokers.
#[derive(Debug, Clone)]
pub struct Broker(QuorumNode);

#[async_trait]
impl Program for Broker {
    const NAME: &'static str = Kafka::NAME;

    async fn prepare(&self, folder: &Path, port: u16) -> anyhow::Result<()> {
        let listeners = [("PLAINTEXT", "PLAINTEXT", port)];
        kafka::format(folder, &listeners, &self.0, "", &[]).await
    }

    fn command(&self, folder: &Path, _: u16) -> anyhow::Result<Command> {
        kafka::one_of_several(folder)
    }

    async fn answers(&self, port: u16) -> anyhow::Result<()> {
        Kafka.answers(port).await
    }

    fn address(&self, port: u16) -> String {
        Kafka.address(port)
    }
}

/// Three brokers; dropping it ends them all.
#[derive(Debug)]
pub struct KafkaCluster {
    brokers: Vec<Mutex<Server<Broker>>>,
    address: String,
}

impl KafkaCluster {
    /// Starts them and waits until they know each other.
    ///
    /// # Errors
    /// A Kafka that is not installed, or does not become ready.
    pub async fn start() -> anyhow::Result<Self> {
        let controllers = (0..BROKERS).map(|_| free_port()).collect::<anyhow::Result<Vec<_>>>()?;
        let nodes = (1..=BROKERS).map(|id| QuorumNode { id, controllers: controllers.clone() });
        let brokers = try_join_all(nodes.map(|node| Server::start(Broker(node)))).await?;
        let address = brokers.iter().map(Server::address).collect::<Vec<_>>().join(",");
        let cluster = Self { brokers: brokers.into_iter().map(Mutex::new).collect(), address };
        let complete = within(PATIENCE, async || (cluster.known().await.ok()? == BROKERS).then_some(()));
        complete.await.context("the brokers do not find each other")?;
        Ok(cluster)
    }

    /// How clients name it: bootstrap servers.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A broker by its number, from 1, to be ended, frozen or started again.
    ///
    /// # Panics
    /// Where there is none.
    pub async fn broker(&self, number: i32) -> MutexGuard<'_, Server<Broker>> {
        let broker = usize::try_from(number - 1).ok().and_then(|index| self.brokers.get(index));
        broker.unwrap_or_else(|| panic!("there is no broker {number}")).lock().await
    }

    /// CPU seconds that those have spent which run.
    pub fn cpu_seconds(&self) -> f64 {
        let running = self.brokers.iter().filter_map(|broker| broker.try_lock().ok()?.cpu_seconds().ok());
        running.sum()
    }

    /// Waits until a partition has a leader, or has none.
    ///
    /// # Errors
    /// It stays as it is.
    pub async fn comes_to_be_led(&self, topic: &str, partition: u32, is_led: bool) -> anyhow::Result<()> {
        let is_so = async || (self.is_led(topic, partition).await.ok()? == is_led).then_some(());
        let state = if is_led { "no leader" } else { "a leader" };
        within(PATIENCE, is_so).await.with_context(|| format!("{topic}[{partition}] still has {state}"))
    }

    async fn is_led(&self, topic: &str, partition: u32) -> anyhow::Result<bool> {
        let (address, topic, number) = (self.address.clone(), topic.to_owned(), i32::try_from(partition)?);
        asked(move || {
            let metadata = client(&address)?.fetch_metadata(Some(&topic), ANSWER)?;
            let all = metadata.topics().iter().flat_map(MetadataTopic::partitions);
            let found = all.filter(|found| found.id() == number).map(MetadataPartition::leader).next();
            Ok(found.context("no such partition")? >= 0)
        })
        .await
    }

    /// How many brokers know of each other.
    async fn known(&self) -> anyhow::Result<usize> {
        let address = self.address.clone();
        asked(move || {
            let metadata = client(&address)?.fetch_metadata(None, ANSWER)?;
            ensure!(!metadata.brokers().is_empty(), "no broker yet");
            Ok(metadata.brokers().len())
        })
        .await
    }
}

/// A client for one question: one that is kept remembers leaders that there were.
fn client(address: &str) -> anyhow::Result<BaseConsumer> {
    Ok(ClientConfig::new().set("bootstrap.servers", address).set("log_level", "0").create()?)
}

async fn asked<T: Send + 'static>(
    question: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(question).await?
}
