//! How soon readers see what was just done. Seats are held at a constant rate; behind some of the answers a reader asks for the
//! seat, and for the map in two forms, `?after=` the sequence of the answer, and the show's stream has a frame with it. All of
//! it counts from the answer to the hold, so the way over Redis, the relay, Kafka and the replica is in it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use boxoffice_query::view::forms::packed::MEDIA_TYPE;
use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use tokio::task::JoinSet;

use super::{Bench, Holders};
use crate::load::listeners::{Heard, Listeners};
use crate::load::{Answer, Buyers, Pace, Tally, run};
use crate::replica::Replica;
use crate::report::Figure;
use crate::shows::Seats;
use crate::stack::Stack;

/// Holds a second.
const RATE: u32 = 1_000;
/// Behind one of so many answers readers ask.
const EVERY: u64 = 20;
/// Rows of each hall, and seats a row: 20,000 seats.
const ROWS: u32 = 100;
const WIDTH: u32 = 200;
/// Longest wait for an answer: longer than the worker waits itself.
const PATIENCE: Duration = Duration::from_secs(10);
const SEQUENCE: &str = "x-view-sequence";

/// What a reader asks for.
#[derive(Debug, Clone, Copy)]
struct Way {
    name: &'static str,
    header: Option<(&'static str, &'static str)>,
    /// Whether it is the map, and not the seat alone.
    is_map: bool,
    /// The most ms that 99 of 100 may take.
    goal: f64,
}

const WAYS: [Way; 3] = [
    Way { name: "a seat", header: None, is_map: false, goal: 100.0 },
    Way { name: "a packed map", header: Some(("accept", MEDIA_TYPE)), is_map: true, goal: 250.0 },
    Way { name: "a map by gzip", header: Some(("accept-encoding", "gzip")), is_map: true, goal: 250.0 },
];

/// What a reader was answered.
struct Seen {
    /// The place among the [`WAYS`] of what was asked for.
    way: usize,
    status: u16,
    /// Since the hold was answered.
    took: Duration,
    /// Whether it is an answer of a state that has the hold.
    has_it: bool,
}

/// A hold that is followed.
#[derive(Debug, PartialEq, Eq)]
struct Held {
    show: String,
    seat: String,
    sequence: u64,
}

impl Held {
    /// What the answer to a hold says.
    fn of(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let (seat, sequence) = (body["seatId"].as_str()?, body["sequence"].as_u64()?);
        let (show, _) = seat.split_once('.')?;
        Some(Self { show: show.to_owned(), seat: seat.to_owned(), sequence })
    }
}

/// Buyers, and readers behind some of them.
struct Followed {
    holders: Holders,
    client: Client,
    readers: SocketAddr,
    asked: JoinSet<anyhow::Result<Seen>>,
    held: Vec<(Held, Instant)>,
    /// Answers that do not say what was held.
    unclear: u32,
}

impl Buyers for Followed {
    fn job(&mut self, number: u64) -> Option<Vec<String>> {
        self.holders.job(number)
    }

    fn hear(&mut self, answer: &Answer<'_>) {
        self.holders.hear(answer);
        if !answer.is_success() || !answer.job.is_multiple_of(EVERY) {
            return;
        }
        let at = Instant::now();
        let Some(held) = Held::of(answer.body) else {
            self.unclear += 1;
            return;
        };
        for (way, Way { header, is_map, .. }) in WAYS.into_iter().enumerate() {
            let path =
                if is_map { format!("/events/{}/seats", held.show) } else { format!("/seats/{}", held.seat) };
            let address = format!("http://{}{path}?after={}", self.readers, held.sequence);
            let mut request = self.client.get(address);
            if let Some((name, value)) = header {
                request = request.header(name, value);
            }
            self.asked.spawn(ask(way, request, held.sequence, at));
        }
        self.held.push((held, at));
    }
}

async fn ask(way: usize, request: RequestBuilder, sequence: u64, held: Instant) -> anyhow::Result<Seen> {
    let answer = request.send().await?;
    let status = answer.status().as_u16();
    let shown = answer.headers().get(SEQUENCE).and_then(|shown| shown.to_str().ok()?.parse::<u64>().ok());
    // All of it has to be there.
    answer.bytes().await?;
    Ok(Seen { way, status, took: held.elapsed(), has_it: shown >= Some(sequence) })
}

/// See the module.
///
/// # Errors
/// A program that is missing, or a server that went away.
pub async fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let mut stack = Stack::start(&bench.kafka, bench.workers).await?;
    let replica = Replica::following(bench, &stack.topic).await?;
    let seats = Seats::new(bench.for_its_time(RATE), 1, bench.up_to(ROWS), WIDTH);
    let shows = seats.shows.clone();
    stack.put_on_sale(&shows).await?;
    let mut streams = HashMap::new();
    for show in &shows {
        replica.shows(&show.id).await?;
        let mut stream = Listeners::start(replica.addr, &format!("/events/{}/stream", show.id), 1)?;
        stream.all_heard().await?;
        stream.count();
        streams.insert(show.id.clone(), stream);
    }
    let plan = bench.plan(&stack.buyers, Pace::Open { rate: f64::from(RATE), time: bench.time });
    let followed = Followed {
        holders: Holders::of(seats),
        client: Client::builder().timeout(PATIENCE).no_proxy().build()?,
        readers: replica.addr,
        asked: JoinSet::new(),
        held: vec![],
        unclear: 0,
    };
    let (Followed { holders, mut asked, held, unclear, .. }, took) = run(&plan, followed).await?;
    let (mut holds, _) = holders.into_parts();
    ensure!(holds.refused == 0, "{} holds of distinct seats were refused", holds.refused);
    ensure!(unclear == 0, "{unclear} answers do not say which seat was held");

    let (mut seen, mut lies) = (WAYS.map(|way| (way, Tally::default())), 0_u32);
    while let Some(answered) = asked.join_next().await {
        let Seen { way, status, took, has_it } = answered??;
        lies += u32::from(status == 200 && !has_it);
        seen[way].1.add(status, took);
    }
    let mut told = by_streams(&held, streams).await?;
    let mut figures = vec![
        Figure::new("freshness, holds", holds.rate(took), "1/s"),
        Figure::new("freshness, p99 of a hold from when it was due", holds.latency_ms(990), "ms"),
    ];
    let mut refused = 0;
    for (way, mut tally) in seen {
        refused += u32::try_from(tally.refused).context("they are few")?;
        figures.extend(of(way.name, &mut tally, way.goal));
    }
    figures.extend(of("a frame", &mut told, 250.0));
    figures.extend([
        Figure::new("freshness, answers without what was asked for", f64::from(lies), "answers").at_most(0.0),
        Figure::new("freshness, readers who were refused", f64::from(refused), "requests").at_most(0.0),
    ]);
    Ok(figures)
}

/// How long it takes from the answer to a hold until it is shown.
fn of(name: &str, tally: &mut Tally, goal: f64) -> [Figure; 2] {
    let figure = |which: &str, ms| Figure::new(format!("freshness, {name} with a hold, {which}"), ms, "ms");
    let [p50, p99] = [500, 990].map(|per_mille| tally.latency_ms(per_mille));
    [figure("p50", p50), figure("p99", p99).at_most(goal)]
}

/// When streams told what is held, from the answers to the holds on.
async fn by_streams(held: &[(Held, Instant)], streams: HashMap<String, Listeners>) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    for (show, mut stream) in streams {
        let its = || held.iter().filter(|(held, _)| held.show == show);
        if let Some(last) = its().map(|(held, _)| held.sequence).max() {
            stream.told(last).await?;
        }
        let heard = stream.end().await?;
        for (held, at) in its() {
            let frame = frame_with(&heard, held.sequence).context("a hold is in no frame")?;
            tally.add(200, frame.saturating_duration_since(*at));
        }
    }
    Ok(tally)
}

/// When the first frame came that reaches up to a sequence.
fn frame_with(heard: &Heard, sequence: u64) -> Option<Instant> {
    let frames = heard.frames.first()?;
    frames.get(frames.partition_point(|(upto, _)| *upto < sequence)).map(|(_, at)| *at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_a_hold_says_where_and_when() {
        let held = Held { show: "hall".into(), seat: "hall.A-1-2".into(), sequence: 7 };
        assert_eq!(Held::of(br#"{"seatId": "hall.A-1-2", "sequence": 7}"#), Some(held));
        assert_eq!(Held::of(br#"{"seatId": "hall.A-1-2"}"#), None);
    }
}
