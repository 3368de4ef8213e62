//! What must survive a restart: reservations, whose they are, and how far the sequence got.

use anyhow::{Context, ensure};
use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::answer::{number, same, text};
use super::api::{Api, soon};
use super::stage::{RESERVED, Stage, newcomer, seats_of};

/// What was so before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Memory {
    /// The SeatingEvent.
    pub event_id: String,
    /// A sequence that it had reached.
    pub sequence: u64,
    /// Reservations that nobody cancels.
    pub reservations: Vec<Remembered>,
}

/// A reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Remembered {
    /// Its id.
    pub reservation_id: String,
    /// Whose it is.
    pub user_id: String,
    /// Its seats.
    pub seat_ids: Vec<String>,
}

/// A memory, and where it is to be checked.
#[derive(Debug)]
pub struct Recalled {
    /// The API as it is now.
    pub api: Api,
    /// What was so before.
    pub memory: Memory,
}

/// Makes a reservation of one seat, and one of a seat and a general-admission unit.
pub(super) async fn make(stage: &Stage) -> anyhow::Result<Memory> {
    let ([alone, seat], [unit]) = (stage.seats().await?, stage.units().await?);
    let (alice, bob) = (newcomer("alice"), newcomer("bob"));
    stage.hold(&alice, &alone).await?;
    let first = stage.reserve(&alice, &alone).await?;
    let hold = stage.hold_all(&bob, &[&seat, &unit]).await?;
    let answer = stage.api.post(&format!("{hold}/reserve"), &bob).await?;
    let second = answer.done(200, &RESERVED)?;
    let seats_of_second = seats_of(second)?.into_iter().map(str::to_owned).collect();
    let remembered = |id: &str, user_id: String, seat_ids: Vec<String>| Remembered {
        reservation_id: id.to_owned(),
        user_id,
        seat_ids,
    };
    Ok(Memory {
        event_id: stage.api.event.clone(),
        sequence: number(second, "sequence")?,
        reservations: vec![
            remembered(text(&first, "reservationId")?, alice, vec![alone]),
            remembered(text(second, "reservationId")?, bob, seats_of_second),
        ],
    })
}

impl Memory {
    /// Every seat with its reservation.
    fn seats(&self) -> impl Iterator<Item = (&String, &Remembered)> {
        self.reservations.iter().flat_map(|it| it.seat_ids.iter().map(move |seat| (seat, it)))
    }
}

pub(super) async fn reserving_again_gives_the_reservation_of_before(
    recalled: &Recalled,
) -> anyhow::Result<()> {
    for (seat, before) in recalled.memory.seats() {
        let again = recalled.api.post(&format!("/seats/{seat}/reserve"), &before.user_id).await?;
        let again = again.shown().with_context(|| format!("reserving {seat} again"))?;
        same("reservationId", &again["reservationId"], before.reservation_id.as_str())?;
    }
    Ok(())
}

pub(super) async fn seats_are_still_reserved(recalled: &Recalled) -> anyhow::Result<()> {
    for (seat, before) in recalled.memory.seats() {
        let shown = soon(async || {
            let answer = recalled.api.get_as(&format!("/seats/{seat}"), &before.user_id).await?;
            same("status", &answer.shown()?["status"], "RESERVED")?;
            same("mine", &answer.json["mine"], true)
        });
        shown.await.with_context(|| format!("GET /seats/{seat}"))?;
    }
    Ok(())
}

pub(super) async fn the_sequence_went_on(recalled: &Recalled) -> anyhow::Result<()> {
    let (path, before) = (format!("/events/{}", recalled.api.event), recalled.memory.sequence);
    soon(async || {
        let now = number(recalled.api.get(&path).await?.shown()?, "sequence")?;
        ensure!(now >= before, "the sequence was {before} and is {now}");
        Ok(())
    })
    .await
}

pub(super) async fn strangers_are_refused(recalled: &Recalled) -> anyhow::Result<()> {
    let stranger = newcomer("stranger");
    for (seat, before) in recalled.memory.seats() {
        let hold = recalled.api.post(&format!("/seats/{seat}/hold"), &stranger).await?;
        hold.conflicts(409, "SEAT_NOT_AVAILABLE", &[(seat, "RESERVED")])?;
        recalled.api.post(&format!("/seats/{seat}/release"), &stranger).await?.refused(403, "NOT_HOLDER")?;
        let cancel = format!("/reservations/{}", before.reservation_id);
        recalled.api.call(Method::DELETE, &cancel, &stranger).await?.refused(403, "NOT_HOLDER")?;
    }
    Ok(())
}
