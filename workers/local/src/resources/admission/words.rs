//! What a schema expects, in the words of people.

use boxoffice_runtime::reading::words::{list, not_allowed};
use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::types::JsonType;
use serde_json::Value;

/// What is wrong and what is expected instead, by the schema `node` that refused it; and the field that is missing, if
/// that is the reason.
pub(super) fn describe(error: &ValidationError<'_>, node: &Value) -> (Option<String>, String) {
    let given = error.instance();
    let message = match error.kind() {
        Kind::Required { property } => {
            let property = property.as_str().unwrap_or_default();
            let message = match hint(&node["properties"][property]) {
                Some(hint) => format!("missing: {hint}"),
                None => "missing".to_owned(),
            };
            return (Some(property.to_owned()), message);
        }
        Kind::Type { kind } => wrong_type(kind, given),
        Kind::Enum { options } => {
            let words: Vec<_> = options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            not_allowed(&name(given), given.as_str().unwrap_or_default(), &words)
        }
        Kind::Pattern { .. } if is_leap_second(node, given) => {
            format!("{given} is a leap second, which Kubernetes cannot read: write 59 in place of 60")
        }
        Kind::Pattern { .. } | Kind::Format { .. } => match hint(node) {
            Some(hint) => format!("{given} does not fit: {hint}"),
            None => error.to_string(),
        },
        Kind::Minimum { limit } => format!("{given} is too little: write at least {}", round(limit)),
        Kind::Maximum { limit } => format!("{given} is too much: write at most {}", round(limit)),
        Kind::MinLength { limit } => format!("too short: write at least {}", count(*limit, "character")),
        Kind::MaxLength { limit } => format!("too long: write at most {}", count(*limit, "character")),
        Kind::MinItems { limit } => format!("too few: give at least {}", entries(*limit)),
        Kind::MaxItems { limit } | Kind::MaxProperties { limit } => {
            format!("too many: give at most {}", entries(*limit))
        }
        _ => error.to_string(),
    };
    (None, message)
}

/// Whether it is a moment but for its second.
fn is_leap_second(node: &Value, given: &Value) -> bool {
    let text = given.as_str().unwrap_or_default();
    node["format"] == "date-time" && text.get(16..19) == Some(":60")
}

fn wrong_type(kind: &TypeKind, given: &Value) -> String {
    let wanted: Vec<JsonType> = match kind {
        TypeKind::Single(one) => vec![*one],
        TypeKind::Multiple(several) => several.iter().collect(),
    };
    let expected: Vec<_> = wanted.iter().map(|wanted| type_name(*wanted)).collect();
    let quotes = wanted == [JsonType::String] && (given.is_number() || given.is_boolean());
    let fix = if quotes { ": put it in quotes" } else { "" };
    format!("must be {}, but is {}{fix}", list(&expected), name(given))
}

fn type_name(kind: JsonType) -> &'static str {
    match kind {
        JsonType::Null => "nothing",
        JsonType::Boolean => "true or false",
        JsonType::Integer => "a whole number",
        JsonType::Number => "a number",
        JsonType::String => "a text",
        JsonType::Array => "a list",
        JsonType::Object => "a mapping",
    }
}

fn name(given: &Value) -> String {
    match given {
        Value::Null => "empty".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
        Value::Number(number) => format!("the number {number}"),
        other => other.to_string(),
    }
}

/// What the schema says about a field: the first sentence of its description, and the example in it.
fn hint(schema: &Value) -> Option<String> {
    let description = schema["description"].as_str()?;
    let (first, rest) = description.split_once(". ").unwrap_or((description, ""));
    let first = first.trim_end_matches('.');
    let mut letters = first.chars();
    let lower: String = letters.next()?.to_lowercase().chain(letters).collect();
    let example = rest.split_once("Example: ").map(|(_, example)| example.trim_end_matches('.'));
    Some(example.map_or(lower.clone(), |example| format!("{lower}, such as {example}")))
}

fn count(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn entries(number: u64) -> String {
    if number == 1 { "1 entry".to_owned() } else { format!("{number} entries") }
}

/// Limits are written as floats in OpenAPI.
fn round(limit: &Value) -> String {
    limit.as_f64().map_or_else(|| limit.to_string(), |limit| limit.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_description_is_a_hint_without_what_only_explains() {
        let schema =
            json!({ "description": "When the show begins, RFC 3339. Example: `2099-03-01T20:00:00Z`." });
        let expected = "when the show begins, RFC 3339, such as `2099-03-01T20:00:00Z`";
        assert_eq!(hint(&schema).as_deref(), Some(expected));
        assert_eq!(hint(&json!({ "description": "To the right." })).as_deref(), Some("to the right"));
        assert_eq!(hint(&json!({})), None);
    }
}
