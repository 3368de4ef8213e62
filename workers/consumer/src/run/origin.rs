//! Where a view begins that has not begun yet. No IO.
//!
//! A view that has begun goes on from its checkpoint (I5), whatever is declared and whatever the group committed since.

use boxoffice_domain::checkpoint::Start;

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
pub struct Place {
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
    /// That there is no place from which nothing is repeated.
    pub fn place(&self, first: u64, committed: Option<u64>) -> Result<Place, &'static str> {
        let earliest = self.start == Start::Earliest;
        match committed.filter(|_| self.asks_the_group()) {
            Some(offset) => {
                let offset = offset.max(first);
                Ok(Place { offset, earliest: earliest && offset == first })
            }
            None if !self.replayable => Err(NO_OFFSET),
            None => Ok(Place { offset: first, earliest }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(start: Start, replayable: bool) -> Origin {
        Origin { start, replayable, is_reset: false }
    }

    fn at(offset: u64, earliest: bool) -> Place {
        Place { offset, earliest }
    }

    #[test]
    fn i5_an_earliest_handler_begins_at_the_logs_first_record_whatever_the_group_committed() {
        let origin = origin(Start::Earliest, true);
        assert_eq!(origin.place(3, Some(70)), Ok(at(3, true)));
        assert_eq!(origin.place(3, None), Ok(at(3, true)));
    }

    #[test]
    fn i5_one_that_is_declared_elsewhere_begins_at_the_groups_offset() {
        let origin = origin(Start::Elsewhere, true);
        assert_eq!(origin.place(3, Some(70)), Ok(at(70, false)));
        assert_eq!(origin.place(80, Some(70)), Ok(at(80, false)), "what the log no longer has is gone");
        assert_eq!(origin.place(3, None), Ok(at(3, false)));
    }

    #[test]
    fn i9_one_that_is_not_replayable_goes_on_at_the_groups_offset_or_not_at_all() {
        let origin = origin(Start::Elsewhere, false);
        assert_eq!(origin.place(3, Some(70)), Ok(at(70, false)));
        assert_eq!(origin.place(3, None), Err(NO_OFFSET));
    }

    #[test]
    fn a_declared_reset_begins_where_the_group_was_set_to() {
        let origin = Origin { is_reset: true, ..origin(Start::Earliest, true) };
        assert_eq!(origin.place(3, Some(3)), Ok(at(3, true)));
        assert_eq!(origin.place(3, Some(70)), Ok(at(70, false)));
    }
}
