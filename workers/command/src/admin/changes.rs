//! What changed between two lists of SeatingEvents, for an operator that asks every few seconds: each list is compared with
//! the one before, and what differs gets the next position of its lane. A cursor is a position a lane.
//!
//! Positions are those of this process. Whoever comes with the cursor of another one, or with one that is older than what
//! is remembered, is told everything. All that a list shows counts as a change, also what only time changes.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use boxoffice_domain::SeatingEventId;
use uuid::Uuid;

use super::InventoryBody;
use crate::store::{LANES, lane_of};

/// SeatingEvents that are gone and remembered as such: of what was forgotten before, cursors do not know.
const GONE: usize = 1_000;
/// Lanes of a cursor are divided by it.
const DIVIDER: char = '.';

/// What was listed last, and since when it is so. Nobody else has a position of its own.
#[derive(Debug)]
pub struct Changes {
    process: Uuid,
    listed: Mutex<Listed>,
}

#[derive(Debug, Default)]
struct Listed {
    /// The last position of each lane; a lane that nothing was listed of has none.
    positions: BTreeMap<u32, u64>,
    known: HashMap<SeatingEventId, Known>,
    gone: VecDeque<Gone>,
    /// Where cursors have to have come to in each lane, for what went before is forgotten.
    forgotten: BTreeMap<u32, u64>,
}

#[derive(Debug)]
struct Known {
    body: InventoryBody,
    since: u64,
}

#[derive(Debug)]
struct Gone {
    event: SeatingEventId,
    lane: u32,
    since: u64,
}

/// What is new to whoever came with a cursor.
#[derive(Debug, PartialEq)]
pub(super) struct News {
    /// To come with next time.
    pub cursor: String,
    /// Whether these are all, because the cursor was not known.
    pub all: bool,
    /// Those that are there and new, or have changed.
    pub events: Vec<InventoryBody>,
    /// Those that are not there any more.
    pub gone: Vec<SeatingEventId>,
}

impl Default for Changes {
    fn default() -> Self {
        Self { process: Uuid::new_v4(), listed: Mutex::default() }
    }
}

impl Changes {
    /// Takes in a new list and says what of it is new to whoever comes with `cursor`. What is missing in a list that is
    /// partial may be there all the same, and what is `unreadable` is.
    pub(super) fn since(
        &self,
        cursor: &str,
        list: Vec<InventoryBody>,
        unreadable: &[SeatingEventId],
        is_partial: bool,
    ) -> News {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        let since = self.read(cursor).filter(|since| listed.remembers(since));
        let all = since.is_none();
        let since = since.unwrap_or_default();
        if !is_partial {
            listed.miss(&list, unreadable);
        }
        let events = listed.take(list, &since);
        let gone = if all { vec![] } else { listed.gone_since(&since) };
        News { cursor: self.write(&listed.positions), all, events, gone }
    }

    fn write(&self, positions: &BTreeMap<u32, u64>) -> String {
        let lanes = positions.iter().map(|(lane, position)| format!("{DIVIDER}{lane:x}-{position:x}"));
        format!("{}{}", self.process.simple(), lanes.collect::<String>())
    }

    /// The positions of a cursor of this process.
    fn read(&self, cursor: &str) -> Option<BTreeMap<u32, u64>> {
        let mut parts = cursor.split(DIVIDER);
        if parts.next()?.parse() != Ok(self.process) {
            return None;
        }
        let lane = |text: &str| {
            let (lane, position) = text.split_once('-')?;
            let lane = u32::from_str_radix(lane, 16).ok().filter(|lane| *lane < LANES)?;
            Some((lane, u64::from_str_radix(position, 16).ok()?))
        };
        parts.map(lane).collect()
    }
}

impl Listed {
    fn remembers(&self, since: &BTreeMap<u32, u64>) -> bool {
        self.forgotten.iter().all(|(lane, position)| since.get(lane).is_some_and(|it| it >= position))
    }

    fn next(&mut self, lane: u32) -> u64 {
        let position = self.positions.entry(lane).or_default();
        *position += 1;
        *position
    }

    /// Notes which of those that were known are not in a complete list, neither with what they have nor by name.
    fn miss(&mut self, list: &[InventoryBody], unreadable: &[SeatingEventId]) {
        let is_listed = |event: &SeatingEventId| {
            list.binary_search_by(|body| body.event_id.cmp(event)).is_ok() || unreadable.contains(event)
        };
        let missing: Vec<_> = self.known.keys().filter(|event| !is_listed(event)).cloned().collect();
        for event in missing {
            let Some(known) = self.known.remove(&event) else { continue };
            let lane = lane_of(known.body.partition);
            let since = self.next(lane);
            self.gone.push_back(Gone { event, lane, since });
        }
        while self.gone.len() > GONE {
            if let Some(Gone { lane, since, .. }) = self.gone.pop_front() {
                self.forgotten.insert(lane, since);
            }
        }
    }

    /// Takes in those that are listed; those of them that changed behind `since`.
    fn take(&mut self, list: Vec<InventoryBody>, since: &BTreeMap<u32, u64>) -> Vec<InventoryBody> {
        let mut news = vec![];
        for body in list {
            let lane = lane_of(body.partition);
            let before = self.known.get(&body.event_id).filter(|known| known.body == body);
            let position = before.map(|known| known.since);
            let position = position.unwrap_or_else(|| {
                let position = self.next(lane);
                self.gone.retain(|gone| gone.event != body.event_id);
                let known = Known { body: body.clone(), since: position };
                self.known.insert(body.event_id.clone(), known);
                position
            });
            if position > since.get(&lane).copied().unwrap_or_default() {
                news.push(body);
            }
        }
        news
    }

    fn gone_since(&self, since: &BTreeMap<u32, u64>) -> Vec<SeatingEventId> {
        let is_news = |gone: &&Gone| gone.since > since.get(&gone.lane).copied().unwrap_or_default();
        self.gone.iter().filter(is_news).map(|gone| gone.event.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use boxoffice_domain::definition::Phase;
    use boxoffice_domain::seat_map::SeatCounts;

    use super::*;

    fn body(event: &str, partition: u32, sequence: u64) -> InventoryBody {
        InventoryBody {
            event_id: event.parse().unwrap(),
            chart_hash: "abc".into(),
            definition_hash: "def".into(),
            closed: false,
            partition,
            sequence,
            last_event_at: Some(1),
            phase: Phase::OnSale,
            seats: SeatCounts::default(),
        }
    }

    fn names(news: &News) -> Vec<&str> {
        news.events.iter().map(|body| body.event_id.as_str()).collect()
    }

    #[test]
    fn only_what_changed_is_told() {
        let changes = Changes::default();
        let first = changes.since("", vec![body("a", 0, 1), body("b", 64, 1), body("c", 1, 1)], &[], false);
        assert_eq!((first.all, names(&first)), (true, vec!["a", "b", "c"]));
        let list = || vec![body("a", 0, 1), body("b", 64, 2), body("c", 1, 1)];
        let second = changes.since(&first.cursor, list(), &[], false);
        assert_eq!((second.all, names(&second)), (false, vec!["b"]), "a is in the same lane");
        let third = changes.since(&second.cursor, list(), &[], false);
        assert_eq!((third.events.len(), &third.cursor), (0, &second.cursor));
        assert_eq!(
            names(&changes.since(&first.cursor, list(), &[], false)),
            ["b"],
            "an older cursor is good too"
        );
        let mut closed = list();
        closed[2].phase = Phase::Closed;
        assert_eq!(names(&changes.since(&third.cursor, closed, &[], false)), ["c"], "what only time changes");
    }

    #[test]
    fn what_is_gone_is_told_until_it_is_back() {
        let changes = Changes::default();
        let both = || vec![body("a", 0, 1), body("b", 0, 1)];
        let first = changes.since("", both(), &[], false);
        let second = changes.since(&first.cursor, vec![body("b", 0, 1)], &[], true);
        assert_eq!((second.events.len(), second.gone.len()), (0, 0), "a may be there all the same");
        let third = changes.since(&first.cursor, vec![body("b", 0, 1)], &[], false);
        assert_eq!(third.gone, ["a".parse().unwrap()]);
        assert_eq!(changes.since(&third.cursor, vec![body("b", 0, 1)], &[], false).gone, []);
        let back = changes.since(&first.cursor, both(), &[], false);
        assert_eq!((names(&back), back.gone.len()), (vec!["a"], 0));
    }

    #[test]
    fn what_cannot_be_read_is_not_gone() {
        let (changes, a): (_, SeatingEventId) = (Changes::default(), "a".parse().unwrap());
        let first = changes.since("", vec![body("a", 0, 1), body("b", 0, 1)], &[], false);
        let second = changes.since(&first.cursor, vec![], std::slice::from_ref(&a), false);
        assert_eq!(second.gone, ["b".parse().unwrap()]);
        assert_eq!(changes.since(&second.cursor, vec![], &[], false).gone, [a]);
    }

    #[test]
    fn a_cursor_that_is_not_known_gives_all() {
        let (changes, other) = (Changes::default(), Changes::default());
        let list = || vec![body("a", 0, 1)];
        let known = changes.since("", list(), &[], false).cursor;
        let process = changes.process.simple();
        for cursor in [
            String::new(),
            "begin".to_owned(),
            other.since("", list(), &[], false).cursor,
            format!("{process}.0-x"),
            format!("{process}.40-1"),
            format!("{process}.0"),
        ] {
            let news = changes.since(&cursor, list(), &[], false);
            assert_eq!((news.all, names(&news)), (true, vec!["a"]), "{cursor}");
        }
        assert!(!changes.since(&known, list(), &[], false).all);
    }

    #[test]
    fn of_what_is_gone_as_much_is_remembered_as_there_is_room_for() {
        let changes = Changes::default();
        let list = |count: usize| (0..count).map(|n| body(&format!("s{n:05}"), 3, 1)).collect::<Vec<_>>();
        let before = changes.since("", list(GONE + 1), &[], false).cursor;
        let one = changes.since(&before, list(GONE), &[], false);
        assert_eq!((one.all, one.gone.len()), (false, 1));
        let none = changes.since(&one.cursor, vec![], &[], false);
        assert_eq!((none.all, none.gone.len()), (false, GONE));
        assert!(changes.since(&before, vec![], &[], false).all, "the first one that went is forgotten");
        assert_eq!(changes.listed.lock().unwrap().gone.len(), GONE);
    }
}
