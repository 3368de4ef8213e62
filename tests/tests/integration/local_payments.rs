//! The whole story in one process: hold, reserve, charged, mailed, in one chain; and what happens where the charge fails.

use boxoffice_tests::process::Process;
use boxoffice_tests::servers::free_port;
use boxoffice_tests::wait::until;
use reqwest::Method;
use serde_json::Value;

use crate::local_support::{House, Local};

/// The example receiver, and `boxoffice local` that posts to it.
struct Story {
    house: House,
    receiver: Process,
    consumer: Vec<String>,
}

impl Story {
    async fn begin() -> Self {
        let addr = format!("127.0.0.1:{}", free_port().unwrap());
        let key = "whsec_bWFrZSBtZSBhIGtleSB0aGF0IG5vYm9keSBndWVzc2Vz";
        let environment = [("ADDR", addr.clone()), ("WEBHOOK_KEY", key.to_owned())];
        let mut receiver = Process::start("boxoffice-notification", environment).unwrap();
        receiver.ready(&format!("http://{addr}/healthz")).await.unwrap();
        let url = format!("notification-service.url=http://{addr}/events");
        let secret = format!("notification-service.secret={key}");
        let consumer = [["--consumer".to_owned(), url], ["--consumer".to_owned(), secret]].concat();
        Self { house: House::with(&["arena"]), receiver, consumer }
    }

    async fn open(&self) -> Local {
        Local::start([self.house.arguments(), self.consumer.clone()].concat()).await
    }

    /// What was mailed in a chain.
    fn mails(&self, chain: &str) -> Vec<String> {
        let log = self.receiver.log();
        log.lines().filter(|line| line.contains(&format!("[\"{chain}\"]"))).map(str::to_owned).collect()
    }

    async fn mailed(&self, chain: &str, text: &str) {
        until(&format!("{chain}: {text}"), async || {
            self.mails(chain).iter().any(|mail| mail.contains(text)).then_some(())
        })
        .await;
    }
}

/// Buys a seat in a chain of this name.
async fn buy(local: &Local, seat: &str, user: &str, chain: &str) -> Value {
    for verb in ["hold", "reserve"] {
        let request = local.request(Method::POST, &format!("/seats/{seat}/{verb}"));
        let answer =
            request.header("x-user-id", user).header("x-correlation-id", chain).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{verb}");
    }
    let (_, seat) = local.get(&format!("/seats/{seat}")).await;
    seat
}

/// The event types of a chain, in the order of time, without what was only counted.
async fn chain_of(local: &Local, chain: &str) -> Vec<String> {
    let lines = local.request(Method::GET, "/admin/log?from=earliest&follow=false").send().await.unwrap();
    let mut facts: Vec<Value> =
        lines.text().await.unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    facts.retain(|fact| fact["metadata"]["correlationId"] == chain && fact["eventType"] != "stats.updated");
    facts.sort_by_key(|fact| fact["timestamp"].as_u64());
    facts.iter().map(|fact| fact["eventType"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_seat_is_held_reserved_charged_and_mailed_in_one_chain() {
    let story = Story::begin().await;
    let local = story.open().await;
    buy(&local, "arena.A-1-1", "alice", "a-sale").await;
    story.mailed("a-sale", "Your seats are reserved").await;
    story.mailed("a-sale", "Paid: 12000 EUR").await;
    let chain = chain_of(&local, "a-sale").await;
    let mut kinds = chain.clone();
    kinds.sort();
    let expected =
        ["payment.completed", "payment.requested", "reservation.created", "seat.held", "seat.reserved"];
    assert_eq!(kinds, expected, "{chain:?}");
    local.close().await;
}

#[tokio::test]
async fn a_declined_payment_gives_the_seats_back_and_says_so() {
    let story = Story::begin().await;
    let local = story.open().await;
    buy(&local, "arena.A-1-1", "decline-alice", "a-decline").await;
    story.mailed("a-decline", "Your payment failed (declined)").await;
    local.until_held("arena.A-1-1", 200).await;
    // What was done is published a moment later.
    until("what gave the seats back is told", async || {
        let chain = chain_of(&local, "a-decline").await;
        let told = |kind: &str| chain.iter().any(|found| found == kind);
        ["payment.failed", "seat.released", "reservation.cancelled"].into_iter().all(told).then_some(())
    })
    .await;
    local.close().await;
}

#[tokio::test]
async fn a_kill_neither_charges_nor_mails_again() {
    let story = Story::begin().await;
    let mut local = story.open().await;
    for number in 1..=5 {
        buy(&local, &format!("arena.A-1-{number}"), "alice", &format!("sale-{number}")).await;
    }
    for number in 1..=5 {
        story.mailed(&format!("sale-{number}"), "Paid").await;
    }
    local.process.kill();
    local.process.ended().await.unwrap();
    let local = story.open().await;
    buy(&local, "arena.A-1-6", "alice", "sale-6").await;
    story.mailed("sale-6", "Paid").await;
    // Whatever would come again was due before the last sale was.
    for number in 1..=6 {
        let chain = format!("sale-{number}");
        assert_eq!(story.mails(&chain).len(), 2, "{:?}", story.mails(&chain));
        let charges =
            chain_of(&local, &chain).await.iter().filter(|kind| *kind == "payment.completed").count();
        assert_eq!(charges, 1, "{chain}");
    }
    local.close().await;
}

#[tokio::test]
async fn the_buyer_waits_for_the_payment_and_sees_how_it_came_about() {
    let story = Story::begin().await;
    let local = story.open().await;
    buy(&local, "arena.A-1-1", "alice", "a-wait").await;
    let own = async |path: String| {
        let answer = local.request(Method::GET, &path).header("x-user-id", "alice").send().await.unwrap();
        answer.json::<Value>().await.unwrap()
    };
    let all = until("the reservation is told", async || {
        let all = own("/users/alice/reservations".to_owned()).await;
        all[0]["reservationId"].is_string().then_some(all)
    })
    .await;
    let id = all[0]["reservationId"].as_str().unwrap().to_owned();
    let paid = until("it is paid", async || {
        let told = own(format!("/reservations/{id}?wait=5")).await;
        (told["payment"]["state"] == "PAID").then_some(told)
    })
    .await;
    assert_eq!((&paid["payment"]["charged"], &paid["total"]), (&12_000.into(), &12_000.into()));

    // The payment hangs below the reservation, wherever in between.
    let created = until("the chain is told whole", async || {
        let chain = own("/trace/a-wait".to_owned()).await;
        let mut events = chain["events"].as_array()?.iter();
        let created = events.find(|event| event["eventType"] == "reservation.created")?;
        created.to_string().contains("payment.completed").then(|| created.clone())
    })
    .await;
    assert_eq!(created["caused"][0]["eventType"], "payment.requested", "{created:#}");

    let (_, payments) = local.get("/admin/payments?state=PAID").await;
    assert_eq!(payments["payments"][0]["reservationId"], id.as_str());
    local.close().await;
}
