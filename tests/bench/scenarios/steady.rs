//! Holds at a constant rate, half of the most: latencies count from the moment a request was due (`load::Pace`), so a
//! pause of the server is felt by everybody who would have come in it.

use anyhow::ensure;

use super::{Bench, Holders};
use crate::depth::Depths;
use crate::load::{Pace, count, run};
use crate::report::Figure;
use crate::stack::Stack;

/// Seats on sale for each second of the load that finds the most, where that was not measured.
const MOST: u32 = 40_000;

/// See the module.
///
/// # Errors
/// A program that is missing, or a server that went away.
pub async fn measure(bench: &mut Bench) -> anyhow::Result<Vec<Figure>> {
    let mut stack = Stack::start(&bench.kafka, bench.workers).await?;
    let mut seats = bench.seats(MOST);
    let shows = seats.shows.clone();
    stack.put_on_sale(&shows).await?;
    let most = if let Some(most) = bench.most_holds {
        most
    } else {
        // A third of the seats at most; the steady load takes as many again.
        let plan = bench.plan(&stack.buyers, Pace::Closed(bench.time / 3));
        let (buyers, took) = run(&plan, Holders::of(seats)).await?;
        stack.drained(&shows).await?;
        let (tally, left) = buyers.into_parts();
        seats = left;
        tally.rate(took)
    };
    let pace = Pace::Open { rate: most / 2.0, time: bench.time };
    let plan = bench.plan(&stack.buyers, pace);
    let ((buyers, took), depths) = Depths::during(&stack, &shows, run(&plan, Holders::of(seats))).await?;
    let mut tally = buyers.tally;
    ensure!(tally.refused == 0, "{} holds of distinct seats were refused", tally.refused);
    let growth = depths.growth() / count(tally.done);
    Ok(vec![
        Figure::new("steady holds, due", most / 2.0, "1/s"),
        Figure::new("steady holds, done", tally.rate(took), "1/s"),
        Figure::new("steady holds, p50 from when they were due", tally.latency_ms(500), "ms"),
        Figure::new("steady holds, p99 from when they were due", tally.latency_ms(990), "ms").at_most(15.0),
        Figure::new("steady holds, max from when they were due", tally.latency_ms(1000), "ms"),
        Figure::new("steady holds, outbox at the start", depths.at_start(), "events"),
        Figure::new("steady holds, outbox at the end", depths.at_end(), "events"),
        Figure::new("steady holds, outbox, growth by holds", growth, "ratio").at_most(0.01),
    ])
}
