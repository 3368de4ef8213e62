//! A [`Definition`]'s ranges expanded into seats, in the order that maps show them, each with whether it is the neighbour of
//! the one before it.
//!
//! Finds what a schema cannot: the same seat from two ranges, a blocked seat that does not exist. Seats are counted before
//! any is made: what is refused for its size costs nothing.

mod error;
mod ranges;

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops;

use crate::definition::{Definition, Rows, Section};
use crate::ids::is_label;

pub use error::ChartError;
use ranges::{End, Ranges};

/// Most seats that one SeatingEvent may have.
pub const MAX_SEATS: usize = 200_000;

/// Most rows of one name that are looked through for a seat.
const FEW: usize = 16;

/// Every seat of a SeatingEvent, in chart order. Rows are kept, and what they say of their seats as the text says it: keys
/// and places are worked out from each other, so a chart takes up memory for its rows alone.
#[derive(Debug, Clone, Default)]
pub struct Chart {
    /// Ids of the sections.
    sections: Vec<Box<str>>,
    /// What rows have as seats: those of one entry share it.
    seats: Vec<Ranges>,
    rows: Vec<Run>,
    /// Indices of `rows`, sorted by section id and row name.
    by_name: Vec<u32>,
    /// Places by key, of rows that have more than a few entries each.
    crowded: HashMap<Box<str>, u32>,
    count: usize,
}

/// Seats of one row that follow each other in chart order: what one entry says of it.
#[derive(Debug, Clone)]
struct Run {
    section: u32,
    /// The row; empty for an area.
    name: Box<str>,
    /// Index into [`Chart::seats`].
    seats: u32,
    /// The place of its first seat.
    first: u32,
    /// Whether that one is the neighbour of the last seat that an entry before gave the same row.
    continues: bool,
}

/// A row of the chart, or a part of it that has an entry of its own; or an area.
#[derive(Debug, Clone, Copy)]
pub struct ChartRow<'a> {
    chart: &'a Chart,
    index: usize,
}

/// A seat of the chart.
#[derive(Debug, Clone, Copy)]
pub struct ChartSeat<'a> {
    row: ChartRow<'a>,
    nth: u32,
}

impl<'a> ChartRow<'a> {
    fn run(self) -> &'a Run {
        &self.chart.rows[self.index]
    }

    fn ranges(self) -> &'a Ranges {
        &self.chart.seats[self.run().seats as usize]
    }

    /// Index into [`Definition::sections`].
    pub fn section(self) -> usize {
        self.run().section as usize
    }

    /// Its name within the section; empty for an area.
    pub fn name(self) -> &'a str {
        &self.run().name
    }

    /// What its seats' keys begin with: `A-12` of `A-12-7`, `FLOOR` of `FLOOR-17`.
    pub fn key(self) -> String {
        let section = &self.chart.sections[self.section()];
        if self.name().is_empty() { section.to_string() } else { format!("{section}-{}", self.name()) }
    }

    /// The places of its seats in chart order.
    pub fn places(self) -> ops::Range<usize> {
        let first = self.run().first as usize;
        first..self.chart.rows.get(self.index + 1).map_or(self.chart.count, |next| next.first as usize)
    }

    /// The numbers of its seats, in chart order.
    pub fn numbers(self) -> impl Iterator<Item = Cow<'a, str>> {
        self.ranges().names()
    }

    /// The number of the seat at a place in chart order.
    pub fn number(self, place: usize) -> Option<Cow<'a, str>> {
        self.ranges().nth(u32::try_from(place.checked_sub(self.places().start)?).ok()?)
    }

    /// Its seats, in chart order.
    pub fn seats(self) -> impl Iterator<Item = ChartSeat<'a>> {
        (0..).take(self.places().len()).map(move |nth| ChartSeat { row: self, nth })
    }

    /// Places of its seats that follow each other as neighbours, each with whether the first of them is the neighbour of
    /// the seat that comes before it in its row, whichever entry that one has.
    pub fn pieces(self) -> impl Iterator<Item = (ops::Range<usize>, bool)> {
        let places = self.places();
        let first = |nth: u64| places.start + usize::try_from(nth).unwrap_or(usize::MAX);
        let firsts: Vec<_> = self.ranges().breaks().map(first).collect();
        let ends: Vec<_> = firsts.iter().skip(1).copied().chain([places.end]).collect();
        let continues = self.run().continues;
        firsts.into_iter().zip(ends).map(move |(first, end)| (first..end, continues && first == places.start))
    }
}

impl<'a> ChartSeat<'a> {
    /// What names it within the SeatingEvent: `A-12-7`, or `FLOOR-17` for a general-admission unit.
    pub fn key(self) -> String {
        format!("{}-{}", self.row.key(), self.number())
    }

    /// Index into [`Definition::sections`].
    pub fn section(self) -> usize {
        self.row.section()
    }

    /// Its row; empty for a general-admission unit.
    pub fn row(self) -> &'a str {
        self.row.name()
    }

    /// Its number within the row or area.
    pub fn number(self) -> Cow<'a, str> {
        self.row.ranges().nth(self.nth).unwrap_or_default()
    }

    /// Whether it is the neighbour of the seat that comes before it in its row. Units of an area all are.
    pub fn adjoins(self) -> bool {
        self.row.ranges().adjoins(self.nth) || (self.nth == 0 && self.row.run().continues)
    }
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
        for (index, (section, described)) in definition.sections.iter().zip(described).enumerate() {
            builder.section(index, &section.id, described)?;
        }
        let chart = builder.build()?;
        for (index, blocked) in definition.blocked.iter().enumerate() {
            if let Some(key) = blocked.seats.iter().find(|key| !chart.contains(key)) {
                return Err(ChartError::UnknownBlocked { index, key: key.clone() });
            }
        }
        Ok(chart)
    }

    /// How many seats there are.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none, which no definition that is accepted comes to.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many entries there are for rows: what it takes up memory for.
    pub const fn weight(&self) -> usize {
        self.rows.len()
    }

    /// The rows and areas, in chart order.
    pub fn rows(&self) -> impl Iterator<Item = ChartRow<'_>> {
        (0..self.rows.len()).map(|index| ChartRow { chart: self, index })
    }

    /// The seats, in chart order.
    pub fn seats(&self) -> impl Iterator<Item = ChartSeat<'_>> {
        self.rows().flat_map(ChartRow::seats)
    }

    /// The seat at a place in chart order.
    pub fn seat(&self, place: usize) -> Option<ChartSeat<'_>> {
        let behind = self.rows.partition_point(|row| row.first as usize <= place);
        let row = ChartRow { chart: self, index: behind.checked_sub(1)? };
        let nth = u32::try_from(place - row.places().start).ok()?;
        (place < self.count).then_some(ChartSeat { row, nth })
    }

    /// Whether there is a seat `key`.
    pub fn contains(&self, key: &str) -> bool {
        self.position(key).is_some()
    }

    /// The place of seat `key` in chart order.
    pub fn position(&self, key: &str) -> Option<usize> {
        let (row, number) = key.rsplit_once('-')?;
        let (section, row) = row.split_once('-').unwrap_or((row, ""));
        let begin = self.by_name.partition_point(|row_at| self.name(*row_at) < (section, row));
        let of_it = self.by_name.get(begin..)?.iter().take_while(|at| self.name(**at) == (section, row));
        let found = of_it.take(FEW).find_map(|at| {
            let run = &self.rows[*at as usize];
            Some(run.first + self.seats[run.seats as usize].position(number)?)
        });
        let found = found.or_else(|| self.crowded.get(key).copied());
        found.map(|place| place as usize)
    }

    /// Section id and name of a row.
    fn name(&self, row: u32) -> (&str, &str) {
        let run = &self.rows[row as usize];
        (&self.sections[run.section as usize], &run.name)
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
    /// For each row, the index of the field that described it: two fields make the message of a duplicate.
    origins: Vec<u32>,
    fields: Vec<String>,
    /// The last seat of each row so far: another entry may go on with the row.
    ends: HashMap<(u32, Box<str>), End>,
}

impl Builder {
    fn section(&mut self, section: usize, id: &str, described: Described) -> Result<(), ChartError> {
        let section = u32::try_from(section).unwrap_or(u32::MAX);
        self.chart.sections.push(id.into());
        match described {
            // The count of all was seen to be within bounds.
            Described::Units { capacity: 0, .. } => {}
            Described::Units { field, capacity } => {
                self.fields.push(field);
                self.chart.seats.push(Ranges::up_to(capacity));
                self.row(section, "");
            }
            Described::Rows(entries) => {
                entries.into_iter().try_for_each(|entry| self.entry(section, id, entry))?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, section: u32, id: &str, entry: Entry) -> Result<(), ChartError> {
        let Entry { field, rows, mut seats } = entry;
        if let Err(number) = seats.index() {
            let row = rows.nth(0).unwrap_or_default();
            return Err(ChartError::Repeated {
                field: format!("{field}.seats"),
                key: format!("{id}-{row}-{number}"),
            });
        }
        self.fields.push(field);
        self.chart.seats.push(seats);
        for row in rows.names() {
            self.row(section, &row);
        }
        Ok(())
    }

    /// One row more, with the seats of the entry that was begun last.
    fn row(&mut self, section: u32, name: &str) {
        let chart = &mut self.chart;
        let index = |count: usize| u32::try_from(count.saturating_sub(1)).unwrap_or(u32::MAX);
        let (seats, first) = (index(chart.seats.len()), u32::try_from(chart.count).unwrap_or(u32::MAX));
        let Some((ranges, (begin, end))) = chart.seats.last().and_then(|it| Some((it, it.ends()?))) else {
            return;
        };
        chart.count += usize::try_from(ranges.count()).unwrap_or(usize::MAX);
        let before = self.ends.insert((section, name.into()), end);
        let continues = before.is_some_and(|before| begin.is_near(before));
        chart.rows.push(Run { section, name: name.into(), seats, first, continues });
        self.origins.push(index(self.fields.len()));
    }

    /// The chart, unless two entries give the same seat.
    fn build(mut self) -> Result<Chart, ChartError> {
        let mut by_name: Vec<_> = (0..).take(self.chart.rows.len()).collect();
        by_name.sort_by(|a, b| self.chart.name(*a).cmp(&self.chart.name(*b)));
        let same = by_name.chunk_by(|a, b| self.chart.name(*a) == self.chart.name(*b));
        let mut crowded = HashMap::new();
        let firsts = same.filter(|rows| rows.len() > 1).filter_map(|rows| self.twice(rows, &mut crowded));
        if let Some((_, error)) = firsts.min_by_key(|(place, _)| *place) {
            return Err(error);
        }
        self.chart.crowded = crowded;
        self.chart.by_name = by_name;
        Ok(self.chart)
    }

    /// The first seat that rows of one name give twice: the place of the second, and what is to be told. Seats of rows
    /// behind the first few go to `crowded`.
    fn twice(&self, rows: &[u32], crowded: &mut HashMap<Box<str>, u32>) -> Option<(u32, ChartError)> {
        let chart = &self.chart;
        let mut met: HashMap<Cow<'_, str>, u32> = HashMap::new();
        for (nth, row) in rows.iter().enumerate() {
            let run = &chart.rows[*row as usize];
            for (place, number) in (run.first..).zip(chart.seats[run.seats as usize].names()) {
                let key = || ChartRow { chart, index: *row as usize }.key() + "-" + &number;
                if nth >= FEW {
                    crowded.insert(key().into(), place);
                }
                if let Some(earlier) = met.insert(number.clone(), *row) {
                    return Some((place, self.duplicate(key(), earlier, *row)));
                }
            }
        }
        None
    }

    fn duplicate(&self, key: String, earlier: u32, later: u32) -> ChartError {
        let field = |row: u32| self.fields[self.origins[row as usize] as usize].clone();
        let (first, second) = (field(earlier), field(later));
        // Two rows of one entry.
        if first == second {
            return ChartError::Repeated { field: format!("{first}.rows"), key };
        }
        ChartError::Duplicate { key, first, second }
    }
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
        Chart::expand(definition).unwrap().seats().map(ChartSeat::key).collect()
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
        let alone = chart.seats().filter(|seat| !seat.adjoins()).map(ChartSeat::key);
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
