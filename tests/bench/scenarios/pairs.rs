//! A hold and then its reserve, by the same buyer: the reserve's answer waits until Kafka has it (durability `log`), so
//! many of them have to share a round trip.

use anyhow::ensure;

use super::Bench;
use crate::load::{Answer, Buyers, Pace, Tally, count, post, run};
use crate::report::Figure;
use crate::shows::Seats;
use crate::stack::Stack;
use crate::yardsticks::kafka;

/// Seats on sale for each second.
const MOST: u32 = 20_000;

/// Bare transactions beside them.
const TRANSACTIONS: u32 = 300;

struct Pairs {
    seats: Seats,
    holds: Tally,
    reserves: Tally,
}

impl Buyers for Pairs {
    fn job(&mut self, number: u64) -> Option<Vec<String>> {
        let (seat, user) = (self.seats.next_seat()?, format!("user-{number}"));
        Some(["hold", "reserve"].map(|verb| post(&format!("/seats/{seat}/{verb}"), &user, "")).to_vec())
    }

    fn hear(&mut self, answer: &Answer<'_>) {
        let tally = if answer.step == 0 { &mut self.holds } else { &mut self.reserves };
        tally.add(answer.status, answer.latency());
    }
}

/// See the module.
///
/// # Errors
/// A program that is missing, or a server that went away.
pub async fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let mut stack = Stack::start(&bench.kafka, bench.workers).await?;
    let seats = bench.seats(MOST);
    let shows = seats.shows.clone();
    stack.put_on_sale(&shows).await?;
    let before = kafka::written(&bench.kafka, &stack.topic)?;
    let plan = bench.plan(&stack.buyers, Pace::Closed(bench.time));
    let buyers = Pairs { seats, holds: Tally::default(), reserves: Tally::default() };
    let (Pairs { seats, mut holds, mut reserves }, took) = run(&plan, buyers).await?;
    stack.drained(&shows).await?;
    let after = kafka::written(&bench.kafka, &stack.topic)?;
    let refused = holds.refused + reserves.refused;
    ensure!(refused == 0, "{refused} of {} pairs of distinct seats were refused", holds.done);
    let (records, trips) = (after.records - before.records, after.batches - before.batches);
    let most = reserves.rate(took);
    // Half of that, beside what a bare transaction of one record takes.
    let bare = kafka::transactions(&bench.kafka, bench.up_to(TRANSACTIONS)).await?;
    let pace = Pace::Open { rate: most / 2.0, time: bench.time };
    let buyers = Pairs { seats, holds: Tally::default(), reserves: Tally::default() };
    let (Pairs { reserves: mut steady, .. }, _) = run(&bench.plan(&stack.buyers, pace), buyers).await?;
    ensure!(steady.refused == 0, "{} reserves of distinct seats were refused", steady.refused);
    let above = steady.latency_ms(990) - bare.p99_ms;
    Ok(vec![
        Figure::new("pairs of hold and reserve", most, "1/s"),
        Figure::new("bare transactions of one record, p50", bare.p50_ms, "ms"),
        Figure::new("bare transactions of one record, p99", bare.p99_ms, "ms"),
        Figure::new("pairs at half that rate, p50 of the reserve", steady.latency_ms(500), "ms").at_most(10.0),
        Figure::new("pairs at half that rate, p99 of the reserve above a bare one", above, "ms").at_most(30.0),
        Figure::new("pairs, p50 of the hold", holds.latency_ms(500), "ms"),
        Figure::new("pairs, p99 of the hold", holds.latency_ms(990), "ms"),
        Figure::new("pairs, p50 of the reserve", reserves.latency_ms(500), "ms"),
        Figure::new("pairs, p99 of the reserve", reserves.latency_ms(990), "ms"),
        Figure::new("pairs, records a round trip to kafka", count(records) / count(trips.max(1)), "records"),
    ])
}
