//! What the API server did not take, and when it is asked again: at once when something else is wanted, else after a pause.
//! Pure but for its memory.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long an object that was refused is left alone, unless it is wanted otherwise.
pub const PAUSE: Duration = Duration::from_mins(1);
/// Most that are remembered; beyond that nothing is left alone, and all is tried each time.
const MOST: usize = 10_000;

/// The refusals of this process, by object (`Deployment tickets/main-command`).
#[derive(Debug, Default)]
pub struct Refusals {
    known: Mutex<HashMap<String, Refusal>>,
}

#[derive(Debug)]
struct Refusal {
    /// What was wanted, in a word that changes with it.
    wanted: String,
    why: String,
    until: Instant,
}

impl Refusals {
    /// Why `object` as it is `wanted` is not worth a try now; nothing where it is.
    pub fn standing(&self, object: &str, wanted: &str, now: Instant) -> Option<String> {
        let known = self.known();
        let refusal = known.get(object)?;
        (refusal.wanted == wanted && now < refusal.until).then(|| refusal.why.clone())
    }

    /// Notes why `object` as it is `wanted` was refused: it is left alone for a while.
    pub fn note(&self, object: &str, wanted: &str, why: &str, now: Instant) {
        let mut known = self.known();
        known.retain(|_, refusal| now < refusal.until);
        if known.len() < MOST {
            let refusal = Refusal { wanted: wanted.to_owned(), why: why.to_owned(), until: now + PAUSE };
            known.insert(object.to_owned(), refusal);
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Refusal>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(refusals: &Refusals, object: &str, now: Instant) {
        refusals.note(object, "a", "exceeded quota", now);
    }

    #[test]
    fn what_was_refused_is_left_alone_until_it_is_wanted_otherwise_or_the_pause_is_over() {
        let (refusals, start) = (Refusals::default(), Instant::now());
        note(&refusals, "Service t/a", start);
        assert_eq!(refusals.standing("Service t/a", "a", start).as_deref(), Some("exceeded quota"));
        assert_eq!(refusals.standing("Service t/a", "b", start), None);
        assert_eq!(refusals.standing("Service t/b", "a", start), None);
        assert_eq!(refusals.standing("Service t/a", "a", start + PAUSE), None);
    }

    #[test]
    fn memory_is_bounded() {
        let (refusals, start) = (Refusals::default(), Instant::now());
        (0..=MOST).for_each(|number| note(&refusals, &number.to_string(), start));
        assert_eq!(refusals.known().len(), MOST);
        note(&refusals, "later", start + PAUSE);
        assert_eq!(refusals.known().len(), 1, "what is over is forgotten");
    }
}
