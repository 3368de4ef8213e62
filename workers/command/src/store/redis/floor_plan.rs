//! Where seats stand, as `scripts/lib/map.lua` wants it: how `choose_and_hold.lua` finds seats without looking at each.

use boxoffice_domain::seating::{Piece, Row, Seating};
use boxoffice_domain::{Chart, ChartSeat, Definition};

use super::invocation::ScriptInvocation;

/// A SeatingEvent's seats on a map.
#[derive(Debug, PartialEq, Eq)]
pub struct FloorPlan {
    map: Vec<u8>,
    rows: Vec<u8>,
    layout: Vec<(String, String)>,
}

impl FloorPlan {
    /// The plan of a definition.
    pub fn new(chart: &Chart, seating: &Seating) -> Self {
        let mut layout = Vec::with_capacity(2 * seating.rows().len());
        let entry = |index: &str, row: &Row| {
            let pieces: Vec<_> =
                row.pieces.iter().map(|it| format!("{}={}", it.offset, numbers(chart, it))).collect();
            (row.name.clone(), format!("{index} {} {} {}", row.start, row.span().len(), pieces.join("|")))
        };
        for (index, row) in seating.numbered().iter().enumerate() {
            layout.push(entry(&index.to_string(), row));
            layout.push((format!("#{index}"), row.name.clone()));
        }
        layout.extend(seating.areas().iter().map(|area| entry("-1", area)));
        let rows = seating.numbered().iter().flat_map(record).collect();
        Self { map: seating.map().to_vec(), rows, layout }
    }

    /// Tells it to a script that includes `lib/floor_plan.lua`.
    pub fn tell(&self, run: &mut ScriptInvocation<'_>) {
        run.arg(&self.map).arg(&self.rows);
        for (field, value) in &self.layout {
            run.arg(field).arg(value);
        }
    }
}

/// Whether two definitions have the same plan. Prices, blocks and everything else about the sale do not touch it.
pub fn is_alike(one: &Definition, other: &Definition) -> bool {
    one.sections == other.sections && one.focal_point == other.focal_point
}

/// A row of numbered seats in 24 bytes.
fn record(row: &Row) -> impl Iterator<Item = u8> {
    let neighbour = |index: Option<usize>| index.map_or(0, |index| index + 1);
    let [before, behind] = row.neighbours;
    let numbers =
        [row.start, row.span().len(), row.middle, row.section, neighbour(before), neighbour(behind)];
    // A chart has at most 200,000 seats.
    numbers.into_iter().flat_map(|number| u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes())
}

/// The numbers of a piece's seats: `first step count width` where they are evenly spaced, else each, with commas.
fn numbers(chart: &Chart, piece: &Piece) -> String {
    let seats = piece.seats.clone().filter_map(|seat| chart.seat(seat));
    let labels: Vec<_> = seats.map(ChartSeat::number).collect();
    evenly_spaced(&labels).unwrap_or_else(|| labels.join(","))
}

fn evenly_spaced<T: AsRef<str>>(labels: &[T]) -> Option<String> {
    let labels = || labels.iter().map(AsRef::as_ref);
    let width = labels().find(|label| label.len() > 1 && label.starts_with('0')).map_or(0, str::len);
    let number =
        |label: &str| label.parse().ok().filter(|number: &i64| format!("{number:0width$}") == *label);
    let numbers = labels().map(number).collect::<Option<Vec<i64>>>()?;
    let (first, last) = (numbers.first()?, numbers.last()?);
    let step = numbers.get(1).map_or(1, |second| second - first);
    let even = step != 0 && numbers.windows(2).all(|pair| matches!(pair, [a, b] if b - a == step));
    (even && *first.max(last) < EXACT).then(|| format!("{first} {step} {} {width}", numbers.len()))
}

/// Lua counts in floating point: below this it is exact.
const EXACT: i64 = 1_000_000_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evenly_spaced_numbers_are_told_by_the_first_and_the_step() {
        for (labels, told) in [
            (vec!["1", "3", "5"], "1 2 3 0"),
            (vec!["5", "3", "1"], "5 -2 3 0"),
            (vec!["7"], "7 1 1 0"),
            (vec!["01", "02"], "1 1 2 2"),
            (vec!["11", "10", "09"], "11 -1 3 2"),
            (vec!["0", "1"], "0 1 2 0"),
        ] {
            assert_eq!(evenly_spaced(&labels).as_deref(), Some(told), "{labels:?}");
        }
        let large = "1000000000000000";
        for odd in [vec!["1", "2", "4"], vec!["01", "2"], vec!["2", "2"], vec!["A", "B"], vec![large], vec![]]
        {
            assert_eq!(evenly_spaced(&odd), None, "{odd:?}");
        }
    }
}
