//! SeatingEvents of one section of equal rows, and their seats in order.

use std::ops::Range;

use boxoffice_domain::Definition;
use boxoffice_domain::definition::{HoldPolicy, Limits, PriceCategory, Rows, Sales, Section};

/// The year 2099.
const STARTS_AT: u64 = 4_076_000_000_000;

/// A SeatingEvent whose seats are a grid.
#[derive(Debug, Clone)]
pub struct SeatGrid {
    /// Its id.
    pub id: String,
    /// Rows.
    pub rows: u32,
    /// Seats a row.
    pub width: u32,
}

impl SeatGrid {
    /// So many rows of so many seats.
    pub fn new(id: impl Into<String>, rows: u32, width: u32) -> Self {
        Self { id: id.into(), rows, width }
    }

    /// How many seats it has.
    pub fn seats(&self) -> u32 {
        self.rows * self.width
    }

    /// The key of seat `number`, from 0.
    pub fn key(&self, number: u32) -> String {
        format!("A-{}-{}", number / self.width + 1, number % self.width + 1)
    }

    /// The id of seat `number`, from 0.
    pub fn seat(&self, number: u32) -> String {
        format!("{}.{}", self.id, self.key(number))
    }

    /// What the operator would provision.
    pub fn definition(&self) -> Definition {
        let (rows, seats) = (Some(format!("1-{}", self.rows)), format!("1-{}", self.width));
        Definition {
            title: self.id.clone(),
            starts_at: STARTS_AT,
            sales: Sales::default(),
            hold: HoldPolicy::default(),
            focal_point: None,
            limits: Limits::default(),
            price_categories: vec![PriceCategory {
                name: "all".into(),
                amount: 5000,
                currency: "EUR".into(),
            }],
            sections: vec![Section {
                id: "A".into(),
                title: None,
                price_category: "all".into(),
                rows: vec![Rows { row: None, rows, seats }],
                capacity: None,
                layout: None,
            }],
            blocked: vec![],
        }
    }
}

/// Seats of many shows of one size, each given out once: a few shows are on sale at once, and the next ones follow when
/// those are sold out.
#[derive(Debug, Clone)]
pub struct Seats {
    /// The shows.
    pub shows: Vec<SeatGrid>,
    on_sale: u32,
    given: Range<u32>,
}

impl Seats {
    /// Enough shows of `rows` times `width` seats for `seats` seats, `on_sale` of them at once.
    pub fn new(seats: u32, on_sale: u32, rows: u32, width: u32) -> Self {
        // A seat of each is taken by the warming up.
        let groups = seats.div_ceil(on_sale * (rows * width - 1)).max(1);
        let shows: Vec<_> = (1..=groups * on_sale)
            .map(|number| SeatGrid::new(format!("show-{number}"), rows, width))
            .collect();
        let given = 0..groups * on_sale * (rows * width - 1);
        Self { shows, on_sale, given }
    }

    /// The id of a seat that was not given out before.
    pub fn next_seat(&mut self) -> Option<String> {
        let number = self.given.next()?;
        let width = self.shows.first()?.seats() - 1;
        let (group, within) = (number / (self.on_sale * width), number % (self.on_sale * width));
        let show = self.shows.get((group * self.on_sale + within % self.on_sale) as usize)?;
        Some(show.seat(within / self.on_sale))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_domain::Chart;
    use std::collections::HashSet;

    #[test]
    fn a_show_has_the_seats_that_it_names() {
        let show = SeatGrid::new("hall", 3, 4);
        let chart = Chart::expand(&show.definition()).unwrap();
        assert_eq!(chart.len(), 12);
        assert!((0..12).all(|number| chart.contains(&show.key(number))));
        assert_eq!(show.seat(11), "hall.A-3-4");
    }

    #[test]
    fn every_seat_is_given_out_once_and_new_shows_follow_old_ones() {
        let mut seats = Seats::new(30, 2, 3, 4);
        assert_eq!(seats.shows.len(), 4);
        let seats: Vec<_> = std::iter::from_fn(|| seats.next_seat()).collect();
        assert_eq!(seats.len(), 44);
        assert_eq!(seats.iter().collect::<HashSet<_>>().len(), 44);
        assert_eq!(seats[..3], ["show-1.A-1-1", "show-2.A-1-1", "show-1.A-1-2"]);
        assert_eq!(seats[22], "show-3.A-1-1");
    }
}
