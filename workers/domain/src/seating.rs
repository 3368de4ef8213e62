//! A [`Chart`]'s seats as the search for the best ones sees them: rows from the best to the worst, each with its middle
//! and its neighbours, and a map of one byte a seat.
//!
//! Which row is better than which is decided here alone, once a definition; [`choose`](mod@crate::choose) and the scripts
//! in Redis only follow the order. Distances are in seats, and an aisle is as wide as one: where nothing says otherwise a
//! section stands behind the one before it, its rows one behind the other and centred, with the stage in front of the first.

use std::collections::HashMap;
use std::ops::Range;

use crate::chart::Chart;
use crate::definition::{Definition, Layout, Point};

/// A place on the map that can be had.
pub const FREE: u8 = b'.';
/// One that cannot.
pub const TAKEN: u8 = b'x';
/// What stands between two seats that are no neighbours: at an aisle of a row, and between two rows. So no run of free
/// seats has it, and seats are neighbours where their places follow each other.
pub const BETWEEN: u8 = b'|';

/// A row of seats, or a general-admission area.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What its seats' keys begin with: `A-12` of `A-12-7`, `FLOOR` of `FLOOR-17`.
    pub name: String,
    /// Index into [`Definition::sections`].
    pub section: usize,
    /// Its seats in order: at least one piece.
    pub pieces: Vec<Piece>,
    /// Where it begins on the map.
    pub start: usize,
    /// Twice the place in the row that is nearest to the focal point.
    pub middle: usize,
    /// The row before and the row behind it in its section.
    pub neighbours: [Option<usize>; 2],
}

/// Seats of a row without an aisle between them that follow each other in chart order too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// How many places behind the beginning of the row it begins.
    pub offset: usize,
    /// Its seats, as places in chart order.
    pub seats: Range<usize>,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Seating {
    rows: Vec<Row>,
    numbered: usize,
    /// Where on the map each piece begins, with its first seat, sorted by that.
    places: Vec<(usize, usize)>,
    map: Vec<u8>,
}

impl Row {
    /// Where it stands on the map, aisles included.
    pub fn span(&self) -> Range<usize> {
        self.start..self.start + self.width()
    }

    fn width(&self) -> usize {
        self.pieces.last().map_or(0, |last| last.offset + last.seats.len())
    }

    /// Adds seats, given as places in chart order.
    fn push(&mut self, seats: Range<usize>, adjoins: bool) {
        let aisle = usize::from(!adjoins && !self.pieces.is_empty());
        self.pieces.push(Piece { offset: self.width() + aisle, seats });
    }
}

impl Seating {
    /// The seats of `chart`, which is that of `definition`.
    pub fn new(definition: &Definition, chart: &Chart) -> Self {
        let (numbered, areas) = rows(definition, chart);
        let mut seating = Self { numbered: numbered.len(), ..Self::default() };
        seating.rows = numbered.into_iter().chain(areas).collect();
        for row in &mut seating.rows {
            row.pieces.shrink_to_fit();
            row.start = seating.map.len();
            // What no seat stands on is an aisle, or behind the row.
            seating.map.resize(row.span().end + 1, BETWEEN);
            for piece in &row.pieces {
                let place = row.start + piece.offset;
                seating.places.push((piece.seats.start, place));
                seating.map[place..place + piece.seats.len()].fill(FREE);
            }
        }
        seating.places.sort_unstable();
        seating
    }

    /// Rows of numbered seats from the best to the worst, then areas in chart order.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The rows of numbered seats alone.
    pub fn numbered(&self) -> &[Row] {
        self.rows.get(..self.numbered).unwrap_or_default()
    }

    /// The areas alone.
    pub fn areas(&self) -> &[Row] {
        self.rows.get(self.numbered..).unwrap_or_default()
    }

    /// The map with everything free: [`FREE`] for every seat, [`BETWEEN`] at every aisle and behind every row.
    pub fn map(&self) -> &[u8] {
        &self.map
    }

    /// Where a seat, given as a place in chart order, stands on the map.
    pub fn place(&self, seat: usize) -> Option<usize> {
        let behind = self.places.partition_point(|(first, _)| *first <= seat);
        let (first, place) = self.places.get(behind.checked_sub(1)?)?;
        let place = place + (seat - first);
        // Behind the last seat nothing is free, and nothing is a seat.
        (self.map.get(place) == Some(&FREE)).then_some(place)
    }

    /// The row that has a place of the map.
    pub fn row_at(&self, place: usize) -> usize {
        self.rows.partition_point(|row| row.start <= place).saturating_sub(1)
    }

    /// The seat at a place of the map, as a place in chart order.
    pub fn seat_at(&self, place: usize) -> Option<usize> {
        let row = self.rows.get(self.row_at(place))?;
        let offset = place.checked_sub(row.start)?;
        let pieces = row.pieces.get(..row.pieces.partition_point(|piece| piece.offset <= offset))?;
        let piece = pieces.last()?;
        piece.seats.clone().nth(offset - piece.offset)
    }

    /// Whether all of some places of the map, in any order, are neighbours: each of the next, or all of them units of one
    /// area.
    pub fn together(&self, mut places: Vec<usize>) -> bool {
        places.sort_unstable();
        let (Some(first), Some(last)) = (places.first(), places.last()) else { return true };
        let area = self.areas().iter().find(|area| area.span().contains(first));
        area.is_some_and(|area| area.span().contains(last))
            || places.windows(2).all(|pair| pair[0] + 1 == pair[1])
    }
}

/// Rows of numbered seats in order of preference, and areas.
fn rows(definition: &Definition, chart: &Chart) -> (Vec<Row>, Vec<Row>) {
    let mut in_chart_order: Vec<Row> = Vec::new();
    let mut index: HashMap<(usize, &str), usize> = HashMap::new();
    for of_chart in chart.rows() {
        let section = of_chart.section();
        let at = *index.entry((section, of_chart.name())).or_insert_with(|| {
            let (name, pieces) = (of_chart.key(), Vec::new());
            in_chart_order.push(Row { name, section, pieces, start: 0, middle: 0, neighbours: [None, None] });
            in_chart_order.len() - 1
        });
        for (seats, adjoins) in of_chart.pieces() {
            in_chart_order[at].push(seats, adjoins);
        }
    }
    let is_area = |row: &Row| definition.sections.get(row.section).is_some_and(|s| s.capacity.is_some());
    let (areas, numbered): (Vec<_>, Vec<_>) = in_chart_order.into_iter().partition(is_area);
    (in_order_of_preference(definition, numbered), areas)
}

fn in_order_of_preference(definition: &Definition, mut rows: Vec<Row>) -> Vec<Row> {
    let focus = definition.focal_point.unwrap_or(Point { x: 0.0, y: 0.0 });
    let (mut behind, mut ranked) = (0.0, Vec::with_capacity(rows.len()));
    let mut first = 0;
    while first < rows.len() {
        let section = rows[first].section;
        let count = rows[first..].iter().take_while(|row| row.section == section).count();
        let layout = definition.sections.get(section).and_then(|section| section.layout);
        for (number, row) in rows[first..first + count].iter_mut().enumerate() {
            let line = Line::of(layout, number, count, row.width(), behind);
            let nearest = line.nearest_to(focus);
            row.middle = doubled(nearest);
            ranked.push((line.distance(nearest, focus), first + number));
        }
        if layout.is_none() {
            behind += float(count) + 1.0;
        }
        first += count;
    }
    ranked.sort_by(|(a, at), (b, other)| a.total_cmp(b).then(at.cmp(other)));
    let mut rank = vec![0; rows.len()];
    for (new, (_, old)) in ranked.iter().enumerate() {
        rank[*old] = new;
    }
    let of_one_section = |a: usize, b: usize| rows.get(a)?.section.eq(&rows.get(b)?.section).then_some(());
    let neighbours: Vec<_> = (0..rows.len())
        .map(|at| {
            let before =
                at.checked_sub(1).and_then(|before| of_one_section(before, at).map(|()| rank[before]));
            [before, of_one_section(at, at + 1).map(|()| rank[at + 1])]
        })
        .collect();
    for (row, neighbours) in rows.iter_mut().zip(neighbours) {
        row.neighbours = neighbours;
    }
    let mut sorted: Vec<_> = rank.into_iter().zip(rows).collect();
    sorted.sort_by_key(|(rank, _)| *rank);
    sorted.into_iter().map(|(_, row)| row).collect()
}

/// The straight line that a row's seats stand on, a unit apart.
struct Line {
    first: Point,
    step: Point,
    last: f64,
}

impl Line {
    /// Row `number` of `count` in a section: around the section's own middle where it has a layout, else behind what is
    /// there already, centred.
    fn of(layout: Option<Layout>, number: usize, count: usize, width: usize, behind: f64) -> Self {
        let last = float(width.saturating_sub(1));
        let (x, y, angle) = layout.map_or((0.0, behind + 1.0, 0.0), |at| {
            (at.x, at.y, if at.angle.is_finite() { at.angle.to_radians() } else { 0.0 })
        });
        let depth = float(number) - if layout.is_some() { float(count.saturating_sub(1)) / 2.0 } else { 0.0 };
        let (sin, cos) = angle.sin_cos();
        let turned = |across: f64, depth: f64| Point {
            x: x + across * cos - depth * sin,
            y: y + across * sin + depth * cos,
        };
        Self { first: turned(-last / 2.0, depth), step: Point { x: cos, y: sin }, last }
    }

    /// How far along the line the point nearest to `focus` is, in seats.
    fn nearest_to(&self, focus: Point) -> f64 {
        let along = (focus.x - self.first.x) * self.step.x + (focus.y - self.first.y) * self.step.y;
        along.clamp(0.0, self.last)
    }

    fn distance(&self, along: f64, focus: Point) -> f64 {
        let (x, y) = (self.first.x + along * self.step.x, self.first.y + along * self.step.y);
        // Rounded, so that rows which are equally far but for the last bits keep their order.
        ((x - focus.x).hypot(y - focus.y) * 1000.0).round()
    }
}

/// Twice a place in a row, as a whole number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and twice a row's length"
)]
fn doubled(along: f64) -> usize {
    (along * 2.0).round().max(0.0) as usize
}

#[expect(clippy::cast_precision_loss, reason = "charts are far smaller than 2^52 seats")]
fn float(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::{HoldPolicy, Limits, PriceCategory, Rows, Sales, Section};

    fn section(id: &str, rows: &str, seats: &str) -> Section {
        let rows = vec![Rows { row: None, rows: Some(rows.into()), seats: seats.into() }];
        Section {
            id: id.into(),
            title: None,
            price_category: "gold".into(),
            rows,
            capacity: None,
            layout: None,
        }
    }

    fn seating(sections: Vec<Section>, focal_point: Option<Point>) -> Seating {
        let price = PriceCategory { name: "gold".into(), amount: 1, currency: "EUR".into() };
        let definition = Definition {
            title: "Arena Night".into(),
            starts_at: 1,
            sales: Sales::default(),
            hold: HoldPolicy::default(),
            focal_point,
            limits: Limits::default(),
            price_categories: vec![price],
            sections,
            blocked: vec![],
        };
        Seating::new(&definition, &Chart::expand(&definition).unwrap())
    }

    fn names(seating: &Seating) -> Vec<&str> {
        seating.rows().iter().map(|row| row.name.as_str()).collect()
    }

    #[test]
    fn by_default_the_first_row_of_the_first_section_is_the_best_and_its_middle_too() {
        let area = Section { capacity: Some(3), rows: vec![], ..section("FLOOR", "1", "1") };
        let seating = seating(vec![area, section("A", "1-2", "1-5"), section("B", "1", "1-4")], None);
        assert_eq!(names(&seating), ["A-1", "A-2", "B-1", "FLOOR"]);
        assert_eq!(seating.numbered().iter().map(|row| row.middle).collect::<Vec<_>>(), [4, 4, 3]);
        assert_eq!(seating.areas().len(), 1);
        assert_eq!(seating.map(), b".....|.....|....|...|");
    }

    #[test]
    fn rows_know_their_neighbours_in_their_section() {
        let seating = seating(vec![section("A", "1-3", "1-5"), section("B", "1", "1-4")], None);
        let neighbours: Vec<_> = seating.rows().iter().map(|row| row.neighbours).collect();
        assert_eq!(neighbours, [[None, Some(1)], [Some(0), Some(2)], [Some(1), None], [None, None]]);
    }

    #[test]
    fn the_focal_point_and_the_layout_turn_the_order() {
        let behind = seating(vec![section("A", "1-3", "1-5")], Some(Point { x: -2.0, y: 9.0 }));
        assert_eq!(names(&behind), ["A-3", "A-2", "A-1"]);
        assert_eq!(behind.rows()[0].middle, 0, "the seat on the left is the nearest");
        let aside = Layout { x: 100.0, y: 0.0, angle: 90.0 };
        let near = Layout { x: 3.0, y: 0.0, angle: 90.0 };
        let sections = vec![
            Section { layout: Some(aside), ..section("A", "1-2", "1-3") },
            Section { layout: Some(near), ..section("B", "1-2", "1-3") },
        ];
        assert_eq!(names(&seating(sections, None)), ["B-2", "B-1", "A-2", "A-1"]);
    }

    #[test]
    fn an_aisle_takes_a_place_and_is_as_wide_as_a_seat() {
        let seating = seating(vec![section("B", "1", "1-3,6-8"), section("C", "1", "4-1/3 | 2,3")], None);
        assert_eq!(seating.map(), b"...|...|..|..|");
        assert_eq!(seating.numbered().iter().map(|row| row.middle).collect::<Vec<_>>(), [6, 4]);
        assert_eq!((seating.place(3), seating.seat_at(4)), (Some(4), Some(3)));
        assert_eq!((seating.seat_at(3), seating.seat_at(7)), (None, None));
        assert_eq!([5, 7, 8, 13].map(|place| seating.row_at(place)), [0, 0, 1, 1]);
    }

    #[test]
    fn a_row_goes_on_in_another_entry() {
        let rows = |row: Option<&str>, rows: Option<&str>, seats: &str| Rows {
            row: row.map(str::to_owned),
            rows: rows.map(str::to_owned),
            seats: seats.into(),
        };
        let entries =
            vec![rows(None, Some("1-2"), "1-2"), rows(Some("1"), None, "3"), rows(Some("2"), None, "4")];
        let seating = seating(vec![Section { rows: entries, ..section("A", "1", "1") }], None);
        assert_eq!(seating.map(), b"...|..|.|");
    }

    #[test]
    fn neighbours_are_together() {
        let area = Section { capacity: Some(3), rows: vec![], ..section("FLOOR", "1", "1") };
        let seating = seating(vec![section("A", "1-2", "1-3 | 4-5"), area], None);
        assert_eq!(seating.map(), b"...|..|...|..|...|");
        for together in [vec![], vec![4], vec![2, 0, 1], vec![4, 5], vec![14, 16]] {
            assert!(seating.together(together.clone()), "{together:?}");
        }
        for apart in [[0, 2], [2, 4], [0, 7], [5, 7], [0, 14]] {
            assert!(!seating.together(apart.to_vec()), "{apart:?}");
        }
    }

    #[test]
    fn places_lead_back_to_seats() {
        let seating = seating(vec![section("A", "1-3", "1-5")], Some(Point { x: 0.0, y: 9.0 }));
        for seat in 0..15 {
            assert_eq!(seating.seat_at(seating.place(seat).unwrap()), Some(seat));
        }
        assert_eq!(seating.place(15), None);
    }
}
