//! What was written into a status last, and what came of it.
//!
//! An API server whose definitions are older than this operator does not keep every field, and the object then never looks
//! as it should. What was written once and came back as it is now is not written again (I12).

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// How many objects are remembered. Beyond that all are forgotten: each costs one more write then.
const MOST: usize = 20_000;

/// By object: hashes of what was wanted, and of what the API server made of it.
#[derive(Debug, Default)]
pub struct LastWritten(Mutex<HashMap<String, (u64, u64)>>);

impl LastWritten {
    /// Whether exactly this was written, and the object still is what came of it.
    pub fn is_settled(&self, object: &str, wanted: &impl Serialize, live: &impl Serialize) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(object).is_some_and(|known| Some(*known) == hash(wanted).zip(hash(live)))
    }

    /// Notes a write and its answer.
    pub fn note(&self, object: &str, wanted: &impl Serialize, came: &impl Serialize) {
        let Some(hashes) = hash(wanted).zip(hash(came)) else { return };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(object.to_owned(), hashes);
    }
}

fn hash(value: &impl Serialize) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    serde_json::to_string(value).ok()?.hash(&mut hasher);
    Some(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_drops_is_written_once() {
        let written = LastWritten::default();
        assert!(!written.is_settled("a", &[1, 2], &[1]));
        written.note("a", &[1, 2], &[1]);
        assert!(written.is_settled("a", &[1, 2], &[1]));
        assert!(!written.is_settled("a", &[1, 3], &[1]), "something else is wanted");
        assert!(!written.is_settled("a", &[1, 2], &[4]), "somebody changed it");
        assert!(!written.is_settled("b", &[1, 2], &[1]));
    }

    #[test]
    fn it_remembers_no_more_than_so_many() {
        let written = LastWritten::default();
        for number in 0..=MOST {
            written.note(&number.to_string(), &number, &number);
        }
        assert!(written.0.lock().unwrap().len() <= MOST);
        assert!(written.is_settled(&MOST.to_string(), &MOST, &MOST));
    }
}
