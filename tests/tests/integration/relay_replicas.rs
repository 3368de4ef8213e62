//! Several command workers of one service, as processes on a real Redis and a real Kafka: they share the relay's work, and
//! follow one that dies or leaves; and what buyers notice of a Kafka that is away, which is nothing until the outbox is
//! full.
#![expect(clippy::print_stderr, reason = "the figures are of interest also where the test passes")]

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use boxoffice_runtime::clock;
use boxoffice_runtime::log::EventLog;
use boxoffice_runtime::log::kafka::KafkaLog;
use boxoffice_tests::servers::{self, Kafka, Server};
use boxoffice_tests::wait::until;
use futures::future::join_all;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::command_worker::{Api, TOKEN, Worker};

/// SeatingEvents on sale, which spread over the lanes of all replicas.
const SHOWS: usize = 12;

/// A domain event as it arrived.
struct Arrival {
    sequence: u64,
    written: u64,
    at: Instant,
}

/// What arrived so far, by SeatingEvent.
type Arrivals = Arc<Mutex<HashMap<String, Vec<Arrival>>>>;

/// Shows that are being sold through one worker, and what arrives of it on the topic.
struct Sale {
    api: Arc<Api>,
    arrivals: Arrivals,
    stop: CancellationToken,
    _reading: AbortOnDropHandle<()>,
    buyers: Vec<AbortOnDropHandle<()>>,
}

impl Sale {
    /// Provisions the shows and sells through `api` without a pause.
    async fn start(api: &Arc<Api>, kafka: &str) -> Self {
        join_all(shows().map(|show| async move { provision(api, &show).await })).await;
        let arrivals = Arrivals::default();
        let reading = tokio::spawn(read(kafka.to_owned(), api.topic.clone(), Arc::clone(&arrivals)));
        let stop = CancellationToken::new();
        let buyers = shows().map(|show| {
            let buying = buy(Arc::clone(api), show, stop.clone());
            AbortOnDropHandle::new(tokio::spawn(buying))
        });
        let (buyers, reading) = (buyers.collect(), AbortOnDropHandle::new(reading));
        let sale = Self { api: Arc::clone(api), arrivals, stop, _reading: reading, buyers };
        until("every show is being sold", async || sale.each(|seen| seen.len() > 20).then_some(())).await;
        sale
    }

    /// Whether something is true of what arrived of each show.
    fn each(&self, is: impl Fn(&[Arrival]) -> bool) -> bool {
        let arrivals = self.arrivals.lock().unwrap();
        shows().all(|show| arrivals.get(&show).is_some_and(|seen| is(seen)))
    }

    /// Ends it: what arrived of each show, once all that Redis has numbered is there and has no gap (I3).
    async fn end(self) -> BTreeMap<String, Vec<Arrival>> {
        self.stop.cancel();
        for buyer in self.buyers {
            buyer.await.unwrap();
        }
        for show in shows() {
            let last = inventory(&self.api, &show).await["sequence"].as_u64().unwrap();
            until("all of it is on the topic", async || {
                let arrivals = self.arrivals.lock().unwrap();
                arrivals[&show].iter().any(|arrival| arrival.sequence == last).then_some(())
            })
            .await;
            let mut next = 1;
            for arrival in &self.arrivals.lock().unwrap()[&show] {
                assert!(arrival.sequence <= next, "I3: {} of {show} comes before {next}", arrival.sequence);
                next = next.max(arrival.sequence + 1);
            }
        }
        std::mem::take(&mut *self.arrivals.lock().unwrap()).into_iter().collect()
    }
}

fn shows() -> impl Iterator<Item = String> {
    (0..SHOWS).map(|number| format!("show-{number}"))
}

async fn provision(api: &Api, show: &str) {
    let definition = json!({
        "title": show, "startsAt": 4_000_000_000_000_u64,
        "priceCategories": [{"name": "gold", "amount": 12_000, "currency": "EUR"}],
        "sections": [{"id": "FLOOR", "priceCategory": "gold", "capacity": 50_000}]
    });
    until("the show is on sale", async || {
        let put = api.client.put(format!("{}/admin/events/{show}", api.admin)).bearer_auth(TOKEN);
        served(put.json(&definition).send().await.unwrap())
    })
    .await;
}

/// An answer that is 200; `None` where it is to be asked for again, as on a machine that is busy with other tests.
fn served(answer: Response) -> Option<Response> {
    assert!(matches!(answer.status(), StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE), "{answer:?}");
    answer.status().is_success().then_some(answer)
}

async fn inventory(api: &Api, show: &str) -> Value {
    admin(api, &format!("events/{show}")).await
}

async fn admin(api: &Api, what: &str) -> Value {
    let get = api.client.get(format!("{}/admin/{what}", api.admin)).bearer_auth(TOKEN);
    get.send().await.unwrap().json().await.unwrap()
}

async fn post(api: &Api, show: &str, seat: usize, verb: &str) -> Response {
    let post = api.client.post(format!("{}/seats/{show}.FLOOR-{seat}/{verb}", api.http));
    post.header("x-user-id", format!("user-{seat}")).send().await.unwrap()
}

/// Holds one place after the other.
async fn buy(api: Arc<Api>, show: String, stop: CancellationToken) {
    for seat in 1.. {
        if stop.is_cancelled() {
            return;
        }
        while served(post(&api, &show, seat, "hold").await).is_none() {}
    }
}

/// Notes what arrives on the topic, for ever.
async fn read(kafka: String, topic: String, arrivals: Arrivals) {
    let log = KafkaLog::new(&kafka).unwrap();
    let mut tail = log.tail(&topic, (0..3).map(|partition| (partition, 0)).collect()).await.unwrap();
    loop {
        let records = tail.next(1000).await.unwrap().records;
        let at = Instant::now();
        let mut arrivals = arrivals.lock().unwrap();
        for record in records {
            let envelope: Value = serde_json::from_slice(&record.value).unwrap();
            let [sequence, written] = [&envelope["metadata"]["sequence"], &envelope["timestamp"]];
            let (sequence, written) = (sequence.as_u64().unwrap(), written.as_u64().unwrap());
            arrivals.entry(record.key.clone()).or_default().push(Arrival { sequence, written, at });
        }
    }
}

/// A measurement of a worker, by its name.
async fn measured(api: &Api, name: &str) -> Option<u64> {
    let metrics = api.client.get(api.ready.replace("/readyz", "/metrics")).send().await.ok()?;
    let text = metrics.text().await.ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

/// The lanes: the topic has as many partitions.
const LANES: u64 = 3;

/// Waits until the lanes are shared out among `workers`.
async fn share(workers: &[&Worker]) {
    let most = LANES.div_ceil(workers.len() as u64);
    until("the lanes are shared out", async || {
        let mut all = 0;
        for worker in workers {
            let leases = measured(&worker.api, "boxoffice_outbox_leases ").await?;
            if leases > most {
                return None;
            }
            all += leases;
        }
        (all == LANES).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_a_relay_that_is_killed_is_followed_at_once_and_nothing_is_lost() {
    let kafka = servers::kafka();
    let mut dying = Worker::start(&kafka).await;
    let other = dying.again().await;
    share(&[&dying, &other]).await;
    let sale = Sale::start(&other.api, &kafka).await;

    dying.process.kill();
    let (killed, written_then) = (Instant::now(), clock::now());
    let after = |arrival: &&Arrival| arrival.at > killed && arrival.written > written_then;
    until("what was written after the kill arrives", async || {
        sale.each(|seen| seen.iter().any(|arrival| after(&arrival))).then_some(())
    })
    .await;
    let followed = sale.end().await.into_values().filter_map(|seen| {
        let first = seen.iter().find(after)?;
        Some(first.at - killed)
    });
    let mut followed: Vec<_> = followed.collect();
    followed.sort_unstable();
    eprintln!("after the kill, records of the shows arrived within {followed:?}");
    assert_eq!(followed.len(), SHOWS);
    assert!(followed[SHOWS - 1] < Duration::from_secs(4), "{followed:?}");
    share(&[&other]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_a_relay_that_is_told_to_stop_hands_over_without_a_pause() {
    let kafka = servers::kafka();
    let mut leaving = Worker::start(&kafka).await;
    let others = [leaving.again().await, leaving.again().await];
    share(&[&leaving, &others[0], &others[1]]).await;
    let sale = Sale::start(&others[0].api, &kafka).await;

    let told = Instant::now();
    let status = leaving.process.terminate().await.unwrap();
    assert_eq!(status.code(), Some(0), "{}", leaving.process.log());
    share(&[&others[0], &others[1]]).await;
    let handed_over = Instant::now();
    until("it goes on", async || {
        sale.each(|seen| seen.last().is_some_and(|last| last.at > handed_over)).then_some(())
    })
    .await;
    let (mut longest, mut repeated) = (Duration::ZERO, 0);
    for seen in sale.end().await.into_values() {
        let pauses = seen.windows(2).filter(|pair| pair[1].at > told && pair[0].at < handed_over);
        longest = longest.max(pauses.map(|pair| pair[1].at - pair[0].at).max().unwrap_or_default());
        repeated += repeats(&seen);
    }
    eprintln!("handing over, the longest pause of a show was {longest:?}, and {repeated} records came again");
    assert!(longest < Duration::from_secs(4), "{longest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_hiccups_of_kafka_lose_nothing() {
    let mut kafka = Server::start(Kafka).await.unwrap();
    let worker = Worker::start(&kafka.address()).await;
    let sale = Sale::start(&worker.api, &kafka.address()).await;
    for hiccup in [1000, 1500, 2000].map(Duration::from_millis) {
        kafka.pause();
        tokio::time::sleep(hiccup).await;
        kafka.resume();
        let over = clock::now();
        until("it goes on", async || {
            sale.each(|seen| seen.last().is_some_and(|last| last.written > over)).then_some(())
        })
        .await;
    }
    let failures = measured(&worker.api, "boxoffice_outbox_publish_failures_total ").await.unwrap();
    let repeats: usize = sale.end().await.values().map(|seen| repeats(seen)).sum();
    eprintln!("hiccups of up to 2 s made {failures} publishes fail and {repeats} records repeat");
}

/// Records that came again.
fn repeats(seen: &[Arrival]) -> usize {
    seen.windows(2).filter(|pair| pair[1].sequence <= pair[0].sequence).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn buyers_notice_nothing_of_a_frozen_kafka_until_the_outbox_is_full() {
    const SHOW: &str = "show-0";
    const FULL: u64 = 2000;
    let mut kafka = Server::start(Kafka).await.unwrap();
    let worker = Worker::refusing_above(FULL, &kafka.address()).await;
    let api = &worker.api;
    provision(api, SHOW).await;
    let before = ninety_ninth(api, SHOW, 1..501).await;

    kafka.pause();
    let meanwhile = ninety_ninth(api, SHOW, 501..1501).await;
    eprintln!("99 of 100 holds within {before:?} before and {meanwhile:?} while kafka is frozen");
    assert!(meanwhile < before * 10 + Duration::from_millis(50), "{meanwhile:?} after {before:?}");

    let mut seat = 1501;
    let refused = loop {
        let answer = post(api, SHOW, seat, "hold").await;
        if answer.status() != StatusCode::OK {
            break answer;
        }
        seat += 1;
    };
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    let problem: Value = refused.json().await.unwrap();
    assert_eq!((&problem["code"], &problem["retryable"]), (&json!("OUTBOX_FULL"), &json!(true)));
    assert!(seat > 1501, "only what is above the high watermark is refused");
    for given_back in [1, 2] {
        assert_eq!(post(api, SHOW, given_back, "release").await.status(), StatusCode::OK);
    }
    let outbox = admin(api, "outbox").await;
    assert!(outbox["depth"].as_u64().unwrap() >= FULL, "{outbox}");
    until("the metrics say the same", async || {
        (measured(api, "boxoffice_outbox_entries ").await? >= FULL).then_some(())
    })
    .await;

    kafka.resume();
    until("holds are taken again", async || {
        (post(api, SHOW, seat, "hold").await.status() == StatusCode::OK).then_some(())
    })
    .await;
    until("nothing waits any more", async || {
        let measured = measured(api, "boxoffice_outbox_entries ").await?;
        (measured == 0 && admin(api, "outbox").await["depth"] == 0).then_some(())
    })
    .await;
}

/// How long 99 of 100 holds take, of four callers at once.
async fn ninety_ninth(api: &Api, show: &str, seats: std::ops::Range<usize>) -> Duration {
    let callers = (0..4).map(|caller| {
        let own = seats.clone().skip(caller).step_by(4);
        async move {
            let mut took = vec![];
            for seat in own {
                let begun = Instant::now();
                assert_eq!(post(api, show, seat, "hold").await.status(), StatusCode::OK);
                took.push(begun.elapsed());
            }
            took
        }
    });
    let mut took = join_all(callers).await.concat();
    took.sort_unstable();
    took[took.len() * 99 / 100]
}
