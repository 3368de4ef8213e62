//! One document of a file: its content as JSON, and where it stands. Lists are taken apart.

use std::sync::Arc;

use saphyr::ScanError;
use serde::Deserialize;
use serde_json::{Number, Value};

use super::Finding;
use super::places::{Places, places};
use super::source::Text;

/// A document that declares something.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    file: String,
    places: Arc<Places>,
    /// Where it stands within the file's own document: `items[0]` of a list, empty for most.
    root: String,
    /// Its content.
    pub(super) value: Value,
}

impl Document {
    /// Something wrong with one of its fields; the empty one is the document as a whole.
    pub(super) fn finding(&self, field: &str, message: impl Into<String>) -> Finding {
        let line = self.places.line(&self.at(field));
        Finding { file: self.file.clone(), line, field: field.to_owned(), message: message.into() }
    }

    /// What kubectl makes of the text of a field, if that is a boolean.
    pub(super) fn boolean(&self, field: &str) -> Option<bool> {
        self.places.boolean(&self.at(field))
    }

    /// The text of a field and what kubectl makes of it, if that is a number.
    pub(super) fn number(&self, field: &str) -> Option<(&str, &Number)> {
        self.places.number(&self.at(field))
    }

    /// The text at a JSON pointer.
    pub(super) fn text(&self, pointer: &str) -> Option<&str> {
        self.value.pointer(pointer)?.as_str()
    }

    fn at(&self, field: &str) -> String {
        let dot = if self.root.is_empty() || field.is_empty() { "" } else { "." };
        format!("{}{dot}{field}", self.root)
    }

    /// The items of a list, or else itself; a document without content is none.
    fn opened(mut self) -> Vec<Self> {
        let is_list = self.text("/kind").is_some_and(|kind| kind.ends_with("List"));
        match self.value.get_mut("items").map(Value::take) {
            _ if self.value.is_null() => Vec::new(),
            Some(Value::Array(items)) if is_list => {
                let item = |(index, value)| Self {
                    file: self.file.clone(),
                    places: Arc::clone(&self.places),
                    root: self.at(&format!("items[{index}]")),
                    value,
                };
                items.into_iter().enumerate().map(item).flat_map(Self::opened).collect()
            }
            Some(items) => {
                self.value["items"] = items;
                vec![self]
            }
            None => vec![self],
        }
    }
}

/// The documents of a file, or the place where it is no YAML.
pub(super) fn parse(text: &Text) -> Result<Vec<Document>, Finding> {
    let places = places(&text.content).map_err(|error| no_yaml(&text.file, &error))?;
    let contents = serde_yaml_ng::Deserializer::from_str(&text.content).map(content);
    let mut documents = Vec::new();
    for (places, content) in places.into_iter().zip(contents) {
        let document = Document {
            file: text.file.clone(),
            places: Arc::new(places),
            root: String::new(),
            value: Value::Null,
        };
        let value = content.map_err(|error| document.finding("", error))?;
        documents.extend(Document { value, ..document }.opened());
    }
    Ok(documents)
}

/// The content as JSON; a key such as `true` becomes text.
fn content(document: serde_yaml_ng::Deserializer<'_>) -> Result<Value, &'static str> {
    let unreadable =
        "cannot be read: an anchor that there is not, or a value that its tag does not fit: write it out";
    let mut value = serde_yaml_ng::Value::deserialize(document).map_err(|_| unreadable)?;
    value.apply_merge().map_err(|_| "<<: takes in what is no mapping: write the fields out")?;
    serde_json::to_value(value).map_err(|_| "a field's name is no text: put it in quotes")
}

fn no_yaml(file: &str, error: &ScanError) -> Finding {
    let (line, column) = (error.marker().line(), error.marker().col() + 1);
    let message = if error.info().contains("duplicate") {
        format!("column {column}: a field of this name is there already: give it once")
    } else {
        format!(
            "column {column}: this is no YAML: close every bracket and quote before it, let the fields of a mapping \
             begin in one column, and indent with spaces"
        )
    };
    Finding { file: file.to_owned(), line, field: String::new(), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(content: &str) -> Result<Vec<Document>, Finding> {
        parse(&Text { file: "x.yaml".into(), content: content.into() })
    }

    fn kinds(content: &str) -> Vec<String> {
        parsed(content).unwrap().iter().map(|one| one.text("/kind").unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn documents_without_content_are_none() {
        for content in ["", "# nothing\n", "---\n", "---\n# nothing\n---\n", "---\n...\n"] {
            assert!(kinds(content).is_empty(), "{content:?}");
        }
        assert_eq!(kinds("# first\n---\n---\nkind: A\n---\n# none\n---\nkind: B\n"), ["A", "B"]);
        assert_eq!(kinds("kind: A\n...\n---\nkind: B\n---\n"), ["A", "B"]);
    }

    #[test]
    fn a_document_knows_its_lines_behind_others() {
        let documents = parsed("kind: A\n---\n# about B\nkind: B\nspec:\n  title: x\n").unwrap();
        assert_eq!(documents[1].finding("spec.title", "").line, 6);
        assert_eq!(documents[1].finding("", "").line, 4);
    }

    #[test]
    fn lists_are_opened_and_their_items_know_their_lines() {
        let content =
            "kind: List\nitems:\n- kind: A\n- kind: BList\n  items:\n  - kind: B\n    spec:\n      x: 1\n";
        let documents = parsed(content).unwrap();
        let found = documents[1].finding("spec.x", "");
        assert_eq!((documents.len(), found.field.as_str(), found.line), (2, "spec.x", 8));
    }

    #[test]
    fn anchors_and_merges_are_followed_as_kubectl_does() {
        let documents = parsed("base: &b {x: 1}\nother:\n  <<: *b\n  y: 2\n").unwrap();
        assert_eq!(documents[0].value["other"], serde_json::json!({"x": 1, "y": 2}));
        assert_eq!(documents[0].finding("other.x", "").line, 2);
    }

    #[test]
    fn json_with_tabs_is_read() {
        assert_eq!(kinds("{\n\t\"kind\": \"A\",\n\t\"spec\": {\n\t\t\"x\": [1, 2]\n\t}\n}\n"), ["A"]);
    }

    #[test]
    fn what_is_no_yaml_is_named_with_line_and_column() {
        let finding = parsed("kind: A\nspec: {title: x\n").map(|_| ()).unwrap_err();
        assert_eq!(finding.line, 3, "{finding}");
        let finding = parsed("kind: A\nspec:\n  x: 1\n  x: 2\n").map(|_| ()).unwrap_err();
        assert_eq!(
            finding.to_string(),
            "x.yaml:4: column 3: a field of this name is there already: give it once"
        );
    }
}
