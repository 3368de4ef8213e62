//! The bodies of done commands, as the contract has them: an [`Answer`] with the ids in full and the chain it belongs to.

use boxoffice_domain::ids::section_of;
use boxoffice_domain::{
    Answer, CorrelationId, HoldId, PricedSeat, ReservationId, SeatId, SeatingEventId, UnixMillis,
};
use serde::Serialize;

/// A done command.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Done {
    success: bool,
    correlation_id: CorrelationId,
    #[serde(flatten)]
    effect: Effect,
}

#[derive(Debug, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum Effect {
    Held {
        hold_id: HoldId,
        #[serde(flatten)]
        seats: Seats,
        expires_at: UnixMillis,
        sequence: u64,
    },
    Reserved {
        reservation_id: ReservationId,
        #[serde(flatten)]
        seats: Seats,
        reserved_at: UnixMillis,
        sequence: u64,
    },
    Settled {
        #[serde(flatten)]
        seats: Seats,
        sequence: u64,
    },
}

/// The seat of a per-seat route, or every seat concerned.
#[derive(Debug, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum Seats {
    One { seat_id: SeatId },
    All { seats: Vec<SeatBody> },
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SeatBody {
    seat_id: SeatId,
    section_id: String,
    /// In the currency's minor unit; absent for a seat that was given back.
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<u64>,
}

impl Done {
    /// About one seat.
    pub fn with_seat(seat: &SeatId, answer: &Answer, correlation: CorrelationId) -> Self {
        Self::new(&seat.event_id(), answer, correlation, Seats::One { seat_id: seat.clone() })
    }

    /// About every seat that `answer` names.
    pub fn with_seats(event: &SeatingEventId, answer: &Answer, correlation: CorrelationId) -> Self {
        let body = |key: &str, price| SeatBody {
            seat_id: SeatId::from_chart(event, key),
            section_id: section_of(key).to_owned(),
            price,
        };
        let seats = match answer {
            Answer::Held { seats, .. } | Answer::Reserved { seats, .. } => {
                seats.iter().map(|PricedSeat { key, amount }| body(key, Some(*amount))).collect()
            }
            Answer::Released { seats, .. } => seats.iter().map(|key| body(key, None)).collect(),
            Answer::Provisioned { .. } => vec![],
        };
        Self::new(event, answer, correlation, Seats::All { seats })
    }

    fn new(event: &SeatingEventId, answer: &Answer, correlation_id: CorrelationId, seats: Seats) -> Self {
        let effect = match *answer {
            Answer::Held { hold, expires_at, sequence, .. } => {
                Effect::Held { hold_id: HoldId::new(event.clone(), hold), seats, expires_at, sequence }
            }
            Answer::Reserved { reservation, reserved_at, sequence, .. } => {
                let reservation_id = ReservationId::new(event.clone(), reservation);
                Effect::Reserved { reservation_id, seats, reserved_at, sequence }
            }
            Answer::Released { sequence, .. } | Answer::Provisioned { sequence } => {
                Effect::Settled { seats, sequence }
            }
        };
        Self { success: true, correlation_id, effect }
    }
}
