//! Documents to bend for a test, and the offline verdict of the CEL rules on them.

use boxoffice_crds::{ReservationService, SeatingEvent};
use kube::CustomResourceExt;
use kube::core::cel::{validate_cel, validate_cel_update};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A kind, together with its complete document.
pub trait Kind: CustomResourceExt + Serialize + DeserializeOwned {
    const COMPLETE: &'static str;
}

impl Kind for SeatingEvent {
    const COMPLETE: &'static str = include_str!("../fixtures/seating-event.yaml");
}

impl Kind for ReservationService {
    const COMPLETE: &'static str = include_str!("../fixtures/reservation-service.yaml");
}

/// The complete document of a kind.
pub fn complete<K: Kind>() -> Value {
    serde_yaml_ng::from_str(K::COMPLETE).expect("a fixture is YAML")
}

/// `document` with `value`, in YAML, at `pointer` (`/spec/sections/0/id`); parents are made where they are absent.
pub fn with(mut document: Value, pointer: &str, value: &str) -> Value {
    let mut place = &mut document;
    for key in pointer.split('/').skip(1) {
        place = match (place.is_array(), key.parse::<usize>()) {
            (true, Ok(index)) => &mut place[index],
            _ => &mut place[key],
        };
    }
    *place = serde_yaml_ng::from_str(value).expect("a value is YAML");
    document
}

/// `document` without the field at `pointer`.
pub fn without(mut document: Value, pointer: &str) -> Value {
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer has a slash");
    document
        .pointer_mut(parent)
        .and_then(Value::as_object_mut)
        .expect("an object")
        .remove(key)
        .expect("a field");
    document
}

/// What the rules say about creating `document`: a line a violation, empty when it is accepted.
pub fn on_create<K: Kind>(document: Value) -> String {
    let object: K = serde_json::from_value(document).expect("the types can read it");
    validate_cel(&object).err().map(|errors| errors.to_string()).unwrap_or_default()
}

/// What the rules say about changing `old` into `new`.
pub fn on_update<K: Kind>(old: Value, new: Value) -> String {
    let [old, new] =
        [old, new].map(|document| serde_json::from_value::<K>(document).expect("the types can read it"));
    validate_cel_update(&new, &old).err().map(|errors| errors.to_string()).unwrap_or_default()
}

/// Fails unless `verdict` is that of an accepted document.
#[track_caller]
pub fn accepted(verdict: &str) {
    assert_eq!(verdict, "", "should be accepted");
}

/// Fails unless `verdict` is a refusal that says `message`.
#[track_caller]
pub fn refused(verdict: &str, message: &str) {
    assert!(verdict.contains(message), "should be refused with {message:?}, but the verdict is {verdict:?}");
}
