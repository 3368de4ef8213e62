//! The worker's own copy of definitions, so that a command costs one script and no look-up.
//!
//! A copy is good for its revision: scripts are told the one they were prepared for and refuse another, upon which
//! the copy is read again. The revision is the id of the command that wrote the definition, so not even purging a
//! SeatingEvent and creating it anew brings one back.
//!
//! Copies are bounded by the memory that they take up together, by estimate. The one that was used least lately makes room;
//! it is read again when somebody asks.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock, Weak};

use boxoffice_domain::definition::{GapPolicy, Phase};
use boxoffice_domain::state::Sale;
use boxoffice_domain::{Definition, SeatingEventId, UnixMillis};
use redis::Cmd;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::wire::DefinitionMeta;
use super::wire::args::{PackedRules, SaleRules};
use super::{RESPONSE_TIMEOUT, RedisStore};
use crate::store::StoreError;

/// About how many bytes all copies together take up at most: 200 stadiums of 80,000 seats.
const BYTES: u64 = 144 * 1024 * 1024;
/// About how many bytes an entry for a row takes in the chart and in the order of preference, and a copy besides its rows,
/// seats and texts.
const ROW: u64 = 256;
const BESIDES: u64 = 4_096;
/// How many gists are kept, of less than a kilobyte each.
const GISTS: usize = 50_000;

/// A definition as of a revision, with what does not change but with it.
#[derive(Debug)]
pub struct Known {
    /// The revision.
    pub revision: String,
    /// What is on sale.
    pub sale: Arc<Sale>,
    /// A fingerprint of its seats and their prices.
    pub chart_hash: String,
    /// A digest of its definition.
    pub definition_hash: String,
    /// What holds are checked by.
    pub rules: PackedRules,
    /// All keys of the SeatingEvent, packed.
    pub keys: Cmd,
    /// About how many bytes of memory it takes up.
    bytes: u64,
}

impl Known {
    fn new(revision: String, sale: Sale, keys: Cmd, bytes: u64, high_watermark: u64) -> Self {
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
        let (chart_hash, definition_hash) = (definition.chart_hash(), definition.digest());
        Self { revision, sale: Arc::new(sale), chart_hash, definition_hash, rules, keys, bytes }
    }
}

/// What lists show of a definition. Copies of whole ones have a bound that a long list goes beyond.
#[derive(Debug, PartialEq)]
pub struct Gist {
    revision: String,
    /// A fingerprint of its seats and their prices.
    pub chart_hash: String,
    /// A digest of it.
    pub definition_hash: String,
    /// Whether sales are closed for good.
    pub closed: bool,
    /// Without its seats.
    definition: Definition,
}

impl Gist {
    fn new(known: &Known) -> Self {
        let Known { revision, sale, chart_hash, definition_hash, .. } = known;
        let empty = Definition {
            sections: vec![],
            price_categories: vec![],
            blocked: vec![],
            ..sale.definition.clone()
        };
        Self {
            revision: revision.clone(),
            chart_hash: chart_hash.clone(),
            definition_hash: definition_hash.clone(),
            closed: sale.closed,
            definition: empty,
        }
    }

    /// Where the sale stands at `now` with `available` seats left.
    pub fn phase(&self, available: u64, now: UnixMillis) -> Phase {
        self.definition.phase(self.closed, available, now)
    }
}

/// What lists show of the definitions that they met.
#[derive(Debug, Default)]
pub struct Gists(std::sync::Mutex<HashMap<SeatingEventId, Arc<Gist>>>);

impl Gists {
    fn of(&self, event: &SeatingEventId, revision: &str) -> Option<Arc<Gist>> {
        let gists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gists.get(event).filter(|gist| gist.revision == revision).map(Arc::clone)
    }

    fn keep(&self, event: &SeatingEventId, known: &Known) -> Arc<Gist> {
        let mut gists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if gists.len() >= GISTS {
            gists.clear();
        }
        let gist = Arc::new(Gist::new(known));
        gists.insert(event.clone(), Arc::clone(&gist));
        gist
    }
}

/// What is known of the SeatingEvents that this worker met last.
#[derive(Debug)]
pub struct Catalog {
    kept: RwLock<Kept>,
    /// Counts uses.
    uses: AtomicU64,
    most: u64,
    reading: std::sync::Mutex<HashMap<SeatingEventId, Weak<Mutex<()>>>>,
}

#[derive(Debug, Default)]
struct Kept {
    copies: HashMap<SeatingEventId, Used>,
    bytes: u64,
}

/// A copy, and when it was used last.
#[derive(Debug)]
struct Used {
    known: Arc<Known>,
    at: AtomicU64,
}

impl Kept {
    fn remove(&mut self, event: &SeatingEventId) {
        if let Some(copy) = self.copies.remove(event) {
            self.bytes -= copy.known.bytes;
        }
    }

    /// Removes what was used least lately until `more` bytes have room, or nothing is left.
    fn make_room(&mut self, more: u64, most: u64) {
        while self.bytes + more > most {
            let last = self.copies.iter().min_by_key(|(_, copy)| copy.at.load(Relaxed));
            let Some(event) = last.map(|(event, _)| event.clone()) else { return };
            self.remove(&event);
        }
    }

    fn insert(&mut self, event: &SeatingEventId, copy: Used) {
        self.bytes += copy.known.bytes;
        self.copies.insert(event.clone(), copy);
    }
}

impl Default for Catalog {
    fn default() -> Self {
        Self::of(BYTES)
    }
}

impl Catalog {
    fn of(most: u64) -> Self {
        Self { kept: RwLock::default(), uses: AtomicU64::new(1), most, reading: std::sync::Mutex::default() }
    }

    fn get(&self, event: &SeatingEventId) -> Option<Arc<Known>> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let copy = kept.copies.get(event)?;
        copy.at.store(self.uses.fetch_add(1, Relaxed), Relaxed);
        Some(Arc::clone(&copy.known))
    }

    /// The same for lists, which look at all and use none.
    fn glance(&self, event: &SeatingEventId) -> Option<Arc<Known>> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        kept.copies.get(event).map(|copy| Arc::clone(&copy.known))
    }

    /// Keeps a copy in place of the one before, or none.
    pub(super) fn set(&self, event: &SeatingEventId, known: Option<Arc<Known>>) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        kept.remove(event);
        if let Some(known) = known {
            let copy = Used { known, at: AtomicU64::new(self.uses.fetch_add(1, Relaxed)) };
            // The one that is used now is kept, whatever its size.
            kept.make_room(copy.known.bytes, self.most);
            kept.insert(event, copy);
        }
    }

    /// Keeps a copy where that takes nobody's room.
    fn offer(&self, event: &SeatingEventId, known: &Arc<Known>) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        kept.remove(event);
        let copy = Used { known: Arc::clone(known), at: AtomicU64::new(0) };
        if kept.bytes + copy.known.bytes <= self.most {
            kept.insert(event, copy);
        }
    }

    /// The turn of those who read the definition of one SeatingEvent.
    fn turn(&self, event: &SeatingEventId) -> Arc<Mutex<()>> {
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        reading.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = reading.get(event).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::default();
        reading.insert(event.clone(), Arc::downgrade(&turn));
        turn
    }
}

impl RedisStore {
    /// The definition of a SeatingEvent, which may have changed since; `None` where there is none.
    pub(super) async fn known(&self, event: &SeatingEventId) -> Result<Option<Arc<Known>>, StoreError> {
        match self.catalog.get(event) {
            Some(known) => Ok(Some(known)),
            None => Box::pin(self.known_after(event, None)).await,
        }
    }

    /// What lists show of a definition at `revision`. It is read once, however many there are.
    pub(super) async fn gist(
        &self,
        event: &SeatingEventId,
        revision: &str,
    ) -> Result<Option<Arc<Gist>>, StoreError> {
        if let Some(gist) = self.gists.of(event, revision) {
            return Ok(Some(gist));
        }
        let known = self.listed_at(event, revision).await?;
        Ok(known.map(|known| self.gists.keep(event, &known)))
    }

    /// The definition of a SeatingEvent at `revision`, for whoever only looks: they leave what commands use as it is.
    pub(super) async fn listed_at(
        &self,
        event: &SeatingEventId,
        revision: &str,
    ) -> Result<Option<Arc<Known>>, StoreError> {
        if let Some(known) = self.catalog.glance(event).filter(|known| known.revision == revision) {
            return Ok(Some(known));
        }
        let known = self.read_known(event).await?;
        if let Some(known) = &known {
            self.catalog.offer(event, known);
        }
        Ok(known)
    }

    /// Reads a definition that is not `stale` any more, once for all who wait for it.
    pub(super) async fn known_after(
        &self,
        event: &SeatingEventId,
        stale: Option<&Known>,
    ) -> Result<Option<Arc<Known>>, StoreError> {
        let turn = self.catalog.turn(event);
        let turn = timeout(RESPONSE_TIMEOUT, turn.lock()).await;
        let _turn = turn.map_err(|_| StoreError::Unavailable(format!("{event} cannot be read")))?;
        let is_stale = |known: &Known| stale.is_some_and(|stale| stale.revision == known.revision);
        if let Some(known) = self.catalog.get(event).filter(|known| !is_stale(known)) {
            return Ok(Some(known));
        }
        let known = self.read_known(event).await?;
        self.catalog.set(event, known.clone());
        Ok(known)
    }

    async fn read_known(&self, event: &SeatingEventId) -> Result<Option<Arc<Known>>, StoreError> {
        let (keys, mut read) = (self.keys.event(event), redis::cmd("HMGET"));
        read.arg(keys.meta()).arg(DefinitionMeta::FIELDS);
        match self.query::<DefinitionMeta>(&read).await? {
            DefinitionMeta { revision: Some(_), definition: None, .. } => Err(self.behind_the_fence(event)),
            DefinitionMeta { revision: Some(revision), definition: Some(definition), closed } => {
                let sale = Sale::new(read_definition(event, &definition)?, closed.as_deref() == Some("1"));
                let bytes = bytes_of(&sale, definition.len());
                Ok(Some(Arc::new(Known::new(revision, sale, keys.packed(), bytes, self.high_watermark))))
            }
            DefinitionMeta { revision: None, .. } => {
                self.confirm_whole(event).await?;
                Ok(None)
            }
        }
    }
}

/// About how many bytes a copy takes up whose definition is a text of that length.
fn bytes_of(sale: &Sale, text: usize) -> u64 {
    // The texts are in the definition and, in part, in what scripts are told; a seat is a byte of a map.
    BESIDES + 2 * text as u64 + ROW * sale.chart().weight() as u64 + sale.chart().len() as u64
}

/// Reads a definition as it is kept.
pub(super) fn read_definition(event: &SeatingEventId, text: &str) -> Result<Definition, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(format!("definition of {event}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::definition;

    fn event(id: &str) -> SeatingEventId {
        id.parse().unwrap()
    }

    fn known(revision: &str, bytes: u64) -> Arc<Known> {
        Arc::new(Known::new(revision.to_owned(), Sale::new(definition(), false), Cmd::new(), bytes, 1))
    }

    fn kept(catalog: &Catalog) -> (Vec<String>, u64) {
        let kept = catalog.kept.read().unwrap();
        let mut events: Vec<_> = kept.copies.keys().map(ToString::to_string).collect();
        events.sort();
        (events, kept.bytes)
    }

    #[test]
    fn what_was_used_least_lately_makes_room_for_what_is_used_now() {
        let catalog = Catalog::of(3 * 400);
        for id in ["a", "b", "c"] {
            catalog.set(&event(id), Some(known("1", 400)));
        }
        assert!(catalog.get(&event("a")).is_some());
        catalog.set(&event("d"), Some(known("1", 400)));
        assert_eq!(kept(&catalog), (vec!["a".into(), "c".into(), "d".into()], 1_200));
        // A larger one takes the place of two.
        catalog.set(&event("e"), Some(known("1", 800)));
        assert_eq!(kept(&catalog), (vec!["d".into(), "e".into()], 1_200));
        // One that is larger than all that there is room for is kept alone.
        catalog.set(&event("f"), Some(known("1", 5_000)));
        assert_eq!(kept(&catalog), (vec!["f".into()], 5_000));
        catalog.set(&event("g"), Some(known("1", 400)));
        assert_eq!(kept(&catalog), (vec!["g".into()], 400));
        catalog.set(&event("g"), None);
        assert_eq!(kept(&catalog), (vec![], 0));
    }

    #[test]
    fn a_later_revision_takes_the_place_of_the_one_before() {
        let catalog = Catalog::of(1_000);
        catalog.set(&event("a"), Some(known("1", 400)));
        catalog.set(&event("a"), Some(known("2", 300)));
        assert_eq!(kept(&catalog), (vec!["a".into()], 300));
        assert_eq!(catalog.get(&event("a")).unwrap().revision, "2");
    }

    #[test]
    fn a_list_takes_nobodys_room() {
        let catalog = Catalog::of(2 * 400);
        catalog.set(&event("a"), Some(known("1", 400)));
        catalog.offer(&event("b"), &known("1", 400));
        catalog.offer(&event("c"), &known("1", 400));
        assert_eq!(kept(&catalog).0, ["a", "b"]);
        assert!(catalog.glance(&event("a")).is_some());
        // Whoever was only listed goes first.
        catalog.set(&event("c"), Some(known("1", 400)));
        assert_eq!(kept(&catalog).0, ["a", "c"]);
    }

    #[test]
    fn lists_need_nothing_but_a_gist_of_the_revision_that_stands() {
        let (gists, known) = (Gists::default(), known("1", 400));
        assert_eq!(gists.of(&event("a"), "1"), None);
        let gist = gists.keep(&event("a"), &known);
        assert_eq!(gists.of(&event("a"), "1").as_ref(), Some(&gist));
        assert_eq!(gists.of(&event("a"), "2"), None);
        let stands = &known.sale.definition;
        assert_eq!((&gist.chart_hash, &gist.definition_hash), (&stands.chart_hash(), &stands.digest()));
        for (available, now) in [(1, 0), (0, stands.closes_at() - 1), (1, stands.closes_at())] {
            assert_eq!(gist.phase(available, now), stands.phase(false, available, now));
        }
        for n in 0..GISTS {
            gists.keep(&event(&format!("e{n}")), &known);
        }
        assert!(gists.0.lock().unwrap().len() <= GISTS);
    }

    #[tokio::test]
    async fn who_reads_one_seating_event_holds_up_nobody_who_reads_another() {
        let catalog = Catalog::default();
        let (a, same, other) = (event("a"), catalog.turn(&event("a")), catalog.turn(&event("b")));
        let reading = same.lock().await;
        assert!(catalog.turn(&a).try_lock().is_err(), "its readers wait for each other");
        assert!(other.try_lock().is_ok());
        drop(reading);
        assert!(catalog.turn(&a).try_lock().is_ok());
        drop((same, other));
        assert_eq!(Arc::strong_count(&catalog.turn(&a)), 1);
        assert_eq!(catalog.reading.lock().unwrap().len(), 1, "those whom nobody reads are forgotten");
    }
}
