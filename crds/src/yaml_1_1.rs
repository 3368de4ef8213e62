//! kubectl reads YAML 1.1, where a bare `y` is true and a bare `off` is false.
//!
//! So `{x: 0, y: 0}` reaches the API server with a field named `true`, and `noSingleSeatGaps: off` with a boolean. Both
//! are what anyone would write, and both are taken for what they mean; and what we write ourselves, we quote.

use kube::core::Rule;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

/// Quotes the words that YAML 1.1 takes for booleans, where one is a key or an entry of a list.
pub fn quote(yaml: &str) -> String {
    let mut quoted = String::with_capacity(yaml.len());
    for line in yaml.lines() {
        let indent = line.len() - line.trim_start_matches([' ', '-']).len();
        let (start, text) = line.split_at(indent);
        let (word, colon) = text.strip_suffix(':').map_or((text, ""), |key| (key, ":"));
        if matches!(word, "y" | "n" | "yes" | "no" | "on" | "off") {
            quoted.extend([start, "'", word, "'", colon, "\n"]);
        } else {
            quoted.extend([line, "\n"]);
        }
    }
    quoted
}

/// Lets the coordinate `y` also be called `true`; [`one_y`] refuses both and neither.
pub fn y_may_be_true(schema: &mut Schema) {
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| name != "y");
    }
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        let description = "The same as y: what kubectl makes of a y without quotes.";
        properties.insert(
            "true".to_owned(),
            json!({ "description": description, "type": "number", "format": "double" }),
        );
    }
}

/// The rule that there is one `y`, under either name. CEL calls the field `true` by `__true__`.
pub fn one_y() -> Rule {
    Rule::new("has(self.y) != has(self.__true__)").message("give y, once: what lies downwards on the map")
}

/// The schema of a gap policy, `off` also as false. It names no type: a structural schema has no other way to take both.
pub fn gap_policy(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": ["off", "prefer", "enforce", false], "x-kubernetes-preserve-unknown-fields": true })
}

/// Reads an enumeration, `false` as its word `off`.
///
/// # Errors
/// When the value is none of the enumeration's.
pub fn off_or<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<T, D::Error> {
    let value = match Value::deserialize(deserializer)? {
        Value::Bool(false) => json!("off"),
        value => value,
    };
    T::deserialize(value).map_err(D::Error::custom)
}
