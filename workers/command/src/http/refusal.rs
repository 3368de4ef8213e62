//! What a caller reads when a command is not done: the contract's status and code for every [`Rejection`] and
//! [`StoreError`].

use axum::http::StatusCode;
use boxoffice_domain::{Conflict, Rejection, SeatId, SeatingEventId};
use boxoffice_runtime::http::{ConflictBody, Moment, Problem, code};

use crate::store::StoreError;

/// What a business refusal about a SeatingEvent says.
pub fn refused(event: &SeatingEventId, rejection: &Rejection) -> Problem {
    use Rejection as R;
    let told = |status, code| Problem::new(status, code, rejection.to_string());
    let named = |conflicts: &[Conflict]| conflicts.iter().map(|conflict| named(event, conflict)).collect();
    match rejection {
        R::EventNotFound => told(StatusCode::NOT_FOUND, code::EVENT_NOT_FOUND),
        R::SeatNotFound(seats) => told(StatusCode::NOT_FOUND, code::SEAT_NOT_FOUND).conflicts(named(seats)),
        R::SectionNotFound { .. } => told(StatusCode::NOT_FOUND, code::SEAT_NOT_FOUND),
        R::HoldNotFound => told(StatusCode::NOT_FOUND, code::HOLD_NOT_FOUND),
        R::ReservationNotFound => told(StatusCode::NOT_FOUND, code::RESERVATION_NOT_FOUND),
        R::NotHolder => told(StatusCode::FORBIDDEN, code::NOT_HOLDER),
        R::SeatNotAvailable(seats) => {
            told(StatusCode::CONFLICT, code::SEAT_NOT_AVAILABLE).conflicts(named(seats))
        }
        R::NotEnoughSeats { .. } => told(StatusCode::CONFLICT, code::NOT_ENOUGH_SEATS),
        R::WrongSection { .. } | R::InvalidDefinition(_) => {
            told(StatusCode::BAD_REQUEST, code::INVALID_REQUEST)
        }
        R::SeatNotHeld => told(StatusCode::CONFLICT, code::SEAT_NOT_HELD),
        R::HoldExpired => told(StatusCode::CONFLICT, code::HOLD_EXPIRED),
        R::LimitExceeded { .. } | R::HoldFull { .. } => told(StatusCode::CONFLICT, code::LIMIT_EXCEEDED),
        R::SalesNotOpen { opens_at } => {
            told(StatusCode::CONFLICT, code::SALES_NOT_OPEN).at(Moment::OpensAt(*opens_at))
        }
        R::SalesPaused => told(StatusCode::CONFLICT, code::SALES_PAUSED),
        R::SalesClosed => told(StatusCode::CONFLICT, code::SALES_CLOSED),
        R::CancellationClosed { cancel_until } => {
            told(StatusCode::CONFLICT, code::CANCELLATION_CLOSED).at(Moment::CancelUntil(*cancel_until))
        }
        R::OtherSeatsHeld => told(StatusCode::UNPROCESSABLE_ENTITY, code::IDEMPOTENCY_MISMATCH),
        R::SeatsClaimed(seats) => {
            told(StatusCode::CONFLICT, code::DEFINITION_CONFLICT).conflicts(named(seats))
        }
        R::CurrencyChanged { .. } => told(StatusCode::CONFLICT, code::DEFINITION_CONFLICT),
    }
}

/// A seat of `event` in the way.
pub fn named(event: &SeatingEventId, Conflict { seat, reason, mine }: &Conflict) -> ConflictBody {
    ConflictBody { seat_id: SeatId::from_chart(event, seat), reason: *reason, mine: *mine }
}

/// The caller learns whether repeating helps; what exactly failed is for the log.
impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let problem = match &error {
            StoreError::Unavailable(_) => Self::unavailable(
                "the seats cannot be reached, and the command may have been done: repeat it",
            ),
            StoreError::Recovering => {
                let detail = "the seats are being recovered from the log: repeat the command in a moment";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, code::RECOVERING, detail)
            }
            StoreError::Unsecured { .. } => {
                Self::unavailable("the command is done, but not as durable as it has to be yet: repeat it")
            }
            StoreError::OutboxFull { .. } => {
                let detail =
                    "too many changes wait to be published: no new holds for now, releasing still works";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, code::OUTBOX_FULL, detail)
            }
            StoreError::KeyReused => {
                let detail =
                    "this Idempotency-Key was used for another request: a new request needs a new key";
                return Self::new(StatusCode::UNPROCESSABLE_ENTITY, code::IDEMPOTENCY_MISMATCH, detail);
            }
            StoreError::Corrupt(_) => {
                let detail =
                    "the seats are not as they should be; the operators can find out by the correlation id";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL, detail)
            }
        };
        problem.because(error.to_string())
    }
}
