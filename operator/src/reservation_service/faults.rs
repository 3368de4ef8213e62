//! All that a person has to change in a ReservationService, gathered while the whole of it is looked at: whoever mends it
//! mends it once. Pure.

use std::fmt::Write;

use crate::conditions::Stall;

/// A condition names so many of them: its message has an end, and labels have none.
const TOLD: usize = 10;

/// What was found so far, in the order of the fields.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Stall>);

impl Faults {
    /// Notes what is wrong; whatever else there is to look at is looked at all the same.
    pub(super) fn note<T>(&mut self, result: Result<T, Stall>) -> Option<T> {
        result.map_err(|fault| self.add(fault)).ok()
    }

    /// Notes one.
    pub(super) fn add(&mut self, fault: Stall) {
        self.0.push(fault);
    }

    /// Notes several.
    pub(super) fn extend(&mut self, faults: impl IntoIterator<Item = Stall>) {
        self.0.extend(faults);
    }

    /// Whether nothing is wrong.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them.
    pub(super) fn into_each(self) -> Vec<Stall> {
        self.0
    }
}

/// All of them as one, under the reason of the first.
pub(super) fn joined(faults: &[Stall]) -> Stall {
    let told: Vec<_> = faults.iter().take(TOLD).map(|fault| fault.message.as_str()).collect();
    let mut message = told.join("; ");
    if let Some(more) = faults.len().checked_sub(TOLD).filter(|more| *more > 0) {
        _ = write!(message, "; and {more} more");
    }
    Stall::new(faults.first().map_or("InvalidSpec", |fault| fault.reason), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_has_the_first_reason_and_ten_of_the_messages() {
        let fault = |reason, index: usize| Stall::new(reason, format!("field {index}"));
        let more = (1..12).map(|index| fault("InvalidSpec", index));
        let faults: Vec<_> = [fault("NameTaken", 0)].into_iter().chain(more).collect();
        assert_eq!(joined(&faults[..1]), faults[0]);
        assert_eq!(joined(&faults[..2]), Stall::new("NameTaken", "field 0; field 1"));
        assert!(joined(&faults).message.ends_with("; field 9; and 2 more"), "{}", joined(&faults));
        assert!(joined(&faults[..10]).message.ends_with("; field 9"));
    }
}
