//! The seats of one section as JSON, with what a status is written in always as wide: a change is written over what was
//! there, and what does not change is shared by one rendering and the next.

use std::sync::{Arc, OnceLock};

use boxoffice_domain::definition::Section;
use boxoffice_domain::project::SeatStatus;
use boxoffice_domain::{ChartRow, SeatId, SeatingEventId};
use bytes::{Bytes, BytesMut};

use super::gzip::{Deflated, deflate};

/// A status with its quotes, and blanks up to the widest.
const WIDTH: usize = r#""AVAILABLE""#.len();

/// The seats of a section, one after the other with commas between.
#[derive(Debug)]
pub struct SectionForm {
    /// Sequence of the last domain event that changed anything of it.
    pub sequence: u64,
    /// The JSON.
    pub json: Bytes,
    statuses: Vec<SeatStatus>,
    /// Where in the JSON each seat's status is; the same in every form of the section.
    slots: Arc<[u32]>,
    deflated: OnceLock<Deflated>,
}

impl SectionForm {
    /// The first form of a section.
    pub fn new<'a>(
        event: &SeatingEventId,
        section: &Section,
        rows: impl Iterator<Item = ChartRow<'a>>,
        statuses: &[SeatStatus],
        sequence: u64,
    ) -> Self {
        let category = serde_json::Value::from(section.price_category.as_str());
        let tail = format!(r#","priceCategory":{category}}}"#);
        let (mut json, mut slots, mut own) = (Vec::new(), vec![], vec![]);
        for row in rows {
            for (seat, status) in row.seats().zip(statuses.get(row.places()).unwrap_or_default()) {
                let id = SeatId::from_chart(event, &seat.key());
                // Ids and labels are letters, digits, hyphens and underscores: nothing in them needs an escape.
                for part in [
                    if json.is_empty() { r#"{"seatId":""# } else { r#",{"seatId":""# },
                    id.as_str(),
                    r#"","sectionId":""#,
                    &section.id,
                    r#"","row":""#,
                    row.name(),
                    r#"","number":""#,
                    &seat.number(),
                    r#"","status":"#,
                ] {
                    json.extend_from_slice(part.as_bytes());
                }
                slots.push(u32::try_from(json.len()).unwrap_or(u32::MAX));
                own.push(*status);
                json.extend_from_slice(&written(*status));
                json.extend_from_slice(tail.as_bytes());
            }
        }
        // As large as it is: it grew by doubling, and what is kept is counted by its length.
        let json = Bytes::copy_from_slice(&json);
        Self { sequence, json, statuses: own, slots: slots.into(), deflated: OnceLock::new() }
    }

    /// The form that follows this one.
    #[must_use]
    pub fn next(&self, statuses: impl Iterator<Item = SeatStatus>, sequence: u64) -> Self {
        let statuses: Vec<_> = statuses.collect();
        let mut json = BytesMut::from(&*self.json);
        for ((before, now), slot) in self.statuses.iter().zip(&statuses).zip(&*self.slots) {
            let slot = *slot as usize;
            if before != now
                && let Some(place) = json.get_mut(slot..slot + WIDTH)
            {
                place.copy_from_slice(&written(*now));
            }
        }
        let (json, slots) = (json.freeze(), Arc::clone(&self.slots));
        Self { sequence, json, statuses, slots, deflated: OnceLock::new() }
    }

    /// Whether it was compressed already.
    pub fn is_deflated(&self) -> bool {
        self.deflated.get().is_some()
    }

    /// Compressed, once.
    pub fn deflated(&self) -> &Deflated {
        self.deflated.get_or_init(|| deflate(&self.json))
    }

    /// About how many bytes of memory it takes up.
    pub fn weight(&self) -> usize {
        let deflated = self.deflated.get().map_or(0, Deflated::weight);
        self.json.len() + deflated + self.statuses.len() * (1 + size_of::<u32>())
    }
}

fn written(status: SeatStatus) -> [u8; WIDTH] {
    let mut text = [b' '; WIDTH];
    let quoted = [b"\"", status.as_str().as_bytes(), b"\""].concat();
    text[..quoted.len()].copy_from_slice(&quoted);
    text
}
