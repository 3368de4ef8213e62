//! What operators are told of sales, by the query worker's admin API.

use anyhow::{Context, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use super::admin::{Admin, House};
use super::answer::{exactly, list, number, same, text};
use super::api::soon;
use super::orders::is_reservation;
use super::stage::{HELD, RESERVED, newcomer};

/// Two seats and a unit sold to a user.
async fn sell(house: &House, user: &str) -> anyhow::Result<Value> {
    let wanted = json!({"seats": [house.seat("A-1-1"), house.seat("A-1-2"), house.seat("FLOOR-1")]});
    let asked = house.ask(user, &wanted).await?;
    let hold = text(asked.done(201, &HELD)?, "holdId")?.to_owned();
    let sold = house.api.post(&format!("/holds/{hold}/reserve"), user).await?;
    sold.done(200, &RESERVED).cloned()
}

pub async fn revenue_is_told_to_operators_alone(admin: &Admin) -> anyhow::Result<()> {
    let (house, alice) = (House::open(admin).await?, newcomer("alice"));
    sell(&house, &alice).await?;
    let path = format!("/admin/events/{}/stats", house.api.event);
    soon(async || {
        let stats = house.figures(&path).await?;
        exactly(stats.shown()?, ["asOfSequence", "currency", "eventId", "sections"])?;
        same("currency", &stats.json["currency"], "EUR")?;
        let mut revenue = 0;
        for section in list(&stats.json, "sections")? {
            exactly(section, ["available", "held", "released", "reserved", "revenue", "sectionId"])?;
            revenue += number(section, "revenue")?;
        }
        ensure!(revenue == 30_000, "the revenue is {revenue}, not 30000");
        Ok(())
    })
    .await?;
    let public = house.api.get(&format!("/events/{}/stats", house.api.event)).await?;
    public.shown()?;
    for word in ["revenue", "currency"] {
        ensure!(!public.text().contains(word), "everybody is told the {word}");
    }
    house.close().await
}

pub async fn sales_are_told_by_minute(admin: &Admin) -> anyhow::Result<()> {
    let (house, alice) = (House::open(admin).await?, newcomer("alice"));
    let path = format!("/admin/events/{}/curve", house.api.event);
    soon(async || same("minutes", &house.figures(&path).await?.shown()?["minutes"], json!([]))).await?;
    sell(&house, &alice).await?;
    let curve = soon(async || {
        let curve = house.figures(&format!("{path}?minutes=5")).await?;
        exactly(curve.shown()?, ["eventId", "minutes", "since"])?;
        ensure!(!list(&curve.json, "minutes")?.is_empty(), "nothing was sold yet");
        Ok(curve.json)
    });
    let curve = curve.await?;
    let minute = &list(&curve, "minutes")?[0];
    exactly(minute, ["at", "currency", "reservations", "revenue", "seats"])?;
    ensure!(number(minute, "at")? % 60_000 == 0, "at is {}", minute["at"]);
    for (field, expected) in [("reservations", 1_u64), ("seats", 3), ("revenue", 30_000)] {
        same(field, &minute[field], expected)?;
    }
    house.close().await
}

pub async fn orders_and_payments_are_listed(admin: &Admin) -> anyhow::Result<()> {
    let (house, alice) = (House::open(admin).await?, newcomer("alice"));
    let sold = sell(&house, &alice).await?;
    let id = text(&sold, "reservationId")?;
    soon(async || {
        let orders = house.figures("/admin/orders?minutes=5").await?;
        let orders = orders.shown()?.as_array().context("the answer is not a list")?;
        let order = orders.iter().find(|order| order["reservationId"] == id);
        let mut order = order.with_context(|| format!("{id} is not among {} orders", orders.len()))?.clone();
        same("userId", &order["userId"], alice.as_str())?;
        order.as_object_mut().context("not an object")?.remove("userId");
        is_reservation(&order)
    })
    .await?;
    // Whether anything is charged is the service's business; how it is told is not.
    let payments = house.figures("/admin/payments?minutes=60").await?;
    exactly(payments.shown()?, ["payments", "since", "states"])?;
    for state in list(&payments.json, "states")? {
        exactly(state, ["charged", "count", "currency", "refunded", "state"])?;
    }
    let paid = house.figures("/admin/payments?state=PAID").await?;
    paid.shown()?;
    for entry in list(&paid.json, "states")?.iter().chain(list(&paid.json, "payments")?) {
        same("state", &entry["state"], "PAID")?;
    }
    house.close().await
}

pub async fn operators_trace_whatever_happened(admin: &Admin) -> anyhow::Result<()> {
    let house = House::open(admin).await?;
    let blocks = format!("/admin/events/{}/blocks", house.api.event);
    let body = json!({"seats": [house.seat("A-1-3")], "reason": "camera"});
    let blocked = house.call(Method::POST, &blocks, Some(&body)).await?;
    blocked.shown()?;
    let chain = blocked.header("x-correlation-id").context("no x-correlation-id")?.to_owned();
    soon(async || {
        let trace = house.figures(&format!("/admin/trace/{chain}")).await?;
        exactly(trace.shown()?, ["correlationId", "events", "isCut"])?;
        let events = list(&trace.json, "events")?;
        let types: Vec<_> = events.iter().map(|event| event["eventType"].clone()).collect();
        ensure!(types == ["seat.blocked"], "the events are {types:?}");
        Ok(())
    })
    .await?;
    // It names nobody, so no user sees it.
    let path = format!("/trace/{chain}");
    house.api.get_as(&path, &newcomer("alice")).await?.refused(404, "NOT_FOUND")?;
    house.close().await
}

pub async fn operators_are_told_what_they_asked_wrongly(admin: &Admin) -> anyhow::Result<()> {
    let house = House::open(admin).await?;
    let event = format!("/admin/events/{}", house.api.event);
    for (path, names) in [
        ("/admin/orders?minutes=0".to_owned(), "minutes"),
        ("/admin/orders?since=5".to_owned(), "since"),
        (format!("{event}/curve?minutes=x"), "minutes"),
        (format!("{event}/stats?section=A"), "section"),
        ("/admin/payments?state=LOST".to_owned(), "state"),
        ("/admin/trace/%C3%A9".to_owned(), "correlationId"),
    ] {
        let refused = house.figures(&path).await?;
        let detail = text(refused.refused(400, "INVALID_REQUEST")?, "detail")?;
        ensure!(detail.contains(names), "GET {path}: {detail:?} does not name {names}");
    }
    for path in ["/admin/events/nowhere/stats", "/admin/events/nowhere/curve"] {
        house.figures(path).await?.refused(404, "EVENT_NOT_FOUND")?;
    }
    house.figures("/admin/trace/nothing-of-this-name").await?.refused(404, "NOT_FOUND")?;
    house.figures("/admin/orders").await?.told("x-view-age")?;
    let document = house.figures("/admin/openapi.json").await?;
    ensure!(document.shown()?["paths"]["/admin/orders"]["get"].is_object(), "/admin/orders is not described");
    if admin.token.is_some() {
        for path in ["/admin/orders", "/admin/payments", "/admin/trace/x", &format!("{event}/stats")] {
            let url = format!("{}{path}", admin.figures.trim_end_matches('/'));
            let request = house.api.request(Method::GET, &url).bearer_auth("guessed");
            house.api.send(request).await?.refused(401, "UNAUTHENTICATED")?;
        }
    }
    house.close().await
}
