//! Requests that are sent again under their `Idempotency-Key`.

use anyhow::{Context, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::{Answer, number, same, text};
use super::api::USER_ID;
use super::stage::{HELD, HELD_SEAT, RELEASED_SEAT, RESERVED_SEAT, Stage, newcomer};

const IDEMPOTENCY_KEY: &str = "idempotency-key";

pub async fn a_request_that_is_sent_again_has_no_second_effect(stage: &Stage) -> anyhow::Result<()> {
    let ([seat], alice) = (stage.seats().await?, newcomer("alice"));
    let (hold, reserve, release) =
        (format!("/seats/{seat}/hold"), format!("/seats/{seat}/reserve"), format!("/seats/{seat}/release"));
    let [k1, k2, k3] = [(); 3].map(|()| new_key());
    let got = send(stage, &alice, &k1, &hold, None).await?;
    let reserved = send(stage, &alice, &k2, &reserve, None).await?;
    let released = send(stage, &alice, &k3, &release, None).await?;
    for (key, path, first, fields) in [
        (&k1, &hold, &got, &HELD_SEAT[..]),
        (&k2, &reserve, &reserved, &RESERVED_SEAT),
        (&k3, &release, &released, &RELEASED_SEAT),
    ] {
        let again = send(stage, &alice, key, path, None).await?;
        again.done(200, fields)?;
        ensure!(again.json == first.json, "the answer of {first:?} comes again as {again:?}");
    }
    // Nobody has it: all of that was said again, but not done again.
    stage.shows(&seat, "AVAILABLE").await?;
    let bob = newcomer("bob");
    stage.hold(&bob, &seat).await?;
    stage.release(&bob, &seat).await
}

pub async fn a_hold_of_several_is_answered_again_as_it_was(stage: &Stage) -> anyhow::Result<()> {
    let (alice, key, path) = (newcomer("alice"), new_key(), format!("/events/{}/holds", stage.api.event));
    let best = json!({"bestAvailable": {"quantity": 2}});
    let first = send(stage, &alice, &key, &path, Some(&best)).await?;
    let again = send(stage, &alice, &key, &path, Some(&best)).await?;
    for field in HELD {
        same(field, &again.done(201, &HELD)?[field], first.done(201, &HELD)?[field].clone())?;
    }
    ensure!(
        first.header("location") == again.header("location"),
        "Location is {:?}",
        again.header("location")
    );
    // The same words in another order are the same request.
    let request =
        stage.api.command(Method::POST, &path).header(USER_ID, &alice).header(IDEMPOTENCY_KEY, &key);
    let spaced =
        request.header("content-type", "application/json").body(r#"{ "bestAvailable" : {"quantity":2} }"#);
    let spaced = stage.api.send(spaced).await?;
    same("holdId", &spaced.done(201, &HELD)?["holdId"], first.json["holdId"].clone())?;
    stage.give_back(&alice, &format!("/holds/{}", text(&first.json, "holdId")?)).await.map(drop)
}

pub async fn a_key_stands_for_one_request_of_one_user(stage: &Stage) -> anyhow::Result<()> {
    let ([a, b], [unit], alice, bob, key) =
        (stage.seats().await?, stage.units().await?, newcomer("alice"), newcomer("bob"), new_key());
    send(stage, &alice, &key, &format!("/seats/{a}/hold"), None).await?.done(200, &HELD_SEAT)?;
    let holds = format!("/events/{}/holds", stage.api.event);
    for (path, body) in [
        (format!("/seats/{b}/hold"), None),
        (format!("/seats/{a}/reserve"), None),
        (holds, Some(json!({"seats": [unit]}))),
    ] {
        let refused = send(stage, &alice, &key, &path, body.as_ref()).await?;
        refused.refused(422, "IDEMPOTENCY_MISMATCH").with_context(|| path)?;
    }
    // Nobody else is in the way with the same key.
    send(stage, &bob, &key, &format!("/seats/{b}/hold"), None).await?.done(200, &HELD_SEAT)?;
    stage.release(&alice, &a).await?;
    stage.release(&bob, &b).await
}

/// The key is the hold's name: others are refused also where nothing but the hold itself remembers it.
pub async fn a_hold_under_a_key_is_made_once(stage: &Stage) -> anyhow::Result<()> {
    let ([a, b], alice, key) = (stage.seats().await?, newcomer("alice"), new_key());
    let (path, wanted) = (format!("/events/{}/holds", stage.api.event), json!({"seats": [a]}));
    let first = send(stage, &alice, &key, &path, Some(&wanted)).await?;
    let id = text(first.done(201, &HELD)?, "holdId")?.to_owned();
    let again = send(stage, &alice, &key, &path, Some(&wanted)).await?;
    same("holdId", &again.done(201, &HELD)?["holdId"], id.as_str())?;
    let others = send(stage, &alice, &key, &path, Some(&json!({"seats": [b]}))).await?;
    others.refused(422, "IDEMPOTENCY_MISMATCH")?;
    stage.give_back(&alice, &format!("/holds/{id}")).await.map(drop)
}

pub async fn a_refusal_is_evaluated_again(stage: &Stage) -> anyhow::Result<()> {
    let ([seat], alice, bob, key) = (stage.seats().await?, newcomer("alice"), newcomer("bob"), new_key());
    let (path, held) = (format!("/seats/{seat}/hold"), stage.hold(&alice, &seat).await?);
    let refused = send(stage, &bob, &key, &path, None).await?;
    refused.conflicts(409, "SEAT_NOT_AVAILABLE", &[(&seat, "HELD")])?;
    stage.release(&alice, &seat).await?;
    let done = send(stage, &bob, &key, &path, None).await?;
    let (before, after) = (number(&held, "sequence")?, number(done.done(200, &HELD_SEAT)?, "sequence")?);
    ensure!(after > before, "sequence {after} is from before the seat was free");
    stage.release(&bob, &seat).await
}

pub async fn a_key_that_is_none_is_refused(stage: &Stage) -> anyhow::Result<()> {
    let ([seat], alice) = (stage.seats().await?, newcomer("alice"));
    for key in ["", &"k".repeat(256)] {
        let refused = send(stage, &alice, key, &format!("/seats/{seat}/hold"), None).await?;
        let detail = text(refused.refused(400, "INVALID_REQUEST")?, "detail")?;
        ensure!(detail.contains(IDEMPOTENCY_KEY), "{detail:?} does not name {IDEMPOTENCY_KEY}");
    }
    stage.shows(&seat, "AVAILABLE").await
}

fn new_key() -> String {
    Uuid::new_v4().to_string()
}

/// A POST under a key.
async fn send(
    stage: &Stage,
    user: &str,
    key: &str,
    path: &str,
    body: Option<&Value>,
) -> anyhow::Result<Answer> {
    let request = stage.api.command(Method::POST, path).header(USER_ID, user).header(IDEMPOTENCY_KEY, key);
    stage.api.send(body.into_iter().fold(request, reqwest::RequestBuilder::json)).await
}
