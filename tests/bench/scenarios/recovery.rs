//! How long nobody can buy when Redis comes back without its last second, and without anything: what it lost is read
//! from the log, which has every hold of a load. The worker waits out what may still be under way first, so a few seconds
//! pass however short the log is.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use boxoffice_tests::servers::redis_kinds::connection;
use boxoffice_tests::wait::within;
use reqwest::Method;

use super::{Bench, Holders};
use crate::load::{Pace, count, run};
use crate::report::Figure;
use crate::shows::Seats;
use crate::stack::Stack;

/// Seats on sale for each second of the load.
const MOST: u32 = 40_000;
/// Longest that it may take.
const PATIENCE: Duration = Duration::from_mins(5);

/// See the module.
///
/// # Errors
/// A program that is missing, a server that went away, or seats that do not come back.
pub async fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let mut stack = Stack::start(&bench.kafka, bench.workers).await?;
    let seats = bench.seats(MOST);
    let shows = seats.shows.clone();
    stack.put_on_sale(&shows).await?;
    let plan = bench.plan(&stack.buyers, Pace::Closed(bench.time));
    let (buyers, _) = run(&plan, Holders::of(seats)).await?;
    stack.drained(&shows).await?;
    let (tally, mut left) = buyers.into_parts();
    ensure!(tally.refused == 0, "{} holds of distinct seats were refused", tally.refused);

    let lost = Instant::now();
    stack.redis.kill();
    stack.redis.restart().await?;
    let restarted = sells_again(&stack, &mut left, lost).await?;
    let lost = Instant::now();
    redis::cmd("FLUSHALL").exec_async(&mut connection(&stack.redis.address()).await?).await?;
    let emptied = sells_again(&stack, &mut left, lost).await?;
    Ok(vec![
        Figure::new("recovery, domain events on the log", count(tally.done), "events"),
        Figure::new("recovery, nothing sold when Redis was restarted", restarted.as_secs_f64(), "s"),
        Figure::new("recovery, nothing sold when Redis was emptied", emptied.as_secs_f64(), "s"),
    ])
}

/// How long after `lost` a seat that nobody has is held again.
async fn sells_again(stack: &Stack<'_>, seats: &mut Seats, lost: Instant) -> anyhow::Result<Duration> {
    let seat = seats.next_seat().context("every seat is sold")?;
    let path = format!("/seats/{seat}/hold");
    let held = within(PATIENCE, async || {
        let asked = stack.buyer(Method::POST, &path, "the first one after").ok()?.send().await;
        asked.is_ok_and(|answer| answer.status().is_success()).then(|| lost.elapsed())
    });
    held.await.with_context(|| format!("no seat is sold {} s after a loss", PATIENCE.as_secs()))
}
