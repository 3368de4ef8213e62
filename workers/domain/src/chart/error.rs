//! Why ranges do not describe a chart.

use super::MAX_SEATS;

/// See the module. Every message names the field and the fix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}", self.field(), self.problem())]
pub enum ChartError {
    /// A range that does not parse.
    Range {
        /// Where it stands.
        field: String,
        /// The text.
        range: String,
        /// What is wrong with it, and what to write.
        problem: String,
    },
    /// A range that gives a seat twice.
    Repeated {
        /// Where it stands.
        field: String,
        /// The seat.
        key: String,
    },
    /// Two ranges that give the same seat.
    Duplicate {
        /// The seat.
        key: String,
        /// The range that gave it first.
        first: String,
        /// The range that gave it again.
        second: String,
    },
    /// A section or rows entry that says too much or too little.
    Shape {
        /// Where it stands.
        field: String,
        /// What is wrong, and the fix.
        problem: &'static str,
    },
    /// A section whose price category is not declared.
    PriceCategory {
        /// Where it stands.
        field: String,
        /// The name.
        name: String,
    },
    /// A blocked seat that the chart does not have.
    UnknownBlocked {
        /// Index into `blocked`.
        index: usize,
        /// The key.
        key: String,
    },
    /// More seats than one SeatingEvent may have.
    TooMany,
    /// No seats at all.
    Empty,
}

impl ChartError {
    /// The field of the definition that it is about.
    pub fn field(&self) -> String {
        match self {
            Self::Range { field, .. }
            | Self::Repeated { field, .. }
            | Self::Duplicate { second: field, .. }
            | Self::Shape { field, .. }
            | Self::PriceCategory { field, .. } => field.clone(),
            Self::UnknownBlocked { index, .. } => format!("blocked[{index}]"),
            Self::TooMany | Self::Empty => "sections".to_owned(),
        }
    }

    /// What is wrong there, and the fix; for who names the field already.
    pub fn problem(&self) -> String {
        self.problem_below("")
    }

    /// The whole of it where the definition is a part of something else: `below` is the path to it, such as `spec.`.
    pub fn told_below(&self, below: &str) -> String {
        format!("{below}{}: {}", self.field(), self.problem_below(below))
    }

    /// What is wrong there, with other fields by their whole path.
    pub fn problem_below(&self, below: &str) -> String {
        match self {
            Self::Range { problem, .. } => problem.clone(),
            Self::Repeated { key, .. } => format!("gives seat {key} twice: name it once"),
            Self::Duplicate { key, first, .. } => {
                format!("gives seat {key}, which {below}{first} gives too: let the ranges not overlap")
            }
            Self::Shape { problem, .. } => (*problem).to_owned(),
            Self::PriceCategory { name, .. } => {
                format!("price category {name:?} is not in {below}priceCategories")
            }
            Self::UnknownBlocked { key, .. } => format!("there is no seat {key}"),
            Self::TooMany => {
                format!("more than {MAX_SEATS} seats: split the show into several SeatingEvents")
            }
            Self::Empty => "there is no seat: give a section rows or a capacity".to_owned(),
        }
    }
}
