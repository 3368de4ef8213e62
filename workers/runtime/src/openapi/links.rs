//! What an answer names can be asked for next: links from the ids in a successful answer to the operations of the document that
//! take one in their path. Tools that test an API follow them; the pages do not show them.

use serde_json::Value;
use utoipa::openapi::link::LinkBuilder;
use utoipa::openapi::{OpenApi, RefOr};

use super::operations;

/// Ids that are asked for as answers name them. Of seats an answer names many, and any will do.
const IDS: [&str; 4] = ["eventId", "seatId", "holdId", "reservationId"];

/// Adds the links to every answer.
pub(super) fn add(document: &mut OpenApi) {
    // It was made by this program, so it can be read.
    let root = serde_json::to_value(&*document).unwrap_or_default();
    let takers = takers(&root);
    for (path, item) in &mut document.paths.paths {
        for operation in operations(item) {
            let from = operation.operation_id.clone().unwrap_or_default();
            let successes =
                operation.responses.responses.iter_mut().filter(|(status, _)| status.starts_with('2'));
            for (_, response) in successes {
                let RefOr::T(response) = response else { continue };
                let body = serde_json::to_value(&response.content).unwrap_or_default();
                let schema = &body["application/json"]["schema"];
                let to_another = |(_, operation): &&(&str, String)| *operation != from;
                for (id, operation) in takers.iter().filter(to_another) {
                    // What is in the address already leads nowhere new.
                    let is_new = !path.contains(&format!("{{{id}}}"));
                    let Some(place) = is_new.then(|| place(&root, schema, id)).flatten() else { continue };
                    let link = LinkBuilder::new().operation_id(operation.as_str()).parameter(*id, place);
                    response.links.insert(operation.clone(), RefOr::T(link.build()));
                }
            }
        }
    }
}

/// The ids, each with an operation that takes it in its path.
fn takers(root: &Value) -> Vec<(&'static str, String)> {
    let paths = root["paths"].as_object().into_iter().flatten();
    let operations = paths.flat_map(|(path, item)| {
        let ids = item.as_object().into_iter().flatten();
        ids.filter_map(move |(_, operation)| Some((path, operation["operationId"].as_str()?)))
    });
    let of = |(path, operation): (&String, &str)| {
        let id = IDS.iter().find(|id| path.contains(&format!("{{{id}}}")))?;
        Some((*id, operation.to_owned()))
    };
    operations.filter_map(of).collect()
}

/// Where in a body an id is, as an expression.
fn place(root: &Value, schema: &Value, id: &str) -> Option<String> {
    let schema = resolved(root, schema);
    match schema.get("items") {
        Some(entry) if has(root, entry, id) => Some(format!("$response.body#/0/{id}")),
        None if has(root, schema, id) => Some(format!("$response.body#/{id}")),
        Some(_) | None => None,
    }
}

/// Whether an object of a schema has a field, in one of its forms at least.
fn has(root: &Value, schema: &Value, field: &str) -> bool {
    let schema = resolved(root, schema);
    let forms = ["allOf", "anyOf", "oneOf"].into_iter().filter_map(|of| schema[of].as_array()).flatten();
    schema["properties"].get(field).is_some() || forms.into_iter().any(|form| has(root, form, field))
}

fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema["$ref"].as_str().and_then(|reference| root.pointer(reference.strip_prefix('#')?));
    target.unwrap_or(schema)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_leads_to_what_it_names() {
        let hold = json!({"oneOf": [
            {"type": "object", "properties": {"holdId": {"type": "string"}}},
            {"type": "object", "properties": {"reservationId": {"type": "string"}}}
        ]});
        let list = json!({"type": "array", "items": {"type": "object", "properties": {"eventId": {"type": "string"}}}});
        let answers = |schema: &Value| json!({"200": {"description": "", "content": {"application/json": {"schema": schema}}}});
        let mut document: OpenApi = serde_json::from_value(json!({
            "openapi": "3.1.0", "info": {"title": "", "version": ""},
            "components": {"schemas": {"Hold": hold}},
            "paths": {
                "/events": {"get": {"operationId": "list", "responses": answers(&list)}},
                "/events/{eventId}/holds": {"post": {
                    "operationId": "hold", "responses": answers(&json!({"$ref": "#/components/schemas/Hold"}))
                }},
                "/holds/{holdId}": {"get": {
                    "operationId": "show", "responses": answers(&json!({"$ref": "#/components/schemas/Hold"}))
                }},
                "/reservations/{reservationId}": {"delete": {"operationId": "cancel", "responses": {"204": {"description": ""}}}}
            }
        }))
        .unwrap();
        add(&mut document);
        let root = serde_json::to_value(&document).unwrap();
        let links = |path: &str| root.pointer(&format!("{path}/responses/200/links")).unwrap().clone();
        let link = |operation: &str, id: &str, place: &str| json!({"operationId": operation, "parameters": {id: place}});
        assert_eq!(
            links("/paths/~1events/get"),
            json!({"hold": link("hold", "eventId", "$response.body#/0/eventId")})
        );
        assert_eq!(
            links("/paths/~1events~1{eventId}~1holds/post"),
            json!({
                "show": link("show", "holdId", "$response.body#/holdId"),
                "cancel": link("cancel", "reservationId", "$response.body#/reservationId"),
            })
        );
        assert_eq!(
            links("/paths/~1holds~1{holdId}/get"),
            json!({"cancel": link("cancel", "reservationId", "$response.body#/reservationId")})
        );
    }
}
