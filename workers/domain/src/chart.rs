//! A [`Definition`]'s ranges expanded into seats, in the order that maps show them, each with whether it is the neighbour of
//! the one before it.
//!
//! Finds what a schema cannot: the same seat from two ranges, a blocked seat that does not exist. Seats are counted before
//! any is made: what is refused for its size costs nothing.

mod error;
mod ranges;

use std::collections::HashMap;

use crate::definition::{Definition, Rows, Section};
use crate::ids::is_label;

pub use error::ChartError;
use ranges::{Name, Ranges};

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
    /// Whether it is the neighbour of the seat that comes before it in its row. Units of an area all are.
    pub adjoins: bool,
}

/// Every seat of a SeatingEvent, in chart order, with an index by key.
#[derive(Debug, Clone, Default)]
pub struct Chart {
    seats: Vec<ChartSeat>,
    index: HashMap<String, usize>,
}

impl Chart {
    /// Expands the ranges of `definition`.
    ///
    /// # Errors
    /// The first thing that keeps them from being a chart.
    pub fn expand(definition: &Definition) -> Result<Self, ChartError> {
        let sections = definition.sections.iter().enumerate();
        let described = sections.map(|(index, section)| {
            if definition.price_of(&section.id).is_none() {
                let field = format!("sections[{index}].priceCategory");
                return Err(ChartError::PriceCategory { field, name: section.price_category.clone() });
            }
            Described::read(section, &format!("sections[{index}]"))
        });
        let described = described.collect::<Result<Vec<_>, _>>()?;
        match described.iter().fold(0_u64, |count, section| section.count().saturating_add(count)) {
            0 => return Err(ChartError::Empty),
            count if count > MAX_SEATS as u64 => return Err(ChartError::TooMany),
            _ => {}
        }
        let mut builder = Builder::default();
        for (index, (section, described)) in definition.sections.iter().zip(&described).enumerate() {
            builder.section(index, &section.id, described)?;
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

/// What a section says that it has.
enum Described {
    /// So many units.
    Units { field: String, capacity: u32 },
    /// Rows of seats.
    Rows(Vec<Entry>),
}

/// One row or several alike.
struct Entry {
    field: String,
    rows: Ranges,
    seats: Ranges,
}

impl Described {
    fn read(section: &Section, field: &str) -> Result<Self, ChartError> {
        let shape = |problem| ChartError::Shape { field: field.to_owned(), problem };
        if !is_label(&section.id) {
            return Err(shape("id must be 1 to 32 characters of A-Z, a-z, 0-9 and _"));
        }
        match (section.capacity, section.rows.as_slice()) {
            (Some(_), [_, ..]) => Err(shape("has rows and capacity: give one of them")),
            (None, []) => Err(shape("has neither rows nor capacity: give one of them")),
            (Some(capacity), []) => Ok(Self::Units { field: format!("{field}.capacity"), capacity }),
            (None, rows) => {
                let entries = rows.iter().enumerate();
                let entries = entries.map(|(at, rows)| Entry::read(rows, format!("{field}.rows[{at}]")));
                entries.collect::<Result<_, _>>().map(Self::Rows)
            }
        }
    }

    fn count(&self) -> u64 {
        match self {
            Self::Units { capacity, .. } => u64::from(*capacity),
            Self::Rows(entries) => entries.iter().fold(0, |count, entry| entry.count().saturating_add(count)),
        }
    }
}

impl Entry {
    fn read(text: &Rows, field: String) -> Result<Self, ChartError> {
        let range = |name: &str, range: &str, problem| {
            let (field, range) = (format!("{field}.{name}"), range.to_owned());
            ChartError::Range { field, range, problem }
        };
        let shape = |field: String, problem| Err(ChartError::Shape { field, problem });
        let rows = match (&text.row, &text.rows) {
            (Some(row), None) if is_label(row) => Ranges::one(row),
            (Some(_), None) => {
                let problem = "must be 1 to 32 characters of A-Z, a-z, 0-9 and _; for several rows use rows";
                return shape(format!("{field}.row"), problem);
            }
            (None, Some(rows)) => Ranges::of_rows(rows).map_err(|problem| range("rows", rows, problem))?,
            (Some(_), Some(_)) => return shape(field, "give either row or rows, not both"),
            (None, None) => return shape(field, "has neither row nor rows: give one of them"),
        };
        let seats = Ranges::of_seats(&text.seats).map_err(|problem| range("seats", &text.seats, problem))?;
        Ok(Self { field, rows, seats })
    }

    fn count(&self) -> u64 {
        self.rows.count().saturating_mul(self.seats.count())
    }
}

#[derive(Default)]
struct Builder {
    chart: Chart,
    /// For each seat, the field that described it: two fields make the message of a duplicate.
    origins: Vec<u32>,
    fields: Vec<String>,
    /// The last seat of each row so far: another entry may go on with the row.
    ends: HashMap<(usize, String), Name>,
}

impl Builder {
    fn section(&mut self, section: usize, id: &str, described: &Described) -> Result<(), ChartError> {
        match described {
            Described::Units { field, capacity } => {
                let origin = self.origin(field);
                (1..=*capacity).try_for_each(|n| {
                    let (key, number, adjoins) = (format!("{id}-{n}"), n.to_string(), n > 1);
                    self.push(ChartSeat { key, section, row: String::new(), number, adjoins }, origin)
                })
            }
            Described::Rows(entries) => entries.iter().try_for_each(|entry| self.entry(section, id, entry)),
        }
    }

    fn entry(&mut self, section: usize, id: &str, entry: &Entry) -> Result<(), ChartError> {
        let origin = self.origin(&entry.field);
        let seats: Vec<Name> = entry.seats.names().collect();
        for Name { text: row, .. } in entry.rows.names() {
            let mut before = self.ends.remove(&(section, row.clone()));
            for seat in &seats {
                let (key, number) = (format!("{id}-{row}-{}", seat.text), seat.text.clone());
                let adjoins = before.as_ref().is_some_and(|before| seat.adjoins(before));
                let pushed = ChartSeat { key, section, row: row.clone(), number, adjoins };
                self.push(pushed, origin).map_err(|error| within_one_entry(error, entry, &seats))?;
                before = Some(seat.clone());
            }
            self.ends.extend(before.map(|end| ((section, row), end)));
        }
        Ok(())
    }

    fn origin(&mut self, field: &str) -> u32 {
        self.fields.push(field.to_owned());
        u32::try_from(self.fields.len() - 1).unwrap_or(u32::MAX)
    }

    fn push(&mut self, seat: ChartSeat, origin: u32) -> Result<(), ChartError> {
        let position = self.chart.seats.len();
        if let Some(&earlier) = self.chart.index.get(&seat.key) {
            let field = |origin: u32| self.fields[origin as usize].clone();
            let (first, second) = (field(self.origins[earlier]), field(origin));
            return Err(ChartError::Duplicate { key: seat.key, first, second });
        }
        self.chart.index.insert(seat.key.clone(), position);
        self.chart.seats.push(seat);
        self.origins.push(origin);
        Ok(())
    }
}

/// A duplicate of `entry` with itself, told as what it is: its rows or its seats name something twice.
fn within_one_entry(error: ChartError, entry: &Entry, seats: &[Name]) -> ChartError {
    let ChartError::Duplicate { first, second, key } = &error else { return error };
    if first != second {
        return error;
    }
    let number = key.rsplit_once('-').map_or(key.as_str(), |(_, number)| number);
    let twice = seats.iter().filter(|seat| seat.text == number).count() > 1;
    let field = format!("{}.{}", entry.field, if twice { "seats" } else { "rows" });
    ChartError::Repeated { field, key: key.clone() }
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
        Section { id: id.into(), title: None, price_category: "gold".into(), rows, capacity, layout: None }
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
            "sections[0].rows[1]: gives seat A-3-4, which sections[0].rows[0] gives too: let the ranges not overlap"
        );
    }

    fn told(rows: Vec<Rows>) -> String {
        Chart::expand(&definition(vec![section("A", rows, None)])).unwrap_err().to_string()
    }

    #[test]
    fn a_seat_that_one_range_gives_twice_is_told_as_that() {
        let twice = "sections[0].rows[0].seats: gives seat A-1-4 twice: name it once";
        assert_eq!(told(vec![rows("1", "1-4,4-9")]), twice);
        let twice = "sections[0].rows[0].rows: gives seat A-2-1 twice: name it once";
        assert_eq!(told(vec![rows("1-2,2-3", "1-4")]), twice);
    }

    #[test]
    fn an_entry_has_either_row_or_rows() {
        let entry = |row: Option<&str>, rows: Option<&str>| {
            told(vec![Rows { row: row.map(str::to_owned), rows: rows.map(str::to_owned), seats: "1".into() }])
        };
        assert_eq!(entry(None, None), "sections[0].rows[0]: has neither row nor rows: give one of them");
        assert_eq!(entry(Some("1"), Some("2")), "sections[0].rows[0]: give either row or rows, not both");
        assert!(entry(Some("1-4"), None).starts_with("sections[0].rows[0].row: must be 1 to 32 characters"));
        assert!(entry(None, Some("1 | 2")).starts_with("sections[0].rows[0].rows: \"1 | 2\" has an aisle"));
    }

    #[test]
    fn rows_rise_or_fall_with_their_zeros() {
        let chart = definition(vec![section("A", vec![rows("02-01", "2-1")], None)]);
        assert_eq!(keys(&chart).join(" "), "A-02-2 A-02-1 A-01-2 A-01-1");
    }

    #[test]
    fn a_row_that_goes_on_in_another_entry_is_judged_by_its_numbers() {
        let entry = |row: &str, seats: &str| rows(row, seats);
        let chart = definition(vec![
            section("A", vec![entry("1-2", "1-2"), entry("1", "3-4"), entry("2", "5-6")], None),
            section("FLOOR", vec![], Some(2)),
        ]);
        let chart = Chart::expand(&chart).unwrap();
        let alone = chart.seats().iter().filter(|seat| !seat.adjoins).map(|seat| seat.key.as_str());
        assert_eq!(alone.collect::<Vec<_>>(), ["A-1-1", "A-2-1", "A-2-5", "FLOOR-1"]);
    }

    #[test]
    fn malformed_ranges_are_refused_with_their_field() {
        for range in ["", "1-", "1 | ", "1-4/0", "1-x", "a b", "+1-4", "1--4"] {
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
        let sum = vec![section("A", vec![rows("1-999", "1-200")], None), section("B", vec![], Some(201))];
        assert_eq!(Chart::expand(&definition(sum)).unwrap_err(), ChartError::TooMany);
        let repeated = ["1-199999"; 7].join(",");
        let repeated = definition(vec![section("A", vec![rows(&repeated, &repeated)], None)]);
        assert_eq!(
            Chart::expand(&repeated).unwrap_err(),
            ChartError::TooMany,
            "before anything is made of it"
        );
    }
}
