//! One held seat, confirmed; and given back.

use anyhow::ensure;
use boxoffice_domain::ReservationId;
use boxoffice_runtime::clock;
use reqwest::Method;

use super::answer::{number, same, text};
use super::stage::{RESERVED_SEAT, Stage, newcomer, released_of};

/// How far the server's clock may be from this one.
const CLOCKS: u64 = 60_000;

pub async fn a_held_seat_is_reserved(stage: &Stage) -> anyhow::Result<()> {
    let ([seat], alice) = (stage.seats().await?, newcomer("alice"));
    let held = stage.hold(&alice, &seat).await?;
    let reserved = stage.reserve(&alice, &seat).await?;
    same("seatId", &reserved["seatId"], seat.as_str())?;
    let reservation: ReservationId = text(&reserved, "reservationId")?.parse()?;
    ensure!(reservation.event_id().as_str() == stage.api.event, "reservationId is {reservation}");
    let (now, at) = (clock::now(), number(&reserved, "reservedAt")?);
    ensure!(now.abs_diff(at) < CLOCKS, "reservedAt is {at}, but it is {now}");
    let (before, after) = (number(&held, "sequence")?, number(&reserved, "sequence")?);
    ensure!(after >= before + 2, "sequence {after} does not leave room for two events after {before}");
    stage.shows(&seat, "RESERVED").await?;
    stage.give_back(&alice, &format!("/reservations/{reservation}")).await?;
    Ok(())
}

pub async fn reserving_again_gives_the_same_answer(stage: &Stage) -> anyhow::Result<()> {
    let ([seat], alice) = (stage.seats().await?, newcomer("alice"));
    let hold = text(&stage.hold(&alice, &seat).await?, "holdId")?.to_owned();
    let (first, again) = (stage.reserve(&alice, &seat).await?, stage.reserve(&alice, &seat).await?);
    for field in RESERVED_SEAT {
        same(field, &again[field], first[field].clone())?;
    }
    let whole = stage.api.post(&format!("/holds/{hold}/reserve"), &alice).await?;
    same("reservationId", &whole.shown()?["reservationId"], first["reservationId"].clone())?;
    stage.release(&alice, &seat).await
}

pub async fn a_reservation_is_cancelled(stage: &Stage) -> anyhow::Result<()> {
    let ([seat], alice, bob) = (stage.seats().await?, newcomer("alice"), newcomer("bob"));
    stage.hold(&alice, &seat).await?;
    let reserved = stage.reserve(&alice, &seat).await?;
    let path = format!("/reservations/{}", text(&reserved, "reservationId")?);
    stage.api.call(Method::DELETE, &path, &bob).await?.refused(403, "NOT_HOLDER")?;
    let cancelled = stage.give_back(&alice, &path).await?;
    ensure!(
        released_of(&cancelled)? == [seat.as_str()],
        "released are {}, not {seat}",
        cancelled["released"]
    );
    stage.shows(&seat, "AVAILABLE").await?;
    stage.api.call(Method::DELETE, &path, &alice).await?.refused(404, "RESERVATION_NOT_FOUND")?;
    stage.hold(&bob, &seat).await?;
    stage.release(&bob, &seat).await
}

pub async fn a_reserved_seat_is_released(stage: &Stage) -> anyhow::Result<()> {
    let ([seat], alice, bob) = (stage.seats().await?, newcomer("alice"), newcomer("bob"));
    stage.hold(&alice, &seat).await?;
    stage.reserve(&alice, &seat).await?;
    stage.api.post(&format!("/seats/{seat}/release"), &bob).await?.refused(403, "NOT_HOLDER")?;
    stage.api.post(&format!("/seats/{seat}/reserve"), &bob).await?.refused(403, "NOT_HOLDER")?;
    stage.release(&alice, &seat).await?;
    stage.shows(&seat, "AVAILABLE").await
}

pub async fn a_seat_that_nobody_holds_is_not_reserved(stage: &Stage) -> anyhow::Result<()> {
    let ([seat], alice) = (stage.seats().await?, newcomer("alice"));
    for verb in ["reserve", "release"] {
        stage.api.post(&format!("/seats/{seat}/{verb}"), &alice).await?.refused(409, "SEAT_NOT_HELD")?;
    }
    Ok(())
}
