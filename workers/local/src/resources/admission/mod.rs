//! What the API server does with a resource on `kubectl apply --validate=strict`, without a server: every check, never
//! only the first that fails.
//!
//! In its order: `fields` settles what is there (nulls, unknown fields), `name` checks what names it, `schema` the values
//! (in the `words` of people), `rules` what CEL says.

mod fields;

mod name;

mod schema;

mod words;

mod rules;

use std::sync::OnceLock;

use boxoffice_crds::manifests;
use jsonschema::Validator;
use kube::core::cel::{CompiledSchema, compile_schema};
use serde_json::Value;

use super::Finding;
use super::document::Document;
use super::source::ReadError;

/// The checks of one kind.
pub(super) struct Admission {
    schema: Value,
    validator: Validator,
    rules: CompiledSchema,
}

/// What is wrong with a field.
struct Problem {
    field: String,
    message: String,
}

impl Problem {
    fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

impl Admission {
    /// Both kinds by name, from their own definitions; made once, for `boxoffice local` reads its files again and again.
    pub(super) fn of_both_kinds() -> Result<&'static [(String, Self); 2], ReadError> {
        static KINDS: OnceLock<Result<[(String, Admission); 2], String>> = OnceLock::new();
        let kinds = KINDS.get_or_init(|| {
            let [first, second] = manifests().map_err(|error| error.to_string())?;
            Ok([Self::of(&first.yaml)?, Self::of(&second.yaml)?])
        });
        kinds.as_ref().map_err(|error| ReadError::Schema(error.clone()))
    }

    fn of(definition: &str) -> Result<(String, Self), String> {
        let mut definition: Value = serde_yaml_ng::from_str(definition).map_err(|error| error.to_string())?;
        rules::in_ascii(&mut definition);
        let kind = definition["spec"]["names"]["kind"].as_str().unwrap_or_default().to_owned();
        let declared = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let schema = schema::complete(declared);
        let validator = schema::validator(&schema).map_err(|error| error.to_string())?;
        Ok((kind, Self { rules: compile_schema(declared), schema, validator }))
    }

    /// What is wrong with `document`, which becomes what the server would keep of it.
    pub(super) fn admit(&self, document: &mut Document) -> Vec<Finding> {
        let mut problems = fields::settle(&self.schema, document);
        let value = &document.value;
        let mut broken = name::check(value);
        broken.extend(schema::check(&self.validator, &self.schema, value));
        // A rule about something that is broken already would only repeat it, or fail for that reason.
        let concerns = |rule: &Problem, one: &Problem| {
            is_within(&one.field, &rule.field) || is_within(&rule.field, &one.field)
        };
        let mut rules = rules::check(&self.rules, &self.schema, value);
        rules.retain(|rule| !broken.iter().any(|one| concerns(rule, one)));
        problems.extend(broken);
        problems.extend(rules.into_iter().map(Problem::told_once));
        problems.iter().map(|problem| document.finding(&problem.field, &problem.message)).collect()
    }
}

impl Problem {
    /// The same with the path that its message begins with told by its field alone: a rule's message names its field for
    /// `kubectl`, `sales.opensAt must be`, and here that field stands in front of it already.
    fn told_once(self) -> Self {
        let Some((first, rest)) = self.message.split_once(' ') else { return self };
        let named = first.trim_end_matches(':');
        let starts = self.field.match_indices('.').map(|(dot, _)| dot + 1);
        let said_again =
            std::iter::once(0).chain(starts).find(|start| is_within(named, &self.field[*start..]));
        match said_again {
            Some(start) if !self.field.is_empty() => {
                Self { field: format!("{}{named}", &self.field[..start]), message: rest.to_owned() }
            }
            _ => self,
        }
    }
}

/// Whether `field` is `parent` or a field of it.
fn is_within(field: &str, parent: &str) -> bool {
    let rest = field.strip_prefix(parent);
    parent.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
