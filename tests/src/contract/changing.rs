//! What changes while seats are sold: blocks, prices and times, each judged by what it changes.

use anyhow::ensure;
use boxoffice_runtime::clock;
use reqwest::Method;
use serde_json::{Value, json};

use super::admin::{Admin, House};
use super::answer::{list, same, text};
use super::api::soon;
use super::stage::{HELD, RESERVED_SEAT, newcomer};

/// What staff put on sale by hand is no new block when the organiser changes something else, sold or not.
pub async fn a_block_that_was_there_before_is_no_new_one(admin: &Admin) -> anyhow::Result<()> {
    let (mut house, sponsor) = (House::open(admin).await?, newcomer("sponsor"));
    let (seat, blocks) = (house.seat("A-1-6"), format!("/admin/events/{}/blocks", house.api.event));
    house.call(Method::DELETE, &blocks, Some(&json!({"seats": ["A-1-6"]}))).await?.shown()?;
    let applies = async |house: &mut House, paused: bool| {
        let changed = house.redefine(|it| it["sales"] = json!({ "paused": paused })).await?;
        same("applied", &changed.shown()?["applied"], true)
    };
    applies(&mut house, true).await?;
    same("blocked seats", &house.inventory().await?["seats"]["blocked"], 0)?;
    applies(&mut house, false).await?;
    house.api.post(&format!("/seats/{seat}/hold"), &sponsor).await?.shown()?;
    house.api.post(&format!("/seats/{seat}/reserve"), &sponsor).await?.done(200, &RESERVED_SEAT)?;
    applies(&mut house, true).await?;
    house.ask(&sponsor, &json!({"seats": [house.seat("A-1-1")]})).await?.refused(409, "SALES_PAUSED")?;
    // A new one is in the way of whoever has the seat.
    let wish = json!({"seats": [seat], "reason": "camera"});
    let refused = house.call(Method::POST, &blocks, Some(&wish)).await?;
    refused.conflicts(409, "DEFINITION_CONFLICT", &[(&seat, "RESERVED")])?;
    house.close().await
}

pub async fn what_cannot_be_sold_by_is_refused_with_its_field(admin: &Admin) -> anyhow::Result<()> {
    let mut house = House::open(admin).await?;
    let before = house.inventory().await?["sequence"].clone();
    let sound = house.definition.clone();
    for (pointer, value, status, told) in [
        ("/sections/1/priceCategory", json!("tin"), 400, "sections[1].priceCategory"),
        ("/priceCategories/1/name", json!("gold"), 400, "priceCategories[1].name"),
        ("/priceCategories/1/currency", json!("JPY"), 409, "priceCategories"),
        ("/priceCategories/0/amount", json!(-1), 400, "priceCategories[0].amount"),
        ("/sections/0/rows/0/seats", json!("9-"), 400, "sections[0].rows[0].seats"),
        ("/sections/0/rows/0/seats", json!("1-4,3-6"), 400, "sections[0].rows[0].seats"),
        ("/blocked/0/seats/0", json!("A-9-9"), 400, "blocked[0]"),
        ("/hold", json!({"ttlSeconds": 0}), 400, "hold.ttlSeconds"),
    ] {
        let change = |it: &mut Value| {
            *it = sound.clone();
            if let Some(field) = it.pointer_mut(pointer) {
                *field = value;
            }
        };
        let answer = house.redefine(change).await?;
        let code = if status == 409 { "DEFINITION_CONFLICT" } else { "INVALID_REQUEST" };
        let detail = text(answer.refused(status, code)?, "detail")?;
        ensure!(detail.starts_with(told), "{pointer}: {detail:?} does not begin with {told}");
    }
    same("the sequence", &house.inventory().await?["sequence"], before)?;
    house.close().await
}

/// Sales may go on after the beginning; what buyers have bought then, they keep.
pub async fn seats_are_sold_at_the_door(admin: &Admin) -> anyhow::Result<()> {
    let (mut house, alice) = (House::open(admin).await?, newcomer("alice"));
    let (began, seat) = (clock::now() - 60_000, house.seat("A-1-1"));
    let door = house.redefine(|it| {
        it["startsAt"] = json!(began);
        it["sales"] = json!({"closesAt": clock::now() + 3_600_000});
    });
    same("phase", &door.await?.shown()?["phase"], "OnSale")?;
    house.ask(&alice, &json!({"seats": [seat]})).await?.done(201, &HELD)?;
    house.api.post(&format!("/seats/{seat}/reserve"), &alice).await?.done(200, &RESERVED_SEAT)?;
    let refused = house.api.post(&format!("/seats/{seat}/release"), &alice).await?;
    let told = refused.refused_telling(409, "CANCELLATION_CLOSED", &["cancelUntil"])?;
    same("cancelUntil", &told["cancelUntil"], began)?;
    house.close().await
}

pub async fn a_section_is_called_by_its_title(admin: &Admin) -> anyhow::Result<()> {
    let house = House::open(admin).await?;
    let path = format!("/events/{}/chart", house.api.event);
    soon(async || {
        let chart = house.api.get(&path).await?;
        let titles: Vec<_> = list(chart.shown()?, "sections")?.iter().map(|it| it["title"].clone()).collect();
        ensure!(titles == [json!("Loge Süd"), Value::Null], "the titles are {titles:?}");
        Ok(())
    })
    .await?;
    house.close().await
}
