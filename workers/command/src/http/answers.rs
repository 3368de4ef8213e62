//! The bodies of done commands, as the contract has them: an [`Answer`] with the ids in full and the chain it belongs to.
#![expect(clippy::struct_field_names, reason = "the fields are the contract's words")]

use axum::Json;
use axum::http::HeaderValue;
use axum::response::{IntoResponse, Response};
use boxoffice_domain::ids::section_of;
use boxoffice_domain::{
    Answer, CorrelationId, HoldId, PricedSeat, ReservationId, SeatId, SeatingEventId, UnixMillis,
};
use boxoffice_runtime::http::CORRELATION_ID;
use boxoffice_runtime::openapi::schemas;
use serde::Serialize;
use utoipa::ToSchema;

/// A done command: about the seat of a per-seat route, or about every seat concerned.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Done {
    SeatHeld(SeatHeld),
    SeatReserved(SeatReserved),
    SeatReleased(SeatReleased),
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
            $($(#[$field_meta])* $field: $type,)+
            /// The sequence that a reader waits for to see this: `?after=` of the query worker.
            sequence: u64,
        }
    )+};
}

bodies! {
    /// A seat is held.
    SeatHeld {
        /// Its hold.
        #[schema(value_type = schemas::HoldId)]
        hold_id: HoldId,
        /// The seat.
        #[schema(value_type = schemas::SeatId)]
        seat_id: SeatId,
        /// First moment at which it is no longer held, in milliseconds since 1970.
        expires_at: UnixMillis,
    }
    /// A seat is reserved.
    SeatReserved {
        /// Its reservation.
        #[schema(value_type = schemas::ReservationId)]
        reservation_id: ReservationId,
        /// The seat.
        #[schema(value_type = schemas::SeatId)]
        seat_id: SeatId,
        /// When it was reserved, in milliseconds since 1970.
        reserved_at: UnixMillis,
    }
    /// A seat is available again.
    SeatReleased {
        /// The seat.
        #[schema(value_type = schemas::SeatId)]
        seat_id: SeatId,
    }
    /// Seats are held together.
    Held {
        /// The hold.
        #[schema(value_type = schemas::HoldId)]
        hold_id: HoldId,
        /// Its seats, with their prices.
        seats: Vec<Seat>,
        /// First moment at which it no longer holds, in milliseconds since 1970.
        expires_at: UnixMillis,
    }
    /// Seats are reserved together.
    Reserved {
        /// The reservation.
        #[schema(value_type = schemas::ReservationId)]
        reservation_id: ReservationId,
        /// Its seats, with their prices.
        seats: Vec<Seat>,
        /// When they were reserved, in milliseconds since 1970.
        reserved_at: UnixMillis,
    }
    /// Seats are available again.
    Released {
        /// The seats, without prices.
        seats: Vec<Seat>,
    }
}

/// A seat of a hold or a reservation.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Seat {
    /// The seat.
    #[schema(value_type = schemas::SeatId)]
    seat_id: SeatId,
    /// Its section.
    section_id: String,
    /// In the currency's minor unit; absent for a seat that was given back.
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<u64>,
}

impl IntoResponse for Done {
    /// The chain stands in the body and in the header.
    fn into_response(self) -> Response {
        use Done as D;
        let (D::SeatHeld(SeatHeld { correlation_id, .. })
        | D::SeatReserved(SeatReserved { correlation_id, .. })
        | D::SeatReleased(SeatReleased { correlation_id, .. })
        | D::Held(Held { correlation_id, .. })
        | D::Reserved(Reserved { correlation_id, .. })
        | D::Released(Released { correlation_id, .. })) = &self;
        let header = HeaderValue::from_str(correlation_id.as_str());
        let mut response = Json(self).into_response();
        if let Ok(header) = header {
            response.headers_mut().insert(CORRELATION_ID, header);
        }
        response
    }
}

impl Done {
    /// About one seat.
    pub fn with_seat(seat: &SeatId, answer: &Answer, correlation_id: CorrelationId) -> Self {
        let (success, seat_id, sequence) = (true, seat.clone(), answer.sequence());
        match *answer {
            Answer::Held { hold, expires_at, .. } => {
                let hold_id = HoldId::new(seat.event_id(), hold);
                Self::SeatHeld(SeatHeld { success, correlation_id, hold_id, seat_id, expires_at, sequence })
            }
            Answer::Reserved { reservation, reserved_at, .. } => {
                let reservation_id = ReservationId::new(seat.event_id(), reservation);
                Self::SeatReserved(SeatReserved {
                    success,
                    correlation_id,
                    reservation_id,
                    seat_id,
                    reserved_at,
                    sequence,
                })
            }
            Answer::Released { .. } | Answer::Provisioned { .. } => {
                Self::SeatReleased(SeatReleased { success, correlation_id, seat_id, sequence })
            }
        }
    }

    /// About every seat that `answer` names.
    pub fn with_seats(event: &SeatingEventId, answer: &Answer, correlation_id: CorrelationId) -> Self {
        let seat = |key: &str, price| Seat {
            seat_id: SeatId::from_chart(event, key),
            section_id: section_of(key).to_owned(),
            price,
        };
        let priced = |seats: &[PricedSeat]| seats.iter().map(|it| seat(&it.key, Some(it.amount))).collect();
        let (success, sequence) = (true, answer.sequence());
        match answer {
            Answer::Held { hold, seats, expires_at, .. } => {
                let (hold_id, seats, expires_at) =
                    (HoldId::new(event.clone(), *hold), priced(seats), *expires_at);
                Self::Held(Held { success, correlation_id, hold_id, seats, expires_at, sequence })
            }
            Answer::Reserved { reservation, seats, reserved_at, .. } => {
                let reservation_id = ReservationId::new(event.clone(), *reservation);
                let (seats, reserved_at) = (priced(seats), *reserved_at);
                Self::Reserved(Reserved {
                    success,
                    correlation_id,
                    reservation_id,
                    seats,
                    reserved_at,
                    sequence,
                })
            }
            Answer::Released { released, .. } => {
                let seats = released.iter().map(|key| seat(key, None)).collect();
                Self::Released(Released { success, correlation_id, seats, sequence })
            }
            Answer::Provisioned { .. } => {
                Self::Released(Released { success, correlation_id, seats: vec![], sequence })
            }
        }
    }
}
