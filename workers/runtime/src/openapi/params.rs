//! Parameters that routes share: the ids in their paths, and the correlation id.

use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{RefOr, Required, Schema};

use super::schemas;

macro_rules! ids_in_paths {
    ($($type:ident $name:literal $schema:ty, $description:literal, $example:literal;)+) => {$(
        #[doc = concat!("`{", $name, "}`: ", $description)]
        pub struct $type;

        impl IntoParams for $type {
            fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
                let schema = <$schema>::reference();
                vec![parameter($name, ParameterIn::Path, Required::True, schema, $description, $example)]
            }
        }
    )+};
}

ids_in_paths! {
    OfEvent "eventId" schemas::SeatingEventId, "The SeatingEvent.", "arena-night";
    OfSeat "seatId" schemas::SeatId, "The seat, or the general-admission unit.", "arena-night.A-1-1";
    OfHold "holdId" schemas::HoldId, "The hold.", "arena-night.5f0c2a34-9f1e-4c58-8a53-0d7d2e6b9c11";
    OfUser "userId" schemas::UserId, "The user: the one that the request names.", "alice";
    OfChain "correlationId" schemas::CorrelationId, "The chain: what a request named as x-correlation-id.", "order-17";
    OfReservation "reservationId" schemas::ReservationId, "The reservation.",
        "arena-night.8d1f6c0e-2b7a-4e0d-9d55-3c1b7a90e2f4";
}

/// `x-correlation-id`, on every route.
pub(super) fn correlation_id() -> Parameter {
    let description = "The chain that the request belongs to. It travels with everything that follows from the request, \
        and comes back as a header and in the body. Without one a new one is made.";
    let schema = schemas::CorrelationId::reference();
    parameter(
        crate::http::CORRELATION_ID.as_str(),
        ParameterIn::Header,
        Required::False,
        schema,
        description,
        "order-17",
    )
}

/// A parameter with an example, which the documents' tests send.
pub fn parameter(
    name: &str,
    place: ParameterIn,
    required: Required,
    schema: impl Into<RefOr<Schema>>,
    description: &str,
    example: &str,
) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(required)
        .schema(Some(schema.into()))
        .description(Some(description))
        .example(Some(example.into()))
        .build()
}
