//! Archives on real servers: what a SeatingEvent came to is on the log before Redis lets it go, and people are shown it.

use boxoffice_command::archive::{Archive, Money, shelf};
use boxoffice_domain::SeatingEventId;
use boxoffice_runtime::log::UntilEnd;
use boxoffice_runtime::record::Record;
use boxoffice_runtime::settings::archive_topic;
use boxoffice_tests::command_worker::TOKEN;
use boxoffice_tests::process::run;
use boxoffice_tests::servers::kafka;
use boxoffice_tests::servers::redis_kinds::connection;
use boxoffice_tests::wait::{PATIENCE, until, within};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::local_support::{BOXOFFICE, House, show};
use crate::snapshots::{FUTURE, PAST, Stage};

impl Stage {
    async fn archive(&self, event: &SeatingEventId) -> Option<Archive> {
        shelf::read(&self.log, &self.topic, 0, event).await.unwrap()
    }

    /// All that is on the archives' topic.
    async fn told(&self) -> Vec<Record> {
        let mut reading = UntilEnd::open(&self.log, &archive_topic(&self.topic)).await.unwrap();
        let mut told = vec![];
        while let Some(records) = reading.next(100).await.unwrap() {
            told.extend(records);
        }
        told
    }

    async fn is_archived(&self) {
        until("it is archived", async || (self.archived().await == Some(1)).then_some(())).await;
    }

    /// Whether the script that leaves the stub of one that is over may do so.
    async fn may_archive(&self, may: bool) {
        let mut redis = connection(&self.redis.address()).await.unwrap();
        let mut acl = redis::cmd("ACL");
        acl.arg("SETUSER").arg("default").arg(if may { "+unlink" } else { "-unlink" });
        acl.exec_async(&mut redis).await.unwrap();
    }
}

/// Runs `boxoffice archive`; its exit code, what it printed, and its complaint.
async fn shown(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = run(BOXOFFICE, [&["archive"], arguments].concat()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_follows_an_owner_killed_between_archive_and_stub_writes_no_other() {
    let mut stage = Stage::new().await;
    stage.may_archive(false).await;
    let event = stage.show("long-ago", PAST).await;
    let archive = until("it is told", async || stage.archive(&event).await).await;
    assert_eq!((archive.sequence, archive.seats.total, &archive.revenue[..]), (1, 100, &[][..]));
    assert_eq!(stage.archived().await, Some(0));
    stage.worker.process.kill();
    let before = stage.told().await;

    stage.may_archive(true).await;
    stage.worker.restart().unwrap();
    stage.worker.ready().await.unwrap();
    stage.is_archived().await;
    assert_eq!((stage.told().await, stage.archive(&event).await), (before, Some(archive)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_was_put_on_again_is_told_anew_and_people_are_shown_it() {
    let mut stage = Stage::new().await;
    let event = stage.show("long-ago", PAST).await;
    stage.is_archived().await;
    assert_eq!(stage.archive(&event).await.unwrap().sequence, 1);
    stage.put_on(&event, FUTURE).await;
    stage.sell(&event, 1).await;
    stage.put_on(&event, PAST).await;
    // Whoever woke it leaves it awake for a while; another process does not know of that.
    stage.worker.restart().unwrap();
    stage.worker.ready().await.unwrap();
    stage.is_archived().await;
    let archive = stage.archive(&event).await.unwrap();
    let [sold] = &archive.reservations[..] else { panic!("{archive:?}") };
    assert_eq!((archive.sequence, archive.seats.reserved, sold.user_id.as_str()), (6, 1, "alice"));
    assert_eq!(archive.revenue, [Money { amount: 12_000, currency: "EUR".into() }]);
    let told = stage.told().await;
    let last = told.iter().rfind(|record| record.key == event.as_str()).unwrap();
    assert_eq!(String::from_utf8(last.value.clone()).unwrap(), archive.to_json().unwrap());
    assert_eq!(last.header("hash"), Some(archive.hash.as_str()));

    let at = [event.as_str(), "--admin-url", &stage.worker.admin, "--admin-token", TOKEN];
    let (code, text, complained) = shown(&at).await;
    assert_eq!(code, Some(0), "{complained}");
    assert!(text.contains("revenue       12000 EUR in its minor unit\nreservations  1, "), "{text}");
    let (_, text, _) = shown(&[&at[..], &["--json"]].concat()).await;
    assert_eq!(Archive::read(&event, text.as_bytes()).unwrap(), archive, "its hash is right");
    let other = stage.show("tonight", FUTURE).await;
    let (code, _, complained) = shown(&[&[other.as_str()], &at[1..]].concat()).await;
    assert_eq!(code, Some(1));
    assert!(complained.contains("ARCHIVE_NOT_FOUND: there is no archive of tonight"), "{complained}");
}

/// As a service finds them that an earlier version made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_topic_for_archives_what_is_over_waits_in_redis() {
    let stage = Stage::new().await;
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", kafka()).create().unwrap();
    let topic = archive_topic(&stage.topic);
    admin.delete_topics(&[&topic], &AdminOptions::new()).await.unwrap();
    let (event, other) = (stage.show("long-ago", PAST).await, stage.show("tonight", FUTURE).await);
    until("it was tried", async || {
        let failures = stage.metric("boxoffice_archives_failures_total").await;
        failures.filter(|failures| *failures > 0)
    })
    .await;
    stage.sell(&other, 1).await;
    assert_eq!(stage.archived().await, Some(0));
    let (status, inventory) = stage.admin(Method::GET, &event, None).await;
    assert_eq!((status, &inventory["seats"]["total"]), (StatusCode::OK, &json!(100)), "{inventory}");

    // The operator makes it.
    let new = NewTopic::new(&topic, 1, TopicReplication::Fixed(1)).set("cleanup.policy", "compact");
    until("it can be made", async || {
        let made = admin.create_topics([&new], &AdminOptions::new()).await.unwrap();
        made.into_iter().all(|made| made.is_ok()).then_some(())
    })
    .await;
    // Sweeps look at what has nothing to do every half a minute.
    let archived = within(2 * PATIENCE, async || (stage.archived().await == Some(1)).then_some(())).await;
    assert!(archived.is_some(), "it is archived");
    assert_eq!(stage.archive(&event).await.unwrap().seats.total, 100);
}

#[tokio::test]
async fn one_process_tells_what_is_over_and_keeps_it() {
    let house = House::new();
    let mut bygone = show("bygone");
    bygone["spec"]["startsAt"] = json!("2020-03-01T20:00:00Z");
    house.declare(&bygone);
    let mut shown_before = None;
    for _ in 0..2 {
        let local = house.open().await;
        let text = until("it is told", async || {
            let (code, text, complained) = shown(&["bygone", "--json", "--command-url", &local.url]).await;
            assert!(code == Some(0) || complained.contains("ARCHIVE_NOT_FOUND"), "{complained}");
            (code == Some(0)).then_some(text)
        })
        .await;
        let archive = Archive::read(&"bygone".parse().unwrap(), text.as_bytes()).unwrap();
        assert_eq!((archive.seats.total, archive.sequence), (90, 1));
        let (status, inventory) = local.get("/admin/events/bygone").await;
        assert_eq!((status, &inventory["phase"]), (200, &Value::from("Closed")), "{inventory}");
        assert!(shown_before.replace(text.clone()).is_none_or(|before| before == text));
        local.close().await;
    }
}
