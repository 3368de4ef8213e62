//! How long nobody can buy a seat of a show when Redis comes back with its data, which depends on what it lost and not on
//! how long the log is, and when it comes back empty.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use boxoffice_runtime::log::kafka::KafkaLog;
use boxoffice_runtime::log::{EventLog, UntilEnd};
use boxoffice_runtime::record::NewRecord;
use boxoffice_tests::servers::redis_kinds::connection;
use boxoffice_tests::servers::unique;
use boxoffice_tests::wait::within;
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::Bench;
use crate::load::count;
use crate::report::Figure;
use crate::shows::SeatGrid;
use crate::stack::Stack;

/// Shows on sale.
const SHOWS: u32 = 1_000;
/// Domain events on the log when Redis is restarted.
const LENGTHS: [u32; 2] = [50_000, 5_000_000];
/// Rows and seats a row where Redis is emptied; half of them are sold.
const HALL: (u32, u32) = (50, 40);
/// Records published in one go.
const BATCH: u32 = 10_000;
/// Requests at once.
const AT_ONCE: usize = 64;
/// Longest that it may take.
const PATIENCE: Duration = Duration::from_mins(5);

/// See the module.
///
/// # Errors
/// A program that is missing, a server that went away, or seats that do not come back.
pub async fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let mut figures = vec![];
    for length in LENGTHS {
        figures.extend(restarted(bench, bench.up_to(length)).await?);
    }
    figures.extend(emptied(bench).await?);
    Ok(figures)
}

/// Redis is killed and restarted with its data, with so many domain events on the log.
async fn restarted(bench: &Bench, length: u32) -> anyhow::Result<Vec<Figure>> {
    let mut stack = Stack::start(&bench.kafka, bench.workers).await?;
    let shows: Vec<_> =
        (1..=bench.up_to(SHOWS)).map(|number| SeatGrid::new(format!("show-{number}"), 2, 10)).collect();
    stack.put_on_sale(&shows).await?;
    fill(&stack, length).await?;
    // Whoever owns the lanes from now on moves the offsets of quiet shows behind all of that.
    stack.send_workers_home().await?;
    stack.add_workers(bench.workers).await?;
    each(&shows, async |show| hold_and_release(&stack, show).await).await?;
    stack.drained(&shows).await?;

    stack.redis.kill();
    stack.redis.restart().await?;
    let back = Instant::now();
    let mut pauses = each(&shows, async |show| sells_again(&stack, show, back).await).await?;
    pauses.sort_unstable();
    let (median, last) = (pauses[pauses.len() / 2], pauses.last().copied().unwrap_or_default());
    let name = |what: &str| format!("recovery, {length} events on the log, {what} show sold again after");
    Ok(vec![
        Figure::new(name("the median"), median.as_secs_f64(), "s").at_most(3.0),
        Figure::new(name("the last"), last.as_secs_f64(), "s"),
    ])
}

/// Redis is emptied, with shows of which half is sold.
async fn emptied(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let mut stack = Stack::start(&bench.kafka, bench.workers).await?;
    let (rows, width) = HALL;
    let shows: Vec<_> = (1..=bench.up_to(SHOWS))
        .map(|number| SeatGrid::new(format!("show-{number}"), bench.up_to(rows).max(2), width))
        .collect();
    stack.put_on_sale(&shows).await?;
    each(&shows, async |show| sell_half(&stack, show).await).await?;
    stack.drained(&shows).await?;
    let some: Vec<_> = shows.iter().step_by(shows.len().div_ceil(20)).cloned().collect();
    let before = each(&some, async |show| stack.seats_hash(show).await).await?;

    let emptied_at = Instant::now();
    redis::cmd("FLUSHALL").exec_async(&mut connection(&stack.redis.address()).await?).await?;
    stack.redis.kill();
    stack.redis.restart().await?;
    let pauses = each(&shows, async |show| sells_again(&stack, show, emptied_at).await).await?;
    let last = pauses.into_iter().max().unwrap_or_default();
    each(&shows, async |show| give_back(&stack, show).await).await?;
    let after = each(&some, async |show| stack.seats_hash(show).await).await?;
    ensure!(before == after, "the seats are not what they were");
    Ok(vec![
        Figure::new(
            "recovery, shows that are half sold, of an emptied Redis",
            count(shows.len() as u64),
            "shows",
        ),
        Figure::new("recovery, all sold again after Redis was emptied", last.as_secs_f64(), "s")
            .at_most(30.0),
        Figure::new("recovery, most memory of a worker", stack.worker_memory()?, "MiB").at_most(512.0),
    ])
}

/// Repeats what is on the log until it has so many domain events: the log may (I3), and nobody has to sell for hours.
async fn fill(stack: &Stack<'_>, length: u32) -> anyhow::Result<()> {
    let log = KafkaLog::new(&stack.kafka.address())?;
    let mut templates = vec![];
    let mut reading = UntilEnd::open(&log, &stack.topic).await?;
    while let Some(records) = reading.next(1000).await? {
        templates.extend(records.into_iter().map(|record| NewRecord {
            partition: record.partition,
            key: record.key.clone(),
            value: record.value.clone(),
            headers: record.headers.clone(),
            timestamp: 0,
        }));
    }
    let mut records = templates.iter().cycle();
    let mut left = length.saturating_sub(u32::try_from(templates.len())?);
    while left > 0 {
        let some = left.min(BATCH);
        log.publish(&stack.topic, records.by_ref().take(some as usize).cloned().collect()).await?;
        left -= some;
    }
    Ok(())
}

/// Does the same for every show, many at once; the answers are in the shows' order.
async fn each<T>(
    shows: &[SeatGrid],
    work: impl AsyncFn(&SeatGrid) -> anyhow::Result<T>,
) -> anyhow::Result<Vec<T>> {
    stream::iter(shows).map(|show| work(show)).buffered(AT_ONCE).try_collect().await
}

/// A seat that is never sold.
fn spare(show: &SeatGrid) -> String {
    show.seat(show.seats() - 1)
}

async fn hold_and_release(stack: &Stack<'_>, show: &SeatGrid) -> anyhow::Result<()> {
    for verb in ["hold", "release"] {
        let path = format!("/seats/{}/{verb}", spare(show));
        at_last(stack.buyer(Method::POST, &path, "somebody")?).await?;
    }
    Ok(())
}

/// The answer of a request that is repeated as long as it is told to come again: what was written to the log a moment ago
/// goes to the disk that Redis writes to.
async fn at_last(request: RequestBuilder) -> anyhow::Result<Value> {
    let request = request.header("idempotency-key", unique("recovery"));
    let answered = within(PATIENCE, async || {
        let answer = request.try_clone()?.send().await.ok()?;
        (answer.status() != StatusCode::SERVICE_UNAVAILABLE).then_some(answer)
    });
    let answer = answered.await.context("told to come again for too long")?;
    let (status, text) = (answer.status(), answer.text().await?);
    ensure!(status.is_success(), "{status}: {text}");
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

async fn give_back(stack: &Stack<'_>, show: &SeatGrid) -> anyhow::Result<()> {
    let path = format!("/seats/{}/release", spare(show));
    at_last(stack.buyer(Method::POST, &path, "the first one after")?).await.map(drop)
}

/// How long after `since` a seat of the show is held.
async fn sells_again(stack: &Stack<'_>, show: &SeatGrid, since: Instant) -> anyhow::Result<Duration> {
    let path = format!("/seats/{}/hold", spare(show));
    let held = within(PATIENCE, async || {
        let asked = stack.buyer(Method::POST, &path, "the first one after").ok()?.send().await;
        asked.is_ok_and(|answer| answer.status().is_success()).then(|| since.elapsed())
    });
    held.await.with_context(|| format!("{} is not sold {} s after a loss", show.id, PATIENCE.as_secs()))
}

/// Sells every other row, a hold and a reserve each.
async fn sell_half(stack: &Stack<'_>, show: &SeatGrid) -> anyhow::Result<()> {
    for row in (0..show.rows.saturating_sub(1)).step_by(2) {
        let seats: Vec<_> = (0..show.width).map(|seat| show.seat(row * show.width + seat)).collect();
        let user = format!("user-{row}");
        let asked = stack.buyer(Method::POST, &format!("/events/{}/holds", show.id), &user)?;
        let held = at_last(asked.json(&json!({"seats": seats}))).await?;
        let id = held["holdId"].as_str().context("no holdId")?;
        at_last(stack.buyer(Method::POST, &format!("/holds/{id}/reserve"), &user)?).await?;
    }
    Ok(())
}
