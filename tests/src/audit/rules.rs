//! Whether a domain event may follow on those before it: the rules of seats, told once more and apart from `decide`.
//!
//! A payment that comes late gets the seats of its reservation again, where it is remembered and they are free.
//! What box-office staff do for a buyer names the buyer, and nobody as who acted: such a hold is made outside window, pause
//! and limit, and may have seats that are blocked. [`money`](super::money) looks at what seats cost.

use anyhow::{Context, bail, ensure};
use boxoffice_domain::events::{
    Claim, DomainEvent, HoldExtended, NotReinstated, PaidBy, ReleaseReason, ReservedSeats, SeatBlock,
    SeatHeld, SeatReleased, SeatReserved, SeatingEventDefined,
};
use boxoffice_domain::state::{FailedReservation, Hold, HoldStatus, Sale, Seat};
use boxoffice_domain::{Chart, Envelope, ReservationId, SeatId, SeatingEventState, UnixMillis, UserId};

/// The rules, and what the last domain event left to be done.
#[derive(Debug, Default)]
pub struct Rules {
    /// A seat that staff took from among the blocked ones and that came back unsold: it is blocked again at once.
    owed: Option<(SeatId, String)>,
}

impl Rules {
    /// Whether `fact` may happen in `state`.
    pub fn lawful(&mut self, state: &SeatingEventState, fact: &Envelope) -> anyhow::Result<()> {
        if let Some((seat, reason)) = self.owed.take() {
            let again = matches!(&fact.event, DomainEvent::SeatBlocked(e) if (&e.seat_id, &e.reason) == (&seat, &reason));
            ensure!(again, "{seat} was blocked ({reason}) before staff held it, and is not blocked again");
        }
        match &fact.event {
            DomainEvent::SeatHeld(e) => held(state, e, by_staff(fact, &e.user_id)),
            DomainEvent::SeatReserved(e) => reserved(state, e),
            DomainEvent::SeatReleased(e) => {
                self.owed = blocked_before(state, &e.seat_id);
                released(state, e)
            }
            DomainEvent::SeatBlocked(e) => blocked(state, e),
            DomainEvent::SeatUnblocked(e) => unblocked(state, e),
            DomainEvent::HoldExtended(e) => extended(state, e, fact.timestamp),
            DomainEvent::ReservationCreated(e) => {
                let claimed = state.reservations.get(&e.reservation_id.uuid());
                let claimed = claimed.context("no seat was reserved for it")?;
                ensure!(claimed.user == e.user_id, "I1: its seats were reserved for {}", claimed.user);
                let named: Vec<_> = e.seat_ids.iter().map(SeatId::key).collect();
                ensure!(
                    claimed.seats == named,
                    "it names {named:?}, but {:?} were reserved for it",
                    claimed.seats
                );
                reinstated(state, e, fact.timestamp)
            }
            DomainEvent::ReservationCancelled(e) => {
                let Some(claimed) = state.reservations.get(&e.reservation_id.uuid()) else { return Ok(()) };
                let has = |seat: &&SeatId| claimed.seats.iter().any(|key| key == seat.key());
                let kept: Vec<_> = e.seat_ids.iter().filter(has).collect();
                ensure!(kept.is_empty(), "it still has {kept:?}");
                Ok(())
            }
            DomainEvent::EventCreated(_) => {
                ensure!(state.sale.is_none(), "it was created already");
                Ok(())
            }
            DomainEvent::EventUpdated(e) => updated(state, e),
            DomainEvent::EventDeleted(_) => {
                ensure!(!sale(state)?.closed, "it was closed already");
                Ok(())
            }
            DomainEvent::EventPurged(_) => sale(state).map(drop),
            DomainEvent::ReservationNotReinstated(e) => not_reinstated(state, e, fact.timestamp),
            DomainEvent::StatsUpdated(_)
            | DomainEvent::PaymentRequested(_)
            | DomainEvent::PaymentCompleted(_)
            | DomainEvent::PaymentFailed(_)
            | DomainEvent::PaymentRefundRequested(_) => bail!("I2: it is not one of the seat store's"),
        }
    }

    /// What is still to be done at the end.
    pub fn close(self) -> Option<String> {
        let (seat, reason) = self.owed?;
        Some(format!("{seat} was blocked ({reason}) before staff held it, and is not blocked again"))
    }
}

/// Whether it was done for `user` by somebody else.
pub fn by_staff(fact: &Envelope, user: &UserId) -> bool {
    fact.metadata.user_id.as_ref() != Some(user)
}

fn held(state: &SeatingEventState, e: &SeatHeld, by_staff: bool) -> anyhow::Result<()> {
    let sale = sale(state)?;
    let definition = &sale.definition;
    ensure!(!sale.closed, "sales have closed");
    ensure!(sale.chart().contains(e.seat_id.key()), "the chart has no such seat");
    match seat(state, &e.seat_id) {
        None | Some(Seat::Lapsed { .. }) => {}
        Some(Seat::Blocked { .. }) if by_staff => {}
        Some(taken @ (Seat::Held { .. } | Seat::Reserved { .. } | Seat::Blocked { .. })) => {
            bail!("I1: {} holds a seat that is not free: {taken:?}", e.user_id)
        }
    }
    if let Some(before) = state.holds.get(&e.hold_id.uuid()) {
        let is_it = (&before.user, before.status, before.expires_at)
            == (&e.user_id, HoldStatus::Active, e.expires_at);
        ensure!(is_it, "I1: the hold was another one: {before:?}");
        ensure!(e.held_at < before.expires_at, "I6: the deadline was {}", before.expires_at);
    } else {
        let (lasts, ttl) = (e.expires_at - e.held_at, UnixMillis::from(definition.hold.ttl_seconds) * 1000);
        ensure!(lasts == ttl, "I6: it expires {lasts} ms after it began");
    }
    if by_staff {
        return Ok(());
    }
    let window = &definition.sales;
    ensure!(e.held_at < definition.closes_at(), "sales have closed");
    ensure!(window.opens_at.is_none_or(|opens| e.held_at >= opens), "sales have not opened");
    ensure!(!window.paused, "sales are paused");
    let has = seats_of(state, &e.user_id, e.held_at);
    let limit = definition.limits.seats_per_user;
    ensure!(limit.is_none_or(|limit| has < limit as usize), "{} has {has} seats already", e.user_id);
    Ok(())
}

/// How many seats a user has at a moment: a hold that lapsed counts no more, whether or not anybody has noticed.
fn seats_of(state: &SeatingEventState, user: &UserId, at: UnixMillis) -> usize {
    let holds = state.holds.values().filter(|hold| hold.user == *user && at < hold.expires_at);
    let reservations = state.reservations.values().filter(|reservation| reservation.user == *user);
    holds.map(|hold| hold.seats.len()).chain(reservations.map(|it| it.seats.len())).sum()
}

fn reserved(state: &SeatingEventState, e: &SeatReserved) -> anyhow::Result<()> {
    ensure!(!sale(state)?.closed, "sales have closed");
    let id = e.hold_id.uuid();
    let is_in_it = matches!(seat(state, &e.seat_id), Some(Seat::Held { hold, .. }) if *hold == id);
    ensure!(is_in_it, "I1: the seat is not in hold {id}: {:?}", seat(state, &e.seat_id));
    let hold = active_hold(state, id)?;
    ensure!(hold.user == e.user_id, "I1: the hold is {}'s", hold.user);
    ensure!(
        e.reserved_at < hold.expires_at,
        "I6: the hold ended {} ms before",
        e.reserved_at - hold.expires_at
    );
    Ok(())
}

fn released(state: &SeatingEventState, e: &SeatReleased) -> anyhow::Result<()> {
    let noted = e.note.is_none() || e.reason == ReleaseReason::Admin;
    ensure!(noted, "nobody but the box office writes notes: {:?}", e.note);
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
                other @ (ReleaseReason::Cancelled | ReleaseReason::PaymentFailed) => {
                    bail!("a hold does not end by {other:?}")
                }
            }
        }
        Claim::Reservation(id) => {
            let id = id.uuid();
            let is_in_it = matches!(seat(state, &e.seat_id), Some(Seat::Reserved { reservation, .. }) if *reservation == id);
            ensure!(is_in_it, "I1: the seat is not in reservation {id}: {:?}", seat(state, &e.seat_id));
            let owner = state.reservations.get(&id).map(|claimed| &claimed.user);
            ensure!(owner == Some(&e.user_id), "I1: the reservation is {owner:?}'s");
            match e.reason {
                ReleaseReason::Cancelled => {
                    let until = sale(state)?.definition.cancel_until();
                    ensure!(e.released_at <= until, "buyers could cancel until {until}");
                }
                ReleaseReason::PaymentFailed => {
                    let paid_by = state.reservations.get(&id).and_then(|claimed| claimed.paid_by.as_ref());
                    ensure!(paid_by.is_none(), "no payment of its own pays for it: {paid_by:?}");
                }
                ReleaseReason::Admin => {}
                other @ (ReleaseReason::User | ReleaseReason::Expired) => {
                    bail!("a reservation does not end by {other:?}")
                }
            }
        }
    }
    Ok(())
}

/// A reservation that stands for one whose payment failed: that one is remembered, unanswered, and sales are open.
fn reinstated(state: &SeatingEventState, e: &ReservedSeats, at: UnixMillis) -> anyhow::Result<()> {
    let Some(PaidBy::Reservation(paid)) = &e.paid_by else { return Ok(()) };
    let failed = unanswered(state, &paid.parse()?, &e.user_id, at)?;
    let had: Vec<_> = failed.seats.iter().map(|(key, _)| key.as_str()).collect();
    let has: Vec<_> = e.seat_ids.iter().map(SeatId::key).collect();
    ensure!(had == has, "{paid} had {had:?}, and {has:?} come back");
    ensure!(are_sales_open(state, at)?, "sales are not open");
    Ok(())
}

/// What is not given back is not there, or not for sale.
fn not_reinstated(state: &SeatingEventState, e: &NotReinstated, at: UnixMillis) -> anyhow::Result<()> {
    let failed = unanswered(state, &e.reservation_id, &e.user_id, at)?;
    let chart = sale(state)?.chart();
    let is_free = |key: &String| match state.seats.get(key) {
        None | Some(Seat::Lapsed { .. }) => chart.contains(key),
        Some(Seat::Held { hold, blocked, .. }) => {
            blocked.is_none() && state.holds.get(hold).is_none_or(|hold| at >= hold.expires_at)
        }
        Some(Seat::Reserved { .. } | Seat::Blocked { .. }) => false,
    };
    let all_free = failed.seats.iter().all(|(key, _)| is_free(key));
    ensure!(!all_free || !are_sales_open(state, at)?, "its seats are free, and sales are open");
    Ok(())
}

fn unanswered<'a>(
    state: &'a SeatingEventState,
    id: &ReservationId,
    user: &UserId,
    at: UnixMillis,
) -> anyhow::Result<&'a FailedReservation> {
    let failed = state.failed.get(&id.uuid()).context("no payment of it failed")?;
    ensure!(failed.user == *user, "it was {}'s", failed.user);
    ensure!(failed.outcome.is_none(), "it was answered before: {:?}", failed.outcome);
    ensure!(at < failed.forgotten_at(), "its payment failed too long ago, at {}", failed.failed_at);
    Ok(failed)
}

fn are_sales_open(state: &SeatingEventState, at: UnixMillis) -> anyhow::Result<bool> {
    let sale = sale(state)?;
    let (definition, window) = (&sale.definition, &sale.definition.sales);
    let in_window = at < definition.closes_at() && window.opens_at.is_none_or(|opens| at >= opens);
    Ok(in_window && !sale.closed && !window.paused)
}

/// The reason for which a held seat was blocked before.
fn blocked_before(state: &SeatingEventState, id: &SeatId) -> Option<(SeatId, String)> {
    match seat(state, id)? {
        Seat::Held { blocked: Some(reason), .. } => Some((id.clone(), reason.clone())),
        Seat::Held { blocked: None, .. }
        | Seat::Lapsed { .. }
        | Seat::Reserved { .. }
        | Seat::Blocked { .. } => None,
    }
}

fn blocked(state: &SeatingEventState, e: &SeatBlock) -> anyhow::Result<()> {
    ensure!(sale(state)?.chart().contains(e.seat_id.key()), "the chart has no such seat");
    match seat(state, &e.seat_id) {
        Some(taken @ (Seat::Held { .. } | Seat::Reserved { .. })) => bail!("I1: somebody has it: {taken:?}"),
        Some(Seat::Lapsed { .. } | Seat::Blocked { .. }) | None => Ok(()),
    }
}

fn unblocked(state: &SeatingEventState, e: &SeatBlock) -> anyhow::Result<()> {
    let blocked = matches!(seat(state, &e.seat_id), Some(Seat::Blocked { .. }));
    ensure!(blocked, "it was not blocked: {:?}", seat(state, &e.seat_id));
    Ok(())
}

/// Nobody loses a seat by it, and what is priced stays so.
fn updated(state: &SeatingEventState, e: &SeatingEventDefined) -> anyhow::Result<()> {
    let (before, after) = (sale(state)?.definition.currency(), e.definition.currency());
    ensure!(before == after, "the currency was {before} and is {after} now");
    let chart = Chart::expand(&e.definition)?;
    let blocks: Vec<_> = e.blocks.iter().flatten().flat_map(|block| &block.seats).collect();
    for (key, seat) in &state.seats {
        if matches!(seat, Seat::Held { .. } | Seat::Reserved { .. }) {
            ensure!(chart.contains(key), "I1: it drops {key}, which somebody has: {seat:?}");
            ensure!(!blocks.contains(&key), "I1: it blocks {key}, which somebody has: {seat:?}");
        }
    }
    Ok(())
}

fn extended(state: &SeatingEventState, e: &HoldExtended, at: UnixMillis) -> anyhow::Result<()> {
    let sale = sale(state)?;
    ensure!(!sale.closed, "sales have closed");
    let longest = UnixMillis::from(sale.definition.hold.max_seconds) * 1000;
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

fn sale(state: &SeatingEventState) -> anyhow::Result<&Sale> {
    state.sale.as_deref().context("it was not created yet")
}

fn seat<'a>(state: &'a SeatingEventState, id: &SeatId) -> Option<&'a Seat> {
    state.seats.get(id.key())
}

fn active_hold(state: &SeatingEventState, id: uuid::Uuid) -> anyhow::Result<&Hold> {
    let hold = state.holds.get(&id).context("there is no such hold")?;
    ensure!(hold.status == HoldStatus::Active, "the hold has ended: {:?}", hold.status);
    Ok(hold)
}
