//! What the process remembers of services' objects from one reconcile to the next: drift that came back at once, and when
//! it last looked which settings are still in use. Forgotten with the process: then it tries and looks once more.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long drift that persists is left alone.
const LEFT_ALONE: Duration = Duration::from_hours(1);
/// How long after a change old settings are looked at in each reconcile: `ReplicaSets` go after the pods did.
const BUSY: Duration = Duration::from_mins(1);
/// And how often afterwards.
const IDLE: Duration = Duration::from_mins(10);

/// Of every service by its key.
#[derive(Debug, Default)]
pub struct Memory {
    services: Mutex<HashMap<String, Remembered>>,
}

/// Of one service: no more than it has objects.
#[derive(Debug, Default)]
struct Remembered {
    /// Drift that was still there in the API server's own answer, by kind and name.
    persisting: BTreeMap<(String, String), Tried>,
    old_settings: Option<Looked>,
}

#[derive(Debug)]
struct Tried {
    generation: Option<i64>,
    paths: Vec<String>,
    at: Instant,
}

#[derive(Debug)]
struct Looked {
    /// At what.
    state: String,
    /// When it was first seen so.
    since: Instant,
    last: Instant,
}

impl Memory {
    /// Whether this very drift was tried in vain in this generation of the service, less than an hour ago.
    pub fn persists(
        &self,
        service: &str,
        object: &(String, String),
        generation: Option<i64>,
        paths: &[String],
        now: Instant,
    ) -> bool {
        self.of(service, |remembered| {
            remembered.persisting.get(object).is_some_and(|tried| {
                tried.generation == generation
                    && tried.paths == paths
                    && now.duration_since(tried.at) < LEFT_ALONE
            })
        })
    }

    /// Remembers what an object has after it was tried: nothing that differs is forgotten.
    pub fn tried(
        &self,
        service: &str,
        object: &(String, String),
        generation: Option<i64>,
        paths: &[String],
        now: Instant,
    ) {
        self.of(service, |remembered| {
            if paths.is_empty() {
                remembered.persisting.remove(object);
            } else {
                let tried = Tried { generation, paths: paths.to_vec(), at: now };
                remembered.persisting.insert(object.clone(), tried);
            }
        });
    }

    /// Whether it is time to look which of the old settings are still in use, the service's Deployments being as `state`
    /// says: in each reconcile after that changed, and rarely when all is quiet.
    pub fn is_time_to_look(&self, service: &str, state: &str, now: Instant) -> bool {
        self.of(service, |remembered| {
            let known = remembered.old_settings.as_mut().filter(|looked| looked.state == state);
            let Some(looked) = known else {
                remembered.old_settings = Some(Looked { state: state.to_owned(), since: now, last: now });
                return true;
            };
            let is_time = now.duration_since(looked.since) < BUSY || now.duration_since(looked.last) >= IDLE;
            if is_time {
                looked.last = now;
            }
            is_time
        })
    }

    /// Forgets a service that is gone.
    pub fn forget(&self, service: &str) {
        self.services.lock().unwrap_or_else(PoisonError::into_inner).remove(service);
    }

    fn of<T>(&self, service: &str, work: impl FnOnce(&mut Remembered) -> T) -> T {
        let mut services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        work(services.entry(service.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> (String, String) {
        ("Deployment".to_owned(), "main-command".to_owned())
    }

    fn paths() -> Vec<String> {
        vec!["/spec/template/spec/containers/1".to_owned()]
    }

    #[test]
    fn drift_that_persists_is_tried_again_after_an_hour_or_in_the_next_generation() {
        let (memory, begin) = (Memory::default(), Instant::now());
        let persists = |generation, paths: &[String], after: u64| {
            memory.persists("a/b", &id(), Some(generation), paths, begin + Duration::from_secs(after))
        };
        assert!(!persists(1, &paths(), 0), "nothing was tried yet");
        memory.tried("a/b", &id(), Some(1), &paths(), begin);
        assert!(persists(1, &paths(), 3599));
        assert!(!persists(1, &paths(), 3600));
        assert!(!persists(2, &paths(), 10));
        assert!(!persists(1, &["/spec/replicas".to_owned()], 10), "other drift is tried at once");
        memory.tried("a/b", &id(), Some(1), &[], begin);
        assert!(!persists(1, &paths(), 10));
    }

    #[test]
    fn old_settings_are_looked_at_after_a_change_and_rarely_at_rest() {
        let (memory, begin) = (Memory::default(), Instant::now());
        let looks = |state: &str, after: u64| {
            memory.is_time_to_look("a/b", state, begin + Duration::from_secs(after))
        };
        assert_eq!(
            [0, 10, 50, 60, 70, 649].map(|after| looks("1", after)),
            [true, true, true, false, false, false]
        );
        assert_eq!([650, 660].map(|after| looks("1", after)), [true, false]);
        assert!(looks("2", 661));
    }

    #[test]
    fn a_service_that_is_gone_is_forgotten() {
        let (memory, now) = (Memory::default(), Instant::now());
        memory.tried("a/b", &id(), None, &paths(), now);
        memory.forget("a/b");
        assert!(!memory.persists("a/b", &id(), None, &paths(), now));
        memory.forget("a/b");
        assert!(memory.services.lock().unwrap().is_empty());
    }
}
