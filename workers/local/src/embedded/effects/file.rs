//! Reads back what a consumer remembers of its effects.

use boxoffice_consumer::effects::{Effect, Lane};
use sqlx::SqlitePool;

use super::pages::{Page, Pages};
use crate::embedded::journal::JournalError;

type LaneRow = (String, String, Option<i64>, u32, Option<String>, Option<String>);

/// Everything that `consumer` remembers.
pub(super) async fn pages(file: &SqlitePool, consumer: &str) -> Result<Pages, JournalError> {
    let mut pages = Pages::default();
    let lanes: Vec<LaneRow> = sqlx::query_as(
        "SELECT topic, aggregate, due, attempts, state, parked FROM effect_lanes WHERE consumer = ?",
    )
    .bind(consumer)
    .fetch_all(file)
    .await?;
    for (topic, aggregate, due, attempts, state, parked) in lanes {
        let (lane, due) = (Lane { topic, aggregate }, due.map(i64::cast_unsigned));
        pages.due.extend(due.map(|due| (due, lane.clone())));
        pages.lanes.insert(lane, Page { due, attempts, state, parked, ..Page::default() });
    }
    let effects: Vec<(String, String, i64, String)> = sqlx::query_as(
        "SELECT topic, aggregate, number, envelope FROM effects WHERE consumer = ? ORDER BY number",
    )
    .bind(consumer)
    .fetch_all(file)
    .await?;
    for (topic, aggregate, number, envelope) in effects {
        let number = number.cast_unsigned();
        pages.next = pages.next.max(number);
        if let Some(page) = pages.lanes.get_mut(&Lane { topic, aggregate }) {
            page.effects.push_back(Effect { number, envelope });
        }
    }
    let outbox: Vec<(i64, String)> =
        sqlx::query_as("SELECT number, envelope FROM effect_outbox WHERE consumer = ? ORDER BY number")
            .bind(consumer)
            .fetch_all(file)
            .await?;
    for (number, envelope) in outbox {
        let number = number.cast_unsigned();
        pages.next = pages.next.max(number);
        pages.outbox.push_back((number, envelope));
    }
    let checkpoints: Vec<(String, u32, i64)> =
        sqlx::query_as("SELECT topic, partition, next_offset FROM effect_checkpoints WHERE consumer = ?")
            .bind(consumer)
            .fetch_all(file)
            .await?;
    let checkpoint =
        |(topic, partition, next): (String, u32, i64)| ((topic, partition), next.cast_unsigned());
    pages.checkpoints = checkpoints.into_iter().map(checkpoint).collect();
    Ok(pages)
}
