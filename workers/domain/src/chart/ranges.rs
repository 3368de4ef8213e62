//! The text that describes rows or seats, such as `"39-1/2 | 2-40/2"`: parsed and counted before the first name is made,
//! so that a short text cannot ask for gigabytes.

use crate::ids::is_label;

const NEITHER: &str =
    "is neither a range such as \"1-40\" nor a label of 1 to 32 letters, digits and underscores";

/// What a text names, in its order.
#[derive(Debug)]
pub struct Ranges(Vec<Range>);

/// A piece of the text between commas and aisles.
#[derive(Debug)]
struct Range {
    /// Whether a `|` stands in front of it.
    behind_aisle: bool,
    names: Names,
}

#[derive(Debug)]
enum Names {
    /// Any label: `7`, `W1`.
    One(String),
    /// `1-40`, `39-1/2`, `01-03`: numbers that rise or fall, with zeros in front up to `width` digits.
    Numbers { first: u64, last: u64, step: u64, width: usize },
}

/// One name.
#[derive(Debug, Clone)]
pub struct Name {
    /// As it is written in a seat's id.
    pub text: String,
    number: Option<u64>,
    step: u64,
    behind_aisle: bool,
}

impl Name {
    /// Whether it is the neighbour of `before`, which comes before it in the row's text: no aisle stands between them,
    /// and their numbers are no further apart than the larger step of the two ranges.
    pub fn adjoins(&self, before: &Self) -> bool {
        let near = match (before.number, self.number) {
            (Some(a), Some(b)) => a.abs_diff(b) <= before.step.max(self.step),
            _ => true,
        };
        near && !self.behind_aisle
    }
}

impl Ranges {
    /// The one row `label`.
    pub fn one(label: &str) -> Self {
        Self(vec![Range { behind_aisle: false, names: Names::One(label.to_owned()) }])
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
        let ranges = parts.map(|(behind_aisle, part)| match Names::parse(part) {
            Ok(names) => Ok(Range { behind_aisle, names }),
            Err(problem) if part.is_empty() || part == text => Err(format!("{text:?} {problem}")),
            Err(problem) => Err(format!("{part:?} in {text:?} {problem}")),
        });
        ranges.collect::<Result<_, _>>().map(Self)
    }

    /// How many names they are.
    pub fn count(&self) -> u64 {
        self.0.iter().fold(0, |count, range| range.names.count().saturating_add(count))
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = Name> {
        self.0.iter().flat_map(|range| (0..range.names.count()).map(|nth| range.name(nth)))
    }
}

impl Range {
    fn name(&self, nth: u64) -> Name {
        let behind_aisle = self.behind_aisle && nth == 0;
        match &self.names {
            Names::One(label) => Name { text: label.clone(), number: number(label), step: 1, behind_aisle },
            Names::Numbers { first, last, step, width } => {
                let by = nth * step;
                let number = if first <= last { first + by } else { first - by };
                Name { text: padded(number, *width), number: Some(number), step: *step, behind_aisle }
            }
        }
    }
}

impl Names {
    fn parse(part: &str) -> Result<Self, &'static str> {
        if part.is_empty() {
            return Err("names nothing beside a comma or an aisle: write \"1-4,6-9\" or \"1-4 | 5-8\"");
        }
        let Some((from, rest)) = part.split_once('-') else {
            return if is_label(part) { Ok(Self::One(part.to_owned())) } else { Err(NEITHER) };
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
}

/// The number that `text` is, where it has no more digits than a script in Redis can count with.
fn number(text: &str) -> Option<u64> {
    let is_number = (1..=15).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

fn padded(number: u64, width: usize) -> String {
    format!("{number:0width$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names with what stands between them: `-` between neighbours, a space between others.
    fn seats(text: &str) -> String {
        let names: Vec<_> = Ranges::of_seats(text).unwrap().names().collect();
        let mut shown = names[0].text.clone();
        for pair in names.windows(2) {
            shown.push(if pair[1].adjoins(&pair[0]) { '-' } else { ' ' });
            shown.push_str(&pair[1].text);
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
