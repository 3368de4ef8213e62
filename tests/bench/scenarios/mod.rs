//! What is measured: one scenario a file, each a function from the [`Bench`] to its figures.

pub mod catalog;
pub mod contended;
pub mod door;
pub mod embedded;
pub mod freshness;
pub mod herd;
pub mod holds;
pub mod idle;
pub mod leaderless;
pub mod local;
pub mod maps;
pub mod nearly_full;
pub mod pairs;
pub mod recovery;
pub mod script;
pub mod slow;
pub mod steady;
pub mod streams;
pub mod webhook;

use std::net::SocketAddr;
use std::time::Duration;

use boxoffice_tests::servers::{Kafka, Server};
use clap::ValueEnum;

use crate::load::{Answer, Buyers, Pace, Plan, Tally, post};
use crate::report::Figure;
use crate::shows::Seats;

/// A scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// One process on an embedded store: `boxoffice local`, distinct seats, with and without fsync
    Embedded,
    /// Distinct seats, as fast as they go: rate, latency, CPU of every process, whether the relay keeps up
    Holds,
    /// Holds at a constant rate, half of what is possible, with latencies as buyers feel them
    Steady,
    /// A hold and its reserve, acknowledged by Kafka: pairs a second, records a round trip
    Pairs,
    /// Reserves that are acknowledged by Kafka, before and while a partition of a Kafka of three brokers has no leader: those
    /// of shows on the other partitions
    Leaderless,
    /// A thousand clients for fifty seats
    Contended,
    /// Two thousand ask for the best available seats of a hall of 8,000
    Herd,
    /// Two thousand connections opened at one moment to a command worker, to a query worker and to `boxoffice local`
    Door,
    /// Time that the best-available script keeps Redis busy, at 20,000 and 80,000 seats, by how full it is
    Script,
    /// A thousand shows that nobody buys: CPU of worker and Redis
    Idle,
    /// How long nobody can buy when Redis was restarted, with a short log and a long one, and when it was emptied
    Recovery,
    /// Seat maps in each form, still and while they change, and a replica with a million seats
    Maps,
    /// What a command worker takes up that knows two hundred stadiums
    Catalog,
    /// What `boxoffice local` takes up with a thousand shows, and with twenty stadiums, and how soon it is ready
    Local,
    /// Five thousand who follow a seat map that changes 500 times a second, beside a constant broadcast
    Streams,
    /// How soon a seat, a map and a stream show what was held, at a thousand holds a second
    Freshness,
    /// Two thousand readers of seat maps who take nothing of them: memory, and whether others are served
    Slow,
    /// Domain events over HTTP to a fast receiver: deliveries a second
    Webhook,
}

/// How much is measured, and on what.
pub struct Bench {
    /// The Kafka of all scenarios.
    pub kafka: Server<Kafka>,
    /// Command workers.
    pub workers: usize,
    /// Connections of a load.
    pub connections: usize,
    /// How long a load lasts.
    pub time: Duration,
    /// How often a load is repeated beside its yardsticks.
    pub rounds: usize,
    /// Only to see that everything works: by how much everything that is counted is smaller.
    pub shrink: u32,
    /// Most holds a second, where they were measured already.
    pub most_holds: Option<f64>,
}

impl Bench {
    /// Measures one scenario.
    ///
    /// # Errors
    /// A program that is missing, or a server that went away.
    pub async fn measure(&mut self, scenario: Scenario) -> anyhow::Result<Vec<Figure>> {
        match scenario {
            Scenario::Embedded => embedded::measure(self).await,
            Scenario::Holds => holds::measure(self).await,
            Scenario::Steady => steady::measure(self).await,
            Scenario::Pairs => pairs::measure(self).await,
            Scenario::Leaderless => leaderless::measure(self).await,
            Scenario::Contended => contended::measure(self).await,
            Scenario::Herd => herd::measure(self).await,
            Scenario::Door => door::measure(self).await,
            Scenario::Script => script::measure(self).await,
            Scenario::Idle => idle::measure(self).await,
            Scenario::Recovery => recovery::measure(self).await,
            Scenario::Maps => maps::measure(self).await,
            Scenario::Catalog => catalog::measure(self).await,
            Scenario::Local => local::measure(self).await,
            Scenario::Streams => streams::measure(self).await,
            Scenario::Freshness => freshness::measure(self).await,
            Scenario::Slow => slow::measure(self).await,
            Scenario::Webhook => webhook::measure(self).await,
        }
    }

    /// A load on `servers`.
    pub fn plan(&self, servers: &[SocketAddr], pace: Pace) -> Plan {
        Plan { servers: servers.to_vec(), connections: self.connections, pace }
    }

    /// So many for each second of a load.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and not negative")]
    pub fn for_its_time(&self, a_second: u32) -> u32 {
        (f64::from(a_second) * self.time.as_secs_f64()).ceil() as u32
    }

    /// Seats of big shows, enough for a load that holds `rate` a second.
    pub fn seats(&self, rate: u32) -> Seats {
        Seats::new(self.for_its_time(rate), 4, self.up_to(400), 200)
    }

    /// `number`, or less of it to see that everything works.
    pub fn up_to(&self, number: u32) -> u32 {
        number / self.shrink
    }
}

/// Buyers who hold a seat each that nobody has.
pub struct Holders {
    seats: Seats,
    /// What they were answered.
    pub tally: Tally,
}

impl Holders {
    /// Buyers of these seats.
    pub fn of(seats: Seats) -> Self {
        Self { seats, tally: Tally::default() }
    }

    /// What they were answered, and the seats that nobody asked for.
    pub fn into_parts(self) -> (Tally, Seats) {
        (self.tally, self.seats)
    }
}

impl Buyers for Holders {
    fn job(&mut self, number: u64) -> Option<Vec<String>> {
        let seat = self.seats.next_seat()?;
        Some(vec![post(&format!("/seats/{seat}/hold"), &format!("user-{number}"), "")])
    }

    fn hear(&mut self, answer: &Answer<'_>) {
        self.tally.add(answer.status, answer.latency());
    }
}
