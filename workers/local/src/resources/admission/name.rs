//! What names a resource: the API server takes DNS names only.

use serde_json::Value;

use super::Problem;

const NAME: &str = "metadata.name";

/// Checks name and namespace.
pub(super) fn check(value: &Value) -> Vec<Problem> {
    let metadata = &value["metadata"];
    let mut problems = Vec::new();
    match metadata["name"].as_str() {
        Some(name) if !is_subdomain(name) => {
            let message = format!(
                "{name:?} is no name: write lower-case letters, digits and hyphens, a letter or digit first and last"
            );
            problems.push(Problem::new(NAME, message));
        }
        None if metadata.is_null() || metadata.is_object() && metadata["name"].is_null() => {
            problems.push(Problem::new(NAME, "missing: give the resource a name, such as main"));
        }
        _ => {}
    }
    if let Some(namespace) = metadata["namespace"].as_str().filter(|namespace| !is_label(namespace)) {
        let message = format!(
            "{namespace:?} is no namespace: write at most 63 lower-case letters, digits and hyphens, a letter or digit \
             first and last"
        );
        problems.push(Problem::new("metadata.namespace", message));
    }
    problems
}

/// RFC 1123: labels with dots between them.
fn is_subdomain(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_label_of_any_length)
}

fn is_label(text: &str) -> bool {
    text.len() <= 63 && is_label_of_any_length(text)
}

fn is_label_of_any_length(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && !text.starts_with('-') && !text.ends_with('-') && text.bytes().all(is_inner)
}
