//! Settles which fields are there, as the API server does before it looks at values: a null is the same as a field left
//! out, a field that the schema does not know is refused, and so are two entries of a list with one key.
//!
//! What kubectl makes of YAML that is no text, whole numbers such as `2.0` and booleans such as a bare `no`, is made here.

use std::collections::HashMap;
use std::mem;

use boxoffice_runtime::reading::words::unknown;
use serde_json::{Map, Number, Value};

use super::super::document::Document;
use super::super::source_map::below;
use super::Problem;

const PRESERVE: &str = "x-kubernetes-preserve-unknown-fields";
const KEYS: &str = "x-kubernetes-list-map-keys";

/// Settles the document's value; what it loses is a problem.
pub(super) fn settle(schema: &Value, document: &mut Document) -> Vec<Problem> {
    let mut value = mem::take(&mut document.value);
    // The status is the operator's: the server drops whatever else is given.
    value.as_object_mut().map(|resource| resource.remove("status"));
    let mut settling = Settling { document, problems: Vec::new() };
    settling.value("", schema, &mut value);
    let problems = settling.problems;
    document.value = value;
    problems
}

struct Settling<'a> {
    document: &'a Document,
    problems: Vec<Problem>,
}

impl Settling<'_> {
    fn value(&mut self, field: &str, schema: &Value, value: &mut Value) {
        let wanted = schema["type"].as_str();
        match value {
            Value::Object(map) if wanted == Some("object") => self.object(field, schema, map),
            Value::Array(entries) if wanted == Some("array") => self.entries(field, schema, entries),
            Value::Number(number) if wanted == Some("integer") => {
                if let Some(whole) = whole(number) {
                    *value = Value::Number(whole);
                }
            }
            Value::String(word) => {
                match (wanted, self.document.boolean(field), self.document.number(field)) {
                    (Some("boolean"), Some(meant), _) => *value = Value::Bool(meant),
                    (Some("string"), Some(meant), _) => {
                        let message = format!("kubectl reads a bare {word} as {meant}: put it in quotes");
                        self.problems.push(Problem::new(field, message));
                    }
                    (Some("string"), _, Some((word, meant))) => {
                        let message =
                            format!("kubectl reads a bare {word} as the number {meant}: put it in quotes");
                        self.problems.push(Problem::new(field, message));
                    }
                    (Some("integer" | "number"), _, Some((word, meant))) if !word.starts_with('0') => {
                        *value = Value::Number(meant.clone());
                    }
                    (Some("integer" | "number"), _, Some((word, meant))) => {
                        let message = format!(
                            "kubectl reads {word} as the number {meant}: write the number that is meant"
                        );
                        self.problems.push(Problem::new(field, message));
                        *value = Value::Number(meant.clone());
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn object(&mut self, field: &str, schema: &Value, map: &mut Map<String, Value>) {
        let known = schema["properties"].as_object();
        let others = &schema["additionalProperties"];
        // An object about whose fields nothing is said, such as one of managedFields, takes all of them.
        let is_open = schema[PRESERVE] == true || (known.is_none() && others.is_null());
        map.retain(|_, value| !value.is_null());
        map.retain(|key, value| {
            let field = below(field, key);
            let schema = known.and_then(|known| known.get(key));
            match schema.or_else(|| Some(others).filter(|others| others.is_object())) {
                Some(schema) => self.value(&field, schema, value),
                None if is_open => {}
                None => {
                    let known: Vec<_> = known.into_iter().flat_map(Map::keys).map(String::as_str).collect();
                    self.problems.push(Problem::new(field, unknown("field", key, &known)));
                    return false;
                }
            }
            true
        });
    }

    fn entries(&mut self, field: &str, schema: &Value, entries: &mut [Value]) {
        for (index, entry) in entries.iter_mut().enumerate() {
            self.value(&format!("{field}[{index}]"), &schema["items"], entry);
        }
        let keys: Vec<_> = schema[KEYS].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let Some(first_key) = keys.first() else { return };
        let mut seen: HashMap<String, usize> = HashMap::new();
        for (index, entry) in entries.iter().enumerate() {
            let values: Vec<_> = keys.iter().map(|key| entry[*key].to_string()).collect();
            let earlier = *seen.entry(values.join(" and ")).or_insert(index);
            if earlier != index && !entry[*first_key].is_null() {
                let message = format!("{field}[{earlier}] is {} too: choose another", values.join(" and "));
                self.problems.push(Problem::new(format!("{field}[{index}].{first_key}"), message));
            }
        }
    }
}

/// `2.0` as `2`.
fn whole(number: &Number) -> Option<Number> {
    let float = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0)?;
    format!("{float:.0}").parse().ok()
}
