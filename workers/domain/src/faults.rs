//! What keeps a definition from being sold although it can be read. Operator, `boxoffice lint`, `boxoffice local` and the
//! admin API ask here, so that all of them refuse the same, by the same field and with the same words; the resource's own
//! rules (CEL) say as much of it as they can.
//!
//! Asked is only what somebody wants: a definition that was taken stays what it is, whatever is asked of later ones. How many
//! sections, rows and blocks a resource may have is the business of the API server, whose rules have a budget; how many
//! seats they come to is that of the [`Chart`].

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::chart::Chart;
use crate::currency;
use crate::definition::{Blocked, Definition, HoldPolicy, PriceCategory, Sales, Section};
use crate::ids::UnixMillis;

/// The year 3000: times are written with years of four digits, and a later one was meant in another unit.
const LATEST: UnixMillis = 32_503_680_000_000;
/// Longest hold, in seconds: a day.
const LONGEST_HOLD: u64 = 86_400;
/// Most seats that a limit of one user can name.
const HIGHEST_LIMIT: u64 = 10_000;
/// Highest price of a seat: sums of all seats still are whole numbers to every reader of JSON.
const HIGHEST_PRICE: u64 = 1_000_000_000;

/// Most bytes of a definition as JSON. Its event tells it, what it blocks and what it unblocks, and has to fit into a
/// record of the log.
const LONGEST: usize = 300 * 1024;

/// Something wrong with a definition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct Fault {
    /// The field, by its whole path.
    pub field: String,
    /// What is wrong there, and the fix.
    pub problem: String,
}

/// Everything that is wrong beside the chart. `below` is the path to the definition, such as `spec.`, where it is a part of
/// something else.
pub fn faults(definition: &Definition, below: &str) -> Vec<Fault> {
    let Definition {
        title,
        starts_at,
        sales,
        hold,
        focal_point: _,
        limits,
        price_categories,
        sections,
        blocked,
    } = definition;
    let mut looking = Looking { below, found: Vec::new() };
    looking.at_text("title", title, 200);
    looking.at_times(*starts_at, sales);
    looking.at_hold(hold);
    if let Some(seats) = limits.seats_per_user {
        looking.at_number("limits.seatsPerUser", seats.into(), HIGHEST_LIMIT);
    }
    looking.at_prices(price_categories);
    looking.at_sections(sections);
    looking.at_blocks(blocked);
    looking.at_length(definition);
    looking.found
}

/// The chart of a definition that has nothing wrong with it.
///
/// # Errors
/// The first thing that is.
pub fn sound(definition: &Definition, below: &str) -> Result<Chart, Fault> {
    if let Some(fault) = faults(definition, below).into_iter().next() {
        return Err(fault);
    }
    Chart::expand(definition).map_err(|error| Fault {
        field: format!("{below}{}", error.field()),
        problem: error.problem_below(below),
    })
}

struct Looking<'a> {
    below: &'a str,
    found: Vec<Fault>,
}

impl Looking<'_> {
    fn fault(&mut self, field: &str, problem: String) {
        self.found.push(Fault { field: format!("{}{field}", self.below), problem });
    }

    fn at_length(&mut self, definition: &Definition) {
        // Texts and numbers can always be written as JSON.
        let length = serde_json::to_string(definition).map_or(0, |text| text.len());
        if length > LONGEST {
            let problem = format!(
                "the definition has {length} bytes as JSON, of at most {LONGEST}: describe more seats by one range, or block fewer"
            );
            self.fault("sections", problem);
        }
    }

    fn at_text(&mut self, field: &str, text: &str, longest: usize) {
        let length = text.chars().count();
        if !(1..=longest).contains(&length) {
            self.fault(field, format!("has {length} characters: write 1 to {longest}"));
        }
    }

    fn at_number(&mut self, field: &str, number: u64, most: u64) {
        if !(1..=most).contains(&number) {
            self.fault(field, format!("is {number}: write 1 to {most}"));
        }
    }

    fn at_times(&mut self, starts_at: UnixMillis, sales: &Sales) {
        let Sales { opens_at, closes_at, cancel_until, paused: _ } = sales;
        for (field, time) in [
            ("startsAt", Some(starts_at)),
            ("sales.opensAt", *opens_at),
            ("sales.closesAt", *closes_at),
            ("sales.cancelUntil", *cancel_until),
        ] {
            if time.is_some_and(|time| time >= LATEST) {
                self.fault(
                    field,
                    "is behind the year 2999: write an earlier time; as a number it is Unix milliseconds"
                        .to_owned(),
                );
            }
        }
        if opens_at.is_some_and(|opens| opens >= closes_at.unwrap_or(starts_at)) {
            let below = self.below;
            let problem = format!(
                "must be before {below}sales.closesAt ({below}startsAt where that is left out): open earlier, or close later"
            );
            self.fault("sales.opensAt", problem);
        }
    }

    fn at_hold(&mut self, hold: &HoldPolicy) {
        let HoldPolicy { ttl_seconds, max_seconds, no_single_seat_gaps: _ } = hold;
        self.at_number("hold.ttlSeconds", (*ttl_seconds).into(), LONGEST_HOLD);
        self.at_number("hold.maxSeconds", (*max_seconds).into(), LONGEST_HOLD);
        if ttl_seconds > max_seconds {
            let below = self.below;
            let problem =
                format!("must not be more than {below}hold.maxSeconds: raise maxSeconds or lower ttlSeconds");
            self.fault("hold.ttlSeconds", problem);
        }
    }

    fn at_prices(&mut self, categories: &[PriceCategory]) {
        let mut names: HashMap<&str, usize> = HashMap::new();
        for (index, PriceCategory { name, amount, currency }) in categories.iter().enumerate() {
            let entry = format!("priceCategories[{index}]");
            self.at_text(&format!("{entry}.name"), name, 32);
            self.at_name(&format!("{entry}.name"), "priceCategories", name, index, &mut names);
            if *amount > HIGHEST_PRICE {
                let problem =
                    format!("{amount} is too much: write at most {HIGHEST_PRICE} of the minor unit");
                self.fault(&format!("{entry}.amount"), problem);
            }
            let other = categories.first().filter(|first| first.currency != *currency);
            let mixed = || {
                let first = &other?.currency;
                Some(format!(
                    "{currency} beside {first}: a SeatingEvent is sold in one currency: give all of them the same"
                ))
            };
            if let Some(problem) = currency::problem(currency).or_else(mixed) {
                self.fault(&format!("{entry}.currency"), problem);
            }
        }
    }

    fn at_sections(&mut self, sections: &[Section]) {
        let mut ids: HashMap<&str, usize> = HashMap::new();
        for (index, Section { id, title, capacity, .. }) in sections.iter().enumerate() {
            let entry = format!("sections[{index}]");
            self.at_name(&format!("{entry}.id"), "sections", id, index, &mut ids);
            if let Some(title) = title {
                self.at_text(&format!("{entry}.title"), title, 100);
            }
            if *capacity == Some(0) {
                let problem = "0 is too little: write at least 1, or remove the section".to_owned();
                self.fault(&format!("{entry}.capacity"), problem);
            }
        }
    }

    /// Names an entry of a list, which has to be the only one of that name.
    fn at_name<'n>(
        &mut self,
        field: &str,
        list: &str,
        name: &'n str,
        index: usize,
        names: &mut HashMap<&'n str, usize>,
    ) {
        match names.entry(name) {
            Entry::Vacant(place) => _ = place.insert(index),
            Entry::Occupied(earlier) => {
                let earlier = earlier.get();
                let problem = format!("{}{list}[{earlier}] is {name:?} too: choose another", self.below);
                self.fault(field, problem);
            }
        }
    }

    /// Of a seat that is blocked twice, nobody could say which of the two reasons holds.
    fn at_blocks(&mut self, blocked: &[Blocked]) {
        let mut first: HashMap<&str, String> = HashMap::new();
        for (group, Blocked { seats, reason }) in blocked.iter().enumerate() {
            self.at_text(&format!("blocked[{group}].reason"), reason, 100);
            for (index, seat) in seats.iter().enumerate() {
                let field = format!("blocked[{group}].seats[{index}]");
                match first.entry(seat) {
                    Entry::Vacant(place) => _ = place.insert(field),
                    Entry::Occupied(earlier) => {
                        let (below, earlier) = (self.below, earlier.get());
                        let problem = format!("{seat} is blocked in {below}{earlier} already: block it once");
                        self.fault(&field, problem);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn told(changes: &[(&str, Value)], below: &str) -> Vec<String> {
        let mut definition = json!({
            "title": "Arena Night", "startsAt": 4_000_000_000_000_u64,
            "sales": {}, "hold": {}, "limits": {},
            "priceCategories": [
                {"name": "gold", "amount": 0, "currency": "EUR"}, {"name": "silver", "amount": 1, "currency": "EUR"},
            ],
            "sections": [
                {"id": "A", "priceCategory": "gold", "rows": [{"row": "1", "seats": "1-4"}]},
                {"id": "FLOOR", "priceCategory": "silver", "capacity": 2},
            ],
            "blocked": [{"seats": ["A-1-1", "A-1-2"], "reason": "camera"}, {"seats": ["A-1-3"], "reason": "cable"}],
        });
        for (pointer, value) in changes {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            match definition.pointer_mut(parent).unwrap() {
                Value::Array(list) => list[name.parse::<usize>().unwrap()] = value.clone(),
                parent => parent[name] = value.clone(),
            }
        }
        let definition = serde_json::from_value(definition).unwrap();
        faults(&definition, below).iter().map(ToString::to_string).collect()
    }

    fn one(pointer: &str, value: Value) -> String {
        told(&[(pointer, value)], "").join("\n")
    }

    #[test]
    fn a_definition_that_can_be_sold_has_none() {
        assert_eq!(told(&[], ""), [""; 0]);
        let latest = json!({"opensAt": 1, "closesAt": LATEST - 1, "cancelUntil": 0});
        assert_eq!(one("/sales", latest), "", "sales at the door, and nothing is cancelled");
        assert_eq!(one("/hold", json!({"ttlSeconds": 86_400, "maxSeconds": 86_400})), "");
        assert_eq!(one("/priceCategories/0/amount", json!(1_000_000_000)), "");
    }

    #[test]
    fn a_definition_that_no_record_of_the_log_has_room_for_has_one() {
        let blocked = |count: usize| {
            let seats: Vec<_> = (0..count).map(|seat| format!("A-1-{seat}")).collect();
            one("/blocked", json!([{"seats": seats, "reason": "camera"}]))
        };
        assert_eq!(blocked(20_000), "");
        assert!(blocked(40_000).starts_with("sections: the definition has "));
    }

    #[test]
    fn what_a_schema_bounds_is_bounded_with_the_bounds() {
        let long = "x".repeat(201);
        for (pointer, value, expected) in [
            ("/title", json!(""), "title: has 0 characters: write 1 to 200"),
            ("/title", json!(long), "title: has 201 characters: write 1 to 200"),
            ("/hold/ttlSeconds", json!(0), "hold.ttlSeconds: is 0: write 1 to 86400"),
            ("/limits/seatsPerUser", json!(0), "limits.seatsPerUser: is 0: write 1 to 10000"),
            ("/limits/seatsPerUser", json!(10_001), "limits.seatsPerUser: is 10001: write 1 to 10000"),
            ("/sections/0/title", json!(""), "sections[0].title: has 0 characters: write 1 to 100"),
            (
                "/sections/1/capacity",
                json!(0),
                "sections[1].capacity: 0 is too little: write at least 1, or remove the section",
            ),
            (
                "/priceCategories/1/amount",
                json!(u64::MAX),
                "priceCategories[1].amount: 18446744073709551615 is too much: write at most 1000000000 of the minor unit",
            ),
            ("/blocked/0/reason", json!(""), "blocked[0].reason: has 0 characters: write 1 to 100"),
        ] {
            assert_eq!(one(pointer, value), expected);
        }
        assert_eq!(one("/title", json!("é".repeat(200))), "", "letters are counted, not bytes");
    }

    #[test]
    fn times_have_an_order_and_an_end() {
        let order = "sales.opensAt: must be before sales.closesAt (startsAt where that is left out): open earlier, or close later";
        assert_eq!(one("/sales", json!({"opensAt": 5, "closesAt": 5})), order);
        assert_eq!(one("/sales", json!({"opensAt": 4_000_000_000_000_u64})), order);
        let microseconds = one("/startsAt", json!(4_000_000_000_000_000_u64));
        assert_eq!(
            microseconds,
            "startsAt: is behind the year 2999: write an earlier time; as a number it is Unix milliseconds"
        );
    }

    #[test]
    fn a_hold_lasts_no_longer_than_it_may_at_most() {
        assert_eq!(
            told(&[("/hold/ttlSeconds", json!(901))], "spec."),
            [
                "spec.hold.ttlSeconds: must not be more than spec.hold.maxSeconds: raise maxSeconds or lower ttlSeconds"
            ]
        );
    }

    #[test]
    fn prices_are_in_one_currency_that_there_is() {
        assert!(
            one("/priceCategories/1/currency", json!("eur"))
                .starts_with("priceCategories[1].currency: \"eur\" is no")
        );
        assert_eq!(
            one("/priceCategories/1/currency", json!("JPY")),
            "priceCategories[1].currency: JPY beside EUR: a SeatingEvent is sold in one currency: give all of them the same"
        );
    }

    #[test]
    fn names_stand_once() {
        assert_eq!(
            one("/priceCategories/1/name", json!("gold")),
            "priceCategories[1].name: priceCategories[0] is \"gold\" too: choose another"
        );
        assert_eq!(
            told(&[("/sections/1/id", json!("A"))], "spec."),
            ["spec.sections[1].id: spec.sections[0] is \"A\" too: choose another"]
        );
    }

    #[test]
    fn a_seat_that_is_blocked_twice_is_told_with_both_places() {
        assert_eq!(
            told(&[("/blocked/1/seats", json!(["A-1-2", "A-1-4", "A-1-4"]))], "spec."),
            [
                "spec.blocked[1].seats[0]: A-1-2 is blocked in spec.blocked[0].seats[1] already: block it once",
                "spec.blocked[1].seats[2]: A-1-4 is blocked in spec.blocked[1].seats[1] already: block it once",
            ]
        );
    }

    #[test]
    fn all_are_found_at_once_and_a_chart_comes_of_what_has_none() {
        let both = told(&[("/title", json!("")), ("/hold/maxSeconds", json!(0))], "");
        assert_eq!(both.len(), 3, "{both:?}");
        let definition = |seats: &str| {
            let definition = json!({
                "title": "x", "startsAt": 1, "priceCategories": [{"name": "gold", "amount": 1, "currency": "EUR"}],
                "sections": [{"id": "A", "priceCategory": "gold", "rows": [{"row": "1", "seats": seats}]}],
            });
            serde_json::from_value::<Definition>(definition).unwrap()
        };
        assert_eq!(sound(&definition("1-4"), "").map(|chart| chart.len()), Ok(4));
        let fault = sound(&definition("4-"), "spec.").map(|_| ()).unwrap_err();
        assert!(
            fault.to_string().starts_with("spec.sections[0].rows[0].seats: \"4-\" does not go"),
            "{fault}"
        );
    }
}
