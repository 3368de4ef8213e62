//! Where a view begins that has not begun yet. No IO.
//!
//! A view that has begun goes on from its checkpoint (I5), whatever is declared and whatever the group committed since.

use boxoffice_domain::checkpoint::Start;
use boxoffice_runtime::log::Committed;

/// What is declared of a handler's beginning.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    /// Where its group is declared to begin.
    pub start: Start,
    /// Whether it may see events again that it has seen (I9): where it may not, it never begins by itself.
    pub replayable: bool,
    /// Whether it begins anew by a declared reset: then the group's committed offset says where.
    pub is_reset: bool,
}

/// Where to begin in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartPosition {
    /// The first offset that is to be in the view.
    pub offset: u64,
    /// Whether the first event of every SeatingEvent is due there.
    pub earliest: bool,
}

/// Why a handler that is not replayable does not begin.
pub const NO_OFFSET: &str = "the database is empty, the group has no committed offset, and this handler must not see \
     events again: commit the offset from which it is to go on, or restore the database";

impl Origin {
    /// Whether the group's committed offset matters.
    pub fn asks_the_group(&self) -> bool {
        self.start == Start::Elsewhere || self.is_reset
    }

    /// Where to begin, given the `first` offset that the log has and what the group `committed`.
    ///
    /// # Errors
    /// That there is no position from which nothing is repeated.
    pub fn start_position(&self, first: u64, committed: Option<u64>) -> Result<StartPosition, &'static str> {
        let earliest = self.start == Start::Earliest;
        match committed.filter(|_| self.asks_the_group()) {
            Some(offset) => {
                let offset = offset.max(first);
                Ok(StartPosition { offset, earliest: earliest && offset == first })
            }
            None if !self.replayable => Err(NO_OFFSET),
            None => Ok(StartPosition { offset: first, earliest }),
        }
    }
}

/// The group's offset in a partition of the topic with the id `log`, where what it `committed` counts there. What was
/// said of another topic of that name never does. What nobody said of any does, unless the view is of `another` topic:
/// then it may be that a member committed it which had yet to notice, and it waits for the operator to say it.
pub fn counts(committed: Option<Committed>, log: Option<&str>, another: bool) -> Option<u64> {
    let Committed { offset, log: said } = committed?;
    let counts = match (said.as_deref(), log) {
        (Some(said), Some(log)) => said == log,
        (None, Some(_)) => !another,
        (Some(_) | None, None) => true,
    };
    counts.then_some(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(start: Start, replayable: bool) -> Origin {
        Origin { start, replayable, is_reset: false }
    }

    fn at(offset: u64, earliest: bool) -> StartPosition {
        StartPosition { offset, earliest }
    }

    #[test]
    fn i5_an_earliest_handler_begins_at_the_logs_first_record_whatever_the_group_committed() {
        let origin = origin(Start::Earliest, true);
        assert_eq!(origin.start_position(3, Some(70)), Ok(at(3, true)));
        assert_eq!(origin.start_position(3, None), Ok(at(3, true)));
    }

    #[test]
    fn i5_one_that_is_declared_elsewhere_begins_at_the_groups_offset() {
        let origin = origin(Start::Elsewhere, true);
        assert_eq!(origin.start_position(3, Some(70)), Ok(at(70, false)));
        assert_eq!(
            origin.start_position(80, Some(70)),
            Ok(at(80, false)),
            "what the log no longer has is gone"
        );
        assert_eq!(origin.start_position(3, None), Ok(at(3, false)));
    }

    #[test]
    fn i9_one_that_is_not_replayable_goes_on_at_the_groups_offset_or_not_at_all() {
        let origin = origin(Start::Elsewhere, false);
        assert_eq!(origin.start_position(3, Some(70)), Ok(at(70, false)));
        assert_eq!(origin.start_position(3, None), Err(NO_OFFSET));
    }

    #[test]
    fn i5_an_offset_counts_on_the_topic_that_it_was_said_of() {
        let at = |log: Option<&str>| Some(Committed { offset: 7, log: log.map(str::to_owned) });
        let (first, second) = (Some("first"), Some("second"));
        for another in [false, true] {
            assert_eq!(counts(at(second), second, another), Some(7));
            assert_eq!(counts(at(first), second, another), None, "of the one that is gone");
            assert_eq!(counts(None, second, another), None);
        }
        assert_eq!(counts(at(None), second, false), Some(7), "by Kafka's own tools, or by an older version");
        assert_eq!(counts(at(None), second, true), None, "by whom is not known");
        assert_eq!(counts(at(None), None, false), Some(7), "brokers that give topics no ids");
    }

    #[test]
    fn a_declared_reset_begins_where_the_group_was_set_to() {
        let origin = Origin { is_reset: true, ..origin(Start::Earliest, true) };
        assert_eq!(origin.start_position(3, Some(3)), Ok(at(3, true)));
        assert_eq!(origin.start_position(3, Some(70)), Ok(at(70, false)));
    }
}
