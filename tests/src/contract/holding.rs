//! One seat, held for a while.

use anyhow::ensure;
use boxoffice_domain::HoldId;
use boxoffice_runtime::clock;
use reqwest::Method;
use uuid::Uuid;

use super::answer::{CORRELATION_ID, number, same, text};
use super::api::USER_ID;
use super::stage::{HELD_SEAT, Stage, newcomer};

pub async fn a_seat_is_held(stage: &Stage) -> anyhow::Result<()> {
    let ([seat], alice) = (stage.seats().await?, newcomer("alice"));
    let correlation = format!("contract-{}", Uuid::new_v4());
    let request = stage.api.command(Method::POST, &format!("/seats/{seat}/hold"));
    let request = request.header(USER_ID, &alice).header(CORRELATION_ID, &correlation);
    let answer = stage.api.send(request).await?;
    let held = answer.done(200, &HELD_SEAT)?;
    same("correlationId", &held["correlationId"], correlation)?;
    same("seatId", &held["seatId"], seat.as_str())?;
    let id: HoldId = text(held, "holdId")?.parse()?;
    ensure!(id.event_id().as_str() == stage.api.event, "holdId {id} is not one of {}", stage.api.event);
    ensure!(number(held, "sequence")? > 1, "sequence {} was event.created's", held["sequence"]);
    let left = number(held, "expiresAt")?.saturating_sub(clock::now());
    let ttl = stage.ttl.as_millis();
    ensure!(u128::from(left).abs_diff(ttl) < 1_000, "expiresAt is {left} ms from now, not {ttl}");
    stage.shows(&seat, "HELD").await?;
    stage.release(&alice, &seat).await
}

pub async fn a_correlation_id_is_made_where_none_is_given(stage: &Stage) -> anyhow::Result<()> {
    let ([seat], alice) = (stage.seats().await?, newcomer("alice"));
    let (first, second) = (stage.hold(&alice, &seat).await?, stage.hold(&alice, &seat).await?);
    for held in [&first, &second] {
        text(held, "correlationId")?.parse::<Uuid>()?;
    }
    ensure!(first["correlationId"] != second["correlationId"], "two requests are one chain");
    let queried = stage.api.get("/events").await?;
    ensure!(queried.header(CORRELATION_ID).is_some(), "a query's answer has no header {CORRELATION_ID}");
    stage.release(&alice, &seat).await
}

pub async fn holding_again_gives_the_same_hold(stage: &Stage) -> anyhow::Result<()> {
    let ([seat], alice) = (stage.seats().await?, newcomer("alice"));
    let (first, again) = (stage.hold(&alice, &seat).await?, stage.hold(&alice, &seat).await?);
    for field in HELD_SEAT {
        same(field, &again[field], first[field].clone())?;
    }
    stage.release(&alice, &seat).await
}

pub async fn a_taken_seat_is_refused(stage: &Stage) -> anyhow::Result<()> {
    let ([seat], alice, bob) = (stage.seats().await?, newcomer("alice"), newcomer("bob"));
    let path = format!("/seats/{seat}/hold");
    stage.hold(&alice, &seat).await?;
    let refused = stage.api.post(&path, &bob).await?;
    refused.conflicts(409, "SEAT_NOT_AVAILABLE", &[(&seat, "HELD")])?;
    ensure!(refused.json["conflicts"][0]["mine"] != true, "{refused:?} says that it is bob's own");
    let reserved = stage.reserve(&alice, &seat).await?;
    stage.api.post(&path, &bob).await?.conflicts(409, "SEAT_NOT_AVAILABLE", &[(&seat, "RESERVED")])?;
    // Not even again to its owner, who has no hold any more.
    let own = stage.api.post(&path, &alice).await?;
    own.conflicts(409, "SEAT_NOT_AVAILABLE", &[(&seat, "RESERVED")])?;
    same("mine", &own.json["conflicts"][0]["mine"], true)?;
    stage.give_back(&alice, &format!("/reservations/{}", text(&reserved, "reservationId")?)).await?;
    Ok(())
}

pub async fn a_seat_is_released(stage: &Stage) -> anyhow::Result<()> {
    let ([seat], alice, bob) = (stage.seats().await?, newcomer("alice"), newcomer("bob"));
    stage.hold(&alice, &seat).await?;
    stage.shows(&seat, "HELD").await?;
    stage.release(&alice, &seat).await?;
    stage.shows(&seat, "AVAILABLE").await?;
    stage.api.post(&format!("/seats/{seat}/release"), &alice).await?.refused(409, "SEAT_NOT_HELD")?;
    stage.hold(&bob, &seat).await?;
    stage.release(&bob, &seat).await
}

pub async fn others_may_not_touch_a_hold(stage: &Stage) -> anyhow::Result<()> {
    let ([seat], alice, bob) = (stage.seats().await?, newcomer("alice"), newcomer("bob"));
    let hold = format!("/holds/{}", text(&stage.hold(&alice, &seat).await?, "holdId")?);
    for (method, path) in [
        (Method::POST, format!("/seats/{seat}/reserve")),
        (Method::POST, format!("/seats/{seat}/release")),
        (Method::POST, format!("{hold}/reserve")),
        (Method::GET, hold.clone()),
        (Method::DELETE, hold.clone()),
    ] {
        stage.api.call(method, &path, &bob).await?.refused(403, "NOT_HOLDER")?;
    }
    stage.api.call(Method::GET, &hold, &alice).await?.shown()?;
    stage.release(&alice, &seat).await
}
