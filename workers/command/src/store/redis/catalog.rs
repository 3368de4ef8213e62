//! The worker's own copy of every definition, so that a command costs one script and no look-up.
//!
//! A copy is good for its revision: scripts are told the one they were prepared for and refuse another, upon which
//! the copy is read again. The revision is the id of the command that wrote the definition, so not even purging a
//! SeatingEvent and creating it anew brings one back.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use boxoffice_domain::{Chart, Definition, Seating, SeatingEventId};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::{RESPONSE_TIMEOUT, RedisStore};
use crate::store::StoreError;

/// A definition as of a revision.
#[derive(Debug)]
pub struct Known {
    /// The revision.
    pub revision: String,
    /// The definition.
    pub definition: Definition,
    /// Whether sales are closed for good.
    pub closed: bool,
    chart: OnceLock<Chart>,
    seating: OnceLock<Seating>,
}

impl Known {
    /// The seats, expanded when first asked for.
    pub fn chart(&self) -> &Chart {
        self.chart.get_or_init(|| Chart::expand(&self.definition).unwrap_or_default())
    }

    /// Where they stand, worked out when first asked for.
    pub fn seating(&self) -> &Seating {
        self.seating.get_or_init(|| Seating::new(&self.definition, self.chart()))
    }
}

/// What is known of every SeatingEvent that this worker has met.
#[derive(Debug, Default)]
pub struct Catalog {
    known: RwLock<HashMap<SeatingEventId, Arc<Known>>>,
    reading: Mutex<()>,
}

impl Catalog {
    fn get(&self, event: &SeatingEventId) -> Option<Arc<Known>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(event).cloned()
    }

    fn set(&self, event: &SeatingEventId, known: Option<Arc<Known>>) {
        let mut all = self.known.write().unwrap_or_else(PoisonError::into_inner);
        match known {
            Some(known) => all.insert(event.clone(), known),
            None => all.remove(event),
        };
    }
}

impl RedisStore {
    /// The definition of a SeatingEvent, which may have changed since; `None` where there is none.
    pub(super) async fn known(&self, event: &SeatingEventId) -> Result<Option<Arc<Known>>, StoreError> {
        match self.catalog.get(event) {
            Some(known) => Ok(Some(known)),
            None => self.known_after(event, None).await,
        }
    }

    /// The definition of a SeatingEvent at `revision`.
    pub(super) async fn known_at(
        &self,
        event: &SeatingEventId,
        revision: &str,
    ) -> Result<Option<Arc<Known>>, StoreError> {
        match self.catalog.get(event) {
            Some(known) if known.revision == revision => Ok(Some(known)),
            stale => self.known_after(event, stale.as_deref()).await,
        }
    }

    /// Reads a definition that is not `stale` any more, once for all who wait for it.
    pub(super) async fn known_after(
        &self,
        event: &SeatingEventId,
        stale: Option<&Known>,
    ) -> Result<Option<Arc<Known>>, StoreError> {
        let turn = timeout(RESPONSE_TIMEOUT, self.catalog.reading.lock()).await;
        let _turn = turn.map_err(|_| StoreError::Unavailable("definitions cannot be read".into()))?;
        let stale = stale.map(|known| known.revision.as_str());
        if let Some(known) = self.catalog.get(event).filter(|known| Some(known.revision.as_str()) != stale) {
            return Ok(Some(known));
        }
        let mut read = redis::cmd("HMGET");
        read.arg(self.keys.event(event).meta()).arg(&["revision", "definition", "closed"]);
        let found: (Option<String>, Option<String>, Option<String>) = self.query(&read).await?;
        let known = match found {
            (Some(_), None, _) => return Err(self.behind_the_fence(event)),
            (Some(revision), Some(definition), closed) => {
                let definition = serde_json::from_str(&definition)
                    .map_err(|error| StoreError::Corrupt(format!("definition of {event}: {error}")))?;
                let closed = closed.as_deref() == Some("1");
                Some(Arc::new(Known {
                    revision,
                    definition,
                    closed,
                    chart: OnceLock::new(),
                    seating: OnceLock::new(),
                }))
            }
            (None, ..) => {
                self.confirm_absent(event).await?;
                None
            }
        };
        self.catalog.set(event, known.clone());
        Ok(known)
    }
}
