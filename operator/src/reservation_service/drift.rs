//! What a live object lacks of what is wanted of it, and what it has besides that has no place there. Pure.
//!
//! Server-side apply would find out about the first too, but as a write; a reconcile that has nothing to change writes
//! nothing (I12). The second it leaves alone: a container that somebody added is somebody's. `taken_out` lists what that is.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::{Map, Value};

use super::ownership::controls;
use super::taken_out::{
    LISTS_OF_PODS, LISTS_OF_WORKER, OF_BUDGET, OF_DEPLOYMENT, OF_PODS, OF_SERVICE, OF_WORKER, is_default,
};

/// Where something stands in an object: the keys and indices that lead there.
pub type Path = Vec<String>;

/// What has no place in an object, or in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addition {
    /// Where it stands.
    pub at: Path,
    /// What is to stand there; nothing where nothing is.
    pub instead: Option<Value>,
}

/// Fields that mean something as a whole: what is added there changes what is selected or let in, and what settings say.
const EXACT: [&str; 7] =
    ["selector", "podSelector", "nodeSelector", "ingress", "egress", "policyTypes", "data"];
/// Where quantities stand, which the API server writes its own way.
const QUANTITIES: [&str; 2] = ["limits", "requests"];

/// Whether `live` has everything that `wanted` has. Fields that only `live` has are defaults or somebody else's.
pub fn covers(live: &Value, wanted: &Value) -> bool {
    differences(live, wanted).is_empty()
}

/// Where `live` is not as `wanted`.
pub fn differences(live: &Value, wanted: &Value) -> Vec<Path> {
    let mut found = Vec::new();
    compare(live, wanted, &Vec::new(), &mut found);
    found
}

fn compare(live: &Value, wanted: &Value, at: &Path, found: &mut Vec<Path>) {
    let name = at.last().map(String::as_str).unwrap_or_default();
    if EXACT.contains(&name) {
        if !same(live, wanted) {
            found.push(at.clone());
        }
        return;
    }
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            for (key, value) in wanted {
                compare(live.get(key).unwrap_or(&Value::Null), value, &below(at, key), found);
            }
        }
        (Value::Array(live), Value::Array(wanted)) if is_keyed(name) => {
            for value in wanted {
                let known = identity(name, value);
                match live.iter().position(|one| identity(name, one) == known) {
                    Some(index) => compare(&live[index], value, &below(at, &index), found),
                    None => found.push(below(at, &known)),
                }
            }
        }
        (Value::Array(live), Value::Array(wanted)) if live.len() == wanted.len() => {
            for (index, (live, wanted)) in live.iter().zip(wanted).enumerate() {
                compare(live, wanted, &below(at, &index), found);
            }
        }
        // The API server drops what is empty.
        (Value::Null, wanted) if is_empty(wanted) => {}
        (Value::String(live), Value::String(wanted)) if live == wanted => {}
        (Value::String(live), Value::String(wanted)) if is_quantity(at) && same_quantity(live, wanted) => {}
        (live, wanted) if live == wanted => {}
        _ => found.push(at.clone()),
    }
}

fn below(at: &Path, key: &(impl ToString + ?Sized)) -> Path {
    at.iter().cloned().chain([key.to_string()]).collect()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.values().all(is_empty),
        Value::Array(list) => list.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether both say the same: nothing more, nothing less. A selector that is empty selects everything, one that is not
/// there nothing.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let keys: BTreeSet<_> = one.keys().chain(other.keys()).collect();
            keys.into_iter().all(|key| match (said(one, key), said(other, key)) {
                (Some(one), Some(other)) => same(one, other),
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            })
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (one, other) => one == other,
    }
}

fn said<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    map.get(key).filter(|value| !is_empty(value) || (value.is_object() && key.ends_with("Selector")))
}

/// Whether elements of the list are known by what they say of themselves, so that their order says nothing.
fn is_keyed(list: &str) -> bool {
    ["containers", "initContainers", "volumes", "env", "envFrom", "ports", "volumeMounts", "volumeDevices"]
        .contains(&list)
}

/// What such an element is known by: the key by which the API server merges, where it merges.
fn identity(list: &str, element: &Value) -> String {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let known = match list {
        "ports" => {
            let port = element.get("containerPort").or_else(|| element.get("port"));
            let protocol = element.get("protocol").and_then(Value::as_str).unwrap_or("TCP");
            port.map(|port| format!("{port}/{protocol}"))
        }
        "volumeMounts" => text(&element["mountPath"]),
        "volumeDevices" => text(&element["devicePath"]),
        "envFrom" => Some(element.to_string()),
        _ => text(&element["name"]),
    };
    known.unwrap_or_else(|| element.to_string())
}

/// What has no place in the live object, in an order in which each can be removed without moving the next: what `taken_out`
/// lists; rules of a policy that has none of that kind; owners that claim control. Labels and annotations are everybody's.
pub fn additions(live: &DynamicObject, wanted: &DynamicObject) -> Vec<Addition> {
    let mut found = Vec::new();
    let at = |keys: &[&str]| -> Path { keys.iter().map(|key| (*key).to_owned()).collect() };
    let value = |object: &DynamicObject, path: &Path| {
        path.iter().fold(&object.data, |value, key| &value[key.as_str()]).clone()
    };
    let kind = wanted.types.as_ref().map(|types| types.kind.as_str()).unwrap_or_default();
    let spec = at(&["spec"]);
    let (live_spec, wanted_spec) = (value(live, &spec), value(wanted, &spec));
    match kind {
        "Deployment" => {
            of_fields(&OF_DEPLOYMENT, &live_spec, &wanted_spec, &spec, &mut found);
            let pod = at(&["spec", "template", "spec"]);
            of_pod(&value(live, &pod), &value(wanted, &pod), &pod, &mut found);
        }
        "Service" => {
            of_list("ports", &live_spec, &wanted_spec, &spec, &mut found);
            of_fields(&OF_SERVICE, &live_spec, &wanted_spec, &spec, &mut found);
        }
        "PodDisruptionBudget" => of_fields(&OF_BUDGET, &live_spec, &wanted_spec, &spec, &mut found),
        "NetworkPolicy" => {
            let undeclared = ["ingress", "egress"].map(|rules| at(&["spec", rules]));
            let is_added = |rules: &Path| is_empty(&value(wanted, rules)) && !is_empty(&value(live, rules));
            found.extend(undeclared.into_iter().filter(is_added).map(removed));
        }
        _ => {}
    }
    let ours = |uid: &str| wanted.owner_references().iter().any(|owner| owner.uid == uid);
    let owners = live.owner_references().iter().enumerate();
    let claims = owners.filter(|(_, owner)| controls(owner) && !ours(&owner.uid));
    found.extend(claims.map(|(index, _)| removed(below(&at(&["metadata", "ownerReferences"]), &index))));
    found.reverse();
    found
}

fn removed(at: Path) -> Addition {
    Addition { at, instead: None }
}

fn of_pod(live: &Value, wanted: &Value, at: &Path, found: &mut Vec<Addition>) {
    let none = Vec::new();
    let live_containers = live["containers"].as_array().unwrap_or(&none);
    for list in LISTS_OF_PODS {
        of_list(list, live, wanted, at, found);
    }
    of_fields(&OF_PODS, live, wanted, at, found);
    for own in wanted["containers"].as_array().unwrap_or(&none) {
        let Some(index) = live_containers.iter().position(|one| one["name"] == own["name"]) else { continue };
        let at = below(&below(at, "containers"), &index);
        for list in LISTS_OF_WORKER {
            of_list(list, &live_containers[index], own, &at, found);
        }
        of_fields(&OF_WORKER, &live_containers[index], own, &at, found);
    }
}

/// Fields that say what is not wanted of them: gone, or as a whole what is wanted. A probe that has another handler, or a
/// profile with another file, would take neither a patch that removes only that nor one that adds only ours.
fn of_fields(fields: &[&str], live: &Value, wanted: &Value, at: &Path, found: &mut Vec<Addition>) {
    for field in fields {
        let (live, wanted) = (&live[*field], &wanted[*field]);
        if exceeds(field, live, wanted) {
            let instead = Some(wanted.clone()).filter(|wanted| !is_empty(wanted));
            found.push(Addition { at: below(at, *field), instead });
        }
    }
}

/// Elements of a list that are not wanted, repeats of those that are, and what these say besides.
fn of_list(list: &str, live: &Value, wanted: &Value, at: &Path, found: &mut Vec<Addition>) {
    let (none, at) = (Vec::new(), below(at, list));
    let wanted = wanted[list].as_array().unwrap_or(&none);
    let mut missing: BTreeMap<_, _> = wanted.iter().map(|one| (identity(list, one), one)).collect();
    for (index, one) in live[list].as_array().unwrap_or(&none).iter().enumerate() {
        let at = below(&at, &index);
        match missing.remove(&identity(list, one)) {
            None => found.push(removed(at)),
            // What containers say is looked at field by field.
            Some(wanted) if list != "containers" && exceeds(list, one, wanted) => {
                found.push(Addition { at, instead: Some(wanted.clone()) });
            }
            Some(_) => {}
        }
    }
}

/// Whether the live value says anything that is neither wanted nor a default. One that is wanted and differs is none: it is
/// found by `differences`, but for elements of lists that have no key.
fn exceeds(field: &str, live: &Value, wanted: &Value) -> bool {
    if is_empty(wanted) {
        return !is_empty(live) && !is_default(field, live);
    }
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            live.iter().any(|(key, value)| exceeds(key, value, wanted.get(key).unwrap_or(&Value::Null)))
        }
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() != wanted.len()
                || live
                    .iter()
                    .zip(wanted)
                    .any(|(live, wanted)| exceeds("", live, wanted) || !covers(live, wanted))
        }
        _ => false,
    }
}

fn is_quantity(at: &Path) -> bool {
    at.iter().rev().nth(1).is_some_and(|parent| QUANTITIES.contains(&parent.as_str()))
}

/// `1000m` and `1` are.
fn same_quantity(one: &str, other: &str) -> bool {
    matches!((quantity(one), quantity(other)), (Some(one), Some(other)) if (one - other).abs() <= f64::EPSILON * one.abs())
}

fn quantity(text: &str) -> Option<f64> {
    const SUFFIXES: [(&str, f64); 15] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("E", 1e18),
        ("u", 1e-6),
        ("n", 1e-9),
    ];
    let scaled = SUFFIXES.iter().find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, *factor)));
    let (number, factor) = scaled.unwrap_or((text, 1.0));
    Some(number.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
#[path = "drift_tests.rs"]
mod tests;
