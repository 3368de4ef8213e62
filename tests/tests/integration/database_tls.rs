//! Databases that are known by their certificates, and ask for one: what workers do, and what they say where that fails.

use boxoffice_runtime::postgres::{DatabaseArgs, DatabaseTlsArgs, connect};
use boxoffice_tests::process::Process;
use boxoffice_tests::servers::{
    Certificates, SecurePostgres, Server, free_port, kafka, service, topic, unique,
};
use tempfile::TempDir;

/// A server, and the certificates of both sides.
struct Stage {
    server: Server<SecurePostgres>,
    certificates: Certificates,
    _folder: TempDir,
}

impl Stage {
    async fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let certificates = Certificates::for_localhost(folder.path()).await.unwrap();
        let server = Server::start(SecurePostgres { certificates: certificates.clone() }).await.unwrap();
        Self { server, certificates, _folder: folder }
    }

    fn url(&self) -> String {
        format!("{}/postgres", self.server.address())
    }

    /// Why nobody comes in like this.
    async fn refuses(&self, url: String, database_tls: DatabaseTlsArgs) -> String {
        let options = DatabaseArgs { database_tls, ..DatabaseArgs::at(url) }.options("test").unwrap();
        connect(&options).await.expect_err("refused").to_string()
    }
}

#[tokio::test]
async fn workers_reach_a_database_by_their_certificate() {
    let stage = Stage::set().await;
    let Certificates { authority, client_certificate, client_key, .. } = stage.certificates.clone();
    let common = [
        ("BOXOFFICE_SERVICE", service("tls")),
        ("BOXOFFICE_KAFKA_BOOTSTRAP_SERVERS", kafka()),
        ("BOXOFFICE_KAFKA_TOPIC", topic("seat-events", 1).await),
        ("BOXOFFICE_KAFKA_STATS_TOPIC", topic("stats-events", 1).await),
        ("BOXOFFICE_KAFKA_PAYMENT_TOPIC", topic("payment-events", 1).await),
        ("BOXOFFICE_DATABASE_URL", stage.url()),
        ("BOXOFFICE_DATABASE_TLS", "true".to_owned()),
        ("BOXOFFICE_DATABASE_CA", authority.text),
        ("BOXOFFICE_DATABASE_CERTIFICATE", client_certificate.text),
        ("BOXOFFICE_DATABASE_KEY", client_key.text),
    ];
    let local = || format!("127.0.0.1:{}", free_port().unwrap());
    let start = |binary: &str, own: Vec<(&'static str, String)>| {
        let metrics = local();
        let own = own.into_iter().chain([("BOXOFFICE_METRICS_ADDR", metrics.clone())]);
        let process = Process::start(binary, common.iter().cloned().chain(own)).unwrap();
        (process, format!("http://{metrics}/readyz"))
    };
    let own = vec![("BOXOFFICE_HANDLER", "seat-view".to_owned()), ("BOXOFFICE_GROUP", unique("group"))];
    let (mut consumer, ready) = start("boxoffice-consumer", own);
    consumer.ready(&ready).await.unwrap();
    let own = vec![
        ("BOXOFFICE_HTTP_ADDR", local()),
        ("BOXOFFICE_ADMIN_ADDR", local()),
        ("BOXOFFICE_ADMIN_TOKEN", "secret".to_owned()),
    ];
    let (mut query, ready) = start("boxoffice-query", own);
    query.ready(&ready).await.unwrap();
}

#[tokio::test]
async fn a_database_is_refused_whose_certificate_is_signed_by_others_or_names_another_host() {
    let stage = Stage::set().await;
    let good = stage.certificates.database_tls();
    let folder = tempfile::tempdir().unwrap();
    let other = Certificates::for_localhost(folder.path()).await.unwrap();
    let untrusting = DatabaseTlsArgs { database_ca: Some(other.authority.text.clone()), ..good.clone() };
    let why = stage.refuses(stage.url(), untrusting).await;
    // The other authority has the same name.
    assert!(why.contains("BadSignature"), "{why}");
    let why = stage.refuses(stage.url(), DatabaseTlsArgs { database_ca: None, ..good.clone() }).await;
    assert!(why.contains("UnknownIssuer"), "only public authorities are trusted then: {why}");
    let elsewhere = stage.url().replace("127.0.0.1", "0.0.0.0");
    let why = stage.refuses(elsewhere, good).await;
    assert!(why.contains("not valid for name"), "{why}");
}

#[tokio::test]
async fn a_database_refuses_who_shows_no_certificate_or_a_strange_one() {
    let stage = Stage::set().await;
    let good = stage.certificates.database_tls();
    let nobody = DatabaseTlsArgs { database_certificate: None, database_key: None, ..good.clone() };
    let why = stage.refuses(stage.url(), nobody).await;
    assert!(why.contains("requires a valid client certificate"), "{why}");
    let folder = tempfile::tempdir().unwrap();
    let strange = Certificates::for_localhost(folder.path()).await.unwrap().database_tls();
    let stranger = DatabaseTlsArgs { database_ca: good.database_ca, ..strange };
    stage.refuses(stage.url(), stranger).await;
    let why = stage.refuses(stage.url(), DatabaseTlsArgs::default()).await;
    assert!(why.contains("requires a valid client certificate"), "by TLS without any check: {why}");
}
