//! Whose turn it is in a round: everybody's while they are few, else so many that each has one within a minute. Pure.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Groups that are all asked about in each round.
const FEW: usize = 50;
/// Rounds within which each has a turn, where they are more: of ten seconds at most, a minute.
const ROUNDS: usize = 6;

/// Who waits for a turn, whoever waits longest first.
#[derive(Debug)]
pub struct Turns<K> {
    waiting: VecDeque<K>,
}

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Self { waiting: VecDeque::new() }
    }
}

impl<K: Clone + Ord> Turns<K> {
    /// Those whose turn it is among `all`, each with how many groups it has; the `urgent` ones come before their turn.
    pub fn next(&mut self, all: &[(K, usize)], urgent: &[K]) -> Vec<K> {
        let weights: BTreeMap<&K, usize> = all.iter().map(|(key, groups)| (key, (*groups).max(1))).collect();
        self.waiting.retain(|key| weights.contains_key(key));
        let known: BTreeSet<K> = self.waiting.iter().cloned().collect();
        self.waiting.extend(all.iter().map(|(key, _)| key).filter(|key| !known.contains(key)).cloned());
        let share = weights.values().sum::<usize>().div_ceil(ROUNDS).max(FEW);
        let mut chosen: Vec<K> = urgent.iter().filter(|key| weights.contains_key(key)).cloned().collect();
        let before: BTreeSet<K> = chosen.iter().cloned().collect();
        self.waiting.retain(|key| !before.contains(key));
        let mut taken = 0;
        while taken < share
            && let Some(key) = self.waiting.pop_front()
        {
            taken += weights.get(&key).copied().unwrap_or(1);
            chosen.push(key);
        }
        self.waiting.extend(chosen.iter().cloned());
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn services(count: usize, groups: usize) -> Vec<(usize, usize)> {
        (0..count).map(|service| (service, groups)).collect()
    }

    #[test]
    fn few_have_their_turn_in_each_round() {
        let mut turns = Turns::default();
        for _ in 0..3 {
            let mut chosen = turns.next(&services(10, 5), &[]);
            chosen.sort_unstable();
            assert_eq!(chosen, (0..10).collect::<Vec<_>>());
        }
    }

    #[test]
    fn of_many_each_has_one_within_a_minute_and_no_round_has_much_more_than_its_share() {
        let (all, mut turns) = (services(1000, 5), Turns::default());
        let mut seen = BTreeSet::new();
        for _ in 0..ROUNDS {
            let chosen = turns.next(&all, &[]);
            assert!(chosen.len() * 5 <= 5000_usize.div_ceil(ROUNDS) + 5, "{}", chosen.len());
            seen.extend(chosen);
        }
        assert_eq!(seen.len(), 1000);
    }

    #[test]
    fn what_is_urgent_comes_before_its_turn_and_keeps_nobody_waiting() {
        let (all, mut turns) = (services(1000, 5), Turns::default());
        let first = turns.next(&all, &[999]);
        assert_eq!(first[0], 999);
        assert_eq!(first[1..], turns_without_urgency(&all)[..]);
    }

    fn turns_without_urgency(all: &[(usize, usize)]) -> Vec<usize> {
        Turns::default().next(all, &[])
    }

    #[test]
    fn whoever_is_gone_is_forgotten() {
        let mut turns = Turns::default();
        turns.next(&services(3, 1), &[]);
        assert_eq!(turns.next(&services(1, 1), &[2]), [0]);
    }
}
