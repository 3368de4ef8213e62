//! More clients than seats, at once: every seat is sold once (I1), and everybody else learns which seat was the matter.

use std::collections::HashMap;

use serde_json::Value;

use super::Bench;
use crate::load::{Answer, Buyers, Pace, Plan, Tally, count, post, run};
use crate::report::Figure;
use crate::shows::SeatGrid;
use crate::stack::Stack;

const CLIENTS: u32 = 1000;
const SEATS: u32 = 50;

/// Client n wants seat n modulo the seats.
struct Race {
    show: SeatGrid,
    clients: u64,
    wins: HashMap<String, u32>,
    /// Refusals that do not say which seat, or answers that are neither.
    unclear: u64,
    tally: Tally,
}

impl Race {
    fn wanted(&self, client: u64) -> String {
        self.show.seat(u32::try_from(client % u64::from(self.show.seats())).unwrap_or_default())
    }
}

impl Buyers for Race {
    fn job(&mut self, number: u64) -> Option<Vec<String>> {
        let path = format!("/seats/{}/hold", self.wanted(number));
        (number < self.clients).then(|| vec![post(&path, &format!("client-{number}"), "")])
    }

    fn hear(&mut self, answer: &Answer<'_>) {
        self.tally.add(answer.status, answer.latency());
        let seat = self.wanted(answer.job);
        if answer.is_success() {
            *self.wins.entry(seat).or_default() += 1;
        } else if answer.status != 409 || !names(answer.body, &seat) {
            self.unclear += 1;
        }
    }
}

/// Whether a refusal is about `seat` and says so.
fn names(body: &[u8], seat: &str) -> bool {
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    problem["code"] == "SEAT_NOT_AVAILABLE" && problem["conflicts"][0]["seatId"] == seat
}

/// See the module.
///
/// # Errors
/// A program that is missing, or a server that went away.
pub async fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let mut stack = Stack::start(&bench.kafka, bench.workers).await?;
    let show = SeatGrid::new("contended", 1, SEATS);
    stack.put_on_sale(std::slice::from_ref(&show)).await?;
    let clients = bench.up_to(CLIENTS).max(2 * SEATS);
    let plan = Plan { servers: stack.buyers.clone(), connections: clients as usize, pace: Pace::All };
    let race =
        Race { show, clients: clients.into(), wins: HashMap::new(), unclear: 0, tally: Tally::default() };
    let (mut race, took) = run(&plan, race).await?;
    let not_once = (0..SEATS).filter(|seat| race.wins.get(&race.show.seat(*seat)) != Some(&1)).count();
    Ok(vec![
        Figure::new(
            format!("contended, {clients} clients, seats won of {SEATS}"),
            count(race.tally.done),
            "seats",
        ),
        Figure::new("contended, seats not sold exactly once", count(not_once as u64), "seats").at_most(0.0),
        Figure::new("contended, refusals that do not name the seat", count(race.unclear), "answers")
            .at_most(0.0),
        Figure::new("contended, everybody answered after", took.as_secs_f64(), "s"),
        Figure::new("contended, p99", race.tally.latency_ms(990), "ms"),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_to_name_the_seat() {
        let body =
            br#"{"code": "SEAT_NOT_AVAILABLE", "conflicts": [{"seatId": "a.A-1-1", "reason": "HELD"}]}"#;
        assert!(names(body, "a.A-1-1"));
        assert!(!names(body, "a.A-1-2"));
        assert!(!names(b"Conflict", "a.A-1-1"));
    }
}
