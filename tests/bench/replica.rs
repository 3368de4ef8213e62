//! A query worker on a view database that was filled beforehand, and seats that change as fast as is wanted: domain events are
//! produced straight to its topic. Or one on the topic of a write side.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
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

use crate::scenarios::Bench;
use crate::shows::SeatGrid;

/// Sections, rows in each, and seats a row of each show: 20,000 seats.
pub const HALL: (u32, u32, u32) = (20, 20, 50);
/// How often a second changes are published.
const PUBLISHED: u32 = 50;
/// Domain events that are published at once where nobody looks at their pace.
const BATCH: u64 = 1_000;
/// The longest that it may take to load the shows.
const PATIENCE: Duration = Duration::from_mins(2);

/// See the module.
pub struct Replica {
    /// The worker.
    pub process: Process,
    /// Where readers reach it.
    pub addr: SocketAddr,
    topic: String,
    /// How long it took to fill the view database, and the topic.
    pub filled: Duration,
    // Ends with it.
    _postgres: Server<Postgres>,
}

/// Seats that change for as long as it is kept.
pub struct Changing {
    /// The sequence before the first change, and when each change was about to be published.
    published: Arc<Mutex<(u64, Vec<Instant>)>>,
    _task: AbortOnDropHandle<()>,
}

impl Changing {
    /// When the change with this sequence was about to be published.
    pub fn published(&self, sequence: u64) -> Option<Instant> {
        let published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        let (before, at) = &*published;
        at.get(usize::try_from(sequence.checked_sub(before + 1)?).ok()?).copied()
    }
}

impl Replica {
    /// A replica of so many shows, called `hall-1` and so on, with every other seat sold where that is wanted, ready.
    ///
    /// # Errors
    /// A program that is missing, or a worker that does not become ready.
    pub async fn start(bench: &Bench, shows: u32, sold: bool) -> anyhow::Result<Self> {
        Self::of(bench, None, shows, sold, 0).await
    }

    /// One with every other seat sold that has so many records of the first show to catch up with before it is ready.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn behind(bench: &Bench, shows: u32, records: u32) -> anyhow::Result<Self> {
        Self::of(bench, None, shows, true, records).await
    }

    /// A replica of what is on a topic that there is, and of nothing else, ready.
    ///
    /// # Errors
    /// A program that is missing, or a worker that does not become ready.
    pub async fn following(bench: &Bench, topic: &str) -> anyhow::Result<Self> {
        Self::of(bench, Some(topic), 0, false, 0).await
    }

    async fn of(
        bench: &Bench,
        topic: Option<&str>,
        shows: u32,
        sold: bool,
        behind: u32,
    ) -> anyhow::Result<Self> {
        let begun = Instant::now();
        let postgres = Server::start(Postgres::default()).await?;
        let database_url = format!("{}/postgres", postgres.address());
        migrate::<SeatViewHandler>(&DatabaseArgs::at(&database_url).options("boxoffice-consumer")?).await?;
        let mut database = PgConnection::connect(&database_url).await?;
        for number in 1..=shows {
            fill(&mut database, &format!("hall-{number}"), sold).await?;
        }
        let topic = match topic {
            Some(topic) => topic.to_owned(),
            None => topic_on(&bench.kafka.address(), "seat-events", 1).await?,
        };
        let stats = topic_on(&bench.kafka.address(), "stats-events", 1).await?;
        // The database has each show up to its first sequence.
        hold(bench, &topic, 2..=u64::from(behind) + 1).await?;
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

    /// Seats of the first show are held, one after the other, so many a second.
    ///
    /// # Errors
    /// A replica that does not answer.
    pub async fn change(&self, bench: &Bench, rate: u32) -> anyhow::Result<Changing> {
        let log = KafkaLog::new(&bench.kafka.address())?;
        let (topic, before) = (self.topic.clone(), self.sequence().await?);
        let (event, user): (SeatingEventId, UserId) = ("hall-1".parse()?, "somebody".parse()?);
        let published = Arc::new(Mutex::new((before, vec![])));
        let told = Arc::clone(&published);
        let task = tokio::spawn(async move {
            let mut last = before;
            let mut due = interval(Duration::from_secs(1) / PUBLISHED);
            due.set_missed_tick_behavior(MissedTickBehavior::Burst);
            loop {
                due.tick().await;
                let some = last + 1..=last + u64::from(rate / PUBLISHED);
                last = *some.end();
                let now = Instant::now();
                told.lock().unwrap_or_else(PoisonError::into_inner).1.extend(some.clone().map(|_| now));
                let records =
                    some.map(|sequence| encode(&held(&event, &user, sequence), 0, "bench/bench", None));
                let Ok(records) = records.collect() else { return };
                if log.publish(&topic, records).await.is_err() {
                    return;
                }
            }
        });
        Ok(Changing { published, _task: AbortOnDropHandle::new(task) })
    }

    /// So many domain events more happen to the first show; returns when it shows the last one.
    ///
    /// # Errors
    /// A replica that does not come to it.
    pub async fn lives_on(&self, bench: &Bench, events: u32) -> anyhow::Result<()> {
        let before = self.sequence().await?;
        let last = before + u64::from(events);
        hold(bench, &self.topic, before + 1..=last).await?;
        let shown = within(PATIENCE, async || (self.sequence().await.ok()? >= last).then_some(()));
        shown.await.with_context(|| format!("{last} is not shown\n{}", self.process.log()))
    }

    /// Returns when it shows a show.
    ///
    /// # Errors
    /// It does not come to know it.
    pub async fn shows(&self, show: &str) -> anyhow::Result<()> {
        let address = format!("http://{}/events/{show}", self.addr);
        let shown =
            within(PATIENCE, async || reqwest::get(&address).await.ok()?.status().is_success().then_some(()));
        shown.await.with_context(|| format!("{show} is not shown\n{}", self.process.log()))
    }

    async fn sequence(&self) -> anyhow::Result<u64> {
        let answer = reqwest::get(format!("http://{}/events/hall-1", self.addr)).await?;
        Ok(answer.headers().get("x-view-sequence").context("no sequence")?.to_str()?.parse()?)
    }
}

/// Seats of the first show are held, one after the other, with these sequences.
async fn hold(bench: &Bench, topic: &str, sequences: RangeInclusive<u64>) -> anyhow::Result<()> {
    let log = KafkaLog::new(&bench.kafka.address())?;
    let (event, user): (SeatingEventId, UserId) = ("hall-1".parse()?, "somebody".parse()?);
    let (mut next, last) = sequences.into_inner();
    while next <= last {
        let some = next..=last.min(next + BATCH - 1);
        next = some.end() + 1;
        let records = some.map(|sequence| encode(&held(&event, &user, sequence), 0, "bench/bench", None));
        log.publish(topic, records.collect::<Result<_, _>>()?).await?;
    }
    Ok(())
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
    let mut definition = SeatGrid::new(id, rows, width).definition();
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
