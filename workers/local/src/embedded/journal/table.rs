//! The tables that the journal adds rows to, many in a statement. Does not know what belongs together: that is a `Write`.

use std::sync::Arc;

use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{AssertSqlSafe, Sqlite};

/// A statement adds at most so many rows, or this few exactly: SQLite keeps those statements compiled.
const MANY: usize = 256;
const FEW: usize = 64;

/// A row of `events`.
#[derive(Debug)]
pub struct EventRow(pub String, pub u64, pub String, pub Option<String>);

/// A row of `answers`: SeatingEvent, time, key, fingerprint, answer.
#[derive(Debug)]
pub struct AnswerRow(pub String, pub u64, pub String, pub String, pub String);

/// A row of `records`: topic, partition, offset, key, value, headers, timestamp.
#[derive(Debug)]
pub struct RecordRow(pub Arc<str>, pub u32, pub u64, pub String, pub String, pub String, pub u64);

/// A row of `group_starts`: group, topic, partition, offset.
#[derive(Debug)]
pub struct GroupStartRow(pub String, pub String, pub u32, pub u64);

/// A row of `published`: SeatingEvent, sequence.
#[derive(Debug)]
pub struct PublishedRow(pub String, pub u64);

/// A table that rows are added to. Of a statement that fails nothing is wanted, so it rolls the transaction back: else
/// SQLite would write down how to undo every statement alone.
pub struct Table {
    /// The statement up to the rows.
    insert: &'static str,
    /// How many columns it names.
    columns: usize,
}

pub const EVENTS: Table = Table {
    insert: "INSERT OR ROLLBACK INTO events (seating_event, sequence, envelope, traceparent)",
    columns: 4,
};
pub const ANSWERS: Table = Table {
    insert: "INSERT OR ROLLBACK INTO answers (seating_event, at, key, fingerprint, answer)",
    columns: 5,
};
pub const PUBLISHED: Table =
    Table { insert: "INSERT OR REPLACE INTO published (seating_event, sequence)", columns: 2 };
pub const GROUP_STARTS: Table = Table {
    insert: r#"INSERT OR ROLLBACK INTO group_starts (consumer_group, topic, partition, "offset")"#,
    columns: 4,
};
pub const RECORDS: Table = Table {
    insert: r#"INSERT OR ROLLBACK INTO records (topic, partition, "offset", key, value, headers, timestamp)"#,
    columns: 7,
};

/// What is added to a table.
pub trait Row {
    /// Its values, in the order of the columns.
    fn bind(self, insert: Insert<'_>) -> Insert<'_>;
}

pub type Insert<'q> = Query<'q, Sqlite, SqliteArguments>;

impl Table {
    /// Adds many rows in few statements, of sizes that come again: SQLite keeps them compiled.
    pub async fn insert<R: Row>(&self, file: &mut SqliteConnection, rows: Vec<R>) -> Result<(), sqlx::Error> {
        let mut rows = rows.into_iter();
        while rows.len() > 0 {
            let size = match rows.len() {
                MANY.. => MANY,
                left => left.min(FEW),
            };
            let row = format!("({}),", vec!["?"; self.columns].join(","));
            let values = row.repeat(size);
            let statement = format!("{} VALUES {}", self.insert, values.trim_end_matches(','));
            let insert = sqlx::query(AssertSqlSafe(statement));
            let insert = rows.by_ref().take(size).fold(insert, |insert, row| row.bind(insert));
            insert.execute(&mut *file).await?;
        }
        Ok(())
    }
}

impl Row for EventRow {
    fn bind(self, insert: Insert<'_>) -> Insert<'_> {
        let Self(event, sequence, envelope, traceparent) = self;
        insert.bind(event).bind(sequence.cast_signed()).bind(envelope).bind(traceparent)
    }
}

impl Row for AnswerRow {
    fn bind(self, insert: Insert<'_>) -> Insert<'_> {
        let Self(event, at, key, fingerprint, answer) = self;
        insert.bind(event).bind(at.cast_signed()).bind(key).bind(fingerprint).bind(answer)
    }
}

impl Row for PublishedRow {
    fn bind(self, insert: Insert<'_>) -> Insert<'_> {
        insert.bind(self.0).bind(self.1.cast_signed())
    }
}

impl Row for GroupStartRow {
    fn bind(self, insert: Insert<'_>) -> Insert<'_> {
        let Self(group, topic, partition, offset) = self;
        insert.bind(group).bind(topic).bind(partition).bind(offset.cast_signed())
    }
}

impl Row for RecordRow {
    fn bind(self, insert: Insert<'_>) -> Insert<'_> {
        let Self(topic, partition, offset, key, value, headers, timestamp) = self;
        let insert = insert.bind(topic).bind(partition).bind(offset.cast_signed());
        insert.bind(key).bind(value).bind(headers).bind(timestamp.cast_signed())
    }
}
