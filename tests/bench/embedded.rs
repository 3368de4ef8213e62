//! Holds on the embedded store, through HTTP: `boxoffice local` as a process of its own, distinct seats, and the
//! yardstick beside it.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use boxoffice_tests::process::Process;
use boxoffice_tests::servers::free_port;
use tempfile::TempDir;

use crate::load::{Outcome, count, run};
use crate::report::Figure;

/// SeatingEvents on sale at once, as on a big day.
const SHOWS: u32 = 4;
/// Rows and seats a row of each: 100,000 seats.
const ROWS: u32 = 500;
const SEATS: u32 = 200;

/// How requests are sent.
pub struct Load {
    /// Connections.
    pub connections: usize,
    /// How long.
    pub time: Duration,
}

/// A server under load.
struct Served {
    process: Process,
    addr: SocketAddr,
}

/// All figures of the embedded store.
///
/// # Errors
/// A binary that was not built, or a server that went away.
pub async fn measure(load: &Load) -> anyhow::Result<Vec<Figure>> {
    let (constant, _) = constant(load).await?;
    let yardstick = Figure::new("HTTP, constant answer", constant.rate(), "1/s");
    let mut figures = vec![yardstick.clone()];

    let (held, cpu) = holds(load, "redis").await?;
    let name = "holds, embedded, no fsync";
    figures.push(Figure::new(name, held.rate(), "1/s").at_least(20_000.0));
    figures.push(Figure::new("holds, embedded, no fsync, by yardstick", held.rate(), "1/s").by(&yardstick));
    figures.push(Figure::new("holds, embedded, no fsync, median", held.latency_ms(500), "ms"));
    figures.push(Figure::new("holds, embedded, no fsync, p99", held.latency_ms(990), "ms"));
    figures.push(Figure::new("holds, embedded, CPU", cpu * 1000.0 / count(held.done), "s/1000"));

    let (synced, _) = holds(load, "fsync").await?;
    figures.push(Figure::new("holds, embedded, fsync", synced.rate(), "1/s").by(&yardstick));
    figures.push(Figure::new("holds, embedded, fsync, p99", synced.latency_ms(990), "ms"));

    figures.push(Figure::new("ready with 50,000 seats", ready().await?, "s").at_most(1.0));
    Ok(figures)
}

async fn constant(load: &Load) -> anyhow::Result<(Outcome, f64)> {
    let addr = format!("127.0.0.1:{}", free_port()?);
    let mut server = Served::start("boxoffice-bench", &["constant", &addr], &addr).await?;
    server.put_under(load).await
}

async fn holds(load: &Load, durability: &str) -> anyhow::Result<(Outcome, f64)> {
    let folder = TempDir::new()?;
    declare(folder.path(), durability, SHOWS, ROWS)?;
    let mut server = local(folder.path()).await?;
    let outcome = server.put_under(load).await?;
    anyhow::ensure!(outcome.0.refused == 0, "{} holds of distinct seats were refused", outcome.0.refused);
    Ok(outcome)
}

/// Seconds from the start of the process to its readiness.
async fn ready() -> anyhow::Result<f64> {
    let folder = TempDir::new()?;
    declare(folder.path(), "redis", 1, ROWS / 2)?;
    let begun = Instant::now();
    local(folder.path()).await?;
    Ok(begun.elapsed().as_secs_f64())
}

async fn local(folder: &Path) -> anyhow::Result<Served> {
    let port = free_port()?.to_string();
    let (files, data) = (folder.join("resources"), folder.join("data"));
    let (files, data) = (files.display().to_string(), data.display().to_string());
    let arguments = ["local", "-f", &files, "--data-dir", &data, "--port", &port];
    Served::start("boxoffice", &arguments, &format!("127.0.0.1:{port}")).await
}

impl Served {
    async fn start(binary: &str, arguments: &[&str], addr: &str) -> anyhow::Result<Self> {
        let mut process = Process::start_with(binary, arguments, [])?;
        process.ready(&format!("http://{addr}/readyz")).await?;
        Ok(Self { process, addr: addr.parse()? })
    }

    /// What came of the load, and the CPU seconds that the server spent on it.
    async fn put_under(&mut self, load: &Load) -> anyhow::Result<(Outcome, f64)> {
        let addr = self.addr;
        let mut number = 0;
        let request = move || {
            number += 1;
            let (show, seat) = (number % SHOWS + 1, number / SHOWS);
            let (row, seat) = (seat / SEATS + 1, seat % SEATS + 1);
            (row <= ROWS).then(|| {
                format!(
                    "POST /seats/bench-{show}.A-{row}-{seat}/hold HTTP/1.1\r\nhost: {addr}\r\nx-user-id: \
                     user-{number}\r\ncontent-length: 0\r\n\r\n"
                )
            })
        };
        let before = self.process.cpu_seconds()?;
        let outcome = run(addr, load.connections, load.time, request).await?;
        Ok((outcome, self.process.cpu_seconds()? - before))
    }
}

/// Writes the resources.
fn declare(folder: &Path, durability: &str, shows: u32, rows: u32) -> anyhow::Result<()> {
    let mut text = format!(
        "{{apiVersion: boxoffice.dev/v1alpha1, kind: ReservationService, metadata: {{name: main}}, spec: {{
  auth: {{allowFrom: [{{namespaceSelector: {{}}}}]}}, redis: {{url: 'redis://redis'}},
  kafka: {{bootstrapServers: 'kafka:9092', topic: {{name: seat-events, partitions: 4}}}},
  durability: {{hold: {durability}}}, outbox: {{highWatermark: 10000000}},
  consumers: [{{name: seat-view, handler: seat-view, database: {{url: 'postgres://view'}}}},
              {{name: reservations, handler: persistence, database: {{url: 'postgres://reservations'}}}},
              {{name: stats, handler: stats, database: {{url: 'postgres://stats'}}}}]}}}}\n"
    );
    for show in 1..=shows {
        write!(
            text,
            "---\n{{apiVersion: boxoffice.dev/v1alpha1, kind: SeatingEvent, metadata: {{name: bench-{show}}}, spec: {{
  serviceRef: {{name: main}}, title: A show, startsAt: '2099-03-01T20:00:00Z',
  priceCategories: [{{name: all, amount: 5000, currency: EUR}}],
  sections: [{{id: A, priceCategory: all, rows: [{{rows: '1-{rows}', seats: '1-{SEATS}'}}]}}]}}}}\n"
        )?;
    }
    std::fs::create_dir(folder.join("resources"))?;
    std::fs::write(folder.join("resources/bench.yaml"), text)?;
    Ok(())
}
