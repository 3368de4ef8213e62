//! The CEL rules of a kind, which speak about creating the resource: those that compare with an earlier state pass.

use kube::core::cel::{CompiledSchema, ErrorKind, ValidationError, Validator};
use serde_json::Value;

use super::Problem;

/// The rules with texts matched as the API server matches them: there `\\w` and `\\d` are ASCII, here they would be the letters
/// and digits of every script, which lets pass what the server refuses, and takes a millisecond to prepare for each value.
pub(super) fn in_ascii(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::String(rule)) = map.get_mut("rule") {
                *rule = rule.replace(r"\\w", "[A-Za-z0-9_]").replace(r"\\d", "[0-9]");
            }
            map.values_mut().for_each(in_ascii);
        }
        Value::Array(list) => list.iter_mut().for_each(in_ascii),
        _ => {}
    }
}

/// Every rule that is broken, with its own message. The value is defaulted first, as the API server does.
pub(super) fn check(rules: &CompiledSchema, schema: &Value, value: &Value) -> Vec<Problem> {
    let violations = Validator::new().validate_compiled(rules, value, None);
    let violations = violations.err().into_iter().flatten();
    let problem = |ValidationError { rule, message, field_path, kind, .. }| {
        let message = match kind {
            ErrorKind::ValidationFailure => message,
            // A rule that cannot be carried out, such as one on a day that there is not, is broken too.
            _ => declared_message(schema, &rule).map_or(message, str::to_owned),
        };
        Problem::new(field(&field_path, &message), message)
    };
    violations.map(problem).collect()
}

/// The message that stands beside a rule in the schema.
fn declared_message<'a>(schema: &'a Value, rule: &str) -> Option<&'a str> {
    match schema {
        Value::Object(map) if map.get("rule").is_some_and(|found| found == rule) => {
            map.get("message")?.as_str()
        }
        Value::Object(map) => map.values().find_map(|below| declared_message(below, rule)),
        Value::Array(list) => list.iter().find_map(|below| declared_message(below, rule)),
        _ => None,
    }
}

/// A rule about the whole resource names its field in its message.
fn field(path: &str, message: &str) -> String {
    let named = message.split(' ').next().filter(|word| word.starts_with("metadata."));
    if path.is_empty() { named.unwrap_or_default().to_owned() } else { path.to_owned() }
}
