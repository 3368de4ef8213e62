//! The text that describes rows or seats, such as `"39-1/2 | 2-40/2"`: parsed and counted before the first name is made,
//! so that a short text cannot ask for gigabytes.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::ids::is_label;

const NEITHER: &str =
    "is neither a range such as \"1-40\" nor a label of 1 to 32 letters, digits and underscores";

/// What a text names, in its order.
#[derive(Debug, Clone, Default)]
pub struct Ranges {
    parts: Vec<Range>,
    /// By name, where there are so many parts that looking through them takes long.
    index: HashMap<Box<str>, u32>,
}

/// Most parts that are looked through.
const FEW: usize = 16;

/// A piece of the text between commas and aisles.
#[derive(Debug, Clone)]
struct Range {
    /// How many names come before it.
    first: u64,
    /// Whether its first name is the neighbour of the one before: no aisle stands between them, and their numbers are no
    /// further apart than the larger step of the two ranges.
    adjoins: bool,
    names: Names,
}

#[derive(Debug, Clone)]
enum Names {
    /// Any label: `7`, `W1`.
    One(Box<str>),
    /// `1-40`, `39-1/2`, `01-03`: numbers that rise or fall, with zeros in front up to `width` digits.
    Numbers { first: u64, last: u64, step: u64, width: usize },
}

/// The first or the last name of a range, as far as it matters to neighbours.
#[derive(Debug, Clone, Copy)]
pub struct End {
    number: Option<u64>,
    step: u64,
}

impl End {
    /// Whether the numbers are close enough for neighbours.
    pub fn is_near(self, other: Self) -> bool {
        match (self.number, other.number) {
            (Some(a), Some(b)) => a.abs_diff(b) <= self.step.max(other.step),
            (None, _) | (_, None) => true,
        }
    }
}

impl Ranges {
    /// The one row `label`.
    pub fn one(label: &str) -> Self {
        Self::of([(false, Names::One(label.into()))])
    }

    /// The numbers from 1 to `last`.
    pub fn up_to(last: u32) -> Self {
        Self::of([(false, Names::Numbers { first: 1, last: last.into(), step: 1, width: 0 })])
    }

    /// Names, each with whether they stand behind an aisle.
    fn of(names: impl IntoIterator<Item = (bool, Names)>) -> Self {
        let (mut parts, mut first) = (Vec::new(), 0_u64);
        let mut before: Option<End> = None;
        for (behind_aisle, names) in names {
            let (begin, end) = names.ends();
            let adjoins = before.is_some_and(|before| !behind_aisle && begin.is_near(before));
            let count = names.count();
            parts.push(Range { first, adjoins, names });
            first = first.saturating_add(count);
            before = Some(end);
        }
        Self { parts, index: HashMap::new() }
    }

    /// Rows: ranges and labels with commas.
    ///
    /// # Errors
    /// What is wrong, and what to write.
    pub fn of_rows(text: &str) -> Result<Self, String> {
        if text.contains('|') {
            return Err(format!(
                "{text:?} has an aisle, which stands between seats alone: write \"1-4,6-9\""
            ));
        }
        Self::of_seats(text)
    }

    /// The seats of a row: the same, with `|` where an aisle is.
    ///
    /// # Errors
    /// What is wrong, and what to write.
    pub fn of_seats(text: &str) -> Result<Self, String> {
        let sides = text.split('|').enumerate();
        let parts = sides.flat_map(|(side, parts)| {
            parts.split(',').enumerate().map(move |(nth, part)| (side > 0 && nth == 0, part.trim()))
        });
        let names = parts.map(|(behind_aisle, part)| match Names::parse(part) {
            Ok(names) => Ok((behind_aisle, names)),
            Err(problem) if part.is_empty() || part == text => Err(format!("{text:?} {problem}")),
            Err(problem) => Err(format!("{part:?} in {text:?} {problem}")),
        });
        names.collect::<Result<Vec<_>, _>>().map(Self::of)
    }

    /// How many names they are.
    pub fn count(&self) -> u64 {
        self.parts.last().map_or(0, |last| last.first.saturating_add(last.names.count()))
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.parts.iter().flat_map(|part| (0..part.names.count()).map(|nth| part.names.nth(nth)))
    }

    /// Has names found soon, also where there are many parts.
    ///
    /// # Errors
    /// The first name that comes twice.
    pub fn index(&mut self) -> Result<(), String> {
        if self.parts.len() == 1 {
            return Ok(());
        }
        let mut index = HashMap::new();
        for (nth, name) in (0..).zip(self.names()) {
            if index.insert(name.as_ref().into(), nth).is_some() {
                return Err(name.into_owned());
            }
        }
        if self.is_irregular() {
            self.index = index;
        }
        Ok(())
    }

    /// Whether there are so many parts that names are found by an index.
    fn is_irregular(&self) -> bool {
        self.parts.len() > FEW
    }

    /// The name at a place.
    pub fn nth(&self, nth: u32) -> Option<Cow<'_, str>> {
        let nth = u64::from(nth);
        let part = self.part_at(nth)?;
        (nth - part.first < part.names.count()).then(|| part.names.nth(nth - part.first))
    }

    /// The place of a name.
    pub fn position(&self, name: &str) -> Option<u32> {
        if self.is_irregular() {
            return self.index.get(name).copied();
        }
        let number = number(name);
        let found = self.parts.iter().find_map(|part| Some(part.first + part.names.position(name, number)?));
        found.and_then(|nth| u32::try_from(nth).ok())
    }

    /// Whether the name at a place is the neighbour of the one before; never the first.
    pub fn adjoins(&self, nth: u32) -> bool {
        let nth = u64::from(nth);
        self.part_at(nth).is_some_and(|part| part.first < nth || part.adjoins)
    }

    /// Places of names that are no neighbours of the one before: the first, and those behind an aisle or a gap.
    pub fn breaks(&self) -> impl Iterator<Item = u64> {
        self.parts.iter().filter(|part| !part.adjoins).map(|part| part.first)
    }

    /// The first and the last name.
    pub fn ends(&self) -> Option<(End, End)> {
        Some((self.parts.first()?.names.ends().0, self.parts.last()?.names.ends().1))
    }

    fn part_at(&self, nth: u64) -> Option<&Range> {
        let behind = self.parts.partition_point(|part| part.first <= nth);
        self.parts.get(behind.checked_sub(1)?)
    }
}

impl Names {
    fn parse(part: &str) -> Result<Self, &'static str> {
        if part.is_empty() {
            return Err("names nothing beside a comma or an aisle: write \"1-4,6-9\" or \"1-4 | 5-8\"");
        }
        let Some((from, rest)) = part.split_once('-') else {
            return if is_label(part) { Ok(Self::One(part.into())) } else { Err(NEITHER) };
        };
        let (to, step) = rest.split_once('/').unwrap_or((rest, "1"));
        let (Some(first), Some(last)) = (number(from), number(to)) else {
            return Err("does not go from a number to a number: write \"1-40\" or \"40-1\"");
        };
        let Some(step) = number(step).filter(|step| *step > 0) else {
            return Err("has a step that is no number above 0: write \"1-39/2\" for every second one");
        };
        let zeros = [from, to].into_iter().filter(|end| end.len() > 1 && end.starts_with('0'));
        let width = zeros.map(str::len).max().unwrap_or(0);
        if padded(first, width) != from || padded(last, width) != to {
            return Err("has zeros in front of one end alone: write \"01-10\" or \"1-10\"");
        }
        Ok(Self::Numbers { first, last, step, width })
    }

    fn count(&self) -> u64 {
        match self {
            Self::One(_) => 1,
            Self::Numbers { first, last, step, .. } => first.abs_diff(*last) / step + 1,
        }
    }

    fn nth(&self, nth: u64) -> Cow<'_, str> {
        match self {
            Self::One(label) => Cow::Borrowed(label),
            Self::Numbers { first, last, step, width } => {
                let by = nth * step;
                Cow::Owned(padded(if first <= last { first + by } else { first - by }, *width))
            }
        }
    }

    /// The place of a name that is this number, if it is one.
    fn position(&self, name: &str, number: Option<u64>) -> Option<u64> {
        match self {
            Self::One(label) => (**label == *name).then_some(0),
            Self::Numbers { first, last, step, width } => {
                let number = number?;
                let is_within = (*first.min(last)..=*first.max(last)).contains(&number);
                let by = first.abs_diff(number);
                (is_within && by % step == 0 && is_padded(name, number, *width)).then(|| by / step)
            }
        }
    }

    fn ends(&self) -> (End, End) {
        match self {
            Self::One(label) => {
                let end = End { number: number(label), step: 1 };
                (end, end)
            }
            Self::Numbers { first, last, step, .. } => {
                let end = |number| End { number: Some(number), step: *step };
                let by = (self.count() - 1) * step;
                (end(*first), end(if first <= last { first + by } else { first - by }))
            }
        }
    }
}

/// The number that `text` is, where it has no more digits than a script in Redis can count with.
fn number(text: &str) -> Option<u64> {
    let is_number = (1..=15).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

fn padded(number: u64, width: usize) -> String {
    format!("{number:0width$}")
}

/// Whether `name`, which is `number`, is written with zeros up to `width` digits and no more.
fn is_padded(name: &str, number: u64, width: usize) -> bool {
    let digits = number.checked_ilog10().map_or(1, |log| log as usize + 1);
    name.len() == digits.max(width)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names with what stands between them: `-` between neighbours, a space between others.
    fn seats(text: &str) -> String {
        let mut ranges = Ranges::of_seats(text).unwrap();
        ranges.index().unwrap();
        let mut shown = String::new();
        for (nth, name) in (0..).zip(ranges.names()) {
            assert_eq!(ranges.nth(nth).unwrap(), name);
            assert_eq!(ranges.position(&name), Some(nth), "{name}");
            if nth > 0 {
                shown.push(if ranges.adjoins(nth) { '-' } else { ' ' });
            }
            shown.push_str(&name);
        }
        shown
    }

    #[test]
    fn ranges_rise_and_fall_in_steps() {
        assert_eq!(seats("1-4"), "1-2-3-4");
        assert_eq!(seats("1-6/2"), "1-3-5");
        assert_eq!(seats("4-1"), "4-3-2-1");
        assert_eq!(seats("6-1/2"), "6-4-2");
        assert_eq!(seats("7-7"), "7");
    }

    #[test]
    fn zeros_in_front_are_kept() {
        assert_eq!(seats("01-03"), "01-02-03");
        assert_eq!(seats("03-01"), "03-02-01");
        assert_eq!(seats("08-12"), "08-09-10-11-12");
        assert_eq!(seats("8-12"), "8-9-10-11-12");
        assert_eq!(seats("099-101"), "099-100-101");
        assert_eq!(seats("98-100,007"), "98-99-100 007");
        assert_eq!(seats("0-2"), "0-1-2");
    }

    #[test]
    fn neighbours_follow_each_other_unless_an_aisle_or_a_gap_is_between() {
        assert_eq!(seats("1-2,5-6"), "1-2 5-6");
        assert_eq!(seats("1-2 | 3-4"), "1-2 3-4");
        assert_eq!(seats("1-2|3-4,5"), "1-2 3-4-5");
        assert_eq!(seats("3-1/2,2-4/2"), "3-1-2-4", "the two halves of a row meet in its middle");
        assert_eq!(seats("1-3/2,2-4/2"), "1-3-2-4");
        assert_eq!(seats("1-5/2,2-4/2"), "1-3-5 2-4");
        assert_eq!(seats("1-5/2,6"), "1-3-5-6");
        assert_eq!(seats("1-5/2,8"), "1-3-5 8");
        assert_eq!(seats("1,3"), "1 3", "a single number has the step 1");
        assert_eq!(seats("A,B,1-2,X"), "A-B-1-2-X", "what has no number is not far away");
    }

    #[test]
    fn what_is_not_among_them_has_no_place() {
        let mut ranges = Ranges::of_seats("01-39/2 | 42-40/2,X,7a").unwrap();
        ranges.index().unwrap();
        for name in ["1", "001", "02", "41", "41", "43", "044", "x", "7", "", "+1", "99999999999999999999"] {
            assert_eq!(ranges.position(name), None, "{name}");
        }
        assert_eq!(
            (ranges.position("39"), ranges.position("40"), ranges.nth(24)),
            (Some(19), Some(21), None)
        );
        assert!(!ranges.adjoins(0), "nothing comes before it");
    }

    #[test]
    fn many_parts_are_found_as_few_are() {
        let text = (0..1000).map(|n| format!("{}-{},L{n}", n * 10, n * 10 + 8)).collect::<Vec<_>>().join(",");
        assert!(seats(&text).ends_with("9998 L999".replace(' ', "-").as_str()));
        let mut twice = Ranges::of_seats(&format!("{text},L7")).unwrap();
        assert_eq!(twice.index(), Err("L7".to_owned()));
    }

    #[test]
    fn they_are_counted_without_being_named() {
        let count = |text: &str| Ranges::of_seats(text).unwrap().count();
        assert_eq!(count("1-40"), 40);
        assert_eq!(count("39-1/2,2-40/2 | X"), 41);
        assert_eq!(count("1-999999999999999,1-999999999999999"), 2 * 999_999_999_999_999);
    }

    #[test]
    fn what_is_malformed_is_told_with_what_to_write() {
        for (text, problem) in [
            ("", "names nothing beside a comma or an aisle"),
            ("1-4,", "names nothing beside a comma or an aisle"),
            ("| 1-4", "names nothing beside a comma or an aisle"),
            ("1-4 | ,5", "names nothing beside a comma or an aisle"),
            ("a b", "\"a b\" is neither a range"),
            ("5/2", "\"5/2\" is neither a range"),
            ("1-", "\"1-\" does not go from a number to a number"),
            ("7,A-C", "\"A-C\" in \"7,A-C\" does not go from a number to a number"),
            ("1--4", "does not go from a number to a number"),
            ("+1-4", "does not go from a number to a number"),
            ("1-9999999999999999", "does not go from a number to a number"),
            ("1-4/0", "has a step that is no number above 0"),
            ("1-4/x", "has a step that is no number above 0"),
            ("1-03", "zeros in front of one end alone"),
            ("001-03", "zeros in front of one end alone"),
        ] {
            let told = Ranges::of_seats(text).unwrap_err();
            assert!(told.contains(problem), "{text}: {told}");
        }
        assert!(Ranges::of_rows("1-2 | 3").unwrap_err().contains("has an aisle"));
        assert_eq!(Ranges::of_rows("03-01,AA").unwrap().count(), 4);
    }
}
