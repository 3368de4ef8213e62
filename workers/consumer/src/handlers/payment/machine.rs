//! The life of one payment: what becomes of it by what happens to its reservation, by what the gateway answers and by
//! the time. Pure.
//!
//! A payment is posted with one key, one amount and one body however often it takes, so that it is charged at most
//! once. From the first POST on nobody but the gateway knows whether it was charged, and only a final answer says so:
//! what is cancelled meanwhile is owed until then. Whatever is charged is kept by the buyer or asked back:
//!
//! ```text
//! REQUESTED ─ succeeded ─► PAID ─ cancelled ─► REFUND_REQUESTED      nothing is posted any more: GET until it is final
//!   │  │  └─ declined, refused ─► DECLINED, REFUSED                    ▲
//!   │  └─ cancelled whole: before the first POST ─► CANCELLED; later ──┤ CANCELLED
//!   └─ the deadline passes: payment.failed (timeout) ──────────────────┘ TIMED_OUT ─ succeeded ─► PAID, late
//!                                                                           └─► REINSTATED, or REFUND_REQUESTED
//! ```

use std::time::Duration;

use boxoffice_domain::payment_view::PaymentState;

use boxoffice_domain::events::{self, PaymentFailure, ReservedSeats, VERSION};
use boxoffice_domain::{
    CorrelationId, DomainEvent, Envelope, Metadata, ReservationId, SeatingEventId, UnixMillis, UserId,
};
use boxoffice_runtime::http::client::ANSWER;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::effects::backoff::{growing, jittered};
use crate::effects::{Moment, derived};

/// Least time from the first POST to the deadline: a worker that was away is no reason to cancel.
const GRACE: u64 = 60_000;
/// A gateway that does not know a payment is believed so long after the last POST ended.
const SETTLED: u64 = 60_000;
/// How long the gateway is asked for a final answer after nothing is posted any more.
const GIVE_UP: u64 = 24 * 60 * 60 * 1000;
/// Back-off: doubled from the first to the last.
const FIRST: Duration = Duration::from_secs(1);
const LAST: Duration = Duration::from_mins(1);
/// Longest wait that a gateway can ask for.
const LONGEST: u64 = 60 * 60 * 1000;

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// POST.
    Post,
    /// GET: the gateway has it in hand.
    Poll,
    /// GET, and never POST again.
    Ask {
        /// Since when.
        since: UnixMillis,
    },
    /// Nothing: it is final.
    Done,
    /// Nothing: whether it was charged nobody found out.
    Parked,
}

/// Seats that left the reservation while nobody knew whether they were paid for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owed {
    amount: u64,
    cause: Cause,
}

/// The domain event that something follows from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// Its id.
    pub event_id: Uuid,
    /// Its chain.
    pub correlation_id: CorrelationId,
}

impl From<&Envelope> for Cause {
    fn from(envelope: &Envelope) -> Self {
        Self { event_id: envelope.event_id, correlation_id: envelope.metadata.correlation_id.clone() }
    }
}

/// A payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// What it pays for; its key at the gateway.
    pub reservation_id: ReservationId,
    /// The SeatingEvent.
    pub event_id: SeatingEventId,
    /// Who pays.
    pub user_id: UserId,
    /// What is charged, in the currency's minor unit: fixed with the first POST.
    pub amount: u64,
    /// The currency.
    pub currency: String,
    /// `reservation.created`.
    pub cause: Cause,
    /// Its trace.
    pub traceparent: String,
    /// What it has come to.
    pub state: PaymentState,
    /// What is next.
    pub phase: Phase,
    /// When that is due.
    pub due: Option<UnixMillis>,
    /// When an unpaid reservation is let go, at the earliest.
    pub deadline: UnixMillis,
    /// When it was posted first.
    pub first_post: Option<UnixMillis>,
    /// How often it was posted.
    pub posts: u32,
    /// By when the last POST has ended.
    pub post_ends: UnixMillis,
    /// Answers in a row that were not final.
    pub tries: u32,
    /// How many seats the reservation has.
    pub seats: u64,
    /// What was cancelled while it was open.
    pub owed: Vec<Owed>,
    /// The gateway's name for it.
    pub payment_id: Option<String>,
    /// What was charged.
    pub charged: u64,
    /// What of it was asked back.
    pub refunded: u64,
}

/// What the gateway says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is charged.
    Succeeded {
        /// Under this name.
        payment_id: String,
    },
    /// It will not be charged.
    Declined,
    /// The request itself is no good.
    Refused,
    /// It is in hand.
    Pending,
    /// Nothing that helps: to be asked again.
    Again {
        /// Not before so long.
        after: Option<Duration>,
    },
    /// It knows no such payment.
    NotFound,
}

/// What to ask the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// To charge.
    Post,
    /// What became of it.
    Get,
}

impl Payment {
    /// The payment of a reservation that was created, and what is announced.
    pub fn requested(
        created: &ReservedSeats,
        envelope: &Envelope,
        timeout: Duration,
        at: Moment,
    ) -> (Self, Vec<Envelope>) {
        let timeout = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        let mut payment = Self {
            reservation_id: created.reservation_id.clone(),
            event_id: created.event_id.clone(),
            user_id: created.user_id.clone(),
            amount: created.amount,
            currency: created.currency.clone(),
            cause: envelope.into(),
            traceparent: boxoffice_runtime::record::trace(envelope),
            state: PaymentState::Requested,
            phase: Phase::Post,
            due: Some(at.now),
            deadline: envelope.timestamp.min(at.now).saturating_add(timeout),
            first_post: None,
            posts: 0,
            post_ends: 0,
            tries: 0,
            seats: created.seat_ids.len() as u64,
            owed: vec![],
            payment_id: None,
            charged: 0,
            refunded: 0,
        };
        let asked = announce(DomainEvent::PaymentRequested, payment.told(), &payment.cause, at);
        let mut announced = vec![asked];
        if payment.amount == 0 {
            announced.push(payment.completed(at));
        }
        (payment, announced)
    }

    /// Seats left the reservation.
    pub fn cancelled(&mut self, seats: u64, amount: u64, cause: Cause, at: Moment) -> Vec<Envelope> {
        self.seats = self.seats.saturating_sub(seats);
        match self.phase {
            Phase::Done => self.refund(amount, &cause, at).into_iter().collect(),
            Phase::Post if self.first_post.is_none() => self.uncharged(amount, at),
            Phase::Post | Phase::Poll | Phase::Ask { .. } | Phase::Parked => {
                self.owed.push(Owed { amount, cause });
                if self.seats == 0 && self.state == PaymentState::Requested {
                    self.state = PaymentState::Cancelled;
                    if matches!(self.phase, Phase::Post | Phase::Poll) {
                        self.only_ask(at);
                    }
                }
                vec![]
            }
        }
    }

    /// Seats left before anything was posted: they are not charged.
    fn uncharged(&mut self, amount: u64, at: Moment) -> Vec<Envelope> {
        self.amount = self.amount.saturating_sub(amount);
        if self.seats == 0 {
            self.state = PaymentState::Cancelled;
            self.end();
            return vec![];
        }
        if self.amount == 0 { vec![self.completed(at)] } else { vec![] }
    }

    /// Its seats were given back to the buyer, in a reservation that it covers.
    pub fn reinstated(&mut self, by: &ReservedSeats, cause: &Cause, at: Moment) -> Vec<Envelope> {
        let beyond = (self.charged - self.refunded).saturating_sub(by.amount);
        let refund = self.refund(beyond, cause, at);
        self.seats = by.seat_ids.len() as u64;
        self.state = PaymentState::Reinstated;
        refund.into_iter().collect()
    }

    /// Its seats could not be given back.
    pub fn not_reinstated(&mut self, cause: &Cause, at: Moment) -> Vec<Envelope> {
        self.refund(self.charged - self.refunded, cause, at).into_iter().collect()
    }

    /// It is due: what to ask, and what is announced. Whatever comes of asking, a POST counts from here.
    pub fn begin(&mut self, at: Moment) -> (Option<Ask>, Vec<Envelope>) {
        let announced = self.look_at_the_clock(at);
        let ask = match self.phase {
            Phase::Post => {
                self.first_post.get_or_insert(at.now);
                self.posts += 1;
                self.post_ends = at.now + u64::try_from(ANSWER.as_millis()).unwrap_or_default();
                Some(Ask::Post)
            }
            Phase::Poll | Phase::Ask { .. } => Some(Ask::Get),
            Phase::Done | Phase::Parked => None,
        };
        (ask, announced)
    }

    /// The gateway answered what it was asked.
    pub fn answered(&mut self, asked: Ask, answer: &Answer, at: Moment) -> Vec<Envelope> {
        if asked == Ask::Post {
            self.post_ends = at.now;
        }
        if matches!(self.phase, Phase::Done | Phase::Parked) {
            return vec![];
        }
        match answer {
            Answer::Succeeded { payment_id } => return self.succeeded(payment_id.clone(), at),
            Answer::Declined => return self.not_charged(PaymentFailure::Declined, at),
            // An earlier POST that was not answered may have been heard.
            Answer::Refused if self.posts > 1 => self.only_ask(at),
            Answer::Refused => return self.not_charged(PaymentFailure::Refused, at),
            Answer::Pending => {
                if self.phase == Phase::Post {
                    self.phase = Phase::Poll;
                }
                self.wait(None, at);
            }
            Answer::Again { after } => self.wait(*after, at),
            Answer::NotFound => match self.phase {
                Phase::Ask { .. } if at.now >= self.post_ends.saturating_add(SETTLED) => {
                    return self.not_charged(PaymentFailure::Refused, at);
                }
                Phase::Ask { .. } => {
                    self.wait(None, at);
                    let believed = self.post_ends.saturating_add(SETTLED);
                    self.due = self.due.map(|due| due.min(believed));
                }
                Phase::Post | Phase::Poll => {
                    self.phase = Phase::Post;
                    self.wait(None, at);
                }
                Phase::Done | Phase::Parked => {}
            },
        }
        self.look_at_the_clock(at)
    }

    /// What the time alone changes.
    fn look_at_the_clock(&mut self, at: Moment) -> Vec<Envelope> {
        let mut announced = vec![];
        if matches!(self.phase, Phase::Post | Phase::Poll) && self.ends_at().is_some_and(|end| at.now >= end)
        {
            announced.push(self.failed(PaymentFailure::Timeout, at));
            self.state = PaymentState::TimedOut;
            self.only_ask(at);
        } else if let Phase::Ask { since } = self.phase {
            // Refused in doubt: the reservation is let go at its deadline all the same.
            if self.state == PaymentState::Requested && self.ends_at().is_some_and(|end| at.now >= end) {
                announced.push(self.failed(PaymentFailure::Timeout, at));
                self.state = PaymentState::TimedOut;
            }
            if at.now >= since.saturating_add(GIVE_UP) {
                self.phase = Phase::Parked;
                self.due = None;
            }
        }
        announced
    }

    /// When an unpaid reservation is let go; `None` before the first POST.
    fn ends_at(&self) -> Option<UnixMillis> {
        self.first_post.map(|first| self.deadline.max(first.saturating_add(GRACE)))
    }

    /// From now on nothing is posted.
    fn only_ask(&mut self, at: Moment) {
        self.phase = Phase::Ask { since: at.now };
        self.tries = 0;
        self.due = Some(at.now);
    }

    /// Asks again later: never later than the deadline.
    fn wait(&mut self, after: Option<Duration>, at: Moment) {
        let pause = jittered(growing(FIRST, LAST, self.tries), at.dice);
        self.tries = self.tries.saturating_add(1);
        let pause = pause.max(after.unwrap_or_default());
        let pause = u64::try_from(pause.as_millis()).unwrap_or(LONGEST).min(LONGEST);
        let due = at.now.saturating_add(pause);
        let end = self.ends_at().filter(|end| self.state == PaymentState::Requested && *end > at.now);
        self.due = Some(end.map_or(due, |end| due.min(end)));
    }

    fn end(&mut self) {
        self.phase = Phase::Done;
        self.due = None;
    }

    fn succeeded(&mut self, payment_id: String, at: Moment) -> Vec<Envelope> {
        self.payment_id = Some(payment_id);
        let mut announced = vec![self.completed(at)];
        for Owed { amount, cause } in std::mem::take(&mut self.owed) {
            announced.extend(self.refund(amount, &cause, at));
        }
        announced
    }

    /// It is paid; late where it had failed by time-out.
    fn completed(&mut self, at: Moment) -> Envelope {
        let late = self.state == PaymentState::TimedOut;
        (self.charged, self.state) = (self.amount, PaymentState::Paid);
        self.end();
        let told = events::Payment { late, ..self.told() };
        announce(DomainEvent::PaymentCompleted, told, &self.asked(), at)
    }

    /// It was not charged and will not be.
    fn not_charged(&mut self, failure: PaymentFailure, at: Moment) -> Vec<Envelope> {
        self.owed.clear();
        self.end();
        if self.state != PaymentState::Requested {
            return vec![];
        }
        self.state = match failure {
            PaymentFailure::Declined => PaymentState::Declined,
            PaymentFailure::Refused => PaymentState::Refused,
            PaymentFailure::Timeout => PaymentState::TimedOut,
        };
        vec![self.failed(failure, at)]
    }

    fn failed(&self, reason: PaymentFailure, at: Moment) -> Envelope {
        let told = events::Payment { reason: Some(reason), ..self.told() };
        announce(DomainEvent::PaymentFailed, told, &self.asked(), at)
    }

    /// Asks back so much of what was charged, or what is left of it.
    fn refund(&mut self, amount: u64, cause: &Cause, at: Moment) -> Option<Envelope> {
        let amount = amount.min(self.charged - self.refunded);
        if amount == 0 {
            return None;
        }
        self.refunded += amount;
        self.state = PaymentState::RefundRequested;
        let told = events::Payment { amount, ..self.told() };
        Some(announce(DomainEvent::PaymentRefundRequested, told, cause, at))
    }

    /// `payment.requested`, which what the gateway says follows from.
    fn asked(&self) -> Cause {
        let event_id = derived(self.cause.event_id, "payment.requested");
        Cause { event_id, correlation_id: self.cause.correlation_id.clone() }
    }

    fn told(&self) -> events::Payment {
        events::Payment {
            reservation_id: self.reservation_id.clone(),
            event_id: self.event_id.clone(),
            user_id: self.user_id.clone(),
            amount: self.amount,
            currency: self.currency.clone(),
            payment_id: self.payment_id.clone(),
            reason: None,
            late: false,
        }
    }
}

/// An event whose id follows from its cause: announced again it is the same.
fn announce(
    event: fn(events::Payment) -> DomainEvent,
    told: events::Payment,
    cause: &Cause,
    at: Moment,
) -> Envelope {
    let event = event(told);
    Envelope {
        event_id: derived(cause.event_id, event.event_type()),
        timestamp: at.now,
        version: VERSION,
        metadata: Metadata {
            correlation_id: cause.correlation_id.clone(),
            causation_id: cause.event_id,
            user_id: None,
            sequence: None,
        },
        event,
    }
}

#[cfg(test)]
#[path = "testing.rs"]
pub(super) mod testing;

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
