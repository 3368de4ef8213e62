//! SeatingEvents and single seats as readers see them.

use anyhow::{Context, ensure};
use boxoffice_domain::seat_map::SeatCounts;
use serde_json::Value;

use super::answer::{exactly, list, number, same, text};
use super::api::soon;
use super::stage::{Stage, newcomer};

const SUMMARY: [&str; 6] = ["eventId", "phase", "sales", "seats", "startsAt", "title"];
const COUNTS: [&str; 5] = ["available", "blocked", "held", "reserved", "total"];
const SEAT: [&str; 6] = ["eventId", "number", "row", "seatId", "sectionId", "status"];

pub async fn events_are_listed(stage: &Stage) -> anyhow::Result<()> {
    let answer = stage.api.get("/events").await?;
    let events = answer.shown()?.as_array().context("the answer is not a list")?;
    for event in events {
        exactly(event, SUMMARY)?;
        summary(event)?;
    }
    let ours = events.iter().filter(|event| event["eventId"] == stage.api.event.as_str());
    ensure!(ours.count() == 1, "{} is not in the list once", stage.api.event);
    Ok(())
}

pub async fn an_event_is_shown(stage: &Stage) -> anyhow::Result<()> {
    let event = stage.api.current(&path(stage), "sequence").await?;
    for field in SUMMARY {
        ensure!(!event[field].is_null(), "{field} is missing");
    }
    same("eventId", &event["eventId"], stage.api.event.as_str())?;
    same("phase", &event["phase"], "OnSale")?;
    let (whole, mut sum) = (summary(&event)?, 0);
    for section in list(&event, "sections")? {
        text(section, "sectionId")?;
        sum += counts(&section["seats"])?.total;
    }
    ensure!(whole.total == sum, "{} seats in total, but {sum} in the sections", whole.total);
    Ok(())
}

pub async fn counts_follow(stage: &Stage) -> anyhow::Result<()> {
    let ([seat, other], alice) = (stage.seats().await?, newcomer("alice"));
    let before = counts(&stage.api.current(&path(stage), "sequence").await?["seats"])?;
    stage.hold(&alice, &seat).await?;
    stage.hold(&alice, &other).await?;
    counted(stage, SeatCounts { held: before.held + 2, available: before.available - 2, ..before }).await?;
    stage.reserve(&alice, &seat).await?;
    stage.release(&alice, &other).await?;
    let one_sold = SeatCounts { reserved: before.reserved + 1, available: before.available - 1, ..before };
    counted(stage, one_sold).await?;
    stage.release(&alice, &seat).await?;
    counted(stage, before).await
}

async fn counted(stage: &Stage, expected: SeatCounts) -> anyhow::Result<()> {
    soon(async || {
        let shown = stage.api.get(&path(stage)).await?;
        let found = counts(&shown.shown()?["seats"])?;
        ensure!(found == expected, "the counts are {found:?}, not {expected:?}");
        Ok(())
    })
    .await
}

pub async fn a_seat_shows_its_holder_what_is_theirs(stage: &Stage) -> anyhow::Result<()> {
    let ([seat], alice, bob) = (stage.seats().await?, newcomer("alice"), newcomer("bob"));
    let path = format!("/seats/{seat}");
    let held = stage.hold(&alice, &seat).await?;
    stage.shows(&seat, "HELD").await?;
    for answer in [stage.api.get(&path).await?, stage.api.get_as(&path, &bob).await?] {
        exactly(answer.shown()?, SEAT)?;
        same("seatId", &answer.json["seatId"], seat.as_str())?;
    }
    let mine = soon(async || {
        let answer = stage.api.get_as(&path, &alice).await?;
        exactly(answer.shown()?, [&SEAT[..], &["expiresAt", "mine"]].concat())?;
        Ok(answer.json)
    });
    let mine = mine.await?;
    same("mine", &mine["mine"], true)?;
    same("expiresAt", &mine["expiresAt"], held["expiresAt"].clone())?;

    stage.reserve(&alice, &seat).await?;
    stage.shows(&seat, "RESERVED").await?;
    soon(async || {
        let answer = stage.api.get_as(&path, &alice).await?;
        exactly(answer.shown()?, [&SEAT[..], &["mine"]].concat())
    })
    .await?;
    exactly(stage.api.get_as(&path, &bob).await?.shown()?, SEAT)?;
    stage.release(&alice, &seat).await
}

pub async fn nobody_else_learns_who(stage: &Stage) -> anyhow::Result<()> {
    let ([held, reserved], alice) = (stage.seats().await?, newcomer("alice"));
    for seat in [&held, &reserved] {
        stage.hold(&alice, seat).await?;
    }
    stage.reserve(&alice, &reserved).await?;
    stage.shows(&reserved, "RESERVED").await?;
    let event = path(stage);
    for path in [
        "/events".to_owned(),
        event.clone(),
        format!("{event}/seats"),
        format!("{event}/stats"),
        format!("/seats/{held}"),
        format!("/seats/{reserved}"),
    ] {
        let answer = stage.api.get(&path).await?;
        answer.shown()?;
        ensure!(!answer.text().contains(&alice), "GET {path} names the user who has a seat");
    }
    // Nor does the map name the user who asks, though some of it is theirs.
    let map = stage.api.get_as(&format!("{event}/seats"), &alice).await?;
    ensure!(!map.text().contains(&alice), "the seat map names the user who asks");
    stage.release(&alice, &reserved).await?;
    stage.release(&alice, &held).await
}

fn path(stage: &Stage) -> String {
    format!("/events/{}", stage.api.event)
}

/// The counts of a SeatingEvent in a list or by itself.
fn summary(event: &Value) -> anyhow::Result<SeatCounts> {
    text(event, "eventId")?;
    text(event, "title")?;
    number(event, "startsAt")?;
    let phase = text(event, "phase")?;
    let known = ["Pending", "Scheduled", "OnSale", "SoldOut", "Closed"];
    ensure!(known.contains(&phase), "phase {phase} is none of {known:?}");
    counts(&event["seats"])
}

fn counts(seats: &Value) -> anyhow::Result<SeatCounts> {
    exactly(seats, COUNTS)?;
    let counts: SeatCounts = serde_json::from_value(seats.clone())?;
    let SeatCounts { total, available, held, reserved, blocked } = counts;
    ensure!(total == available + held + reserved + blocked, "the counts do not add up: {seats}");
    Ok(counts)
}
