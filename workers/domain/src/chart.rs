//! A [`Definition`]'s ranges expanded into seats, in the order that maps show them.
//!
//! Finds what a schema cannot: the same seat from two ranges, a blocked seat that does not exist.

use std::collections::HashMap;

use crate::definition::{Definition, Rows, Section};
use crate::ids::is_label;

/// Most seats that one SeatingEvent may have.
pub const MAX_SEATS: usize = 200_000;

/// A seat of the chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChartSeat {
    /// What names it within the SeatingEvent: `A-12-7`, or `FLOOR-17` for a general-admission unit.
    pub key: String,
    /// Index into [`Definition::sections`].
    pub section: usize,
    /// Its row; empty for a general-admission unit.
    pub row: String,
    /// Its number within the row or area.
    pub number: String,
}

/// Every seat of a SeatingEvent, in chart order, with an index by key.
#[derive(Debug, Clone, Default)]
pub struct Chart {
    seats: Vec<ChartSeat>,
    index: HashMap<String, usize>,
}

/// Why ranges do not describe a chart. Every message names the field and the fix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChartError {
    /// A range that does not parse.
    #[error("{field}: {range:?} is not a range: write \"7\", \"1-40\" or \"1-39/2\", several with commas")]
    Range {
        /// Where it stands.
        field: String,
        /// The text.
        range: String,
    },
    /// Two ranges that give the same seat.
    #[error("{first} and {second} both describe seat {key}: let the ranges not overlap")]
    Duplicate {
        /// The seat.
        key: String,
        /// The range that gave it first.
        first: String,
        /// The range that gave it again.
        second: String,
    },
    /// A section or rows entry that says too much or too little.
    #[error("{field}: {problem}")]
    Shape {
        /// Where it stands.
        field: String,
        /// What is wrong, and the fix.
        problem: &'static str,
    },
    /// A section whose price category is not declared.
    #[error("{field}: price category {name:?} is not in priceCategories")]
    PriceCategory {
        /// Where it stands.
        field: String,
        /// The name.
        name: String,
    },
    /// A blocked seat that the chart does not have.
    #[error("blocked[{index}]: there is no seat {key}")]
    UnknownBlocked {
        /// Index into `blocked`.
        index: usize,
        /// The key.
        key: String,
    },
    /// More seats than one SeatingEvent may have.
    #[error("sections: more than {MAX_SEATS} seats: split the show into several SeatingEvents")]
    TooMany,
    /// No seats at all.
    #[error("sections: there is no seat: give a section rows or a capacity")]
    Empty,
}

impl Chart {
    /// Expands the ranges of `definition`.
    pub fn expand(definition: &Definition) -> Result<Self, ChartError> {
        let mut builder = Builder::default();
        for (index, section) in definition.sections.iter().enumerate() {
            if definition.price_of(&section.id).is_none() {
                let field = format!("sections[{index}].priceCategory");
                return Err(ChartError::PriceCategory { field, name: section.price_category.clone() });
            }
            builder.section(index, section)?;
        }
        if builder.chart.seats.is_empty() {
            return Err(ChartError::Empty);
        }
        for (index, blocked) in definition.blocked.iter().enumerate() {
            if let Some(key) = blocked.seats.iter().find(|key| !builder.chart.contains(key)) {
                return Err(ChartError::UnknownBlocked { index, key: key.clone() });
            }
        }
        Ok(builder.chart)
    }

    /// The seats, in chart order.
    pub fn seats(&self) -> &[ChartSeat] {
        &self.seats
    }

    /// Whether there is a seat `key`.
    pub fn contains(&self, key: &str) -> bool {
        self.index.contains_key(key)
    }

    /// The place of seat `key` in chart order.
    pub fn position(&self, key: &str) -> Option<usize> {
        self.index.get(key).copied()
    }
}

#[derive(Default)]
struct Builder {
    chart: Chart,
    /// For each seat, the field that described it: two fields make the message of a duplicate.
    origins: Vec<u32>,
    fields: Vec<String>,
}

impl Builder {
    fn section(&mut self, index: usize, section: &Section) -> Result<(), ChartError> {
        let field = format!("sections[{index}]");
        let shape = |problem| ChartError::Shape { field: field.clone(), problem };
        if !is_label(&section.id) {
            return Err(shape("id must be 1 to 32 characters of A-Z, a-z, 0-9 and _"));
        }
        match (section.capacity, section.rows.as_slice()) {
            (Some(_), [_, ..]) => Err(shape("has rows and capacity: give one of them")),
            (None, []) => Err(shape("has neither rows nor capacity: give one of them")),
            (Some(capacity), []) => {
                let origin = self.origin(format!("{field}.capacity"));
                if capacity as usize > MAX_SEATS {
                    return Err(ChartError::TooMany);
                }
                (1..=capacity).try_for_each(|n| {
                    self.push(format!("{}-{n}", section.id), index, String::new(), n.to_string(), origin)
                })
            }
            (None, rows) => rows
                .iter()
                .enumerate()
                .try_for_each(|(at, rows)| self.rows(index, section, rows, &format!("{field}.rows[{at}]"))),
        }
    }

    fn rows(&mut self, index: usize, section: &Section, rows: &Rows, field: &str) -> Result<(), ChartError> {
        let names = match (&rows.row, &rows.rows) {
            (Some(row), None) if is_label(row) => vec![row.clone()],
            (Some(row), None) => {
                return Err(ChartError::Range { field: format!("{field}.row"), range: row.clone() });
            }
            (None, Some(range)) => expand_range(range, &format!("{field}.rows"))?,
            _ => {
                let problem = "give exactly one of row and rows";
                return Err(ChartError::Shape { field: field.to_owned(), problem });
            }
        };
        let numbers = expand_range(&rows.seats, &format!("{field}.seats"))?;
        let origin = self.origin(field.to_owned());
        for row in &names {
            for number in &numbers {
                let key = format!("{}-{row}-{number}", section.id);
                self.push(key, index, row.clone(), number.clone(), origin)?;
            }
        }
        Ok(())
    }

    fn origin(&mut self, field: String) -> u32 {
        self.fields.push(field);
        u32::try_from(self.fields.len() - 1).unwrap_or(u32::MAX)
    }

    fn push(
        &mut self,
        key: String,
        section: usize,
        row: String,
        number: String,
        origin: u32,
    ) -> Result<(), ChartError> {
        let position = self.chart.seats.len();
        if position >= MAX_SEATS {
            return Err(ChartError::TooMany);
        }
        if let Some(&earlier) = self.chart.index.get(&key) {
            let field = |origin: u32| self.fields[origin as usize].clone();
            return Err(ChartError::Duplicate {
                first: field(self.origins[earlier]),
                second: field(origin),
                key,
            });
        }
        self.chart.index.insert(key.clone(), position);
        self.chart.seats.push(ChartSeat { key, section, row, number });
        self.origins.push(origin);
        Ok(())
    }
}

/// Expands `7`, `1-40`, `1-39/2` and comma lists of these; single ones may be any label (`AA`).
fn expand_range(range: &str, field: &str) -> Result<Vec<String>, ChartError> {
    let bad = || ChartError::Range { field: field.to_owned(), range: range.to_owned() };
    let mut names = Vec::new();
    for part in range.split(',') {
        let part = part.trim();
        let Some((first, rest)) = part.split_once('-') else {
            if !is_label(part) {
                return Err(bad());
            }
            names.push(part.to_owned());
            continue;
        };
        let (last, step) = rest.split_once('/').unwrap_or((rest, "1"));
        let number =
            |text: &str| text.parse::<usize>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
        let (first, last, step) =
            (number(first).ok_or_else(bad)?, number(last).ok_or_else(bad)?, number(step).ok_or_else(bad)?);
        if step == 0 || first > last {
            return Err(bad());
        }
        if (last - first) / step >= MAX_SEATS {
            return Err(ChartError::TooMany);
        }
        names.extend((first..=last).step_by(step).map(|n| n.to_string()));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::{HoldPolicy, Limits, PriceCategory, Sales};

    fn definition(sections: Vec<Section>) -> Definition {
        let price = PriceCategory { name: "gold".into(), amount: 12_000, currency: "EUR".into() };
        Definition {
            title: "Arena Night".into(),
            starts_at: 1,
            sales: Sales::default(),
            hold: HoldPolicy::default(),
            focal_point: None,
            limits: Limits::default(),
            price_categories: vec![price],
            sections,
            blocked: vec![],
        }
    }

    fn section(id: &str, rows: Vec<Rows>, capacity: Option<u32>) -> Section {
        Section { id: id.into(), price_category: "gold".into(), rows, capacity, layout: None }
    }

    fn rows(range: &str, seats: &str) -> Rows {
        Rows { row: None, rows: Some(range.into()), seats: seats.into() }
    }

    fn keys(definition: &Definition) -> Vec<String> {
        Chart::expand(definition).unwrap().seats().iter().map(|s| s.key.clone()).collect()
    }

    #[test]
    fn ranges_steps_lists_and_areas_expand_in_chart_order() {
        let chart = definition(vec![
            section(
                "A",
                vec![rows("1-2", "1-5/2"), Rows { row: Some("AA".into()), rows: None, seats: "7,9".into() }],
                None,
            ),
            section("FLOOR", vec![], Some(2)),
        ]);
        let expected = "A-1-1 A-1-3 A-1-5 A-2-1 A-2-3 A-2-5 A-AA-7 A-AA-9 FLOOR-1 FLOOR-2";
        assert_eq!(keys(&chart).join(" "), expected);
    }

    #[test]
    fn a_seat_described_twice_is_refused_with_both_ranges() {
        let error =
            Chart::expand(&definition(vec![section("A", vec![rows("1-3", "1-4"), rows("3", "4-9")], None)]));
        assert_eq!(
            error.unwrap_err().to_string(),
            "sections[0].rows[0] and sections[0].rows[1] both describe seat A-3-4: let the ranges not overlap"
        );
    }

    #[test]
    fn malformed_ranges_are_refused_with_their_field() {
        for range in ["", "1-", "5-1", "1-4/0", "1-x", "a b", "+1-4", "1--4"] {
            let error =
                Chart::expand(&definition(vec![section("A", vec![rows("1", range)], None)])).unwrap_err();
            assert!(error.to_string().starts_with("sections[0].rows[0].seats"), "{range}: {error}");
        }
    }

    #[test]
    fn a_chart_needs_seats_and_has_a_limit() {
        assert_eq!(Chart::expand(&definition(vec![])).unwrap_err(), ChartError::Empty);
        let huge = definition(vec![section("A", vec![rows("1-9999999999", "1")], None)]);
        assert_eq!(Chart::expand(&huge).unwrap_err(), ChartError::TooMany);
    }
}
