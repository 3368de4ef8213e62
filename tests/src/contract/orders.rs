//! What a user has, and what came of a request: reservations with their payments, holds, and the trace. Readers follow a moment
//! after, so every look is patient.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use super::answer::{Answer, CORRELATION_ID, exactly, list, number, same, text};
use super::api::{USER_ID, soon};
use super::stage::{HELD, RESERVED, Stage, newcomer};

const RESERVATION: [&str; 6] = ["currency", "eventId", "reservationId", "reservedAt", "seats", "total"];
const STATES: [&str; 8] =
    ["REQUESTED", "PAID", "DECLINED", "REFUSED", "TIMED_OUT", "CANCELLED", "REINSTATED", "REFUND_REQUESTED"];
const TRACED: [&str; 8] =
    ["aggregateId", "causationId", "caused", "eventId", "eventType", "seatingEvent", "timestamp", "userId"];
/// Longest wait that a reservation is asked for with here.
const WAIT: u64 = 10;

/// What is told of a seat that is reserved, and of one that is held.
const SEAT: [&str; 2] = ["seatId", "sectionId"];
const HELD_SEAT: [&str; 3] = ["price", "seatId", "sectionId"];

pub async fn a_user_sees_what_the_user_holds(stage: &Stage) -> anyhow::Result<()> {
    let (seats, [unit], alice) = (stage.seats::<2>().await?, stage.units().await?, newcomer("alice"));
    let path = format!("/users/{alice}/holds");
    same("holds", stage.api.get_as(&path, &alice).await?.shown()?, json!([]))?;
    let hold = stage.hold_all(&alice, &[&seats[0], &unit]).await?;
    let made = stage.api.call(Method::GET, &hold, &alice).await?.done(200, &HELD)?.clone();
    let own = soon(async || only(&stage.api.get_as(&path, &alice).await?)).await?;
    exactly(&own, ["currency", "eventId", "expiresAt", "holdId", "seats", "total"])?;
    for field in ["holdId", "currency", "total", "expiresAt"] {
        same(field, &own[field], made[field].clone())?;
    }
    has_seats(&own, &[&seats[0], &unit], &HELD_SEAT)?;
    stage.give_back(&alice, &hold).await?;
    soon(async || same("holds", stage.api.get_as(&path, &alice).await?.shown()?, json!([]))).await
}

pub async fn a_user_sees_what_the_user_reserved(stage: &Stage) -> anyhow::Result<()> {
    let (seats, alice) = (stage.seats::<2>().await?, newcomer("alice"));
    let hold = stage.hold_all(&alice, &[&seats[0], &seats[1]]).await?;
    let reserved = stage.api.post(&format!("{hold}/reserve"), &alice).await?.done(200, &RESERVED)?.clone();
    let path = format!("/users/{alice}/reservations");
    let own = soon(async || only(&stage.api.get_as(&path, &alice).await?)).await?;
    is_reservation(&own)?;
    for field in ["reservationId", "currency", "total"] {
        same(field, &own[field], reserved[field].clone())?;
    }
    has_seats(&own, &[&seats[0], &seats[1]], &SEAT)?;
    // A seat that leaves takes its price along; the last one ends the reservation, which stays to be seen.
    stage.release(&alice, &seats[0]).await?;
    soon(async || {
        let own = only(&stage.api.get_as(&path, &alice).await?)?;
        has_seats(&own, &[&seats[1]], &SEAT)?;
        ensure!(number(&own, "total")? < number(&reserved, "total")?, "the total is {}", own["total"]);
        ensure!(own["cancelledAt"].is_null(), "a seat is left");
        Ok(())
    })
    .await?;
    stage.release(&alice, &seats[1]).await?;
    soon(async || {
        let own = only(&stage.api.get_as(&path, &alice).await?)?;
        has_seats(&own, &[], &SEAT)?;
        number(&own, "cancelledAt").map(drop)
    })
    .await
}

pub async fn a_reservation_is_waited_for(stage: &Stage) -> anyhow::Result<()> {
    let ([seat], alice) = (stage.seats().await?, newcomer("alice"));
    stage.hold(&alice, &seat).await?;
    let reserved = stage.reserve(&alice, &seat).await?;
    let path = format!("/reservations/{}", text(&reserved, "reservationId")?);
    // Readers may not have it yet: then it is its coming that is waited for.
    let began = Instant::now();
    let shown = stage.api.get_as(&format!("{path}?wait={WAIT}"), &alice).await?;
    is_reservation(shown.shown()?)?;
    same("reservationId", &shown.json["reservationId"], reserved["reservationId"].clone())?;
    ensure!(began.elapsed() < Duration::from_secs(WAIT + 3), "it took {:?}", began.elapsed());

    let mut tag = shown.header("etag").context("no etag")?.to_owned();
    let again = stage.api.send(wait(stage, &path, 1, &alice, &tag)).await?;
    ensure!([200, 304].contains(&again.status), "answered {}", again.status);
    tag = again.header("etag").context("no etag")?.to_owned();
    let (cancelled, ended) = tokio::join!(
        stage.api.call(Method::DELETE, &path, &alice),
        until_cancelled(stage, &path, &alice, tag),
    );
    cancelled?.shown()?;
    ended
}

/// Asks again and again, each time with what is known, until all of it is given back.
async fn until_cancelled(stage: &Stage, path: &str, user: &str, mut tag: String) -> anyhow::Result<()> {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3 * WAIT) {
        let shown = stage.api.send(wait(stage, path, WAIT, user, &tag)).await?;
        ensure!(shown.status == 200, "a change was not told: answered {}", shown.status);
        if shown.json["cancelledAt"].is_u64() {
            return is_reservation(&shown.json);
        }
        shown.header("etag").context("no etag")?.clone_into(&mut tag);
    }
    anyhow::bail!("the reservation is not shown as cancelled")
}

fn wait(stage: &Stage, path: &str, seconds: u64, user: &str, tag: &str) -> reqwest::RequestBuilder {
    let request = stage.api.query(&format!("{path}?wait={seconds}"));
    request.header(USER_ID, user).header("if-none-match", tag)
}

pub async fn a_trace_is_a_tree_of_what_names_the_user(stage: &Stage) -> anyhow::Result<()> {
    let ([seat], alice, bob) = (stage.seats().await?, newcomer("alice"), newcomer("bob"));
    let chain = newcomer("chain");
    for does in ["hold", "reserve", "release"] {
        let command = stage.api.command(Method::POST, &format!("/seats/{seat}/{does}"));
        let command = command.header(USER_ID, &alice).header(CORRELATION_ID, &chain);
        stage.api.send(command).await?.shown().with_context(|| does.to_owned())?;
    }
    let path = format!("/trace/{chain}");
    soon(async || {
        let shown = stage.api.get_as(&path, &alice).await?;
        exactly(shown.shown()?, ["correlationId", "events", "isCut"])?;
        same("correlationId", &shown.json["correlationId"], chain.as_str())?;
        let mut types = vec![];
        for event in list(&shown.json, "events")? {
            traced(event, &alice, &mut types)?;
        }
        for expected in
            ["seat.held", "seat.reserved", "reservation.created", "seat.released", "reservation.cancelled"]
        {
            ensure!(types.iter().any(|it| it == expected), "{expected} is not among {types:?}");
        }
        Ok(())
    })
    .await?;
    stage.api.get_as(&path, &bob).await?.refused(404, "NOT_FOUND")?;
    stage.api.get_as(&format!("/trace/{}", newcomer("nothing")), &alice).await?.refused(404, "NOT_FOUND")?;
    Ok(())
}

/// One event of a chain and all below it, each caused by the one above; their types.
fn traced(event: &Value, user: &str, types: &mut Vec<String>) -> anyhow::Result<()> {
    let sequence: &[&str] = if event["sequence"].is_u64() { &["sequence"] } else { &[] };
    exactly(event, [&TRACED[..], sequence].concat())?;
    same("userId", &event["userId"], user)?;
    types.push(text(event, "eventType")?.to_owned());
    for caused in list(event, "caused")? {
        same("causationId", &caused["causationId"], event["eventId"].clone())?;
        traced(caused, user, types)?;
    }
    Ok(())
}

pub async fn what_is_ones_own_is_told_to_nobody_else(stage: &Stage) -> anyhow::Result<()> {
    let ([seat], alice, bob) = (stage.seats().await?, newcomer("alice"), newcomer("bob"));
    stage.hold(&alice, &seat).await?;
    let reserved = stage.reserve(&alice, &seat).await?;
    let hers = format!("/reservations/{}", text(&reserved, "reservationId")?);
    soon(async || stage.api.get_as(&hers, &alice).await?.shown().map(drop)).await?;
    let (reservations, holds) = (format!("/users/{alice}/reservations"), format!("/users/{alice}/holds"));
    for (path, code) in
        [(&reservations, "NOT_FOUND"), (&holds, "NOT_FOUND"), (&hers, "RESERVATION_NOT_FOUND")]
    {
        stage.api.get_as(path, &bob).await?.refused(404, code)?;
        stage.api.get(path).await?.refused(401, "UNAUTHENTICATED")?;
    }
    stage.api.get(&format!("/trace/{}", newcomer("chain"))).await?.refused(401, "UNAUTHENTICATED")?;
    stage.release(&alice, &seat).await
}

pub async fn what_is_asked_wrongly_of_ones_own_is_named(stage: &Stage) -> anyhow::Result<()> {
    let alice = newcomer("alice");
    let reservation = format!("/reservations/{}.00000000-0000-4000-8000-000000000000", stage.api.event);
    for (path, names) in [
        (format!("{reservation}?wait=26"), "wait"),
        (format!("{reservation}?wait=soon"), "wait"),
        (format!("{reservation}?timeout=2"), "timeout"),
        (format!("/users/{alice}/holds?page=2"), "page"),
        (format!("/users/{alice}/reservations?page=2"), "page"),
        ("/users/%20alice/holds".to_owned(), "userId"),
        ("/reservations/none".to_owned(), "reservationId"),
        ("/trace/%C3%A9".to_owned(), "correlationId"),
        (format!("/trace/{alice}?depth=2"), "depth"),
    ] {
        let refused = stage.api.get_as(&path, &alice).await?;
        let detail = text(refused.refused(400, "INVALID_REQUEST")?, "detail")?;
        ensure!(detail.contains(names), "GET {path}: {detail:?} does not name {names}");
    }
    stage.api.get_as(&reservation, &alice).await?.refused(404, "RESERVATION_NOT_FOUND")?;
    Ok(())
}

/// The only entry of a list.
fn only(answer: &Answer) -> anyhow::Result<Value> {
    let entries = answer.shown()?.as_array().context("the answer is not a list")?;
    ensure!(entries.len() == 1, "{} entries, not 1", entries.len());
    Ok(entries[0].clone())
}

/// The fields of a reservation, and of its payment where one was asked for.
pub fn is_reservation(reservation: &Value) -> anyhow::Result<()> {
    let optional = ["cancelledAt", "paidBy", "payment"];
    let there: Vec<_> = optional.into_iter().filter(|field| !reservation[field].is_null()).collect();
    exactly(reservation, [&RESERVATION[..], &there].concat())?;
    let payment = &reservation["payment"];
    if !payment.is_null() {
        let reason: &[&str] = if payment["reason"].is_string() { &["reason"] } else { &[] };
        exactly(payment, [&["charged", "refunded", "state"][..], reason].concat())?;
        let state = text(payment, "state")?;
        ensure!(STATES.contains(&state), "state {state} is none of {STATES:?}");
        ensure!(number(payment, "refunded")? <= number(payment, "charged")?, "{payment}");
    }
    Ok(())
}

/// Exactly these seats, each with its section.
fn has_seats(claim: &Value, seats: &[&str], fields: &[&str]) -> anyhow::Result<()> {
    let found = list(claim, "seats")?;
    for seat in found {
        exactly(seat, fields.iter().copied())?;
        ensure!(seats.contains(&text(seat, "seatId")?), "{seat} is none of {seats:?}");
    }
    ensure!(found.len() == seats.len(), "{} seats, not {}", found.len(), seats.len());
    Ok(())
}
