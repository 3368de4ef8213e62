//! Names a state of a seat map: what is rendered of it, and what an entity tag is made of.

use std::fmt::{Display, Formatter, Result};
use std::sync::Arc;

/// Which state of the seats something shows: equal tags, equal seats; also across replicas and restarts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Fingerprint of which seats there are.
    pub seats_hash: Arc<str>,
    /// What the sequence is of.
    pub epoch: u64,
    /// Sequence of the last domain event in it.
    pub sequence: u64,
}

impl Display for Tag {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}-{}-{}", self.seats_hash, self.epoch, self.sequence)
    }
}
