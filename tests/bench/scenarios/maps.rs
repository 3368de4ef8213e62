//! What readers cost: seat maps in each form, still and while they change, as a share of a constant answer of the same size
//! of the same HTTP stack; and what a replica takes that has a million seats.

use std::mem::take;
use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, ensure};
use boxoffice_tests::process::Process;

use super::Bench;
use crate::load::{Answer, Buyers, HOST, Pace, Tally, count, run};
use crate::replica::Replica;
use crate::report::Figure;
use crate::yardsticks::constant;

/// Changes a second.
const CHANGES: [u32; 3] = [0, 50, 500];
/// Readers at once.
const READERS: usize = 8;
/// Turns of a form and its yardstick.
const ROUNDS: u32 = 10;
/// Shows of the replica that has a million seats, half of them sold.
const SHOWS: u32 = 50;
/// Records that it has to catch up with at its start.
const BEHIND: u32 = 100_000;
/// Domain events that happen to it afterwards.
const FURTHER: u32 = 1_000_000;

/// What a reader asks for.
#[derive(Debug, Clone, Copy)]
struct Form {
    name: &'static str,
    header: &'static str,
    goal: Option<f64>,
}

const PLAIN: Form = Form { name: "JSON", header: "", goal: None };
const GZIP: Form = Form { name: "gzip", header: "accept-encoding: gzip\r\n", goal: None };
const PACKED: Form =
    Form { name: "packed", header: "accept: application/vnd.boxoffice.seatmap\r\n", goal: Some(0.6) };

#[derive(Debug, Default)]
struct Readers {
    request: String,
    tally: Tally,
    bytes: u64,
}

impl Buyers for Readers {
    fn job(&mut self, _: u64) -> Option<Vec<String>> {
        Some(vec![self.request.clone()])
    }

    fn hear(&mut self, answer: &Answer<'_>) {
        self.bytes += answer.body.len() as u64;
        // Whoever has the map is answered as well.
        let status = if answer.status == 304 { 200 } else { answer.status };
        self.tally.add(status, answer.latency());
    }
}

/// What answers cost their server, in all rounds so far.
#[derive(Debug, Default)]
struct Cost {
    readers: Readers,
    cpu_seconds: f64,
}

impl Cost {
    /// Readers ask the server for as long as a round takes.
    async fn round(
        &mut self,
        bench: &Bench,
        server: &Process,
        addr: SocketAddr,
        request: &str,
    ) -> anyhow::Result<()> {
        let pace = Pace::Closed(bench.time / ROUNDS);
        let plan = crate::load::Plan { servers: vec![addr], connections: READERS, pace };
        let readers = Readers { request: request.to_owned(), ..take(&mut self.readers) };
        let before = server.cpu_seconds()?;
        (self.readers, _) = run(&plan, readers).await?;
        self.cpu_seconds += server.cpu_seconds()? - before;
        let Tally { done, refused, .. } = self.readers.tally;
        ensure!(refused == 0, "{refused} of {done} were refused");
        Ok(())
    }

    fn size(&self) -> u64 {
        self.readers.bytes / self.readers.tally.done.max(1)
    }

    /// Answers for a second of the server's CPU.
    fn a_second(&self) -> f64 {
        count(self.readers.tally.done) / self.cpu_seconds.max(0.001)
    }
}

/// See the module.
///
/// # Errors
/// A program that is missing, a server that went away, or a reader who was refused.
pub async fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let mut figures = vec![];
    let hall = Replica::start(bench, 1, false).await?;
    for changes in CHANGES {
        let _changing = if changes > 0 { Some(hall.change(bench, changes).await?) } else { None };
        for form in [PLAIN, GZIP, PACKED] {
            let request = format!("GET /events/hall-1/seats HTTP/1.1\r\nhost: {HOST}\r\n{}\r\n", form.header);
            let what = format!("{}, {changes} changes/s", form.name);
            figures.extend(compared(bench, &what, form.goal, &hall, &request).await?);
        }
    }
    let tag = reqwest::get(format!("http://{}/events/hall-1/seats", hall.addr)).await?;
    let tag = tag.headers().get("etag").context("no etag")?.to_str()?.to_owned();
    let request =
        format!("GET /events/hall-1/seats HTTP/1.1\r\nhost: {HOST}\r\nif-none-match: {tag}\r\n\r\n");
    figures.extend(compared(bench, "304", Some(0.7), &hall, &request).await?);
    drop(hall);

    let begun = Instant::now();
    let million = Replica::behind(bench, bench.up_to(SHOWS).max(1), bench.up_to(BEHIND)).await?;
    let took = begun.elapsed().saturating_sub(million.filled);
    let peak = million.process.peak_memory()?;
    figures
        .push(Figure::new("a million seats, half sold, ready after", took.as_secs_f64(), "s").at_most(10.0));
    figures.push(Figure::new("a million seats, half sold, most memory", peak, "MiB").at_most(256.0));
    million.lives_on(bench, bench.up_to(FURTHER)).await?;
    let more = million.process.peak_memory()? - peak;
    figures.push(
        Figure::new("a million seats, memory beyond that after a million events", more, "MiB").at_most(4.0),
    );
    Ok(figures)
}

/// What a form costs, beside a constant answer of its size: in turns, for a machine is as fast as its neighbours let it be.
async fn compared(
    bench: &Bench,
    what: &str,
    goal: Option<f64>,
    hall: &Replica,
    request: &str,
) -> anyhow::Result<[Figure; 3]> {
    let (constant, addr) = constant::start().await?;
    let (mut map, mut bare) = (Cost::default(), Cost::default());
    for _ in 0..ROUNDS {
        map.round(bench, &hall.process, hall.addr, request).await?;
        let of_its_size = format!("GET /bytes/{} HTTP/1.1\r\nhost: {HOST}\r\n\r\n", map.size());
        bare.round(bench, &constant, addr, &of_its_size).await?;
    }
    let name = format!("constant answer of {} bytes, for {what}", map.size());
    let bare = Figure::new(name, bare.a_second(), "1/CPU s");
    let figure = Figure::new(format!("maps, {what}"), map.a_second(), "1/CPU s").by(&bare);
    let p99 = Figure::new(format!("maps, {what}, p99"), map.readers.tally.latency_ms(990), "ms");
    let figure = match goal {
        Some(goal) => figure.at_least(goal),
        None => figure,
    };
    Ok([bare, figure, p99])
}
