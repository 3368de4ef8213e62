//! What seats cost: a claim keeps the amount and the currency at which it was held, a reservation costs what its seats do,
//! and what is cancelled adds up to that. Told once more and apart from `decide`.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Context, ensure};
use boxoffice_domain::events::{DomainEvent, PaidBy, ReservedSeats, SeatHeld};
use boxoffice_domain::state::Seat;
use boxoffice_domain::{Envelope, HoldId, ReservationId, SeatId, SeatingEventState};

use super::rules::by_staff;

/// What every reservation still has, and what that costs.
#[derive(Debug, Default)]
pub struct Money {
    sold: HashMap<ReservationId, Sold>,
    /// Seats reserved for a reservation that was not created yet.
    reserved: HashMap<ReservationId, Sold>,
    /// Holds with a seat at the price of a payment that failed.
    at_old_prices: HashSet<HoldId>,
}

#[derive(Debug, Default)]
struct Sold {
    currency: String,
    /// Whether a seat of it was held at the price of a payment that failed.
    at_old_prices: bool,
    amounts: BTreeMap<SeatId, u64>,
}

impl Money {
    /// Whether `fact` may cost what it says, in `state`.
    pub fn lawful(&mut self, state: &SeatingEventState, fact: &Envelope) -> anyhow::Result<()> {
        match &fact.event {
            DomainEvent::SeatHeld(e) => {
                let definition = &state.sale.as_ref().context("it was not created yet")?.definition;
                let price = definition.price_of(e.seat_id.section()).context("its section has no price")?;
                let held_at = (e.amount, e.currency.as_str());
                let today = (price.amount, price.currency.as_str());
                if held_at != today {
                    let was = by_staff(fact, &e.user_id) && was_the_price(state, e);
                    ensure!(was, "it is held at {held_at:?}, but the price is {today:?}");
                    self.at_old_prices.insert(e.hold_id.clone());
                }
                Ok(())
            }
            DomainEvent::SeatReserved(e) => {
                let Some(Seat::Held { amount, hold, .. }) = state.seats.get(e.seat_id.key()) else {
                    // The rules of seats say what is wrong with that.
                    return Ok(());
                };
                ensure!(*amount == e.amount, "it was held at {amount} and is reserved at {}", e.amount);
                let currency = state.holds.get(hold).map(|hold| &hold.currency);
                ensure!(
                    currency == Some(&e.currency),
                    "it was held in {currency:?} and is reserved in {}",
                    e.currency
                );
                let sold = self.reserved.entry(e.reservation_id.clone()).or_default();
                sold.currency.clone_from(&e.currency);
                sold.amounts.insert(e.seat_id.clone(), e.amount);
                sold.at_old_prices |= self.at_old_prices.contains(&e.hold_id);
                Ok(())
            }
            DomainEvent::ReservationCreated(e) => {
                ensure!(!self.sold.contains_key(&e.reservation_id), "it was created already");
                let sold = self.reserved.remove(&e.reservation_id).unwrap_or_default();
                let sum: u64 = sold.amounts.values().sum();
                ensure!(sum == e.amount, "its seats cost {sum} together, not {}", e.amount);
                ensure!(sold.currency == e.currency, "its seats were held in {}", sold.currency);
                let at_the_counter = e.paid_by == Some(PaidBy::Counter);
                ensure!(!at_the_counter || by_staff(fact, &e.user_id), "a buyer sold it to themself");
                match &e.paid_by {
                    Some(PaidBy::Reservation(paid)) => paid_before(state, paid, &sold)?,
                    Some(PaidBy::Counter) | None => {
                        ensure!(!sold.at_old_prices, "its prices are those of a payment that failed");
                    }
                }
                self.sold.insert(e.reservation_id.clone(), sold);
                Ok(())
            }
            DomainEvent::ReservationCancelled(e) => self.cancelled(state, e),
            DomainEvent::SeatReleased(_)
            | DomainEvent::SeatBlocked(_)
            | DomainEvent::SeatUnblocked(_)
            | DomainEvent::HoldExtended(_)
            | DomainEvent::EventCreated(_)
            | DomainEvent::EventUpdated(_)
            | DomainEvent::EventDeleted(_)
            | DomainEvent::EventPurged(_)
            | DomainEvent::ReservationNotReinstated(_)
            | DomainEvent::StatsUpdated(_)
            | DomainEvent::PaymentRequested(_)
            | DomainEvent::PaymentCompleted(_)
            | DomainEvent::PaymentFailed(_)
            | DomainEvent::PaymentRefundRequested(_) => Ok(()),
        }
    }

    fn cancelled(&mut self, state: &SeatingEventState, e: &ReservedSeats) -> anyhow::Result<()> {
        let sold = self.sold.get_mut(&e.reservation_id).context("it was never created")?;
        let mut sum = 0;
        for seat in &e.seat_ids {
            sum += sold.amounts.remove(seat).with_context(|| format!("it does not have {seat}"))?;
        }
        ensure!(sum == e.amount, "what it loses cost {sum}, not {}", e.amount);
        ensure!(sold.currency == e.currency, "it was sold in {}", sold.currency);
        let over = !state.reservations.contains_key(&e.reservation_id.uuid());
        ensure!(
            over == sold.amounts.is_empty(),
            "it has {:?} left, but no more was cancelled than {}",
            sold.amounts,
            e.amount
        );
        Ok(())
    }
}

/// Whether a reservation of the same user's had the seat at this price when its payment failed.
fn was_the_price(state: &SeatingEventState, e: &SeatHeld) -> bool {
    let unanswered = state.failed.values().filter(|failed| failed.outcome.is_none());
    let of_them = unanswered.filter(|failed| failed.user == e.user_id && failed.currency == e.currency);
    let mut seats = of_them.flat_map(|failed| &failed.seats);
    seats.any(|(key, amount)| key == e.seat_id.key() && *amount == e.amount)
}

/// What was paid for late costs what it did when the payment failed.
fn paid_before(state: &SeatingEventState, paid: &str, sold: &Sold) -> anyhow::Result<()> {
    let paid: ReservationId = paid.parse()?;
    let failed = state.failed.get(&paid.uuid()).context("no payment of the one that pays for it failed")?;
    let (sum, before): (u64, u64) =
        (sold.amounts.values().sum(), failed.seats.iter().map(|(_, amount)| amount).sum());
    ensure!(sum == before, "its seats cost {sum}, and {before} was paid");
    ensure!(sold.currency == failed.currency, "it was paid in {}", failed.currency);
    Ok(())
}
