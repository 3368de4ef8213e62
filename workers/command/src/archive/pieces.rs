//! An archive as records: its JSON as it is, so that everybody can read it, in pieces that every broker takes.
//!
//! Mostly there is one, under the SeatingEvent's id. A longer one goes on under `<eventId>/1`, `<eventId>/2` and so on, one
//! behind the other in one transaction; put together they are the JSON. Headers say what a piece belongs to. What an
//! earlier and longer one had beyond that is taken off in the same transaction.

use boxoffice_domain::SeatingEventId;
use boxoffice_runtime::record::{Content, Headers, NewRecord};

use super::{Archive, ArchiveError};
use crate::snapshot::{PIECE, number};

const ARCHIVE_FORMAT: &str = "archive-format";
const SEQUENCE: &str = "sequence";
const PIECES: &str = "pieces";
const SIZE: &str = "size";
const HASH: &str = "hash";

/// What the headers of each piece say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The archive's form.
    pub format: u32,
    /// Sequence of the SeatingEvent's last domain event.
    pub sequence: u64,
    /// How many pieces there are.
    pub pieces: u32,
    /// Bytes of its JSON.
    pub size: u64,
    /// The hash that it has.
    pub hash: String,
}

impl Head {
    /// What a record's headers say; `None` where it is no piece of an archive.
    pub fn of(record: &Content) -> Option<Self> {
        Some(Self {
            format: number(record, ARCHIVE_FORMAT)?,
            sequence: number(record, SEQUENCE)?,
            pieces: number(record, PIECES)?,
            size: number(record, SIZE)?,
            hash: record.header(HASH)?.to_owned(),
        })
    }

    fn headers(&self) -> Headers {
        let Self { format, sequence, pieces, size, hash } = self;
        let header = |name: &'static str, value: String| (name.into(), value.into());
        vec![
            header(ARCHIVE_FORMAT, format.to_string()),
            header(SEQUENCE, sequence.to_string()),
            header(PIECES, pieces.to_string()),
            header(SIZE, size.to_string()),
            header(HASH, hash.clone()),
            ("content-type".into(), "application/json".into()),
        ]
    }
}

/// Whose piece a record is, by its key, and which one.
pub fn piece_of(key: &str) -> Option<(SeatingEventId, u32)> {
    match key.rsplit_once('/') {
        None => Some((key.parse().ok()?, 0)),
        Some((event, number)) => Some((event.parse().ok()?, number.parse().ok()?)),
    }
}

fn key_of(event: &SeatingEventId, number: u32) -> String {
    if number == 0 { event.to_string() } else { format!("{event}/{number}") }
}

/// The records that take the place of the `before` pieces that there are, with what they say. They have the time of the
/// last domain event: nothing in them depends on when they are written.
///
/// # Errors
/// An archive that has no JSON, or too much.
pub fn records_of(archive: &Archive, before: u32) -> Result<(Head, Vec<NewRecord>), ArchiveError> {
    let text = archive.to_json()?;
    let pieces: Vec<_> = text.as_bytes().chunks(PIECE).collect();
    let head = Head {
        format: archive.format,
        sequence: archive.sequence,
        pieces: u32::try_from(pieces.len()).map_err(|_| archive.unusable("it is too large"))?,
        size: text.len() as u64,
        hash: archive.hash.clone(),
    };
    let record = |number: u32, value: &[u8], headers: Headers| NewRecord {
        partition: archive.partition,
        key: key_of(&archive.event_id, number),
        value: value.to_vec(),
        headers,
        timestamp: archive.last_event_at,
    };
    let written = (0..).zip(pieces).map(|(number, piece)| record(number, piece, head.headers()));
    let gone = (head.pieces..before).map(|number| record(number, &[], vec![]));
    let records = written.chain(gone).collect();
    Ok((head, records))
}
