//! A snapshot as records: its JSON, compressed, in pieces that every broker takes.
//!
//! The pieces of one snapshot are written in one transaction, one behind the other, under the keys `<eventId>/0`,
//! `<eventId>/1` and so on; what an earlier and longer one had beyond that is taken off in the same transaction. Headers
//! say what a piece belongs to, so that nobody has to take the others apart to know.

use std::io::{Read, Write};
use std::str::FromStr;

use boxoffice_domain::SeatingEventId;
use boxoffice_runtime::record::{Content, Headers, NewRecord};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::{FORMAT, Snapshot, SnapshotError};

/// Most bytes of a piece: brokers take 1 MB unless told otherwise, and headers need room too.
pub const PIECE: usize = 900 * 1024;

const SNAPSHOT_FORMAT: &str = "snapshot-format";
const SEQUENCE: &str = "sequence";
const OFFSET: &str = "offset";
const PIECES: &str = "pieces";
const SIZE: &str = "size";

/// What the headers of each piece say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The snapshot's form.
    pub format: u32,
    /// Sequence of the SeatingEvent's last domain event.
    pub sequence: u64,
    /// Everything before it on the log is in it.
    pub offset: u64,
    /// How many pieces there are.
    pub pieces: u32,
    /// Bytes of its JSON.
    pub size: u64,
}

impl Head {
    /// What a record's headers say; `None` where it is no piece of a snapshot.
    pub fn of(record: &Content) -> Option<Self> {
        Some(Self {
            format: number(record, SNAPSHOT_FORMAT)?,
            sequence: number(record, SEQUENCE)?,
            offset: number(record, OFFSET)?,
            pieces: number(record, PIECES)?,
            size: number(record, SIZE)?,
        })
    }

    fn headers(&self) -> Headers {
        let Self { format, sequence, offset, pieces, size } = *self;
        let header = |name: &'static str, value: u64| (name.into(), value.to_string().into());
        vec![
            header(SNAPSHOT_FORMAT, format.into()),
            header(SEQUENCE, sequence),
            header(OFFSET, offset),
            header(PIECES, pieces.into()),
            header(SIZE, size),
            ("content-type".into(), "application/json".into()),
            ("content-encoding".into(), "gzip".into()),
        ]
    }
}

/// The number that a header says.
pub fn number<N: FromStr>(record: &Content, name: &str) -> Option<N> {
    record.header(name)?.parse().ok()
}

/// Whose piece a record is, by its key, and which one.
pub fn piece_of(key: &str) -> Option<(SeatingEventId, u32)> {
    let (event, number) = key.rsplit_once('/')?;
    Some((event.parse().ok()?, number.parse().ok()?))
}

fn key_of(event: &SeatingEventId, number: u32) -> String {
    format!("{event}/{number}")
}

/// The records that take the place of the `before` pieces that there are, with what they say. `timestamp` is when they are
/// written, in Unix milliseconds.
///
/// # Errors
/// A state that has no JSON.
pub fn records_of(
    snapshot: &Snapshot,
    before: u32,
    timestamp: u64,
) -> Result<(Head, Vec<NewRecord>), SnapshotError> {
    let event = &snapshot.state.id;
    let wrong = |reason: String| SnapshotError::Unusable { event: event.clone(), reason };
    let json = serde_json::to_vec(snapshot).map_err(|error| wrong(error.to_string()))?;
    let mut packed = GzEncoder::new(vec![], Compression::fast());
    let packed = packed.write_all(&json).and_then(|()| packed.finish());
    let packed = packed.map_err(|error| wrong(error.to_string()))?;
    let pieces: Vec<_> = packed.chunks(PIECE).collect();
    let head = Head {
        format: FORMAT,
        sequence: snapshot.state.sequence,
        offset: snapshot.offset,
        pieces: u32::try_from(pieces.len()).map_err(|_| wrong("it is too large".into()))?,
        size: json.len() as u64,
    };
    let record = |number: u32, value: Vec<u8>, headers: Headers| NewRecord {
        partition: snapshot.partition,
        key: key_of(event, number),
        value,
        headers,
        timestamp,
    };
    let written = (0..).zip(pieces).map(|(number, piece)| record(number, piece.to_vec(), head.headers()));
    let gone = (head.pieces..before).map(|number| record(number, vec![], vec![]));
    Ok((head, written.chain(gone).collect()))
}

/// The snapshot whose pieces, put together, are `packed`.
///
/// # Errors
/// One of a later version, or torn.
pub fn put_together(event: &SeatingEventId, head: Head, packed: &[u8]) -> Result<Snapshot, SnapshotError> {
    let wrong = |reason: String| SnapshotError::Unusable { event: event.clone(), reason };
    if head.format > FORMAT {
        return Err(wrong(format!("it has format {}, this version knows {FORMAT} at most", head.format)));
    }
    let mut json = Vec::with_capacity(usize::try_from(head.size).unwrap_or_default());
    // What is said of its size is a bound: a piece that was tampered with does not fill the memory.
    let mut unpacked = GzDecoder::new(packed).take(head.size + 1);
    unpacked.read_to_end(&mut json).map_err(|error| wrong(error.to_string()))?;
    let snapshot: Snapshot = serde_json::from_slice(&json).map_err(|error| wrong(error.to_string()))?;
    if (snapshot.state.id.as_str(), snapshot.state.sequence) != (event.as_str(), head.sequence) {
        return Err(wrong("it is another's".to_owned()));
    }
    Ok(snapshot)
}
