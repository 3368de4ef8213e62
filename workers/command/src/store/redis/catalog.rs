//! The worker's own copy of every definition, so that a command costs one script and no look-up.
//!
//! A copy is good for its revision: scripts are told the one they were prepared for and refuse another, upon which
//! the copy is read again. The revision is the id of the command that wrote the definition, so not even purging a
//! SeatingEvent and creating it anew brings one back.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use boxoffice_domain::SeatingEventId;
use boxoffice_domain::definition::GapPolicy;
use boxoffice_domain::state::Sale;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::wire::DefinitionMeta;
use super::wire::args::{PackedRules, SaleRules};
use super::{RESPONSE_TIMEOUT, RedisStore};
use crate::store::StoreError;

/// A definition as of a revision, with what does not change but with it.
#[derive(Debug)]
pub struct Known {
    /// The revision.
    pub revision: String,
    /// What is on sale.
    pub sale: Arc<Sale>,
    /// What holds are checked by.
    pub rules: PackedRules,
}

impl Known {
    fn new(revision: String, sale: Sale, high_watermark: u64) -> Self {
        let Sale { definition, closed, .. } = &sale;
        let price = |id: &str| definition.price_of(id).map_or(0, |price| price.amount).to_string();
        let prices: Vec<_> = definition.sections.iter().map(|section| price(&section.id)).collect();
        let rules = PackedRules::new(&SaleRules {
            revision: &revision,
            opens_at: definition.sales.opens_at,
            closes_at: definition.closes_at(),
            paused: definition.sales.paused,
            closed: *closed,
            ttl: u64::from(definition.hold.ttl_seconds) * 1000,
            limit: definition.limits.seats_per_user,
            high_watermark,
            currency: definition.currency(),
            gaps: match definition.hold.no_single_seat_gaps {
                GapPolicy::Off => "off",
                GapPolicy::Prefer => "prefer",
                GapPolicy::Enforce => "enforce",
            },
            section_prices: &prices.join(","),
        });
        Self { revision, sale: Arc::new(sale), rules }
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
        let is_stale = |known: &Known| stale.is_some_and(|stale| stale.revision == known.revision);
        if let Some(known) = self.catalog.get(event).filter(|known| !is_stale(known)) {
            return Ok(Some(known));
        }
        let mut read = redis::cmd("HMGET");
        read.arg(self.keys.event(event).meta()).arg(DefinitionMeta::FIELDS);
        let known = match self.query::<DefinitionMeta>(&read).await? {
            DefinitionMeta { revision: Some(_), definition: None, .. } => {
                return Err(self.behind_the_fence(event));
            }
            DefinitionMeta { revision: Some(revision), definition: Some(definition), closed } => {
                let definition = serde_json::from_str(&definition)
                    .map_err(|error| StoreError::Corrupt(format!("definition of {event}: {error}")))?;
                let offered = Sale::new(definition, closed.as_deref() == Some("1"));
                Some(Arc::new(Known::new(revision, offered, self.high_watermark)))
            }
            DefinitionMeta { revision: None, .. } => {
                self.confirm_absent(event).await?;
                None
            }
        };
        self.catalog.set(event, known.clone());
        Ok(known)
    }
}
