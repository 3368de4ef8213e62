//! Marks for what is only known where a decision is written: its time, and the sequences of its events. The worker decides
//! by what it read a moment ago; `scripts/apply.lua` puts in their place what is true when it writes.
//!
//! A mark is a character that stands in no id and in no JSON text, so nobody else's words are taken for one.

use boxoffice_domain::UnixMillis;

/// What was read, from which marks count.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    /// The SeatingEvent's time.
    pub at: UnixMillis,
    /// Its sequence.
    pub sequence: u64,
}

impl Stamp {
    /// A moment that lies as far behind the decision as it lay behind what was read.
    pub fn time(self, moment: UnixMillis) -> String {
        format!("\u{1}T{}\u{1}", moment.saturating_sub(self.at))
    }

    /// The sequence of an event: one that is new lies as far behind the last one as it lay behind what was read.
    pub fn sequence(self, sequence: u64) -> String {
        match sequence.checked_sub(self.sequence) {
            Some(more @ 1..) => format!("\u{1}S{more}\u{1}"),
            Some(0) | None => sequence.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_new_sequences_are_marked() {
        let stamp = Stamp { at: 1000, sequence: 7 };
        assert_eq!(stamp.time(1300), "\u{1}T300\u{1}");
        assert_eq!([6, 7, 8].map(|it| stamp.sequence(it)), ["6", "7", "\u{1}S1\u{1}"]);
    }
}
