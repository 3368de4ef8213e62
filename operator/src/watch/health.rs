//! Which watches live. The process is ready while those of the kinds themselves do, in every namespace; one of what was
//! made for them is named in log and metric, and others go on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use boxoffice_runtime::health::Readiness;

use crate::metrics::Metrics;

/// Why each watch of a kind that does not live does not, by namespace.
type Obstacles = BTreeMap<&'static str, BTreeMap<String, String>>;

/// The watches of the process.
pub struct Health {
    readiness: Readiness,
    metrics: Metrics,
    roots: Mutex<Obstacles>,
}

impl Health {
    /// No watch yet.
    pub fn new(readiness: Readiness, metrics: Metrics) -> Arc<Self> {
        Arc::new(Self { readiness, metrics, roots: Mutex::default() })
    }

    /// A watch without which the process is not ready, in `namespace`, which is empty for all.
    pub fn root(self: &Arc<Self>, watch: &'static str, namespace: &str) -> Part {
        let part = self.part(watch, namespace, true);
        part.say(Some("listing".to_owned()));
        part
    }

    /// A watch that others do not wait for.
    pub fn child(self: &Arc<Self>, watch: &'static str, namespace: &str) -> Part {
        self.part(watch, namespace, false)
    }

    fn part(self: &Arc<Self>, watch: &'static str, namespace: &str, is_root: bool) -> Part {
        self.metrics.watch(watch, namespace, false);
        let (health, namespace) = (Arc::clone(self), namespace.to_owned());
        Part { health, watch, namespace, is_root, said: Mutex::default() }
    }
}

/// One watch.
pub struct Part {
    health: Arc<Health>,
    watch: &'static str,
    namespace: String,
    is_root: bool,
    /// Why it is interrupted, where that was logged.
    said: Mutex<Option<String>>,
}

impl Part {
    /// The API server answers it.
    pub fn lives(&self) {
        if self.said.lock().unwrap_or_else(PoisonError::into_inner).take().is_some() {
            tracing::info!(watch = self.watch, namespace = self.namespace, "watch taken up again");
        }
        self.health.metrics.watch(self.watch, &self.namespace, true);
        self.say(None);
    }

    /// It failed, and is tried again. The same reason is logged once.
    pub fn interrupted(&self, reason: &str) {
        let before = self.said.lock().unwrap_or_else(PoisonError::into_inner).replace(reason.to_owned());
        if before.as_deref() != Some(reason) {
            tracing::warn!(watch = self.watch, namespace = self.namespace, reason, "watch interrupted");
        }
        self.health.metrics.watch(self.watch, &self.namespace, false);
        self.say(Some(reason.to_owned()));
    }

    fn say(&self, obstacle: Option<String>) {
        if !self.is_root {
            return;
        }
        let mut roots = self.health.roots.lock().unwrap_or_else(PoisonError::into_inner);
        let obstacles = roots.entry(self.watch).or_default();
        match obstacle {
            Some(obstacle) => obstacles.insert(self.namespace.clone(), obstacle),
            None => obstacles.remove(&self.namespace),
        };
        let named = |(namespace, reason): (&String, &String)| match namespace.as_str() {
            "" => reason.clone(),
            namespace => format!("{namespace}: {reason}"),
        };
        if obstacles.is_empty() {
            self.health.readiness.ready(self.watch);
        } else {
            let all: Vec<_> = obstacles.iter().map(named).collect();
            self.health.readiness.not_ready(self.watch, all.join("; "));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::registry::Registry;

    fn health() -> (Readiness, Arc<Health>) {
        let readiness = Readiness::default();
        (readiness.clone(), Health::new(readiness, Metrics::register(&mut Registry::default())))
    }

    #[test]
    fn ready_from_the_first_list_to_an_interruption_and_again_without_an_event() {
        let (readiness, health) = health();
        let part = health.root("shows", "");
        assert_eq!(readiness.obstacles(), ["shows: listing"]);
        part.lives();
        assert!(readiness.obstacles().is_empty());
        part.interrupted("connection refused");
        assert_eq!(readiness.obstacles(), ["shows: connection refused"]);
        part.lives();
        assert!(readiness.obstacles().is_empty());
    }

    #[test]
    fn ready_when_every_namespace_is_watched() {
        let (readiness, health) = health();
        let [a, b] = ["a", "b"].map(|namespace| health.root("shows", namespace));
        a.lives();
        assert_eq!(readiness.obstacles(), ["shows: b: listing"]);
        b.lives();
        assert!(readiness.obstacles().is_empty());
    }

    #[test]
    fn what_was_made_is_not_waited_for() {
        let (readiness, health) = health();
        health.child("deployments", "a").interrupted("forbidden");
        assert!(readiness.obstacles().is_empty());
    }
}
