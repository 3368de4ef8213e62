//! What a caller reads when a command is not done: the contract's status and code for every [`Rejection`] and
//! [`StoreError`].

use axum::http::StatusCode;
use boxoffice_domain::{Conflict, Rejection, SeatId, SeatingEventId};
use boxoffice_runtime::http::{ConflictBody, Problem, code};

use crate::store::StoreError;

/// What a business refusal about a SeatingEvent says.
pub fn refused(event: &SeatingEventId, rejection: &Rejection) -> Problem {
    use Rejection as R;
    const NONE: &[Conflict] = &[];
    let (status, what, conflicts) = match rejection {
        R::EventNotFound => (StatusCode::NOT_FOUND, code::EVENT_NOT_FOUND, NONE),
        R::SeatNotFound(conflicts) => (StatusCode::NOT_FOUND, code::SEAT_NOT_FOUND, conflicts.as_slice()),
        R::HoldNotFound => (StatusCode::NOT_FOUND, code::HOLD_NOT_FOUND, NONE),
        R::ReservationNotFound => (StatusCode::NOT_FOUND, code::RESERVATION_NOT_FOUND, NONE),
        R::NotHolder => (StatusCode::FORBIDDEN, code::NOT_HOLDER, NONE),
        R::SeatNotAvailable(conflicts) => {
            (StatusCode::CONFLICT, code::SEAT_NOT_AVAILABLE, conflicts.as_slice())
        }
        R::NotEnoughSeats { .. } => (StatusCode::CONFLICT, code::NOT_ENOUGH_SEATS, NONE),
        R::SectionNotFound { .. } => (StatusCode::NOT_FOUND, code::SEAT_NOT_FOUND, NONE),
        R::WrongSection { .. } => (StatusCode::BAD_REQUEST, code::INVALID_REQUEST, NONE),
        R::SeatNotHeld => (StatusCode::CONFLICT, code::SEAT_NOT_HELD, NONE),
        R::HoldExpired => (StatusCode::CONFLICT, code::HOLD_EXPIRED, NONE),
        R::LimitExceeded { .. } => (StatusCode::CONFLICT, code::LIMIT_EXCEEDED, NONE),
        R::SalesNotOpen { .. } => (StatusCode::CONFLICT, code::SALES_NOT_OPEN, NONE),
        R::SalesPaused => (StatusCode::CONFLICT, code::SALES_PAUSED, NONE),
        R::SalesClosed => (StatusCode::CONFLICT, code::SALES_CLOSED, NONE),
        R::CancellationClosed { .. } => (StatusCode::CONFLICT, code::CANCELLATION_CLOSED, NONE),
        R::OtherSeatsHeld => (StatusCode::UNPROCESSABLE_ENTITY, code::IDEMPOTENCY_MISMATCH, NONE),
        R::SeatsClaimed(conflicts) => (StatusCode::CONFLICT, code::DEFINITION_CONFLICT, conflicts.as_slice()),
        R::CurrencyChanged { .. } => (StatusCode::CONFLICT, code::DEFINITION_CONFLICT, NONE),
        R::InvalidDefinition(_) => (StatusCode::BAD_REQUEST, code::INVALID_REQUEST, NONE),
    };
    let named = |conflict: &Conflict| ConflictBody {
        seat_id: SeatId::from_chart(event, &conflict.seat),
        reason: conflict.reason.as_str(),
    };
    Problem::new(status, what, rejection.to_string()).conflicts(conflicts.iter().map(named).collect())
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
