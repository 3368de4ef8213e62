//! The two kinds as YAML for `kubectl apply`: what `boxoffice-operator crd` prints and what lies beside this crate.

use kube::CustomResourceExt;
use serde_json::Value;

use crate::yaml_1_1;
use crate::{ReservationService, SeatingEvent};

/// One CustomResourceDefinition, ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The file's name: `seatingevents.yaml`.
    pub file: String,
    /// Its content: one YAML document that ends with a line feed.
    pub yaml: String,
}

/// Both CustomResourceDefinitions.
///
/// # Errors
/// When a definition cannot be written as YAML, which would be a fault of this crate.
pub fn manifests() -> Result<[Manifest; 2], serde_yaml_ng::Error> {
    Ok([manifest::<ReservationService>()?, manifest::<SeatingEvent>()?])
}

fn manifest<K: CustomResourceExt>() -> Result<Manifest, serde_yaml_ng::Error> {
    let mut crd = serde_yaml_ng::to_value(K::crd()).and_then(serde_yaml_ng::from_value::<Value>)?;
    canonical(&mut crd);
    let yaml = yaml_1_1::quote(&serde_yaml_ng::to_string(&crd)?);
    let file = format!("{}.yaml", K::api_resource().plural);
    Ok(Manifest { file, yaml })
}

/// Removes what the API server has no use for: formats it warns about, and `nullable`, so that a null is the same as a
/// field left out (the server drops it and fills in the default) and no rule ever meets one. Unwraps descriptions, which
/// `kubectl explain` wraps itself.
fn canonical(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            map.retain(|key, value| match key.as_str() {
                "nullable" => !value.is_boolean(),
                "format" => !value.as_str().is_some_and(|format| format.starts_with("uint")),
                _ => true,
            });
            if let Some(Value::String(description)) = map.get_mut("description") {
                *description = description.replace('\n', " ");
            }
            map.values_mut().for_each(canonical);
        }
        Value::Array(list) => list.iter_mut().for_each(canonical),
        _ => {}
    }
}
