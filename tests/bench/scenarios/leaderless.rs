//! One partition of a Kafka of three brokers is without a leader: how long reserves of shows on the other partitions take,
//! beside what they took before. Its own shows are asked for too, and wait.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use boxoffice_domain::partition::partition_of;
use boxoffice_tests::servers::{KafkaCluster, topic_placed};
use boxoffice_tests::wait::within;
use reqwest::{Method, StatusCode};

use super::Bench;
use crate::load::{Answer, Buyers, Pace, Tally, count, post, run};
use crate::report::Figure;
use crate::shows::SeatGrid;
use crate::stack::{PARTITIONS, Stack};

/// Holds and reserves a second, well below what is possible.
const RATE: u32 = 400;
/// Of so many pairs one is of a show whose partition is lost: enough that its reserves wait all the time.
const OF_THE_LOST: u64 = 20;
/// The partition that is on one broker, and that broker; the others are on the other two.
const LOST: u32 = 0;
const BROKER: i32 = 3;
/// Shows on the other partitions.
const HEALTHY: usize = 8;
/// Seats a row.
const WIDTH: u32 = 200;
/// Longest that Kafka takes to give up a broker.
const PATIENCE: Duration = Duration::from_mins(1);

/// Seats of one show, each given out once.
#[derive(Clone)]
struct Seats {
    show: SeatGrid,
    given: u32,
}

impl Seats {
    fn next(&mut self) -> Option<String> {
        // The last one is taken by the warming up.
        (self.given + 1 < self.show.seats()).then(|| {
            self.given += 1;
            self.show.seat(self.given - 1)
        })
    }
}

/// Buyers of healthy shows, and now and then of the other one.
struct Pairs {
    lost: Seats,
    healthy: Vec<Seats>,
    /// Reserves of healthy shows.
    reserves: Tally,
    /// All that was refused of them.
    refused: u64,
    /// Reserves of the other show.
    waiting: Tally,
}

impl Pairs {
    fn of(lost: &SeatGrid, healthy: &[SeatGrid]) -> Self {
        let seats = |show: &SeatGrid| Seats { show: show.clone(), given: 0 };
        Self::with(seats(lost), healthy.iter().map(seats).collect())
    }

    /// Who buys what these left over.
    fn go_on(&self) -> Self {
        Self::with(self.lost.clone(), self.healthy.clone())
    }

    fn with(lost: Seats, healthy: Vec<Seats>) -> Self {
        let (reserves, waiting) = (Tally::default(), Tally::default());
        Self { lost, healthy, reserves, refused: 0, waiting }
    }
}

impl Buyers for Pairs {
    fn job(&mut self, number: u64) -> Option<Vec<String>> {
        let seats = if is_of_the_lost(number) {
            &mut self.lost
        } else {
            let healthy = self.healthy.len();
            self.healthy.get_mut(usize::try_from(number).ok()? % healthy)?
        };
        let (seat, user) = (seats.next()?, format!("user-{number}"));
        Some(["hold", "reserve"].map(|verb| post(&format!("/seats/{seat}/{verb}"), &user, "")).to_vec())
    }

    fn hear(&mut self, answer: &Answer<'_>) {
        match (is_of_the_lost(answer.job), answer.step) {
            (true, 1) => self.waiting.add(answer.status, answer.latency()),
            (false, step) => {
                self.refused += u64::from(!answer.is_success());
                if step == 1 {
                    self.reserves.add(answer.status, answer.latency());
                }
            }
            (true, _) => {}
        }
    }
}

fn is_of_the_lost(number: u64) -> bool {
    number.is_multiple_of(OF_THE_LOST)
}

/// See the module.
///
/// # Errors
/// A program that is missing, or a server that went away.
pub async fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let kafka = KafkaCluster::start().await?;
    let topic = topic_placed(kafka.address(), "seat-events", (0..PARTITIONS).map(placed)).await?;
    let mut stack = Stack::publishing_to(&kafka, topic, bench.workers).await?;
    // Enough for both loads, were all of it of one show.
    let time = bench.time * 2;
    let rows = (bench.for_its_time(RATE) * 4 / WIDTH).max(1);
    let (lost, healthy) = shows(rows)?;
    let all: Vec<_> = healthy.iter().chain([&lost]).cloned().collect();
    stack.put_on_sale(&all).await?;
    let plan = bench.plan(&stack.buyers, Pace::Open { rate: f64::from(RATE), time });
    let (mut before, _) = run(&plan, Pairs::of(&lost, &healthy)).await?;
    let refused = before.refused + before.waiting.refused;
    ensure!(refused == 0, "{refused} requests for distinct seats were refused");

    let killed = Instant::now();
    kafka.broker(BROKER).await.kill();
    kafka.comes_to_be_led(&stack.topic, LOST, false).await?;
    for show in &healthy {
        reserved(&stack, show).await?;
    }
    let pause = killed.elapsed();
    let (mut since, _) = run(&plan, before.go_on()).await?;
    ensure!(since.waiting.done == 0, "a reserve is acknowledged though its partition has no leader");
    let name = |what: &str| format!("leaderless partition, {what}");
    let p99 = Figure::new(name("p99 of reserves on others before"), before.reserves.latency_ms(990), "ms");
    Ok(vec![
        Figure::new(name("pairs on all"), f64::from(RATE), "1/s"),
        Figure::new(name("p50 of reserves on others before"), before.reserves.latency_ms(500), "ms"),
        Figure::new(name("p50 of reserves on others"), since.reserves.latency_ms(500), "ms"),
        Figure::new(name("p99 of reserves on others"), since.reserves.latency_ms(990), "ms")
            .by(&p99)
            .at_most(2.0),
        p99,
        Figure::new(name("requests on others refused"), count(since.refused), "requests").at_most(0.0),
        Figure::new(name("p50 of its own reserves before"), before.waiting.latency_ms(500), "ms"),
        Figure::new(name("p50 of its own reserves, answered 503"), since.waiting.latency_ms(500), "ms"),
        Figure::new(name("others sold again after its broker died"), pause.as_secs_f64(), "s"),
    ])
}

/// The broker of a partition: Kafka has as many of each.
fn placed(partition: u32) -> i32 {
    match (partition, partition % 2) {
        (LOST, _) => BROKER,
        (_, 0) => 1,
        _ => 2,
    }
}

/// A show on the partition that is lost, and some on the others.
fn shows(rows: u32) -> anyhow::Result<(SeatGrid, Vec<SeatGrid>)> {
    let all = || (1..).map(|number| SeatGrid::new(format!("show-{number}"), rows, WIDTH));
    let is_lost = |show: &SeatGrid| partition_of(&show.id, PARTITIONS) == LOST;
    let lost = all().find(is_lost).context("no show is on that partition")?;
    Ok((lost, all().filter(|show| !is_lost(show)).take(HEALTHY).collect()))
}

/// Waits until the last seat of a show is reserved: that Kafka has given the broker up.
async fn reserved(stack: &Stack<'_>, show: &SeatGrid) -> anyhow::Result<()> {
    let seat = show.seat(show.seats() - 1);
    let sold = within(PATIENCE, async || {
        for verb in ["hold", "reserve"] {
            let asked = stack.buyer(Method::POST, &format!("/seats/{seat}/{verb}"), "first").ok()?;
            let status = asked.send().await.ok()?.status();
            if verb == "reserve" && status == StatusCode::OK {
                return Some(());
            }
        }
        None
    });
    sold.await.with_context(|| format!("{} is not sold any more", show.id))
}
