//! Chooses seats for a buyer: the best that are available together, and units of a general-admission area; and says
//! which single seats a choice would leave behind.
//!
//! Works on the map of a [`Seating`]. `command/src/scripts/lib/choose.lua` does the same in Redis and is held to this by
//! tests. The order of preference: neighbours that leave no single seat behind; neighbours; seats of one row; seats of
//! adjacent rows, each of which has some. Within each, the better row, and in the row what is nearest to its middle.

use std::ops::Range;

use crate::command::Together;
use crate::definition::GapPolicy;
use crate::seating::{FREE, Row, Seating, TAKEN};

/// Sections that may be chosen from, by index.
pub type Sections<'a> = &'a [usize];

/// The `quantity` best places of `map`, in the order of the map, or `None` where there are not so many together.
pub fn best(
    seating: &Seating,
    map: &[u8],
    quantity: usize,
    sections: Sections<'_>,
    gaps: GapPolicy,
    together: Together,
) -> Option<Vec<usize>> {
    let rows = Rows { seating, map, sections };
    let others = || match together {
        Together::Required => None,
        Together::Preferred => rows.of_one_row(quantity).or_else(|| rows.of_adjacent_rows(quantity)),
    };
    let mut chosen = rows.adjacent(quantity, gaps).or_else(others)?;
    chosen.sort_unstable();
    Some(chosen)
}

/// How many numbered seats of `sections` are free.
pub fn available(seating: &Seating, map: &[u8], sections: Sections<'_>) -> usize {
    let rows = Rows { seating, map, sections };
    rows.allowed().map(|row| rows.free(row).len()).sum()
}

/// The first free places of an area, at most `quantity`.
pub fn units(area: &Row, map: &[u8], quantity: usize) -> Vec<usize> {
    area.span().filter(|place| map.get(*place) == Some(&FREE)).take(quantity).collect()
}

/// The single seats that taking `chosen` leaves behind although it could have been avoided: by another choice of as many
/// seats in the same run of free ones. The places are in the order of the map; `map` is before the choice.
pub fn avoidable_gaps(seating: &Seating, map: &[u8], chosen: &[usize]) -> Vec<usize> {
    let mut after = map.to_vec();
    for place in chosen {
        if let Some(at) = after.get_mut(*place) {
            *at = TAKEN;
        }
    }
    let mut rows: Vec<_> = chosen.iter().map(|place| seating.row_at(*place)).collect();
    rows.sort_unstable();
    rows.dedup();
    let numbered = rows.into_iter().filter_map(|row| seating.numbered().get(row));
    let left_in = |run: Range<usize>| -> Vec<usize> {
        let taken = run.clone().filter(|place| chosen.contains(place)).count();
        if taken == 0 || run.len() - taken == 1 {
            return vec![];
        }
        runs(&after, run).into_iter().filter(|rest| rest.len() == 1).map(|rest| rest.start).collect()
    };
    numbered.flat_map(|row| runs(map, row.span())).flat_map(left_in).collect()
}

/// The runs of free places within a span.
fn runs(map: &[u8], span: Range<usize>) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for place in span.filter(|place| map.get(*place) == Some(&FREE)) {
        match found.last_mut() {
            Some(run) if run.end == place => run.end += 1,
            _ => found.push(place..place + 1),
        }
    }
    found
}

/// What there is to choose from.
struct Rows<'a> {
    seating: &'a Seating,
    map: &'a [u8],
    sections: Sections<'a>,
}

impl<'a> Rows<'a> {
    fn allowed(&self) -> impl Iterator<Item = &'a Row> {
        let sections = self.sections;
        self.seating.numbered().iter().filter(move |row| sections.contains(&row.section))
    }

    fn free(&self, row: &Row) -> Vec<usize> {
        row.span().filter(|place| self.map.get(*place) == Some(&FREE)).collect()
    }

    /// The first row with a window that leaves no single seat behind, else the first with any.
    fn adjacent(&self, quantity: usize, gaps: GapPolicy) -> Option<Vec<usize>> {
        let mut with_a_gap = None;
        for row in self.allowed() {
            let windows: Vec<_> = runs(self.map, row.span())
                .into_iter()
                .filter(|run| run.len() >= quantity)
                .flat_map(|run| {
                    (run.start..=run.end - quantity).map(move |first| {
                        let leaves_one = first - run.start == 1 || run.end - (first + quantity) == 1;
                        (leaves_one, first)
                    })
                })
                .collect();
            let nearest = |tidy: bool| {
                let fit = windows.iter().filter(|(leaves_one, _)| !(tidy && *leaves_one));
                fit.map(|(_, first)| *first)
                    .min_by_key(|first| (2 * (first - row.start) + quantity - 1).abs_diff(row.middle))
            };
            let whole = |first: usize| (first..first + quantity).collect();
            if let Some(first) = nearest(gaps != GapPolicy::Off) {
                return Some(whole(first));
            }
            with_a_gap = with_a_gap.or_else(|| nearest(false).map(whole));
        }
        with_a_gap
    }

    fn of_one_row(&self, quantity: usize) -> Option<Vec<usize>> {
        self.allowed().find_map(|row| {
            let free = self.free(row);
            (free.len() >= quantity).then(|| nearest_to_the_middle(row, free, quantity))
        })
    }

    /// Around each row, from the best on, as many rows as it takes: of the two at the edges the better one next, and no
    /// row that has nothing to give. Where that is not enough, it is not from any of these rows on.
    fn of_adjacent_rows(&self, quantity: usize) -> Option<Vec<usize>> {
        let numbered = self.seating.numbered();
        let mut in_vain = vec![false; numbered.len()];
        (0..).zip(numbered).filter(|(_, row)| self.sections.contains(&row.section)).find_map(
            |(index, row)| {
                let mut chosen = if in_vain[index] { vec![] } else { self.free(row) };
                if chosen.is_empty() {
                    return None;
                }
                in_vain[index] = true;
                let mut edges = row.neighbours;
                while chosen.len() < quantity {
                    let giving = (0..).zip(edges).filter_map(|(side, edge)| {
                        let row = numbered.get(edge?)?;
                        let free = self.free(row);
                        (!free.is_empty()).then_some((edge?, side, row, free))
                    });
                    let (index, side, row, free): (_, usize, _, _) = giving.min_by_key(|(edge, ..)| *edge)?;
                    in_vain[index] = true;
                    chosen.extend(nearest_to_the_middle(row, free, quantity - chosen.len()));
                    edges[side] = row.neighbours[side];
                }
                Some(chosen)
            },
        )
    }
}

/// At most `quantity` of the free places of a row, those nearest to its middle.
fn nearest_to_the_middle(row: &Row, mut free: Vec<usize>, quantity: usize) -> Vec<usize> {
    free.sort_by_key(|place| ((2 * (place - row.start)).abs_diff(row.middle), *place));
    free.truncate(quantity);
    free
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::Chart;
    use crate::definition::{Definition, HoldPolicy, Limits, PriceCategory, Rows as Range, Sales, Section};
    use proptest::prelude::*;

    /// Section A of rows 1, 2, ... and section B of one row, all as wide, and an area of five.
    fn hall(rows: usize, width: usize) -> Seating {
        hall_of(rows, &format!("1-{width}"))
    }

    /// The same of such rows.
    fn hall_of(rows: usize, seats: &str) -> Seating {
        let range = |rows: String| vec![Range { row: None, rows: Some(rows), seats: seats.to_owned() }];
        let section = |id: &str, rows, capacity| Section {
            id: id.into(),
            title: None,
            price_category: "gold".into(),
            rows,
            capacity,
            layout: None,
        };
        let definition = Definition {
            title: "Arena Night".into(),
            starts_at: 1,
            sales: Sales::default(),
            hold: HoldPolicy::default(),
            focal_point: None,
            limits: Limits::default(),
            price_categories: vec![PriceCategory { name: "gold".into(), amount: 1, currency: "EUR".into() }],
            sections: vec![
                section("A", range(format!("1-{rows}")), None),
                section("B", range("1".into()), None),
                section("FLOOR", vec![], Some(5)),
            ],
            blocked: vec![],
        };
        Seating::new(&definition, &Chart::expand(&definition).unwrap())
    }

    fn chosen(map: &str, quantity: usize, sections: &[usize], gaps: GapPolicy) -> Option<String> {
        let rows = map.split('|').count() - 3;
        let seating = hall(rows, map.find('|').unwrap());
        shown(&seating, map, best(&seating, map.as_bytes(), quantity, sections, gaps, Together::Preferred))
    }

    /// The map with the chosen places marked.
    fn shown(seating: &Seating, map: &str, places: Option<Vec<usize>>) -> Option<String> {
        let places = places?;
        assert_eq!(seating.map().len(), map.len(), "{map}");
        let mut after = map.as_bytes().to_vec();
        for place in places {
            assert_eq!(after[place], FREE);
            after[place] = b'#';
        }
        Some(String::from_utf8(after).unwrap())
    }

    fn preferred(map: &str, quantity: usize) -> Option<String> {
        chosen(map, quantity, &[0, 1], GapPolicy::Prefer)
    }

    #[test]
    fn the_middle_of_the_first_row_is_the_best() {
        assert_eq!(preferred("......|......|......|.....|", 2).unwrap(), "..##..|......|......|.....|");
        assert_eq!(preferred(".......|.......|.......|.....|", 3).unwrap(), "..###..|.......|.......|.....|");
    }

    #[test]
    fn a_single_seat_is_not_left_behind_where_another_window_or_row_will_do() {
        assert_eq!(preferred("......|......|......|.....|", 3).unwrap(), "###...|......|......|.....|");
        assert_eq!(preferred("xx...x|......|......|.....|", 2).unwrap(), "xx...x|..##..|......|.....|");
        let off = chosen("xx...x|......|......|.....|", 2, &[0], GapPolicy::Off).unwrap();
        assert_eq!(off, "xx##.x|......|......|.....|");
    }

    #[test]
    fn a_single_seat_is_left_behind_where_nothing_else_will_do() {
        assert_eq!(preferred("xx...x|x...xx|xxxxxx|.....|", 2).unwrap(), "xx##.x|x...xx|xxxxxx|.....|");
    }

    #[test]
    fn then_comes_one_row_and_then_adjacent_ones() {
        assert_eq!(preferred(".x.x.x|.xx.x.|xxxxxx|.....|", 3).unwrap(), "#x#x#x|.xx.x.|xxxxxx|.....|");
        assert_eq!(preferred(".xxxxx|.xx.x.|xxxxxx|.....|", 4).unwrap(), "#xxxxx|#xx#x#|xxxxxx|.....|");
        assert_eq!(preferred(".xxxxx|xxxxxx|......|.....|", 7), None, "sections are not adjacent");
        assert_eq!(
            preferred(".xxxxx|xxxxxx|..xxxx|xxxxxx|.....|", 3),
            None,
            "nor are rows with a full one between"
        );
    }

    #[test]
    fn nothing_but_neighbours_will_do_where_that_is_required() {
        let neighbours = |map: &str, quantity| {
            let seating = hall(2, 6);
            let places =
                best(&seating, map.as_bytes(), quantity, &[0, 1], GapPolicy::Prefer, Together::Required);
            shown(&seating, map, places)
        };
        assert_eq!(neighbours(".x.xx.|..x...|xxxxxx|.....|", 3).unwrap(), ".x.xx.|..x###|xxxxxx|.....|");
        assert_eq!(neighbours(".x.xx.|..x...|xxxxxx|.....|", 4), None);
        assert_eq!(preferred(".x.xx.|..x...|xxxxxx|.....|", 4).unwrap(), ".x.xx.|##x##.|xxxxxx|.....|");
    }

    #[test]
    fn no_choice_goes_across_an_aisle() {
        let chosen = |seats: &str, map: &str, quantity| {
            let seating = hall_of(1, seats);
            let places =
                best(&seating, map.as_bytes(), quantity, &[0], GapPolicy::Prefer, Together::Preferred);
            shown(&seating, map, places).unwrap().split('|').take(2).collect::<Vec<_>>().join("|")
        };
        let free = "........|........|........|........|.....|";
        assert_eq!(chosen("1-8,11-18", free, 2), "......##|........");
        assert_eq!(chosen("1-8 | 9-16", free, 2), "......##|........");
        assert_eq!(chosen("1-8 | 9-16", free, 7), ".#######|........");
        let nearly_full = "xxxxxx..|..xxxxxx|........|........|.....|";
        assert_eq!(chosen("8-1 | 9-16", nearly_full, 3), "xxxxxx##|#.xxxxxx", "of one row, but not together");
    }

    #[test]
    fn of_some_sections_only() {
        let of_b = chosen("......|......|......|.....|", 2, &[1], GapPolicy::Prefer).unwrap();
        assert_eq!(of_b, "......|......|..##..|.....|");
        assert_eq!(available(&hall(2, 6), b"x.....|......|...xxx|.....|", &[0, 1]), 14);
        assert_eq!(available(&hall(2, 6), b"x.....|......|...xxx|.....|", &[1]), 3);
    }

    #[test]
    fn units_of_an_area_are_taken_from_the_first_on() {
        let seating = hall(1, 2);
        let area = &seating.areas()[0];
        assert_eq!(units(area, b"..|..|x.x..|", 2), [7, 9]);
        assert_eq!(units(area, b"..|..|xxxx.|", 2), [10]);
    }

    #[test]
    fn a_run_ends_at_an_aisle() {
        let gaps =
            |map: &str, chosen: &[usize]| avoidable_gaps(&hall_of(1, "1-4 | 5-8"), map.as_bytes(), chosen);
        let none: [usize; 0] = [];
        assert_eq!(gaps("....|....|....|....|.....|", &[2]), [3], "seat 4 stands at the aisle");
        assert_eq!(gaps("....|....|....|....|.....|", &[1, 2, 6]), [0, 3, 5]);
        assert_eq!(gaps("....|....|....|....|.....|", &[2, 3, 5, 6]), none);
        assert_eq!(gaps("...x|....|....|....|.....|", &[0, 5, 6]), none);
    }

    #[test]
    fn only_what_could_be_avoided_counts_as_a_gap() {
        let gaps = |map: &str, chosen: &[usize]| avoidable_gaps(&hall(1, 6), map.as_bytes(), chosen);
        let none: [usize; 0] = [];
        assert_eq!(gaps("......|......|.....|", &[1, 2]), [0]);
        assert_eq!(gaps("......|......|.....|", &[1, 3, 5]), [0, 2, 4]);
        assert_eq!(gaps("......|......|.....|", &[0, 1]), none);
        assert_eq!(gaps("xxx...|......|.....|", &[3, 4]), none, "two of three always leave one");
        assert_eq!(gaps("x.x...|......|.....|", &[4]), [3, 5], "what was single before is not looked at");
        assert_eq!(gaps("......|......|.....|", &[15]), none, "areas have no gaps");
    }

    proptest! {
        /// Whatever is free: enough seats in one row, or in two rows one behind the other, are found.
        #[test]
        fn enough_seats_of_one_row_are_never_refused(
            map in proptest::collection::vec(prop_oneof![Just(FREE), Just(TAKEN)], 24),
            quantity in 1_usize..7,
        ) {
            let seating = hall(3, 6);
            let mut full = seating.map().to_vec();
            let places: Vec<_> = seating.numbered().iter().flat_map(Row::span).collect();
            for (place, state) in places.iter().zip(map) {
                full[*place] = state;
            }
            let found = best(&seating, &full, quantity, &[0, 1], GapPolicy::Prefer, Together::Preferred);
            let free = |row: &Row| row.span().filter(|place| full[*place] == FREE).count();
            let most = seating.numbered().iter().map(free).max();
            if let Some(found) = &found {
                prop_assert_eq!(found.len(), quantity);
                prop_assert!(found.iter().all(|place| full[*place] == FREE));
                prop_assert!(found.windows(2).all(|pair| pair[0] < pair[1]));
            } else {
                prop_assert!(most < Some(quantity));
            }
        }

        /// Whatever a row looks like and is free in it: what is chosen as neighbours are neighbours, and no gap is seen
        /// across an aisle.
        #[test]
        fn no_choice_and_no_gap_goes_across_an_aisle(
            ranges in proptest::collection::vec((1_usize..6, 1_usize..4, any::<bool>(), any::<bool>()), 1..5),
            free in proptest::collection::vec(any::<bool>(), 32),
            quantity in 1_usize..5,
        ) {
            // Each range begins behind the one before it, at a distance that is at times further than its step.
            let mut seats = String::new();
            let mut from = 1;
            for (nth, (count, step, falls, aisle)) in ranges.iter().enumerate() {
                let (first, last) = (from, from + (count - 1) * step);
                let (first, last) = if *falls { (last, first) } else { (first, last) };
                seats += match (nth, aisle) { (0, _) => "", (_, true) => " | ", (_, false) => "," };
                seats.push_str(&[first.to_string(), "-".into(), last.to_string(), "/".into(), step.to_string()].concat());
                from += count * step;
            }
            let seating = hall_of(1, &seats);
            let row = &seating.numbered()[0];
            let mut map = seating.map().to_vec();
            for (place, free) in row.span().zip(&free) {
                if map[place] == FREE && !free {
                    map[place] = TAKEN;
                }
            }
            let found = best(&seating, &map, quantity, &[0], GapPolicy::Prefer, Together::Required);
            if let Some(found) = &found {
                prop_assert!(seating.together(found.clone()));
                prop_assert!(found.iter().all(|place| map[*place] == FREE));
            }
            let pieces = row.pieces.iter().map(|piece| row.start + piece.offset..row.start + piece.offset + piece.seats.len());
            let longest = pieces.clone().flat_map(|piece| runs(&map, piece)).map(|run| run.len()).max();
            prop_assert_eq!(found.is_some(), longest >= Some(quantity));
            for piece in pieces {
                let chosen: Vec<_> = runs(&map, piece.clone()).first().map(|run| run.start).into_iter().collect();
                prop_assert!(avoidable_gaps(&seating, &map, &chosen).iter().all(|gap| piece.contains(gap)));
            }
        }

        /// A single seat between taken ones can always be had.
        #[test]
        fn a_single_seat_is_no_gap(taken in proptest::collection::vec(any::<bool>(), 16)) {
            let seating = hall_of(1, "1-8 | 9-16");
            let mut map = seating.map().to_vec();
            for (place, _) in (0..16).zip(taken).filter(|(place, taken)| *taken && map[*place] == FREE).collect::<Vec<_>>() {
                map[place] = TAKEN;
            }
            for run in runs(&map, seating.numbered()[0].span()).into_iter().filter(|run| run.len() == 1) {
                prop_assert_eq!(avoidable_gaps(&seating, &map, &[run.start]), Vec::<usize>::new());
            }
        }
    }
}
