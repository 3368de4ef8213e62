//! Decides which start offsets a consumer group still needs, and what its lag is. Pure.
//!
//! Start offsets are committed when the group is created, so that with `latest` nothing between its creation and
//! the first poll is missed. A partition that appears later always begins at its earliest record.

use super::{Offsets, Start};

/// The partitions without a committed offset, and where each begins.
pub fn plan(declared: Start, partitions: i32, committed: &Offsets) -> Vec<(i32, Start)> {
    let start = if committed.is_empty() { declared } else { Start::Earliest };
    (0..partitions)
        .filter(|partition| !committed.contains_key(partition))
        .map(|partition| (partition, start))
        .collect()
}

/// Records between what the group committed and the end of the log; a partition without a commit counts from its
/// oldest record.
pub fn lag(committed: &Offsets, low: &Offsets, high: &Offsets) -> i64 {
    high.iter()
        .map(|(partition, end)| {
            let oldest = low.get(partition).copied().unwrap_or_default();
            let reached = committed.get(partition).copied().unwrap_or(oldest).max(oldest);
            (end - reached).max(0)
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_group_begins_where_it_was_declared() {
        for start in [Start::Earliest, Start::Latest, Start::Timestamp(5)] {
            assert_eq!(plan(start, 2, &Offsets::new()), [(0, start), (1, start)]);
        }
    }

    #[test]
    fn a_partition_that_came_later_begins_at_its_earliest_record() {
        assert_eq!(plan(Start::Latest, 3, &[(0, 7), (1, 0)].into()), [(2, Start::Earliest)]);
    }

    #[test]
    fn a_complete_group_needs_nothing() {
        assert!(plan(Start::Latest, 2, &[(0, 7), (1, 0)].into()).is_empty());
    }

    #[test]
    fn lag_counts_from_the_commit_and_never_below_the_oldest_record() {
        let low = [(0, 10), (1, 0), (2, 0)].into();
        let high = [(0, 30), (1, 5), (2, 4)].into();
        assert_eq!(lag(&[(0, 20), (1, 5)].into(), &low, &high), 10 + 4);
        assert_eq!(lag(&[(0, 3), (1, 9), (2, 4)].into(), &low, &high), 20);
    }
}
