//! One SeatingEvent in memory: its seats behind a lock that is held for moments, and their JSON, rendered outside it.
//!
//! Written by [`follow`](super::follow), read by the handlers. Rendering happens on a blocking thread, once for all
//! who wait: a request that comes while a rendering runs waits for the one after it, or takes this one if nothing
//! changed since. So however many buyers and events there are, one map is rendered by one thread at a time. What is kept
//! of it is its last rendering, and those of the sections that were asked for: less than the seats themselves take.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use boxoffice_domain::{ChartError, DomainEvent, SeatMap};
use tokio::task::spawn_blocking;

use super::picture::{Frame, Picture, Template};
use super::tag::Tag;

/// A SeatingEvent's seats with their rendered forms.
#[derive(Debug)]
pub struct LiveMap {
    current: RwLock<Current>,
    /// The last rendering of the whole map (`None`) and of each section that was asked for.
    pictures: Mutex<HashMap<Option<String>, Slot>>,
}

type Slot = Arc<tokio::sync::Mutex<Option<Arc<Picture>>>>;

#[derive(Debug)]
struct Current {
    map: SeatMap,
    chart_hash: String,
    /// What of the JSON does not change with the seats' status; made when it is first needed.
    template: OnceLock<Arc<Template>>,
}

impl Current {
    fn new(map: SeatMap) -> Self {
        Self { chart_hash: map.definition.chart_hash(), map, template: OnceLock::new() }
    }
}

/// A rendering, and whether it was made for this request.
#[derive(Debug)]
pub struct Drawn {
    /// The rendering.
    pub picture: Arc<Picture>,
    /// Whether it was not there already.
    pub anew: bool,
}

/// Why there is no rendering.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The chart has no such section.
    #[error("there is no such section")]
    NoSuchSection,
    /// The process is shutting down.
    #[error("rendering stopped: {0}")]
    Stopped(#[from] tokio::task::JoinError),
}

impl LiveMap {
    /// A map that nothing was rendered of yet.
    pub fn new(map: SeatMap) -> Self {
        Self { current: RwLock::new(Current::new(map)), pictures: Mutex::default() }
    }

    /// Looks at the seats. `look` runs under the lock, so it is short and takes no other lock.
    pub fn read<T>(&self, look: impl FnOnce(&SeatMap) -> T) -> T {
        look(&self.current.read().unwrap_or_else(PoisonError::into_inner).map)
    }

    /// The state that a request would see now.
    pub fn tag(&self) -> Tag {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Tag { chart_hash: current.chart_hash.clone(), sequence: current.map.sequence }
    }

    /// Applies the next domain event; one that cannot be read (`None`) only advances the sequence.
    pub(super) fn apply(&self, fact: Option<&DomainEvent>, sequence: u64) -> Result<(), ChartError> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.map.sequence = sequence;
        let Some(fact) = fact else { return Ok(()) };
        if current.map.apply(fact, sequence)?.is_none() {
            current.chart_hash = current.map.definition.chart_hash();
            current.template = OnceLock::new();
            self.forget_pictures();
        }
        Ok(())
    }

    /// Takes another map in place of this one.
    pub(super) fn replace(&self, map: SeatMap) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Current::new(map);
        self.forget_pictures();
    }

    /// The seats as JSON, of the whole map or of one section, no older than this call.
    pub async fn picture(self: &Arc<Self>, section: Option<&str>) -> Result<Drawn, PictureError> {
        let slot = self.slot(section)?;
        let wanted = self.tag();
        let mut latest = slot.lock().await;
        if let Some(picture) = latest.as_ref().filter(|picture| picture.shows(&wanted)) {
            return Ok(Drawn { picture: Arc::clone(picture), anew: false });
        }
        let (live, section) = (Arc::clone(self), section.map(str::to_owned));
        let picture = spawn_blocking(move || Picture::render(&live.frame(), section.as_deref())).await?;
        Ok(Drawn { picture: Arc::clone(latest.insert(Arc::new(picture))), anew: true })
    }

    /// What a rendering needs, so that it runs without the lock.
    fn frame(&self) -> Frame {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Frame {
            template: Arc::clone(current.template.get_or_init(|| Arc::new(Template::new(&current.map)))),
            tag: Tag { chart_hash: current.chart_hash.clone(), sequence: current.map.sequence },
            statuses: current.map.statuses().to_vec(),
        }
    }

    /// Whether a request for `section` can be answered.
    pub fn has(&self, section: Option<&str>) -> Result<(), PictureError> {
        let exists =
            |id: &str| self.read(|map| map.definition.sections.iter().any(|section| section.id == id));
        if section.is_none_or(exists) { Ok(()) } else { Err(PictureError::NoSuchSection) }
    }

    fn slot(&self, section: Option<&str>) -> Result<Slot, PictureError> {
        self.has(section)?;
        let mut pictures = self.pictures.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(pictures.entry(section.map(str::to_owned)).or_default()))
    }

    fn forget_pictures(&self) {
        self.pictures.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
