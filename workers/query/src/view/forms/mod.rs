//! What is sent of a seat map: JSON as [`section`]s, compressed ([`gzip`]) or not, and [`packed`].
//!
//! A [`Rendering`] is a moment of one SeatingEvent, made at most every [`TICK`] and only while somebody asks, and shared by
//! all who do. What it takes up is bounded for the replica as a whole ([`Renderings`]): those that nobody asked for lately go.

pub mod gzip;
pub mod packed;
pub mod section;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use boxoffice_domain::project::SeatStatus;
use boxoffice_domain::{Chart, ChartRow, Definition, SeatingEventId};
use bytes::Bytes;
use tokio::time::Instant;

use self::gzip::{member, stored};
use self::section::SectionForm;
use super::tag::Tag;

/// Shortest time between two renderings of a SeatingEvent, and so the greatest age of a map.
pub const TICK: Duration = Duration::from_millis(100);
/// About how many bytes all renderings of a replica take up.
const BUDGET: usize = 64 * 1024 * 1024;

/// What a rendering is made of, taken out of a map that goes on changing.
#[derive(Debug)]
pub struct Moment {
    /// Which moment.
    pub tag: Tag,
    /// The SeatingEvent.
    pub event: SeatingEventId,
    /// Its definition.
    pub definition: Arc<Definition>,
    /// Its chart.
    pub chart: Arc<Chart>,
    /// Sequence of the last change of the definition.
    pub defined: u64,
    /// By section of the definition, the sequence of the last domain event that changed anything of it.
    pub sections: Vec<u64>,
    /// What the seats are, in chart order.
    pub statuses: Vec<SeatStatus>,
}

/// A moment of a map as it is sent.
#[derive(Debug)]
pub struct Rendering {
    /// What it shows.
    pub tag: Tag,
    /// The same as a text: what entity tags are made of.
    pub named: String,
    /// When it was made.
    pub at: Instant,
    event: SeatingEventId,
    defined: u64,
    sections: Vec<Section>,
    statuses: Vec<SeatStatus>,
    packed: OnceLock<Bytes>,
}

#[derive(Debug)]
struct Section {
    id: String,
    form: Arc<SectionForm>,
}

/// How a body of JSON is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    Identity,
    /// Compressed.
    Gzip,
}

impl Rendering {
    /// Renders a moment; what `before` has of the same seats is used again. It takes a while for many seats.
    pub fn new(moment: Moment, before: Option<&Self>) -> Self {
        let Moment { tag, event, definition, chart, defined, sections, statuses } = moment;
        let before = before.filter(|before| before.defined == defined && before.tag.epoch == tag.epoch);
        let forms = definition.sections.iter().enumerate().map(|(nth, section)| {
            let sequence = sections.get(nth).copied().unwrap_or_default();
            let form = match before.and_then(|before| before.sections.get(nth)) {
                Some(Section { form, .. }) if form.sequence == sequence => Arc::clone(form),
                Some(Section { form, .. }) => {
                    let places = chart.rows().filter(|row| row.section() == nth);
                    let places = places.flat_map(ChartRow::places);
                    let now = places.map(|place| statuses.get(place).copied().unwrap_or_default());
                    Arc::new(form.next(now, sequence))
                }
                None => {
                    let rows = chart.rows().filter(|row| row.section() == nth);
                    Arc::new(SectionForm::new(&event, section, rows, &statuses, sequence))
                }
            };
            Section { id: section.id.clone(), form }
        });
        Self {
            at: Instant::now(),
            defined,
            sections: forms.collect(),
            event,
            statuses,
            packed: OnceLock::new(),
            named: tag.to_string(),
            tag,
        }
    }

    /// Which state of a section it shows: one changes with the seats of the section alone, though what is sent says the sequence
    /// of the whole map. `None` where there is no such section.
    pub fn tag_of(&self, section: &str) -> Option<Tag> {
        let sequence = self.shown(Some(section)).map(|form| form.sequence).max()?;
        Some(Tag { sequence, ..self.tag.clone() })
    }

    /// All seats, or those of one section, as JSON; `None` where there is no such section. Compressing takes a while where
    /// that was not done yet.
    pub fn json(&self, section: Option<&str>, encoding: Encoding) -> Option<Vec<Bytes>> {
        let sequence = self.tag.sequence;
        if section.is_some() {
            self.shown(section).next()?;
        }
        let epoch =
            if self.tag.epoch > 0 { format!(r#","epoch":{}"#, self.tag.epoch) } else { String::new() };
        let head = format!(r#"{{"eventId":"{}","sequence":{sequence}{epoch},"seats":["#, self.event);
        let shown = self.shown(section).filter(|form| !form.json.is_empty());
        Some(match encoding {
            Encoding::Identity => {
                let mut pieces = vec![Bytes::from(head)];
                for form in shown {
                    if pieces.len() > 1 {
                        pieces.push(Bytes::from_static(b","));
                    }
                    pieces.push(form.json.clone());
                }
                pieces.push(Bytes::from_static(b"]}"));
                pieces
            }
            Encoding::Gzip => {
                let (head, comma, end) = (stored(head.as_bytes()), stored(b","), stored(b"]}"));
                let mut parts = vec![&head];
                for form in shown {
                    if parts.len() > 1 {
                        parts.push(&comma);
                    }
                    parts.push(form.deflated());
                }
                parts.push(&end);
                member(parts)
            }
        })
    }

    /// Whether nothing is left to be compressed.
    pub fn is_deflated(&self, section: Option<&str>) -> bool {
        self.shown(section).all(SectionForm::is_deflated)
    }

    /// All seats, packed.
    pub fn packed(&self) -> Bytes {
        self.packed.get_or_init(|| packed::packed(&self.tag, &self.statuses)).clone()
    }

    /// All sections, or those that have this id.
    fn shown(&self, id: Option<&str>) -> impl Iterator<Item = &SectionForm> {
        let shown = self.sections.iter().filter(move |section| id.is_none_or(|id| section.id == id));
        shown.map(|section| &*section.form)
    }

    fn weight(&self) -> usize {
        let forms = self.sections.iter().map(|section| section.form.weight()).sum::<usize>();
        forms + self.statuses.len() * 2
    }
}

/// The last rendering of each SeatingEvent, as far as there is room.
#[derive(Debug, Default)]
pub struct Renderings(Mutex<HashMap<SeatingEventId, Kept>>);

#[derive(Debug)]
struct Kept {
    rendering: Arc<Rendering>,
    used: Instant,
}

impl Renderings {
    /// The last one.
    pub fn get(&self, event: &SeatingEventId) -> Option<Arc<Rendering>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.get_mut(event)?;
        kept.used = Instant::now();
        Some(Arc::clone(&kept.rendering))
    }

    /// Keeps one in place of the one before. Those that nobody asked for lately make room.
    pub fn keep(&self, event: &SeatingEventId, rendering: Arc<Rendering>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(event.clone(), Kept { rendering, used: Instant::now() });
        let mut weights: Vec<_> =
            kept.iter().map(|(of, it)| (it.used, of.clone(), it.rendering.weight())).collect();
        weights.sort_unstable();
        let mut weight = weights.iter().map(|(_, _, weight)| weight).sum::<usize>();
        for (_, of, its) in weights {
            if weight <= BUDGET || of == *event {
                break;
            }
            kept.remove(&of);
            weight -= its;
        }
    }

    /// Forgets what there is of a SeatingEvent.
    pub fn forget(&self, event: &SeatingEventId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(event);
    }
}

#[cfg(test)]
mod tests;
