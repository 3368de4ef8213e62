//! The rules of `SeatingEvent`, offline: each with what it accepts and what it refuses.

use boxoffice_crds::SeatingEvent;
use boxoffice_crds::seating_event::GapPolicy;
use serde_json::{Value, json};

use crate::support::{accepted, complete, on_create, on_update, refused, with, without};

fn event() -> Value {
    complete::<SeatingEvent>()
}

fn create(document: Value) -> String {
    on_create::<SeatingEvent>(document)
}

#[test]
fn accepts_the_complete_document() {
    accepted(&create(event()));
}

#[test]
fn a_name_has_no_dots_and_at_most_63_characters() {
    accepted(&create(with(event(), "/metadata/name", "a")));
    accepted(&create(with(event(), "/metadata/name", &"a".repeat(63))));
    refused(&create(with(event(), "/metadata/name", "arena.night")), "metadata.name must be a DNS label");
    refused(&create(with(event(), "/metadata/name", &"a".repeat(64))), "metadata.name must be a DNS label");
}

#[test]
fn the_service_cannot_be_changed() {
    accepted(&on_update::<SeatingEvent>(event(), with(event(), "/spec/title", "Another title")));
    let moved = with(event(), "/spec/serviceRef/name", "other");
    refused(&on_update::<SeatingEvent>(event(), moved), "spec.serviceRef: serviceRef is immutable");
}

#[test]
fn sales_may_go_on_at_the_door() {
    accepted(&create(with(event(), "/spec/sales/closesAt", "2027-03-01T22:00:00Z")));
    accepted(&create(without(event(), "/spec/sales")));
}

#[test]
fn buyers_cancel_until_whenever_the_show_says() {
    for moment in ["2026-01-01T00:00:00Z", "2027-03-09T00:00:00Z"] {
        accepted(&create(with(event(), "/spec/sales/cancelUntil", moment)));
    }
    accepted(&create(without(event(), "/spec/sales/cancelUntil")));
}

#[test]
fn sales_open_before_they_close() {
    accepted(&create(with(event(), "/spec/sales/opensAt", "2027-03-01T18:59:59Z")));
    refused(
        &create(with(event(), "/spec/sales/opensAt", "2027-03-01T19:00:00Z")),
        "sales.opensAt must be before",
    );
}

#[test]
fn sales_that_never_close_open_before_the_show() {
    let until_start = without(event(), "/spec/sales/closesAt");
    accepted(&create(with(until_start.clone(), "/spec/sales/opensAt", "2027-03-01T19:59:59Z")));
    refused(
        &create(with(until_start, "/spec/sales/opensAt", "2027-03-01T20:00:00Z")),
        "sales.opensAt must be before",
    );
}

#[test]
fn moments_are_compared_across_time_zones() {
    accepted(&create(with(event(), "/spec/sales/opensAt", "2027-03-01T19:30:00+01:00")));
    refused(
        &create(with(event(), "/spec/sales/opensAt", "2027-03-01T18:30:00-01:00")),
        "sales.opensAt must be before",
    );
}

#[test]
fn a_hold_lasts_no_longer_than_its_maximum() {
    accepted(&create(with(event(), "/spec/hold/ttlSeconds", "900")));
    accepted(&create(without(event(), "/spec/hold")));
    refused(&create(with(event(), "/spec/hold/ttlSeconds", "901")), "hold.ttlSeconds must not be more");
    refused(&create(with(event(), "/spec/hold", "{ttlSeconds: 1000}")), "hold.ttlSeconds must not be more");
}

#[test]
fn all_prices_are_in_one_currency() {
    let one = "[{name: gold, amount: 0, currency: CHF}, {name: silver, amount: 1, currency: CHF}]";
    accepted(&create(with(event(), "/spec/priceCategories", one)));
    refused(&create(with(event(), "/spec/priceCategories/1/currency", "CHF")), "sold in one currency");
}

#[test]
fn the_currency_never_changes() {
    let prices = |currency: &str| {
        let price = |name: &str| format!("{{name: {name}, amount: 7, currency: {currency}}}");
        with(event(), "/spec/priceCategories", &format!("[{}, {}]", price("gold"), price("silver")))
    };
    accepted(&on_update::<SeatingEvent>(event(), prices("EUR")));
    refused(
        &on_update::<SeatingEvent>(event(), prices("CHF")),
        "the currency of a SeatingEvent never changes",
    );
    accepted(&create(prices("CHF")));
}

#[test]
fn a_section_is_called_what_people_call_it() {
    accepted(&create(with(event(), "/spec/sections/0/title", "Loge Süd, 1. Rang")));
    accepted(&create(without(event(), "/spec/sections/0/title")));
}

#[test]
fn a_currency_is_three_capital_letters() {
    let price = |currency: &str| {
        format!(
            "[{{name: gold, amount: 1, currency: {currency}}}, {{name: silver, amount: 1, currency: {currency}}}]"
        )
    };
    accepted(&create(with(event(), "/spec/priceCategories", &price("USD"))));
    refused(
        &create(with(event(), "/spec/priceCategories", &price("usd"))),
        "currency must be an ISO 4217 code",
    );
}

#[test]
fn a_section_names_a_price_category_that_exists() {
    accepted(&create(with(event(), "/spec/sections/0/priceCategory", "silver")));
    refused(&create(with(event(), "/spec/sections/0/priceCategory", "bronze")), "must be the name of one of");
}

#[test]
fn a_section_id_has_letters_digits_and_underscores() {
    accepted(&create(with(event(), "/spec/sections/0/id", "BLOCK_12a")));
    for id in ["A-1", "A.1", "\"A 1\"", "Ä"] {
        refused(&create(with(event(), "/spec/sections/0/id", id)), "a section's id may have only");
    }
}

#[test]
fn a_section_has_rows_or_a_capacity() {
    let section = |fields: &str| create(with(event(), "/spec/sections/0", fields));
    accepted(&section("{id: A, priceCategory: gold, capacity: 1}"));
    accepted(&section("{id: A, priceCategory: gold, rows: [{row: A, seats: '1'}]}"));
    refused(&section("{id: A, priceCategory: gold}"), "give exactly one");
    refused(
        &section("{id: A, priceCategory: gold, capacity: 1, rows: [{row: A, seats: '1'}]}"),
        "give exactly one",
    );
}

#[test]
fn an_entry_of_rows_is_one_row_or_a_range_of_rows() {
    let rows = |fields: &str| create(with(event(), "/spec/sections/0/rows/0", fields));
    accepted(&rows("{row: AA, seats: '1-4'}"));
    accepted(&rows("{rows: '1-4', seats: '1-4'}"));
    refused(&rows("{seats: '1-4'}"), "give exactly one of row");
    refused(&rows("{row: '1', rows: '1-4', seats: '1-4'}"), "give exactly one of row");
}

#[test]
fn a_row_has_letters_digits_and_underscores() {
    accepted(&create(with(event(), "/spec/sections/0/rows/0/row", "AA_1")));
    refused(&create(with(event(), "/spec/sections/0/rows/0/row", "1-4")), "a row may have only");
}

#[test]
fn rows_and_seats_are_ranges() {
    for field in ["/spec/sections/0/rows/1/rows", "/spec/sections/0/rows/1/seats"] {
        for range in ["1-40", "1-39/2", "'7'", "'1-6,9-14,W1'", "'1-6, 9-14'", "AA"] {
            accepted(&create(with(event(), field, range)));
        }
        for range in ["1-", "-4", "1-4/", "1..4", "A-C", "'1-4,'", "'1 - 4'", "1.4"] {
            refused(
                &create(with(event(), field, &format!("'{}'", range.trim_matches('\'')))),
                "are ranges such as",
            );
        }
    }
}

#[test]
fn an_aisle_stands_between_seats_and_not_between_rows() {
    for seats in ["1-14 | 15-30", "1-14|15-30", "'39-1/2,2-40/2 | X'", "01-03"] {
        accepted(&create(with(event(), "/spec/sections/0/rows/1/seats", seats)));
    }
    refused(&create(with(event(), "/spec/sections/0/rows/1/seats", "'1-4 |'")), "seats are ranges such as");
    refused(&create(with(event(), "/spec/sections/0/rows/1/rows", "1-4 | 5")), "rows are ranges such as");
}

#[test]
fn a_range_pattern_fits_the_budget_of_the_api_server() {
    // The server estimates a rule's cost before it sees a document, and refuses a kind with a rule above 10,000,000: a
    // tenth of the text's longest size in bytes (4 a character) times a quarter of the pattern, for every row there may be.
    let (sections, rows, longest_text) = (400, 64, 64 * 4);
    let manifest = boxoffice_crds::manifests().unwrap().into_iter().nth(1).unwrap();
    let definition: Value = serde_yaml_ng::from_str(&manifest.yaml).unwrap();
    let row = definition
        .pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/sections/items/properties/rows/items")
        .unwrap();
    for field in ["rows", "seats"] {
        let rule = row["properties"][field]["x-kubernetes-validations"][0]["rule"].as_str().unwrap();
        let pattern = rule.split('\'').nth(1).unwrap().replace("\\\\", "\\");
        let cost = (longest_text / 10 + 1) * pattern.len().div_ceil(4) + 3;
        assert!(cost * sections * rows < 10_000_000, "{field}: {cost} for each row: {pattern}");
    }
}

#[test]
fn blocked_seats_are_named_without_the_seating_event() {
    accepted(&create(with(event(), "/spec/blocked/0/seats", "[A-1-1, FLOOR-17]")));
    for seat in ["A", "A-", "A-1-1-1", "arena-night.A-1-1", "A-1-*"] {
        refused(
            &create(with(event(), "/spec/blocked/0/seats/0", &format!("'{seat}'"))),
            "blocked seats are written",
        );
    }
}

#[test]
fn a_bare_y_that_kubectl_took_for_true_is_a_y() {
    accepted(&create(with(event(), "/spec/focalPoint", "{x: 1, 'true': 2}")));
    accepted(&create(with(event(), "/spec/sections/0/layout", "{x: 1, 'true': 2, angle: 90}")));
}

#[test]
fn a_bare_off_that_kubectl_took_for_false_is_off() {
    let read = |value: &str| {
        let document = with(event(), "/spec/hold/noSingleSeatGaps", value);
        serde_json::from_value::<SeatingEvent>(document).map(|event| event.spec.hold.no_single_seat_gaps).ok()
    };
    assert_eq!(read("false"), Some(GapPolicy::Off));
    assert_eq!(read("'off'"), Some(GapPolicy::Off));
    assert_eq!(read("true"), None);
}

#[test]
fn a_stadium_of_80_000_seats_is_a_small_object() {
    let sections: Vec<Value> = (1..=200)
        .map(|n| json!({ "id": format!("S{n}"), "priceCategory": "gold", "rows": [{ "rows": "1-40", "seats": "1-10" }] }))
        .collect();
    let stadium = with(without(event(), "/spec/blocked"), "/spec/sections", &json!(sections).to_string());
    assert!(stadium.to_string().len() < 32_768);
    accepted(&create(stadium));
}
