//! What every read says beside what it was asked for: how old it may be, of which state it is, and who may keep it.

use anyhow::{Context, ensure};

use super::answer::{exactly, text};
use super::api::soon;
use super::stage::{Stage, newcomer};

/// Addresses below a SeatingEvent's that say which state they show.
const OF_SHOW: [&str; 4] = ["", "/chart", "/seats", "/stats"];

pub async fn every_answer_says_how_old_it_may_be(stage: &Stage) -> anyhow::Result<()> {
    let ([seat], alice) = (stage.seats().await?, newcomer("alice"));
    let of_show = OF_SHOW.map(|path| format!("/events/{}{path}", stage.api.event));
    for path in of_show.iter().chain([&format!("/seats/{seat}")]) {
        // Statistics come a moment after what they count.
        let answer = soon(async || {
            let answer = stage.api.get(path).await?;
            answer.shown()?;
            Ok(answer)
        });
        let answer = answer.await?;
        for header in ["x-view-age", "x-view-sequence"] {
            answer.told(header).with_context(|| format!("GET {path}"))?;
        }
    }
    let map = format!("/events/{}/seats", stage.api.event);
    let unchanged = stage.api.send(stage.api.query(&map).header("if-none-match", "*")).await?;
    ensure!(unchanged.status == 304, "If-None-Match: * is answered {}, not 304", unchanged.status);
    for header in ["x-view-age", "x-view-sequence"] {
        unchanged.told(header).context("of a 304")?;
    }
    // Whatever is answered: lists, what is one's own, what is refused, and what is not there.
    for path in [
        "/events",
        "/web.json",
        &format!("/users/{alice}/holds"),
        "/events?nonce=1",
        "/events/Not.One",
        "/events/nowhere",
        "/nowhere/at/all",
    ] {
        stage.api.get_as(path, &alice).await?.told("x-view-age").with_context(|| format!("GET {path}"))?;
    }
    Ok(())
}

pub async fn what_all_are_shown_is_kept_for_a_second_and_what_one_is_shown_is_not(
    stage: &Stage,
) -> anyhow::Result<()> {
    let ([seat], alice) = (stage.seats().await?, newcomer("alice"));
    let map = format!("/events/{}/seats", stage.api.event);
    let answer = stage.api.get(&map).await?;
    let changes = format!("{map}?since={}&epoch={}", answer.told("x-view-sequence")?, answer.epoch()?);
    for shared in [&answer, &stage.api.get(&changes).await?] {
        let control = shared.header("cache-control").unwrap_or_default();
        for part in ["public", "s-maxage=1", "stale-while-revalidate"] {
            ensure!(control.contains(part), "cache-control of what all are shown is {control:?}");
        }
    }
    let vary = answer.header("vary").unwrap_or_default().to_lowercase();
    ensure!(vary.contains("accept-encoding"), "vary is {vary:?}");
    for path in [
        format!("/seats/{seat}"),
        format!("/users/{alice}/holds"),
        format!("/users/{alice}/reservations"),
        "/users/somebody/holds".to_owned(),
        "/events/nowhere".to_owned(),
        format!("{map}?since=0"),
    ] {
        let answer = stage.api.get_as(&path, &alice).await?;
        let control = answer.header("cache-control").unwrap_or_default();
        ensure!(control.contains("no-store"), "GET {path}: cache-control is {control:?}");
    }
    Ok(())
}

pub async fn parameters_that_nobody_knows_are_refused_by_name(stage: &Stage) -> anyhow::Result<()> {
    let ([seat], event) = (stage.seats().await?, format!("/events/{}", stage.api.event));
    let of_show = ["", "/chart", "/seats", "/stats", "/stream"].map(|path| format!("{event}{path}"));
    let others = ["/events".to_owned(), "/web.json".to_owned(), format!("/seats/{seat}")];
    for path in of_show.iter().chain(&others) {
        let refused = stage.api.get(&format!("{path}?nonce=1")).await?;
        let detail = text(refused.refused(400, "INVALID_REQUEST")?, "detail")?;
        ensure!(detail.contains("nonce"), "GET {path}: {detail:?} does not name nonce");
    }
    Ok(())
}

pub async fn a_page_is_told_what_it_has_to_know(stage: &Stage) -> anyhow::Result<()> {
    let answer = stage.api.get("/web.json").await?;
    let told = answer.shown()?;
    let elsewhere: &[&str] = if told["commandUrl"].is_null() { &[] } else { &["commandUrl"] };
    exactly(told, [&["auth", "version"][..], elsewhere].concat())?;
    exactly(&told["auth"], ["mode"])?;
    let mode = text(&told["auth"], "mode")?;
    ensure!(["header", "jwt"].contains(&mode), "auth.mode is {mode}");
    text(told, "version").map(drop)
}
