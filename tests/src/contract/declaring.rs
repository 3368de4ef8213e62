//! What operators declare: definitions that are taken, refused in part, and tried again.

use anyhow::{Context, ensure};
use boxoffice_runtime::clock;
use reqwest::Method;
use serde_json::{Value, json};

use super::admin::{Admin, House};
use super::answer::{list, number, same, text};
use super::api::soon;
use super::stage::{HELD, RELEASED, RESERVED, newcomer, seats_of};

pub async fn a_definition_is_provisioned_once(admin: &Admin) -> anyhow::Result<()> {
    let mut house = House::open(admin).await?;
    let first = house.redefine(|_| ()).await?;
    same("applied", &first.shown()?["applied"], true)?;
    ensure!(first.json["refused"].is_null(), "nothing is in the way, and still refused: {}", first.json);
    number(first.shown()?, "lastEventAt")?;
    let again = house.redefine(|_| ()).await?;
    same(
        "the sequence of what was said before",
        &again.shown()?["sequence"],
        first.json["sequence"].clone(),
    )?;
    let all = house.call(Method::GET, "/admin/events", None).await?;
    let ours = all.shown()?.as_array().into_iter().flatten();
    ensure!(
        ours.filter(|it| it["eventId"] == house.api.event.as_str()).count() == 1,
        "it is not in the list"
    );
    house.close().await
}

/// By a cursor that is not known all is told, by one that is at least what changed since.
pub async fn a_list_tells_what_changed(admin: &Admin) -> anyhow::Result<()> {
    let mut house = House::open(admin).await?;
    let (before, told) = changes(&house, "begin").await?;
    same("whether these are all", &told["all"], true)?;
    let hash = told_of(&house, &told)?["definitionHash"].clone();
    let one = told_of(&house, house.call(Method::GET, "/admin/events", None).await?.shown()?)?.clone();
    same("the definition's hash in the whole list", &one["definitionHash"], hash.clone())?;
    house.redefine(|it| it["title"] = json!("Another")).await?.shown()?;
    let (after, told) = changes(&house, &before).await?;
    let changed = told_of(&house, &told)?;
    ensure!(changed["definitionHash"] != hash, "the hash of another definition is {hash} too");
    same("closed", &changed["closed"], false)?;
    house.redefine(|it| it["title"] = json!("The contract's")).await?.shown()?;
    let (_, told) = changes(&house, &after).await?;
    same("the hash of an equal definition", &told_of(&house, &told)?["definitionHash"], hash)?;
    let path = "/admin/events?since=begin";
    house.call(Method::GET, path, None).await?.refused(400, "INVALID_REQUEST")?;
    house.close().await
}

/// What is told to whoever comes with a cursor, and the next one.
async fn changes(house: &House, cursor: &str) -> anyhow::Result<(String, Value)> {
    let answer = house.call(Method::GET, &format!("/admin/events?cursor={cursor}"), None).await?;
    let told = answer.shown()?;
    ensure!(told["gone"].is_array(), "gone is no list: {told}");
    Ok((text(told, "cursor")?.to_owned(), told.clone()))
}

/// The one that is ours, of a list or of what changed.
fn told_of<'a>(house: &House, told: &'a Value) -> anyhow::Result<&'a Value> {
    let mut all = told.as_array().or_else(|| told["events"].as_array()).into_iter().flatten();
    all.find(|it| it["eventId"] == house.api.event.as_str()).context("it is not in the list")
}

pub async fn titles_and_ranges_are_taken_as_written(admin: &Admin) -> anyhow::Result<()> {
    let house = House::open(admin).await?;
    let path = format!("/events/{}/seats?section=A", house.api.event);
    let keys = soon(async || {
        let map = house.api.get(&path).await?;
        let seats = list(map.shown()?, "seats")?;
        seats.iter().map(|seat| Ok(text(seat, "seatId")?.to_owned())).collect::<anyhow::Result<Vec<_>>>()
    });
    let keys = keys.await?;
    let expected = [
        "A-1-1", "A-1-2", "A-1-3", "A-1-4", "A-1-5", "A-1-6", "A-2-1", "A-2-2", "A-2-3", "A-2-4", "A-2-5",
        "A-2-6", "A-3-5", "A-3-3", "A-3-1", "A-3-2", "A-3-4", "A-3-6", "A-4-01", "A-4-02", "A-4-03",
    ];
    let expected = expected.map(|key| house.seat(key));
    ensure!(keys == expected, "the seats are {keys:?}, not {expected:?}");
    house.close().await
}

pub async fn only_neighbours_are_together(admin: &Admin) -> anyhow::Result<()> {
    let house = House::open(admin).await?;
    let (alice, bob) = (newcomer("alice"), newcomer("bob"));
    let six = |together: Value| json!({"bestAvailable": {"quantity": 6, "together": together}});
    let row = house.ask(&alice, &six(json!("required"))).await?;
    same("together", &row.done(201, &HELD)?["together"], true)?;
    ensure!(
        seats_of(&row.json)?.iter().all(|seat| seat.starts_with(&house.seat("A-3-"))),
        "the only six neighbours are those of row 3, not {}",
        row.json["seats"]
    );
    house.ask(&bob, &six(json!("required"))).await?.refused(409, "NOT_ENOUGH_SEATS")?;
    let apart = house.ask(&bob, &six(json!("preferred"))).await?;
    same("together", &apart.done(201, &HELD)?["together"], false)?;
    let refused = house.ask(&bob, &six(json!("maybe"))).await?;
    let detail = text(refused.refused(400, "INVALID_REQUEST")?, "detail")?;
    ensure!(detail.contains("bestAvailable.together"), "{detail:?} does not name bestAvailable.together");
    house.close().await
}

pub async fn sales_open_pause_and_close(admin: &Admin) -> anyhow::Result<()> {
    let (mut house, alice) = (House::open(admin).await?, newcomer("alice"));
    let wanted = json!({"seats": [house.seat("A-1-1")]});
    let opens_at = clock::now() + 3_600_000;
    house.redefine(|it| it["sales"] = json!({"opensAt": opens_at})).await?.shown()?;
    let refused = house.ask(&alice, &wanted).await?;
    same("opensAt", &refused.refused_telling(409, "SALES_NOT_OPEN", &["opensAt"])?["opensAt"], opens_at)?;
    house.redefine(|it| it["sales"] = json!({"paused": true})).await?.shown()?;
    house.ask(&alice, &wanted).await?.refused(409, "SALES_PAUSED")?;
    house.redefine(|it| it["sales"] = json!({"closesAt": clock::now() - 1_000})).await?.shown()?;
    house.ask(&alice, &wanted).await?.refused(409, "SALES_CLOSED")?;
    house.close().await
}

pub async fn a_refused_seat_map_is_tried_again(admin: &Admin) -> anyhow::Result<()> {
    let (mut house, alice) = (House::open(admin).await?, newcomer("alice"));
    let unit = house.seat("FLOOR-1");
    let asked = house.ask(&alice, &json!({"seats": [unit]})).await?;
    let hold = format!("/holds/{}", text(asked.done(201, &HELD)?, "holdId")?);
    let without_the_floor = |it: &mut Value| {
        it["sections"].as_array_mut().into_iter().for_each(|sections| drop(sections.pop()));
        it["sales"] = json!({"paused": true});
    };
    let refused = house.redefine(without_the_floor).await?;
    same("applied", &refused.shown()?["applied"], false)?;
    same(
        "what is in the way",
        &refused.json["refused"]["seats"],
        json!([{"seatId": unit, "reason": "HELD"}]),
    )?;
    let again = house.redefine(|_| ()).await?;
    same(
        "the sequence of what was said before",
        &again.shown()?["sequence"],
        refused.json["sequence"].clone(),
    )?;
    same("all seats", &house.inventory().await?["seats"]["total"], 24)?;
    house.ask(&alice, &json!({"seats": [house.seat("A-1-1")]})).await?.refused(409, "SALES_PAUSED")?;
    house.api.call(Method::DELETE, &hold, &alice).await?.done(200, &RELEASED)?;
    soon(async || same("all seats", &house.inventory().await?["seats"]["total"], 21)).await?;
    house.close().await
}

pub async fn the_currency_never_changes(admin: &Admin) -> anyhow::Result<()> {
    let mut house = House::open(admin).await?;
    let before = number(&house.inventory().await?, "sequence")?;
    let in_francs = |it: &mut Value| {
        let prices = it["priceCategories"].as_array_mut().into_iter().flatten();
        prices.for_each(|price| price["currency"] = json!("CHF"));
    };
    house.redefine(in_francs).await?.refused(409, "DEFINITION_CONFLICT")?;
    same("the sequence", &house.inventory().await?["sequence"], before)?;
    house.close().await
}

/// What is reserved stands, and what is held can be given back.
pub async fn deleting_ends_the_sales(admin: &Admin) -> anyhow::Result<()> {
    let (house, alice) = (House::open(admin).await?, newcomer("alice"));
    let [sold, kept] = ["A-1-1", "A-1-2"].map(|key| house.seat(key));
    let ask = house.ask(&alice, &json!({"seats": [sold, kept]})).await?;
    let hold = format!("/holds/{}", text(ask.done(201, &HELD)?, "holdId")?);
    let reserve = format!("/seats/{sold}/reserve");
    let reserved = house.api.post(&reserve, &alice).await?;
    let before = reserved.shown()?["reservationId"].clone();
    house.call(Method::DELETE, &format!("/admin/events/{}", house.api.event), None).await?.shown()?;
    house.ask(&alice, &json!({"seats": [house.seat("A-1-3")]})).await?.refused(409, "SALES_CLOSED")?;
    for path in [format!("{hold}/reserve"), format!("/seats/{kept}/reserve"), format!("{hold}/extend")] {
        house.api.post(&path, &alice).await?.refused(409, "SALES_CLOSED")?;
    }
    house.api.call(Method::DELETE, &hold, &alice).await?.done(200, &RELEASED)?;
    let again = house.api.post(&reserve, &alice).await?;
    same(
        "reservationId",
        &again.done(200, &[&RESERVED[..], &["seatId"]].concat())?["reservationId"],
        before,
    )?;
    house.close().await
}

/// By code: the operator goes by it.
pub async fn what_is_not_there_is_named_so(admin: &Admin) -> anyhow::Result<()> {
    let house = House::open(admin).await?;
    let nowhere = format!("/admin/events/{}-not", house.api.event);
    for method in [Method::GET, Method::DELETE] {
        house.call(method, &nowhere, None).await?.refused(404, "EVENT_NOT_FOUND")?;
    }
    let waits = house.call(Method::GET, "/admin/outbox", None).await?;
    for field in ["events", "depth", "oldestSeconds", "splits"] {
        number(waits.shown()?, field)?;
    }
    house.close().await
}

/// Where it asks for a token at all.
pub async fn strangers_are_turned_away(admin: &Admin) -> anyhow::Result<()> {
    let Some(token) = &admin.token else { return Ok(()) };
    let house = House::open(admin).await?;
    for path in ["/admin/events", "/admin/outbox"] {
        let request =
            || house.api.request(Method::GET, &format!("{}{path}", admin.url.trim_end_matches('/')));
        house.api.send(request()).await?.refused(401, "UNAUTHENTICATED")?;
        house.api.send(request().bearer_auth(format!("{token}x"))).await?.refused(401, "UNAUTHENTICATED")?;
    }
    house.close().await
}
