//! What this process remembers of deletions: since when it has seen each, and of services what may vanish before them,
//! as all things of a namespace that is deleted do. Nothing here is needed to begin: a process that just started waits
//! the whole time again, so that a deletion that nobody looked after is not cut short.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::admin::{AdminError, Target};
use crate::kafka::connection::Connection;

/// Names a service: namespace and name.
pub type ServiceKey = (String, String);

/// How long an answer says that there will be another one.
const ANSWERS: Duration = Duration::from_secs(10);
/// How long a question may take; whoever asked it has given it up then.
const ASKS: Duration = Duration::from_secs(12);
/// Questions further apart than this are not of one silence.
const TOGETHER: Duration = Duration::from_secs(20);
/// Most services and most deletions that are remembered. Above that it is as if this process had just started.
const MOST: usize = 20_000;

/// See the module.
#[derive(Default)]
pub struct Departures {
    since: Mutex<HashMap<String, Instant>>,
    services: Mutex<HashMap<ServiceKey, Known>>,
}

/// What is known of a service.
#[derive(Default)]
struct Known {
    token: Option<String>,
    kafka: Option<Connection>,
    hearing: Hearing,
    /// The uid of the one whose shows were purged for its deletion.
    purged: Option<String>,
}

/// How a service answers those who take leave.
#[derive(Debug, Default)]
struct Hearing {
    /// Since when somebody waits for its answer.
    asked: Option<Instant>,
    /// When it answered last, unless it was silent since.
    answered: Option<Instant>,
    /// Unless it answered since.
    silent: Option<Unanswered>,
}

/// Questions without an answer.
#[derive(Debug, Clone)]
struct Unanswered {
    first: Instant,
    last: Instant,
    error: AdminError,
}

/// A service that does not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// For how long.
    pub lasted: Duration,
    /// What the last question came to.
    pub error: AdminError,
}

impl Departures {
    /// How long the deletion of an object has been seen; it begins with the first call.
    pub fn waited(&self, key: &str) -> Duration {
        self.waited_at(key, Instant::now())
    }

    fn waited_at(&self, key: &str, now: Instant) -> Duration {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        if since.len() >= MOST && !since.contains_key(key) {
            since.clear();
        }
        now - *since.entry(key.to_owned()).or_insert(now)
    }

    /// The object is gone.
    pub fn is_gone(&self, key: &str) {
        self.since.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// The service is gone.
    pub fn forget(&self, service: &ServiceKey) {
        self.services().remove(service);
    }

    /// Remembers how the admin API of a service is reached.
    pub fn note_target(&self, target: &Target) {
        let service = (target.namespace.clone(), target.service.clone());
        self.with(&service, |known| {
            if known.token.as_ref() != Some(&target.token) {
                known.token = Some(target.token.clone());
            }
        });
    }

    /// How it was reached last, where it was.
    pub fn target(&self, service: &ServiceKey) -> Option<Target> {
        let token = self.services().get(service)?.token.clone()?;
        Some(Target { namespace: service.0.clone(), service: service.1.clone(), token })
    }

    /// Remembers how the Kafka of a service is reached.
    pub fn note_kafka(&self, service: &ServiceKey, connection: &Connection) {
        self.with(service, |known| {
            if known.kafka.as_ref() != Some(connection) {
                known.kafka = Some(connection.clone());
            }
        });
    }

    /// How it was reached last, where it was.
    pub fn kafka(&self, service: &ServiceKey) -> Option<Connection> {
        self.services().get(service)?.kafka.clone()
    }

    /// Whether the shows of the service with this uid were purged for its deletion.
    pub fn is_purged(&self, service: &ServiceKey, uid: &str) -> bool {
        self.services().get(service).is_some_and(|known| known.purged.as_deref() == Some(uid))
    }

    /// They were.
    pub fn note_purged(&self, service: &ServiceKey, uid: &str) {
        self.with(service, |known| known.purged = Some(uid.to_owned()));
    }

    /// Whether to ask a service now. One that is not known to answer is asked by one at a time: thousands of shows that
    /// each waited for it would keep those of others waiting.
    pub fn may_ask(&self, service: &ServiceKey) -> bool {
        self.with(service, |known| known.hearing.may_ask(Instant::now()))
    }

    /// What came of asking it.
    pub fn note_answer<T>(&self, service: &ServiceKey, answer: &Result<T, AdminError>) {
        let error = answer.as_ref().err().filter(|error| error.is_silence());
        self.with(service, |known| known.hearing.heard(Instant::now(), error));
    }

    /// Whether it has not answered anybody; nothing where it did, or nobody asked lately.
    pub fn silence(&self, service: &ServiceKey) -> Option<Silence> {
        let now = Instant::now();
        self.services().get(service)?.hearing.silence(now)
    }

    fn with<T>(&self, service: &ServiceKey, act: impl FnOnce(&mut Known) -> T) -> T {
        let mut services = self.services();
        if services.len() >= MOST && !services.contains_key(service) {
            services.clear();
        }
        act(services.entry(service.clone()).or_default())
    }

    fn services(&self) -> MutexGuard<'_, HashMap<ServiceKey, Known>> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hearing {
    fn may_ask(&mut self, now: Instant) -> bool {
        let answers = self.answered.is_some_and(|at| now - at < ANSWERS);
        if !answers && self.asked.is_some_and(|at| now - at < ASKS) {
            return false;
        }
        self.asked = Some(now);
        true
    }

    fn heard(&mut self, now: Instant, error: Option<&AdminError>) {
        self.asked = None;
        let Some(error) = error else {
            (self.answered, self.silent) = (Some(now), None);
            return;
        };
        let before = self.silent.as_ref().filter(|silent| now - silent.last < TOGETHER);
        let first = before.map_or(now, |silent| silent.first);
        (self.answered, self.silent) = (None, Some(Unanswered { first, last: now, error: error.clone() }));
    }

    fn silence(&self, now: Instant) -> Option<Silence> {
        let Unanswered { first, error, .. } =
            self.silent.as_ref().filter(|silent| now - silent.last < TOGETHER)?;
        Some(Silence { lasted: now - *first, error: error.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str) -> ServiceKey {
        ("tickets".to_owned(), name.to_owned())
    }

    fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    #[test]
    fn a_deletion_is_as_old_as_this_process_has_seen_it() {
        let (departures, start) = (Departures::default(), Instant::now());
        assert_eq!(departures.waited_at("a", start), Duration::ZERO);
        let later = start + seconds(7);
        assert_eq!(
            [departures.waited_at("a", later), departures.waited_at("b", later)],
            [seconds(7), seconds(0)]
        );
        departures.is_gone("a");
        assert_eq!(departures.waited_at("a", later), Duration::ZERO);
    }

    #[test]
    fn a_silence_lasts_from_the_first_question_without_an_answer_to_the_next_answer() {
        let (mut hearing, start) = (Hearing::default(), Instant::now());
        let at = |second| start + seconds(second);
        assert_eq!(hearing.silence(at(0)), None);
        hearing.heard(at(0), Some(&AdminError::Absent));
        hearing.heard(at(15), Some(&AdminError::Absent));
        let silence = hearing.silence(at(30)).unwrap();
        assert_eq!(silence, Silence { lasted: seconds(30), error: AdminError::Absent });
        hearing.heard(at(30), None);
        assert_eq!(hearing.silence(at(30)), None);
        hearing.heard(at(31), Some(&AdminError::Absent));
        assert_eq!(hearing.silence(at(3600)), None, "nobody asked since");
        hearing.heard(at(3600), Some(&AdminError::Absent));
        assert_eq!(hearing.silence(at(3600)).unwrap().lasted, Duration::ZERO);
    }

    #[test]
    fn no_is_an_answer() {
        let (departures, main) = (Departures::default(), service("main"));
        departures.note_answer::<()>(&main, &Err(AdminError::Absent));
        assert!(departures.silence(&main).is_some());
        let refused = AdminError::Refused { status: 503, problem: crate::admin::Problem::default() };
        departures.note_answer::<()>(&main, &Err(refused));
        assert_eq!(departures.silence(&main), None);
    }

    #[test]
    fn one_that_does_not_answer_is_asked_by_one_at_a_time() {
        let (mut hearing, start) = (Hearing::default(), Instant::now());
        let at = |second| start + seconds(second);
        assert!(hearing.may_ask(at(0)) && !hearing.may_ask(at(0)));
        hearing.heard(at(1), Some(&AdminError::Absent));
        assert!(hearing.may_ask(at(1)) && !hearing.may_ask(at(12)));
        assert!(hearing.may_ask(at(14)), "whoever asked has given it up");
        hearing.heard(at(14), None);
        assert!((0..100).all(|_| hearing.may_ask(at(14))), "one that answers is asked by all");
        assert!(hearing.may_ask(at(60)) && !hearing.may_ask(at(60)), "it answered long ago");
        let departures = Departures::default();
        assert!(departures.may_ask(&service("main")) && departures.may_ask(&service("other")));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let departures = Departures::default();
        for number in 0..=MOST {
            departures.waited(&number.to_string());
            departures.note_purged(&service(&number.to_string()), "s1");
        }
        assert_eq!(departures.since.lock().unwrap().len(), 1);
        assert_eq!(departures.services().len(), 1);
    }

    #[test]
    fn another_service_of_the_same_name_was_not_purged() {
        let departures = Departures::default();
        departures.note_purged(&service("main"), "s1");
        assert!(
            departures.is_purged(&service("main"), "s1") && !departures.is_purged(&service("main"), "s2")
        );
    }

    #[test]
    fn a_target_is_remembered_until_its_service_is_gone() {
        let departures = Departures::default();
        let target = Target { namespace: "tickets".into(), service: "main".into(), token: "t".into() };
        departures.note_target(&target);
        assert!(departures.target(&service("main")).is_some_and(|known| known == target));
        departures.forget(&service("main"));
        assert!(departures.target(&service("main")).is_none());
    }
}
