//! What became of SeatingEvents so far, apart from their definitions: the table `shows`, which keeps it also of those
//! that have no definition, yet or any more.
//!
//! Read once a batch, changed in memory, written once. An event whose sequence is not above the checkpoint's comes late:
//! it was parked and redriven. Where that changes what is shown, the same sequence shows something else from then on, and
//! the epoch says so.

use std::collections::{BTreeSet, HashMap};

use boxoffice_domain::{Envelope, SeatingEventId, UnixMillis};
use sqlx::PgConnection;

use crate::handlers::{ApplyError, bigint};

/// What became of a SeatingEvent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct History {
    /// The last sequence that the view met before this batch; 0 where it met none.
    pub last: u64,
    /// The sequence that closed it; 0 where none did.
    pub closed_at: u64,
    /// The sequence that purged it: what is not above it is forgotten; 0 where none did.
    pub purged_at: u64,
    /// Since when it is over, where it is not in the view any more.
    pub over_at: Option<u64>,
    /// Whether its seats have left the view because it was over.
    pub has_left: bool,
    /// Whether something that came late changed what is shown.
    is_rewritten: bool,
}

type Row = (String, i64, i64, i64, Option<i64>, bool);

/// Those of a batch.
#[derive(Debug, Default)]
pub struct Histories {
    of: HashMap<SeatingEventId, History>,
    touched: BTreeSet<SeatingEventId>,
}

impl Histories {
    /// Of the SeatingEvents that `events` are about.
    pub async fn load(connection: &mut PgConnection, events: &[&Envelope]) -> Result<Self, ApplyError> {
        let asked: BTreeSet<&str> = events.iter().map(|event| event.event.seating_event().as_str()).collect();
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT event_id, coalesce(checkpoint_events.sequence, 0), coalesce(closed_at, 0), coalesce(purged_at, 0),
                    over_at, blocked IS NOT NULL
             FROM UNNEST($1::text[]) AS asked (event_id)
             LEFT JOIN checkpoint_events ON seating_event = event_id LEFT JOIN shows USING (event_id)",
        )
        .bind(asked.into_iter().collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
        let read = |(event, last, closed_at, purged_at, over_at, has_left): Row| {
            let id = event.parse().map_err(|error| ApplyError::Refused(format!("{error}")))?;
            let history = History {
                last: last.cast_unsigned(),
                closed_at: closed_at.cast_unsigned(),
                purged_at: purged_at.cast_unsigned(),
                over_at: over_at.map(i64::cast_unsigned),
                has_left,
                is_rewritten: false,
            };
            Ok((id, history))
        };
        let of = rows.into_iter().map(read).collect::<Result<_, ApplyError>>()?;
        Ok(Self { of, touched: BTreeSet::new() })
    }

    /// Of one.
    pub fn of(&self, event: &SeatingEventId) -> History {
        self.of.get(event).copied().unwrap_or_default()
    }

    /// Whether what happened with `sequence` is of before a purge.
    pub fn is_forgotten(&self, event: &SeatingEventId, sequence: u64) -> bool {
        sequence <= self.of(event).purged_at
    }

    /// `sequence` closed it.
    pub fn close(&mut self, event: &SeatingEventId, sequence: u64) {
        self.change(event, |history| history.closed_at = history.closed_at.max(sequence));
    }

    /// `sequence` purged it, `at` this time: that is when it is over.
    pub fn purge(&mut self, event: &SeatingEventId, sequence: u64, at: UnixMillis) {
        self.change(event, |history| {
            history.purged_at = history.purged_at.max(sequence);
            (history.over_at, history.has_left) = (Some(at), false);
        });
    }

    /// A definition of it is in the view.
    pub fn is_there(&mut self, event: &SeatingEventId) {
        let History { over_at, has_left, .. } = self.of(event);
        if over_at.is_some() || has_left {
            self.change(event, |history| (history.over_at, history.has_left) = (None, false));
        }
    }

    /// The event with `sequence` changed what is shown.
    pub fn changed(&mut self, event: &SeatingEventId, sequence: u64) {
        if sequence <= self.of(event).last {
            self.change(event, |history| history.is_rewritten = true);
        }
    }

    fn change(&mut self, event: &SeatingEventId, change: impl FnOnce(&mut History)) {
        change(self.of.entry(event.clone()).or_default());
        self.touched.insert(event.clone());
    }

    /// Writes those that changed.
    pub async fn write(&self, connection: &mut PgConnection) -> Result<(), ApplyError> {
        if self.touched.is_empty() {
            return Ok(());
        }
        let column = |of: fn(&History) -> u64| {
            self.touched.iter().map(|event| bigint(of(&self.of(event)))).collect::<Result<Vec<_>, _>>()
        };
        sqlx::query(
            "INSERT INTO shows AS show (event_id, epoch, closed_at, purged_at, over_at)
             SELECT * FROM UNNEST($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
             ON CONFLICT (event_id) DO UPDATE
             SET epoch = show.epoch + EXCLUDED.epoch, closed_at = EXCLUDED.closed_at, purged_at = EXCLUDED.purged_at,
                 over_at = EXCLUDED.over_at, blocked = CASE WHEN show.event_id = ANY($6) THEN show.blocked END",
        )
        .bind(self.touched.iter().map(SeatingEventId::as_str).collect::<Vec<_>>())
        .bind(column(|history| u64::from(history.is_rewritten))?)
        .bind(column(|history| history.closed_at)?)
        .bind(column(|history| history.purged_at)?)
        .bind(
            self.touched
                .iter()
                .map(|event| self.of(event).over_at.map(bigint).transpose())
                .collect::<Result<Vec<_>, _>>()?,
        )
        .bind(
            self.touched
                .iter()
                .filter(|event| self.of(event).has_left)
                .map(SeatingEventId::as_str)
                .collect::<Vec<_>>(),
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}
