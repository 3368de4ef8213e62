//! Whether a show can be sold by a definition. Resources are held to most of this by their kind's schema and rules before
//! anybody sees them; whoever comes by the admin API is held to it here, as is what remains where a part is refused. Pure.

use std::collections::HashSet;

use crate::chart::Chart;
use crate::definition::{Definition, PriceCategory};

/// Highest price of a seat, in the currency's minor unit: a thousand of them can still be added up everywhere.
const HIGHEST_PRICE: u64 = 1_000_000_000;
/// Longest hold, in seconds: a day.
const LONGEST_HOLD: u32 = 86_400;
/// Most bytes of a definition as JSON. Its event tells it, what it blocks and what it unblocks, and has to fit into a
/// record of the log.
const LONGEST: usize = 300 * 1024;

/// The chart of a definition by which a show can be sold.
///
/// # Errors
/// The first field that is wrong, and the fix.
pub fn chart_of(definition: &Definition) -> Result<Chart, String> {
    check_length(definition)?;
    check_prices(&definition.price_categories)?;
    check_sections(definition)?;
    check_times(definition)?;
    Chart::expand(definition).map_err(|error| error.to_string())
}

fn check_length(definition: &Definition) -> Result<(), String> {
    // Texts and numbers can always be written as JSON.
    let length = serde_json::to_string(definition).map_or(0, |text| text.len());
    if length > LONGEST {
        return Err(format!(
            "sections, blocked: {length} bytes as JSON, of at most {LONGEST}: describe more seats by one range, or block fewer"
        ));
    }
    Ok(())
}

/// Each category has a name of its own, and all are in one currency.
fn check_prices(categories: &[PriceCategory]) -> Result<(), String> {
    let mut names = HashSet::new();
    for (index, PriceCategory { name, amount, currency }) in categories.iter().enumerate() {
        let field = format!("priceCategories[{index}]");
        if name.is_empty() || !names.insert(name) {
            return Err(format!("{field}.name: must be one that no other category has, but is {name:?}"));
        }
        if *amount > HIGHEST_PRICE {
            return Err(format!("{field}.amount: must be at most {HIGHEST_PRICE}, but is {amount}"));
        }
        if currency.len() != 3 || !currency.bytes().all(|letter| letter.is_ascii_uppercase()) {
            return Err(format!(
                "{field}.currency: must be three capital letters, such as EUR, but is {currency:?}"
            ));
        }
        if let Some(first) = categories.first().filter(|first| first.currency != *currency) {
            return Err(format!(
                "{field}.currency: is {currency}, and priceCategories[0] is in {}: a show is sold in one currency",
                first.currency
            ));
        }
    }
    Ok(())
}

fn check_sections(definition: &Definition) -> Result<(), String> {
    let mut ids = HashSet::new();
    match definition.sections.iter().position(|section| !ids.insert(&section.id)) {
        Some(index) => Err(format!(
            "sections[{index}].id: {} is another section's already: give each its own, or put the rows into one section",
            definition.sections[index].id
        )),
        None => Ok(()),
    }
}

fn check_times(definition: &Definition) -> Result<(), String> {
    let Definition { sales, hold, limits, .. } = definition;
    if sales.opens_at.is_some_and(|opens| opens >= definition.closes_at()) {
        let fix = "open earlier, or close later";
        return Err(format!(
            "sales.opensAt: must be before sales.closesAt (startsAt where that is left out): {fix}"
        ));
    }
    if !(1..=LONGEST_HOLD).contains(&hold.max_seconds) {
        return Err(format!("hold.maxSeconds: must be 1 to {LONGEST_HOLD}, but is {}", hold.max_seconds));
    }
    if !(1..=hold.max_seconds).contains(&hold.ttl_seconds) {
        let (least_and_most, is) = (format!("1 to hold.maxSeconds ({})", hold.max_seconds), hold.ttl_seconds);
        return Err(format!("hold.ttlSeconds: must be {least_and_most}, but is {is}"));
    }
    if limits.seats_per_user == Some(0) {
        return Err("limits.seatsPerUser: must be at least 1: leave it out for no limit".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn told(change: impl FnOnce(&mut Value)) -> String {
        let mut definition = json!({
            "title": "Arena Night", "startsAt": 1_000,
            "priceCategories": [
                {"name": "gold", "amount": 2, "currency": "EUR"}, {"name": "silver", "amount": 1, "currency": "EUR"}
            ],
            "sections": [
                {"id": "A", "priceCategory": "gold", "rows": [{"row": "1", "seats": "1-4"}]},
                {"id": "B", "priceCategory": "silver", "rows": [{"row": "1", "seats": "1-4"}]}
            ]
        });
        change(&mut definition);
        match chart_of(&serde_json::from_value(definition).unwrap()) {
            Ok(chart) => format!("{} seats", chart.len()),
            Err(problem) => problem,
        }
    }

    #[test]
    fn what_a_show_can_be_sold_by_has_a_chart() {
        assert_eq!(told(|_| ()), "8 seats");
        assert_eq!(told(|it| it["hold"] = json!({"ttlSeconds": 900, "maxSeconds": 900})), "8 seats");
        assert_eq!(told(|it| it["sales"] = json!({"opensAt": 999})), "8 seats");
        assert_eq!(told(|it| it["sales"] = json!({"opensAt": 1_000, "closesAt": 1_001})), "8 seats");
        assert_eq!(told(|it| it["priceCategories"][0]["amount"] = json!(0)), "8 seats");
    }

    #[test]
    fn a_show_is_sold_in_one_currency_at_one_price_a_category() {
        assert_eq!(
            told(|it| it["priceCategories"][1]["currency"] = json!("JPY")),
            "priceCategories[1].currency: is JPY, and priceCategories[0] is in EUR: a show is sold in one currency"
        );
        assert_eq!(
            told(|it| it["priceCategories"][0]["currency"] = json!("eur")),
            "priceCategories[0].currency: must be three capital letters, such as EUR, but is \"eur\""
        );
        assert_eq!(
            told(|it| it["priceCategories"][1]["name"] = json!("gold")),
            "priceCategories[1].name: must be one that no other category has, but is \"gold\""
        );
        assert_eq!(
            told(|it| it["priceCategories"][1]["amount"] = json!(u64::MAX)),
            "priceCategories[1].amount: must be at most 1000000000, but is 18446744073709551615"
        );
        assert!(told(|it| it["sections"][1]["id"] = json!("A")).starts_with("sections[1].id: A is another"));
    }

    #[test]
    fn times_and_limits_leave_something_to_sell() {
        for (field, value, told_of) in [
            ("sales", json!({"opensAt": 1_000}), "sales.opensAt: "),
            ("sales", json!({"opensAt": 500, "closesAt": 500}), "sales.opensAt: "),
            ("hold", json!({"ttlSeconds": 0}), "hold.ttlSeconds: "),
            ("hold", json!({"ttlSeconds": 901}), "hold.ttlSeconds: "),
            ("hold", json!({"ttlSeconds": 1, "maxSeconds": 86_401}), "hold.maxSeconds: "),
            ("limits", json!({"seatsPerUser": 0}), "limits.seatsPerUser: "),
        ] {
            let told = told(|it| it[field] = value);
            assert!(told.starts_with(told_of), "{told}");
        }
    }

    #[test]
    fn a_definition_that_no_record_of_the_log_has_room_for_is_refused() {
        let blocked = |count: usize| {
            told(|it| {
                let seats = vec!["A-1-1"; count];
                it["blocked"] = json!([{"seats": seats, "reason": "camera"}]);
            })
        };
        assert_eq!(blocked(30_000), "8 seats");
        assert!(blocked(40_000).starts_with("sections, blocked: "), "{}", blocked(40_000));
    }
}
