//! Under which history of the store something was read or written.
//!
//! A store whose server was replaced by one that knows less, or something else, has another history from then on, and
//! the same sequences may be given again. Whoever keeps a sequence keeps the history with it. Histories are compared,
//! and nothing else: none is before or after another one.

use std::fmt;
use std::sync::Arc;

/// See the module. Cheap to copy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct History(Arc<str>);

impl History {
    /// The history that a store calls so; its name is one word.
    pub fn named(name: &str) -> Self {
        Self(name.into())
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The beginning of each of its parts: enough for people to tell two apart.
    pub fn in_short(&self) -> String {
        let parts: Vec<_> = self.0.split(':').map(|part| part.get(..8).unwrap_or(part)).collect();
        parts.join(":")
    }
}

/// The history of a store that never has another one.
impl Default for History {
    fn default() -> Self {
        Self::named("only")
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialEq<History> for String {
    fn eq(&self, other: &History) -> bool {
        **self == *other.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_short_it_is_the_beginning_of_each_part() {
        assert_eq!(History::named("0123456789abcdef:fedcba9876543210").in_short(), "01234567:fedcba98");
        assert_eq!(History::default().in_short(), "only");
    }
}
