//! The issuer's key as it is given: on the command line, in a Secret, in a file.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// A key as text. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyText(String);

impl KeyText {
    /// The text, without the line ends that files have and keys do not.
    pub fn as_str(&self) -> &str {
        self.0.trim_end_matches(['\r', '\n'])
    }
}

impl From<String> for KeyText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl FromStr for KeyText {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyText(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_printed() {
        assert_eq!(format!("{:?}", KeyText::from("secret".to_owned())), "KeyText(..)");
    }
}
