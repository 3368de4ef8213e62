//! A trace as a tree: each domain event below the one that caused it. Pure.

use std::collections::HashMap;

use uuid::Uuid;

use super::Traced;

/// Deepest place in a tree: what is further down hangs at it, beside what caused it, so that every reader of JSON can follow.
pub const DEEPEST: usize = 30;

/// A domain event, and what it caused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The event.
    pub event: Traced,
    /// What it caused, in the order of the trace.
    pub caused: Vec<Link>,
}

/// The tree of `events`; those whose cause is not among them are its roots: a command caused them, or what is not shown.
pub fn tree(events: Vec<Traced>) -> Vec<Link> {
    let places: HashMap<Uuid, usize> =
        events.iter().enumerate().map(|(place, event)| (event.event_id, place)).collect();
    let causes: Vec<Option<usize>> =
        events.iter().map(|event| places.get(&event.causation_id).copied()).collect();
    let mut children = vec![vec![]; events.len()];
    let mut roots = vec![];
    for place in 0..events.len() {
        match cause(&causes, place) {
            Some(cause) => children[cause].push(place),
            None => roots.push(place),
        }
    }
    let mut events: Vec<_> = events.into_iter().map(Some).collect();
    roots.into_iter().filter_map(|root| grow(root, &mut events, &children)).collect()
}

/// Below which event one hangs. In a circle, which no history has, and below one everybody is a root.
fn cause(causes: &[Option<usize>], place: usize) -> Option<usize> {
    let mut above = vec![];
    let mut at = place;
    while let Some(cause) = causes[at] {
        if cause == place || above.len() == causes.len() {
            return None;
        }
        above.push(cause);
        at = cause;
    }
    above.reverse();
    above.get(above.len().min(DEEPEST).checked_sub(1)?).copied()
}

fn grow(place: usize, events: &mut [Option<Traced>], children: &[Vec<usize>]) -> Option<Link> {
    let event = events[place].take()?;
    let caused = children[place].iter().filter_map(|child| grow(*child, events, children)).collect();
    Some(Link { event, caused })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: u128, cause: u128) -> Traced {
        Traced {
            event_id: Uuid::from_u128(id),
            causation_id: Uuid::from_u128(cause),
            event_type: "seat.held".into(),
            aggregate_id: "arena.A-1-1".into(),
            seating_event: "arena".parse().unwrap(),
            sequence: Some(1),
            timestamp: 1_000,
            user: None,
        }
    }

    /// `1(2(4) 3)`
    fn drawn(links: &[Link]) -> String {
        let one = |link: &Link| {
            let below = drawn(&link.caused);
            let id = link.event.event_id.as_u128();
            if below.is_empty() { id.to_string() } else { format!("{id}({below})") }
        };
        links.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn events_hang_below_their_causes_and_what_commands_caused_is_a_root() {
        let events = vec![event(1, 99), event(2, 1), event(5, 98), event(3, 1), event(4, 2)];
        assert_eq!(drawn(&tree(events)), "1(2(4) 3) 5");
        assert_eq!(tree(vec![]), vec![]);
    }

    #[test]
    fn a_cause_may_have_a_later_time_by_another_clock() {
        assert_eq!(drawn(&tree(vec![event(2, 1), event(1, 99)])), "1(2)");
    }

    #[test]
    fn a_circle_ends() {
        assert_eq!(drawn(&tree(vec![event(1, 2), event(2, 1), event(3, 3), event(4, 2)])), "1 2 3 4");
    }

    #[test]
    fn a_long_chain_is_no_deeper_than_the_deepest_place() {
        let long: Vec<_> = (1..=100).map(|id| event(id, id - 1)).collect();
        let mut depth = 0;
        let mut at = tree(long);
        while let [link] = &at[..] {
            depth += 1;
            at = link.caused.clone();
        }
        assert_eq!((depth, at.len()), (DEEPEST, 100 - DEEPEST));
        assert!(at.iter().all(|link| link.caused.is_empty()));
    }
}
