//! The documents of the worker's two APIs, made from their routes: what they are about, and which codes which route can
//! answer. `openapi.json` and `admin-openapi.json` of this crate are held to them.

pub(crate) mod examples;

use boxoffice_runtime::http::{Code, code};
use boxoffice_runtime::openapi::{about, complete};
use boxoffice_runtime::refusals;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};

/// Tag: SeatingEvents as a whole.
pub(crate) const EVENTS: &str = "Events";
/// Tag: their seats.
pub(crate) const SEAT_MAPS: &str = "Seat maps";

/// Tag: what a user has.
pub(crate) const USERS: &str = "Users";
/// Tag: what came of a request.
pub(crate) const TRACES: &str = "Traces";
/// Tag: what a SeatingEvent sold, for operators.
pub(crate) const SALES: &str = "Sales";
/// Tag: what everybody ordered and paid, for operators.
pub(crate) const ORDERS: &str = "Orders";
/// Tag: what pages have to know.
pub(crate) const PAGES: &str = "Pages";

/// What every reader can be told.
const ANYBODY: [Code; 2] = [code::INVALID_REQUEST, code::UNAVAILABLE];
/// What users and operators can be told besides.
const KNOWN: [Code; 1] = [code::UNAUTHENTICATED];

refusals! {
    /// Of a list.
    OfList = [ANYBODY];
    /// Of a SeatingEvent.
    OfEventRead = [ANYBODY, [code::EVENT_NOT_FOUND]];
    /// Of a map, or of what changed of it.
    OfMap = [ANYBODY, [code::EVENT_NOT_FOUND, code::SEAT_NOT_FOUND, code::SEQUENCE_GONE]];
    /// Of a chart.
    OfChart = [ANYBODY, [code::NOT_FOUND, code::EVENT_NOT_FOUND]];
    /// Of a seat, which is shown to its holder as theirs.
    OfSeatRead = [ANYBODY, [code::UNAUTHENTICATED, code::EVENT_NOT_FOUND, code::SEAT_NOT_FOUND]];
    /// Of what a user has.
    OfUserRead = [ANYBODY, KNOWN, [code::NOT_FOUND]];
    /// Of a reservation.
    OfReservationRead = [ANYBODY, KNOWN, [code::RESERVATION_NOT_FOUND]];
    /// Of a chain.
    OfTrace = [ANYBODY, KNOWN, [code::NOT_FOUND]];
    /// Of the operators' lists.
    OfOperator = [ANYBODY, KNOWN];
    /// Of a SeatingEvent, to operators.
    OfOperatorEvent = [ANYBODY, KNOWN, [code::EVENT_NOT_FOUND]];
    /// Of a chain, to operators.
    OfOperatorTrace = [ANYBODY, KNOWN, [code::NOT_FOUND]];
}

/// What the document begins with.
pub(crate) fn about_readers() -> OpenApi {
    let description = "What is on sale, and which seats are free; what a user has, and what came of a request.\n\n\
        Maps and lists come from memory; what a user has is looked up. Seats that somebody else holds or has are shown as such, never by whom. Times are \
        Unix milliseconds; prices are in the currency's minor unit.";
    let tags = [
        (EVENTS, "SeatingEvents: phases, counts, statistics."),
        (SEAT_MAPS, "Every seat, or one."),
        (USERS, "What a user has: holds, reservations and their payments."),
        (TRACES, "What came of a request: its domain events, by what caused them."),
        (PAGES, "What a page has to know."),
    ];
    about("Box Office queries", description, &tags)
}

/// The document, of what the router collected.
pub(crate) fn for_readers(collected: OpenApi) -> OpenApi {
    let mut document = complete(collected);
    // What nothing is said of asks for nobody, also in one document with routes that do.
    for item in document.paths.paths.values_mut() {
        if let Some(read) = &mut item.get {
            read.security.get_or_insert_default();
        }
    }
    let components = document.components.get_or_insert_default();
    let user =
        ApiKeyValue::with_description("x-user-id", "Set by a gateway; nobody else can reach the worker.");
    components.add_security_scheme("user", SecurityScheme::ApiKey(ApiKey::Header(user)));
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("A token of the configured issuer; its `sub` is the user."));
    components.add_security_scheme("token", SecurityScheme::Http(token.build()));
    document
}

/// What the document of operators begins with.
pub(crate) fn about_operators() -> OpenApi {
    let description = "What was sold and paid, for how much, by whom, and how anything came about.\n\n\
        It listens on a port of its own and is for operators, who have the token. It changes nothing. Times are Unix \
        milliseconds; amounts are in the currency's minor unit.";
    let tags = [
        (SALES, "What a SeatingEvent sold."),
        (ORDERS, "What everybody ordered and paid lately."),
        (TRACES, "What came of a request: its domain events, by what caused them."),
    ];
    about("Box Office figures", description, &tags)
}

/// The document of operators, of what the router collected.
pub(crate) fn for_operators(collected: OpenApi) -> OpenApi {
    let mut document = complete(collected);
    document.security = Some(vec![SecurityRequirement::new("operator", [""; 0])]);
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The token in the Secret that the operator makes for each service."));
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("operator", SecurityScheme::Http(token.build()));
    document
}

#[cfg(test)]
mod tests;
