//! Kafka by TLS, with SASL or with a certificate: what the event log, the operator's calls and the workers do on listeners
//! that admit nothing else, and what they say where they are not admitted, or ACLs do not let them.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use boxoffice_operator::kafka::connection::Connection;
use boxoffice_operator::kafka::converge::{TopicState, ask, group};
use boxoffice_operator::kafka::pool::Pool;
use boxoffice_operator::kafka::{Group, KafkaError, Start, Topic};
use boxoffice_runtime::log::kafka::security::{Mechanism, Sasl, Security};
use boxoffice_runtime::log::kafka::{KafkaLog, Settings};
use boxoffice_runtime::log::{EventLog, LogError};
use boxoffice_runtime::settings::{archive_topic, snapshots_topic};
use boxoffice_runtime::tls::Tls;
use boxoffice_tests::conformance::event_log::{Logs, numbered, read_all};
use boxoffice_tests::event_log_conformance;
use boxoffice_tests::process::Process;
use boxoffice_tests::servers::{
    Certificates, Kafka, LIMITED, PASSWORD, USERNAME, database, free_port, kafka, kafka_certificates,
    kafka_security, mutual_kafka, redis_url, secure_kafka, service, topic, unique,
};
use boxoffice_tests::wait::until;
use futures::future::join_all;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

/// The shared Kafka by its secure listener.
struct Secure(Mechanism);

#[async_trait]
impl Logs for Secure {
    fn log(&self) -> Box<dyn EventLog> {
        Box::new(log(kafka_security(self.0)))
    }

    async fn topic(&self, partitions: u32) -> String {
        topic("secure", partitions).await
    }
}

fn log(security: Security) -> KafkaLog {
    KafkaLog::with(Settings { security, ..Settings::new(&secure_kafka()) }).unwrap()
}

/// The shared Kafka by the listener that asks for certificates.
struct Mutual;

#[async_trait]
impl Logs for Mutual {
    fn log(&self) -> Box<dyn EventLog> {
        let Connection { bootstrap_servers, security } = mutual(kafka_certificates().client_tls());
        Box::new(KafkaLog::with(Settings { security, ..Settings::new(&bootstrap_servers) }).unwrap())
    }

    async fn topic(&self, partitions: u32) -> String {
        topic("mutual", partitions).await
    }
}

fn mutual(tls: Tls) -> Connection {
    Connection { bootstrap_servers: mutual_kafka(), security: Security { tls: Some(tls), sasl: None } }
}

mod scram_sha_512 {
    use super::*;

    event_log_conformance!(Secure(Mechanism::ScramSha512));
}

mod scram_sha_256 {
    use super::*;

    event_log_conformance! { Secure(Mechanism::ScramSha256) =>
        records_keep_their_order_within_and_across_calls
        a_tail_begins_in_the_middle
        a_member_resumes_at_the_commit
    }
}

mod plain {
    use super::*;

    event_log_conformance! { Secure(Mechanism::Plain) =>
        records_keep_their_order_within_and_across_calls
        a_tail_begins_in_the_middle
        a_member_resumes_at_the_commit
    }
}

mod certificate {
    use super::*;

    event_log_conformance! { Mutual =>
        records_keep_their_order_within_and_across_calls
        a_tail_begins_in_the_middle
        a_member_resumes_at_the_commit
    }
}

fn with_another_password(mechanism: Mechanism) -> Security {
    let Security { tls, sasl } = kafka_security(mechanism);
    Security { tls, sasl: sasl.map(|sasl| Sasl { password: "guessed".to_owned(), ..sasl }) }
}

async fn with_another_authority() -> Security {
    let folder = tempfile::tempdir().unwrap();
    let other = Certificates::for_localhost(folder.path()).await.unwrap();
    Security { tls: Some(other.tls()), ..kafka_security(Mechanism::ScramSha512) }
}

/// What every way to use the log says to a client that is not admitted.
async fn says(security: Security, words: &str) {
    let (log, topic) = (log(security), topic("refused", 1).await);
    let (group, topics) = (unique("group"), [topic.clone()]);
    let (published, tail, member) = tokio::join!(
        log.publish(&topic, vec![numbered(0, 1)]),
        log.tail(&topic, vec![(0, 0)]),
        log.subscribe(&group, &topics)
    );
    for error in [published.err(), tail.err(), member.err()] {
        let error = error.expect("refused");
        assert!(matches!(error, LogError::Unavailable(_)), "trying again is safe: {error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_told_by_each_mechanism() {
    let refused = [Mechanism::Plain, Mechanism::ScramSha256, Mechanism::ScramSha512]
        .map(|mechanism| says(with_another_password(mechanism), "Authentication failed"));
    join_all(refused).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_nobody_known_has_signed_is_told() {
    let systems = Security { tls: Some(Tls::default()), ..kafka_security(Mechanism::ScramSha512) };
    let refused = [with_another_authority().await, systems];
    join_all(refused.map(|security| says(security, "certificate verify failed"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operators_calls_are_admitted() {
    let security = kafka_security(Mechanism::ScramSha256);
    operates(Connection { bootstrap_servers: secure_kafka(), security }, unique("operator")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operators_calls_are_admitted_by_its_certificate() {
    operates(mutual(kafka_certificates().client_tls()), unique("operator")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_shows_no_certificate_or_a_strange_one_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let other = Certificates::for_localhost(folder.path()).await.unwrap();
    let known = kafka_certificates().tls();
    let strange = Tls { authority: known.authority.clone(), ..other.client_tls() };
    for tls in [known, strange] {
        let cluster = Pool::default().get(&mutual(tls)).unwrap();
        let refused = cluster.topics(&["seat-events".to_owned()]).await.unwrap_err();
        assert_eq!(refused.reason(), "KafkaTlsFailed", "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operators_acls_of_the_readme_are_enough() {
    let ([operator, ..], name) = (LIMITED, unique("operator"));
    let can = ["Create", "Read", "Alter", "DescribeConfigs", "AlterConfigs", "Delete"];
    let can = can.map(|operation| format!(" --operation {operation}")).concat();
    let groups =
        format!("--group {name} --resource-pattern-type prefixed --operation Read --operation Delete");
    tokio::join!(allow(operator, format!("--topic {name}{can}")), allow(operator, groups));
    let Security { tls, sasl } = kafka_security(Mechanism::Plain);
    let sasl = sasl.map(|sasl| Sasl { username: operator.to_owned(), ..sasl });
    let security = Security { tls, sasl };
    operates(Connection { bootstrap_servers: secure_kafka(), security }, name).await;
}

/// All that the operator asks of Kafka, about a topic and groups whose names begin like it.
async fn operates(connection: Connection, name: String) {
    let pool = Pool::default();
    let cluster = pool.get(&connection).unwrap();
    let wanted = Topic { name: name.clone(), partitions: 1, replication_factor: -1, config: BTreeMap::new() };
    cluster.create_topic(&wanted).await.unwrap();
    let facts = async || cluster.topics(std::slice::from_ref(&name)).await?.remove(&name).unwrap();
    until("the topic is there", async || facts().await.ok()?).await;
    cluster.grow_topic(&name, 2).await.unwrap();
    let endless = [("retention.ms".to_owned(), "-1".to_owned())].into();
    cluster.configure_topic(&name, &endless).await.unwrap();
    assert!(cluster.cluster_id().await.unwrap().is_some());
    let wanted = Group { name: format!("{name}-group"), topics: vec![name.clone()], start: Start::Latest };
    let topic = TopicState { name: name.clone(), partitions: 1, ..TopicState::default() };
    let once = async || {
        let questions = ask(cluster.as_ref(), std::iter::once(wanted.name.as_str()), &[&topic]).await?;
        group(cluster.as_ref(), &wanted, &questions).await
    };
    let made = until("the group is there", async || match once().await {
        Err(KafkaError::Settling(_)) => None,
        answer => Some(answer.unwrap()),
    });
    assert!(made.await.1.is_some());
    cluster.delete_group(&wanted.name).await.unwrap();
    cluster.delete_topic(&name).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operators_conditions_say_why_it_is_not_admitted() {
    let refused = async |security| {
        let connection = Connection { bootstrap_servers: secure_kafka(), security };
        Pool::default().get(&connection).unwrap().topics(&["seat-events".to_owned()]).await.unwrap_err()
    };
    let first = refused(with_another_password(Mechanism::ScramSha512)).await;
    assert_eq!(first.reason(), "KafkaAuthenticationFailed", "{first}");
    assert_eq!(refused(with_another_password(Mechanism::ScramSha512)).await, first, "I12: no news, no write");
    let untrusted = refused(with_another_authority().await).await;
    assert_eq!(untrusted.reason(), "KafkaTlsFailed", "{untrusted}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operators_conditions_name_the_right_that_lacks() {
    let [_, _, _, query, _] = LIMITED;
    let Security { tls, sasl } = kafka_security(Mechanism::Plain);
    let sasl = sasl.map(|sasl| Sasl { username: query.to_owned(), ..sasl });
    let connection = Connection { bootstrap_servers: secure_kafka(), security: Security { tls, sasl } };
    let cluster = Pool::default().get(&connection).unwrap();
    let (forbidden, group) = (topic("forbidden", 1).await, unique("group"));
    let facts = cluster.topics(std::slice::from_ref(&forbidden)).await.unwrap().remove(&forbidden).unwrap();
    let endless = [("retention.ms".to_owned(), "-1".to_owned())].into();
    let says = |error: KafkaError, rule: &str| {
        assert_eq!(error.reason(), "KafkaForbidden", "{error}");
        let said = error.to_string();
        assert!(said.contains(&format!("--allow-principal User:{query} {rule}")), "{said}");
    };
    says(facts.unwrap_err(), &format!("--operation Describe --topic {forbidden}"));
    let configured = cluster.configure_topic(&forbidden, &endless).await;
    says(configured.unwrap_err(), &format!("--operation AlterConfigs --topic {forbidden}"));
    let wanted =
        Topic { name: unique("new"), partitions: 1, replication_factor: -1, config: BTreeMap::new() };
    let created = cluster.create_topic(&wanted).await;
    says(created.unwrap_err(), &format!("--operation Create --topic {}", wanted.name));
    says(cluster.group(&group).await.unwrap_err(), &format!("--operation Describe --group {group}"));
    says(cluster.committed(&group).await.unwrap_err(), &format!("--operation Describe --group {group}"));
}

/// What the operator tells every worker about Kafka.
fn environment(service: &str, topics: &[String; 3], password: &str) -> Vec<(&'static str, String)> {
    let login = [
        ("BOXOFFICE_KAFKA_SASL_MECHANISM", "SCRAM-SHA-512".to_owned()),
        ("BOXOFFICE_KAFKA_SASL_USERNAME", USERNAME.to_owned()),
        ("BOXOFFICE_KAFKA_SASL_PASSWORD", password.to_owned()),
    ];
    over_tls(service, topics, secure_kafka()).into_iter().chain(login).collect()
}

/// The same on the listener that asks for certificates.
fn by_certificate(service: &str, topics: &[String; 3]) -> Vec<(&'static str, String)> {
    let Certificates { client_certificate, client_key, .. } = kafka_certificates();
    let own =
        [("BOXOFFICE_KAFKA_CERTIFICATE", client_certificate.text), ("BOXOFFICE_KAFKA_KEY", client_key.text)];
    over_tls(service, topics, mutual_kafka()).into_iter().chain(own).collect()
}

fn over_tls(service: &str, topics: &[String; 3], bootstrap_servers: String) -> [(&'static str, String); 7] {
    [
        ("BOXOFFICE_SERVICE", service.to_owned()),
        ("BOXOFFICE_KAFKA_BOOTSTRAP_SERVERS", bootstrap_servers),
        ("BOXOFFICE_KAFKA_TOPIC", topics[0].clone()),
        ("BOXOFFICE_KAFKA_STATS_TOPIC", topics[1].clone()),
        ("BOXOFFICE_KAFKA_PAYMENT_TOPIC", topics[2].clone()),
        ("BOXOFFICE_KAFKA_TLS", "true".to_owned()),
        ("BOXOFFICE_KAFKA_CA", kafka_certificates().authority.text),
    ]
}

/// Starts a worker with `own` settings beside those about Kafka; its address of probes.
fn start(
    binary: &str,
    kafka: &[(&'static str, String)],
    own: &[(&'static str, String)],
) -> (Process, String) {
    let metrics = format!("127.0.0.1:{}", free_port().unwrap());
    let addresses = [("BOXOFFICE_METRICS_ADDR", metrics.clone())];
    let environment = kafka.iter().chain(own).chain(&addresses).cloned();
    (Process::start(binary, environment).unwrap(), format!("http://{metrics}/readyz"))
}

async fn topics() -> [String; 3] {
    [topic("seat-events", 1).await, topic("stats-events", 1).await, topic("payment-events", 1).await]
}

/// The same settings for a user that may do what ACLs say.
fn limited(kafka: &[(&'static str, String)], user: &str) -> Vec<(&'static str, String)> {
    let own = [("BOXOFFICE_KAFKA_SASL_MECHANISM", "PLAIN"), ("BOXOFFICE_KAFKA_SASL_USERNAME", user)];
    kafka.iter().cloned().chain(own.map(|(name, value)| (name, value.to_owned()))).collect()
}

/// Lets `user` do what the arguments of Kafka's own tool say.
async fn allow(user: &str, what: String) {
    let mut tool = Kafka::tool("org.apache.kafka.tools.AclCommand").unwrap();
    tool.args(["--bootstrap-server", &kafka(), "--add", "--force", "--allow-principal"]);
    tool.arg(format!("User:{user}")).args(what.split(' '));
    let done = tokio::process::Command::from(tool).output().await.unwrap();
    let said = [done.stdout, done.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    assert!(done.status.success(), "{}", said.concat());
}

const READ: &str = "--operation Read --operation Describe";

/// What the README says that a command worker needs, but for its transactional ids.
async fn allow_commands(user: &str, [seats, others @ ..]: &[String; 3], group: &str) {
    let [snapshots, archive] = [snapshots_topic(seats), archive_topic(seats)];
    tokio::join!(
        allow(
            user,
            format!("--topic {seats} --topic {snapshots} --topic {archive} {READ} --operation Write")
        ),
        allow(user, format!("--topic {} --topic {} {READ}", others[0], others[1])),
        allow(user, format!("--group {group} --operation Read")),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reservation_goes_through_all_workers() {
    let topics = topics().await;
    let kafka = environment(&service("secure"), &topics, PASSWORD);
    let groups = [unique("group"), unique("group")];
    goes_through_all_workers([kafka.clone(), kafka.clone(), kafka], groups).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reservation_goes_through_all_workers_by_their_certificate() {
    let kafka = by_certificate(&service("mutual"), &topics().await);
    let groups = [unique("group"), unique("group")];
    goes_through_all_workers([kafka.clone(), kafka.clone(), kafka], groups).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_acls_of_the_readme_are_enough() {
    let (topics, service, groups) = (topics().await, service("acls"), [unique("group"), unique("group")]);
    let [_, command, consumer, query, _] = LIMITED;
    let [seats, announced, payments] = &topics;
    let transactional = format!("--transactional-id {service}/ --resource-pattern-type prefixed");
    tokio::join!(
        allow_commands(command, &topics, &groups[0]),
        allow(command, format!("{transactional} --operation Write --operation Describe")),
        allow(consumer, format!("--topic {seats} --topic {payments} {READ}")),
        allow(consumer, format!("--group {} --operation Read", groups[1])),
        allow(query, format!("--topic {seats} --topic {announced} {READ}")),
    );
    let kafka = environment(&service, &topics, PASSWORD);
    goes_through_all_workers([command, consumer, query].map(|user| limited(&kafka, user)), groups).await;

    let Security { tls, sasl } = kafka_security(Mechanism::Plain);
    let sasl = sasl.map(|sasl| Sasl { username: command.to_owned(), ..sasl });
    let log = log(Security { tls, sasl });
    let mut appender = log.appender(&format!("{service}/0/snapshots")).await.unwrap();
    for topic in [snapshots_topic(seats), archive_topic(seats)] {
        appender.append(&topic, vec![numbered(0, 1)]).await.unwrap();
        // It can be read once its marker is written, which is after the answer.
        until("it can be read", async || (!read_all(&log, &topic).await.is_empty()).then_some(())).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_may_not_use_its_transactional_ids_says_which() {
    let (topics, service, group) = (topics().await, service("acls"), unique("group"));
    let [.., stranger] = LIMITED;
    allow_commands(stranger, &topics, &group).await;
    let kafka = limited(&environment(&service, &topics, PASSWORD), stranger);
    let [http, admin] = [(); 2].map(|()| format!("127.0.0.1:{}", free_port().unwrap()));
    let own = [
        ("BOXOFFICE_REDIS_URL", redis_url()),
        ("BOXOFFICE_ADMIN_TOKEN", "secret".to_owned()),
        ("BOXOFFICE_HTTP_ADDR", http),
        ("BOXOFFICE_ADMIN_ADDR", admin.clone()),
        ("BOXOFFICE_PAYMENTS_GROUP", group),
    ];
    let (mut command, _) = start("boxoffice-command", &kafka, &own);
    let lacking = format!("publish as {service}/0: allow Write and Describe on that transactional id");
    command.says(&lacking).await.unwrap();
}

/// Has a command worker, a consumer and a query worker sell a seat; each is told about Kafka by its own settings.
async fn goes_through_all_workers(
    [of_command, of_consumer, of_query]: [Vec<(&'static str, String)>; 3],
    [payments, group]: [String; 2],
) {
    let database = database("secure").await;
    let [http, admin, query, figures] = [(); 4].map(|()| format!("127.0.0.1:{}", free_port().unwrap()));

    let own = [
        ("BOXOFFICE_REDIS_URL", redis_url()),
        ("BOXOFFICE_ADMIN_TOKEN", "secret".to_owned()),
        ("BOXOFFICE_HTTP_ADDR", http.clone()),
        ("BOXOFFICE_ADMIN_ADDR", admin.clone()),
        ("BOXOFFICE_PAYMENTS_GROUP", payments),
    ];
    let (mut command, ready) = start("boxoffice-command", &of_command, &own);
    command.ready(&ready).await.unwrap();
    let url = ("BOXOFFICE_DATABASE_URL", database.url.clone());
    let own = [url.clone(), ("BOXOFFICE_HANDLER", "seat-view".to_owned()), ("BOXOFFICE_GROUP", group)];
    let (mut consumer, ready) = start("boxoffice-consumer", &of_consumer, &own);
    consumer.ready(&ready).await.unwrap();
    let own = [
        url,
        ("BOXOFFICE_HTTP_ADDR", query.clone()),
        ("BOXOFFICE_ADMIN_ADDR", figures),
        ("BOXOFFICE_ADMIN_TOKEN", "secret".to_owned()),
    ];
    let (mut reader, ready) = start("boxoffice-query", &of_query, &own);
    reader.ready(&ready).await.unwrap();

    let client = Client::builder().timeout(Duration::from_secs(20)).no_proxy().build().unwrap();
    let definition = json!({
        "title": "Arena Night", "startsAt": 4_000_000_000_000_u64, "hold": {"ttlSeconds": 300, "maxSeconds": 900},
        "priceCategories": [{"name": "gold", "amount": 12_000, "currency": "EUR"}],
        "sections": [{"id": "FLOOR", "priceCategory": "gold", "capacity": 10}]
    });
    let put = client.put(format!("http://{admin}/admin/events/arena-night")).bearer_auth("secret");
    assert_eq!(put.json(&definition).send().await.unwrap().status(), StatusCode::OK);
    for verb in ["hold", "reserve"] {
        let request = client.post(format!("http://{http}/seats/arena-night.FLOOR-1/{verb}"));
        let answer = request.header("x-user-id", "alice").send().await.unwrap();
        // A reservation is acknowledged when Kafka has it.
        assert_eq!(answer.status(), StatusCode::OK, "{verb}: {}", answer.text().await.unwrap());
    }
    until("the map shows it", async || {
        let answer = client.get(format!("http://{query}/seats/arena-night.FLOOR-1")).send().await.ok()?;
        let seat: Value = answer.json().await.ok()?;
        (seat["status"] == "RESERVED").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_not_admitted_says_so_and_is_not_ready() {
    let kafka = environment(&service("secure"), &topics().await, "guessed");
    let database = database("secure").await;
    let own = [
        ("BOXOFFICE_DATABASE_URL", database.url.clone()),
        ("BOXOFFICE_HANDLER", "seat-view".to_owned()),
        ("BOXOFFICE_GROUP", unique("group")),
    ];
    let (mut consumer, ready) = start("boxoffice-consumer", &kafka, &own);
    consumer.says("Authentication failed").await.unwrap();
    let answer = until("it answers probes", async || reqwest::get(&ready).await.ok()).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(!consumer.log().contains("guessed"), "no password is logged");
}
