//! Whether a domain event may follow on those before it: the rules of seats, told once more and apart from `decide`.

use anyhow::{Context, bail, ensure};
use boxoffice_domain::events::{
    Claim, DomainEvent, HoldExtended, ReleaseReason, Reservation, SeatBlock, SeatHeld, SeatReleased,
    SeatReserved,
};
use boxoffice_domain::state::{Hold, HoldStatus, Seat, Show};
use boxoffice_domain::{Envelope, SeatId, SeatingEventState, UnixMillis};

/// Whether `fact` may happen in `state`.
pub fn lawful(state: &SeatingEventState, fact: &Envelope) -> anyhow::Result<()> {
    match &fact.event {
        DomainEvent::SeatHeld(e) => held(state, e),
        DomainEvent::SeatReserved(e) => reserved(state, e),
        DomainEvent::SeatReleased(e) => released(state, e),
        DomainEvent::SeatBlocked(e) => blocked(state, e),
        DomainEvent::SeatUnblocked(e) => unblocked(state, e),
        DomainEvent::HoldExtended(e) => extended(state, e, fact.timestamp),
        DomainEvent::ReservationCreated(e) => created(state, e),
        DomainEvent::ReservationCancelled(e) => cancelled(state, e),
        DomainEvent::EventCreated(_) => {
            ensure!(state.show.is_none(), "it was created already");
            Ok(())
        }
        DomainEvent::EventUpdated(_) => show(state).map(drop),
        DomainEvent::EventDeleted(_) => {
            ensure!(!show(state)?.closed, "it was closed already");
            Ok(())
        }
        DomainEvent::StatsUpdated(_) => bail!("I2: it is not one of the seat store's"),
    }
}

fn held(state: &SeatingEventState, e: &SeatHeld) -> anyhow::Result<()> {
    let show = show(state)?;
    let definition = &show.definition;
    let sales = &definition.sales;
    ensure!(!show.closed && e.held_at < definition.closes_at(), "sales have closed");
    ensure!(sales.opens_at.is_none_or(|opens| e.held_at >= opens), "sales have not opened");
    ensure!(!sales.paused, "sales are paused");
    ensure!(show.chart.contains(e.seat_id.key()), "the chart has no such seat");
    match seat(state, &e.seat_id) {
        None | Some(Seat::Lapsed { .. }) => {}
        Some(taken) => bail!("I1: {} holds a seat that is not free: {taken:?}", e.user_id),
    }
    if let Some(hold) = state.holds.get(&e.hold_id.uuid()) {
        let same =
            (&hold.user, hold.status, hold.expires_at) == (&e.user_id, HoldStatus::Active, e.expires_at);
        ensure!(same, "I1: the hold was another one: {hold:?}");
    }
    let ttl = UnixMillis::from(definition.hold.ttl_seconds) * 1000;
    ensure!(e.expires_at == e.held_at + ttl, "I6: it expires {} ms after it began", e.expires_at - e.held_at);
    let claims = state.claims.get(&e.user_id).copied().unwrap_or_default();
    let limit = definition.limits.seats_per_user;
    ensure!(limit.is_none_or(|limit| claims < limit), "{} has {claims} seats already", e.user_id);
    Ok(())
}

fn reserved(state: &SeatingEventState, e: &SeatReserved) -> anyhow::Result<()> {
    let hold = e.hold_id.uuid();
    match seat(state, &e.seat_id) {
        Some(Seat::Held { hold: its, amount }) if *its == hold => {
            ensure!(*amount == e.amount, "it was held at {amount} and is reserved at {}", e.amount);
        }
        other => bail!("I1: the seat is not in hold {hold}: {other:?}"),
    }
    let hold = active_hold(state, e.hold_id.uuid())?;
    ensure!(hold.user == e.user_id, "I1: the hold is {}'s", hold.user);
    ensure!(
        e.reserved_at < hold.expires_at,
        "I6: the hold ended {} ms before",
        e.reserved_at - hold.expires_at
    );
    Ok(())
}

fn released(state: &SeatingEventState, e: &SeatReleased) -> anyhow::Result<()> {
    match &e.claim {
        Claim::Hold(id) => {
            let id = id.uuid();
            let is_in_it = matches!(seat(state, &e.seat_id), Some(Seat::Held { hold, .. }) if *hold == id);
            ensure!(is_in_it, "I1: the seat is not in hold {id}: {:?}", seat(state, &e.seat_id));
            let hold = active_hold(state, id)?;
            ensure!(hold.user == e.user_id, "I1: the hold is {}'s", hold.user);
            let over = e.released_at >= hold.expires_at;
            match e.reason {
                ReleaseReason::Expired => ensure!(over, "I6: the deadline is {}", hold.expires_at),
                ReleaseReason::User => ensure!(!over, "I6: the deadline was {}", hold.expires_at),
                ReleaseReason::Admin => {}
                other => bail!("a hold does not end by {other:?}"),
            }
        }
        Claim::Reservation(id) => {
            let id = id.uuid();
            let is_in_it = matches!(seat(state, &e.seat_id), Some(Seat::Reserved { reservation, .. }) if *reservation == id);
            ensure!(is_in_it, "I1: the seat is not in reservation {id}: {:?}", seat(state, &e.seat_id));
            let owner = state.reservations.get(&id).map(|claimed| &claimed.user);
            ensure!(owner == Some(&e.user_id), "I1: the reservation is {owner:?}'s");
            let may = !matches!(e.reason, ReleaseReason::User | ReleaseReason::Expired);
            ensure!(may, "a reservation does not end by {:?}", e.reason);
        }
    }
    Ok(())
}

fn blocked(state: &SeatingEventState, e: &SeatBlock) -> anyhow::Result<()> {
    ensure!(show(state)?.chart.contains(e.seat_id.key()), "the chart has no such seat");
    match seat(state, &e.seat_id) {
        Some(taken @ (Seat::Held { .. } | Seat::Reserved { .. })) => bail!("I1: somebody has it: {taken:?}"),
        _ => Ok(()),
    }
}

fn unblocked(state: &SeatingEventState, e: &SeatBlock) -> anyhow::Result<()> {
    let blocked = matches!(seat(state, &e.seat_id), Some(Seat::Blocked { .. }));
    ensure!(blocked, "it was not blocked: {:?}", seat(state, &e.seat_id));
    Ok(())
}

fn extended(state: &SeatingEventState, e: &HoldExtended, at: UnixMillis) -> anyhow::Result<()> {
    let longest = UnixMillis::from(show(state)?.definition.hold.max_seconds) * 1000;
    let hold = active_hold(state, e.hold_id.uuid())?;
    ensure!(hold.user == e.user_id, "I1: the hold is {}'s", hold.user);
    ensure!(at < hold.expires_at, "I6: the deadline was {}", hold.expires_at);
    ensure!(
        e.expires_at >= hold.expires_at,
        "its deadline {} comes nearer: {}",
        hold.expires_at,
        e.expires_at
    );
    let lasts = e.expires_at - hold.held_at;
    ensure!(lasts <= longest.max(hold.expires_at - hold.held_at), "I6: the hold lasts {lasts} ms");
    let named: Vec<_> = e.seat_ids.iter().map(SeatId::key).collect();
    ensure!(hold.seats == named, "it names {named:?}, but the hold has {:?}", hold.seats);
    Ok(())
}

fn created(state: &SeatingEventState, e: &Reservation) -> anyhow::Result<()> {
    let claimed = state.reservations.get(&e.reservation_id.uuid()).context("no seat was reserved for it")?;
    ensure!(claimed.user == e.user_id, "I1: its seats were reserved for {}", claimed.user);
    ensure!(claimed.sequence == 0, "it was created already, at {}", claimed.sequence);
    let named: Vec<_> = e.seat_ids.iter().map(SeatId::key).collect();
    ensure!(claimed.seats == named, "it names {named:?}, but {:?} were reserved for it", claimed.seats);
    let amounts = e.seat_ids.iter().map(|id| match seat(state, id) {
        Some(Seat::Reserved { amount, .. }) => *amount,
        _ => 0,
    });
    let sum: u64 = amounts.sum();
    ensure!(sum == e.amount, "its seats cost {sum} together, not {}", e.amount);
    Ok(())
}

fn cancelled(state: &SeatingEventState, e: &Reservation) -> anyhow::Result<()> {
    let Some(claimed) = state.reservations.get(&e.reservation_id.uuid()) else { return Ok(()) };
    let kept: Vec<_> =
        e.seat_ids.iter().filter(|seat| claimed.seats.iter().any(|key| key == seat.key())).collect();
    ensure!(kept.is_empty(), "it still has {kept:?}");
    Ok(())
}

fn show(state: &SeatingEventState) -> anyhow::Result<&Show> {
    state.show.as_ref().context("it was not created yet")
}

fn seat<'a>(state: &'a SeatingEventState, id: &SeatId) -> Option<&'a Seat> {
    state.seats.get(id.key())
}

fn active_hold(state: &SeatingEventState, id: uuid::Uuid) -> anyhow::Result<&Hold> {
    let hold = state.holds.get(&id).context("there is no such hold")?;
    ensure!(hold.status == HoldStatus::Active, "the hold has ended: {:?}", hold.status);
    Ok(hold)
}
