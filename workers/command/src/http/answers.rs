//! The bodies of done commands, as the contract has them: all of the hold or the reservation as it is after the command,
//! with the ids in full, the total, and the chain that the answer belongs to.
#![expect(clippy::struct_field_names, reason = "the fields are the contract's words")]

use axum::Json;
use axum::http::HeaderValue;
use axum::response::{IntoResponse, Response};
use boxoffice_domain::ids::section_of;
use boxoffice_domain::{
    Answer, CorrelationId, HoldId, PricedSeat, ReservationId, SeatId, SeatingEventId, UnixMillis,
};
use boxoffice_runtime::http::{CORRELATION_ID, Problem};
use boxoffice_runtime::openapi::schemas;
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::StoreError;

/// A done command.
#[derive(Debug, Serialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "the bodies say it")]
pub enum AnswerBody {
    Held(Held),
    Reserved(Reserved),
    Released(Released),
}

/// Declares a body: what every answer has, and what this one has besides.
macro_rules! bodies {
    ($($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)+ })+) => {$(
        $(#[$meta])*
        #[derive(Debug, Serialize, ToSchema)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// Always true; what is not done is answered with a problem.
            success: bool,
            /// The chain that it belongs to: the request's, or that of the earlier request which one without a chain repeats.
            #[schema(value_type = schemas::CorrelationId)]
            correlation_id: CorrelationId,
            /// The seat in the address, where there is one.
            #[serde(skip_serializing_if = "Option::is_none")]
            #[schema(value_type = schemas::SeatId, required = false)]
            seat_id: Option<SeatId>,
            $($(#[$field_meta])* $field: $type,)+
            /// Of all prices.
            #[schema(example = "EUR")]
            currency: String,
            /// Sum of the prices of `seats`, in the currency's minor unit.
            total: u64,
            /// The sequence that a reader waits for to see this: `?after=` of the query worker.
            sequence: u64,
        }
    )+};
}

bodies! {
    /// A hold: all of it.
    Held {
        /// The hold.
        #[schema(value_type = schemas::HoldId)]
        hold_id: HoldId,
        /// Its seats, with the prices that they are held at.
        seats: Vec<Seat>,
        /// First moment at which it no longer holds, in milliseconds since 1970.
        expires_at: UnixMillis,
        /// Whether all of its seats are neighbours.
        together: bool,
    }
    /// A reservation: all of it.
    Reserved {
        /// The reservation.
        #[schema(value_type = schemas::ReservationId)]
        reservation_id: ReservationId,
        /// Its seats, with the prices that they were held at.
        seats: Vec<Seat>,
        /// When it was made, in milliseconds since 1970.
        reserved_at: UnixMillis,
    }
    /// Seats are given back, and this is left.
    Released {
        /// The seats that are available again, or blocked again where staff held blocked ones.
        #[schema(value_type = Vec<schemas::SeatId>)]
        released: Vec<SeatId>,
        /// The seats that the hold or the reservation still has.
        seats: Vec<Seat>,
        /// First moment at which what is left of a hold no longer holds, in milliseconds since 1970; of nothing and of a
        /// reservation there is none.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(value_type = u64, required = false)]
        expires_at: Option<UnixMillis>,
    }
}

/// A hold, or what became of it: a hold that was made before under the same Idempotency-Key may be reserved by now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[expect(missing_docs, reason = "the bodies say it")]
pub enum HeldOrReserved {
    Held(Held),
    Reserved(Reserved),
}

/// A seat of a hold or a reservation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClaimedSeat)]
#[serde(rename_all = "camelCase")]
pub struct Seat {
    /// The seat.
    #[schema(value_type = schemas::SeatId)]
    seat_id: SeatId,
    /// Its section.
    section_id: String,
    /// The price category that its section has now.
    price_category: String,
    /// The price that it was held at, in the currency's minor unit.
    price: u64,
}

impl IntoResponse for AnswerBody {
    /// The chain stands in the body and in the header.
    fn into_response(self) -> Response {
        let (Self::Held(Held { correlation_id, .. })
        | Self::Reserved(Reserved { correlation_id, .. })
        | Self::Released(Released { correlation_id, .. })) = &self;
        let header = HeaderValue::from_str(correlation_id.as_str());
        let mut response = Json(self).into_response();
        if let Ok(header) = header {
            response.headers_mut().insert(CORRELATION_ID, header);
        }
        response
    }
}

impl AnswerBody {
    /// About a hold or a reservation of `event`; `seat_id` is the seat in the address.
    ///
    /// # Errors
    /// An answer about something else.
    pub fn new(
        event: &SeatingEventId,
        seat_id: Option<SeatId>,
        answer: Answer,
        correlation_id: CorrelationId,
    ) -> Result<Self, Problem> {
        let success = true;
        Ok(match answer {
            Answer::Held { hold, seats, currency, expires_at, together, sequence } => {
                let (hold_id, total, seats) =
                    (HoldId::new(event.clone(), hold), total(&seats), named(event, seats));
                Self::Held(Held {
                    success,
                    correlation_id,
                    seat_id,
                    hold_id,
                    seats,
                    expires_at,
                    together,
                    currency,
                    total,
                    sequence,
                })
            }
            Answer::Reserved { reservation, seats, currency, reserved_at, sequence } => {
                let reservation_id = ReservationId::new(event.clone(), reservation);
                let (total, seats) = (total(&seats), named(event, seats));
                Self::Reserved(Reserved {
                    success,
                    correlation_id,
                    seat_id,
                    reservation_id,
                    seats,
                    reserved_at,
                    currency,
                    total,
                    sequence,
                })
            }
            Answer::Released { released, left, currency, expires_at, sequence } => {
                let released = released.iter().map(|key| SeatId::from_chart(event, key)).collect();
                let (total, seats) = (total(&left), named(event, left));
                Self::Released(Released {
                    success,
                    correlation_id,
                    seat_id,
                    released,
                    seats,
                    expires_at,
                    currency,
                    total,
                    sequence,
                })
            }
            Answer::Reinstatement { .. } | Answer::Provisioned { .. } => {
                let unexpected = "a buyer's command was answered as one of the platform's own is";
                return Err(StoreError::Corrupt(unexpected.to_owned()).into());
            }
        })
    }
}

fn named(event: &SeatingEventId, seats: Vec<PricedSeat>) -> Vec<Seat> {
    let named = |PricedSeat { key, amount, price_category }| Seat {
        seat_id: SeatId::from_chart(event, &key),
        section_id: section_of(&key).to_owned(),
        price_category,
        price: amount,
    };
    seats.into_iter().map(named).collect()
}

fn total(seats: &[PricedSeat]) -> u64 {
    seats.iter().fold(0, |sum, seat| sum.saturating_add(seat.amount))
}
