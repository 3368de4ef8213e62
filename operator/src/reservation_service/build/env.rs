//! A variable of a worker's environment: its value, or from where it comes.

use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource};

use crate::reservation_service::validate::Source;

/// The variable `name` with the value that is in `source`.
pub(super) fn env(name: &str, source: &Source) -> EnvVar {
    let (value, value_from) = match source {
        Source::Plain(text) => (Some(text.clone()), None),
        Source::Secret(selector) => {
            let from = EnvVarSource { secret_key_ref: Some(selector.clone()), ..EnvVarSource::default() };
            (None, Some(from))
        }
        Source::ConfigMap(selector) => {
            let from = EnvVarSource { config_map_key_ref: Some(selector.clone()), ..EnvVarSource::default() };
            (None, Some(from))
        }
    };
    EnvVar { name: name.to_owned(), value, value_from }
}
