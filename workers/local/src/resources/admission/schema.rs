//! The OpenAPI schema of a kind, and the values that it refuses.

use jsonschema::{Draft, ValidationError, Validator};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::super::source_map::below;
use super::Problem;
use super::words;

/// The schema of the whole resource: what the definition says about it, and what is true of every resource.
pub(super) fn complete(declared: &Value) -> Value {
    let mut schema = declared.clone();
    int_or_string(&mut schema);
    let settings = SchemaSettings::openapi3().with(|settings| settings.inline_subschemas = true);
    let metadata = settings.into_generator().into_root_schema_for::<ObjectMeta>();
    schema["properties"]["apiVersion"] = json!({ "type": "string" });
    schema["properties"]["kind"] = json!({ "type": "string" });
    schema["properties"]["metadata"] = metadata.to_value();
    schema
}

/// Says in JSON Schema what Kubernetes says by an extension.
fn int_or_string(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
                map.insert("type".to_owned(), json!(["integer", "string"]));
            }
            map.values_mut().for_each(int_or_string);
        }
        Value::Array(list) => list.iter_mut().for_each(int_or_string),
        _ => {}
    }
}

/// The draft that OpenAPI 3.0 grew from, with the formats that the API server checks too.
pub(super) fn validator(schema: &Value) -> Result<Validator, ValidationError<'static>> {
    jsonschema::options()
        .with_draft(Draft::Draft4)
        .should_validate_formats(true)
        .should_ignore_unknown_formats(true)
        .build(schema)
}

/// Every value that the schema refuses, with what it expects.
pub(super) fn check(validator: &Validator, schema: &Value, value: &Value) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    for error in validator.iter_errors(value) {
        let mut field = String::new();
        for segment in error.instance_path().as_str().split('/').skip(1) {
            let segment = segment.replace("~1", "/").replace("~0", "~");
            field = match segment.parse::<usize>() {
                Ok(index) => format!("{field}[{index}]"),
                Err(_) => below(&field, &segment),
            };
        }
        let keyword = error.schema_path().as_str();
        let node = keyword.rsplit_once('/').and_then(|(node, _)| schema.pointer(node)).unwrap_or(schema);
        let (missing, message) = words::describe(&error, node);
        let field = missing.map_or(field.clone(), |missing| below(&field, &missing));
        // A text that has not the right form fails both pattern and format, for the same reason.
        if !problems.iter().any(|known| known.field == field && known.message == message) {
            problems.push(Problem { field, message });
        }
    }
    problems
}
