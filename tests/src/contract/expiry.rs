//! A hold that is left alone (I6).

use std::time::Duration;

use anyhow::{Context, ensure};
use boxoffice_runtime::clock;
use reqwest::Method;

use super::answer::{number, same, text};
use super::api::patiently;
use super::stage::{HELD_SEAT, Stage, newcomer};

/// How late an end may show: a second to notice it, and one for a busy machine and clocks that differ.
const LATE: Duration = Duration::from_secs(2);
/// How much too early it may seem, by clocks that differ.
const EARLY: u64 = 500;

pub async fn a_hold_ends_at_its_deadline(stage: &Stage) -> anyhow::Result<()> {
    let ([left_alone, wanted], alice, bob) = (stage.seats().await?, newcomer("alice"), newcomer("bob"));
    let hold = stage.hold(&alice, &left_alone).await?;
    let path = format!("/holds/{}", text(&hold, "holdId")?);
    let deadline = number(&stage.hold(&alice, &wanted).await?, "expiresAt")?;
    let take = format!("/seats/{wanted}/hold");
    stage.api.post(&take, &bob).await?.conflicts(409, "SEAT_NOT_AVAILABLE", &[(&wanted, "HELD")])?;

    let first_deadline = number(&hold, "expiresAt")?;
    let noticed = async {
        // Readers are a moment behind: the end counts from when they knew of the beginning.
        let seen = patiently(LATE, async || {
            let shown = stage.api.get(&format!("/seats/{left_alone}")).await?;
            same("status", &shown.shown()?["status"], "HELD")
        });
        seen.await.context("the query side does not show the hold")?;
        let freed = patiently(stage.ttl + LATE, async || {
            let shown = stage.api.get(&format!("/seats/{left_alone}")).await?;
            same("status", &shown.shown()?["status"], "AVAILABLE")?;
            Ok(clock::now())
        });
        let freed = freed.await.context("the query side does not show that the hold has ended")?;
        ensure!(freed + EARLY >= first_deadline, "it ended {} ms too early", first_deadline - freed);
        Ok(())
    };
    // Whoever asks for the seat at its deadline has it, whether or not anybody has noticed yet.
    let asked = async {
        patiently(stage.ttl + LATE, async || {
            let now = clock::now();
            ensure!(now >= deadline, "{} ms to go", deadline.saturating_sub(now));
            Ok(())
        })
        .await?;
        let taken = patiently(LATE, async || {
            stage.api.post(&take, &bob).await?.done(200, &HELD_SEAT)?;
            Ok(())
        });
        taken.await.context("the seat is not to be had after the deadline")
    };
    tokio::try_join!(noticed, asked)?;

    stage.api.post(&format!("/seats/{left_alone}/reserve"), &alice).await?.refused(409, "HOLD_EXPIRED")?;
    stage.api.post(&format!("{path}/reserve"), &alice).await?.refused(409, "HOLD_EXPIRED")?;
    stage.api.call(Method::GET, &path, &alice).await?.refused(409, "HOLD_EXPIRED")?;
    stage.api.post(&format!("/seats/{wanted}/reserve"), &alice).await?.refused(403, "NOT_HOLDER")?;
    stage.release(&bob, &wanted).await
}
