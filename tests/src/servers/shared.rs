//! The servers that `boxoffice-servers` started for a whole run of tests, and a place of one's own on each: every test
//! has its own database, topic and service name, so that all run side by side.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use boxoffice_runtime::log::kafka::security::{Mechanism, Sasl, Security};
use boxoffice_runtime::settings::{archive_topic, snapshots_topic};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::metadata::MetadataTopic;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::certificates::Certificates;
use super::kafka_secure::{PASSWORD, USERNAME};

/// Where the harness says how Redis is reached: a URL.
pub const REDIS: &str = "BOXOFFICE_TEST_REDIS";
/// Where it says how Kafka is reached: bootstrap servers.
pub const KAFKA: &str = "BOXOFFICE_TEST_KAFKA";
/// Where it says how Kafka's secure listener is reached: bootstrap servers.
pub const KAFKA_SECURE: &str = "BOXOFFICE_TEST_KAFKA_SECURE";
/// Where it says how its listener is reached that asks for certificates.
pub const KAFKA_MUTUAL: &str = "BOXOFFICE_TEST_KAFKA_MUTUAL";
/// Where it says who signed those listeners' certificates: a file in PEM form, beside those of a client.
pub const KAFKA_CA: &str = "BOXOFFICE_TEST_KAFKA_CA";
/// Where it says how PostgreSQL is reached: a URL without a database.
pub const POSTGRES: &str = "BOXOFFICE_TEST_POSTGRES";

const TIMEOUT: Duration = Duration::from_secs(20);
/// Time between two tries to make a topic whose name is not free yet.
const RETRY: Duration = Duration::from_millis(100);

/// The shared Redis: its URL.
///
/// # Panics
/// Outside the harness.
pub fn redis_url() -> String {
    address(REDIS)
}

/// The shared Kafka: its bootstrap servers.
///
/// # Panics
/// Outside the harness.
pub fn kafka() -> String {
    address(KAFKA)
}

/// The same Kafka by its secure listener: its bootstrap servers.
///
/// # Panics
/// Outside the harness.
pub fn secure_kafka() -> String {
    address(KAFKA_SECURE)
}

/// What that listener admits.
///
/// # Panics
/// Outside the harness.
pub fn kafka_security(mechanism: Mechanism) -> Security {
    let sasl = Sasl { mechanism, username: USERNAME.to_owned(), password: PASSWORD.to_owned() };
    Security { tls: Some(kafka_certificates().tls()), sasl: Some(sasl) }
}

/// The same Kafka by the listener that asks for certificates: its bootstrap servers.
///
/// # Panics
/// Outside the harness.
pub fn mutual_kafka() -> String {
    address(KAFKA_MUTUAL)
}

/// The certificates of both listeners, and one that the latter takes.
///
/// # Panics
/// Outside the harness.
pub fn kafka_certificates() -> Certificates {
    let authority = address(KAFKA_CA);
    let folder = Path::new(&authority).parent().unwrap_or(Path::new("."));
    Certificates::read(folder).unwrap_or_else(|error| panic!("{KAFKA_CA}: {error:#}"))
}

/// A name that no other test has.
pub fn unique(hint: &str) -> String {
    let id = uuid::Uuid::new_v4().simple().to_string();
    format!("{hint}-{}", id.get(..8).unwrap_or_default())
}

/// A ReservationService's name (namespace/name) that no other test has.
pub fn service(hint: &str) -> String {
    format!("test/{}", unique(hint))
}

/// What the topic of the seats' domain events is named after. Beside it lie those of their snapshots and archives, which
/// workers need and the operator makes.
const SEATS: &str = "seat-events";

/// A new topic on the shared Kafka: its name. It is there, with a leader for each partition, when this returns; beside one
/// of `seat-events` its snapshots' and archives' too.
///
/// # Panics
/// When Kafka does not make it.
pub async fn topic(hint: &str, partitions: u32) -> String {
    topic_on(&kafka(), hint, partitions).await.unwrap_or_else(|error| panic!("{error:#}"))
}

/// The same on a Kafka of the test's own.
///
/// # Errors
/// Kafka does not make it.
pub async fn topic_on(bootstrap_servers: &str, hint: &str, partitions: u32) -> anyhow::Result<String> {
    made(bootstrap_servers, hint, i32::try_from(partitions)?, None).await
}

/// The same with each partition on one broker, which is named by its number.
///
/// # Errors
/// Kafka does not make it.
pub async fn topic_placed(
    bootstrap_servers: &str,
    hint: &str,
    placed: impl IntoIterator<Item = i32>,
) -> anyhow::Result<String> {
    let placed: Vec<_> = placed.into_iter().map(|broker| [broker]).collect();
    let placed: Vec<_> = placed.iter().map(|broker| &broker[..]).collect();
    made(bootstrap_servers, hint, i32::try_from(placed.len())?, Some(&placed)).await
}

/// Deletes a topic of the shared Kafka and makes it again under the same name, with nothing on it.
///
/// # Panics
/// When Kafka does not.
pub async fn replace_topic(name: &str, partitions: u32) {
    let replaced = async {
        let admin: AdminClient<DefaultClientContext> =
            ClientConfig::new().set("bootstrap.servers", kafka()).create()?;
        let options = AdminOptions::new().request_timeout(Some(TIMEOUT)).operation_timeout(Some(TIMEOUT));
        for result in admin.delete_topics(&[name], &options).await? {
            result.map_err(|(_, code)| anyhow::anyhow!("{code}"))?;
        }
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let new = NewTopic::new(name, i32::try_from(partitions)?, TopicReplication::Fixed(1));
            match create_topic(&kafka(), name, new).await {
                // It goes a moment after the controller says so.
                Err(_) if Instant::now() < deadline => tokio::time::sleep(RETRY).await,
                made => return made,
            }
        }
    };
    replaced.await.unwrap_or_else(|error: anyhow::Error| panic!("topic {name} is not replaced: {error:#}"));
}

async fn made(
    bootstrap_servers: &str,
    hint: &str,
    partitions: i32,
    placed: Option<&[&[i32]]>,
) -> anyhow::Result<String> {
    let name = unique(hint);
    let replication = || placed.map_or(TopicReplication::Fixed(1), TopicReplication::Variable);
    let compacted = (hint == SEATS).then(|| [snapshots_topic(&name), archive_topic(&name)]);
    for topic in compacted.iter().flatten().chain([&name]) {
        let new = NewTopic::new(topic, partitions, replication());
        let new = if *topic == name { new } else { new.set("cleanup.policy", "compact") };
        let made = create_topic(bootstrap_servers, topic, new).await;
        made.with_context(|| format!("topic {topic} cannot be made"))?;
    }
    Ok(name)
}

/// A database of a test's own; dropping it drops it.
#[derive(Debug)]
pub struct Database {
    /// Its URL.
    pub url: String,
    name: String,
}

/// A new, empty database on the shared PostgreSQL.
///
/// # Panics
/// When PostgreSQL does not make it.
pub async fn database(hint: &str) -> Database {
    let name = unique(hint);
    match administer(format!("CREATE DATABASE \"{name}\"")).await {
        Ok(()) => Database { url: format!("{}/{name}", address(POSTGRES)), name },
        Err(error) => panic!("database {name} cannot be made: {error:#}"),
    }
}

impl Drop for Database {
    /// On a thread and runtime of its own, because the test's may be the one that would have to wait. A database that
    /// cannot be dropped goes with its server.
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE IF EXISTS \"{}\" WITH (FORCE)", self.name);
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(administer(statement))
        });
        drop(dropped.join());
    }
}

async fn administer(statement: String) -> anyhow::Result<()> {
    tokio::time::timeout(TIMEOUT, async {
        let mut connection = PgConnection::connect(&format!("{}/postgres", address(POSTGRES))).await?;
        sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await?;
        connection.close().await?;
        Ok(())
    })
    .await
    .context("PostgreSQL does not answer")?
}

async fn create_topic(bootstrap_servers: &str, name: &str, new: NewTopic<'_>) -> anyhow::Result<()> {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", bootstrap_servers).create()?;
    let options = AdminOptions::new().request_timeout(Some(TIMEOUT)).operation_timeout(Some(TIMEOUT));
    for result in admin.create_topics([&new], &options).await? {
        result.map_err(|(_, code)| anyhow::anyhow!("{code}"))?;
    }
    let (name, partitions) = (name.to_owned(), usize::try_from(new.num_partitions)?);
    tokio::task::spawn_blocking(move || led(&admin, &name, partitions)).await?
}

/// Asks until every partition has a leader: the broker learns of a topic a moment after the controller.
fn led(admin: &AdminClient<DefaultClientContext>, topic: &str, partitions: usize) -> anyhow::Result<()> {
    let deadline = Instant::now() + TIMEOUT;
    while Instant::now() < deadline {
        let metadata = admin.inner().fetch_metadata(Some(topic), TIMEOUT)?;
        let all = metadata.topics().iter().flat_map(MetadataTopic::partitions);
        if all.filter(|partition| partition.leader() >= 0).count() == partitions {
            return Ok(());
        }
    }
    bail!("it has no leaders after {TIMEOUT:?}")
}

fn address(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!(
            "{variable} is not set: run the tests by `make test SUITES=integration`, or one of them by \
             `cargo run -p boxoffice-tests --bin boxoffice-servers -- cargo test -p boxoffice-tests NAME`"
        )
    })
}
