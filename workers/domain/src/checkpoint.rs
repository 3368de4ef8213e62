//! What a consumer does with a record, given how far its view got (I5).

/// What to do with a domain event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Write it to the view and advance the checkpoint.
    Apply,
    /// Seen before: skip it.
    Duplicate,
    /// A sequence that was seen, with another event: two histories exist. Stop and alarm.
    Fork,
    /// Events are missing before this one. Stop and alarm.
    Gap {
        /// The sequence that should have come.
        expected: u64,
    },
}

/// Where a view begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the first event of every SeatingEvent: anything else is a gap.
    Earliest,
    /// In the middle of the log: the first event met of a SeatingEvent is the baseline.
    Elsewhere,
}

/// Decides on an event with `sequence`, given the last sequence `applied` of its SeatingEvent and whether its
/// `eventId` is `known`.
pub fn classify(applied: Option<u64>, start: Start, sequence: u64, known: bool) -> Verdict {
    match applied {
        None if start == Start::Elsewhere || sequence == 1 => Verdict::Apply,
        None => Verdict::Gap { expected: 1 },
        Some(applied) if sequence == applied + 1 => Verdict::Apply,
        Some(applied) if sequence > applied => Verdict::Gap { expected: applied + 1 },
        Some(_) if known => Verdict::Duplicate,
        Some(_) => Verdict::Fork,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i5_the_next_sequence_is_applied_and_nothing_else() {
        let cases = [
            (None, Start::Earliest, 1, false, Verdict::Apply),
            (None, Start::Earliest, 2, false, Verdict::Gap { expected: 1 }),
            (None, Start::Elsewhere, 7, false, Verdict::Apply),
            (Some(4), Start::Earliest, 5, false, Verdict::Apply),
            (Some(4), Start::Earliest, 6, false, Verdict::Gap { expected: 5 }),
            (Some(4), Start::Earliest, 4, true, Verdict::Duplicate),
            (Some(4), Start::Earliest, 4, false, Verdict::Fork),
            (Some(4), Start::Elsewhere, 2, true, Verdict::Duplicate),
        ];
        for (applied, start, sequence, known, verdict) in cases {
            assert_eq!(classify(applied, start, sequence, known), verdict, "{applied:?} {sequence} {known}");
        }
    }
}
