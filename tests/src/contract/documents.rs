//! What the API says about itself: the documents, the page to browse them, and a paragraph a problem code.

use anyhow::{Context, ensure};
use reqwest::{Method, RequestBuilder};

use super::answer::Answer;
use super::stage::{Stage, newcomer};

pub async fn each_worker_describes_its_routes(stage: &Stage) -> anyhow::Result<()> {
    let commands = found(stage, stage.api.command(Method::GET, "/openapi.json")).await?;
    described(&commands, "/seats/{seatId}/hold", "post")?;
    let behind_a_gateway = found(stage, stage.api.command(Method::GET, "/command/openapi.json")).await?;
    described(&behind_a_gateway, "/seats/{seatId}/hold", "post")?;
    let queries = found(stage, stage.api.query("/openapi.json")).await?;
    described(&queries, "/events/{eventId}/seats", "get")
}

pub async fn a_document_is_browsed_without_help_from_elsewhere(stage: &Stage) -> anyhow::Result<()> {
    let commands = ["/docs", "/command/docs"].map(|path| stage.api.command(Method::GET, path));
    for page in commands.into_iter().chain([stage.api.query("/docs")]) {
        let page = found(stage, page).await?;
        let policy = page.header("content-security-policy").unwrap_or_default();
        ensure!(policy.starts_with("default-src 'none'"), "the page may load anything: {policy:?}");
    }
    Ok(())
}

pub async fn a_problem_is_explained_where_its_type_says(stage: &Stage) -> anyhow::Result<()> {
    let refused = stage.api.post("/seats/nowhere.A-1-1/hold", &newcomer("alice")).await?;
    let of = refused.refused(404, "EVENT_NOT_FOUND")?["type"].as_str().context("no type")?;
    let (_, path) = of.split_once("boxoffice.dev").with_context(|| format!("the type is {of}"))?;
    for page in [stage.api.command(Method::GET, path), stage.api.query(path)] {
        let page = found(stage, page).await?;
        let text = String::from_utf8_lossy(&page.bytes);
        ensure!(text.contains("EVENT_NOT_FOUND"), "{path} says nothing of its code: {text}");
    }
    Ok(())
}

async fn found(stage: &Stage, request: RequestBuilder) -> anyhow::Result<Answer> {
    let answer = stage.api.send(request).await?;
    ensure!(answer.status == 200, "answered {}, not 200", answer.status);
    Ok(answer)
}

fn described(document: &Answer, path: &str, method: &str) -> anyhow::Result<()> {
    let version = document.json["openapi"].as_str().unwrap_or_default();
    ensure!(version.starts_with("3."), "it is no OpenAPI document: openapi is {version:?}");
    let summary = &document.json["paths"][path][method]["summary"];
    ensure!(summary.is_string(), "{method} {path} is not described");
    Ok(())
}
