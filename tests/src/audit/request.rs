//! What a client asked for, and what it was told.

use anyhow::{Context, bail};
use boxoffice_domain::{CorrelationId, HoldId, ReservationId, SeatId, UnixMillis, UserId};
use serde::Deserialize;
use serde_json::Value;

/// A request about one SeatingEvent. Its chain is its own: no other request has the same correlation id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Who asked.
    pub user: UserId,
    /// The chain.
    pub correlation: CorrelationId,
    /// Its `Idempotency-Key`: whatever a user sends under one key is the same wish, again.
    pub key: Option<String>,
    /// What for.
    pub wish: Wish,
    /// What came back.
    pub answer: Answer,
    /// Just before it was sent, and just after the answer came.
    pub between: (UnixMillis, UnixMillis),
}

/// Moments between which the seat store wrote what it then lost: a power cut under `appendfsync everysec`. What is
/// acknowledged before it is on the log may be gone, if it was under way then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// What was answered before is still there.
    pub from: UnixMillis,
    /// When it ended.
    pub to: UnixMillis,
}

/// What a client can ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Seats, all or none.
    Hold(Vec<SeatId>),
    /// More seats for a hold, all or none.
    Add(HoldId, Vec<SeatId>),
    /// So many of the best seats.
    HoldBest(u32),
    /// Seats and units of a general-admission area, all or none.
    HoldUnits {
        /// The seats.
        seats: Vec<SeatId>,
        /// The area.
        section: String,
        /// How many units of it.
        quantity: u32,
    },
    /// More time for a hold.
    ExtendHold(HoldId),
    /// A held seat for good.
    ReserveSeat(SeatId),
    /// Every seat of a hold for good.
    ReserveHold(HoldId),
    /// A seat to be given back, held or reserved.
    ReleaseSeat(SeatId),
    /// Every seat of a hold to be given back.
    ReleaseHold(HoldId),
    /// Every seat of a reservation to be given back.
    Cancel(ReservationId),
}

impl Wish {
    /// Whether it asks for a hold that is not there yet.
    pub fn makes_a_hold(&self) -> bool {
        matches!(self, Self::Hold(_) | Self::HoldBest(_) | Self::HoldUnits { .. })
    }
}

impl Request {
    /// Whether what it was told may be gone with what the store lost: a hold that is acknowledged when the store has it,
    /// or a release.
    pub fn may_be_lost(&self, losses: &[Loss]) -> bool {
        matches!(self.answer, Answer::Held { .. } | Answer::Released { .. }) && self.was_under_way(losses)
    }

    /// Whether it was under way while the store wrote what it lost.
    pub fn was_under_way(&self, losses: &[Loss]) -> bool {
        let (began, ended) = self.between;
        losses.iter().any(|loss| began <= loss.to && ended >= loss.from)
    }
}

/// What a client can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The seats are held, or held for longer.
    Held {
        /// In which hold.
        hold: HoldId,
        /// The seats.
        seats: Vec<SeatId>,
        /// Until when.
        expires_at: UnixMillis,
        /// As of which domain event.
        sequence: u64,
    },
    /// The seats are reserved.
    Reserved {
        /// In which reservation.
        reservation: ReservationId,
        /// The seats.
        seats: Vec<SeatId>,
        /// Since when.
        reserved_at: UnixMillis,
        /// As of which domain event.
        sequence: u64,
    },
    /// The seats were given back.
    Released {
        /// The seats.
        released: Vec<SeatId>,
        /// What the hold or the reservation still has.
        left: Vec<SeatId>,
        /// As of which domain event.
        sequence: u64,
    },
    /// No, and nothing happened.
    Refused {
        /// The problem's code.
        code: String,
    },
    /// Nothing, or that nobody knows: all of it happened, or nothing.
    Unknown,
}

/// The body of a command that was carried out.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    hold_id: Option<HoldId>,
    reservation_id: Option<ReservationId>,
    seats: Vec<SeatBody>,
    released: Option<Vec<SeatId>>,
    expires_at: Option<UnixMillis>,
    reserved_at: Option<UnixMillis>,
    sequence: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SeatBody {
    seat_id: SeatId,
}

impl Answer {
    /// The answer of the HTTP API with this status and body.
    ///
    /// # Errors
    /// A body that is none of the contract's.
    pub fn read(status: u16, body: &Value) -> anyhow::Result<Self> {
        match status {
            200..300 => Self::done(body).with_context(|| body.to_string()),
            400..500 => {
                let code =
                    body["code"].as_str().with_context(|| format!("a refusal without a code: {body}"))?;
                Ok(Self::Refused { code: code.to_owned() })
            }
            _ => Ok(Self::Unknown),
        }
    }

    fn done(body: &Value) -> anyhow::Result<Self> {
        let Body { hold_id, reservation_id, seats, released, expires_at, reserved_at, sequence } =
            Body::deserialize(body)?;
        let seats = seats.into_iter().map(|seat| seat.seat_id).collect();
        Ok(match (hold_id, reservation_id, released) {
            (Some(hold), None, None) => {
                let expires_at = expires_at.context("no expiresAt")?;
                Self::Held { hold, seats, expires_at, sequence }
            }
            (None, Some(reservation), None) => {
                let reserved_at = reserved_at.context("no reservedAt")?;
                Self::Reserved { reservation, seats, reserved_at, sequence }
            }
            (None, None, Some(released)) => Self::Released { released, left: seats, sequence },
            _ => bail!("neither a hold nor a reservation nor a release"),
        })
    }
}
