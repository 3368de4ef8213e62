//! What readers cost: seat maps in each form, still and while they change, as a share of a constant answer of the same size
//! of the same HTTP stack; and what a replica takes that has a million seats.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use boxoffice_consumer::handlers::seat_view::SeatViewHandler;
use boxoffice_consumer::view::migrate;
use boxoffice_domain::events::{SeatHeld, VERSION};
use boxoffice_domain::{Definition, DomainEvent, Envelope, HoldId, Metadata, SeatId, SeatingEventId, UserId};
use boxoffice_runtime::log::EventLog;
use boxoffice_runtime::log::kafka::KafkaLog;
use boxoffice_runtime::postgres::DatabaseArgs;
use boxoffice_runtime::record::encode;
use boxoffice_tests::process::Process;
use boxoffice_tests::servers::{Postgres, Server, free_port, service, topic_on};
use boxoffice_tests::wait::within;
use sqlx::{Connection, PgConnection};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::Bench;
use crate::load::{Answer, Buyers, Pace, Tally, count, run};
use crate::report::Figure;
use crate::shows::Show;

/// Sections, rows in each, and seats a row of the show whose map is asked for: 20,000 seats.
const HALL: (u32, u32, u32) = (20, 20, 50);
/// Changes a second.
const CHANGES: [u32; 3] = [0, 50, 500];
/// How often a second they are published.
const PUBLISHED: u32 = 50;
/// Readers at once.
const READERS: usize = 8;
/// Shows of the replica that has a million seats, half of them sold.
const SHOWS: u32 = 50;
/// The longest that it may take to load them.
const PATIENCE: Duration = Duration::from_mins(2);

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

/// Answers a CPU second of the server, and their size.
struct Cost {
    answers: f64,
    size: u64,
    p99_ms: f64,
}

/// See the module.
///
/// # Errors
/// A program that is missing, a server that went away, or a reader who was refused.
pub async fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let mut figures = vec![];
    let hall = Replica::start(bench, 1, false).await?;
    for changes in CHANGES {
        let _changing = (changes > 0).then(|| hall.change(bench, changes)).transpose()?;
        for form in [PLAIN, GZIP, PACKED] {
            let request =
                format!("GET /events/hall-1/seats HTTP/1.1\r\nhost: boxoffice\r\n{}\r\n", form.header);
            let map = cost(bench, &hall.process, hall.addr, &request).await?;
            figures.extend(
                compared(bench, &format!("{}, {changes} changes/s", form.name), form.goal, map).await?,
            );
        }
    }
    let tag = reqwest::get(format!("http://{}/events/hall-1/seats", hall.addr)).await?;
    let tag = tag.headers().get("etag").context("no etag")?.to_str()?.to_owned();
    let request =
        format!("GET /events/hall-1/seats HTTP/1.1\r\nhost: boxoffice\r\nif-none-match: {tag}\r\n\r\n");
    let unchanged = cost(bench, &hall.process, hall.addr, &request).await?;
    figures.extend(compared(bench, "304", Some(0.7), unchanged).await?);
    drop(hall);

    let begun = Instant::now();
    let million = Replica::start(bench, bench.up_to(SHOWS).max(1), true).await?;
    let took = begun.elapsed().saturating_sub(million.filled);
    let peak = memory(&million.process)?;
    figures
        .push(Figure::new("a million seats, half sold, ready after", took.as_secs_f64(), "s").at_most(10.0));
    figures.push(Figure::new("a million seats, half sold, most memory", peak, "MiB").at_most(256.0));
    Ok(figures)
}

/// What a form costs, beside a constant answer of its size.
async fn compared(bench: &Bench, what: &str, goal: Option<f64>, map: Cost) -> anyhow::Result<[Figure; 3]> {
    let addr: SocketAddr = format!("127.0.0.1:{}", free_port()?).parse()?;
    let mut server = Process::start_with("boxoffice-bench", ["constant", &addr.to_string()], [])?;
    server.ready(&format!("http://{addr}/readyz")).await?;
    let request = format!("GET /bytes/{} HTTP/1.1\r\nhost: boxoffice\r\n\r\n", map.size);
    let bare = cost(bench, &server, addr, &request).await?;
    let bare =
        Figure::new(format!("constant answer of {} bytes, for {what}", map.size), bare.answers, "1/CPU s");
    let figure = Figure::new(format!("maps, {what}"), map.answers, "1/CPU s").by(&bare);
    let p99 = Figure::new(format!("maps, {what}, p99"), map.p99_ms, "ms");
    let figure = match goal {
        Some(goal) => figure.at_least(goal),
        None => figure,
    };
    Ok([bare, figure, p99])
}

async fn cost(bench: &Bench, server: &Process, addr: SocketAddr, request: &str) -> anyhow::Result<Cost> {
    let pace = Pace::Closed(bench.time / 2);
    let plan = crate::load::Plan { servers: vec![addr], connections: READERS, pace };
    let readers = || Readers { request: request.to_owned(), tally: Tally::default(), bytes: 0 };
    let before = server.cpu_seconds()?;
    let (mut readers, _) = run(&plan, readers()).await?;
    let cpu = server.cpu_seconds()? - before;
    ensure!(readers.tally.refused == 0, "{} of {} were refused", readers.tally.refused, readers.tally.done);
    let done = readers.tally.done.max(1);
    Ok(Cost {
        answers: count(done) / cpu.max(0.001),
        size: readers.bytes / done,
        p99_ms: readers.tally.latency_ms(990),
    })
}

/// A query worker on a view that was filled for it.
struct Replica {
    process: Process,
    addr: SocketAddr,
    topic: String,
    /// How long it took to fill the view.
    filled: Duration,
    _postgres: Server<Postgres>,
}

impl Replica {
    async fn start(bench: &Bench, shows: u32, sold: bool) -> anyhow::Result<Self> {
        let begun = Instant::now();
        let postgres = Server::start(Postgres::default()).await?;
        let database_url = format!("{}/postgres", postgres.address());
        migrate::<SeatViewHandler>(&DatabaseArgs { database_url: database_url.clone() }.options("bench")?)
            .await?;
        let mut database = PgConnection::connect(&database_url).await?;
        for number in 1..=shows {
            fill(&mut database, &format!("hall-{number}"), sold).await?;
        }
        let topic = topic_on(&bench.kafka.address(), "seat-events", 1).await?;
        let stats = topic_on(&bench.kafka.address(), "stats-events", 1).await?;
        let filled = begun.elapsed();
        let addr = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let metrics = format!("127.0.0.1:{}", free_port()?);
        let environment = [
            ("BOXOFFICE_SERVICE", service("bench")),
            ("BOXOFFICE_HTTP_ADDR", addr.to_string()),
            ("BOXOFFICE_METRICS_ADDR", metrics.clone()),
            ("BOXOFFICE_ADMIN_ADDR", format!("127.0.0.1:{}", free_port()?)),
            ("BOXOFFICE_ADMIN_TOKEN", "bench".to_owned()),
            ("BOXOFFICE_KAFKA_BOOTSTRAP_SERVERS", bench.kafka.address()),
            ("BOXOFFICE_KAFKA_TOPIC", topic.clone()),
            ("BOXOFFICE_KAFKA_STATS_TOPIC", stats),
            ("BOXOFFICE_DATABASE_URL", database_url),
        ];
        let process = Process::start("boxoffice-query", environment)?;
        let ready = within(PATIENCE, async || {
            let answer = reqwest::get(format!("http://{metrics}/readyz")).await.ok()?;
            answer.status().is_success().then_some(())
        });
        ready.await.with_context(|| format!("it is not ready\n{}", process.log()))?;
        Ok(Self { process, addr, topic, filled, _postgres: postgres })
    }

    /// Seats of the first show are held, one after the other, for as long as it is kept.
    fn change(&self, bench: &Bench, rate: u32) -> anyhow::Result<AbortOnDropHandle<()>> {
        let log = KafkaLog::new(&bench.kafka.address())?;
        let (topic, addr) = (self.topic.clone(), self.addr);
        let (event, user): (SeatingEventId, UserId) = ("hall-1".parse()?, "somebody".parse()?);
        Ok(AbortOnDropHandle::new(tokio::spawn(async move {
            let mut last = sequence(addr).await.unwrap_or(1);
            let mut due = interval(Duration::from_secs(1) / PUBLISHED);
            due.set_missed_tick_behavior(MissedTickBehavior::Burst);
            loop {
                due.tick().await;
                let some = last + 1..=last + u64::from(rate / PUBLISHED);
                last = *some.end();
                let records =
                    some.map(|sequence| encode(&held(&event, &user, sequence), 0, "bench/bench", None));
                let Ok(records) = records.collect() else { return };
                if log.publish(&topic, records).await.is_err() {
                    return;
                }
            }
        })))
    }
}

async fn sequence(addr: SocketAddr) -> anyhow::Result<u64> {
    let answer = reqwest::get(format!("http://{addr}/events/hall-1")).await?;
    Ok(answer.headers().get("x-view-sequence").context("no sequence")?.to_str()?.parse()?)
}

fn held(event: &SeatingEventId, user: &UserId, sequence: u64) -> Envelope {
    let (sections, rows, width) = HALL;
    let place = u32::try_from(sequence % u64::from(sections * rows * width)).unwrap_or_default();
    let (section, rest) = (place % sections + 1, place / sections);
    let key = format!("S{section}-{}-{}", rest / width + 1, rest % width + 1);
    let command = Uuid::new_v4();
    Envelope {
        event_id: Uuid::new_v4(),
        timestamp: 1,
        version: VERSION,
        metadata: Metadata {
            correlation_id: command.into(),
            causation_id: command,
            user_id: None,
            sequence: Some(sequence),
        },
        event: DomainEvent::SeatHeld(SeatHeld {
            seat_id: SeatId::from_chart(event, &key),
            user_id: user.clone(),
            section_id: format!("S{section}"),
            hold_id: HoldId::new(event.clone(), command),
            held_at: 1,
            expires_at: u64::MAX / 2,
            amount: 5000,
            currency: "EUR".into(),
            event_id: event.clone(),
        }),
    }
}

/// The definition of a show of the hall's size.
fn definition(id: &str) -> Definition {
    let (sections, rows, width) = HALL;
    let mut definition = Show::new(id, rows, width).definition();
    let one = definition.sections.remove(0);
    definition.sections = (1..=sections)
        .map(|number| {
            let mut section = one.clone();
            section.id = format!("S{number}");
            section
        })
        .collect();
    definition
}

/// Puts a show into the view as the consumer would, with every other seat sold to somebody else where that is wanted.
async fn fill(database: &mut PgConnection, id: &str, sold: bool) -> anyhow::Result<()> {
    let definition = definition(id);
    sqlx::query(
        "INSERT INTO seating_events (event_id, definition, chart_hash, sequence, over_at) VALUES ($1, $2, $3, 1, $4)",
    )
    .bind(id)
    .bind(sqlx::types::Json(&definition))
    .bind(definition.chart_hash())
    .bind(i64::MAX / 2)
    .execute(&mut *database)
    .await?;
    sqlx::query("INSERT INTO checkpoint_events (seating_event, sequence) VALUES ($1, 1)")
        .bind(id)
        .execute(&mut *database)
        .await?;
    if !sold {
        return Ok(());
    }
    let (sections, rows, width) = HALL;
    sqlx::query(
        "INSERT INTO seats (event_id, seat_key, status, user_id, reservation_id, sequence)
         SELECT $1, 'S' || s || '-' || r || '-' || n, 'RESERVED',
                'user-' || $1 || '-' || s || '-' || r || '-' || n, $1 || '.' || gen_random_uuid(), 1
         FROM generate_series(1, $2) s, generate_series(1, $3) r, generate_series(1, $4, 2) n",
    )
    .bind(id)
    .bind(sections.cast_signed())
    .bind(rows.cast_signed())
    .bind(width.cast_signed())
    .execute(database)
    .await?;
    Ok(())
}

/// Most memory that a process ever took, in MiB.
fn memory(process: &Process) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id()))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no peak memory")?;
    Ok(peak.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}
