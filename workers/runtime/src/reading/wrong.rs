//! What is wrong with what was written, and where. A type that is being read says so too (`missing_field` and the like).

use std::fmt::{self, Display};

use serde::de::{Error, Expected, Unexpected};

use super::words::{not_allowed, unknown};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Where: `a.b[2].c`; empty where it is the whole.
    field: String,
    problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Problem {
    /// There is no field of that name, but these.
    Unknown(String, &'static [&'static str]),
    Other(String),
}

impl Wrong {
    /// Something wrong with the whole.
    pub(super) fn whole(problem: impl Into<String>) -> Self {
        Self::here(problem)
    }

    /// Something wrong at the place that is being read.
    pub(super) fn here(problem: impl Into<String>) -> Self {
        Self { field: String::new(), problem: Problem::Other(problem.into()) }
    }

    /// The same, within an entry of a list.
    pub(super) fn in_entry(mut self, index: usize) -> Self {
        let dot = if self.field.is_empty() || self.field.starts_with('[') { "" } else { "." };
        self.field = format!("[{index}]{dot}{}", self.field);
        self
    }

    /// The same, within a field.
    pub(super) fn in_field(mut self, name: &str) -> Self {
        let dot = if self.field.is_empty() || self.field.starts_with('[') { "" } else { "." };
        self.field = format!("{name}{dot}{}", self.field);
        self
    }

    /// Where it is: `a.b[2].c`; empty where it is the whole.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// What is wrong there, and the fix; `what` is what a field is called: a field, or a parameter.
    pub fn problem(&self, what: &str) -> String {
        match &self.problem {
            Problem::Unknown(name, known) => unknown(what, name, known),
            Problem::Other(problem) => problem.clone(),
        }
    }

    /// All of it in one line; `whole` is what the whole is called.
    pub fn told(&self, whole: &str, what: &str) -> String {
        let field = if self.field.is_empty() { whole } else { &self.field };
        format!("{field}: {}", self.problem(what))
    }
}

impl Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told("document", "field"))
    }
}

impl std::error::Error for Wrong {}

impl Error for Wrong {
    fn custom<T: Display>(problem: T) -> Self {
        Self::here(problem.to_string())
    }

    fn invalid_type(given: Unexpected<'_>, _: &dyn Expected) -> Self {
        Self::invalid_value(given, &"")
    }

    /// Types that look at values themselves cannot say in our words what they expect.
    fn invalid_value(given: Unexpected<'_>, _: &dyn Expected) -> Self {
        let given = match given {
            Unexpected::Bool(value) => value.to_string(),
            Unexpected::Unsigned(number) => number.to_string(),
            Unexpected::Signed(number) => number.to_string(),
            Unexpected::Float(number) => number.to_string(),
            Unexpected::Str(text) => format!("{text:?}"),
            Unexpected::Unit | Unexpected::Option => "null".to_owned(),
            Unexpected::Seq => "a list".to_owned(),
            Unexpected::Map => "an object".to_owned(),
            _ => "what is given".to_owned(),
        };
        Self::here(format!("{given} does not fit here: see the documentation of this field"))
    }

    fn invalid_length(length: usize, _: &dyn Expected) -> Self {
        Self::here(format!("{length} entries do not fit here: see the documentation of this field"))
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        Self::here(not_allowed(&format!("{word:?}"), word, known))
    }

    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        Self { field: name.to_owned(), problem: Problem::Unknown(name.to_owned(), known) }
    }

    fn missing_field(name: &'static str) -> Self {
        Self::here("missing: add it").in_field(name)
    }

    fn duplicate_field(name: &'static str) -> Self {
        Self::here("is there more than once: give it once").in_field(name)
    }
}
