//! One document of a file: its content as JSON, and where it stands. Lists are taken apart.

use std::sync::Arc;

use saphyr::ScanError;
use serde::Deserialize;
use serde_json::{Number, Value};

use super::Finding;
use super::source::Text;
use super::source_map::{SourceMap, source_maps};

/// A document that declares something.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    file: String,
    source_map: Arc<SourceMap>,
    /// Where it stands within the file's own document: `items[0]` of a list, empty for most.
    root: String,
    /// Its content.
    pub(super) value: Value,
}

impl Document {
    /// Something wrong with one of its fields; the empty one is the document as a whole.
    pub(super) fn finding(&self, field: &str, message: impl Into<String>) -> Finding {
        let line = self.source_map.line(&self.at(field));
        Finding { file: self.file.clone(), line, field: field.to_owned(), message: message.into() }
    }

    /// What kubectl makes of the text of a field, if that is a boolean.
    pub(super) fn boolean(&self, field: &str) -> Option<bool> {
        self.source_map.boolean(&self.at(field))
    }

    /// The text of a field and what kubectl makes of it, if that is a number.
    pub(super) fn number(&self, field: &str) -> Option<(&str, &Number)> {
        self.source_map.number(&self.at(field))
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
                    source_map: Arc::clone(&self.source_map),
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
    // As editors on Windows write it, which YAML means to be the same.
    let content = text.content.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let contents = contents(&content);
    // First of all: whoever makes a source map follows any depth, until the stack ends.
    if let Some(Err(Unread { line, problem })) = contents.iter().find(|content| is_too_deep(content)) {
        let message = (*problem).to_owned();
        return Err(Finding { file: text.file.clone(), line: *line, field: String::new(), message });
    }
    let maps = source_maps(&content).map_err(|error| no_yaml(&text.file, &error))?;
    let mut documents = Vec::new();
    for (map, content) in maps.into_iter().zip(contents) {
        let document = Document {
            file: text.file.clone(),
            source_map: Arc::new(map),
            root: String::new(),
            value: Value::Null,
        };
        let value = content.map_err(|unread| document.finding("", unread.problem))?;
        documents.extend(Document { value, ..document }.opened());
    }
    Ok(documents)
}

const TOO_DEEP: &str =
    "brackets or lists stand within each other more than 100 times: no resource goes that deep";
const UNREADABLE: &str =
    "cannot be read: an anchor that there is not, or a value that its tag does not fit: write it out";

/// Why the content of a document is none.
struct Unread {
    line: usize,
    problem: &'static str,
}

fn is_too_deep(content: &Result<Value, Unread>) -> bool {
    content.as_ref().is_err_and(|unread| unread.problem == TOO_DEEP)
}

/// The contents of the documents up to the first that cannot be read: what comes behind is not to be relied on.
fn contents(text: &str) -> Vec<Result<Value, Unread>> {
    let mut contents = Vec::new();
    for document in serde_yaml_ng::Deserializer::from_str(text) {
        let content = content(document);
        let is_read = content.is_ok();
        contents.push(content);
        if !is_read {
            break;
        }
    }
    contents
}

/// The content as JSON; a key such as `true` becomes text.
fn content(document: serde_yaml_ng::Deserializer<'_>) -> Result<Value, Unread> {
    let unread = |problem| Unread { line: 1, problem };
    let mut value = serde_yaml_ng::Value::deserialize(document).map_err(|error| {
        let line = error.location().map_or(1, |location| location.line());
        let is_too_deep = error.to_string().contains("recursion limit");
        Unread { line, problem: if is_too_deep { TOO_DEEP } else { UNREADABLE } }
    })?;
    value.apply_merge().map_err(|_| unread("<<: takes in what is no mapping: write the fields out"))?;
    if !is_finite(&value) {
        return Err(unread(
            "has a number without an end (.inf or .nan), which no resource takes: write another",
        ));
    }
    serde_json::to_value(value).map_err(|_| unread("a field's name is no text: put it in quotes"))
}

/// Whether every number in it is one that JSON has.
fn is_finite(value: &serde_yaml_ng::Value) -> bool {
    use serde_yaml_ng::Value as Yaml;
    match value {
        Yaml::Number(number) => number.is_finite(),
        Yaml::Sequence(entries) => entries.iter().all(is_finite),
        Yaml::Mapping(fields) => fields.values().all(is_finite),
        Yaml::Tagged(tagged) => is_finite(&tagged.value),
        Yaml::Null | Yaml::Bool(_) | Yaml::String(_) => true,
    }
}

fn no_yaml(file: &str, error: &ScanError) -> Finding {
    let (line, column) = (error.marker().line(), error.marker().col() + 1);
    let message = if error.info().contains("duplicate") {
        format!("column {column}: a field of this name is there already: give it once")
    } else if error.info().contains("alias expansion") {
        format!(
            "column {column}: with its anchors the file stands for more than 100,000 values: write them out"
        )
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
    fn a_byte_order_mark_and_lines_as_windows_ends_them_change_nothing() {
        let documents = parsed("\u{feff}kind: A\r\nspec:\r\n  title: x\r\n---\r\nkind: B\r\n").unwrap();
        assert_eq!(documents[0].text("/spec/title"), Some("x"));
        assert_eq!(documents[0].finding("spec.title", "").line, 3);
        assert_eq!(documents[1].finding("kind", "").line, 5);
    }

    #[test]
    fn a_short_text_that_stands_for_too_much_is_refused() {
        let told = |content: &str| parsed(content).map(|_| ()).unwrap_err().to_string();
        for deep in ["[".repeat(10_000), format!("{}{}", "[".repeat(5_000), "]".repeat(5_000))] {
            let told = told(&format!("kind: A\nspec: {deep}\n"));
            assert!(told.contains("within each other"), "{told}");
        }
        let list = |name: &str, of: &str| format!("{name}: &{name} [{}]\n", [of; 10].join(", "));
        let mut laughs = list("l0", "x");
        for depth in 1..9 {
            laughs.push_str(&list(&format!("l{depth}"), &format!("*l{}", depth - 1)));
        }
        let told = told(&laughs);
        assert!(told.contains("anchors") || told.contains("an anchor"), "{told}");
    }

    #[test]
    fn a_number_without_an_end_is_not_taken_for_one_that_is_left_out() {
        for number in [".inf", "-.inf", ".nan"] {
            let finding = parsed(&format!("kind: A\nspec: {{angle: {number}}}\n")).map(|_| ()).unwrap_err();
            assert!(finding.message.starts_with("has a number without an end"), "{finding}");
        }
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
