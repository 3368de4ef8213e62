//! An object as the API server has it, which this version can read or not. Pure.
//!
//! A newer version's resources have fields and values that this one does not know: after a roll-back of the operator
//! they are still there. One that cannot be read whole is set aside, with the field that stands in the way; lists and
//! watches go on. What this operator wrote itself, the status, stands in nobody's way: what of it cannot be read is
//! left out.

use std::borrow::Cow;
use std::sync::OnceLock;

use kube::api::ObjectMeta;
use kube::{CustomResourceExt, Resource};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// An object, or why it is none to us.
#[derive(Clone, Debug)]
pub struct Readable<K> {
    metadata: ObjectMeta,
    content: Result<Box<K>, Fault>,
}

/// What stands in the way of reading an object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct Fault {
    /// Its path: `spec.kafka.topic`.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

impl<K> Readable<K> {
    /// The object, or what stands in the way.
    pub fn into_content(self) -> Result<K, Fault> {
        self.content.map(|content| *content)
    }

    /// What stands in the way, if anything does.
    pub fn fault(&self) -> Option<&Fault> {
        self.content.as_ref().err()
    }
}

impl<K: Resource<DynamicType = ()>> Resource for Readable<K> {
    type DynamicType = ();
    type Scope = K::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        K::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        K::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        K::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        K::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        match &self.content {
            Ok(content) => content.meta(),
            Err(_) => &self.metadata,
        }
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        match &mut self.content {
            Ok(content) => content.meta_mut(),
            Err(_) => &mut self.metadata,
        }
    }
}

impl<'de, K: DeserializeOwned + Resource<DynamicType = ()>> Deserialize<'de> for Readable<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = Value::deserialize(deserializer)?;
        let metadata = object.get("metadata").cloned().unwrap_or_default();
        let metadata = ObjectMeta::deserialize(metadata).map_err(D::Error::custom)?;
        Ok(Self { metadata, content: read(object).map(Box::new) })
    }
}

fn read<K: DeserializeOwned + Resource<DynamicType = ()>>(mut object: Value) -> Result<K, Fault> {
    let spec = &schema::<K>()["properties"]["spec"];
    // What is on its way out is let go by what is known of it.
    let is_leaving = object["metadata"]["deletionTimestamp"].is_string();
    if let Some(field) = unknown(&object["spec"], spec, "spec").filter(|_| !is_leaving) {
        let problem = "this version of the operator does not know it".to_owned();
        return Err(Fault { field, problem });
    }
    match parse(&object) {
        Ok(whole) => Ok(whole),
        Err(fault) => {
            let status = object.as_object_mut().and_then(|object| object.remove("status"));
            let without = parse(&object).map_err(|_| fault);
            match status {
                Some(Value::Object(status)) if without.is_ok() => with_what_fits(object, status),
                _ => without,
            }
        }
    }
}

/// The object with each part of the status that can be read.
fn with_what_fits<K: DeserializeOwned>(mut object: Value, status: Map<String, Value>) -> Result<K, Fault> {
    let fits = |part: &(String, Value)| {
        let (key, value) = part.clone();
        let mut alone = object.clone();
        alone["status"] = Value::Object([(key, value)].into_iter().collect());
        parse::<K>(&alone).is_ok()
    };
    let fitting: Map<_, _> =
        status.into_iter().filter(|(key, value)| fits(&(key.clone(), value.clone()))).collect();
    object["status"] = Value::Object(fitting);
    parse(&object)
}

fn parse<K: DeserializeOwned>(object: &Value) -> Result<K, Fault> {
    serde_path_to_error::deserialize(object)
        .map_err(|error| Fault { field: error.path().to_string(), problem: error.into_inner().to_string() })
}

/// The schema that this version has of the kind, made once a kind.
fn schema<K: Resource<DynamicType = ()>>() -> &'static Value {
    static SCHEMAS: OnceLock<Map<String, Value>> = OnceLock::new();
    let all = SCHEMAS.get_or_init(|| {
        let kinds = [boxoffice_crds::ReservationService::crd(), boxoffice_crds::SeatingEvent::crd()];
        let of = |crd| -> Option<(String, Value)> {
            let crd = serde_json::to_value(crd).ok()?;
            let kind = crd["spec"]["names"]["kind"].as_str()?.to_owned();
            Some((kind, crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()))
        };
        kinds.into_iter().filter_map(of).collect()
    });
    all.get(K::kind(&()).as_ref()).unwrap_or(&Value::Null)
}

/// The path of the first field that the schema does not have. Where it lists no properties, it takes any.
fn unknown(value: &Value, schema: &Value, path: &str) -> Option<String> {
    match value {
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            let path = format!("{path}.{name}");
            match (schema["properties"].get(name), schema.get("additionalProperties")) {
                (Some(known), _) => unknown(value, known, &path),
                (None, Some(any)) => unknown(value, any, &path),
                (None, None) => {
                    let is_open = schema["properties"].is_null() || schema[PRESERVES] == true;
                    (!is_open).then_some(path)
                }
            }
        }),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| unknown(item, &schema["items"], &format!("{path}[{index}]"))),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

const PRESERVES: &str = "x-kubernetes-preserve-unknown-fields";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reservation_service::fixtures::main_service;
    use crate::seating_event::fixtures::arena_night;
    use boxoffice_crds::{ReservationService, SeatingEvent};
    use kube::ResourceExt;
    use serde_json::json;

    fn service() -> Value {
        serde_json::to_value(main_service()).unwrap()
    }

    fn read_as<K: DeserializeOwned + Resource<DynamicType = ()>>(object: Value) -> Readable<K> {
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn what_this_version_knows_is_read() {
        let read = read_as::<ReservationService>(service());
        assert_eq!(read.name_any(), "main");
        assert_eq!(read.into_content(), Ok(main_service()));
        let event = serde_json::to_value(arena_night()).unwrap();
        assert_eq!(read_as::<SeatingEvent>(event).into_content(), Ok(arena_night()));
    }

    #[test]
    fn a_field_of_a_newer_version_is_named() {
        let mut newer = service();
        newer["spec"]["kafka"]["topic"]["tiered"] = json!(true);
        let read = read_as::<ReservationService>(newer);
        assert_eq!(read.name_any(), "main", "whose it is stays known");
        assert_eq!(read.fault().unwrap().field, "spec.kafka.topic.tiered");
        let mut newer = service();
        newer["spec"]["consumers"][0]["mirror"] = json!({});
        assert_eq!(read_as::<ReservationService>(newer).fault().unwrap().field, "spec.consumers[0].mirror");
    }

    #[test]
    fn a_field_of_a_newer_version_keeps_nothing_from_being_deleted() {
        let mut newer = service();
        newer["spec"]["someday"] = json!(true);
        newer["metadata"]["deletionTimestamp"] = json!("2026-11-30T00:00:00Z");
        assert_eq!(read_as::<ReservationService>(newer).fault(), None);
    }

    #[test]
    fn a_value_of_a_newer_version_is_named() {
        let mut newer = service();
        newer["spec"]["auth"]["mode"] = json!("mutual");
        let fault = read_as::<ReservationService>(newer).into_content().unwrap_err();
        assert_eq!(fault.field, "spec.auth.mode");
        assert!(fault.problem.contains("mutual"), "{fault}");
    }

    #[test]
    fn maps_and_open_objects_take_any_key() {
        let mut open = service();
        open["spec"]["kafka"]["topic"]["config"]["someday.ms"] = json!("1");
        open["metadata"]["someday"] = json!(1);
        assert_eq!(read_as::<ReservationService>(open).fault(), None);
    }

    #[test]
    fn a_status_of_a_newer_version_is_read_as_far_as_it_goes() {
        let mut newer = serde_json::to_value(arena_night()).unwrap();
        newer["status"] = json!({"phase": "Draining", "partition": 4, "someday": {}});
        let event = read_as::<SeatingEvent>(newer).into_content().unwrap();
        let status = event.status.unwrap();
        assert_eq!((status.phase, status.partition), (None, Some(4)));
    }
}
