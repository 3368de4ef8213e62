//! A hold that is clicked together: seats, units and the best of what is left, at their prices, until it is reserved.

use anyhow::{Context, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use super::admin::{Admin, House};
use super::answer::{list, number, same, text};
use super::stage::{HELD, HELD_SEAT, RELEASED_SEAT, RESERVED, newcomer, priced, seats_of};

pub async fn a_cart_takes_seats_units_and_the_best(admin: &Admin) -> anyhow::Result<()> {
    let (house, alice) = (House::open(admin).await?, newcomer("alice"));
    let (seat, other) = (house.seat("A-1-1"), house.seat("A-4-01"));
    let first = house.ask(&alice, &json!({"seats": [seat]})).await?;
    let cart = format!("/holds/{}", text(first.done(201, &HELD)?, "holdId")?);
    let add = async |body: Value| house.api.post_json(&format!("{cart}/seats"), &alice, &body).await;
    let units = add(json!({"areas": [{"sectionId": "FLOOR", "quantity": 2}]})).await?;
    holds(units.done(200, &HELD)?, 3, 24_000)?;
    let best = add(json!({"bestAvailable": {"quantity": 1, "sectionId": "A"}})).await?;
    holds(best.done(200, &HELD)?, 4, 36_000)?;
    for told in [&units, &best] {
        same("the deadline", &told.json["expiresAt"], first.json["expiresAt"].clone())?;
        same("holdId", &told.json["holdId"], first.json["holdId"].clone())?;
    }
    add(json!({"bestAvailable": {"quantity": 3}})).await?.refused(409, "LIMIT_EXCEEDED")?;
    add(json!({})).await?.refused(400, "INVALID_REQUEST")?;
    let standing = add(json!({"bestAvailable": {"quantity": 1, "priceCategory": "silver"}})).await?;
    let detail = text(standing.refused(400, "INVALID_REQUEST")?, "detail")?;
    ensure!(detail.contains("areas"), "{detail:?} does not say that areas are asked for by areas");

    // Whoever asks for a part of it is told all of it, and it costs what it costs.
    let part = house.ask(&alice, &json!({"seats": [seat]})).await?;
    let one = house.api.post(&format!("/seats/{seat}/hold"), &alice).await?;
    let shown = house.api.call(Method::GET, &cart, &alice).await?;
    for (told, fields) in [(&part, &HELD[..]), (&one, &HELD_SEAT), (&shown, &HELD)] {
        holds(told.done(200, fields)?, 4, 36_000)?;
        same("sequence", &told.json["sequence"], best.json["sequence"].clone())?;
    }
    let refused = house.ask(&alice, &json!({"seats": [seat, other]})).await?;
    refused.conflicts(409, "SEAT_NOT_AVAILABLE", &[(&seat, "HELD")])?;
    same("mine", &refused.json["conflicts"][0]["mine"], true)?;

    let reserved = house.api.post(&format!("{cart}/reserve"), &alice).await?;
    holds(reserved.done(200, &RESERVED)?, 4, 36_000)?;
    add(json!({"seats": [other]})).await?.refused(404, "HOLD_NOT_FOUND")?;
    let unit = seats_of(&units.json)?.into_iter().find(|id| id.contains(".FLOOR-")).context("no unit")?;
    let left = house.api.post(&format!("/seats/{unit}/release"), &alice).await?;
    holds(left.done(200, &RELEASED_SEAT)?, 3, 30_000)?;
    house.close().await
}

/// So many seats, at so much together.
fn holds(told: &Value, seats: usize, total: u64) -> anyhow::Result<()> {
    priced(told)?;
    ensure!(list(told, "seats")?.len() == seats, "they are {}", told["seats"]);
    same("total", &told["total"], total)
}

/// A price is that of the moment at which a seat was held, for ever.
pub async fn a_claim_keeps_its_price(admin: &Admin) -> anyhow::Result<()> {
    let (mut house, alice, bob) = (House::open(admin).await?, newcomer("alice"), newcomer("bob"));
    let first = house.ask(&alice, &json!({"seats": [house.seat("A-1-1")]})).await?;
    let cart = format!("/holds/{}", text(first.done(201, &HELD)?, "holdId")?);
    house.redefine(|it| it["priceCategories"][0]["amount"] = json!(15_000)).await?.shown()?;
    let more = json!({"seats": [house.seat("A-1-2")]});
    let grown = house.api.post_json(&format!("{cart}/seats"), &alice, &more).await?;
    holds(grown.done(200, &HELD)?, 2, 27_000)?;
    let reserved = house.api.post(&format!("{cart}/reserve"), &alice).await?;
    holds(reserved.done(200, &RESERVED)?, 2, 27_000)?;
    let path = format!("/reservations/{}", text(&reserved.json, "reservationId")?);
    house.api.call(Method::DELETE, &path, &alice).await?.shown()?;
    let anew = house.ask(&bob, &json!({"seats": [house.seat("A-1-1")]})).await?;
    holds(anew.done(201, &HELD)?, 1, 15_000)?;
    house.close().await
}

/// An extension is no way around the longest hold, and tells all of it.
pub async fn a_hold_lasts_no_longer_than_the_longest(admin: &Admin) -> anyhow::Result<()> {
    let (mut house, alice) = (House::open(admin).await?, newcomer("alice"));
    house.redefine(|it| it["hold"] = json!({"ttlSeconds": 60, "maxSeconds": 100})).await?.shown()?;
    let made = house.ask(&alice, &json!({"seats": [house.seat("A-1-1"), house.seat("FLOOR-1")]})).await?;
    let held = made.done(201, &HELD)?;
    let extend = format!("/holds/{}/extend", text(held, "holdId")?);
    let extended = house.api.post(&extend, &alice).await?;
    holds(extended.done(200, &HELD)?, 2, 18_000)?;
    same("expiresAt", &extended.json["expiresAt"], number(held, "expiresAt")? + 40_000)?;
    ensure!(
        number(&extended.json, "sequence")? > number(held, "sequence")?,
        "the sequence of what is told is {}",
        extended.json["sequence"]
    );
    let again = house.api.post(&extend, &alice).await?;
    for field in HELD {
        same(field, &again.done(200, &HELD)?[field], extended.json[field].clone())?;
    }
    house.close().await
}
