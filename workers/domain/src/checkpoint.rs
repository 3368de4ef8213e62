//! What a consumer does with a record, given where its view began and how far it got (I5).

/// What to do with a domain event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Write it to the view and advance the checkpoint.
    Apply,
    /// Seen before: skip it.
    Duplicate,
    /// A sequence below the first one that the view met of its SeatingEvent: it happened before the view's start, and
    /// the log only repeats it. Skip it.
    BeforeStart,
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

/// The sequences that a view has met of a SeatingEvent: all from the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The one that it began with.
    pub first: u64,
    /// The last one applied, parked or skipped.
    pub last: u64,
}

impl Span {
    /// Of a view that met `sequence` first.
    pub fn beginning_with(sequence: u64) -> Self {
        Self { first: sequence, last: sequence }
    }
}

/// An event as far as it is decided on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Its sequence.
    pub sequence: u64,
    /// Whether its `eventId` was seen before.
    pub known: bool,
    /// Whether it creates its SeatingEvent. All that was before then is void, so that a log may begin with it whatever its
    /// sequence is: one that was purged, and its log deleted, goes on with the next sequence on the next log.
    pub creates: bool,
}

/// Decides on an event, given what the view has `met` of its SeatingEvent.
pub fn classify(met: Option<Span>, start: Start, event: Seen) -> Verdict {
    let Seen { sequence, known, creates } = event;
    match met {
        None if start == Start::Elsewhere || sequence == 1 || creates => Verdict::Apply,
        None => Verdict::Gap { expected: 1 },
        Some(Span { last, .. }) if sequence == last + 1 => Verdict::Apply,
        Some(Span { last, .. }) if sequence > last => Verdict::Gap { expected: last + 1 },
        Some(_) if known => Verdict::Duplicate,
        Some(Span { first, .. }) if sequence < first => Verdict::BeforeStart,
        Some(_) => Verdict::Fork,
    }
}

/// Whether events of this type have a sequence (I3). Those that a consumer announces, of payments and of statistics,
/// leave its own outbox on a topic of their own: they are told apart by `eventId` alone.
pub fn is_sequenced(event_type: &str) -> bool {
    !(event_type.starts_with("payment.") || event_type.starts_with("stats."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(first: u64, last: u64) -> Span {
        Span { first, last }
    }

    fn seen(sequence: u64, known: bool) -> Seen {
        Seen { sequence, known, creates: false }
    }

    #[test]
    fn i5_the_next_sequence_is_applied_and_nothing_else() {
        let cases = [
            (None, Start::Earliest, 1, false, Verdict::Apply),
            (None, Start::Earliest, 2, false, Verdict::Gap { expected: 1 }),
            (None, Start::Elsewhere, 7, false, Verdict::Apply),
            (Some(met(1, 4)), Start::Earliest, 5, false, Verdict::Apply),
            (Some(met(1, 4)), Start::Earliest, 6, false, Verdict::Gap { expected: 5 }),
            (Some(met(1, 4)), Start::Earliest, 4, true, Verdict::Duplicate),
            (Some(met(1, 4)), Start::Earliest, 4, false, Verdict::Fork),
            (Some(met(2, 4)), Start::Elsewhere, 2, true, Verdict::Duplicate),
            (Some(met(2, 4)), Start::Elsewhere, 2, false, Verdict::Fork),
        ];
        for (met, start, sequence, known, verdict) in cases {
            assert_eq!(classify(met, start, seen(sequence, known)), verdict, "{met:?} {sequence} {known}");
        }
    }

    #[test]
    fn i5_what_lies_before_the_start_is_no_fork() {
        for sequence in 45..51 {
            let verdict = classify(Some(met(51, 53)), Start::Elsewhere, seen(sequence, false));
            assert_eq!(verdict, Verdict::BeforeStart, "{sequence}");
        }
        assert_eq!(classify(Some(met(51, 53)), Start::Elsewhere, seen(51, false)), Verdict::Fork);
        assert_eq!(classify(Some(met(51, 53)), Start::Elsewhere, seen(54, false)), Verdict::Apply);
    }

    #[test]
    fn i5_a_log_may_begin_with_the_creation_of_one_that_was_purged_on_another_and_hides_no_gap_by_that() {
        let created = Seen { creates: true, ..seen(8, false) };
        assert_eq!(classify(None, Start::Earliest, created), Verdict::Apply);
        assert_eq!(classify(Some(met(1, 7)), Start::Earliest, created), Verdict::Apply);
        assert_eq!(classify(Some(met(1, 5)), Start::Earliest, created), Verdict::Gap { expected: 6 });
        assert_eq!(classify(Some(met(1, 9)), Start::Earliest, created), Verdict::Fork);
    }

    #[test]
    fn what_consumers_announce_has_no_sequence() {
        use crate::DomainEvent;
        let without: Vec<_> = DomainEvent::TYPES.iter().filter(|name| !is_sequenced(name)).collect();
        assert!(without.contains(&&"stats.updated") && without.contains(&&"payment.requested"));
        assert_eq!(without.len(), 5);
    }
}
