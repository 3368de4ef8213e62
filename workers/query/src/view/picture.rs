//! A seat map as JSON: `{"eventId", "sequence", "seats": [{seatId, sectionId, row, number, status, priceCategory}]}`.
//!
//! Of a seat's JSON only the status ever changes, so a [`Template`] holds the rest ready and a rendering is a row of
//! copies. Knows nothing of HTTP; [`crate::http`] serves it.

use std::io::Write;
use std::sync::Arc;

use boxoffice_domain::project::SeatStatus;
use boxoffice_domain::{SeatId, SeatMap};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;

use super::tag::Tag;

/// What of a chart's JSON does not depend on the seats' status.
#[derive(Debug)]
pub struct Template {
    /// From the opening brace to where the sequence stands.
    head: String,
    /// Each seat's JSON up to its status, one after the other.
    seats: String,
    /// Where each seat ends in `seats`.
    ends: Vec<usize>,
    /// The sections, in chart order.
    sections: Vec<SectionTemplate>,
}

#[derive(Debug)]
struct SectionTemplate {
    id: String,
    /// The JSON of its seats behind their status.
    tail: String,
    /// How many seats it has.
    seats: usize,
}

impl Template {
    /// The template of a map's chart.
    pub fn new(map: &SeatMap) -> Self {
        let mut sections: Vec<_> = map.definition.sections.iter().map(SectionTemplate::new).collect();
        let (mut seats, mut ends) = (String::new(), Vec::with_capacity(map.chart().len()));
        for seat in map.chart().seats() {
            let section = &mut sections[seat.section()];
            section.seats += 1;
            let id = SeatId::from_chart(&map.id, &seat.key());
            // Ids and labels are letters, digits, hyphens and underscores: nothing in them needs an escape.
            seats.extend([r#"{"seatId":""#, id.as_str(), r#"","sectionId":""#, &section.id]);
            seats.extend([r#"","row":""#, seat.row(), r#"","number":""#, &seat.number(), r#"","status":""#]);
            ends.push(seats.len());
        }
        Self { head: format!(r#"{{"eventId":"{}","sequence":"#, map.id), seats, ends, sections }
    }
}

impl SectionTemplate {
    fn new(section: &boxoffice_domain::definition::Section) -> Self {
        let category = serde_json::Value::from(section.price_category.as_str());
        Self { id: section.id.clone(), tail: format!(r#"","priceCategory":{category}}}"#), seats: 0 }
    }
}

/// A moment of a map: everything that rendering it takes.
#[derive(Debug)]
pub struct Frame {
    /// What does not change.
    pub template: Arc<Template>,
    /// Which moment.
    pub tag: Tag,
    /// Each seat's status, in chart order.
    pub statuses: Vec<SeatStatus>,
}

/// A rendered map.
#[derive(Debug)]
pub struct Picture {
    /// What it shows.
    pub tag: Tag,
    /// The JSON.
    pub json: Bytes,
    gzip: OnceCell<Bytes>,
}

impl Picture {
    /// Renders the seats of one section, or of all.
    pub fn render(frame: &Frame, section: Option<&str>) -> Self {
        const LONGEST_STATUS: usize = "AVAILABLE".len();
        let template = &*frame.template;
        let tails = template.sections.iter().map(|section| section.tail.len() * section.seats).sum::<usize>();
        let room = template.seats.len() + tails + frame.statuses.len() * (LONGEST_STATUS + 1) + 128;
        let mut json = Vec::with_capacity(if section.is_none() { room } else { 0 });
        json.extend_from_slice(template.head.as_bytes());
        json.extend_from_slice(frame.tag.sequence.to_string().as_bytes());
        json.extend_from_slice(br#","seats":["#);
        let (mut start, mut seats) = (0, template.ends.iter().zip(&frame.statuses));
        let mut separator: &[u8] = b"";
        for part in &template.sections {
            let shown = section.is_none_or(|id| id == part.id);
            for (&end, status) in seats.by_ref().take(part.seats) {
                if shown {
                    json.extend_from_slice(separator);
                    json.extend_from_slice(&template.seats.as_bytes()[start..end]);
                    json.extend_from_slice(status.as_str().as_bytes());
                    json.extend_from_slice(part.tail.as_bytes());
                    separator = b",";
                }
                start = end;
            }
        }
        json.extend_from_slice(b"]}");
        Self { tag: frame.tag.clone(), json: json.into(), gzip: OnceCell::new() }
    }

    /// Whether it shows the state `wanted` or a later one of the same chart.
    pub fn shows(&self, wanted: &Tag) -> bool {
        self.tag.chart_hash == wanted.chart_hash && self.tag.sequence >= wanted.sequence
    }

    /// The JSON as gzip, compressed once; `None` where that failed, which leaves the JSON itself to be sent.
    pub async fn gzip(&self) -> Option<Bytes> {
        let compress = || async {
            let json = self.json.clone();
            spawn_blocking(move || gzip(&json)).await.map_err(std::io::Error::other)?
        };
        self.gzip.get_or_try_init(compress).await.ok().cloned()
    }
}

fn gzip(json: &[u8]) -> std::io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(json.len() / 8), Compression::fast());
    encoder.write_all(json)?;
    Ok(encoder.finish()?.into())
}

#[cfg(test)]
#[path = "picture_tests.rs"]
mod tests;
