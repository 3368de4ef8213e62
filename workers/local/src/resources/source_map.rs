//! The line of every field of a YAML file, by the field's path: `spec.sections[0].id`.
//!
//! And which texts stand there without quotes although kubectl takes them for booleans or numbers (`yaml_1_1`).

use std::collections::HashMap;

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, ScanError, YamlData};
use serde_json::Number;

use super::yaml_1_1::{boolean, number};

/// Where the fields of one YAML document stand.
#[derive(Debug, Default)]
pub(super) struct SourceMap {
    lines: HashMap<String, usize>,
    booleans: HashMap<String, bool>,
    numbers: HashMap<String, (String, Number)>,
}

/// The source map of each document of a file.
pub(super) fn source_maps(content: &str) -> Result<Vec<SourceMap>, ScanError> {
    let documents = MarkedYaml::load_from_str(content)?;
    let content: Vec<char> = content.chars().collect();
    Ok(documents.iter().map(|document| SourceMap::of(document, &content)).collect())
}

impl SourceMap {
    fn of(document: &MarkedYaml<'_>, content: &[char]) -> Self {
        let mut map = Self::default();
        map.note(String::new(), document.span.start.line(), document, content);
        map
    }

    fn note(&mut self, field: String, line: usize, node: &MarkedYaml<'_>, content: &[char]) {
        match &node.data {
            YamlData::Mapping(mapping) => {
                for (key, value) in mapping {
                    if let Some(key_text) = text(key) {
                        self.note(below(&field, &key_text), key.span.start.line(), value, content);
                    }
                }
            }
            YamlData::Sequence(list) => {
                for (index, item) in list.iter().enumerate() {
                    self.note(format!("{field}[{index}]"), item.span.start.line(), item, content);
                }
            }
            YamlData::Tagged(_, node) => return self.note(field, line, node, content),
            // A text that is another one than the word at its place goes on in the next line.
            YamlData::Value(value) => {
                let goes_on = |word: &str| matches!(value, Scalar::String(text) if text != word);
                let word = Some(bare(content, node.span.start.index())).filter(|word| !goes_on(word));
                let word = word.unwrap_or_default();
                self.booleans.extend(boolean(&word).map(|value| (field.clone(), value)));
                self.numbers.extend(number(&word).map(|value| (field.clone(), (word, value))));
            }
            _ => {}
        }
        self.lines.insert(field, line);
    }

    /// The line of a field; where it does not stand there, that of the nearest one that should have it.
    pub(super) fn line(&self, field: &str) -> usize {
        let mut field = field;
        loop {
            match (self.lines.get(field), field.rfind(['.', '['])) {
                (Some(line), _) => return *line,
                (None, Some(end)) => field = &field[..end],
                (None, None) if field.is_empty() => return 1,
                (None, None) => field = "",
            }
        }
    }

    /// What kubectl makes of the text of a field, if that is a boolean.
    pub(super) fn boolean(&self, field: &str) -> Option<bool> {
        self.booleans.get(field).copied()
    }

    /// The text of a field without quotes and what kubectl makes of it, if that is a number.
    pub(super) fn number(&self, field: &str) -> Option<(&str, &Number)> {
        self.numbers.get(field).map(|(word, number)| (word.as_str(), number))
    }
}

/// The path of a field within another one.
pub(super) fn below(field: &str, key: &str) -> String {
    if field.is_empty() { key.to_owned() } else { format!("{field}.{key}") }
}

/// A key as it is in JSON.
fn text(key: &MarkedYaml<'_>) -> Option<String> {
    match &key.data {
        YamlData::Value(Scalar::String(text)) => Some(text.to_string()),
        YamlData::Value(Scalar::Boolean(value)) => Some(value.to_string()),
        YamlData::Value(Scalar::Integer(value)) => Some(value.to_string()),
        _ => None,
    }
}

/// What stands at a place without quotes, if it is one word: in a block a text goes on behind a space.
fn bare(content: &[char], start: usize) -> String {
    let ends = |letter: char| letter.is_whitespace() || matches!(letter, ',' | ']' | '}' | '\'' | '"');
    let word: String = content.iter().skip(start).copied().take_while(|letter| !ends(*letter)).collect();
    let mut behind = content.iter().skip(start + word.chars().count());
    match behind.find(|letter| !matches!(letter, ' ' | '\t')) {
        None | Some('\n' | '\r' | '#' | ',' | ']' | '}') => word,
        Some(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(content: &str) -> SourceMap {
        source_maps(content).unwrap().remove(0)
    }

    #[test]
    fn every_field_has_the_line_of_its_key_or_of_its_place_in_the_list() {
        let map = of(
            "# a comment\nspec:\n  title: |\n    two\n    lines\n  sections:\n  - id: A\n    rows: [{row: \"1\"},\n           {row: \"2\"}]\n",
        );
        let lines =
            ["", "spec", "spec.title", "spec.sections[0]", "spec.sections[0].id"].map(|f| map.line(f));
        assert_eq!(lines, [2, 2, 3, 7, 7]);
        assert_eq!(map.line("spec.sections[0].rows[1].row"), 9);
    }

    #[test]
    fn a_field_that_is_absent_has_the_line_of_what_should_have_it() {
        let map = of("kind: X\nspec:\n  kafka:\n    topic: {config: {retention.ms: \"1\"}}\n");
        assert_eq!(map.line("spec.startsAt"), 2);
        assert_eq!(map.line("spec.kafka.topic.config.retention.ms"), 4);
        assert_eq!(map.line("spec.kafka.topic.config.cleanup.policy"), 4);
        assert_eq!(map.line("metadata.name"), 1);
    }

    #[test]
    fn bare_words_are_booleans_to_kubectl_and_quoted_ones_are_not() {
        let map = of("a: yes\nb: 'yes'\nc: [off]\nd: Off we go\n");
        assert_eq!(["a", "b", "c[0]", "d"].map(|f| map.boolean(f)), [Some(true), None, Some(false), None]);
    }

    #[test]
    fn bare_numbers_are_known_with_their_text_and_quoted_ones_are_not() {
        let map = of(
            "a: 02\nb: \"02\"\nc: [010, '7', 1_2]\nd: 1-4\ne: 7 # rows\nf: 7 rows\ng: 1,2\nh: {row: 08}\n",
        );
        let of = |field: &str| map.number(field).map(|(word, number)| format!("{word} {number}"));
        assert_eq!(of("a").as_deref(), Some("02 2"));
        assert_eq!(of("c[0]").as_deref(), Some("010 8"));
        assert_eq!(of("c[2]").as_deref(), Some("1_2 12"));
        assert_eq!(of("e").as_deref(), Some("7 7"));
        assert_eq!(of("h.row").as_deref(), Some("08 8.0"));
        assert_eq!(["b", "c[1]", "d", "f", "i"].map(of), [const { None }; 5]);
    }
}
