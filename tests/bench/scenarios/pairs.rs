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
    let (Pairs { mut holds, mut reserves, .. }, took) = run(&plan, buyers).await?;
    stack.drained(&shows).await?;
    let after = kafka::written(&bench.kafka, &stack.topic)?;
    let refused = holds.refused + reserves.refused;
    ensure!(refused == 0, "{refused} of {} pairs of distinct seats were refused", holds.done);
    let (records, trips) = (after.records - before.records, after.batches - before.batches);
    Ok(vec![
        Figure::new("pairs of hold and reserve", reserves.rate(took), "1/s"),
        Figure::new("pairs, p50 of the hold", holds.latency_ms(500), "ms"),
        Figure::new("pairs, p99 of the hold", holds.latency_ms(990), "ms"),
        Figure::new("pairs, p50 of the reserve", reserves.latency_ms(500), "ms"),
        Figure::new("pairs, p99 of the reserve", reserves.latency_ms(990), "ms"),
        Figure::new("pairs, records a round trip to kafka", count(records) / count(trips.max(1)), "records"),
    ])
}
