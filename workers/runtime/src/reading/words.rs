//! How people say what is expected.

/// `a`, `a or b`, `a, b or c`.
pub fn list(words: &[&str]) -> String {
    match words {
        [] => "nothing".to_owned(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// The word that was meant, if one is near.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |known: &str| strsim::osa_distance(&word.to_lowercase(), &known.to_lowercase());
    let nearest = known.into_iter().map(|known| (distance(known), known)).min()?;
    (nearest.0 <= 1 + word.chars().count() / 4).then_some(nearest.1)
}

/// What to do about a field that there is not; `what` is what it is called.
pub fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        _ if known.is_empty() => format!("unknown {what}: remove it, there is none here"),
        Some(meant) => format!("unknown {what}: did you mean {meant}?"),
        None => format!("unknown {what}: remove it, or write {}", list(known)),
    }
}

/// What to write in place of a word that there is not; `shown` is how it is shown.
pub fn not_allowed(shown: &str, word: &str, known: &[&str]) -> String {
    let meant = nearest(word, known.iter().copied());
    let meant = meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
    format!("{shown} is not allowed: write {}{meant}", list(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_meant_when_it_is_near() {
        assert_eq!(nearest("replcas", ["replicas", "resources"]), Some("replicas"));
        assert_eq!(nearest("startsat", ["startsAt", "sales"]), Some("startsAt"));
        assert_eq!(nearest("colour", ["replicas", "resources"]), None);
    }

    #[test]
    fn words_are_listed_as_one_says_them() {
        assert_eq!(list(&["a", "b", "c"]), "a, b or c");
        assert_eq!(list(&["a"]), "a");
    }

    #[test]
    fn what_there_is_not_is_told_with_what_there_is() {
        assert_eq!(
            unknown("parameter", "sections", &["section"]),
            "unknown parameter: did you mean section?"
        );
        assert_eq!(
            unknown("field", "colour", &["row", "seats"]),
            "unknown field: remove it, or write row or seats"
        );
        assert_eq!(unknown("parameter", "x", &[]), "unknown parameter: remove it, there is none here");
        assert_eq!(
            not_allowed("\"of\"", "of", &["off", "prefer"]),
            "\"of\" is not allowed: write off or prefer; did you mean off?"
        );
    }
}
