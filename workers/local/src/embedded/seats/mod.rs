//! The seat store of `boxoffice local`: that without a server, with the data file for a journal.
//!
//! What decides is [`boxoffice_command::store::embedded`]. Here its writes become rows, and [`recovery`] reads them back.

mod recovery;

use async_trait::async_trait;
use boxoffice_command::store::embedded::journal::{SeatJournal, Ticket, Write, WrittenAnswer, WrittenEvent};
use boxoffice_command::store::{StoreError, embedded};
use boxoffice_domain::SeatingEventId;

use super::journal::{self, AnswerRow, EventRow, Journal, JournalError};

pub use boxoffice_command::store::embedded::{Clock, Rules};

/// See the module.
pub type EmbeddedSeats = embedded::EmbeddedSeats<Journal>;

/// The store in the data file behind `journal`: every SeatingEvent is worked out from its events again. `clock` is that of
/// all seats (I6).
///
/// # Errors
/// A file that cannot be read, or holds what this version did not write.
pub async fn open(journal: Journal, clock: Clock) -> Result<EmbeddedSeats, StoreError> {
    let aggregates = recovery::aggregates(journal.readers()).await?;
    Ok(EmbeddedSeats::new(journal, clock, aggregates))
}

impl From<JournalError> for StoreError {
    fn from(error: JournalError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

#[async_trait]
impl SeatJournal for Journal {
    fn write(&self, write: Write) -> Ticket {
        self.write(rows(write))
    }

    async fn committed(&self, ticket: Ticket) -> Result<(), StoreError> {
        Ok(self.committed(ticket).await?)
    }
}

/// A write of the seats, as the file takes it.
fn rows(write: Write) -> journal::Write {
    let nothing = journal::Write::default();
    match write {
        Write::Done { event, pinned, events, answer, sync } => done(&event, pinned, events, answer, sync),
        Write::Forgotten(event, upto) => {
            journal::Write { forgotten: Some((event.to_string(), upto)), ..nothing }
        }
        Write::Published(event, upto) => {
            journal::Write { published: Some((event.to_string(), upto)), ..nothing }
        }
    }
}

fn done(
    event: &SeatingEventId,
    pinned: Option<u32>,
    events: Vec<WrittenEvent>,
    answer: Option<WrittenAnswer>,
    sync: bool,
) -> journal::Write {
    let row = |WrittenEvent { sequence, json, traceparent }| {
        EventRow(event.to_string(), sequence, json, traceparent)
    };
    let answer = answer.map(|WrittenAnswer { at, key, fingerprint, json }| {
        AnswerRow(event.to_string(), at, key, fingerprint, json)
    });
    journal::Write {
        events: events.into_iter().map(row).collect(),
        answer,
        pinned: pinned.map(|partition| (event.to_string(), partition)),
        sync,
        ..journal::Write::default()
    }
}
