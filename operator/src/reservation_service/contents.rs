//! What the workers read from Secrets and `ConfigMaps`, as their Deployments say, and what becomes of it. Pure but for
//! [`read`].
//!
//! A pod reads them when it starts. Its template says by fingerprint what it read, a key each, so that another content
//! of a key replaces the pods of those workers that read it, and of no others. What is lost is told, and replaces nothing.

use std::collections::{BTreeMap, BTreeSet};

use boxoffice_crds::ReservationService;
use boxoffice_crds::common::condition::SECRETS_READY;
use boxoffice_crds::consumers::Consumer;
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::build::tls::{self, Part, Server};
use super::holding::{Holding, Kind, has_certificate, has_private_key, hold};
use super::names;
use crate::api::ApiError;
use crate::conditions::Finding;
use crate::context::Context;
use crate::notices::Notice;
use crate::secrets::{AGE, TOKEN_AGE};

/// The annotation of a pod that says what it read: `name/key:fingerprint` of a Secret and `configmap/name/key:fingerprint`
/// of a `ConfigMap`, with commas.
pub const MARK: &str = "boxoffice.dev/secrets";
/// What a `ConfigMap` begins with there; no key of a Secret has a slash.
const CONFIG_MAP: &str = "configmap/";
/// Most losses that a condition names.
const NAMED: usize = 5;
/// Longest value that a variable of the environment can have: 128 KiB with its name.
const LONGEST: usize = 131_000;

/// A Secret or a `ConfigMap`, by its name.
type Object = (Kind, String);
/// One of those and one of its keys.
type Key = (Object, String);
/// The fingerprints of what is read.
pub type Marks = BTreeMap<Key, String>;

/// A key that a worker is told by a variable of its environment.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reference {
    variable: String,
    key: Key,
    is_optional: bool,
}

/// What is wrong with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Problem {
    Missing,
    KeyMissing,
    Forbidden,
    NoCertificate,
    NoPrivateKey,
    TooLong,
}

/// What the service's workers read, and whether it is there.
#[derive(Debug, Default)]
pub struct Contents {
    /// What each worker's pods are to have read, by Deployment.
    marks: BTreeMap<String, Marks>,
    /// What is lost, by what it was in.
    losses: BTreeMap<(Object, Problem), Loss>,
    /// All that are named.
    named: BTreeSet<Object>,
    /// The keys whose content is another one than what runs has read.
    changed: BTreeSet<Key>,
}

#[derive(Debug, Default)]
struct Loss {
    keys: BTreeSet<String>,
    /// Where in the spec it is named.
    fields: BTreeSet<String>,
    /// The Deployments that read it.
    readers: BTreeSet<String>,
}

/// Reads what the workloads name, each once; what is put right shows soon.
pub async fn read(
    context: &Context,
    service: &ReservationService,
    workloads: &[DynamicObject],
    live: &BTreeMap<String, Deployment>,
) -> Result<Contents, ApiError> {
    let (namespace, name) = (service.namespace().unwrap_or_default(), service.name_any());
    let mut holdings = BTreeMap::new();
    for object in named(workloads, &name) {
        let holding = hold(context, &namespace, (object.0, &object.1), AGE).await?;
        holdings.insert(object, holding);
    }
    let contents = compare(service, workloads, &holdings, live);
    if contents.losses.is_empty() {
        return Ok(contents);
    }
    for (object, _) in contents.losses.keys() {
        let holding = hold(context, &namespace, (object.0, &object.1), TOKEN_AGE).await?;
        holdings.insert(object.clone(), holding);
    }
    Ok(compare(service, workloads, &holdings, live))
}

/// What the workloads name, but for the Secret of the admin token.
fn named(workloads: &[DynamicObject], service: &str) -> BTreeSet<Object> {
    workloads.iter().flat_map(|workload| references(workload, service)).map(|one| one.key.0).collect()
}

/// What is read, given what is there and what runs.
fn compare(
    service: &ReservationService,
    workloads: &[DynamicObject],
    holdings: &BTreeMap<Object, Holding>,
    live: &BTreeMap<String, Deployment>,
) -> Contents {
    let mut contents = Contents { named: holdings.keys().cloned().collect(), ..Contents::default() };
    for workload in workloads {
        let name = workload.name_any();
        let before = live.get(&name).map(marks_of).unwrap_or_default();
        let mut marks = Marks::new();
        for reference in references(workload, &service.name_any()) {
            let Reference { variable, key, is_optional } = reference;
            match content(holdings.get(&key.0), &key.1, &variable) {
                Ok(mark) => {
                    if before.get(&key).is_some_and(|before| *before != mark) {
                        contents.changed.insert(key.clone());
                    }
                    marks.insert(key, mark);
                }
                Err(Problem::Missing | Problem::KeyMissing | Problem::Forbidden) if is_optional => {}
                Err(problem) => {
                    let loss = contents.losses.entry((key.0.clone(), problem)).or_default();
                    loss.keys.insert(key.1.clone());
                    loss.fields.extend(field(&variable, key.0.0, workload, &service.spec.consumers));
                    loss.readers.insert(name.clone());
                    // What runs goes on with what it has read.
                    if let Some(before) = before.get(&key) {
                        marks.insert(key, before.clone());
                    }
                }
            }
        }
        contents.marks.insert(name, marks);
    }
    contents
}

/// What a worker reads from Secrets and `ConfigMaps`, but for the admin token.
fn references(workload: &DynamicObject, service: &str) -> Vec<Reference> {
    let token = names::admin_token(service);
    let containers = workload.data.pointer("/spec/template/spec/containers").and_then(Value::as_array);
    let variables = containers.into_iter().flatten().filter_map(|container| container["env"].as_array());
    let read = variables.flatten().filter_map(|variable| {
        let from = &variable["valueFrom"];
        let kinds = [(Kind::Secret, "secretKeyRef"), (Kind::ConfigMap, "configMapKeyRef")];
        let (kind, from) = kinds.into_iter().find_map(|(kind, name)| Some((kind, from.get(name)?)))?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Some(Reference {
            variable: text(&variable["name"])?,
            key: ((kind, text(&from["name"])?), text(&from["key"])?),
            is_optional: from["optional"] == true,
        })
    });
    let is_token = |(kind, name): &Object| *kind == Kind::Secret && *name == token;
    read.filter(|reference| !is_token(&reference.key.0)).collect()
}

/// The fingerprint of a key's content that a variable is to hold, or why there is none.
fn content(holding: Option<&Holding>, key: &str, variable: &str) -> Result<String, Problem> {
    let holding = match holding {
        Some(there @ (Holding::Secret(_) | Holding::ConfigMap(_))) => there,
        Some(Holding::Forbidden) => return Err(Problem::Forbidden),
        Some(Holding::Absent) | None => return Err(Problem::Missing),
    };
    let value = holding.value(key).ok_or(Problem::KeyMissing)?;
    match tls::told(variable) {
        _ if value.len() > LONGEST => Err(Problem::TooLong),
        Some((_, Part::Authority | Part::Certificate)) if !has_certificate(value) => {
            Err(Problem::NoCertificate)
        }
        Some((_, Part::Key)) if !has_private_key(value) => Err(Problem::NoPrivateKey),
        Some(_) | None => Ok(holding.fingerprint(value)),
    }
}

/// Where in the spec the variable of a worker comes from. The query worker's database is that of a consumer, which reads it
/// too.
fn field(variable: &str, kind: Kind, workload: &DynamicObject, consumers: &[Consumer]) -> Option<String> {
    let component = workload.labels().get(names::COMPONENT).map(String::as_str).unwrap_or_default();
    let of_consumer = |field: &str| {
        let index = consumers.iter().position(|consumer| consumer.name == component)?;
        Some(format!("consumers[{index}].{field}"))
    };
    if let Some((server, part)) = tls::told(variable) {
        let reference = match (part, kind) {
            (Part::Authority, Kind::Secret) => "tls.caSecretRef",
            (Part::Authority, Kind::ConfigMap) => "tls.caConfigMapRef",
            (Part::Certificate | Part::Key, _) => "tls.certificateSecretRef",
        };
        return match server {
            Server::Kafka => Some(format!("kafka.{reference}")),
            Server::Redis => Some(format!("redis.{reference}")),
            Server::Database if component == names::QUERY => None,
            Server::Database => of_consumer(&format!("database.{reference}")),
        };
    }
    match variable {
        "BOXOFFICE_REDIS_URL" => Some("redis.urlFrom".to_owned()),
        "BOXOFFICE_JWT_KEY" => Some("auth.jwt.secretRef".to_owned()),
        "BOXOFFICE_DATABASE_URL" if component == names::QUERY => None,
        "BOXOFFICE_DATABASE_URL" => of_consumer("database.urlFrom"),
        "BOXOFFICE_PAYMENT_TOKEN" => of_consumer("payment.secretRef"),
        "BOXOFFICE_WEBHOOK_KEY" => of_consumer("webhook.secretRef"),
        sasl if sasl.starts_with("BOXOFFICE_KAFKA_SASL_") => Some("kafka.sasl.secretRef".to_owned()),
        other => Some(other.to_owned()),
    }
}

fn marks_of(deployment: &Deployment) -> Marks {
    let template = deployment.spec.as_ref().and_then(|spec| spec.template.metadata.as_ref());
    let mark = template.and_then(|template| template.annotations.as_ref()?.get(MARK));
    mark.map(|mark| parse(mark)).unwrap_or_default()
}

fn parse(mark: &str) -> Marks {
    let one = |part: &str| {
        let (key, mark) = part.split_once(':')?;
        let of_map =
            key.strip_prefix(CONFIG_MAP).and_then(|key| Some((Kind::ConfigMap, key.split_once('/')?)));
        let (kind, (name, key)) = match of_map {
            Some(of_map) => of_map,
            None => (Kind::Secret, key.split_once('/')?),
        };
        Some((((kind, name.to_owned()), key.to_owned()), mark.to_owned()))
    };
    mark.split(',').filter_map(one).collect()
}

fn written(marks: &Marks) -> String {
    let one = |(((kind, name), key), mark): (&Key, &String)| {
        let kind = match kind {
            Kind::Secret => "",
            Kind::ConfigMap => CONFIG_MAP,
        };
        format!("{kind}{name}/{key}:{mark}")
    };
    marks.iter().map(one).collect::<Vec<_>>().join(",")
}

impl Contents {
    /// Says in the pods' templates what their pods are to have read.
    pub fn mark(&self, workload: &mut DynamicObject) {
        if let Some(marks) = self.marks.get(&workload.name_any()).filter(|marks| !marks.is_empty()) {
            annotate(workload, MARK, &written(marks));
        }
    }

    /// Whether pods of the Deployment could not start.
    pub fn holds_back(&self, deployment: &str) -> bool {
        self.losses.values().any(|loss| loss.readers.contains(deployment))
    }

    /// The condition, for a service in `namespace`.
    pub fn finding(&self, namespace: &str) -> Finding {
        let Some(((kind, _), first)) = self.losses.keys().next() else {
            return Finding::met(SECRETS_READY, "Ready", self.read());
        };
        let told = self.losses.iter().take(NAMED);
        let told: Vec<_> =
            told.map(|((object, problem), loss)| loss.told(namespace, object, *problem)).collect();
        let more = match self.losses.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        let message = format!("{}{more}. What runs goes on until it starts again", told.join("; "));
        Finding::unmet(SECRETS_READY, &first.reason(*kind), message)
    }

    /// How much is read.
    fn read(&self) -> String {
        let counted = |wanted: Kind| {
            let count = self.named.iter().filter(|(kind, _)| *kind == wanted).count();
            match count {
                0 => None,
                1 => Some(format!("1 {wanted}")),
                _ => Some(format!("{count} {wanted}s")),
            }
        };
        let counted: Vec<_> = [Kind::Secret, Kind::ConfigMap].into_iter().filter_map(counted).collect();
        match self.named.len() {
            0 => "none is named".to_owned(),
            1 => format!("{} is read", counted.concat()),
            _ => format!("{} are read", counted.join(" and ")),
        }
    }

    /// What became another one, and replaces pods.
    pub fn deed(&self) -> Option<Notice> {
        let keys: Vec<_> = self
            .changed
            .iter()
            .take(NAMED)
            .map(|((kind, name), key)| format!("{key} of {kind} {name}"))
            .collect();
        let more = match self.changed.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let note = format!("{}{more} changed: the pods that read it are replaced", keys.join(", "));
        let reason = match self.changed.first() {
            Some(((Kind::ConfigMap, _), _)) => "ConfigMapChanged",
            Some(((Kind::Secret, _), _)) | None => "SecretChanged",
        };
        (!keys.is_empty()).then(|| Notice::normal(reason, note))
    }
}

impl Problem {
    fn reason(self, kind: Kind) -> String {
        let what = match self {
            Self::Missing => "Missing",
            Self::KeyMissing => "KeyMissing",
            Self::Forbidden => "Forbidden",
            Self::NoCertificate | Self::NoPrivateKey | Self::TooLong => "Unusable",
        };
        format!("{kind}{what}")
    }
}

impl Loss {
    fn told(&self, namespace: &str, (kind, name): &Object, problem: Problem) -> String {
        let joined = |words: &BTreeSet<String>, with: &str| {
            words.iter().map(String::as_str).collect::<Vec<_>>().join(with)
        };
        let (fields, keys, readers) =
            (joined(&self.fields, ", "), joined(&self.keys, " and "), joined(&self.readers, ", "));
        let what = match problem {
            Problem::Missing => format!("does not exist: create it with {keys}"),
            Problem::KeyMissing => format!("has nothing under {keys}: add it"),
            Problem::Forbidden => kind.unreadable(),
            Problem::NoCertificate => format!("has no certificate under {keys}: store one in PEM form"),
            Problem::NoPrivateKey => {
                format!("has no private key under {keys}: store one in PEM form, without a password")
            }
            Problem::TooLong => {
                format!(
                    "has more than {LONGEST} bytes under {keys}, which no pod can be told: store less there, such as the \
                         one authority that is needed"
                )
            }
        };
        format!("{fields}: {kind} {namespace}/{name} {what} (read by {readers})")
    }
}

/// Adds an annotation to the pods' template.
pub fn annotate(workload: &mut DynamicObject, key: &str, value: &str) {
    workload.data["spec"]["template"]["metadata"]["annotations"][key] = json!(value);
}

#[cfg(test)]
#[path = "contents_tests.rs"]
mod tests;
