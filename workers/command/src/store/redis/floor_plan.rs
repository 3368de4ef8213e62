//! Where seats stand, as `scripts/lib/map.lua` wants it: how `choose_and_hold.lua` finds seats without looking at each.

use boxoffice_domain::seating::{Row, Seating};
use boxoffice_domain::{Chart, Definition};

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
            let numbers = numbers(chart, row);
            (row.name.clone(), format!("{index} {} {} {numbers}", row.start, row.seats.len()))
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
    let numbers = [row.start, row.seats.len(), row.middle, row.section, neighbour(before), neighbour(behind)];
    // A chart has at most 200,000 seats.
    numbers.into_iter().flat_map(|number| u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes())
}

/// The numbers of a row's seats: `=first step` where they are evenly spaced, else each, with commas.
fn numbers(chart: &Chart, row: &Row) -> String {
    let labels: Vec<&str> = row
        .seats
        .iter()
        .filter_map(|seat| chart.seats().get(*seat))
        .map(|seat| seat.number.as_str())
        .collect();
    evenly_spaced(&labels).unwrap_or_else(|| labels.join(","))
}

fn evenly_spaced(labels: &[&str]) -> Option<String> {
    let number = |label: &&str| label.parse::<u32>().ok().filter(|number| number.to_string() == **label);
    let numbers = labels.iter().map(number).collect::<Option<Vec<_>>>()?;
    let first = numbers.first()?;
    let step =
        numbers.get(1).map_or(Some(1), |second| second.checked_sub(*first)).filter(|step| *step > 0)?;
    let even = numbers.windows(2).all(|pair| matches!(pair, [a, b] if b.checked_sub(*a) == Some(step)));
    even.then(|| format!("={first} {step}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evenly_spaced_numbers_are_told_by_the_first_and_the_step() {
        assert_eq!(evenly_spaced(&["1", "3", "5"]).as_deref(), Some("=1 2"));
        assert_eq!(evenly_spaced(&["7"]).as_deref(), Some("=7 1"));
        for odd in [vec!["1", "2", "4"], vec!["01", "02"], vec!["2", "1"], vec!["A", "B"], vec![]] {
            assert_eq!(evenly_spaced(&odd), None, "{odd:?}");
        }
    }
}
