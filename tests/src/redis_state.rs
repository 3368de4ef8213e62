//! What Redis keeps of a SeatingEvent, read as `command/src/scripts/lib` describes it.
#![expect(clippy::unwrap_used, reason = "what goes wrong in here is a failed test")]

use std::collections::HashMap;
use std::str::FromStr;

use boxoffice_command::store::redis::keys::Keys;
use boxoffice_domain::state::{Claimed, Hold, HoldStatus, Seat, Show};
use boxoffice_domain::{Chart, Definition, SeatingEventId, SeatingEventState};
use redis::RedisResult;
use redis::aio::MultiplexedConnection;
use uuid::Uuid;

/// What is kept of one SeatingEvent, at one moment.
#[derive(Debug)]
pub struct Kept {
    /// Its state.
    pub state: SeatingEventState,
    /// The holds that have a deadline.
    pub deadlines: Vec<Uuid>,
    /// Its domain events up to here are on the log.
    pub published: u64,
}

type Hashes = [HashMap<String, String>; 5];

/// Reads all of it in one step.
///
/// # Errors
/// A Redis that does not answer.
pub async fn read(
    connection: &mut MultiplexedConnection,
    service: &str,
    event: &SeatingEventId,
) -> RedisResult<Kept> {
    let keys = Keys::new(service).event(event);
    let mut read = redis::pipe();
    read.atomic();
    for key in &keys.all()[..5] {
        read.cmd("HGETALL").arg(key);
    }
    read.cmd("ZRANGE").arg(keys.deadlines()).arg(0).arg(-1);
    let (meta, seats, holds, reservations, users, deadlines): (_, _, _, _, _, Vec<String>) =
        read.query_async(connection).await?;
    let (state, published) = state(event, [meta, seats, holds, reservations, users]);
    Ok(Kept { state, deadlines: sorted(&deadlines), published })
}

fn sorted(ids: &[String]) -> Vec<Uuid> {
    let mut ids: Vec<Uuid> = ids.iter().map(|id| parse(id)).collect();
    ids.sort();
    ids
}

/// The state and the published watermark.
fn state(event: &SeatingEventId, hashes: Hashes) -> (SeatingEventState, u64) {
    let [mut meta, seats, holds, reservations, users] = hashes;
    let show = meta.remove("definition").map(|json| {
        let definition: Definition = serde_json::from_str(&json).unwrap();
        let chart = Chart::expand(&definition).unwrap();
        Show::new(definition, chart, meta["closed"] == "1")
    });
    let number = |field: &str| meta.get(field).map_or(0, |number| parse(number));
    let state = SeatingEventState {
        id: event.clone(),
        show,
        sequence: number("sequence"),
        seats: seats.into_iter().map(|(key, text)| (key, seat(&text))).collect(),
        holds: holds.into_iter().map(|(id, text)| (parse(&id), hold(&text))).collect(),
        reservations: reservations.into_iter().map(|(id, text)| (parse(&id), claimed(&text))).collect(),
        claims: users.into_iter().map(|(user, seats)| (parse(&user), parse(&seats))).collect(),
    };
    (state, number("published"))
}

fn seat(text: &str) -> Seat {
    match text.split_once('\n').unwrap() {
        ("L", user) => Seat::Lapsed { user: parse(user) },
        ("B", reason) => Seat::Blocked { reason: reason.into() },
        ("H", rest) => {
            let (hold, amount) = rest.split_once('\n').unwrap();
            Seat::Held { hold: parse(hold), amount: parse(amount) }
        }
        ("R", rest) => {
            let parts: Vec<_> = rest.split('\n').collect();
            Seat::Reserved { reservation: parse(parts[0]), hold: parse(parts[1]), amount: parse(parts[2]) }
        }
        other => panic!("a seat is {other:?}"),
    }
}

fn hold(text: &str) -> Hold {
    let [status, expires, sequence, held_at, seats, correlation, user] = parts(text);
    let status = match status.split_at(1) {
        ("A", "") => HoldStatus::Active,
        ("E", "") => HoldStatus::Expired,
        ("R", reservation) => HoldStatus::Reserved(parse(reservation)),
        other => panic!("a hold is {other:?}"),
    };
    Hold {
        user: parse(user),
        correlation: parse(correlation),
        seats: keys(seats),
        held_at: parse(held_at),
        expires_at: parse(expires),
        sequence: parse(sequence),
        status,
    }
}

fn claimed(text: &str) -> Claimed {
    let [hold, reserved_at, sequence, seats, user] = parts(text);
    Claimed {
        user: parse(user),
        hold: parse(hold),
        seats: keys(seats),
        reserved_at: parse(reserved_at),
        sequence: parse(sequence),
    }
}

fn parts<const N: usize>(text: &str) -> [&str; N] {
    text.split('\n').collect::<Vec<_>>().try_into().unwrap()
}

fn keys(text: &str) -> Vec<String> {
    text.split(',').filter(|key| !key.is_empty()).map(str::to_owned).collect()
}

fn parse<T: FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}
