//! Every error of a chart. [`Chart::expand`] ends at the first; here what it stumbled over is put out of its way, and it
//! is asked again. Pure.

use boxoffice_domain::definition::Rows;
use boxoffice_domain::ids::section_of;
use boxoffice_domain::{Chart, ChartError, Definition};

/// All that keeps the definition from being a chart.
pub(super) fn errors(definition: &Definition) -> Vec<ChartError> {
    let mut rest = definition.clone();
    let mut errors = Vec::new();
    while let Err(error) = Chart::expand(&rest) {
        let is_gone = put_aside(&mut rest, &error) && !errors.contains(&error);
        errors.push(error);
        if !is_gone {
            break;
        }
    }
    errors.dedup();
    errors
}

/// Replaces what the error is about by something harmless, so that everything else keeps its place in the lists. Returns
/// whether it could.
fn put_aside(definition: &mut Definition, error: &ChartError) -> bool {
    let Definition { sections, blocked, price_categories, .. } = definition;
    if let ChartError::UnknownBlocked { index, key } = error {
        return blocked.get_mut(*index).map(|group| group.seats.retain(|seat| seat != key)).is_some();
    }
    let field = error.field();
    let mut digits = field.split(|letter: char| !letter.is_ascii_digit());
    let mut index = || digits.by_ref().find_map(|digits| digits.parse::<usize>().ok());
    let Some(section) = index().and_then(|index| sections.get_mut(index)) else { return false };
    // Which seats the section would have, nobody knows now: none of them is missing.
    for group in blocked {
        group.seats.retain(|seat| section_of(seat) != section.id);
    }
    if let Some((index, rows)) = index().and_then(|index| Some((index, section.rows.get_mut(index)?))) {
        // A row that nobody has called so: 32 letters.
        *rows = Rows { row: Some(format!("{index:_>32}")), rows: None, seats: "1".to_owned() };
    } else {
        section.price_category = price_categories.first().map(|price| price.name.clone()).unwrap_or_default();
        section.rows.clear();
        section.capacity = Some(1);
    }
    true
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn errors_of(sections: &Value, blocked: &Value) -> Vec<(String, String)> {
        let definition = json!({
            "title": "Arena Night", "startsAt": 1, "sections": sections, "blocked": blocked,
            "priceCategories": [{"name": "gold", "amount": 1, "currency": "EUR"}],
        });
        let errors = errors(&serde_json::from_value(definition).unwrap());
        errors.iter().map(|error| (error.field(), error.problem())).collect()
    }

    fn fields_of(sections: &Value, blocked: &Value) -> Vec<String> {
        errors_of(sections, blocked).into_iter().map(|(field, _)| field).collect()
    }

    #[test]
    fn every_error_is_found_and_keeps_its_place() {
        let sections = json!([
            {"id": "A", "priceCategory": "gold", "rows": [
                {"row": "1", "seats": "9-"}, {"rows": "1-3", "seats": "1-4"}, {"row": "3", "seats": "4-9"}, {"row": "3", "seats": "1"},
            ]},
            {"id": "B", "priceCategory": "silver", "rows": [{"row": "1", "seats": "1-4"}]},
            {"id": "C", "priceCategory": "gold", "rows": [{"rows": "1-x", "seats": "1"}]},
        ]);
        assert_eq!(
            fields_of(&sections, &json!([])),
            [
                "sections[0].rows[0].seats",
                "sections[1].priceCategory",
                "sections[2].rows[0].rows",
                "sections[0].rows[2]",
                "sections[0].rows[3]",
            ]
        );
    }

    #[test]
    fn every_blocked_seat_that_there_is_not_is_named() {
        let sections = json!([{"id": "A", "priceCategory": "gold", "rows": [{"row": "1", "seats": "1-4"}]}]);
        let blocked = json!([
            {"seats": ["A-1-1", "A-1-9"], "reason": "camera"}, {"seats": ["A-2-1", "A-2-2"], "reason": "camera"},
        ]);
        let found = errors_of(&sections, &blocked);
        let expected = ["there is no seat A-1-9", "there is no seat A-2-1", "there is no seat A-2-2"];
        assert_eq!(found.iter().map(|(_, message)| message.as_str()).collect::<Vec<_>>(), expected);
        assert_eq!(found[2].0, "blocked[1]");
    }

    #[test]
    fn no_seat_of_a_broken_section_is_said_to_be_missing() {
        let sections = json!([{"id": "A", "priceCategory": "gold", "rows": [{"row": "1", "seats": "4-"}]}]);
        let blocked = json!([{"seats": ["A-1-1", "B-1-1"], "reason": "camera"}]);
        assert_eq!(fields_of(&sections, &blocked), ["sections[0].rows[0].seats", "blocked[0]"]);
    }

    #[test]
    fn a_chart_with_too_many_seats_or_none_has_that_one_error() {
        let many =
            json!([{"id": "A", "priceCategory": "gold", "rows": [{"rows": "1-9999", "seats": "1-9999"}]}]);
        assert_eq!(fields_of(&many, &json!([])), ["sections"]);
        assert_eq!(fields_of(&json!([]), &json!([])), ["sections"]);
    }
}
