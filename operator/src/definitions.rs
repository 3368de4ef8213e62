//! Whether the API server's definitions of the kinds are those of this operator.
//!
//! They come with a chart of their own and may be older. Then the API server drops what it does not know from a spec, and
//! refuses a status that has it: that is said in log, metric and the condition `CrdsOutdated`, and statuses are written
//! without. What it knows is read from its OpenAPI document, which everybody may read, so that it needs no right beyond a
//! namespace.

pub mod compare;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use boxoffice_crds::common::condition::CRDS_OUTDATED;
use kube::{CustomResourceExt, Resource};
use serde_json::Value;
use tokio::sync::Notify;

use crate::conditions::Finding;
use crate::reservation_service::fingerprint::fingerprint;

/// Most fields that a condition names.
const NAMED: usize = 10;

/// Fields and values of enumerations, as paths: `spec.auth.mode`, `spec.auth.mode=jwt`, `status.conditions[].type`.
type Shape = BTreeSet<String>;

/// What the API server knows, by kind, where it knows less than this operator.
#[derive(Default)]
pub struct Definitions {
    older: Mutex<BTreeMap<&'static str, Older>>,
    doubt: Notify,
}

struct Older {
    knows: Shape,
    lacks: Shape,
}

impl Definitions {
    /// The condition, there only while definitions are older than this operator.
    pub fn finding(&self) -> Option<Finding> {
        let older = self.older.lock().unwrap_or_else(PoisonError::into_inner);
        let told: Vec<_> =
            older.iter().map(|(kind, older)| format!("{kind} lacks {}", listed(&older.lacks))).collect();
        let message = format!(
            "the definitions in this cluster are older than the operator: {}. What they lack is dropped: upgrade the chart \
             boxoffice-crds to the operator's version",
            told.join("; ")
        );
        (!told.is_empty()).then(|| Finding::met(CRDS_OUTDATED, "OlderThanOperator", message))
    }

    /// As much of a status as the API server takes.
    pub fn fitting(&self, kind: &str, mut status: Value) -> Value {
        let older = self.older.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Older { knows, .. }) = older.get(kind) {
            trim(&mut status, "status", knows);
        }
        status
    }

    /// Has them compared again at once: the API server refused a field.
    pub fn doubt(&self) {
        self.doubt.notify_one();
    }

    fn note(&self, kind: &'static str, ours: &Shape, theirs: Shape) {
        let lacks: Shape = ours.difference(&theirs).cloned().collect();
        let mut older = self.older.lock().unwrap_or_else(PoisonError::into_inner);
        if lacks.is_empty() {
            older.remove(kind);
        } else {
            older.insert(kind, Older { knows: theirs, lacks });
        }
    }
}

/// Takes out what is not known.
fn trim(value: &mut Value, path: &str, known: &Shape) {
    match value {
        Value::Object(fields) => fields.retain(|name, value| {
            let field = format!("{path}.{name}");
            if !known.contains(&field) {
                return known.contains(&format!("{path}.*"));
            }
            trim(value, &field, known);
            let values = format!("{field}=");
            let is_enumerated =
                known.range(values.clone()..).next().is_some_and(|next| next.starts_with(&values));
            !is_enumerated || value.as_str().is_none_or(|value| known.contains(&format!("{values}{value}")))
        }),
        Value::Array(items) => {
            for item in items {
                trim(item, &format!("{path}[]"), known);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The kind with what this operator knows of it.
fn own<K: CustomResourceExt + Resource<DynamicType = ()>>() -> (&'static str, Shape) {
    let crd = serde_json::to_value(K::crd()).unwrap_or_default();
    let kind = if K::kind(&()) == "SeatingEvent" { "SeatingEvent" } else { "ReservationService" };
    (kind, shape_of(&crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]))
}

/// What the API server knows of the kind.
fn published(document: &Value, kind: &str) -> Option<Shape> {
    let is_it = |schema: &&Value| {
        let names = schema["x-kubernetes-group-version-kind"].as_array();
        names.into_iter().flatten().any(|name| name["group"] == "boxoffice.dev" && name["kind"] == kind)
    };
    document["components"]["schemas"].as_object()?.values().find(is_it).map(shape_of)
}

/// Every field below spec and status, and every value that an enumeration takes.
fn shape_of(schema: &Value) -> Shape {
    let mut all = Shape::new();
    for part in ["spec", "status"] {
        add(&schema["properties"][part], part, &mut all);
    }
    all
}

fn add(schema: &Value, path: &str, all: &mut Shape) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        add(property, &path, all);
        all.insert(path);
    }
    for value in schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        all.insert(format!("{path}={value}"));
    }
    if schema["items"].is_object() {
        add(&schema["items"], &format!("{path}[]"), all);
    }
    if schema["additionalProperties"].is_object() {
        all.insert(format!("{path}.*"));
        add(&schema["additionalProperties"], &format!("{path}.*"), all);
    }
}

fn hash(shape: &Shape) -> String {
    fingerprint(&shape.iter().map(String::as_str).collect::<Vec<_>>().join("\n"))
}

/// The first of the fields, without what lies below one of them, and how many more there are.
fn listed(fields: &Shape) -> String {
    let is_below = |field: &str| {
        fields.iter().any(|other| {
            field.starts_with(&format!("{other}."))
                || field.starts_with(&format!("{other}["))
                || field.starts_with(&format!("{other}="))
        })
    };
    let top: Vec<_> = fields.iter().map(String::as_str).filter(|field| !is_below(field)).collect();
    let first = top.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    match top.len().saturating_sub(NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_crds::{ReservationService, SeatingEvent};
    use serde_json::json;

    fn schema() -> Value {
        let crd = serde_json::to_value(ReservationService::crd()).unwrap();
        crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
    }

    fn document(schema: Value) -> Value {
        let mut schema = schema;
        schema["x-kubernetes-group-version-kind"] =
            json!([{"group": "boxoffice.dev", "version": "v1alpha1", "kind": "ReservationService"}]);
        json!({"components": {"schemas": {"dev.boxoffice.v1alpha1.ReservationService": schema, "other": {}}}})
    }

    fn live(schema: Value) -> Shape {
        published(&document(schema), "ReservationService").unwrap()
    }

    fn lacking(schema: Value) -> Shape {
        own::<ReservationService>().1.difference(&live(schema)).cloned().collect()
    }

    #[test]
    fn the_operators_own_definition_lacks_nothing() {
        assert!(lacking(schema()).is_empty());
        assert!(own::<SeatingEvent>().1.contains("spec.sections[].rows[].seats"));
    }

    #[test]
    fn what_an_older_definition_lacks_is_named() {
        let mut older = schema();
        let properties = |schema: &mut Value, path: &str| {
            schema.pointer_mut(path).unwrap().as_object_mut().unwrap().clone()
        };
        let mut spec = properties(&mut older, "/properties/spec/properties");
        spec.remove("podTemplate");
        older["properties"]["spec"]["properties"] = Value::Object(spec);
        let modes = older.pointer_mut("/properties/spec/properties/auth/properties/mode/enum").unwrap();
        modes.as_array_mut().unwrap().retain(|mode| mode != "jwt");
        assert_eq!(listed(&lacking(older.clone())), "spec.auth.mode=jwt, spec.podTemplate");
        let (kind, ours) = own::<ReservationService>();
        let definitions = Definitions::default();
        definitions.note(kind, &ours, live(older));
        let finding = definitions.finding().unwrap();
        assert!(finding.met && finding.message.contains("spec.podTemplate"), "{}", finding.message);
        definitions.note(kind, &ours, live(schema()));
        assert_eq!(definitions.finding(), None);
    }

    #[test]
    fn a_status_is_written_as_far_as_the_server_knows_it() {
        let mut older = schema();
        let status = older.pointer_mut("/properties/status/properties").unwrap().as_object_mut().unwrap();
        status.remove("observedGeneration");
        let group = status["consumerGroups"]["items"]["properties"].as_object_mut().unwrap();
        group.remove("lag");
        let wanted = json!({
            "observedGeneration": 3,
            "image": "boxoffice/workers:1",
            "conditions": [{"type": "Ready", "status": "True"}],
            "consumerGroups": [{"name": "a", "lag": 4}],
        });
        let (kind, ours) = own::<ReservationService>();
        let definitions = Definitions::default();
        assert_eq!(definitions.fitting(kind, wanted.clone()), wanted, "nothing is known to lack");
        definitions.note(kind, &ours, live(older));
        let fitting = definitions.fitting(kind, wanted);
        let without = json!({
            "image": "boxoffice/workers:1",
            "conditions": [{"type": "Ready", "status": "True"}],
            "consumerGroups": [{"name": "a"}],
        });
        assert_eq!(fitting, without);
    }

    #[test]
    fn a_value_that_the_server_does_not_know_is_left_out() {
        let known = ["status.phase", "status.phase=Pending", "status.other"].map(str::to_owned).into();
        let trimmed = |phase: &str| {
            let mut status = json!({"phase": phase, "other": "x"});
            trim(&mut status, "status", &known);
            status
        };
        assert_eq!(trimmed("Pending"), json!({"phase": "Pending", "other": "x"}));
        assert_eq!(trimmed("Draining"), json!({"other": "x"}));
    }

    #[test]
    fn a_newer_definition_is_another_one_and_lacks_nothing() {
        let mut newer = schema();
        newer["properties"]["spec"]["properties"]["someday"] = json!({"type": "string"});
        assert!(lacking(newer.clone()).is_empty());
        assert_ne!(hash(&shape_of(&newer)), hash(&shape_of(&schema())));
    }

    #[test]
    fn a_condition_names_no_more_than_ten() {
        let many = (0..12).map(|number| format!("spec.f{number:02}")).collect();
        assert!(listed(&many).ends_with("spec.f09 and 2 more"), "{}", listed(&many));
    }
}
