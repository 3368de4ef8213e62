//! Statistics by section: published after the fact, so every look at them is patient.

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::answer::{exactly, list, text};
use super::api::soon;
use super::stage::{RESERVED, Stage, newcomer};

/// All that everybody is told of a section.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Counts {
    section_id: String,
    available: u64,
    held: u64,
    reserved: u64,
    released: u64,
}

pub async fn statistics_follow(stage: &Stage) -> anyhow::Result<()> {
    let ([seat], [unit], alice) = (stage.seats().await?, stage.units().await?, newcomer("alice"));
    let before = stage.api.current(&path(stage), "asOfSequence").await?;
    let (seats, units) = (section(&before, &stage.section)?, section(&before, &stage.area)?);

    let hold = stage.hold_all(&alice, &[&seat, &unit]).await?;
    let answer = stage.api.post(&format!("{hold}/reserve"), &alice).await?;
    let reserved = answer.done(200, &RESERVED)?;
    let sold = list(reserved, "seats")?;
    ensure!(sold.len() == 2, "{} seats were reserved, not 2", sold.len());
    let one_more = |before: &Counts| Counts {
        available: before.available - 1,
        reserved: before.reserved + 1,
        ..before.clone()
    };
    shown(stage, [one_more(&seats), one_more(&units)]).await?;

    stage.give_back(&alice, &format!("/reservations/{}", text(reserved, "reservationId")?)).await?;
    let one_back = |before: Counts| Counts { released: before.released + 1, ..before };
    shown(stage, [one_back(seats), one_back(units)]).await
}

/// Waits until readers see these statistics.
async fn shown(stage: &Stage, expected: [Counts; 2]) -> anyhow::Result<()> {
    soon(async || {
        let answer = stage.api.get(&path(stage)).await?;
        for expected in &expected {
            let found = section(answer.shown()?, &expected.section_id)?;
            ensure!(found == *expected, "the statistics are {found:?}, not {expected:?}");
        }
        Ok(())
    })
    .await
}

fn section(stats: &Value, id: &str) -> anyhow::Result<Counts> {
    exactly(stats, ["asOfSequence", "eventId", "sections"])?;
    let found = list(stats, "sections")?.iter().find(|section| section["sectionId"] == id);
    let found = found.with_context(|| format!("no statistics of section {id}"))?;
    Ok(serde_json::from_value(found.clone())?)
}

fn path(stage: &Stage) -> String {
    format!("/events/{}/stats", stage.api.event)
}
