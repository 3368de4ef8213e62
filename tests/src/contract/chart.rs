//! The chart, and the form of a map that is read by it.

use anyhow::{Context, ensure};
use serde_json::Value;

use super::answer::{exactly, list, same, text};
use super::api::soon;
use super::stage::Stage;

const CHART: [&str; 4] = ["chartHash", "priceCategories", "seatsHash", "sections"];
/// No chart will have it.
const OTHER: &str = "0000000000000000";
const PACKED: &str = "application/vnd.boxoffice.seatmap";
/// As two bits say them.
const STATUSES: [&str; 4] = ["AVAILABLE", "HELD", "RESERVED", "BLOCKED"];

pub async fn a_chart_says_what_places_mean(stage: &Stage) -> anyhow::Result<()> {
    let answer = stage.api.get(&path(stage)).await?;
    let chart = answer.shown()?;
    let stands: &[&str] = if chart["focalPoint"].is_null() { &[] } else { &["focalPoint"] };
    exactly(chart, [&CHART[..], stands].concat())?;
    for category in list(chart, "priceCategories")? {
        exactly(category, ["amount", "currency", "name"])?;
    }
    let map = stage.api.get(&map_path(stage)).await?;
    let shown: anyhow::Result<Vec<_>> =
        list(map.shown()?, "seats")?.iter().map(|seat| text(seat, "seatId")).collect();
    let placed = places(chart, &stage.api.event)?;
    ensure!(placed == shown?, "the map has other seats than the chart, or in another order");
    Ok(())
}

/// The ids of a chart's seats, each at its place.
fn places(chart: &Value, event: &str) -> anyhow::Result<Vec<String>> {
    let mut ids = vec![];
    for section in list(chart, "sections")? {
        let id = text(section, "sectionId")?;
        let units = section["capacity"].as_u64().unwrap_or_default();
        ids.extend((1..=units).map(|number| format!("{event}.{id}-{number}")));
        for row in list(section, "rows")? {
            let name = text(row, "row")?;
            for seat in list(row, "seats")? {
                let number = seat.as_str().with_context(|| format!("{seat} is no text"))?;
                ids.push(format!("{event}.{id}-{name}-{number}"));
            }
        }
    }
    Ok(ids)
}

pub async fn a_chart_is_kept_under_its_hash_and_no_other(stage: &Stage) -> anyhow::Result<()> {
    let plain = stage.api.get(&path(stage)).await?;
    let hash = text(plain.shown()?, "chartHash")?;
    let kept = stage.api.get(&format!("{}?hash={hash}", path(stage))).await?;
    same("the chart under its hash", kept.shown()?, plain.json.clone())?;
    let control = kept.header("cache-control").unwrap_or_default();
    ensure!(
        control.contains("immutable") && control.contains("max-age=31536000"),
        "cache-control is {control:?}"
    );
    let other = stage.api.get(&format!("{}?hash={OTHER}", path(stage))).await?;
    other.refused(404, "NOT_FOUND")?;
    ensure!(other.header("cache-control") == Some("no-store"), "what is not there yet may be kept");
    ensure!(other.header("x-chart-hash") == Some(hash), "the hash that there is is not told");
    let packed = stage.api.send(stage.api.query(&path(stage)).header("accept-encoding", "br")).await?;
    ensure!(packed.status == 200, "answered {}, not 200", packed.status);
    ensure!(packed.header("content-encoding") == Some("br"), "not by brotli for those who name it");
    ensure!(packed.bytes.len() < plain.bytes.len(), "brotli makes it longer");
    Ok(())
}

pub async fn a_packed_map_says_the_same(stage: &Stage) -> anyhow::Result<()> {
    let chart = stage.api.get(&path(stage)).await?;
    let seats_hash = u64::from_str_radix(text(chart.shown()?, "seatsHash")?, 16)?;
    // What was asked for a moment ago may have changed since: somebody's hold ended.
    soon(async || {
        let map = stage.api.get(&map_path(stage)).await?;
        let request = stage.api.query(&map_path(stage)).header("accept", PACKED);
        let packed = stage.api.send(request).await?;
        ensure!(packed.status == 200, "answered {}, not 200", packed.status);
        ensure!(packed.header("content-type") == Some(PACKED), "not packed for those who name it");
        let sequence = packed.told("x-view-sequence")?;
        same("the sequence of the map", &map.shown()?["sequence"], sequence)?;
        let seats = list(&map.json, "seats")?;
        let mut expected = b"BOSM\x01\0\0\0".to_vec();
        for number in [seats_hash, packed.epoch()?, sequence] {
            expected.extend(number.to_be_bytes());
        }
        expected.extend(u32::try_from(seats.len())?.to_be_bytes());
        for four in seats.chunks(4) {
            let mut byte = 0;
            for (nth, seat) in four.iter().enumerate() {
                let status = STATUSES.iter().position(|status| seat["status"] == *status);
                byte |= u8::try_from(status.context("no status")?)? << (2 * nth);
            }
            expected.push(byte);
        }
        ensure!(packed.bytes == expected, "the packed map says something else than the map");
        Ok(())
    })
    .await
}

pub async fn the_form_is_sent_that_is_liked_best(stage: &Stage) -> anyhow::Result<()> {
    for (accept, kind) in [
        (format!("{PACKED};q=0.9, application/json;q=0.5"), PACKED),
        (format!("{PACKED};q=0.5, application/json"), "application/json"),
        (format!("{PACKED};q=0, */*"), "application/json"),
        ("*/*".to_owned(), "application/json"),
    ] {
        let answer = stage.api.send(stage.api.query(&map_path(stage)).header("accept", &accept)).await?;
        ensure!(answer.status == 200, "answered {}, not 200", answer.status);
        let sent = answer.header("content-type");
        ensure!(sent == Some(kind), "accept {accept} is answered with {sent:?}");
    }
    Ok(())
}

fn path(stage: &Stage) -> String {
    format!("/events/{}/chart", stage.api.event)
}

fn map_path(stage: &Stage) -> String {
    format!("/events/{}/seats", stage.api.event)
}
