//! The log's rows in the data file: what is read back at start, and records that are no longer in memory.
//!
//! Writing is the [`journal`](crate::embedded::journal)'s.

use boxoffice_runtime::log::{LogError, TopicPartition};
use boxoffice_runtime::record::Record;
use sqlx::SqlitePool;

use crate::embedded::journal::JournalError;

/// Every topic and how many partitions it has.
pub async fn topics(file: &SqlitePool) -> Result<Vec<(String, u32)>, JournalError> {
    Ok(sqlx::query_as("SELECT topic, partitions FROM topics").fetch_all(file).await?)
}

/// Offset of the next record to come in a partition.
pub async fn end(file: &SqlitePool, topic: &str, partition: u32) -> Result<u64, JournalError> {
    let statement = r#"
        SELECT "offset" + 1 FROM records WHERE topic = ? AND partition = ?
        ORDER BY "offset" DESC LIMIT 1"#;
    let end: Option<i64> =
        sqlx::query_scalar(statement).bind(topic).bind(partition).fetch_optional(file).await?;
    Ok(end.unwrap_or_default().cast_unsigned())
}

/// Where groups were declared to begin.
pub async fn group_starts(file: &SqlitePool) -> Result<Vec<(String, TopicPartition, u64)>, JournalError> {
    let statement = r#"SELECT consumer_group, topic, partition, "offset" FROM group_starts"#;
    let rows: Vec<(String, String, u32, i64)> = sqlx::query_as(statement).fetch_all(file).await?;
    let start = |(group, topic, partition, offset): (_, _, _, i64)| {
        (group, TopicPartition { topic, partition }, offset.cast_unsigned())
    };
    Ok(rows.into_iter().map(start).collect())
}

/// The first record before `end` that is not older than `time`.
pub async fn first_since(
    file: &SqlitePool,
    TopicPartition { topic, partition }: &TopicPartition,
    time: i64,
    end: u64,
) -> Result<Option<u64>, JournalError> {
    let statement = r#"
        SELECT "offset" FROM records WHERE topic = ? AND partition = ? AND "offset" < ? AND timestamp >= ?
        ORDER BY "offset" LIMIT 1"#;
    let first: Option<i64> = sqlx::query_scalar(statement)
        .bind(topic)
        .bind(partition)
        .bind(end.cast_signed())
        .bind(time)
        .fetch_optional(file)
        .await?;
    Ok(first.map(i64::cast_unsigned))
}

/// Records of a partition from `from` on and before `end`, at most `max`.
pub async fn records(
    file: &SqlitePool,
    TopicPartition { topic, partition }: &TopicPartition,
    from: u64,
    end: u64,
    max: usize,
) -> Result<Vec<Record>, LogError> {
    let statement = r#"
        SELECT "offset", key, value, headers FROM records
        WHERE topic = ? AND partition = ? AND "offset" >= ? AND "offset" < ? ORDER BY "offset" LIMIT ?"#;
    let rows: Vec<(i64, String, String, String)> = sqlx::query_as(statement)
        .bind(topic)
        .bind(partition)
        .bind(from.cast_signed())
        .bind(end.cast_signed())
        .bind(i64::try_from(max).unwrap_or(i64::MAX))
        .fetch_all(file)
        .await
        .map_err(JournalError::from)?;
    let record = |(offset, key, value, headers): (i64, String, String, String)| {
        let headers = serde_json::from_str(&headers).map_err(|error| {
            JournalError::Failed(format!("{topic}[{partition}], offset {offset}: headers: {error}"))
        })?;
        let (offset, value) = (offset.cast_unsigned(), value.into_bytes());
        Ok(Record::new(*partition, offset, key, value, headers))
    };
    rows.into_iter().map(record).collect()
}
