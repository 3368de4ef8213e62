//! Where services say what they want of Kafka and read what was last seen of it, so that no reconcile waits for a broker.
//!
//! A declaration stays until its service withdraws it. Whatever is new is looked at next; news wakes the service that it is
//! about.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::Stream;
use tokio::sync::Notify;

use super::connection::Connection;
use super::converge::{Absences, Declaration, Deed, Outlook};
use super::turns::Turns;

/// Namespace and name of a service.
pub type Key = (String, String);

/// What was last seen for a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The id of its cluster, once that answered.
    pub cluster_id: Option<String>,
    /// What became of its declaration.
    pub outlook: Outlook,
}

/// One service's part in a round.
#[derive(Debug)]
pub struct Turn {
    /// Whose.
    pub key: Key,
    /// What it wants.
    pub declaration: Declaration,
    /// What was looked for in vain.
    pub absences: Absences,
}

/// What a round brought for one service.
#[derive(Debug)]
pub struct Found {
    /// What to read from now on; nothing where what was read before still holds.
    pub seen: Option<Seen>,
    /// What was done.
    pub deeds: Vec<Deed>,
    /// What was looked for in vain.
    pub absences: Absences,
}

/// Orders and what came of them.
#[derive(Default)]
pub struct Declarations {
    state: Mutex<State>,
    opened: Notify,
    told: Notify,
}

#[derive(Default)]
struct State {
    services: BTreeMap<Key, Entry>,
    clusters: HashMap<Connection, Cluster>,
    news: BTreeSet<Key>,
}

struct Entry {
    connection: Connection,
    declaration: Declaration,
    seen: Option<Seen>,
    deeds: Vec<Deed>,
    absences: Absences,
    is_urgent: bool,
    is_in_round: bool,
}

#[derive(Default)]
struct Cluster {
    turns: Turns<Key>,
    wake: Arc<Notify>,
    is_attended: bool,
}

/// Most deeds that wait to be told; a declaration is carried out once, and is told within seconds.
const DEEDS: usize = 100;

impl Declarations {
    /// Leaves a declaration, in place of the one before.
    pub fn place(&self, key: &Key, connection: &Connection, declaration: Declaration) {
        let mut state = self.lock();
        let before = state.services.remove(key);
        let is_same =
            before.as_ref().is_some_and(|b| b.declaration == declaration && b.connection == *connection);
        let is_same_cluster =
            before.as_ref().is_some_and(|b| b.connection.bootstrap_servers == connection.bootstrap_servers);
        let entry = match before {
            Some(mut entry) => {
                entry.is_urgent |= !is_same;
                if !is_same_cluster {
                    entry.seen = None;
                }
                Entry { connection: connection.clone(), declaration, ..entry }
            }
            None => Entry {
                connection: connection.clone(),
                declaration,
                seen: None,
                deeds: Vec::new(),
                absences: Absences::default(),
                is_urgent: true,
                is_in_round: false,
            },
        };
        let is_urgent = entry.is_urgent;
        state.services.insert(key.clone(), entry);
        let cluster = state.clusters.entry(connection.clone()).or_default();
        if !cluster.is_attended {
            self.opened.notify_one();
        } else if is_urgent {
            cluster.wake.notify_one();
        }
    }

    /// What was last seen for the service.
    pub fn seen(&self, key: &Key) -> Option<Seen> {
        self.lock().services.get(key)?.seen.clone()
    }

    /// What was done for the service since this was asked last.
    pub fn take_deeds(&self, key: &Key) -> Vec<Deed> {
        self.lock().services.get_mut(key).map(|entry| std::mem::take(&mut entry.deeds)).unwrap_or_default()
    }

    /// Takes the declaration back. Whether a round is still at it: then it has to be taken back again in a moment.
    pub fn withdraw(&self, key: &Key) -> bool {
        let mut state = self.lock();
        let is_in_round = state.services.get(key).is_some_and(|entry| entry.is_in_round);
        if !is_in_round {
            state.services.remove(key);
            state.news.remove(key);
        }
        is_in_round
    }

    /// Services about which there is news, as it comes.
    pub fn news(self: Arc<Self>) -> impl Stream<Item = Key> {
        futures::stream::unfold(self, |declarations| async move {
            let key = declarations.next_news().await;
            Some((key, declarations))
        })
    }

    async fn next_news(&self) -> Key {
        loop {
            let told = self.told.notified();
            if let Some(key) = self.lock().news.pop_first() {
                return key;
            }
            told.await;
        }
    }

    /// Clusters that nobody goes to yet, as they come. Whoever is told of one goes there until [`Self::next_round`] says
    /// that nobody needs it.
    pub async fn unattended(&self) -> Vec<Connection> {
        loop {
            let opened = self.opened.notified();
            let found: Vec<_> = {
                let mut state = self.lock();
                let new = state.clusters.iter_mut().filter(|(_, cluster)| !cluster.is_attended);
                new.map(|(connection, cluster)| {
                    cluster.is_attended = true;
                    connection.clone()
                })
                .collect()
            };
            if !found.is_empty() {
                return found;
            }
            opened.await;
        }
    }

    /// Those whose turn it is, or only the urgent ones; nothing where no service needs the cluster any more.
    pub fn next_round(&self, connection: &Connection, only_urgent: bool) -> Option<Vec<Turn>> {
        let mut guard = self.lock();
        let state = &mut *guard;
        let of_it = |entry: &Entry| entry.connection == *connection;
        let all: Vec<_> = state
            .services
            .iter()
            .filter(|(_, entry)| of_it(entry))
            .map(|(key, entry)| {
                (key.clone(), entry.declaration.groups.len() + entry.declaration.former.len())
            })
            .collect();
        if all.is_empty() {
            state.clusters.remove(connection);
            return None;
        }
        let is_urgent = |key: &Key| state.services.get(key).is_some_and(|entry| entry.is_urgent);
        let urgent: Vec<_> = all.iter().map(|(key, _)| key).filter(|key| is_urgent(key)).cloned().collect();
        let chosen = match state.clusters.get_mut(connection) {
            Some(cluster) if !only_urgent => cluster.turns.next(&all, &urgent),
            Some(_) | None => urgent,
        };
        let mut turns = Vec::with_capacity(chosen.len());
        for key in chosen {
            if let Some(entry) = state.services.get_mut(&key) {
                entry.is_urgent = false;
                entry.is_in_round = true;
                turns.push(Turn {
                    key,
                    declaration: entry.declaration.clone(),
                    absences: entry.absences.clone(),
                });
            }
        }
        Some(turns)
    }

    /// What a round found for the service; whatever is new is told to it.
    pub fn learn(&self, key: &Key, found: Found) {
        let mut guard = self.lock();
        let state = &mut *guard;
        let Some(entry) = state.services.get_mut(key) else { return };
        entry.is_in_round = false;
        entry.absences = found.absences;
        let mut is_news = !found.deeds.is_empty();
        let room = DEEDS.saturating_sub(entry.deeds.len());
        entry.deeds.extend(found.deeds.into_iter().take(room));
        if found.seen.is_some() && entry.seen != found.seen {
            entry.seen = found.seen;
            is_news = true;
        }
        entry.is_urgent |= entry.seen.as_ref().is_some_and(|seen| seen.outlook.is_unsettled());
        if is_news && state.news.insert(key.clone()) {
            self.told.notify_one();
        }
    }

    /// Whether something at the cluster cannot wait for the next round.
    pub fn is_urgent(&self, connection: &Connection) -> bool {
        self.lock().services.values().any(|entry| entry.connection == *connection && entry.is_urgent)
    }

    /// Woken when a declaration at the cluster is new.
    pub fn wake(&self, connection: &Connection) -> Arc<Notify> {
        self.lock().clusters.get(connection).map(|cluster| Arc::clone(&cluster.wake)).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "declarations_tests.rs"]
mod tests;
