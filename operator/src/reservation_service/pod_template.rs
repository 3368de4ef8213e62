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

/// All that is wrong with it.
pub fn faults(template: &PodTemplate) -> Vec<Stall> {
    let mut faults = Vec::new();
    for (field, labels) in [("labels", &template.labels), ("nodeSelector", &template.node_selector)] {
        for (name, value) in labels {
            faults.extend(of_name(field, name));
            if !value.is_empty() && !is_word(value) {
                faults.push(invalid(
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
        faults.extend(of_name("annotations", &name.to_lowercase()));
        let is_allowed = value == "runtime/default" || value.starts_with("localhost/");
        if name.starts_with(APP_ARMOR) && !is_allowed {
            faults.push(invalid(
                "annotations",
                &format!(
                    "{name}: {value} breaks the pod security standard restricted, which all workers keep: write \
                     runtime/default, or remove it"
                ),
            ));
        }
    }
    faults
}

fn of_name(field: &str, name: &str) -> Option<Stall> {
    let (prefix, word) = name.rsplit_once('/').map_or((None, name), |(prefix, word)| (Some(prefix), word));
    if is_word(word) && prefix.is_none_or(is_domain) {
        return None;
    }
    Some(invalid(
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

    fn told(template: &serde_json::Value) -> Vec<String> {
        let faults = faults(&serde_json::from_value(template.clone()).unwrap());
        faults.into_iter().map(|stall| stall.message).collect()
    }

    fn one(template: &serde_json::Value) -> String {
        let told = told(template);
        assert_eq!(told.len(), 1, "{told:?}");
        told.concat()
    }

    #[test]
    fn labels_that_are_some_pass() {
        let name = "a".repeat(63);
        let labels = json!({"team": "tickets", "example.com/Team_1": "A.b-c", "empty": "", name: "x"});
        let template = json!({
            "labels": labels, "nodeSelector": {"topology.kubernetes.io/zone": "eu-1a"},
            "annotations": {"example.com/Any": "thing at all: {}", format!("{APP_ARMOR}worker"): "runtime/default"},
        });
        assert_eq!(told(&template), [""; 0]);
    }

    #[test]
    fn what_is_no_label_is_refused_by_field_name_and_fix() {
        let long = "a".repeat(64);
        for name in ["", "a b", "-a", "a/b/c", "Example.com/a", "/a", "a/", long.as_str()] {
            let message = one(&json!({"labels": {name: "x"}}));
            assert!(
                message.starts_with(&format!("podTemplate.labels: {name:?} is no name: give")),
                "{message}"
            );
        }
        for value in ["a b", "ä", "-", long.as_str()] {
            let message = one(&json!({"nodeSelector": {"disk": value}}));
            assert!(
                message.starts_with(&format!("podTemplate.nodeSelector: the value {value:?} of disk")),
                "{message}"
            );
        }
        assert!(one(&json!({"annotations": {"a b": "x"}})).contains("podTemplate.annotations"));
        assert_eq!(told(&json!({"labels": {"a b": "a b", "team": "a b"}})).len(), 3, "each of them");
    }

    #[test]
    fn what_breaks_restricted_is_refused() {
        let message = one(&json!({"annotations": {format!("{APP_ARMOR}worker"): "unconfined"}}));
        assert!(message.contains("restricted") && message.contains("remove it"), "{message}");
    }
}
