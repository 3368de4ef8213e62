//! What the process remembers of services' objects, and of their records of topics, from one reconcile to the next: how
//! they were, as long as no watch says that one changed; drift that came back at once; and when it last looked which
//! settings are still in use. Forgotten with the process: then it lists, tries and looks once more.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use boxoffice_crds::ReservationService;
use futures::{Stream, TryStreamExt};
use kube::api::DynamicObject;
use kube::runtime::watcher;
use kube::{Resource, ResourceExt};
use tokio::time::Instant;

use super::kinds::kinds;
use super::names;
use super::ownership::controls;
use super::record::Record;

/// Objects by kind and name.
pub type Objects = BTreeMap<(String, String), DynamicObject>;

/// How long objects are believed to be as they were, with no watch that says otherwise: one that was interrupted does not
/// tell what was deleted meanwhile.
const BELIEVED: Duration = Duration::from_mins(2);

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
    /// How many kinds are watched for it.
    watched: AtomicUsize,
}

/// Of one service: no more than it has objects.
#[derive(Debug, Default)]
struct Remembered {
    /// Drift that was still there in the API server's own answer, by kind and name.
    persisting: BTreeMap<(String, String), Tried>,
    old_settings: Option<Looked>,
    /// How its objects were.
    objects: Option<(Objects, Instant)>,
    /// How its record of topics was.
    record: Option<(Record, Instant)>,
    /// How often a watch told of one.
    touched: u64,
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

/// A point in what the watches tell of a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark(u64);

/// Passes on what a watch tells of the objects of a kind, and remembers which services it concerns.
pub fn noted<K, S>(
    memory: &Arc<Memory>,
    told: S,
) -> impl Stream<Item = Result<K, watcher::Error>> + Send + use<K, S>
where
    K: Resource<DynamicType = ()>,
    S: Stream<Item = Result<K, watcher::Error>> + Send,
{
    let memory = Arc::clone(memory);
    memory.watched.fetch_add(1, Ordering::Relaxed);
    told.inspect_ok(move |object| memory.touch(object))
}

impl Memory {
    /// How the service's objects were and when, where nothing was told of them since; and the point from which on anything
    /// that is told makes what is read from now on old. Only once each kind is watched.
    pub fn objects(&self, service: &str, now: Instant) -> (Option<(Objects, Instant)>, Mark) {
        let is_watched = self.watched.load(Ordering::Relaxed) >= kinds().len();
        self.of(service, |remembered| {
            let known = remembered.objects.take().filter(|(_, since)| now.duration_since(*since) < BELIEVED);
            (known.filter(|_| is_watched), Mark(remembered.touched))
        })
    }

    /// Remembers them, unless something was told of one since `mark`; `since` when they were read.
    pub fn keep(&self, service: &str, objects: Objects, mark: Mark, since: Instant) {
        self.of(service, |remembered| {
            if Mark(remembered.touched) == mark {
                remembered.objects = Some((objects, since));
            }
        });
    }

    /// The service's record of topics, where nothing was told since it was read, as with [`objects`](Self::objects).
    pub fn record(&self, service: &str, now: Instant) -> (Option<Record>, Mark) {
        let is_watched = self.watched.load(Ordering::Relaxed) > kinds().len();
        self.of(service, |remembered| {
            let known = remembered.record.as_ref().filter(|(_, since)| now.duration_since(*since) < BELIEVED);
            (known.filter(|_| is_watched).map(|(record, _)| record.clone()), Mark(remembered.touched))
        })
    }

    /// Remembers it, unless something was told since `mark`.
    pub fn keep_record(&self, service: &str, record: Record, mark: Mark, since: Instant) {
        self.of(service, |remembered| {
            if Mark(remembered.touched) == mark {
                remembered.record = Some((record, since));
            }
        });
    }

    /// It was written.
    pub fn forget_record(&self, service: &str) {
        self.of(service, |remembered| remembered.record = None);
    }

    /// Something became of an object: of the service that controls it, and of the one that it was made for.
    fn touch(&self, object: &impl Resource<DynamicType = ()>) {
        let namespace = object.namespace().unwrap_or_default();
        let owners = object.owner_references().iter().filter(controls).map(|owner| owner.name.as_str());
        let labels = [names::INSTANCE, names::RECORD_OF].map(|label| object.labels().get(label));
        let mut services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        for name in owners.chain(labels.into_iter().flatten().map(String::as_str)) {
            let key = format!("{}/{namespace}/{name}", ReservationService::kind(&()));
            if let Some(remembered) = services.get_mut(&key) {
                remembered.touched += 1;
                (remembered.objects, remembered.record) = (None, None);
            }
        }
    }

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
    use k8s_openapi::api::core::v1::ConfigMap;

    fn id() -> (String, String) {
        ("Deployment".to_owned(), "main-command".to_owned())
    }

    fn paths() -> Vec<String> {
        vec!["/spec/template/spec/containers/1".to_owned()]
    }

    #[test]
    fn a_record_is_believed_until_a_watch_tells_of_it_or_it_is_written() {
        let (memory, begin) = (Arc::new(Memory::default()), Instant::now());
        memory.watched.store(kinds().len() + 1, Ordering::Relaxed);
        let service = "ReservationService/a/b";
        let known = |after: u64| memory.record(service, begin + Duration::from_secs(after)).0;
        let keep =
            |mark| memory.keep_record(service, Record::from([("seats".to_owned(), None)]), mark, begin);
        let (nothing, mark) = memory.record(service, begin);
        assert_eq!(nothing, None);
        keep(mark);
        assert!(known(119).is_some() && known(120).is_none());
        let mut record = ConfigMap::default();
        record.metadata.namespace = Some("a".to_owned());
        record.metadata.labels = Some([(names::RECORD_OF.to_owned(), "b".to_owned())].into());
        memory.touch(&record);
        assert_eq!(known(1), None);
        keep(mark);
        assert_eq!(known(1), None, "it was read before something was told");
        keep(memory.record(service, begin).1);
        assert!(known(1).is_some());
        memory.forget_record(service);
        assert_eq!(known(1), None);
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

    fn object(label: &str) -> DynamicObject {
        let metadata =
            serde_json::json!({"name": "x", "namespace": "tickets", "labels": {names::INSTANCE: label}});
        serde_json::from_value(
            serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}),
        )
        .unwrap()
    }

    /// A watch that tells of objects of `label`.
    async fn tell(memory: &Arc<Memory>, label: &str) {
        let told: ConfigMap = object(label).try_parse().unwrap();
        noted(memory, futures::stream::iter([Ok(told)])).try_collect::<Vec<_>>().await.unwrap();
    }

    #[tokio::test]
    async fn objects_are_believed_until_a_watch_tells_of_one_or_for_two_minutes() {
        let (memory, begin, service) =
            (Arc::new(Memory::default()), Instant::now(), "ReservationService/tickets/main");
        let objects: Objects = [(id(), object("main"))].into();
        let read = || {
            let (known, mark) = memory.objects(service, begin);
            memory.keep(service, objects.clone(), mark, begin);
            known.is_some()
        };
        assert!(!read() && !read(), "not all kinds are watched");
        for _ in kinds() {
            tell(&memory, "other").await;
        }
        assert!(read() && read());
        tell(&memory, "main").await;
        assert!(!read(), "something changed");
        assert!(memory.objects(service, begin + BELIEVED).0.is_none());
        assert!(!read(), "it was taken to be too old");
    }

    #[tokio::test]
    async fn what_was_told_while_objects_were_read_makes_them_old() {
        let (memory, now, service) =
            (Arc::new(Memory::default()), Instant::now(), "ReservationService/tickets/main");
        for _ in kinds() {
            tell(&memory, "other").await;
        }
        let (_, mark) = memory.objects(service, now);
        tell(&memory, "main").await;
        memory.keep(service, Objects::new(), mark, now);
        assert!(memory.objects(service, now).0.is_none());
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
