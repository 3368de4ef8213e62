//! A partition without a leader, on a Kafka of three brokers: its own shows cannot be reserved for good, but held and
//! given back, and all others are sold as if nothing were. When it has a leader again everything is on the log.
#![expect(clippy::print_stderr, reason = "the figures are of interest also where the test passes")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use boxoffice_command::published::LONGEST_WAIT;
use boxoffice_domain::events::{Incoming, parse};
use boxoffice_domain::partition::partition_of;
use boxoffice_domain::{CorrelationId, Envelope, SeatId, SeatingEventId, UnixMillis, UserId};
use boxoffice_runtime::clock;
use boxoffice_runtime::log::kafka::KafkaLog;
use boxoffice_tests::audit::{Answer, Audit, Request, Wish};
use boxoffice_tests::command_worker::CommandWorker;
use boxoffice_tests::conformance::event_log::read_all;
use boxoffice_tests::crash::wishes::request;
use boxoffice_tests::servers::{self, KafkaCluster, topic_placed};
use boxoffice_tests::wait::until;
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

/// So many that two of them are of one lane.
const PARTITIONS: u32 = 66;
/// The one that is on the broker that dies, one of the same lane, and others. Each is on one broker: Kafka has as many of each.
const LOST: u32 = 0;
const SHOWS: [u32; 4] = [LOST, 64, 1, 65];
/// The broker.
const BROKER: i32 = 3;
/// Seats a row of a show.
const WIDTH: u32 = 100;
/// What each show sells before the test goes on.
const SOME: usize = 20;
const ANSWER: Duration = Duration::from_secs(15);

/// A show, and what its buyers asked for and were told.
struct SeatingEventUnderTest {
    event: SeatingEventId,
    partition: u32,
    told: Mutex<Vec<Told>>,
}

struct Told {
    status: u16,
    code: String,
    took: Duration,
    request: Request,
}

impl Told {
    fn began(&self) -> UnixMillis {
        self.request.between.0
    }

    fn is_reserve(&self) -> bool {
        matches!(self.request.wish, Wish::ReserveSeat(_))
    }
}

impl SeatingEventUnderTest {
    /// The first show that is pinned there.
    fn on(partition: u32) -> Self {
        let is_there = |event: &SeatingEventId| partition_of(event.as_str(), PARTITIONS) == partition;
        let mut names = (0..).map(|number| format!("show-{number}").parse().unwrap());
        Self { event: names.find(is_there).unwrap(), partition, told: Mutex::default() }
    }

    fn seat(&self, number: u32) -> SeatId {
        SeatId::from_chart(&self.event, &format!("A-{}-{}", number / WIDTH + 1, number % WIDTH + 1))
    }

    /// Buys the seats from `first` on, in steps of `each`: a hold and its reserve each, or its release.
    async fn trade(
        self: Arc<Self>,
        url: String,
        (first, each): (u32, usize),
        sells: bool,
        stop: CancellationToken,
    ) {
        let client = Client::builder().no_proxy().timeout(ANSWER).build().unwrap();
        for number in (first..).step_by(each) {
            if stop.is_cancelled() {
                return;
            }
            let user: UserId = format!("user-{number}").parse().unwrap();
            let seat = self.seat(number);
            let second =
                if sells { Wish::ReserveSeat(seat.clone()) } else { Wish::ReleaseSeat(seat.clone()) };
            for wish in [Wish::Hold(vec![seat]), second] {
                let told = self.ask(&client, &url, &user, wish).await;
                self.told.lock().unwrap().push(told);
            }
        }
    }

    async fn ask(&self, client: &Client, url: &str, user: &UserId, wish: Wish) -> Told {
        let correlation = CorrelationId::from(Uuid::new_v4());
        let (method, path, body) = request(&self.event, &wish);
        let asked = client.request(method, format!("{url}{path}")).header("x-user-id", user.as_str());
        let asked = body.iter().fold(asked, RequestBuilder::json);
        let (began, asked_at) = (clock::now(), Instant::now());
        let answer = asked.header("x-correlation-id", correlation.as_str()).send().await.unwrap();
        let (status, body) = (answer.status().as_u16(), answer.json::<Value>().await.unwrap());
        let answer = Answer::read(status, &body).unwrap();
        let between = (began, clock::now());
        let request = Request { user: user.clone(), correlation, key: None, wish, answer, between };
        let code = body["code"].as_str().unwrap_or_default().to_owned();
        Told { status, code, took: asked_at.elapsed(), request }
    }

    /// How many reserves were acknowledged.
    fn sold(&self) -> usize {
        let told = self.told.lock().unwrap();
        told.iter().filter(|told| told.is_reserve() && told.status == 200).count()
    }

    /// How long 99 of 100 reserves took that began between two moments.
    fn ninety_ninth(&self, from: UnixMillis, to: UnixMillis) -> Duration {
        let told = self.told.lock().unwrap();
        let meant = told.iter().filter(|told| told.is_reserve() && (from..to).contains(&told.began()));
        let mut took: Vec<_> = meant.map(|told| told.took).collect();
        took.sort_unstable();
        took[took.len() * 99 / 100]
    }
}

/// Waits until some more is sold of each of these.
async fn sells(shows: &[Arc<SeatingEventUnderTest>]) {
    let goals: Vec<_> = shows.iter().map(|show| (show, show.sold() + SOME)).collect();
    until("shows are sold", async || goals.iter().all(|(show, goal)| show.sold() >= *goal).then_some(()))
        .await;
}

/// Waits until the latest answers of each kind are from after `moment`.
async fn asked_since(show: &SeatingEventUnderTest, moment: UnixMillis) {
    until("everything was asked for", async || {
        let told = show.told.lock().unwrap();
        let any = |is: fn(&Told) -> bool| told.iter().any(|told| told.began() >= moment && is(told));
        (any(Told::is_reserve) && any(|told| matches!(told.request.wish, Wish::ReleaseSeat(_)))).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i1_i3_i7_a_partition_without_a_leader_delays_its_own_shows_alone() {
    let kafka = KafkaCluster::start().await.unwrap();
    let placed = (0..PARTITIONS).map(|partition| if partition == LOST { BROKER } else { 1 });
    let topic = topic_placed(kafka.address(), "seat-events", placed).await.unwrap();
    let service = servers::service("leaderless");
    let mut worker = CommandWorker::start(&service, &servers::redis_url(), kafka.address(), &topic).unwrap();
    worker.ready().await.unwrap();
    let shows = SHOWS.map(|partition| Arc::new(SeatingEventUnderTest::on(partition)));
    let definition = json!({
        "title": "Tonight", "startsAt": 4_000_000_000_000_u64,
        "priceCategories": [{"name": "gold", "amount": 12_000, "currency": "EUR"}],
        "sections": [{"id": "A", "priceCategory": "gold", "rows": [{"rows": "1-400", "seats": format!("1-{WIDTH}")}]}]
    });
    for show in &shows {
        until("the show is on sale", async || worker.provision(&show.event, &definition).await.ok()).await;
    }
    let stop = CancellationToken::new();
    let trading: Vec<_> = shows
        .iter()
        .flat_map(|show| {
            // Some buy, and some change their minds.
            [(0, 2, true), (1, 2, true), (30_000, 1, false)].map(|(first, step, buys)| {
                let trading = Arc::clone(show).trade(worker.http.clone(), (first, step), buys, stop.clone());
                AbortOnDropHandle::new(tokio::spawn(trading))
            })
        })
        .collect();
    let (lost, healthy) = shows.split_first().unwrap();
    // What nobody waited for before it was there.
    sells(&shows).await;
    let well = clock::now();
    sells(&shows).await;

    let killed = (clock::now(), Instant::now());
    kafka.broker(BROKER).await.kill();
    kafka.comes_to_be_led(&topic, LOST, false).await.unwrap();
    // Until Kafka has given the dead broker up, everything on all of them waits for it.
    sells(healthy).await;
    let (leaderless, pause) = (clock::now(), killed.1.elapsed());
    asked_since(lost, leaderless).await;
    sells(healthy).await;
    let still = clock::now();

    kafka.broker(BROKER).await.restart().await.unwrap();
    kafka.comes_to_be_led(&topic, LOST, true).await.unwrap();
    sells(&shows).await;
    stop.cancel();
    for trading in trading {
        trading.await.unwrap();
    }

    for show in healthy {
        let told = show.told.lock().unwrap();
        let meanwhile = told.iter().filter(|told| (leaderless..still).contains(&told.began()));
        let failed: Vec<_> = meanwhile.filter(|told| told.status != 200).map(|told| &told.code).collect();
        assert_eq!(failed, [""; 0], "{} on partition {}", show.event, show.partition);
        drop(told);
        let (before, after) = (show.ninety_ninth(well, killed.0), show.ninety_ninth(leaderless, still));
        eprintln!(
            "{} on {}: 99 of 100 reserves within {before:?} before and {after:?} while one had no leader",
            show.event, show.partition
        );
    }
    eprintln!("all were sold again {pause:?} after the broker was killed");
    for told in lost.told.lock().unwrap().iter() {
        let (began, ended) = told.request.between;
        if began >= leaderless && ended < still {
            let expected = if told.is_reserve() { (503, "UNAVAILABLE") } else { (200, "") };
            assert_eq!((told.status, told.code.as_str()), expected, "{:?}", told.request);
            assert!(
                told.took < LONGEST_WAIT + Duration::from_secs(1),
                "{:?} took {:?}",
                told.request,
                told.took
            );
        }
    }
    is_honest(&shows, &worker, &kafka, &topic).await;
}

/// Everything comes to the log, each once and in order, and is what buyers were told.
async fn is_honest(
    shows: &[Arc<SeatingEventUnderTest>],
    worker: &CommandWorker,
    kafka: &KafkaCluster,
    topic: &str,
) {
    for show in shows {
        let (sequence, _) = worker.counts(&show.event).await.unwrap();
        let records = until("all of it is on the log", async || {
            let records = records(kafka, topic, &show.event).await;
            records.iter().any(|record| record.metadata.sequence == Some(sequence)).then_some(records)
        })
        .await;
        let requests: Vec<_> = show.told.lock().unwrap().iter().map(|told| told.request.clone()).collect();
        let audit = Audit::of(&show.event, records, &requests, &[]);
        assert_eq!(audit.findings, [""; 0], "{} on partition {}", show.event, show.partition);
    }
}

async fn records(kafka: &KafkaCluster, topic: &str, event: &SeatingEventId) -> Vec<Envelope> {
    let all = read_all(&KafkaLog::new(kafka.address()).unwrap(), topic).await;
    let of_it = all.iter().filter(|record| record.key == event.as_str());
    of_it
        .map(|record| match parse(&record.value).unwrap() {
            Incoming::Known(envelope) => envelope,
            Incoming::Unknown(unknown) => panic!("an event of an unknown type: {unknown:?}"),
        })
        .collect()
}
