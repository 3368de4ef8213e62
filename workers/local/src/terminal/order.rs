//! Puts lines that come from several topics and partitions into the order of their time. A line waits a moment for earlier
//! ones, no longer: a topic that is silent holds nobody up. Pure; time is an argument.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;

/// How long a line waits for earlier ones.
pub const WINDOW: Duration = Duration::from_millis(300);
/// Most lines that wait. Beyond it the earliest goes at once.
const MOST: usize = 50_000;

/// Lines that wait. Those of one SeatingEvent keep the order in which they came (I3), whatever their time says.
#[derive(Debug, Default)]
pub struct Order {
    waiting: BinaryHeap<Reverse<Line>>,
    /// The latest time of each SeatingEvent so far.
    floors: HashMap<String, u64>,
    /// The time of the line that came last.
    last: u64,
    came: u64,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    time: u64,
    nth: u64,
    since: Instant,
    text: Vec<u8>,
}

/// What a line says about its place in the order.
#[derive(Deserialize)]
struct OrderFields {
    timestamp: u64,
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    payload: Payload,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    sequence: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Payload {
    event_id: Option<String>,
}

impl Order {
    /// Takes a line that came at `now`.
    pub fn take(&mut self, text: Vec<u8>, now: Instant) {
        // A line that says no time stays behind the one that came before it.
        let time = serde_json::from_slice(&text).map_or(self.last, |fields| self.time_of(fields));
        self.last = time;
        self.came += 1;
        self.waiting.push(Reverse(Line { time, nth: self.came, since: now, text }));
    }

    fn time_of(&mut self, fields: OrderFields) -> u64 {
        let (Some(_), Some(event)) = (fields.metadata.sequence, fields.payload.event_id) else {
            return fields.timestamp;
        };
        let floor = self.floors.entry(event).or_default();
        *floor = fields.timestamp.max(*floor);
        *floor
    }

    /// The earliest line, if it has waited long enough or too many wait.
    pub fn next(&mut self, now: Instant) -> Option<Vec<u8>> {
        let is_due = self.due().is_some_and(|due| due <= now) || self.waiting.len() > MOST;
        if is_due { self.earliest() } else { None }
    }

    /// When [`next`](Self::next) has a line, should none come before.
    pub fn due(&self) -> Option<Instant> {
        self.waiting.peek().map(|Reverse(line)| line.since + WINDOW)
    }

    /// Whether too many wait.
    pub fn is_full(&self) -> bool {
        self.waiting.len() > MOST
    }

    /// The earliest line, where nothing more comes.
    pub fn earliest(&mut self) -> Option<Vec<u8>> {
        self.waiting.pop().map(|Reverse(line)| line.text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fact(time: u64, event: &str, sequence: u64) -> Vec<u8> {
        let payload = json!({"eventId": event});
        json!({"timestamp": time, "payload": payload, "metadata": {"sequence": sequence}}).to_string().into()
    }

    fn stats(time: u64) -> Vec<u8> {
        json!({"timestamp": time, "payload": {"eventId": "arena"}, "metadata": {}}).to_string().into()
    }

    fn due(order: &mut Order, now: Instant) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| order.next(now)).collect()
    }

    #[test]
    fn lines_of_several_topics_come_in_the_order_of_their_time() {
        let (mut order, start) = (Order::default(), Instant::now());
        let lines = [fact(5, "arena", 2), stats(7), fact(9, "arena", 3), stats(6), fact(4, "club", 1)];
        for line in lines.clone() {
            order.take(line, start);
        }
        assert_eq!(order.next(start + WINDOW / 2), None, "an earlier one may come");
        let [five, seven, nine, six, four] = lines;
        assert_eq!(due(&mut order, start + WINDOW), [four, five, six, seven, nine]);
    }

    #[test]
    fn a_topic_that_is_silent_holds_nobody_up() {
        let (mut order, start) = (Order::default(), Instant::now());
        for second in 0..3 {
            let now = start + Duration::from_secs(second);
            order.take(fact(second, "arena", second), now);
            assert_eq!(order.due(), Some(now + WINDOW));
            assert_eq!(due(&mut order, now + WINDOW), [fact(second, "arena", second)]);
        }
    }

    #[test]
    fn what_is_ahead_waits_for_what_is_being_caught_up_with() {
        let (mut order, start) = (Order::default(), Instant::now());
        order.take(stats(100), start);
        for time in 0..10 {
            let now = start + WINDOW * u32::try_from(time).unwrap() / 2;
            order.take(fact(time, "arena", time), now);
            assert!(!due(&mut order, now).contains(&stats(100)), "{time}");
        }
        let all = due(&mut order, start + WINDOW * 10);
        assert_eq!(all.last(), Some(&stats(100)));
    }

    #[test]
    fn one_seating_event_keeps_its_order_and_what_says_no_time_its_place() {
        let (mut order, start) = (Order::default(), Instant::now());
        let lines =
            [fact(7, "arena", 1), fact(6, "arena", 2), b"{\"unreadable\":{}}".to_vec(), fact(7, "arena", 3)];
        for line in lines.clone() {
            order.take(line, start);
        }
        assert_eq!(std::iter::from_fn(|| order.earliest()).collect::<Vec<_>>(), lines);
    }

    #[test]
    fn no_more_wait_than_there_is_room_for() {
        let (mut order, start) = (Order::default(), Instant::now());
        for time in 0..=MOST as u64 {
            order.take(stats(time), start);
        }
        assert!(order.is_full());
        assert_eq!(due(&mut order, start), [stats(0)]);
    }
}
