//! Two command workers on a Redis Cluster of three masters without replicas: what buyers notice of a master that is lost
//! or hangs, and of slots that are moved, which is nothing where their show is on another one.
#![expect(clippy::print_stderr, reason = "the figures are of interest also where the test passes")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use boxoffice_command::store::LEASE_LIFE;
use boxoffice_command::store::redis::keys::Keys;
use boxoffice_command::store::redis::slots::slot_of;
use boxoffice_domain::SeatingEventId;
use boxoffice_runtime::log::kafka::KafkaLog;
use boxoffice_tests::command_worker::{CommandWorker, TOKEN};
use boxoffice_tests::conformance::event_log::read_all;
use boxoffice_tests::servers;
use boxoffice_tests::servers::redis_kinds::RedisCluster;
use boxoffice_tests::wait::until;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// Shows on each master.
const EACH: usize = 2;
/// What each show sells before a test goes on.
const SOME: usize = 40;
const ANSWER: Duration = Duration::from_secs(15);
/// Longest wait for a refusal: as long as a reservation waits for the log, on a busy machine; and less than what Redis is
/// given for an answer, where it is known that it gives none.
const REFUSAL: Duration = Duration::from_secs(8);
const AT_ONCE: Duration = Duration::from_millis(1500);

/// What becomes of a master.
#[derive(Clone, Copy)]
enum Loss {
    Dies,
    Hangs,
}

/// A purchase that failed: when, after how long, and why.
struct Failure {
    at: Instant,
    after: Duration,
    why: String,
}

/// A show that somebody buys all the time: hold, reserve, the next place.
struct SeatingEventUnderTest {
    id: SeatingEventId,
    slot: u16,
    sold: AtomicUsize,
    /// Places that are known to be reserved.
    reserved: Mutex<BTreeSet<String>>,
    /// What failed.
    failed: Mutex<Vec<Failure>>,
}

impl SeatingEventUnderTest {
    /// Buys until `stop`, from one worker after the other.
    async fn buy(self: Arc<Self>, urls: [String; 2], stop: CancellationToken) {
        let client = Client::builder().no_proxy().timeout(ANSWER).build().unwrap();
        for place in 1.. {
            if stop.is_cancelled() {
                return;
            }
            let (seat, url) = (format!("{}.FLOOR-{place}", self.id), &urls[place % 2]);
            let bought = async {
                for verb in ["hold", "reserve"] {
                    let began = Instant::now();
                    let post = client.post(format!("{url}/seats/{seat}/{verb}"));
                    let answer = post.header("x-user-id", format!("user-{place}")).send().await;
                    let answer = answer.map_err(|error| (began.elapsed(), format!("{verb}: {error}")))?;
                    if answer.status() != StatusCode::OK {
                        let (status, body) = (answer.status(), answer.text().await.unwrap_or_default());
                        return Err((began.elapsed(), format!("{verb} {status}: {body}")));
                    }
                }
                Ok(())
            };
            match bought.await {
                Ok(()) => {
                    self.reserved.lock().unwrap().insert(seat);
                    self.sold.fetch_add(1, SeqCst);
                }
                Err((after, why)) => {
                    self.failed.lock().unwrap().push(Failure { at: Instant::now(), after, why });
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }

    fn failures(&self) -> Vec<String> {
        let failed = self.failed.lock().unwrap();
        failed.iter().map(|Failure { after, why, .. }| format!("{why} after {after:?}")).collect()
    }

    /// Between the first and the last failure.
    fn outage(&self) -> Duration {
        let failed = self.failed.lock().unwrap();
        failed.last().map(|last| last.at - failed[0].at).unwrap_or_default()
    }

    /// The longest wait for a failure since `since`.
    fn longest(&self, since: Instant) -> Option<Duration> {
        let failed = self.failed.lock().unwrap();
        failed
            .iter()
            .filter(|failure| failure.at.duration_since(since) >= failure.after)
            .map(|failure| failure.after)
            .max()
    }
}

/// The cluster, the workers and the shows.
struct Sale {
    _probing: AbortOnDropHandle<()>,
    cluster: RedisCluster,
    workers: [CommandWorker; 2],
    service: String,
    topic: String,
    shows: Vec<Arc<SeatingEventUnderTest>>,
    stop: CancellationToken,
    buyers: Vec<AbortOnDropHandle<()>>,
    /// What a worker said when it was not ready.
    unready: Arc<Mutex<Vec<String>>>,
}

impl Sale {
    async fn start() -> Self {
        let cluster = RedisCluster::start().await.unwrap();
        let (service, topic) = (servers::service("cluster"), servers::topic("seat-events", 3).await);
        let worker = || {
            let more = [("BOXOFFICE_REDIS_CLUSTER", "true".to_owned())];
            let kafka = servers::kafka();
            CommandWorker::start_with(&service, &cluster.address(), &kafka, &topic, more).unwrap()
        };
        let mut workers = [worker(), worker()];
        for worker in &mut workers {
            worker.ready().await.unwrap();
        }
        let shows = shows(&service);
        let definition = json!({
            "title": "Tonight", "startsAt": 4_000_000_000_000_u64,
            "priceCategories": [{"name": "gold", "amount": 12_000, "currency": "EUR"}],
            "sections": [{"id": "FLOOR", "priceCategory": "gold", "capacity": 50_000}]
        });
        for show in &shows {
            until("the show is on sale", async || workers[0].provision(&show.id, &definition).await.ok())
                .await;
        }
        let (stop, urls) = (CancellationToken::new(), [&workers[0], &workers[1]].map(|it| it.http.clone()));
        let buyers = shows.iter().map(|show| {
            let buying = Arc::clone(show).buy(urls.clone(), stop.clone());
            AbortOnDropHandle::new(tokio::spawn(buying))
        });
        let buyers = buyers.collect();
        let unready = Arc::default();
        let watched = [&workers[0], &workers[1]].map(|worker| format!("{}/readyz", worker.watched));
        let probing = AbortOnDropHandle::new(tokio::spawn(probe(watched, Arc::clone(&unready))));
        let sale = Self { cluster, workers, service, topic, shows, stop, buyers, unready, _probing: probing };
        sale.sells(|_| true).await;
        for show in &sale.shows {
            // Nobody waited for the lanes to be shared out before the first were bought.
            show.failed.lock().unwrap().clear();
        }
        sale
    }

    /// Waits until some more is sold of each show that is meant.
    async fn sells(&self, is_meant: impl Fn(&SeatingEventUnderTest) -> bool) {
        let meant = self.shows.iter().filter(|show| is_meant(show));
        let goals: Vec<_> = meant.map(|show| (show, show.sold.load(SeqCst) + SOME)).collect();
        until("shows are sold", async || {
            goals.iter().all(|(show, goal)| show.sold.load(SeqCst) >= *goal).then_some(())
        })
        .await;
    }

    /// The master that has the first place of the leases.
    fn first_place(&self) -> usize {
        RedisCluster::first_master(slot_of(Keys::new(&self.service).leases(0).as_bytes()))
    }

    /// What the operator is told: the shows, and whether that is all.
    async fn listed(&self) -> (usize, bool) {
        let get = Client::new().get(format!("{}/admin/events", self.workers[0].admin)).bearer_auth(TOKEN);
        let answer = get.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let is_partial = answer.headers().get("x-partial").is_some_and(|value| value == "true");
        (answer.json::<Vec<Value>>().await.unwrap().len(), is_partial)
    }

    /// Lines of a worker's measurements that begin so.
    async fn measured(&self, worker: usize, name: &str) -> Vec<String> {
        let text =
            Client::new().get(format!("{}/metrics", self.workers[worker].watched)).send().await.unwrap();
        let text = text.text().await.unwrap();
        text.lines().filter_map(|line| line.strip_prefix(name)).map(str::to_owned).collect()
    }

    /// Waits until every lane has an owner.
    async fn all_lanes_are_owned(&self) {
        until("every lane has an owner", async || {
            let mut owned = 0;
            for worker in [0, 1] {
                let leases = self.measured(worker, "boxoffice_outbox_leases ").await;
                owned += leases.first()?.trim().parse::<usize>().ok()?;
            }
            (owned == 3).then_some(())
        })
        .await;
    }

    /// Ends it: nothing is missing on the log, nothing was sold twice, no worker was ever unready.
    async fn end(self) {
        self.stop.cancel();
        for buyer in self.buyers {
            buyer.await.unwrap();
        }
        let log = KafkaLog::new(&servers::kafka()).unwrap();
        let mut next: BTreeMap<String, u64> = BTreeMap::new();
        let mut reserved: BTreeSet<String> = BTreeSet::new();
        for record in read_all(&log, &self.topic).await {
            let envelope: Value = serde_json::from_slice(&record.value).unwrap();
            let sequence = envelope["metadata"]["sequence"].as_u64().unwrap();
            let next = next.entry(record.key.clone()).or_insert(1);
            assert!(sequence <= *next, "I3: {sequence} of {} comes before {next}", record.key);
            if sequence < *next {
                continue;
            }
            *next += 1;
            if envelope["eventType"] == "seat.reserved" {
                let seat = envelope["payload"]["seatId"].as_str().unwrap().to_owned();
                assert!(reserved.insert(seat.clone()), "I1: {seat} is sold twice");
            }
        }
        for show in &self.shows {
            let lost: Vec<_> = show.reserved.lock().unwrap().difference(&reserved).cloned().collect();
            assert_eq!(lost, [""; 0], "I7: acknowledged and not on the log");
        }
        assert_eq!(*self.unready.lock().unwrap(), [""; 0]);
    }
}

/// As many shows on each master.
fn shows(service: &str) -> Vec<Arc<SeatingEventUnderTest>> {
    let (keys, mut found) = (Keys::new(service), vec![vec![]; 3]);
    for number in 0.. {
        let id: SeatingEventId = format!("show-{number}").parse().unwrap();
        let slot = keys.event(&id).slot();
        let of_master = &mut found[RedisCluster::first_master(slot)];
        if of_master.len() < EACH {
            of_master.push((id, slot));
        }
        if found.iter().all(|shows| shows.len() == EACH) {
            break;
        }
    }
    let show = |(id, slot)| SeatingEventUnderTest {
        id,
        slot,
        sold: AtomicUsize::default(),
        reserved: Mutex::default(),
        failed: Mutex::default(),
    };
    found.into_iter().flatten().map(|found| Arc::new(show(found))).collect()
}

/// Asks for ever whether both are ready.
async fn probe(urls: [String; 2], unready: Arc<Mutex<Vec<String>>>) {
    let client = Client::builder().no_proxy().timeout(ANSWER).build().unwrap();
    loop {
        for url in &urls {
            let answer = client.get(url).send().await.unwrap();
            if answer.status() != StatusCode::OK {
                let said = answer.text().await.unwrap_or_default();
                unready.lock().unwrap().push(said);
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Each master in turn, beginning with the one that has the first place of the leases.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shows_on_other_masters_are_sold_without_a_failed_request_while_one_is_lost() {
    let mut sale = Sale::start().await;
    let first = sale.first_place();
    for victim in [first, (first + 1) % 3, (first + 2) % 3] {
        goes_on_without(&mut sale, victim, Loss::Dies).await;
    }
    sale.end().await;
}

/// The master that has the first place of the leases, and the one that workers were told of and hear signals from.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shows_on_other_masters_are_sold_without_a_failed_request_while_one_hangs() {
    let mut sale = Sale::start().await;
    for victim in BTreeSet::from([sale.first_place(), 0]) {
        goes_on_without(&mut sale, victim, Loss::Hangs).await;
    }
    sale.end().await;
}

/// Loses a master, sees that it costs nothing on the others, and gets it back.
async fn goes_on_without(sale: &mut Sale, victim: usize, how: Loss) {
    let is_lost = |show: &SeatingEventUnderTest| RedisCluster::first_master(show.slot) == victim;
    let address = sale.cluster.masters[victim].address().replace("redis://", "");
    let lost = Instant::now();
    match how {
        Loss::Dies => sale.cluster.masters[victim].kill(),
        Loss::Hangs => sale.cluster.masters[victim].pause(),
    }
    let down = format!("{{server=\"{address}\"}} 0");
    for worker in [0, 1] {
        until("the lost master is measured", async || {
            let up = sale.measured(worker, "boxoffice_store_server_up").await;
            up.contains(&down).then_some(())
        })
        .await;
    }
    let is_known = Instant::now();
    until("leases of before are over", async || (lost.elapsed() > LEASE_LIFE * 2).then_some(())).await;
    sale.all_lanes_are_owned().await;
    sale.sells(|show| !is_lost(show)).await;
    assert_eq!(sale.listed().await, (EACH * 2, true));
    for show in sale.shows.iter().filter(|show| is_lost(show)) {
        let refused = async || show.longest(is_known);
        let longest = until("buyers are refused", refused).await;
        assert!(longest < AT_ONCE, "{} had a buyer wait for {longest:?}", show.id);
    }

    let back = Instant::now();
    match how {
        Loss::Dies => sale.cluster.masters[victim].restart().await.unwrap(),
        Loss::Hangs => sale.cluster.masters[victim].resume(),
    }
    sale.sells(|_| true).await;
    until("all shows are listed", async || (sale.listed().await == (EACH * 3, false)).then_some(())).await;
    for show in &sale.shows {
        let mut failures = show.failures();
        if is_lost(show) {
            let (longest, outage) = (show.longest(lost).unwrap_or_default(), show.outage());
            eprintln!(
                "{} failed {} times in {outage:?}, after {longest:?} at most; all is sold {:?} after its master is back",
                show.id,
                failures.len(),
                back.elapsed()
            );
            assert!(longest < REFUSAL, "{failures:?}");
            match how {
                // Holds of its last second are gone with it.
                Loss::Dies => failures.clear(),
                Loss::Hangs => failures.retain(|why| !why.contains("503")),
            }
        }
        assert_eq!(failures, [""; 0], "{}", show.id);
        show.failed.lock().unwrap().clear();
    }
}

/// The slot of a show that is being sold goes to another master, and so does the lowest slot of the first one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_that_are_moved_cost_their_shows_a_moment_and_others_nothing() {
    let sale = Sale::start().await;
    let moved = Arc::clone(&sale.shows[0]);
    sale.cluster.move_slot(moved.slot, 0, 1).await.unwrap();
    sale.sells(|_| true).await;
    sale.cluster.move_slot(0, 0, 2).await.unwrap();
    sale.sells(|_| true).await;
    until("nothing is missing", async || (sale.listed().await == (EACH * 3, false)).then_some(())).await;
    let (failures, outage) = (moved.failures(), moved.outage());
    eprintln!("{} failed {} times in {outage:?}: {:?}", moved.id, failures.len(), failures.first());
    assert!(outage < Duration::from_secs(3), "{failures:?}");
    for show in &sale.shows[1..] {
        assert_eq!(show.failures(), [""; 0], "{} stayed where it was", show.id);
    }
    sale.end().await;
}
