//! The documents of the worker's two APIs, made from their routes: what they are about, and which codes which route can
//! answer. `openapi.json` and `admin-openapi.json` of this crate are held to them.

pub mod examples;

use boxoffice_runtime::http::{Code, code};
use boxoffice_runtime::openapi::{about, complete};
use boxoffice_runtime::refusals;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};

/// Tag: routes of one seat.
pub const SEATS: &str = "Seats";
/// Tag: routes of several seats together.
pub const HOLDS: &str = "Holds";
/// Tag: what becomes of them.
pub const RESERVATIONS: &str = "Reservations";
/// Tag: what box-office staff do for buyers.
pub const STAFF: &str = "Staff";
/// Tag: the operator's routes.
pub const OPERATOR: &str = "SeatingEvents";
/// Tag: what is or will be published.
pub const LOG: &str = "Log";

/// What everybody can be told.
const ANYBODY: [Code; 5] =
    [code::INVALID_REQUEST, code::UNAUTHENTICATED, code::INTERNAL, code::RECOVERING, code::UNAVAILABLE];
/// What buyers can be told besides.
const BUYERS: [Code; 2] = [code::EVENT_NOT_FOUND, code::RATE_LIMITED];
/// Where the answer waits for the log under an idempotency key.
const AWAITED: [Code; 2] = [code::IDEMPOTENCY_IN_FLIGHT, code::IDEMPOTENCY_MISMATCH];
/// Where seats are claimed.
const CLAIMS: [Code; 7] = [
    code::SEAT_NOT_FOUND,
    code::SEAT_NOT_AVAILABLE,
    code::LIMIT_EXCEEDED,
    code::SALES_NOT_OPEN,
    code::SALES_PAUSED,
    code::SALES_CLOSED,
    code::OUTBOX_FULL,
];
/// Where a seat of one's own is needed.
const OWN_SEAT: [Code; 4] = [code::NOT_HOLDER, code::SEAT_NOT_FOUND, code::SEAT_NOT_HELD, code::HOLD_EXPIRED];
/// Where a live hold of one's own is needed.
const OWN_HOLD: [Code; 3] = [code::NOT_HOLDER, code::HOLD_NOT_FOUND, code::HOLD_EXPIRED];

/// Of what staff reserve or release.
const ANY_HOLD: [Code; 3] = [code::EVENT_NOT_FOUND, code::HOLD_NOT_FOUND, code::HOLD_EXPIRED];
/// Where sales that are closed for good stand in the way.
const CLOSING: [Code; 1] = [code::SALES_CLOSED];

refusals! {
    /// Of holding a seat.
    OfHolding = [ANYBODY, BUYERS, CLAIMS, AWAITED];
    /// Of holding seats that may be chosen.
    OfChoosing = [ANYBODY, BUYERS, CLAIMS, AWAITED, [code::NOT_ENOUGH_SEATS]];
    /// Of reserving a seat.
    OfReservingSeat = [ANYBODY, BUYERS, OWN_SEAT, CLOSING, AWAITED];
    /// Of releasing a seat.
    OfReleasingSeat =
        [ANYBODY, BUYERS, OWN_SEAT, [code::CANCELLATION_CLOSED], [code::IDEMPOTENCY_MISMATCH]];
    /// Of adding seats to a hold.
    OfAdding = [ANYBODY, BUYERS, OWN_HOLD, CLAIMS, AWAITED, [code::NOT_ENOUGH_SEATS]];
    /// Of looking at a hold, or releasing it.
    OfHold = [ANYBODY, BUYERS, OWN_HOLD];
    /// Of reserving or extending a hold.
    OfKeepingHold = [ANYBODY, BUYERS, OWN_HOLD, CLOSING, AWAITED];
    /// Of cancelling a reservation.
    OfCancelling =
        [ANYBODY, BUYERS, [code::NOT_HOLDER, code::RESERVATION_NOT_FOUND, code::CANCELLATION_CLOSED]];
    /// Of staff who hold.
    OfStaffHolding = [
        ANYBODY,
        [code::EVENT_NOT_FOUND, code::SEAT_NOT_FOUND, code::SEAT_NOT_AVAILABLE, code::OUTBOX_FULL],
        CLOSING,
        AWAITED,
    ];
    /// Of staff who sell.
    OfStaffReserving = [ANYBODY, ANY_HOLD, CLOSING, AWAITED];
    /// Of staff who take a hold back.
    OfStaffReleasing = [ANYBODY, ANY_HOLD];
    /// Of staff who cancel a reservation.
    OfStaffCancelling = [ANYBODY, [code::EVENT_NOT_FOUND, code::RESERVATION_NOT_FOUND]];
    /// Of the operator, about all SeatingEvents.
    OfOperator = [ANYBODY];
    /// Of the log.
    OfLog = [[code::INVALID_REQUEST, code::UNAUTHENTICATED, code::UNAVAILABLE]];
    /// Of the operator, about a SeatingEvent.
    OfInventory = [ANYBODY, [code::EVENT_NOT_FOUND]];
    /// Of a snapshot.
    OfSnapshot = [ANYBODY, [code::EVENT_NOT_FOUND, code::SNAPSHOT_NOT_FOUND]];
    /// Of an archive.
    OfArchive = [ANYBODY, [code::EVENT_NOT_FOUND, code::ARCHIVE_NOT_FOUND]];
    /// Of provisioning.
    OfProvisioning = [ANYBODY, [code::DEFINITION_CONFLICT]];
    /// Of a plan.
    OfPlanning = [ANYBODY, [code::EVENT_NOT_FOUND, code::DEFINITION_CONFLICT]];
    /// Of blocking seats.
    OfBlocking = [
        ANYBODY,
        [code::EVENT_NOT_FOUND, code::SEAT_NOT_FOUND, code::DEFINITION_CONFLICT],
        [code::IDEMPOTENCY_MISMATCH],
    ];
    /// Of putting them back.
    OfUnblocking = [ANYBODY, [code::EVENT_NOT_FOUND, code::SEAT_NOT_FOUND]];
}

/// What the document of buyers begins with.
pub fn about_buyers() -> OpenApi {
    let description = "Holds, reserves and releases seats.\n\n\
        Who acts is named by the header x-user-id, which a gateway sets, or by a bearer token, as the service is set up. \
        Several seats are held all or none. Times are Unix milliseconds; prices are in the currency's minor unit. A \
        sequence in an answer is what a reader gives as `?after=` to see the effect.";
    let tags = [
        (SEATS, "One seat, by its id."),
        (HOLDS, "Several seats together: a claim that expires."),
        (RESERVATIONS, "A claim that was confirmed."),
    ];
    about("Box Office commands", description, &tags)
}

/// The document of buyers, of what the router collected.
pub fn for_buyers(collected: OpenApi) -> OpenApi {
    let user =
        ApiKeyValue::with_description("x-user-id", "Set by a gateway; nobody else can reach the worker.");
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("A token of the configured issuer; its `sub` is the user."));
    secured(
        complete(collected),
        vec![
            ("user", SecurityScheme::ApiKey(ApiKey::Header(user))),
            ("token", SecurityScheme::Http(token.build())),
        ],
    )
}

/// What the document of the operator begins with.
pub fn about_operators() -> OpenApi {
    let description = "Provisions SeatingEvents and tells how they are; holds, sells and cancels for buyers at the box \
        office.\n\n\
        It listens on a port of its own and is for the operator, who has the token, and for whoever stands in for it.";
    let tags = [
        (
            STAFF,
            "What the box office does for buyers: outside the sales window, a pause, the limit and the gap rule.",
        ),
        (OPERATOR, "Definitions go in, inventories come out."),
        (LOG, "The domain events that were published, and those that wait for it."),
    ];
    about("Box Office administration", description, &tags)
}

/// The document of the operator, of what the router collected.
pub fn for_operators(collected: OpenApi) -> OpenApi {
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The token in the Secret that the operator makes for each service."));
    secured(complete(collected), vec![("operator", SecurityScheme::Http(token.build()))])
}

/// With the ways to say who one is, any of which will do.
fn secured(mut document: OpenApi, schemes: Vec<(&str, SecurityScheme)>) -> OpenApi {
    let requirement = |(name, _): &(&str, SecurityScheme)| SecurityRequirement::new(*name, [""; 0]);
    document.security = Some(schemes.iter().map(requirement).collect());
    let components = document.components.get_or_insert_default();
    for (name, scheme) in schemes {
        components.add_security_scheme(name, scheme);
    }
    document
}

#[cfg(test)]
mod tests;
