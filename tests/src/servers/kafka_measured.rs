//! A Kafka that tells what it was asked, by its own metrics: requests by kind, and connections.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use async_trait::async_trait;

use super::kafka::{self, Kafka};
use super::server::{Program, free_port};

/// Kinds of requests that only brokers make of each other, and of themselves.
const OF_BROKERS: [&str; 8] = [
    "AlterPartition",
    "AllocateProducerIds",
    "AssignReplicasToDirs",
    "BrokerHeartbeat",
    "BrokerRegistration",
    "ControllerRegistration",
    "Fetch",
    "FetchSnapshot",
];

/// A single-broker Kafka whose metrics are read.
#[derive(Debug, Clone, Copy)]
pub struct MeasuredKafka {
    metrics: u16,
}

impl MeasuredKafka {
    /// One that was not started yet.
    ///
    /// # Errors
    /// A machine without a free port.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self { metrics: free_port()? })
    }

    /// How many requests of each kind clients have made since it was started. Reading a log is not among them: brokers do
    /// so too.
    ///
    /// # Errors
    /// A broker that does not tell.
    pub async fn requests(&self) -> anyhow::Result<BTreeMap<String, u64>> {
        let mut requests = BTreeMap::new();
        let all = "kafka.network:type=RequestMetrics,name=RequestsPerSec,*";
        for (name, count) in self.read(all, "Count").await? {
            let kind = name.split(',').find_map(|part| part.split_once("request=")).map(|(_, kind)| kind);
            let kind = kind.with_context(|| format!("no kind of request in {name}"))?;
            let kind = kind.split([',', ':']).next().unwrap_or(kind).to_owned();
            *requests.entry(kind).or_insert(0) += count;
        }
        requests.retain(|kind, count| *count > 0 && !OF_BROKERS.contains(&kind.as_str()));
        Ok(requests)
    }

    /// How many connections clients have to it.
    ///
    /// # Errors
    /// A broker that does not tell.
    pub async fn connections(&self) -> anyhow::Result<u64> {
        let all = "kafka.server:type=socket-server-metrics,listener=PLAINTEXT,networkProcessor=*";
        Ok(self.read(all, "connection-count").await?.values().sum())
    }

    /// An attribute of every object that `pattern` names.
    async fn read(&self, pattern: &str, attribute: &str) -> anyhow::Result<BTreeMap<String, u64>> {
        let url = format!("service:jmx:rmi:///jndi/rmi://127.0.0.1:{}/jmxrmi", self.metrics);
        let mut tool = tokio::process::Command::from(Kafka::tool("org.apache.kafka.tools.JmxTool")?);
        tool.args(["--jmx-url", &url, "--one-time", "--report-format", "properties"])
            .args(["--object-name", pattern, "--attributes", attribute])
            .kill_on_drop(true);
        let output = tool.output().await?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        let mut values = BTreeMap::new();
        for line in text.lines() {
            if let Some((name, value)) = line.rsplit_once(&format!(":{attribute}=")) {
                // Some count in whole numbers and some with a point.
                let whole = value.trim().split('.').next().unwrap_or_default();
                values.insert(name.to_owned(), whole.parse().with_context(|| line.to_owned())?);
            }
        }
        ensure!(!values.is_empty(), "no object {pattern} has {attribute}: {text}");
        Ok(values)
    }
}

#[async_trait]
impl Program for MeasuredKafka {
    const NAME: &'static str = Kafka::NAME;

    async fn prepare(&self, folder: &Path, port: u16) -> anyhow::Result<()> {
        Kafka.prepare(folder, port).await
    }

    fn command(&self, folder: &Path, _: u16) -> anyhow::Result<Command> {
        let port = self.metrics;
        let properties = [
            "-Dcom.sun.management.jmxremote.host=127.0.0.1".to_owned(),
            "-Djava.rmi.server.hostname=127.0.0.1".to_owned(),
            format!("-Dcom.sun.management.jmxremote.port={port}"),
            format!("-Dcom.sun.management.jmxremote.rmi.port={port}"),
            "-Dcom.sun.management.jmxremote.authenticate=false".to_owned(),
            "-Dcom.sun.management.jmxremote.ssl=false".to_owned(),
        ];
        kafka::measured(folder, &properties)
    }

    async fn answers(&self, port: u16) -> anyhow::Result<()> {
        Kafka.answers(port).await
    }

    fn address(&self, port: u16) -> String {
        Kafka.address(port)
    }
}
