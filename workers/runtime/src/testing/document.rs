//! An OpenAPI document held to its word: [`Document::calls`] are the requests that its examples show, [`Document::take`]
//! compares an answer with what is written, and [`Document::all_seen`] fails where an example was never met.

use std::cell::RefCell;
use std::collections::BTreeSet;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use axum::response::Response;
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

/// A document, and which of its examples were met.
pub struct Document {
    root: Value,
    seen: RefCell<BTreeSet<String>>,
}

/// A request as a document shows it.
#[derive(Debug, Clone)]
pub struct Call {
    /// The operation's id.
    pub operation: String,
    /// The body's example, if it has one.
    pub example: Option<String>,
    /// The parameter that it has besides those that every request needs.
    pub parameter: Option<String>,
    /// In upper case.
    pub method: String,
    /// With ids and query.
    pub path: String,
    /// Those of parameters; who calls is not among them.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<Value>,
}

/// An answer, read.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its content type, without parameters.
    pub content_type: String,
    /// Its body; null where it is no JSON.
    pub body: Value,
}

impl Call {
    /// As a request of somebody.
    pub fn request(&self, who: (&str, &str)) -> Request<Body> {
        let mut request =
            Request::builder().method(self.method.as_str()).uri(&self.path).header(who.0, who.1);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let Some(body) = &self.body else { return request.body(Body::empty()).unwrap() };
        request.header("content-type", "application/json").body(Body::from(body.to_string())).unwrap()
    }
}

impl Answer {
    /// Reads a response. A body that is not JSON is left alone: it may never end.
    pub async fn read(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let content_type =
            parts.headers.get("content-type").map(|it| it.to_str().unwrap()).unwrap_or_default();
        let content_type = content_type.split(';').next().unwrap_or_default().to_owned();
        let body = if content_type.ends_with("json") && !content_type.ends_with("ndjson") {
            serde_json::from_slice(&to_bytes(body, 1 << 24).await.unwrap()).unwrap()
        } else {
            Value::Null
        };
        Self { status: parts.status.as_u16(), content_type, body }
    }
}

impl Document {
    /// A document that nothing was compared with yet.
    pub fn new(document: &OpenApi) -> Self {
        Self { root: serde_json::to_value(document).unwrap(), seen: RefCell::default() }
    }

    /// What it says at a JSON pointer.
    pub fn at(&self, pointer: &str) -> &Value {
        self.root.pointer(pointer).unwrap_or_else(|| panic!("{pointer} leads nowhere"))
    }

    /// The operations: id, path, method and node.
    fn operations(&self) -> impl Iterator<Item = (&str, &str, &str, &Value)> {
        self.at("/paths").as_object().unwrap().iter().flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().iter();
            methods.map(move |(method, node)| {
                (node["operationId"].as_str().unwrap(), path.as_str(), method.as_str(), node)
            })
        })
    }

    fn operation(&self, id: &str) -> &Value {
        self.operations().find(|(found, ..)| *found == id).unwrap_or_else(|| panic!("no operation {id}")).3
    }

    /// Every request that it shows: each example of a body, without and with each parameter that may be left out.
    pub fn calls(&self) -> Vec<Call> {
        let mut calls = vec![];
        for (operation, path, method, node) in self.operations() {
            let bodies = examples(&node["requestBody"]["content"]["application/json"]);
            let bodies = if bodies.is_empty() { vec![(None, None)] } else { bodies };
            let parameters: Vec<_> =
                node["parameters"].as_array().unwrap().iter().map(|it| self.resolved(it)).collect();
            let (needed, free): (Vec<_>, Vec<_>) =
                parameters.into_iter().partition(|parameter| parameter["required"] == true);
            for (example, body) in bodies {
                for extra in std::iter::once(None).chain(free.iter().map(Some)) {
                    let mut call = Call {
                        operation: operation.to_owned(),
                        example: example.clone(),
                        parameter: extra.map(|it| it["name"].as_str().unwrap().to_owned()),
                        method: method.to_uppercase(),
                        path: path.to_owned(),
                        headers: vec![],
                        body: body.clone(),
                    };
                    needed.iter().chain(extra).for_each(|parameter| call.add(parameter));
                    calls.push(call);
                }
            }
        }
        calls
    }

    /// The codes that an operation can answer, each with its status.
    pub fn codes(&self, operation: &str) -> Vec<(u16, String)> {
        let responses = self.operation(operation)["responses"].as_object().unwrap();
        let of_status = responses.iter().flat_map(|(status, response)| {
            let codes = response["content"]["application/problem+json"]["examples"].as_object();
            codes.into_iter().flat_map(|it| it.keys()).map(|code| (status.parse().unwrap(), code.clone()))
        });
        of_status.collect()
    }

    /// Compares an answer with what is written about its status: that there is something, the content type, the schema, and
    /// the shape of the examples. A problem has to be the example of its code.
    #[track_caller]
    pub fn take(&self, call: &Call, answer: &Answer) {
        let Answer { status, content_type, body } = answer;
        let what = format!("{} {} {}: {status} {body}", call.operation, call.method, call.path);
        let response = &self.operation(&call.operation)["responses"][status.to_string()];
        assert!(response.is_object(), "not documented: {what}");
        if let Some(example) = &call.example {
            self.see(&[&call.operation, "request", example]);
        }
        if let Some(parameter) = &call.parameter {
            self.see(&[&call.operation, "parameter", parameter]);
        }
        if content_type.is_empty() {
            assert!(response["content"].is_null(), "a body is documented: {what}");
            return;
        }
        let content = &response["content"][content_type];
        assert!(content.is_object(), "content type {content_type} is not documented: {what}");
        if body.is_null() {
            return;
        }
        self.valid(&content["schema"], body, &what);
        let status = status.to_string();
        let mut alike = false;
        for (name, example) in self.examples_of(content) {
            let of_this_code = body["code"] == name && content_type == "application/problem+json";
            if of_this_code || shape(&example) == shape(body) {
                alike = true;
                self.see(&[&call.operation, &status, &name]);
            }
        }
        assert!(alike, "no example is like this: {what}");
    }

    /// Fails unless every example was met, but those with the given codes.
    #[track_caller]
    pub fn all_seen(&self, but_codes: &[&str]) {
        let mut written = BTreeSet::new();
        for (operation, _, _, node) in self.operations() {
            for (name, _) in examples(&node["requestBody"]["content"]["application/json"]) {
                written.insert([operation, "request", &name.unwrap()].join(" "));
            }
            for parameter in node["parameters"].as_array().unwrap() {
                let parameter = self.resolved(parameter);
                if parameter["required"] != true {
                    written.insert([operation, "parameter", parameter["name"].as_str().unwrap()].join(" "));
                }
            }
            for (status, response) in node["responses"].as_object().unwrap() {
                for content in response["content"].as_object().into_iter().flat_map(Map::values) {
                    for (name, _) in self.examples_of(content) {
                        if !but_codes.contains(&name.as_str()) {
                            written.insert([operation, status, &name].join(" "));
                        }
                    }
                }
            }
        }
        let seen = self.seen.borrow();
        let missing: Vec<_> = written.difference(&seen).collect();
        assert!(missing.is_empty(), "examples that no test met: {missing:#?}");
    }

    /// Fails where a reference leads nowhere, an operation says too little, or an example is none of its schema.
    #[track_caller]
    pub fn sound(&self) {
        self.references(&self.root);
        let mut ids = BTreeSet::new();
        for (id, path, method, node) in self.operations() {
            assert!(ids.insert(id), "{id} is there twice");
            for field in ["summary", "description"] {
                assert!(node[field].as_str().is_some_and(|it| !it.is_empty()), "{method} {path}: no {field}");
            }
            let tag = &node["tags"][0];
            let tags = self.at("/tags").as_array().unwrap();
            assert!(tags.iter().any(|known| known["name"] == *tag), "{id}: tag {tag} is not described");
            let content = &node["requestBody"]["content"]["application/json"];
            assert!(node["requestBody"].is_null() || !examples(content).is_empty(), "{id}: no example");
            for (name, body) in examples(content) {
                self.valid(&content["schema"], &body.unwrap(), &format!("{id}: example {name:?}"));
            }
            for parameter in node["parameters"].as_array().unwrap() {
                let parameter = self.resolved(parameter);
                let what = format!("{id}: parameter {}", parameter["name"]);
                assert!(parameter["description"].is_string() && !parameter["example"].is_null(), "{what}");
                self.valid(&parameter["schema"], &parameter["example"], &what);
            }
            for (status, response) in node["responses"].as_object().unwrap() {
                assert!(response["description"].as_str().is_some_and(|it| !it.is_empty()), "{id} {status}");
                for content in response["content"].as_object().into_iter().flat_map(Map::values) {
                    for (name, example) in self.examples_of(content) {
                        self.valid(&content["schema"], &example, &format!("{id} {status} {name}"));
                    }
                }
            }
        }
    }

    fn references(&self, node: &Value) {
        match node {
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    assert_ne!(self.at(&reference[1..]), &json!({}), "{reference} says nothing");
                }
                fields.values().for_each(|field| self.references(field));
            }
            Value::Array(items) => items.iter().for_each(|item| self.references(item)),
            _ => {}
        }
    }

    fn resolved<'a>(&'a self, node: &'a Value) -> &'a Value {
        node["$ref"].as_str().map_or(node, |reference| self.at(&reference[1..]))
    }

    fn examples_of(&self, content: &Value) -> Vec<(String, Value)> {
        let named = content["examples"].as_object().into_iter().flatten();
        let named = named.map(|(name, example)| (name.clone(), self.resolved(example)["value"].clone()));
        let alone = content.get("example").map(|example| ("example".to_owned(), example.clone()));
        named.chain(alone).collect()
    }

    #[track_caller]
    fn valid(&self, schema: &Value, value: &Value, what: &str) {
        let mut schema = schema.clone();
        schema["components"] = self.root["components"].clone();
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let errors: Vec<_> =
            validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{what}: {errors:#?}");
    }

    fn see(&self, parts: &[&str]) {
        self.seen.borrow_mut().insert(parts.join(" "));
    }
}

impl Call {
    fn add(&mut self, parameter: &Value) {
        let name = parameter["name"].as_str().unwrap();
        let value = match &parameter["example"] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match parameter["in"].as_str().unwrap() {
            "path" => self.path = self.path.replace(&format!("{{{name}}}"), &value),
            "query" => self.path = format!("{}?{name}={value}", self.path),
            _ => self.headers.push((name.to_owned(), value)),
        }
    }
}

/// The examples of a body, by name.
fn examples(content: &Value) -> Vec<(Option<String>, Option<Value>)> {
    let named = content["examples"].as_object().into_iter().flatten();
    let named = named.map(|(name, example)| (Some(name.clone()), Some(example["value"].clone())));
    let alone = content.get("example").map(|example| (Some("example".to_owned()), Some(example.clone())));
    named.chain(alone).collect()
}

/// A value without its values: the names of fields, and what kind each is; of a list the kinds of its items.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields.iter().map(|(name, field)| (name.clone(), shape(field))).collect(),
        Value::Array(items) => {
            let mut kinds: Vec<_> = items.iter().map(shape).collect();
            kinds.sort_by_key(Value::to_string);
            kinds.dedup();
            kinds.into()
        }
        Value::String(_) => "string".into(),
        Value::Number(_) => "number".into(),
        Value::Bool(_) => "boolean".into(),
        Value::Null => Value::Null,
    }
}
