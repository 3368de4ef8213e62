//! Decides which start offsets a consumer group still needs, and what its lag is. Pure.
//!
//! Start offsets are committed when the group is created, so that with `latest` nothing between its creation and
//! the first poll is missed. A partition that appears later always begins at its earliest record.
//!
//! A commit says of which topic it is, by that one's id. One that is said to be of another topic of the name is as good
//! as none: a consumer made it that had yet to notice that its topic was replaced. One that says nothing, because a
//! person made it by Kafka's own tools, a consumer that is not ours, or an older version, is said again with the id,
//! and so becomes the operator's word.

use boxoffice_runtime::log::kafka::said;

use super::{Commit, Commits, Offsets, Start};

/// What of a group's commits is of the topic with this id, or not said to be of another one.
pub fn reached(commits: &Commits, id: Option<&str>) -> Offsets {
    let is_of_it = |commit: &Commit| match (said::topic(&commit.metadata), id) {
        (Some(said), Some(id)) => said == id,
        (Some(_) | None, Some(_) | None) => true,
    };
    commits
        .iter()
        .filter(|(_, commit)| is_of_it(commit))
        .map(|(partition, commit)| (*partition, commit.offset))
        .collect()
}

/// Those of the first `partitions` of which nothing is said.
pub fn unsaid(commits: &Commits, partitions: i32) -> Offsets {
    let unsaid =
        commits.iter().filter(|(partition, commit)| **partition < partitions && commit.metadata.is_empty());
    unsaid.map(|(partition, commit)| (*partition, commit.offset)).collect()
}

/// `offsets` of the topic with this id, as they are committed.
pub fn commits(offsets: &Offsets, id: Option<&str>) -> Commits {
    let metadata = id.map(said::of).unwrap_or_default();
    let commit = |(partition, offset): (&i32, &i64)| {
        (*partition, Commit { offset: *offset, metadata: metadata.clone() })
    };
    offsets.iter().map(commit).collect()
}

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
    fn what_was_committed_of_another_topic_of_the_name_is_as_good_as_nothing() {
        let mut of = commits(&[(0, 7), (1, 9)].into(), Some("first"));
        of.extend(commits(&[(2, 4), (9, 1)].into(), None));
        of.insert(3, Commit { offset: 5, metadata: "somebody else's".into() });
        assert_eq!(reached(&of, Some("first")), [(0, 7), (1, 9), (2, 4), (3, 5), (9, 1)].into());
        assert_eq!(reached(&of, Some("second")), [(2, 4), (3, 5), (9, 1)].into());
        assert_eq!(
            reached(&of, None).len(),
            5,
            "brokers that give topics no ids, or a topic that was just made"
        );
        assert_eq!(unsaid(&of, 4), [(2, 4)].into(), "of partitions that there are");
    }

    #[test]
    fn lag_counts_from_the_commit_and_never_below_the_oldest_record() {
        let low = [(0, 10), (1, 0), (2, 0)].into();
        let high = [(0, 30), (1, 5), (2, 4)].into();
        assert_eq!(lag(&[(0, 20), (1, 5)].into(), &low, &high), 10 + 4);
        assert_eq!(lag(&[(0, 3), (1, 9), (2, 4)].into(), &low, &high), 20);
    }
}
