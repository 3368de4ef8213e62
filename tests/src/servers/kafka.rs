//! Apache Kafka: a process that is broker and controller, alone or one of several, from the jars that
//! `tests/servers/install servers` keeps in the cache folder.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use async_trait::async_trait;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::child::bound;
use super::installed::cache;
use super::server::{Program, free_port};

/// The one place that says which version it is.
const POM: &str = include_str!("../../servers/kafka/pom.xml");
/// Quick to start, small in memory: a broker of a test serves a few thousand records.
const JVM: [&str; 3] = ["-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
/// The most memory of one broker that is alone, and of one of several.
const MOST: &str = "-Xmx512m";
const MOST_OF_SEVERAL: &str = "-Xmx256m";

/// A single-broker Kafka.
#[derive(Debug, Clone, Copy, Default)]
pub struct Kafka;

/// Which of the brokers of a Kafka one is.
#[derive(Debug, Clone)]
pub(super) struct QuorumNode {
    /// Its number, from 1.
    pub(super) id: usize,
    /// The controllers' ports, of every broker.
    pub(super) controllers: Vec<u16>,
}

impl QuorumNode {
    /// The only one.
    pub(super) fn alone() -> anyhow::Result<Self> {
        Ok(Self { id: 1, controllers: vec![free_port()?] })
    }

    /// The id of its cluster, which no other one has that runs: sixteen bytes as Kafka writes them.
    fn cluster_id(&self) -> String {
        format!("BoxOfficeTests{:07}A", self.controllers.first().copied().unwrap_or_default())
    }
}

#[async_trait]
impl Program for Kafka {
    const NAME: &'static str = "kafka";

    async fn prepare(&self, folder: &Path, port: u16) -> anyhow::Result<()> {
        let listeners = [("PLAINTEXT", "PLAINTEXT", port)];
        format(folder, &listeners, &QuorumNode::alone()?, "", &[]).await
    }

    fn command(&self, folder: &Path, _: u16) -> anyhow::Result<Command> {
        broker(folder, MOST)
    }

    async fn answers(&self, port: u16) -> anyhow::Result<()> {
        let address = self.address(port);
        tokio::task::spawn_blocking(move || {
            let client: BaseConsumer = ClientConfig::new()
                .set("bootstrap.servers", address)
                .set("log_level", "0")
                .create_with_context(rdkafka::consumer::DefaultConsumerContext)?;
            let metadata = client.fetch_metadata(None, Duration::from_secs(2))?;
            ensure!(!metadata.brokers().is_empty(), "no broker yet");
            Ok(())
        })
        .await?
    }

    fn address(&self, port: u16) -> String {
        format!("127.0.0.1:{port}")
    }
}

/// Runs one of several brokers with the settings of its folder.
pub(super) fn one_of_several(folder: &Path) -> anyhow::Result<Command> {
    broker(folder, MOST_OF_SEVERAL)
}

fn broker(folder: &Path, memory: &str) -> anyhow::Result<Command> {
    told(folder, memory, &[])
}

/// The same with more that the JVM is told.
pub(super) fn measured(folder: &Path, properties: &[String]) -> anyhow::Result<Command> {
    told(folder, MOST, properties)
}

fn told(folder: &Path, memory: &str, properties: &[String]) -> anyhow::Result<Command> {
    let mut command = java(memory)?;
    command.args(properties).arg("kafka.Kafka").arg(folder.join("server.properties"));
    Ok(command)
}

/// Writes the settings, `more` among them, and makes the data folder that they name; `scram` are users that it knows from the
/// beginning.
pub(super) async fn format(
    folder: &Path,
    listeners: &[(&str, &str, u16)],
    node: &QuorumNode,
    more: &str,
    scram: &[String],
) -> anyhow::Result<()> {
    let properties = folder.join("server.properties");
    std::fs::write(&properties, settings(&folder.join("data"), listeners, node) + more)?;
    let formatted = tokio::process::Command::from(java(MOST_OF_SEVERAL)?)
        .args(["kafka.tools.StorageTool", "format", "--cluster-id", &node.cluster_id(), "--config"])
        .arg(&properties)
        .args(scram.iter().flat_map(|user| ["--add-scram", user]))
        .kill_on_drop(true)
        .output()
        .await?;
    ensure!(formatted.status.success(), "{}", String::from_utf8_lossy(&formatted.stderr));
    Ok(())
}

fn java(memory: &str) -> anyhow::Result<Command> {
    let home = home()?;
    ensure!(home.is_dir(), "Kafka is not in {}: run tests/servers/install servers", home.display());
    let mut command = bound("java", Kafka::END, None);
    command.args(JVM).arg(memory).arg("-cp").arg(home.join("*"));
    Ok(command)
}

impl Kafka {
    /// The command that runs `class`, one of the tools that Kafka brings along; its arguments are to be added.
    ///
    /// # Errors
    /// A Kafka that is not installed.
    pub fn tool(class: &str) -> anyhow::Result<Command> {
        let mut command = bound("java", Self::END, None);
        command.arg("-cp").arg(home()?.join("*")).arg(class);
        Ok(command)
    }
}

fn home() -> anyhow::Result<PathBuf> {
    let version = POM
        .split_once("<kafka.version>")
        .and_then(|(_, rest)| rest.split_once("</kafka.version>"))
        .map(|(version, _)| version)
        .context("tests/servers/kafka/pom.xml names no kafka.version")?;
    Ok(cache()?.join(format!("kafka-{version}")))
}

/// The settings with these listeners, each a name, a protocol and a port. Nothing is ever deleted, as the operator has it:
/// histories of tests happen in the past, and a retention would take their records away half a minute after the broker
/// began. One that was killed is let in again when the session that it had is over: a short one. Kafka's own topics are on
/// every broker, and one of several may be away.
fn settings(data: &Path, listeners: &[(&str, &str, u16)], node: &QuorumNode) -> String {
    let QuorumNode { id, controllers } = node;
    let (replicas, in_sync) = (controllers.len(), (controllers.len() - 1).max(1));
    let own = controllers.get(id - 1).copied().unwrap_or_default();
    let all = || listeners.iter().copied().chain([("CONTROLLER", "PLAINTEXT", own)]);
    let addresses: Vec<_> = all().map(|(name, _, port)| format!("{name}://127.0.0.1:{port}")).collect();
    let protocols: Vec<_> = all().map(|(name, protocol, _)| format!("{name}:{protocol}")).collect();
    let voters: Vec<_> =
        (1..).zip(controllers).map(|(node, port)| format!("{node}@127.0.0.1:{port}")).collect();
    format!(
        "process.roles=broker,controller
node.id={id}
controller.quorum.voters={}
controller.listener.names=CONTROLLER
listeners={}
listener.security.protocol.map={}
log.dirs={}
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
auto.create.topics.enable=false
log.retention.ms=-1
group.initial.rebalance.delay.ms=0
default.replication.factor={replicas}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={replicas}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}
",
        voters.join(","),
        addresses.join(","),
        protocols.join(","),
        data.display()
    )
}
