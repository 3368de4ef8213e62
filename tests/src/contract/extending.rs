//! A hold that is to last longer.

use anyhow::ensure;
use reqwest::Method;
use serde_json::json;

use super::answer::{number, same, text};
use super::api::soon;
use super::stage::{HELD, Stage, newcomer};

pub async fn a_hold_is_extended_up_to_the_longest(stage: &Stage) -> anyhow::Result<()> {
    let ([seat], alice, bob) = (stage.seats().await?, newcomer("alice"), newcomer("bob"));
    let held = stage.hold(&alice, &seat).await?;
    let path = format!("/holds/{}/extend", text(&held, "holdId")?);
    let extend = async |seconds: u64| {
        let answer = stage.api.post_json(&path, &alice, &json!({"seconds": seconds})).await?;
        anyhow::Ok(answer.done(200, &HELD)?.clone())
    };
    stage.api.post(&path, &bob).await?.refused(403, "NOT_HOLDER")?;
    let first = extend(60).await?;
    same("holdId", &first["holdId"], held["holdId"].clone())?;
    same("expiresAt", &first["expiresAt"], number(&held, "expiresAt")? + 60_000)?;
    ensure!(
        number(&first, "sequence")? > number(&held, "sequence")?,
        "the sequence is {}",
        first["sequence"]
    );
    let address = format!("/holds/{}", text(&held, "holdId")?);
    let found = stage.api.call(Method::GET, &address, &alice).await?;
    for field in HELD {
        same(field, &found.done(200, &HELD)?[field], first[field].clone())?;
    }
    // Without a body: as long as a new hold lasts.
    let more = stage.api.post(&path, &alice).await?;
    let more = number(more.done(200, &HELD)?, "expiresAt")?;
    ensure!(more > number(&first, "expiresAt")?, "expiresAt is {more}, no later than {}", first["expiresAt"]);
    let longest = number(&extend(1_000_000).await?, "expiresAt")?;
    ensure!(longest < more + 1_000_000_000, "nothing keeps a hold from lasting until {longest}");
    same("expiresAt", &extend(1).await?["expiresAt"], longest)?;
    soon(async || {
        let shown = stage.api.get_as(&format!("/seats/{seat}"), &alice).await?;
        same("expiresAt", &shown.shown()?["expiresAt"], longest)
    })
    .await?;
    for seconds in [json!(0), json!(-1), json!("long")] {
        let refused = stage.api.post_json(&path, &alice, &json!({"seconds": seconds})).await?;
        let detail = text(refused.refused(400, "INVALID_REQUEST")?, "detail")?;
        ensure!(detail.contains("seconds"), "{detail:?} does not name seconds");
    }
    stage.release(&alice, &seat).await?;
    stage.api.post(&path, &alice).await?.refused(404, "HOLD_NOT_FOUND").map(drop)
}
