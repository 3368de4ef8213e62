//! Two thousand buyers ask for the best available seats of one hall at once, one to eight each: more than it has. Whoever
//! can be served is, nobody twice, and nobody is refused while enough seats are left together.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context, ensure};
use boxoffice_domain::choose::best;
use boxoffice_domain::definition::GapPolicy;
use boxoffice_domain::seating::TAKEN;
use boxoffice_domain::{Chart, Seating, Together};
use serde_json::{Value, json};

use super::Bench;
use crate::load::{Answer, Buyers, Pace, Plan, Tally, count, post, run};
use crate::report::Figure;
use crate::shows::SeatGrid;
use crate::stack::Stack;

const CLIENTS: u32 = 2000;
const ROWS: u32 = 100;
const WIDTH: u32 = 80;

/// What one of them asked for, when, and was answered.
#[derive(Debug)]
struct Buyer {
    quantity: usize,
    sent: Duration,
    answered: Duration,
    /// Keys of the seats; `None` where there were not enough.
    seats: Option<Vec<String>>,
}

struct Herd {
    show: SeatGrid,
    clients: u64,
    answers: Vec<(u64, Duration, Duration, u16, Vec<u8>)>,
    tally: Tally,
}

/// One to eight, mixed.
fn quantity(client: u64) -> u64 {
    (client * 5 + client / 8) % 8 + 1
}

impl Buyers for Herd {
    fn job(&mut self, number: u64) -> Option<Vec<String>> {
        let body = json!({"bestAvailable": {"quantity": quantity(number)}}).to_string();
        let path = format!("/events/{}/holds", self.show.id);
        (number < self.clients).then(|| vec![post(&path, &format!("client-{number}"), &body)])
    }

    fn hear(&mut self, answer: &Answer<'_>) {
        self.tally.add(answer.status, answer.latency());
        let Answer { job, asked, answered, status, body, .. } = *answer;
        self.answers.push((job, asked, answered, status, body.to_vec()));
    }
}

/// See the module.
///
/// # Errors
/// A program that is missing, or a server that went away; an answer that is neither seats nor their lack.
pub async fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let mut stack = Stack::start(&bench.kafka, bench.workers).await?;
    let show = SeatGrid::new("herd", ROWS / bench.shrink.min(ROWS / 2), WIDTH);
    stack.put_on_sale(std::slice::from_ref(&show)).await?;
    let clients = bench.up_to(CLIENTS);
    let plan = Plan { servers: stack.buyers.clone(), connections: clients as usize, pace: Pace::All };
    let herd = Herd { show, clients: clients.into(), answers: vec![], tally: Tally::default() };
    let (Herd { show, answers, mut tally, .. }, took) = run(&plan, herd).await?;
    let prefix = format!("{}.", show.id);
    let all = answers
        .into_iter()
        .map(|(client, sent, answered, status, body)| {
            let seats = seats_of(status, &body, &prefix)?;
            Ok(Buyer { quantity: usize::try_from(quantity(client))?, sent, answered, seats })
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let sold: Vec<&String> = all.iter().filter_map(|buyer| buyer.seats.as_ref()).flatten().collect();
    let twice = sold.len() - sold.iter().collect::<HashSet<_>>().len();
    let definition = show.definition();
    let chart = Chart::expand(&definition)?;
    let needless = needless(&all, &chart, &Seating::new(&definition, &chart));
    let short = all.iter().filter(|buyer| buyer.seats.as_ref().is_some_and(|s| s.len() != buyer.quantity));
    Ok(vec![
        Figure::new(format!("herd, {clients} buyers, served"), count(tally.done), "buyers"),
        Figure::new(format!("herd, seats sold of {}", show.seats()), count(sold.len() as u64), "seats"),
        Figure::new("herd, seats sold twice", count(twice as u64), "seats").at_most(0.0),
        Figure::new("herd, holds of another number of seats", count(short.count() as u64), "holds")
            .at_most(0.0),
        Figure::new(
            "herd, refused although seats were left together",
            count(needless as u64) / count(clients.into()),
            "ratio",
        )
        .at_most(0.01),
        Figure::new("herd, everybody answered after", took.as_secs_f64(), "s"),
        Figure::new("herd, p50", tally.latency_ms(500), "ms"),
        Figure::new("herd, p99", tally.latency_ms(990), "ms"),
    ])
}

/// Keys of the seats that an answer gives, or `None` where it says that there are not enough.
fn seats_of(status: u16, body: &[u8], prefix: &str) -> anyhow::Result<Option<Vec<String>>> {
    let answer: Value = serde_json::from_slice(body)?;
    if status == 409 && answer["code"] == "NOT_ENOUGH_SEATS" {
        return Ok(None);
    }
    ensure!(status == 201, "a buyer of the herd was answered {status}: {answer}");
    let seats = answer["seats"].as_array().context("no seats")?;
    let key = |seat: &Value| seat["seatId"].as_str()?.strip_prefix(prefix).map(str::to_owned);
    Ok(Some(seats.iter().map(key).collect::<Option<_>>().context("seats of another show")?))
}

/// How many were refused although seats were left together, beyond doubt: the specification finds some even if every hold
/// that was asked for before the refusal came had been made before it.
fn needless(all: &[Buyer], chart: &Chart, seating: &Seating) -> usize {
    let still_found = |refused: &&Buyer| {
        let mut map = seating.map().to_vec();
        let earlier = all.iter().filter(|other| other.sent <= refused.answered);
        for seat in earlier.filter_map(|other| other.seats.as_ref()).flatten() {
            let place = chart.position(seat).and_then(|seat| seating.place(seat));
            if let Some(at) = place.and_then(|place| map.get_mut(place)) {
                *at = TAKEN;
            }
        }
        best(seating, &map, refused.quantity, &[0], GapPolicy::Prefer, Together::Preferred).is_some()
    };
    all.iter().filter(|buyer| buyer.seats.is_none()).filter(still_found).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn buyer(quantity: usize, sent: u32, answered: u32, seats: Option<&[&str]>) -> Buyer {
        let seats = seats.map(|seats| seats.iter().map(|key| (*key).to_owned()).collect());
        Buyer { quantity, sent: sent * MS, answered: answered * MS, seats }
    }

    fn needless_in_a_row_of_four(all: &[Buyer]) -> usize {
        let definition = SeatGrid::new("hall", 1, 4).definition();
        let chart = Chart::expand(&definition).unwrap();
        needless(all, &chart, &Seating::new(&definition, &chart))
    }

    #[test]
    fn a_refusal_is_needless_while_seats_are_left() {
        let all = [buyer(2, 0, 5, Some(&["A-1-1", "A-1-2"])), buyer(2, 1, 6, None), buyer(3, 1, 6, None)];
        assert_eq!(needless_in_a_row_of_four(&all), 1);
    }

    #[test]
    fn a_hold_that_may_have_come_first_excuses_it() {
        let late = ["A-1-1", "A-1-2", "A-1-3"];
        assert_eq!(needless_in_a_row_of_four(&[buyer(3, 5, 9, Some(&late)), buyer(2, 1, 6, None)]), 0);
        assert_eq!(needless_in_a_row_of_four(&[buyer(3, 7, 9, Some(&late)), buyer(2, 1, 6, None)]), 1);
    }

    #[test]
    fn quantities_are_mixed_from_one_to_eight() {
        let first: HashSet<u64> = (0..8).map(quantity).collect();
        assert_eq!(first, (1..=8).collect());
        assert_eq!((0..2000).map(quantity).sum::<u64>(), 9000);
    }

    #[test]
    fn seats_and_their_lack_are_told_apart() {
        let held = br#"{"seats": [{"seatId": "herd.A-1-1"}]}"#;
        assert_eq!(seats_of(201, held, "herd.").unwrap(), Some(vec!["A-1-1".to_owned()]));
        assert_eq!(seats_of(409, br#"{"code": "NOT_ENOUGH_SEATS"}"#, "herd.").unwrap(), None);
        assert!(seats_of(503, br#"{"code": "UNAVAILABLE"}"#, "herd.").is_err());
    }
}
