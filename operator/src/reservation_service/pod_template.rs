//! What `podTemplate` may say: labels that are none, and what the pod security standard `restricted` forbids, are refused
//! here, where the message reaches who wrote them; the API server would tell it to a `ReplicaSet`. Pure.

use boxoffice_crds::workloads::PodTemplate;

use crate::conditions::Stall;

/// Longest name of a label, and longest value.
const LONGEST: usize = 63;
/// Longest prefix of a name.
const LONGEST_PREFIX: usize = 253;
/// Annotations that loosen a container's `AppArmor` profile begin so.
const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";

/// Checks it.
pub fn check(template: &PodTemplate) -> Result<(), Stall> {
    for (field, labels) in [("labels", &template.labels), ("nodeSelector", &template.node_selector)] {
        for (name, value) in labels {
            check_name(field, name)?;
            if !value.is_empty() && !is_word(value) {
                return Err(invalid(
                    field,
                    &format!(
                        "the value {value:?} of {name} is none: give at most {LONGEST} letters, digits, '-', '_' and '.', \
                         with a letter or digit at both ends"
                    ),
                ));
            }
        }
    }
    for (name, value) in &template.annotations {
        check_name("annotations", &name.to_lowercase())?;
        let is_allowed = value == "runtime/default" || value.starts_with("localhost/");
        if name.starts_with(APP_ARMOR) && !is_allowed {
            return Err(invalid(
                "annotations",
                &format!(
                    "{name}: {value} breaks the pod security standard restricted, which all workers keep: write \
                     runtime/default, or remove it"
                ),
            ));
        }
    }
    Ok(())
}

fn check_name(field: &str, name: &str) -> Result<(), Stall> {
    let (prefix, word) = name.rsplit_once('/').map_or((None, name), |(prefix, word)| (Some(prefix), word));
    if is_word(word) && prefix.is_none_or(is_domain) {
        return Ok(());
    }
    Err(invalid(
        field,
        &format!(
            "{name:?} is no name: give at most {LONGEST} letters, digits, '-', '_' and '.', with a letter or digit at both \
             ends, and before them, if at all, a domain and '/', such as example.com/team"
        ),
    ))
}

fn is_word(text: &str) -> bool {
    text.len() <= LONGEST
        && has_ends(text)
        && text.chars().all(|c| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c))
}

fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        has_ends(label) && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    text.len() <= LONGEST_PREFIX && text.split('.').all(is_label)
}

fn has_ends(text: &str) -> bool {
    let is_end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    is_end(text.chars().next()) && is_end(text.chars().next_back())
}

fn invalid(field: &str, problem: &str) -> Stall {
    Stall::new("InvalidSpec", format!("podTemplate.{field}: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn checked(template: &serde_json::Value) -> Result<(), String> {
        check(&serde_json::from_value(template.clone()).unwrap()).map_err(|stall| stall.message)
    }

    #[test]
    fn labels_that_are_some_pass() {
        let name = "a".repeat(63);
        let labels = json!({"team": "tickets", "example.com/Team_1": "A.b-c", "empty": "", name: "x"});
        let template = json!({
            "labels": labels, "nodeSelector": {"topology.kubernetes.io/zone": "eu-1a"},
            "annotations": {"example.com/Any": "thing at all: {}", format!("{APP_ARMOR}worker"): "runtime/default"},
        });
        assert_eq!(checked(&template), Ok(()));
    }

    #[test]
    fn what_is_no_label_is_refused_by_field_name_and_fix() {
        let long = "a".repeat(64);
        for name in ["", "a b", "-a", "a/b/c", "Example.com/a", "/a", "a/", long.as_str()] {
            let message = checked(&json!({"labels": {name: "x"}})).unwrap_err();
            assert!(
                message.starts_with(&format!("podTemplate.labels: {name:?} is no name: give")),
                "{message}"
            );
        }
        for value in ["a b", "ä", "-", long.as_str()] {
            let message = checked(&json!({"nodeSelector": {"disk": value}})).unwrap_err();
            assert!(
                message.starts_with(&format!("podTemplate.nodeSelector: the value {value:?} of disk")),
                "{message}"
            );
        }
        assert!(
            checked(&json!({"annotations": {"a b": "x"}})).unwrap_err().contains("podTemplate.annotations")
        );
    }

    #[test]
    fn what_breaks_restricted_is_refused() {
        let message =
            checked(&json!({"annotations": {format!("{APP_ARMOR}worker"): "unconfined"}})).unwrap_err();
        assert!(message.contains("restricted") && message.contains("remove it"), "{message}");
    }
}
