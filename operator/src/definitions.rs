//! Whether the API server's definitions of the kinds are those of this operator.
//!
//! They come with a chart of their own and may be older. Then the API server drops what it does not know, from a spec
//! and from a status: that is said in log, metric and the condition `CrdsOutdated`. What it knows is read from its
//! OpenAPI document, which everybody may read, so that it needs no right beyond a namespace.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use boxoffice_crds::common::condition::CRDS_OUTDATED;
use boxoffice_crds::{ReservationService, SeatingEvent};
use http::Request;
use kube::{CustomResourceExt, Resource};
use serde_json::Value;

use crate::api::{ApiError, timed};
use crate::conditions::Finding;
use crate::context::Context;
use crate::reservation_service::fingerprint::fingerprint;

/// Names the documents of all versions, each with a hash.
const INDEX: &str = "/openapi/v3";
/// The one of both kinds.
const DOCUMENT: &str = "apis/boxoffice.dev/v1alpha1";
/// How often the index is looked at.
const LOOK: Duration = Duration::from_mins(1);
/// How soon again after a failure.
const AGAIN: Duration = Duration::from_secs(5);
/// Most fields that a condition names.
const NAMED: usize = 10;

/// What the API server lacks, by kind.
#[derive(Default)]
pub struct Definitions(Mutex<BTreeMap<&'static str, BTreeSet<String>>>);

impl Definitions {
    /// The condition, there only while definitions are older than this operator.
    pub fn finding(&self) -> Option<Finding> {
        let lacking = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let told: Vec<_> =
            lacking.iter().map(|(kind, fields)| format!("{kind} lacks {}", listed(fields))).collect();
        let message = format!(
            "the definitions in this cluster are older than the operator: {}. What they lack is dropped: upgrade the chart \
             boxoffice-crds to the operator's version",
            told.join("; ")
        );
        (!told.is_empty()).then(|| Finding::met(CRDS_OUTDATED, "OlderThanOperator", message))
    }

    fn note(&self, kind: &'static str, lacking: BTreeSet<String>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lacking.is_empty() {
            all.remove(kind)
        } else {
            all.insert(kind, lacking)
        };
    }
}

/// Compares them now and whenever they change, for ever.
pub async fn compare(context: Arc<Context>) {
    let mut seen = None;
    loop {
        let wait = match look(&context, &mut seen).await {
            Ok(()) => LOOK,
            Err(error) => {
                tracing::debug!(%error, "definitions not compared");
                AGAIN
            }
        };
        tokio::time::sleep(wait).await;
    }
}

/// Reads the document if the index names another one than was `seen`.
async fn look(context: &Context, seen: &mut Option<String>) -> Result<(), ApiError> {
    let index = get(context, INDEX).await?;
    let address = index["paths"][DOCUMENT]["serverRelativeURL"].as_str().map(str::to_owned);
    let Some(address) = address.filter(|address| seen.as_ref() != Some(address)) else { return Ok(()) };
    let document = get(context, &address).await?;
    for (kind, ours) in [own::<ReservationService>(), own::<SeatingEvent>()] {
        let Some(theirs) = published(&document, kind) else { continue };
        let lacking: BTreeSet<_> = ours.difference(&theirs).cloned().collect();
        let (own, live) = (hash(&ours), hash(&theirs));
        context.metrics.outdated(kind, !lacking.is_empty());
        if !lacking.is_empty() {
            tracing::warn!(
                kind,
                own,
                live,
                lacking = listed(&lacking),
                "definition is older than the operator"
            );
        } else if ours == theirs {
            tracing::info!(kind, own, "definition is the operator's own");
        } else {
            tracing::warn!(
                kind,
                own,
                live,
                "definition is newer than the operator: what it adds is unreadable here"
            );
        }
        context.definitions.note(kind, lacking);
    }
    *seen = Some(address);
    Ok(())
}

async fn get(context: &Context, address: &str) -> Result<Value, ApiError> {
    let request = Request::get(address).body(Vec::new()).map_err(kube::Error::HttpError);
    timed("read the definitions", async { context.client.request(request?).await }).await
}

/// The kind with what this operator knows of it.
fn own<K: CustomResourceExt + Resource<DynamicType = ()>>() -> (&'static str, BTreeSet<String>) {
    let crd = serde_json::to_value(K::crd()).unwrap_or_default();
    let kind = if K::kind(&()) == "SeatingEvent" { "SeatingEvent" } else { "ReservationService" };
    (kind, shape_of(&crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]))
}

/// What the API server knows of the kind.
fn published(document: &Value, kind: &str) -> Option<BTreeSet<String>> {
    let is_it = |schema: &&Value| {
        let names = schema["x-kubernetes-group-version-kind"].as_array();
        names.into_iter().flatten().any(|name| name["group"] == "boxoffice.dev" && name["kind"] == kind)
    };
    document["components"]["schemas"].as_object()?.values().find(is_it).map(shape_of)
}

/// Every field below spec and status, and every value that an enumeration takes.
fn shape_of(schema: &Value) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for part in ["spec", "status"] {
        add(&schema["properties"][part], part, &mut all);
    }
    all
}

fn add(schema: &Value, path: &str, all: &mut BTreeSet<String>) {
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
        add(&schema["additionalProperties"], &format!("{path}.*"), all);
    }
}

fn hash(shape: &BTreeSet<String>) -> String {
    fingerprint(&shape.iter().map(String::as_str).collect::<Vec<_>>().join("\n"))
}

/// The first of the fields, without what lies below one of them, and how many more there are.
fn listed(fields: &BTreeSet<String>) -> String {
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

    fn lacking(live: Value) -> BTreeSet<String> {
        let (kind, ours) = own::<ReservationService>();
        ours.difference(&published(&document(live), kind).unwrap()).cloned().collect()
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
        let lacking = lacking(older);
        assert_eq!(listed(&lacking), "spec.auth.mode=jwt, spec.podTemplate");
        let definitions = Definitions::default();
        definitions.note("ReservationService", lacking);
        let finding = definitions.finding().unwrap();
        assert!(finding.met && finding.message.contains("spec.podTemplate"), "{}", finding.message);
        definitions.note("ReservationService", BTreeSet::new());
        assert_eq!(definitions.finding(), None);
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
