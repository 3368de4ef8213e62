//! What became of a definition that this process gave to a service. Pure.
//!
//! That a service has a definition says its list. This is for what the list cannot say: a definition that was refused, and
//! a worker of an earlier version, whose list has no digests.

use std::time::Duration;

use tokio::time::Instant;

use crate::admin::{Conflict, Inventory};
use crate::conditions::Stall;

/// How long a refusal stands without another try, where nothing changes.
const AGAIN: Duration = Duration::from_mins(1);

/// See the module.
#[derive(Clone, Debug)]
pub struct Given {
    /// The digest of the definition.
    pub wanted: String,
    /// What the service then said that it has.
    pub told: Option<String>,
    /// When.
    pub at: Instant,
    /// And what became of it.
    pub became: Became,
}

/// What became of a definition.
#[derive(Clone, Debug, PartialEq)]
pub enum Became {
    /// The service took it.
    Taken,
    /// All of it but its seat map, because of these seats.
    Partly(Vec<Conflict>),
    /// The service refused it.
    Refused(Stall),
}

impl Given {
    /// What became of it, where `wanted` is the same and nothing since speaks against it.
    pub fn stands(&self, wanted: &str, told: Option<&Inventory>, now: Instant) -> Option<&Became> {
        let is_as_told = || told.is_some_and(|told| !told.closed && told.definition_hash == self.told);
        let is_young = || now.saturating_duration_since(self.at) < AGAIN;
        let stands = self.wanted == wanted
            && match &self.became {
                Became::Taken => is_as_told(),
                Became::Partly(_) => is_as_told() && is_young(),
                Became::Refused(_) => is_young(),
            };
        stands.then_some(&self.became)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seating_event::fixtures::inventory;

    #[test]
    fn it_stands_while_nothing_speaks_against_it() {
        let (told, start) = (inventory(), Instant::now());
        let refused = Became::Refused(Stall::new("DefinitionConflict", "no"));
        let all = [Became::Taken, Became::Partly(vec![]), refused].map(|became| Given {
            wanted: "new".into(),
            told: told.definition_hash.clone(),
            at: start,
            became,
        });
        let standing = |wanted, told: Option<&Inventory>, now| {
            all.each_ref().map(|given| given.stands(wanted, told, now).is_some())
        };
        assert_eq!(standing("new", Some(&told), start), [true, true, true]);
        assert_eq!(standing("other", Some(&told), start), [false, false, false]);
        assert_eq!(standing("new", Some(&told), start + AGAIN), [true, false, false]);
        let other = Inventory { definition_hash: Some("other".into()), ..told.clone() };
        assert_eq!(standing("new", Some(&other), start), [false, false, true]);
        let closed = Inventory { closed: true, ..told };
        assert_eq!(standing("new", Some(&closed), start), [false, false, true]);
        assert_eq!(standing("new", None, start), [false, false, true], "the store lost it");
    }
}
