//! Statistics by section: published after the fact, so every look at them is patient.

use anyhow::{Context, ensure};
use boxoffice_domain::events::SectionStats;
use serde_json::Value;

use super::answer::{exactly, list, number, same, text};
use super::api::soon;
use super::stage::{RESERVED, Stage, newcomer};

const SECTION: [&str; 6] = ["available", "held", "released", "reserved", "revenue", "sectionId"];

pub async fn statistics_follow(stage: &Stage) -> anyhow::Result<()> {
    let ([seat], [unit], alice) = (stage.seats().await?, stage.units().await?, newcomer("alice"));
    let before = stage.api.current(&path(stage), "asOfSequence").await?;
    let (seats, units) = (section(&before, &stage.section)?, section(&before, &stage.area)?);

    let hold = stage.hold_all(&alice, &[&seat, &unit]).await?;
    let answer = stage.api.post(&format!("{hold}/reserve"), &alice).await?;
    let reserved = answer.done(200, &RESERVED)?;
    let sold = list(reserved, "seats")?;
    ensure!(sold.len() == 2, "{} seats were reserved, not 2", sold.len());
    let prices = sold.iter().map(|seat| number(seat, "price")).collect::<anyhow::Result<Vec<_>>>()?;
    let one_more = |before: &SectionStats, price: u64| SectionStats {
        available: before.available - 1,
        reserved: before.reserved + 1,
        revenue: before.revenue + price,
        ..before.clone()
    };
    shown(stage, [one_more(&seats, prices[0]), one_more(&units, prices[1])]).await?;

    stage.give_back(&alice, &format!("/reservations/{}", text(reserved, "reservationId")?)).await?;
    let one_back = |before: SectionStats| SectionStats { released: before.released + 1, ..before };
    shown(stage, [one_back(seats), one_back(units)]).await
}

/// Waits until readers see these statistics.
async fn shown(stage: &Stage, expected: [SectionStats; 2]) -> anyhow::Result<()> {
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

fn section(stats: &Value, id: &str) -> anyhow::Result<SectionStats> {
    exactly(stats, ["asOfSequence", "currency", "eventId", "sections"])?;
    ensure!(text(stats, "currency")?.len() == 3, "currency is {}", stats["currency"]);
    let found = list(stats, "sections")?.iter().find(|section| section["sectionId"] == id);
    let found = found.with_context(|| format!("no statistics of section {id}"))?;
    exactly(found, SECTION)?;
    same("sectionId", &found["sectionId"], id)?;
    Ok(serde_json::from_value(found.clone())?)
}

fn path(stage: &Stage) -> String {
    format!("/events/{}/stats", stage.api.event)
}
