//! Several seats in one hold, numbered ones and general-admission units together: all or none.

use std::collections::BTreeSet;

use anyhow::ensure;
use reqwest::Method;
use serde_json::{Value, json};

use super::answer::{list, same, text};
use super::stage::{HELD, RELEASED, RELEASED_SEAT, RESERVED, Stage, newcomer, priced, released_of, seats_of};

pub async fn seats_are_held_all_or_none(stage: &Stage) -> anyhow::Result<()> {
    let ([a, b, taken], [unit]) = (stage.seats().await?, stage.units().await?);
    let (alice, bob) = (newcomer("alice"), newcomer("bob"));
    let wanted = [a.as_str(), b.as_str(), unit.as_str()];
    let answer = stage.ask_for(&alice, &wanted).await?;
    let held = answer.done(201, &HELD)?;
    let path = format!("/holds/{}", text(held, "holdId")?);
    ensure!(answer.header("location") == Some(path.as_str()), "Location is {:?}", answer.header("location"));
    ensure!(seats_of(held)? == wanted, "seats are {}, not {wanted:?} in this order", held["seats"]);
    for (seat, section) in list(held, "seats")?.iter().zip([&stage.section, &stage.section, &stage.area]) {
        same("sectionId", &seat["sectionId"], section.as_str())?;
    }
    priced(held)?;
    // The same seats again: the same hold, and no new one.
    let again = stage.ask_for(&alice, &wanted).await?;
    same("holdId", &again.done(200, &HELD)?["holdId"], held["holdId"].clone())?;

    // One seat in the way of several: none of them is held.
    stage.hold(&bob, &taken).await?;
    stage.give_back(&alice, &path).await?;
    let refused = stage.ask_for(&alice, &[&a, &taken, &unit]).await?;
    refused.conflicts(409, "SEAT_NOT_AVAILABLE", &[(&taken, "HELD")])?;
    let whole = stage.hold_all(&bob, &[&a, &unit]).await?;
    stage.give_back(&bob, &whole).await?;
    stage.release(&bob, &taken).await
}

pub async fn every_seat_in_the_way_is_named(stage: &Stage) -> anyhow::Result<()> {
    let ([held, reserved, free], alice) = (stage.seats().await?, newcomer("alice"));
    for seat in [&held, &reserved] {
        stage.hold(&alice, seat).await?;
    }
    stage.reserve(&alice, &reserved).await?;
    let bob = newcomer("bob");
    let refused = stage.ask_for(&bob, &[&held, &free, &reserved]).await?;
    let conflicts = [(held.as_str(), "HELD"), (reserved.as_str(), "RESERVED")];
    refused.conflicts(409, "SEAT_NOT_AVAILABLE", &conflicts)?;
    let missing = format!("{}.{}-NOWHERE-1", stage.api.event, stage.section);
    let refused = stage.ask_for(&bob, &[&free, &missing]).await?;
    refused.conflicts(404, "SEAT_NOT_FOUND", &[(&missing, "NOT_FOUND")])?;
    stage.release(&alice, &reserved).await?;
    stage.release(&alice, &held).await
}

pub async fn a_hold_is_shown_and_given_back(stage: &Stage) -> anyhow::Result<()> {
    let ([a, b], [unit], alice) = (stage.seats().await?, stage.units().await?, newcomer("alice"));
    let answer = stage.ask_for(&alice, &[&a, &b, &unit]).await?;
    let held = answer.done(201, &HELD)?;
    let path = format!("/holds/{}", text(held, "holdId")?);
    let shown = stage.api.call(Method::GET, &path, &alice).await?;
    shown.done(200, &HELD)?;
    for field in HELD {
        same(field, &shown.json[field], held[field].clone())?;
    }
    for seat in [&a, &b, &unit] {
        stage.shows(seat, "HELD").await?;
    }
    let released = stage.give_back(&alice, &path).await?;
    gave_back(&released, &[&a, &b, &unit])?;
    for seat in [&a, &b, &unit] {
        stage.shows(seat, "AVAILABLE").await?;
    }
    for method in [Method::GET, Method::DELETE] {
        stage.api.call(method, &path, &alice).await?.refused(404, "HOLD_NOT_FOUND")?;
    }
    Ok(())
}

pub async fn a_hold_gets_more_seats(stage: &Stage) -> anyhow::Result<()> {
    let ([a, b, taken], [unit]) = (stage.seats().await?, stage.units().await?);
    let (alice, bob) = (newcomer("alice"), newcomer("bob"));
    let answer = stage.ask_for(&alice, &[&a]).await?;
    let held = answer.done(201, &HELD)?;
    let cart = format!("/holds/{}", text(held, "holdId")?);
    let path = format!("{cart}/seats");
    let add = async |seats: Value| stage.api.post_json(&path, &alice, &json!({ "seats": seats })).await;
    let grown = add(json!([b, unit])).await?;
    same_seats(grown.done(200, &HELD)?, &[&a, &b, &unit])?;
    priced(&grown.json)?;
    same("the deadline", &grown.json["expiresAt"], held["expiresAt"].clone())?;
    stage.hold(&bob, &taken).await?;
    add(json!([taken])).await?.conflicts(409, "SEAT_NOT_AVAILABLE", &[(&taken, "HELD")])?;
    let again = add(json!([a])).await?;
    same("sequence", &again.done(200, &HELD)?["sequence"], grown.json["sequence"].clone())?;
    stage.release(&bob, &taken).await?;
    gave_back(&stage.give_back(&alice, &cart).await?, &[&a, &b, &unit])
}

pub async fn a_hold_is_reserved_whole(stage: &Stage) -> anyhow::Result<()> {
    let ([a, b], [unit], alice) = (stage.seats().await?, stage.units().await?, newcomer("alice"));
    let path = stage.hold_all(&alice, &[&a, &b, &unit]).await?;
    let answer = stage.api.post(&format!("{path}/reserve"), &alice).await?;
    let reserved = answer.done(200, &RESERVED)?;
    same_seats(reserved, &[&a, &b, &unit])?;
    priced(reserved)?;
    let again = stage.api.post(&format!("{path}/reserve"), &alice).await?;
    for field in RESERVED {
        same(field, &again.done(200, &RESERVED)?[field], reserved[field].clone())?;
    }
    for seat in [&a, &b, &unit] {
        stage.shows(seat, "RESERVED").await?;
    }
    let cancelled =
        stage.give_back(&alice, &format!("/reservations/{}", text(reserved, "reservationId")?)).await?;
    gave_back(&cancelled, &[&a, &b, &unit])?;
    stage.shows(&unit, "AVAILABLE").await
}

pub async fn a_seat_leaves_its_hold(stage: &Stage) -> anyhow::Result<()> {
    let ([a, b], alice, bob) = (stage.seats().await?, newcomer("alice"), newcomer("bob"));
    let path = stage.hold_all(&alice, &[&a, &b]).await?;
    let left = stage.api.post(&format!("/seats/{a}/release"), &alice).await?;
    let left = left.done(200, &[&RELEASED_SEAT[..], &["expiresAt"]].concat())?;
    gave_back(left, &[&a])?;
    same_seats(left, &[&b])?;
    priced(left)?;
    stage.hold(&bob, &a).await?;
    let shown = stage.api.call(Method::GET, &path, &alice).await?;
    same_seats(shown.shown()?, &[&b])?;
    same("the sequence of what is told", &shown.json["sequence"], left["sequence"].clone())?;
    let released = stage.api.call(Method::DELETE, &path, &alice).await?;
    gave_back(released.done(200, &RELEASED)?, &[&b])?;
    stage.release(&bob, &a).await
}

pub async fn a_seat_of_a_hold_is_reserved_alone(stage: &Stage) -> anyhow::Result<()> {
    let ([a, b, c], alice) = (stage.seats().await?, newcomer("alice"));
    let path = stage.hold_all(&alice, &[&a, &b, &c]).await?;
    let alone = stage.reserve(&alice, &a).await?;
    let answer = stage.api.post(&format!("{path}/reserve"), &alice).await?;
    let rest = answer.done(200, &RESERVED)?;
    same_seats(rest, &[&b, &c])?;
    ensure!(alone["reservationId"] != rest["reservationId"], "both are {}", alone["reservationId"]);
    // Cancelling the one leaves the other.
    stage.give_back(&alice, &format!("/reservations/{}", text(&alone, "reservationId")?)).await?;
    stage.shows(&a, "AVAILABLE").await?;
    let again = stage.reserve(&alice, &b).await?;
    same("reservationId", &again["reservationId"], rest["reservationId"].clone())?;
    stage.give_back(&alice, &format!("/reservations/{}", text(rest, "reservationId")?)).await?;
    Ok(())
}

/// An answer about these seats and no other.
fn same_seats(answer: &Value, seats: &[&String]) -> anyhow::Result<()> {
    let (found, expected): (BTreeSet<_>, BTreeSet<_>) =
        (seats_of(answer)?.into_iter().collect(), seats.iter().map(|seat| seat.as_str()).collect());
    ensure!(found == expected, "seats are {found:?}, not {expected:?}");
    Ok(())
}

/// An answer that gave these seats back and no other.
fn gave_back(answer: &Value, seats: &[&String]) -> anyhow::Result<()> {
    let (found, expected): (BTreeSet<_>, BTreeSet<_>) =
        (released_of(answer)?.into_iter().collect(), seats.iter().map(|seat| seat.as_str()).collect());
    ensure!(found == expected, "released are {found:?}, not {expected:?}");
    Ok(())
}
