//! What the workers read from Secrets, as their Deployments say, and what becomes of it. Pure but for [`read`].
//!
//! A pod reads a Secret when it starts. Its template says by fingerprint what it read, a key each, so that another content
//! of a key replaces the pods of those workers that read it, and of no others. What is lost is told, and replaces nothing.

use boxoffice_crds::ReservationService;
use boxoffice_crds::common::condition::SECRETS_READY;
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

use super::fingerprint::fingerprint;
use super::names;
use crate::api::ApiError;
use crate::conditions::Finding;
use crate::context::Context;
use crate::notices::Notice;
use crate::secrets::{AGE, Holding, TOKEN_AGE, UNREADABLE};

/// The annotation of a pod that says what it read from Secrets: `name/key:fingerprint` with commas.
pub const MARK: &str = "boxoffice.dev/secrets";
/// Most losses that a condition names.
const NAMED: usize = 5;

/// A Secret's name and one of its keys.
type Key = (String, String);
/// The fingerprints of what is read, by Secret and key.
pub type Marks = BTreeMap<Key, String>;

/// A key of a Secret that a worker is told by a variable of its environment.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reference {
    variable: String,
    key: Key,
    is_optional: bool,
}

/// What is wrong with a Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Problem {
    Missing,
    KeyMissing,
    Forbidden,
}

/// What the service's workers read, and whether it is there.
#[derive(Debug, Default)]
pub struct Contents {
    /// What each worker's pods are to have read, by Deployment.
    marks: BTreeMap<String, Marks>,
    /// What is lost, by Secret.
    losses: BTreeMap<(String, Problem), Loss>,
    /// How many Secrets are named.
    secrets: usize,
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

/// Reads the Secrets that the workloads name, each once; what is put right shows soon.
pub async fn read(
    context: &Context,
    service: &ReservationService,
    workloads: &[DynamicObject],
    live: &BTreeMap<String, Deployment>,
) -> Result<Contents, ApiError> {
    let (namespace, name) = (service.namespace().unwrap_or_default(), service.name_any());
    let mut holdings = BTreeMap::new();
    for secret in named(workloads, &name) {
        let holding = context.secrets.hold(&context.client, &namespace, &secret, AGE).await?;
        holdings.insert(secret, holding);
    }
    let contents = compare(&name, workloads, &holdings, live);
    if contents.losses.is_empty() {
        return Ok(contents);
    }
    for (secret, _) in contents.losses.keys() {
        let holding = context.secrets.hold(&context.client, &namespace, secret, TOKEN_AGE).await?;
        holdings.insert(secret.clone(), holding);
    }
    Ok(compare(&name, workloads, &holdings, live))
}

/// The Secrets that the workloads name, but for that of the admin token.
fn named(workloads: &[DynamicObject], service: &str) -> BTreeSet<String> {
    workloads.iter().flat_map(|workload| references(workload, service)).map(|one| one.key.0).collect()
}

/// What is read, given what is there and what runs.
fn compare(
    service: &str,
    workloads: &[DynamicObject],
    holdings: &BTreeMap<String, Holding>,
    live: &BTreeMap<String, Deployment>,
) -> Contents {
    let mut contents = Contents { secrets: holdings.len(), ..Contents::default() };
    for workload in workloads {
        let name = workload.name_any();
        let before = live.get(&name).map(marks_of).unwrap_or_default();
        let mut marks = Marks::new();
        for reference in references(workload, service) {
            let Reference { variable, key, is_optional } = reference;
            match content(holdings.get(&key.0), &key.1) {
                Ok(mark) => {
                    if before.get(&key).is_some_and(|before| *before != mark) {
                        contents.changed.insert(key.clone());
                    }
                    marks.insert(key, mark);
                }
                Err(_) if is_optional => {}
                Err(problem) => {
                    let loss = contents.losses.entry((key.0.clone(), problem)).or_default();
                    loss.keys.insert(key.1.clone());
                    loss.fields.extend(field(&variable, workload));
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

/// What a worker reads from Secrets, but for the admin token.
fn references(workload: &DynamicObject, service: &str) -> Vec<Reference> {
    let token = names::admin_token(service);
    let containers = workload.data.pointer("/spec/template/spec/containers").and_then(Value::as_array);
    let variables = containers.into_iter().flatten().filter_map(|container| container["env"].as_array());
    let read = variables.flatten().filter_map(|variable| {
        let from = &variable["valueFrom"]["secretKeyRef"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Some(Reference {
            variable: text(&variable["name"])?,
            key: (text(&from["name"])?, text(&from["key"])?),
            is_optional: from["optional"] == true,
        })
    });
    read.filter(|reference| reference.key.0 != token).collect()
}

/// The fingerprint of a key's content, or why there is none. Mixed with the Secret's uid, which only those know who may
/// read the Secret: the fingerprint stands in the open, and a weak password must not be found by trying which one fits.
fn content(holding: Option<&Holding>, key: &str) -> Result<String, Problem> {
    let secret = match holding {
        Some(Holding::There(secret)) => secret,
        Some(Holding::Forbidden) => return Err(Problem::Forbidden),
        Some(Holding::Absent) | None => return Err(Problem::Missing),
    };
    let value = secret.data.as_ref().and_then(|data| data.get(key)).filter(|value| !value.0.is_empty());
    let value = value.ok_or(Problem::KeyMissing)?;
    Ok(fingerprint(&format!("{}\n{:?}", secret.uid().unwrap_or_default(), value.0)))
}

/// Where in the spec the variable of a worker comes from. The query worker's database is that of a consumer, which reads it
/// too.
fn field(variable: &str, workload: &DynamicObject) -> Option<String> {
    let component = workload.labels().get(names::COMPONENT).map(String::as_str).unwrap_or_default();
    let of_consumer = |field: &str| Some(format!("consumers[{component}].{field}"));
    match variable {
        "BOXOFFICE_REDIS_URL" => Some("redis.urlFrom".to_owned()),
        "BOXOFFICE_KAFKA_CA" => Some("kafka.tls.caSecretRef".to_owned()),
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
        let (secret, key) = key.split_once('/')?;
        Some(((secret.to_owned(), key.to_owned()), mark.to_owned()))
    };
    mark.split(',').filter_map(one).collect()
}

fn written(marks: &Marks) -> String {
    let parts: Vec<_> = marks.iter().map(|((secret, key), mark)| format!("{secret}/{key}:{mark}")).collect();
    parts.join(",")
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
        let Some((_, first)) = self.losses.keys().next() else {
            let message = match self.secrets {
                0 => "none is named".to_owned(),
                1 => "1 Secret is read".to_owned(),
                secrets => format!("{secrets} Secrets are read"),
            };
            return Finding::met(SECRETS_READY, "Ready", message);
        };
        let told = self.losses.iter().take(NAMED);
        let told: Vec<_> =
            told.map(|((secret, problem), loss)| loss.told(namespace, secret, *problem)).collect();
        let more = match self.losses.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        let message = format!("{}{more}. What runs goes on until it starts again", told.join("; "));
        Finding::unmet(SECRETS_READY, first.reason(), message)
    }

    /// What became another one, and replaces pods.
    pub fn deed(&self) -> Option<Notice> {
        let keys: Vec<_> = self
            .changed
            .iter()
            .take(NAMED)
            .map(|(secret, key)| format!("{key} of Secret {secret}"))
            .collect();
        let more = match self.changed.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let note = format!("{}{more} changed: the pods that read it are replaced", keys.join(", "));
        (!keys.is_empty()).then(|| Notice::normal("SecretChanged", note))
    }
}

impl Problem {
    fn reason(self) -> &'static str {
        match self {
            Self::Missing => "SecretMissing",
            Self::KeyMissing => "SecretKeyMissing",
            Self::Forbidden => "SecretForbidden",
        }
    }
}

impl Loss {
    fn told(&self, namespace: &str, secret: &str, problem: Problem) -> String {
        let joined = |words: &BTreeSet<String>, with: &str| {
            words.iter().map(String::as_str).collect::<Vec<_>>().join(with)
        };
        let (fields, keys, readers) =
            (joined(&self.fields, ", "), joined(&self.keys, " and "), joined(&self.readers, ", "));
        let what = match problem {
            Problem::Missing => format!("does not exist: create it with {keys}"),
            Problem::KeyMissing => format!("has nothing under {keys}: add it"),
            Problem::Forbidden => UNREADABLE.to_owned(),
        };
        format!("{fields}: Secret {namespace}/{secret} {what} (read by {readers})")
    }
}

/// Adds an annotation to the pods' template.
pub fn annotate(workload: &mut DynamicObject, key: &str, value: &str) {
    workload.data["spec"]["template"]["metadata"]["annotations"][key] = json!(value);
}

#[cfg(test)]
#[path = "contents_tests.rs"]
mod tests;
