//! What box-office staff do for buyers.

use anyhow::ensure;
use boxoffice_runtime::clock;
use reqwest::Method;
use serde_json::json;

use super::admin::{Admin, House};
use super::answer::{list, same, text};
use super::stage::{HELD, RELEASED, RESERVED, newcomer, priced, released_of, seats_of};

pub async fn staff_hold_for_somebody_and_take_back(admin: &Admin) -> anyhow::Result<()> {
    let (mut house, alice, bob) = (House::open(admin).await?, newcomer("alice"), newcomer("bob"));
    let [free, blocked] = ["A-1-5", "A-1-6"].map(|key| house.seat(key));
    house.redefine(|it| it["sales"] = json!({"paused": true})).await?.shown()?;
    let path = format!("/admin/events/{}/holds", house.api.event);
    let wanted = |blocks: bool| json!({"userId": alice, "seats": [free, blocked], "blocked": blocks});
    let refused = house.call(Method::POST, &path, Some(&wanted(false))).await?;
    refused.conflicts(409, "SEAT_NOT_AVAILABLE", &[(&blocked, "BLOCKED")])?;
    let made = house.call(Method::POST, &path, Some(&wanted(true))).await?;
    let made = made.done(201, &HELD)?;
    ensure!(seats_of(made)? == [&free, &blocked], "held are {}", made["seats"]);
    priced(made)?;
    // It is the buyer's: nobody else sees it.
    let hold = text(made, "holdId")?.to_owned();
    house.api.call(Method::GET, &format!("/holds/{hold}"), &alice).await?.done(200, &HELD)?;
    house.api.call(Method::GET, &format!("/holds/{hold}"), &bob).await?.refused(403, "NOT_HOLDER")?;
    let back = format!("/admin/holds/{hold}?note=nobody%20came");
    let released = house.call(Method::DELETE, &back, None).await?;
    ensure!(released_of(released.done(200, &RELEASED)?)? == [&free, &blocked], "{}", released.json);
    house.redefine(|it| it["sales"] = json!({})).await?.shown()?;
    let refused = house.ask(&bob, &json!({"seats": [free, blocked]})).await?;
    refused.conflicts(409, "SEAT_NOT_AVAILABLE", &[(&blocked, "BLOCKED")])?;
    house.call(Method::DELETE, &back, None).await?.refused(404, "HOLD_NOT_FOUND")?;
    house.close().await
}

/// Before the sales open, and more than one user may have; a request that comes again finds what it did.
pub async fn staff_hold_outside_window_and_limit_and_once_under_a_key(admin: &Admin) -> anyhow::Result<()> {
    let (mut house, alice, key) = (House::open(admin).await?, newcomer("alice"), newcomer("key"));
    let changed = house.redefine(|it| {
        it["sales"] = json!({"opensAt": clock::now() + 3_600_000});
        it["limits"] = json!({"seatsPerUser": 1});
    });
    changed.await?.shown()?;
    let [a, b, c] = ["A-1-1", "A-1-3", "A-1-5"].map(|key| house.seat(key));
    let path = format!("/admin/events/{}/holds", house.api.event);
    let wish = json!({"userId": alice, "seats": [a, b]});
    let first = house.post_under(&key, &path, &wish).await?;
    first.done(201, &HELD)?;
    let again = house.post_under(&key, &path, &wish).await?;
    for field in HELD {
        same(field, &again.done(201, &HELD)?[field], first.json[field].clone())?;
    }
    let other = json!({"userId": alice, "seats": [c]});
    house.post_under(&key, &path, &other).await?.refused(422, "IDEMPOTENCY_MISMATCH")?;
    house.call(Method::POST, &path, Some(&other)).await?.done(201, &HELD)?;
    let taken = house.call(Method::POST, &path, Some(&json!({"userId": "somebody", "seats": [a]}))).await?;
    taken.conflicts(409, "SEAT_NOT_AVAILABLE", &[(&a, "HELD")])?;
    for (body, field) in [
        (json!({"userId": "", "seats": [a]}), "userId"),
        (json!({"seats": [a]}), "userId"),
        (json!({"userId": alice, "seats": []}), "seats"),
        (json!({"userId": alice, "seats": [a, a]}), "seats"),
    ] {
        let refused = house.call(Method::POST, &path, Some(&body)).await?;
        let detail = text(refused.refused(400, "INVALID_REQUEST")?, "detail")?;
        ensure!(detail.contains(field), "{body}: {detail:?} does not name {field}");
    }
    // It is theirs: they reserve it themselves.
    let reserve = format!("/holds/{}/reserve", text(&first.json, "holdId")?);
    house.api.post(&reserve, &alice).await?.done(200, &RESERVED)?;
    house.close().await
}

/// With its reason, whoever ends the hold.
pub async fn a_blocked_seat_is_blocked_again_when_it_is_not_sold(admin: &Admin) -> anyhow::Result<()> {
    let (house, alice, bob) = (House::open(admin).await?, newcomer("alice"), newcomer("bob"));
    let [free, blocked] = ["A-1-5", "A-1-6"].map(|key| house.seat(key));
    let path = format!("/admin/events/{}/holds", house.api.event);
    let wish = json!({"userId": alice, "seats": [free, blocked], "blocked": true});
    house.call(Method::POST, &path, Some(&wish)).await?.done(201, &HELD)?;
    let given_back = house.api.post(&format!("/seats/{blocked}/release"), &alice).await?;
    ensure!(released_of(given_back.shown()?)? == [&blocked], "{}", given_back.json);
    let wanted = json!({"seats": [free, blocked]});
    let refused = house.ask(&bob, &wanted).await?;
    refused.conflicts(409, "SEAT_NOT_AVAILABLE", &[(&free, "HELD"), (&blocked, "BLOCKED")])?;
    // Sold it is sold: whoever gives it back then gives it to everybody.
    let wish = json!({"userId": bob, "seats": [blocked], "blocked": true});
    let made = house.call(Method::POST, &path, Some(&wish)).await?;
    let hold = text(made.done(201, &HELD)?, "holdId")?;
    house.api.post(&format!("/holds/{hold}/reserve"), &bob).await?.done(200, &RESERVED)?;
    house.api.post(&format!("/seats/{blocked}/release"), &bob).await?.shown()?;
    house.api.post(&format!("/seats/{blocked}/hold"), &alice).await?.shown()?;
    house.close().await
}

pub async fn staff_sell_at_the_counter(admin: &Admin) -> anyhow::Result<()> {
    let (house, alice) = (House::open(admin).await?, newcomer("alice"));
    let wanted = json!({"seats": [house.seat("A-1-1"), house.seat("FLOOR-1")]});
    let asked = house.ask(&alice, &wanted).await?;
    let hold = text(asked.done(201, &HELD)?, "holdId")?.to_owned();
    let path = format!("/admin/holds/{hold}/reserve");
    let counter = json!({"paidBy": "counter"});
    let sold = house.call(Method::POST, &path, Some(&counter)).await?;
    ensure!(list(sold.done(200, &RESERVED)?, "seats")?.len() == 2, "sold are {}", sold.json["seats"]);
    priced(&sold.json)?;
    let again = house.call(Method::POST, &path, Some(&counter)).await?;
    let hers = house.api.post(&format!("/holds/{hold}/reserve"), &alice).await?;
    for answer in [&again, &hers] {
        let told = answer.done(200, &RESERVED)?;
        same("reservationId", &told["reservationId"], sold.json["reservationId"].clone())?;
    }
    let refused = house.call(Method::POST, &path, Some(&json!({"paidBy": "nobody"}))).await?;
    let detail = text(refused.refused(400, "INVALID_REQUEST")?, "detail")?;
    ensure!(detail.contains("paidBy"), "{detail:?} does not name paidBy");
    house.close().await
}

pub async fn buyers_cancel_until_the_last_moment_and_staff_after_it(admin: &Admin) -> anyhow::Result<()> {
    let (mut house, alice) = (House::open(admin).await?, newcomer("alice"));
    let seat = house.seat("A-1-1");
    house.api.post(&format!("/seats/{seat}/hold"), &alice).await?.shown()?;
    let reserved = house.api.post(&format!("/seats/{seat}/reserve"), &alice).await?;
    let reservation = text(reserved.shown()?, "reservationId")?.to_owned();
    let over = clock::now() - 60_000;
    house.redefine(|it| it["sales"] = json!({"cancelUntil": over})).await?.shown()?;
    let (own, office) =
        (format!("/reservations/{reservation}"), format!("/admin/reservations/{reservation}?note=ill"));
    for (method, path) in [(Method::DELETE, own), (Method::POST, format!("/seats/{seat}/release"))] {
        let refused = house.api.call(method, &path, &alice).await?;
        let told = refused.refused_telling(409, "CANCELLATION_CLOSED", &["cancelUntil"])?;
        same("cancelUntil", &told["cancelUntil"], over)?;
    }
    let cancelled = house.call(Method::DELETE, &office, None).await?;
    ensure!(released_of(cancelled.done(200, &RELEASED)?)? == [&seat], "{}", cancelled.json);
    house.call(Method::DELETE, &office, None).await?.refused(404, "RESERVATION_NOT_FOUND")?;
    house.close().await
}
