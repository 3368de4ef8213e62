//! What kubectl makes of words without quotes. It reads YAML 1.1 by its Go library, where `no` is false, `010` is 8 and `1_2`
//! is 12; in YAML 1.2 all of them are texts.

use serde_json::Number;

/// The boolean that it takes a word for, where YAML 1.2 has a text.
pub(super) fn boolean(word: &str) -> Option<bool> {
    match word {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

/// The number that it takes a word for: whole ones in any base, with underscores anywhere; else with a fraction.
pub(super) fn number(word: &str) -> Option<Number> {
    if !word.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.')) {
        return None;
    }
    let plain = if word.starts_with('.') { word.to_owned() } else { word.replace('_', "") };
    whole(&plain).or_else(|| fraction(&plain))
}

fn whole(text: &str) -> Option<Number> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = match (lower.get(..2), lower.as_str()) {
        (Some("0x"), _) => (16, &lower[2..]),
        (Some("0o"), _) => (8, &lower[2..]),
        (Some("0b"), _) => (2, &lower[2..]),
        (Some(_), octal) if octal.starts_with('0') => (8, &lower[1..]),
        (_, decimal) => (10, decimal),
    };
    // Rust would take another sign.
    let number = digits.bytes().all(|digit| digit.is_ascii_alphanumeric()).then_some(digits)?;
    let number = i128::from_str_radix(number, base).ok()?;
    let number = if negative { -number } else { number };
    u64::try_from(number).map(Number::from).or_else(|_| i64::try_from(number).map(Number::from)).ok()
}

fn fraction(text: &str) -> Option<Number> {
    let is_written_so =
        text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    text.parse().ok().filter(|_| is_written_so).and_then(Number::from_f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_what_the_go_library_takes_for_them() {
        for (word, read) in [
            ("2", "2"),
            ("02", "2"),
            ("010", "8"),
            ("08", "8.0"),
            ("1_2", "12"),
            ("1_", "1"),
            ("0x1F", "31"),
            ("0b11", "3"),
            ("0o17", "15"),
            ("-7", "-7"),
            ("+7", "7"),
            ("0", "0"),
            ("1.5", "1.5"),
            (".5", "0.5"),
            ("1e3", "1000.0"),
            ("7.", "7.0"),
        ] {
            assert_eq!(number(word).map(|number| number.to_string()).as_deref(), Some(read), "{word}");
        }
        for word in [
            "",
            "A",
            "_1",
            "1-4",
            "1-39/2",
            "0x",
            "--1",
            "+-1",
            "1A",
            "12E",
            ".",
            "-",
            "2099-03-01",
            "1.2.3",
            "infinity",
            ".inf",
        ] {
            assert_eq!(number(word), None, "{word}");
        }
    }
}
