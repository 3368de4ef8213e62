//! The document of the worker's API, made from its routes: what it is about, and which codes which route can answer.
//! `openapi.json` of this crate is held to it.

use boxoffice_runtime::http::{Code, code};
use boxoffice_runtime::openapi::{about, complete};
use boxoffice_runtime::refusals;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};

/// Tag: SeatingEvents as a whole.
pub(crate) const EVENTS: &str = "Events";
/// Tag: their seats.
pub(crate) const SEAT_MAPS: &str = "Seat maps";

/// Tag: what pages have to know.
pub(crate) const PAGES: &str = "Pages";

/// What every reader can be told.
const ANYBODY: [Code; 2] = [code::INVALID_REQUEST, code::UNAVAILABLE];

refusals! {
    /// Of a list.
    OfList = [ANYBODY];
    /// Of a SeatingEvent.
    OfEventRead = [ANYBODY, [code::EVENT_NOT_FOUND]];
    /// Of a map, or of what changed of it.
    OfMap = [ANYBODY, [code::EVENT_NOT_FOUND, code::SEQUENCE_GONE]];
    /// Of a chart.
    OfChart = [ANYBODY, [code::NOT_FOUND, code::EVENT_NOT_FOUND]];
    /// Of a seat, which is shown to its holder as theirs.
    OfSeatRead = [ANYBODY, [code::UNAUTHENTICATED, code::EVENT_NOT_FOUND, code::SEAT_NOT_FOUND]];
}

/// What the document begins with.
pub(crate) fn about_readers() -> OpenApi {
    let description = "What is on sale, and which seats are free.\n\n\
        Every answer comes from memory. Seats that somebody else holds or has are shown as such, never by whom. Times are \
        Unix milliseconds; prices are in the currency's minor unit.";
    let tags = [
        (EVENTS, "SeatingEvents: phases, counts, statistics."),
        (SEAT_MAPS, "Every seat, or one."),
        (PAGES, "What a page has to know."),
    ];
    about("Box Office queries", description, &tags)
}

/// The document, of what the router collected.
pub(crate) fn for_readers(collected: OpenApi) -> OpenApi {
    let mut document = complete(collected);
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

#[cfg(test)]
mod tests;
