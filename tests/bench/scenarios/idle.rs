//! What a thousand shows cost that nobody buys: CPU of the worker and of Redis.

use std::time::{Duration, Instant};

use super::Bench;
use crate::report::Figure;
use crate::shows::SeatGrid;
use crate::stack::Stack;

/// Shows on sale.
const SHOWS: u32 = 1_000;

/// See the module.
///
/// # Errors
/// A program that is missing, or a server that went away.
pub async fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let mut stack = Stack::start(&bench.kafka, bench.workers).await?;
    let shows: Vec<_> =
        (1..=bench.up_to(SHOWS)).map(|number| SeatGrid::new(format!("show-{number}"), 10, 20)).collect();
    stack.put_on_sale(&shows).await?;
    // What was written last has been swept and looked at by then.
    tokio::time::sleep(bench.time).await;
    let (begun, before) = (Instant::now(), stack.cpu()?);
    // Long enough for everything that is done now and then.
    tokio::time::sleep(bench.time.saturating_mul(6).max(Duration::from_secs(1))).await;
    let (spent, took) = (stack.cpu()?.since(before), begun.elapsed().as_secs_f64());
    let share = |seconds: f64| seconds / took * 100.0;
    Ok(vec![
        Figure::new("idle, worker, of a core", share(spent.worker), "%").at_most(1.0),
        Figure::new("idle, Redis, of a core", share(spent.redis), "%").at_most(1.0),
    ])
}
