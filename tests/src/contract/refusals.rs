//! What is refused, with which status and code, and as which media type.

use anyhow::{Context, ensure};
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::answer::{Answer, text};
use super::api::USER_ID;
use super::stage::{Stage, newcomer};

/// What a body may be long, in bytes.
const LARGEST_BODY: usize = 65_536;

pub async fn a_user_must_be_named(stage: &Stage) -> anyhow::Result<()> {
    let [seat] = stage.seats().await?;
    for verb in ["hold", "reserve", "release"] {
        let request = stage.api.command(Method::POST, &format!("/seats/{seat}/{verb}"));
        stage.api.send(request).await?.refused(401, "UNAUTHENTICATED")?;
    }
    let request = stage.api.command(Method::POST, &format!("/seats/{seat}/hold")).header(USER_ID, "");
    stage.api.send(request).await?.refused(401, "UNAUTHENTICATED")?;
    Ok(())
}

pub async fn malformed_ids_and_bodies_are_refused(stage: &Stage) -> anyhow::Result<()> {
    let (api, alice, [seat]) = (&stage.api, newcomer("alice"), stage.seats().await?);
    for path in ["/seats/nowhere/hold", "/seats/A-1-1/reserve", "/holds/no-hold/reserve"] {
        invalid(api.post(path, &alice)).await.with_context(|| format!("POST {path}"))?;
    }
    invalid(api.call(Method::DELETE, "/reservations/none", &alice)).await?;
    for path in ["/seats/A-1-1", "/events/Not.One"] {
        invalid(api.get(path)).await.with_context(|| format!("GET {path}"))?;
    }
    let holds = format!("/events/{}/holds", api.event);
    let bodies = [
        json!({}),
        json!([]),
        json!({"seats": []}),
        json!({"seats": [7]}),
        json!({"seats": ["A-1-1"]}),
        json!({"seats": ["another-event.A-1-1"]}),
        json!({"seats": [seat, seat]}),
    ];
    for body in bodies {
        invalid(api.post_json(&holds, &alice, &body)).await.with_context(|| body.to_string())?;
    }
    let request = api.command(Method::POST, &holds).header(USER_ID, &alice);
    invalid(api.send(request.header("content-type", "application/json").body("{"))).await
}

async fn invalid(asked: impl Future<Output = anyhow::Result<Answer>>) -> anyhow::Result<()> {
    asked.await?.refused(400, "INVALID_REQUEST").map(drop)
}

pub async fn what_is_not_there_is_named(stage: &Stage) -> anyhow::Result<()> {
    let (api, alice, event) = (&stage.api, newcomer("alice"), &stage.api.event);
    let nowhere = format!("nowhere-{}", Uuid::new_v4().simple());
    let seat = format!("{event}.{}-NOWHERE-1", stage.section);
    for verb in ["hold", "reserve", "release"] {
        let refused = api.post(&format!("/seats/{seat}/{verb}"), &alice).await?;
        refused.conflicts(404, "SEAT_NOT_FOUND", &[(&seat, "NOT_FOUND")]).with_context(|| verb.to_owned())?;
        api.post(&format!("/seats/{nowhere}.A-1-1/{verb}"), &alice).await?.refused(404, "EVENT_NOT_FOUND")?;
    }
    let several = json!({"seats": [format!("{nowhere}.A-1-1")]});
    let refused = api.post_json(&format!("/events/{nowhere}/holds"), &alice, &several).await?;
    refused.refused(404, "EVENT_NOT_FOUND")?;
    api.get(&format!("/seats/{seat}")).await?.refused(404, "SEAT_NOT_FOUND")?;
    for path in
        [format!("/seats/{nowhere}.A-1-1"), format!("/events/{nowhere}"), format!("/events/{nowhere}/seats")]
    {
        api.get(&path).await?.refused(404, "EVENT_NOT_FOUND").with_context(|| path)?;
    }
    let id = format!("{event}.{}", Uuid::new_v4());
    for method in [Method::GET, Method::DELETE] {
        api.call(method, &format!("/holds/{id}"), &alice).await?.refused(404, "HOLD_NOT_FOUND")?;
    }
    api.post(&format!("/holds/{id}/reserve"), &alice).await?.refused(404, "HOLD_NOT_FOUND")?;
    let refused = api.call(Method::DELETE, &format!("/reservations/{id}"), &alice).await?;
    refused.refused(404, "RESERVATION_NOT_FOUND")?;
    Ok(())
}

pub async fn wrong_methods_and_bodies_are_refused(stage: &Stage) -> anyhow::Result<()> {
    let (api, alice, [seat]) = (&stage.api, newcomer("alice"), stage.seats().await?);
    let wrong_method = api.call(Method::GET, &format!("/seats/{seat}/hold"), &alice).await?;
    problem(&wrong_method, 405)?;
    let allowed = wrong_method.header("allow").context("no header allow")?;
    ensure!(allowed.contains("POST"), "allow is {allowed:?}");
    let holds = || api.command(Method::POST, &format!("/events/{}/holds", api.event)).header(USER_ID, &alice);
    let form =
        holds().header("content-type", "application/x-www-form-urlencoded").body(format!("seats={seat}"));
    problem(&api.send(form).await?, 400)?;
    problem(&api.send(holds()).await?, 400)?;
    let untyped = holds().body(json!({"seats": [seat]}).to_string());
    ensure!(api.send(untyped).await?.status == 201, "a JSON body without a content type");
    problem(&api.post("/nowhere/at/all", &alice).await?, 404)?;
    problem(&api.get("/nowhere/at/all").await?, 404)
}

/// More than any request needs; the SeatingEvent's service leaves `limits.maxBodyBytes` at 64 KiB.
pub async fn a_body_that_is_too_large_is_refused(stage: &Stage) -> anyhow::Result<()> {
    let (api, alice) = (&stage.api, newcomer("alice"));
    let body = json!({"seats": ["x".repeat(LARGEST_BODY)]});
    problem(&api.post_json(&format!("/events/{}/holds", api.event), &alice, &body).await?, 413)
}

/// A refusal whose code the contract leaves open.
fn problem(answer: &Answer, status: u16) -> anyhow::Result<()> {
    answer.refused(status, text(&answer.json, "code")?).map(drop)
}
