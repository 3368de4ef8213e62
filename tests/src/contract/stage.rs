//! What the checks play on: a SeatingEvent on sale with short holds, and the seats of it that are free at the moment.
//! Buyers have names that nobody had before, and checks give back what they took, so it can all run again.

use std::time::Duration;

use anyhow::{Context, ensure};
use boxoffice_runtime::clock;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::{Answer, exactly, list, number, same, text};
use super::api::{Api, soon};

/// Fields of an answer about a hold, besides those of every answer.
pub const HELD: [&str; 7] = ["currency", "expiresAt", "holdId", "seats", "sequence", "together", "total"];
/// The same of a route about one seat.
pub const HELD_SEAT: [&str; 8] =
    ["currency", "expiresAt", "holdId", "seatId", "seats", "sequence", "together", "total"];
/// Fields of an answer about a reservation.
pub const RESERVED: [&str; 6] = ["currency", "reservationId", "reservedAt", "seats", "sequence", "total"];
/// The same of a route about one seat.
pub const RESERVED_SEAT: [&str; 7] =
    ["currency", "reservationId", "reservedAt", "seatId", "seats", "sequence", "total"];
/// Fields of what was given back whole.
pub const RELEASED: [&str; 5] = ["currency", "released", "seats", "sequence", "total"];
/// Fields of a seat that was given back; where a hold is left there is `expiresAt` besides.
pub const RELEASED_SEAT: [&str; 6] = ["currency", "released", "seatId", "seats", "sequence", "total"];
/// Fields of a seat of a hold or a reservation.
pub const CLAIMED: [&str; 4] = ["price", "priceCategory", "seatId", "sectionId"];

/// Numbered seats that a run needs.
const SEATS: usize = 40;
/// General-admission units that a run needs.
const UNITS: usize = 4;
/// Units that are too many: one hold must be able to ask for more than there are.
const TOO_MANY_UNITS: usize = 100;
/// How long a hold may last: the checks wait for its end.
const LONGEST_HOLD: Duration = Duration::from_secs(10);
/// How long it has to: checks do several things while it lasts.
const SHORTEST_HOLD: Duration = Duration::from_millis(2_500);

/// A SeatingEvent that fits.
#[derive(Debug)]
pub struct Stage {
    /// Where requests go.
    pub api: Api,
    /// A section with numbered seats.
    pub section: String,
    /// A general-admission section.
    pub area: String,
    /// How long a hold lasts.
    pub ttl: Duration,
}

impl Stage {
    /// Looks at the SeatingEvent, and holds a seat of it for a moment.
    ///
    /// # Errors
    /// One that the checks cannot run on, with what it lacks.
    pub async fn open(api: Api) -> anyhow::Result<Self> {
        let event = api.event.clone();
        let map = api.get(&format!("/events/{event}/seats")).await?;
        let map = map.shown().with_context(|| format!("the seat map of {event}"))?.clone();
        let section = roomiest(&map, false, SEATS).with_context(|| {
            format!(
                "{event} has no section with {SEATS} numbered seats free: give it one, or another --event"
            )
        })?;
        let area = roomiest(&map, true, UNITS).with_context(|| {
            format!("{event} has no general-admission section with {UNITS} units free: give it one, or another --event")
        })?;
        let mut stage = Self { api, section, area, ttl: Duration::ZERO };
        let units = free_units(&stage).await?;
        ensure!(
            units < TOO_MANY_UNITS,
            "{} of {event} has {units} units free: give it fewer than {TOO_MANY_UNITS}, because the checks ask for too many",
            stage.area
        );
        let ([seat], user) = (stage.seats().await?, newcomer("first"));
        let held = stage.hold(&user, &seat).await?;
        stage.release(&user, &seat).await?;
        stage.ttl = Duration::from_millis(number(&held, "expiresAt")?.saturating_sub(clock::now()));
        ensure!(
            stage.ttl > SHORTEST_HOLD && stage.ttl <= LONGEST_HOLD,
            "a hold of {event} lasts {:?}: set hold.ttlSeconds to 3 to 10, because the checks wait for its end",
            stage.ttl
        );
        Ok(stage)
    }

    /// Numbered seats that are available.
    pub async fn seats<const N: usize>(&self) -> anyhow::Result<[String; N]> {
        self.free(&self.section).await
    }

    /// General-admission units that are available.
    pub async fn units<const N: usize>(&self) -> anyhow::Result<[String; N]> {
        self.free(&self.area).await
    }

    async fn free<const N: usize>(&self, section: &str) -> anyhow::Result<[String; N]> {
        let path = format!("/events/{}/seats?section={section}", self.api.event);
        let map = self.api.current(&path, "sequence").await?;
        let seats = list(&map, "seats")?.iter().filter(|seat| seat["status"] == "AVAILABLE");
        let seats = fastrand::choose_multiple(seats.filter_map(|seat| seat["seatId"].as_str()), N);
        let found = seats.len();
        let seats: Vec<_> = seats.into_iter().map(str::to_owned).collect();
        seats.try_into().map_err(|_| anyhow::anyhow!("only {found} of {N} seats are left in {section}"))
    }

    /// Holds a seat.
    pub async fn hold(&self, user: &str, seat: &str) -> anyhow::Result<Value> {
        let answer = self.api.post(&format!("/seats/{seat}/hold"), user).await?;
        answer.done(200, &HELD_SEAT).cloned().with_context(|| format!("holding {seat}"))
    }

    /// Asks to hold several seats.
    pub async fn ask_for(&self, user: &str, seats: &[&str]) -> anyhow::Result<Answer> {
        let path = format!("/events/{}/holds", self.api.event);
        self.api.post_json(&path, user, &json!({ "seats": seats })).await
    }

    /// Holds several seats; the hold's path.
    pub async fn hold_all(&self, user: &str, seats: &[&str]) -> anyhow::Result<String> {
        let answer = self.ask_for(user, seats).await?;
        let held = answer.done(201, &HELD).with_context(|| format!("holding {seats:?}"))?;
        Ok(format!("/holds/{}", text(held, "holdId")?))
    }

    /// Reserves a held seat.
    pub async fn reserve(&self, user: &str, seat: &str) -> anyhow::Result<Value> {
        let answer = self.api.post(&format!("/seats/{seat}/reserve"), user).await?;
        answer.done(200, &RESERVED_SEAT).cloned().with_context(|| format!("reserving {seat}"))
    }

    /// Gives a seat back.
    pub async fn release(&self, user: &str, seat: &str) -> anyhow::Result<()> {
        let answer = self.api.post(&format!("/seats/{seat}/release"), user).await?;
        let left = seats_of(&answer.json).is_ok_and(|left| !left.is_empty());
        let of_a_hold: &[&str] =
            if left && !answer.json["expiresAt"].is_null() { &["expiresAt"] } else { &[] };
        let released = answer.done(200, &[&RELEASED_SEAT[..], of_a_hold].concat());
        let released = released.with_context(|| format!("releasing {seat}"))?;
        same("released", &released["released"], json!([seat]))?;
        same("seatId", &released["seatId"], seat)
    }

    /// Gives back a whole hold or reservation, by its path.
    pub async fn give_back(&self, user: &str, path: &str) -> anyhow::Result<Value> {
        let answer = self.api.call(Method::DELETE, path, user).await?;
        let released = answer.done(200, &RELEASED).with_context(|| format!("DELETE {path}"))?;
        same("what is left", &released["seats"], json!([]))?;
        Ok(released.clone())
    }

    /// Waits until readers see a seat with a status.
    pub async fn shows(&self, seat: &str, status: &str) -> anyhow::Result<()> {
        let shown = soon(async || {
            let answer = self.api.get(&format!("/seats/{seat}")).await?;
            same("status", &answer.shown()?["status"], status)
        });
        shown.await.with_context(|| format!("GET /seats/{seat}"))
    }
}

/// A user whom nobody knows yet.
pub fn newcomer(name: &str) -> String {
    format!("{name}-{}", Uuid::new_v4().simple())
}

/// The section with most seats available, of at least `least`. General-admission units have no row.
fn roomiest(map: &Value, general_admission: bool, least: usize) -> Option<String> {
    let mut free = std::collections::BTreeMap::<&str, usize>::new();
    for seat in map["seats"].as_array()? {
        let fits = (seat["row"] == "") == general_admission && seat["status"] == "AVAILABLE";
        *free.entry(seat["sectionId"].as_str()?).or_default() += usize::from(fits);
    }
    let (section, free) = free.into_iter().max_by_key(|(_, free)| *free)?;
    (free >= least).then(|| section.to_owned())
}

/// How many general-admission units are available.
pub async fn free_units(stage: &Stage) -> anyhow::Result<usize> {
    let path = format!("/events/{}/seats?section={}", stage.api.event, stage.area);
    let map = stage.api.current(&path, "sequence").await?;
    Ok(list(&map, "seats")?.iter().filter(|seat| seat["status"] == "AVAILABLE").count())
}

/// The ids of the seats in an answer about several.
pub fn seats_of(answer: &Value) -> anyhow::Result<Vec<&str>> {
    list(answer, "seats")?.iter().map(|seat| text(seat, "seatId")).collect()
}

/// The ids of the seats that were given back.
pub fn released_of(answer: &Value) -> anyhow::Result<Vec<&str>> {
    list(answer, "released")?.iter().map(|seat| seat.as_str().context("not a seat")).collect()
}

/// A seat of a hold or a reservation tells its price and its category, and the total is that of all.
pub fn priced(answer: &Value) -> anyhow::Result<()> {
    let mut total = 0;
    for seat in list(answer, "seats")? {
        exactly(seat, CLAIMED)?;
        ensure!(!text(seat, "priceCategory")?.is_empty(), "{seat} has no price category");
        total += number(seat, "price")?;
    }
    ensure!(text(answer, "currency")?.len() == 3, "currency is {}", answer["currency"]);
    same("total", &answer["total"], total)
}
