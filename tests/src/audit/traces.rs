//! Which domain events each request made: those of its chain. The end of a hold that lapsed belongs to the hold's chain,
//! and that of a reservation that was not paid for to the reservation's, but no client asked for either; nor for what
//! operators do.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, ensure};
use boxoffice_domain::events::{Claim, DomainEvent, ReleaseReason};
use boxoffice_domain::{Envelope, HoldId, ReservationId, SeatId, SeatingEventState};

use super::idempotent::Repetitions;
use super::request::{Loss, Request, Wish};
use super::trace::{Facts, RequestTrace};

/// Requests, each with what it did so far.
pub struct RequestTraces<'a> {
    requests: Vec<RequestTrace<'a>>,
    by_correlation: HashMap<&'a str, usize>,
    /// Requests about one chain: there must be none.
    repeated: Vec<String>,
    /// Reservations of which others than their owners took seats; that they were cancelled is still to be said.
    taken_away: HashSet<ReservationId>,
    losses: &'a [Loss],
}

impl<'a> RequestTraces<'a> {
    /// Requests before anything happened.
    pub fn of(requests: &'a [Request], losses: &'a [Loss]) -> Self {
        let (mut by_correlation, mut repeated) = (HashMap::new(), vec![]);
        for (place, request) in requests.iter().enumerate() {
            if by_correlation.insert(request.correlation.as_str(), place).is_some() {
                repeated.push(format!("two requests are one chain: {}", request.correlation));
            }
        }
        let requests = requests
            .iter()
            .map(|request| RequestTrace { request, made: vec![], left: vec![], has: vec![] })
            .collect();
        Self { requests, by_correlation, repeated, taken_away: HashSet::new(), losses }
    }

    /// Takes a domain event, after which the state is `state`.
    pub fn take(&mut self, fact: &Envelope, state: &SeatingEventState) -> anyhow::Result<()> {
        if self.is_asked_by_no_client(fact) {
            return Ok(());
        }
        let correlation = fact.metadata.correlation_id.as_str();
        let place = self.by_correlation.get(correlation).context("nobody asked for it")?;
        let trace = self.requests.get_mut(*place).context("nobody asked for it")?;
        ensure!(
            fact.metadata.user_id.as_ref() == Some(&trace.request.user),
            "{} asked for it, not {:?}",
            trace.request.user,
            fact.metadata.user_id
        );
        trace.made.push(fact.clone());
        trace.has = seats_after(state, &fact.event);
        trace.left = match &trace.request.wish {
            Wish::ReserveHold(hold) | Wish::ReleaseHold(hold) => {
                state.holds.get(&hold.uuid()).map(|hold| hold.seats.clone()).unwrap_or_default()
            }
            Wish::Cancel(id) => {
                state.reservations.get(&id.uuid()).map(|it| it.seats.clone()).unwrap_or_default()
            }
            _ => vec![],
        };
        Ok(())
    }

    /// What box-office staff do names nobody as who acted.
    fn is_asked_by_no_client(&mut self, fact: &Envelope) -> bool {
        match &fact.event {
            DomainEvent::EventCreated(_)
            | DomainEvent::EventUpdated(_)
            | DomainEvent::EventDeleted(_)
            | DomainEvent::EventPurged(_)
            | DomainEvent::SeatBlocked(_)
            | DomainEvent::SeatUnblocked(_) => true,
            DomainEvent::SeatReleased(e) => match e.reason {
                ReleaseReason::Expired => true,
                ReleaseReason::Admin | ReleaseReason::PaymentFailed => {
                    if let Claim::Reservation(id) = &e.claim {
                        self.taken_away.insert(id.clone());
                    }
                    true
                }
                ReleaseReason::User | ReleaseReason::Cancelled => false,
            },
            DomainEvent::ReservationCancelled(e) => self.taken_away.remove(&e.reservation_id),
            DomainEvent::SeatHeld(_)
            | DomainEvent::SeatReserved(_)
            | DomainEvent::HoldExtended(_)
            | DomainEvent::ReservationCreated(_)
            | DomainEvent::ReservationNotReinstated(_)
            | DomainEvent::StatsUpdated(_)
            | DomainEvent::PaymentRequested(_)
            | DomainEvent::PaymentCompleted(_)
            | DomainEvent::PaymentFailed(_)
            | DomainEvent::PaymentRefundRequested(_) => fact.metadata.user_id.is_none(),
        }
    }

    /// What is wrong with what each request did, after all of `facts`.
    pub fn close(self, facts: &[Envelope]) -> Vec<String> {
        let facts: Facts<'_> =
            facts.iter().map(|fact| (fact.metadata.sequence.unwrap_or_default(), fact)).collect();
        let repetitions = Repetitions::of(&self.requests);
        let found = self.requests.iter().filter_map(|trace| {
            let error = trace.examine(&facts, repetitions.first(trace), self.losses).err()?;
            let Request { user, wish, answer, .. } = trace.request;
            Some(format!("{user} asked for {wish:?} and was told {answer:?}: {error:#}"))
        });
        self.repeated.iter().cloned().chain(found).chain(repetitions.findings(self.losses)).collect()
    }
}

/// What the hold or the reservation that `event` is about has in `state`, which came after it.
fn seats_after(state: &SeatingEventState, event: &DomainEvent) -> Vec<SeatId> {
    let in_hold = |hold: &HoldId| state.holds.get(&hold.uuid()).map(|hold| &hold.seats);
    let in_reservation = |id: &ReservationId| state.reservations.get(&id.uuid()).map(|it| &it.seats);
    let keys = match event {
        DomainEvent::SeatHeld(e) => in_hold(&e.hold_id),
        DomainEvent::HoldExtended(e) => in_hold(&e.hold_id),
        DomainEvent::SeatReserved(e) => in_reservation(&e.reservation_id),
        DomainEvent::ReservationCreated(e) | DomainEvent::ReservationCancelled(e) => {
            in_reservation(&e.reservation_id)
        }
        DomainEvent::SeatReleased(e) => match &e.claim {
            Claim::Hold(hold) => in_hold(hold),
            Claim::Reservation(reservation) => in_reservation(reservation),
        },
        DomainEvent::SeatBlocked(_)
        | DomainEvent::SeatUnblocked(_)
        | DomainEvent::EventCreated(_)
        | DomainEvent::EventUpdated(_)
        | DomainEvent::EventDeleted(_)
        | DomainEvent::EventPurged(_)
        | DomainEvent::ReservationNotReinstated(_)
        | DomainEvent::StatsUpdated(_)
        | DomainEvent::PaymentRequested(_)
        | DomainEvent::PaymentCompleted(_)
        | DomainEvent::PaymentFailed(_)
        | DomainEvent::PaymentRefundRequested(_) => None,
    };
    keys.into_iter().flatten().map(|key| SeatId::from_chart(&state.id, key)).collect()
}
