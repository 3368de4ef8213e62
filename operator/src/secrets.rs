//! Secrets and `ConfigMaps`, read by name and remembered for a while: a watch would need the right to read all Secrets, and
//! would keep all `ConfigMaps`.
//!
//! Whoever asks says how old the answer may be. Nothing here writes, and nothing but the answers themselves is kept.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::Api;
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use crate::api::{ApiError, timed};

/// How old the admin token may be.
pub const TOKEN_AGE: Duration = Duration::from_secs(9);
/// How old any other may be: with a reconcile every ten seconds, or every thirty after failures, what became of it is told
/// within 75 s.
pub const AGE: Duration = Duration::from_secs(45);
/// What nobody asked for in this time is forgotten.
const IDLE: Duration = Duration::from_mins(5);

/// The Secrets that were read.
pub type Secrets = ByName<Secret>;
/// The `ConfigMaps`.
pub type ConfigMaps = ByName<ConfigMap>;

/// An object, where there is one.
type Found<K> = Option<Arc<K>>;

/// A kind whose objects are read so.
pub trait Readable:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned
{
    /// What is done, for messages.
    const READ: &'static str;
}

impl Readable for Secret {
    const READ: &'static str = "read a secret by its name";
}

impl Readable for ConfigMap {
    const READ: &'static str = "read a config map by its name";
}

/// The objects of a kind that were read, by namespace and name.
pub struct ByName<K> {
    known: Mutex<HashMap<(String, String), Known<K>>>,
}

struct Known<K> {
    found: Found<K>,
    read: Instant,
    asked: Instant,
}

impl<K> Default for ByName<K> {
    fn default() -> Self {
        Self { known: Mutex::default() }
    }
}

impl<K: Readable> ByName<K> {
    /// The object, where there is one, as it was at most `age` ago.
    pub async fn get(
        &self,
        client: &Client,
        namespace: &str,
        name: &str,
        age: Duration,
    ) -> Result<Found<K>, ApiError> {
        let key = (namespace.to_owned(), name.to_owned());
        if let Some(found) = self.remembered(&key, age, Instant::now()) {
            return Ok(found);
        }
        let api: Api<K> = Api::namespaced(client.clone(), namespace);
        let mut found = timed(K::READ, api.get_opt(name)).await?;
        if let Some(object) = &mut found {
            object.managed_fields_mut().clear();
        }
        let found = found.map(Arc::new);
        self.note(key, found.clone(), Instant::now());
        Ok(found)
    }

    /// Has the next call read it anew: it was written, or is not as it should be.
    pub fn forget(&self, namespace: &str, name: &str) {
        self.known().remove(&(namespace.to_owned(), name.to_owned()));
    }

    fn remembered(&self, key: &(String, String), age: Duration, now: Instant) -> Option<Found<K>> {
        let mut known = self.known();
        let entry = known.get_mut(key)?;
        entry.asked = now;
        (now.saturating_duration_since(entry.read) < age).then(|| entry.found.clone())
    }

    fn note(&self, key: (String, String), found: Found<K>, now: Instant) {
        let mut known = self.known();
        known.retain(|_, entry| now.saturating_duration_since(entry.asked) < IDLE);
        known.insert(key, Known { found, read: now, asked: now });
    }

    fn known(&self) -> MutexGuard<'_, HashMap<(String, String), Known<K>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> (String, String) {
        ("tickets".to_owned(), name.to_owned())
    }

    #[test]
    fn an_answer_serves_while_it_is_young_enough_for_who_asks() {
        let (secrets, start) = (Secrets::default(), Instant::now());
        secrets.note(key("redis"), Some(Arc::new(Secret::default())), start);
        assert!(secrets.remembered(&key("redis"), AGE, start + TOKEN_AGE).is_some());
        assert!(secrets.remembered(&key("redis"), TOKEN_AGE, start + TOKEN_AGE).is_none());
        assert!(secrets.remembered(&key("other"), AGE, start).is_none());
        secrets.forget("tickets", "redis");
        assert!(secrets.remembered(&key("redis"), AGE, start).is_none());
    }

    #[test]
    fn what_nobody_asks_for_is_forgotten() {
        let (secrets, start) = (Secrets::default(), Instant::now());
        secrets.note(key("old"), None, start);
        secrets.note(key("used"), None, start);
        secrets.remembered(&key("used"), AGE, start + IDLE);
        secrets.note(key("new"), None, start + IDLE);
        let mut names: Vec<_> = secrets.known().keys().map(|(_, name)| name.clone()).collect();
        names.sort();
        assert_eq!(names, ["new", "used"]);
    }
}
