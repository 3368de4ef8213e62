//! Seats whose choice is left to the platform: the best ones, and units of an area.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::answer::{Answer, list, same, text};
use super::api::Api;
use super::stage::{HELD, RESERVED, Stage, free_units, newcomer, priced, seats_of};

pub async fn the_best_seats_are_adjacent(stage: &Stage) -> anyhow::Result<()> {
    let alice = newcomer("alice");
    let before = section(&stage.api, &stage.section).await?;
    let best = json!({"bestAvailable": {"quantity": 3, "sectionId": stage.section}});
    let answer = ask(stage, &alice, &best).await?;
    let held = answer.done(201, &HELD)?;
    let chosen = seats_of(held)?;
    let places = chosen.iter().map(|seat| before.iter().position(|it| it["seatId"] == *seat));
    let places =
        places.collect::<Option<Vec<_>>>().with_context(|| format!("{chosen:?} are not in the section"))?;
    let together = places.windows(2).all(|pair| pair[0] + 1 == pair[1]);
    let rows: Vec<_> = places.iter().map(|place| &before[*place]["row"]).collect();
    let in_one_row = rows.windows(2).all(|pair| pair[0] == pair[1]);
    ensure!(chosen.len() == 3 && together && in_one_row, "{chosen:?} are not three seats side by side");
    same("together", &held["together"], true)?;
    ensure!(
        places.iter().all(|place| before[*place]["status"] == "AVAILABLE"),
        "{chosen:?} were not all free"
    );
    // Whoever asks next is given others.
    let bob = newcomer("bob");
    let others = ask(stage, &bob, &best).await?;
    let others = others.done(201, &HELD)?;
    ensure!(seats_of(others)?.iter().all(|seat| !chosen.contains(seat)), "{chosen:?} were given twice");
    stage.give_back(&alice, &format!("/holds/{}", text(held, "holdId")?)).await?;
    stage.give_back(&bob, &format!("/holds/{}", text(others, "holdId")?)).await.map(drop)
}

pub async fn the_best_seats_are_of_a_price_category(stage: &Stage) -> anyhow::Result<()> {
    let (alice, section) = (newcomer("alice"), section(&stage.api, &stage.section).await?);
    let category = text(section.first().context("the section is empty")?, "priceCategory")?.to_owned();
    let best = json!({"bestAvailable": {"quantity": 1, "priceCategory": category}});
    let answer = ask(stage, &alice, &best).await?;
    let held = answer.done(201, &HELD)?;
    let seat = list(held, "seats")?.first().context("no seat")?;
    priced(held)?;
    let shown = stage
        .api
        .get(&format!("/events/{}/seats?section={}", stage.api.event, text(seat, "sectionId")?))
        .await?;
    let is_it = |it: &&Value| it["seatId"] == seat["seatId"];
    let found = list(shown.shown()?, "seats")?.iter().find(is_it).context("the map does not have it")?;
    same("priceCategory", &found["priceCategory"], category)?;
    stage.give_back(&alice, &format!("/holds/{}", text(held, "holdId")?)).await.map(drop)
}

pub async fn units_of_an_area_are_held_beside_seats(stage: &Stage) -> anyhow::Result<()> {
    let ([seat, taken], alice, bob) = (stage.seats().await?, newcomer("alice"), newcomer("bob"));
    let units = json!([{"sectionId": stage.area, "quantity": 2}]);
    let alone = ask(stage, &alice, &json!({"areas": units})).await?;
    let alone = alone.done(201, &HELD)?;
    ensure!(list(alone, "seats")?.iter().all(|unit| unit["sectionId"] == stage.area.as_str()), "{alone}");
    // More units are another hold; with a seat they are one.
    let both = ask(stage, &alice, &json!({"seats": [seat], "areas": units})).await?;
    let both = both.done(201, &HELD)?;
    let seats = seats_of(both)?;
    ensure!(seats.len() == 3 && seats[0] == seat, "seats are {seats:?}, not {seat} and two units");
    ensure!(seats_of(alone)?.iter().all(|unit| !seats.contains(unit)), "units were given twice");
    // All or none: a seat that is taken leaves the units alone.
    stage.hold(&bob, &taken).await?;
    let before = free_units(stage).await?;
    let refused = ask(stage, &alice, &json!({"seats": [taken], "areas": units})).await?;
    refused.conflicts(409, "SEAT_NOT_AVAILABLE", &[(&taken, "HELD")])?;
    ensure!(free_units(stage).await? == before, "units are held although the seat was refused");
    stage.release(&bob, &taken).await?;
    stage.give_back(&alice, &format!("/holds/{}", text(alone, "holdId")?)).await?;
    let path = format!("/holds/{}", text(both, "holdId")?);
    let reserved = stage.api.post(&format!("{path}/reserve"), &alice).await?;
    let reserved = reserved.done(200, &RESERVED)?;
    ensure!(seats_of(reserved)?.len() == 3, "reserved are {}", reserved["seats"]);
    stage.give_back(&alice, &format!("/reservations/{}", text(reserved, "reservationId")?)).await.map(drop)
}

pub async fn too_few_seats_are_refused_with_how_many_there_are(stage: &Stage) -> anyhow::Result<()> {
    let (alice, free) = (newcomer("alice"), free_units(stage).await?);
    let units = json!({"areas": [{"sectionId": stage.area, "quantity": free + 1}]});
    let refused = ask(stage, &alice, &units).await?;
    let detail = text(refused.refused(409, "NOT_ENOUGH_SEATS")?, "detail")?;
    ensure!(detail.contains(&free.to_string()), "{detail:?} does not say that {free} are available");
    ensure!(free_units(stage).await? == free, "some are held all the same");
    Ok(())
}

pub async fn what_cannot_be_chosen_from_is_named(stage: &Stage) -> anyhow::Result<()> {
    let (alice, [seat]) = (newcomer("alice"), stage.seats().await?);
    let (section, area) = (&stage.section, &stage.area);
    for (body, field) in [
        (json!({"bestAvailable": {"quantity": 0}}), "bestAvailable.quantity"),
        (json!({"bestAvailable": {"quantity": 101}}), "bestAvailable.quantity"),
        (json!({"bestAvailable": {"quantity": "two"}}), "bestAvailable.quantity"),
        (json!({"bestAvailable": {"quantity": 1, "sectionId": area}}), "bestAvailable.sectionId"),
        (json!({"bestAvailable": {"quantity": 1}, "seats": [seat]}), "bestAvailable"),
        (
            json!({"bestAvailable": {"quantity": 1}, "areas": [{"sectionId": area, "quantity": 1}]}),
            "bestAvailable",
        ),
        (json!({"areas": [{"sectionId": area, "quantity": 0}]}), "areas[0].quantity"),
        (json!({"areas": [{"sectionId": area}]}), "areas[0]"),
        (json!({"areas": [{"sectionId": section, "quantity": 1}]}), "areas"),
        (json!({"seats": [seat], "areas": [{"sectionId": area, "quantity": 100}]}), "areas"),
    ] {
        let refused = ask(stage, &alice, &body).await?;
        let problem = refused.refused(400, "INVALID_REQUEST").with_context(|| body.to_string())?;
        let detail = text(problem, "detail")?;
        ensure!(detail.contains(field), "{body}: {detail:?} does not name {field}");
    }
    for body in [
        json!({"bestAvailable": {"quantity": 1, "sectionId": "NOWHERE"}}),
        json!({"bestAvailable": {"quantity": 1, "priceCategory": "nothing"}}),
        json!({"areas": [{"sectionId": "NOWHERE", "quantity": 1}]}),
    ] {
        let refused = ask(stage, &alice, &body).await?;
        refused.refused(404, "SEAT_NOT_FOUND").with_context(|| body.to_string())?;
    }
    Ok(())
}

/// On a SeatingEvent that enforces it: a hold that would leave a single seat is refused, with the seat named.
pub async fn single_seat_gaps_are_refused(api: &Api) -> anyhow::Result<()> {
    let (alice, map) = (newcomer("alice"), map(api, "").await?);
    let seats: Vec<_> = list(&map, "seats")?.iter().collect();
    let is_free = |seat: &&&Value| seat["status"] == "AVAILABLE" && seat["row"] != "";
    let begins_a_row = |at: usize| at == 0 || seats[at - 1]["row"] != seats[at]["row"];
    let row = (0..seats.len()).find(|at| {
        let run: Vec<_> = seats[*at..].iter().take(4).take_while(is_free).collect();
        begins_a_row(*at) && run.len() == 4 && run.iter().all(|seat| seat["row"] == seats[*at]["row"])
    });
    let row = row.with_context(|| format!("{} has no row that begins with four free seats", api.event))?;
    let [first, second] = [row, row + 1].map(|at| text(seats[at], "seatId"));
    let (first, second) = (first?, second?);
    let refused = api.post(&format!("/seats/{second}/hold"), &alice).await?;
    refused.conflicts(409, "SEAT_NOT_AVAILABLE", &[(first, "SINGLE_SEAT_GAP")])?;
    let path = format!("/events/{}/holds", api.event);
    let both = api.post_json(&path, &alice, &json!({"seats": [first, second]})).await?;
    let hold = format!("/holds/{}", text(both.done(201, &HELD)?, "holdId")?);
    api.call(reqwest::Method::DELETE, &hold, &alice).await?.shown().map(drop)
}

async fn ask(stage: &Stage, user: &str, body: &Value) -> anyhow::Result<Answer> {
    stage.api.post_json(&format!("/events/{}/holds", stage.api.event), user, body).await
}

/// The seats of a section as readers see them, in the order of the plan.
async fn section(api: &Api, id: &str) -> anyhow::Result<Vec<Value>> {
    Ok(list(&map(api, &format!("?section={id}")).await?, "seats")?.to_vec())
}

async fn map(api: &Api, query: &str) -> anyhow::Result<Value> {
    api.current(&format!("/events/{}/seats{query}", api.event), "sequence").await
}
