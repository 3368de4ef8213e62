//! The seat map: every seat, cheap to ask for again.

use std::collections::BTreeSet;
use std::io::Read;

use anyhow::{Context, ensure};
use flate2::read::GzDecoder;

use super::answer::{Answer, exactly, list, number, same, text};
use super::api::soon;
use super::stage::{Stage, newcomer};

const MAP: [&str; 3] = ["eventId", "seats", "sequence"];
const SEAT: [&str; 6] = ["number", "priceCategory", "row", "seatId", "sectionId", "status"];
const STATUSES: [&str; 4] = ["AVAILABLE", "HELD", "RESERVED", "BLOCKED"];

pub async fn a_map_shows_every_seat(stage: &Stage) -> anyhow::Result<()> {
    let map = stage.api.current(&path(stage), "sequence").await?;
    exactly(&map, MAP)?;
    same("eventId", &map["eventId"], stage.api.event.as_str())?;
    let (seats, mut ids) = (list(&map, "seats")?, BTreeSet::new());
    for seat in seats {
        exactly(seat, SEAT)?;
        let (id, section) = (text(seat, "seatId")?, text(seat, "sectionId")?);
        let key = match (text(seat, "row")?, text(seat, "number")?) {
            ("", number) => format!("{section}-{number}"),
            (row, number) => format!("{section}-{row}-{number}"),
        };
        ensure!(id == format!("{}.{key}", stage.api.event), "seatId {id} is not made of {key}");
        ensure!(ids.insert(id), "{id} is there twice");
        let status = text(seat, "status")?;
        ensure!(STATUSES.contains(&status), "the status of {id} is {status}, none of {STATUSES:?}");
        ensure!(!text(seat, "priceCategory")?.is_empty(), "{id} has no price category");
    }
    let event = stage.api.get(&format!("/events/{}", stage.api.event)).await?;
    let total = number(&event.shown()?["seats"], "total")?;
    ensure!(total == seats.len() as u64, "{} seats on the map, but {total} in total", seats.len());
    Ok(())
}

pub async fn a_map_has_a_tag_that_changes_with_it(stage: &Stage) -> anyhow::Result<()> {
    let ([seat], alice) = (stage.seats().await?, newcomer("alice"));
    // What was asked for a moment ago may have changed since: somebody's hold ended.
    let known = soon(async || {
        let known = tag(&stage.api.get(&path(stage)).await?)?;
        let again = stage.api.send(stage.api.query(&path(stage)).header("if-none-match", &known)).await?;
        ensure!(again.status == 304, "If-None-Match with its tag is answered {}, not 304", again.status);
        ensure!(again.bytes.is_empty(), "a 304 has a body");
        same("the tag of a 304", &tag(&again)?.into(), known.as_str())?;
        Ok(known)
    });
    let known = known.await?;
    stage.hold(&alice, &seat).await?;
    soon(async || {
        let changed = stage.api.send(stage.api.query(&path(stage)).header("if-none-match", &known)).await?;
        changed.shown()?;
        ensure!(tag(&changed)? != known, "a hold does not change the tag {known}");
        Ok(())
    })
    .await?;
    stage.release(&alice, &seat).await
}

pub async fn a_map_is_sent_compressed(stage: &Stage) -> anyhow::Result<()> {
    soon(async || {
        let plain = stage.api.get(&path(stage)).await?;
        ensure!(plain.header("content-encoding").is_none(), "compressed though nobody takes that");
        let request = stage.api.query(&path(stage)).header("accept-encoding", "gzip");
        let packed = stage.api.send(request).await?;
        ensure!(packed.status == 200, "answered {}, not 200", packed.status);
        ensure!(packed.header("content-encoding") == Some("gzip"), "not compressed for those who take it");
        let mut unpacked = Vec::new();
        GzDecoder::new(&packed.bytes[..]).read_to_end(&mut unpacked)?;
        ensure!(unpacked == plain.bytes, "the compressed map is another one");
        Ok(())
    })
    .await
}

pub async fn a_map_of_one_section(stage: &Stage) -> anyhow::Result<()> {
    for section in [&stage.section, &stage.area] {
        let answer = stage.api.get(&format!("{}?section={section}", path(stage))).await?;
        exactly(answer.shown()?, MAP)?;
        let seats = list(&answer.json, "seats")?;
        ensure!(!seats.is_empty(), "section {section} is empty");
        for seat in seats {
            same("sectionId", &seat["sectionId"], section.as_str())?;
        }
    }
    Ok(())
}

fn path(stage: &Stage) -> String {
    format!("/events/{}/seats", stage.api.event)
}

fn tag(answer: &Answer) -> anyhow::Result<String> {
    let tag = answer.header("etag").context("no header etag")?;
    ensure!(tag.ends_with('"'), "etag {tag} is not quoted");
    Ok(tag.to_owned())
}
