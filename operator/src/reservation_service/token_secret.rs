//! Keeps the Secret of the admin token as `tokens` decides, and finds the token that every pod takes.

use std::collections::BTreeMap;
use std::time::Instant;

use boxoffice_crds::ReservationService;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Resource, ResourceExt};
use serde_json::{Value, json};
use uuid::Uuid;

use super::holding::{Holding, Kind, hold};
use super::ownership::{is_ours, name_taken};
use super::rollout::is_complete;
use super::tokens::{self, Content, MARK, PREVIOUS, SecretAction, TOKEN, Tokens};
use super::{names, pods};
use crate::api::{ApiError, beside, timed};
use crate::conditions::Stall;
use crate::context::Context;
use crate::notices::Notice;
use crate::secrets::TOKEN_AGE;

/// How the token is.
#[derive(Debug, Default)]
pub struct Kept {
    /// What the templates of pods that read it say; nothing where they are to stay as they are.
    pub mark: Option<String>,
    /// Why the token in the Secret is not used.
    pub problem: Option<String>,
    /// What was done.
    pub deeds: Vec<Notice>,
    /// Why the service stops at a Secret of that name that is somebody else's.
    pub taken: Option<Stall>,
}

/// Makes, repairs or exchanges it, and remembers which one to show to the workers, given what runs.
pub async fn keep(
    context: &Context,
    service: &ReservationService,
    deployments: &BTreeMap<String, Deployment>,
    pods: &[Pod],
) -> Result<Kept, ApiError> {
    let (namespace, name) = (service.namespace().unwrap_or_default(), service.name_any());
    let (key, owner) = ((namespace.clone(), name.clone()), format!("{namespace}/{name}"));
    let secret_name = names::admin_token(&name);
    let found = match hold(context, &namespace, (Kind::Secret, &secret_name), TOKEN_AGE).await? {
        Holding::Secret(secret) => Some(secret),
        Holding::Absent | Holding::ConfigMap(_) => None,
        Holding::Forbidden => {
            let problem = Some(format!("Secret {namespace}/{secret_name} {}", Kind::Secret.unreadable()));
            return Ok(Kept { problem, ..Kept::default() });
        }
    };
    if let Some(other) = found.as_ref().filter(|secret| !is_ours(service, &secret.metadata)) {
        let taken = Some(name_taken(service, "Secret", &other.metadata));
        return Ok(Kept { taken, ..Kept::default() });
    }
    let known = context.tokens.tokens(&key);
    let live = Live { service: &name, deployments, pods };
    let shown = context.tokens.shown(&key, Instant::now()).flatten();
    let taken = known
        .as_ref()
        .is_some_and(|known| shown.as_ref() == Some(&known.token) && live.all_take(&owner, known));
    let held = found.as_ref().map(|secret| secret.data.clone().unwrap_or_default());
    let (tokens, action) = match tokens::decide(held.as_ref(), known.as_ref(), taken, fresh) {
        Ok(decided) => decided,
        Err(problem) => {
            if let Some(known) = known {
                let shown = known.shown(&owner, &live.marks(&[names::COMMAND])).map(str::to_owned);
                context.tokens.note(key, known, shown, Instant::now());
            }
            let problem = Some(format!("Secret {namespace}/{secret_name}: {problem}"));
            return Ok(Kept { problem, ..Kept::default() });
        }
    };
    if action != SecretAction::Keep {
        let written = write(context, service, found.as_deref(), &tokens).await;
        context.secrets.forget(&namespace, &secret_name);
        written?;
    }
    let mark = Some(tokens.mark(&owner));
    let shown = tokens.shown(&owner, &live.marks(&[names::COMMAND])).map(str::to_owned);
    context.tokens.note(key, tokens, shown, Instant::now());
    Ok(Kept { mark, deeds: deed(action, found.is_some()).into_iter().collect(), ..Kept::default() })
}

/// The token for a service that no reconcile looks after, because it is paused: during an exchange the one that all pods
/// know.
pub fn of_content(content: &Content) -> Option<String> {
    let text = |key: &str| {
        let value = content.get(key).filter(|value| !value.0.is_empty())?;
        String::from_utf8(value.0.clone()).ok()
    };
    text(PREVIOUS).or_else(|| text(TOKEN))
}

/// What runs of a service.
struct Live<'a> {
    service: &'a str,
    deployments: &'a BTreeMap<String, Deployment>,
    pods: &'a [Pod],
}

impl Live<'_> {
    /// Which tokens the pods of `components` take, those that are leaving and those that are to come among them.
    fn marks(&self, components: &[&str]) -> Vec<Option<&str>> {
        let of = |component: &&str| {
            let selector = names::selector(self.service, component);
            let pods: Vec<_> =
                self.pods.iter().filter(|pod| pods::is_of(pod, &selector) && !pods::is_over(pod)).collect();
            let pods = pods.into_iter().map(|pod| pod.annotations().get(MARK).map(String::as_str));
            let template = self.deployments.get(&names::worker(self.service, component)).map(template_mark);
            pods.chain(template).collect::<Vec<_>>()
        };
        components.iter().flat_map(of).collect()
    }

    /// Whether every pod that reads the token takes the newest one, and none of before is left.
    fn all_take(&self, owner: &str, known: &Tokens) -> bool {
        let readers = [names::COMMAND, names::QUERY];
        let rolled = |component: &&str| {
            let deployment = self.deployments.get(&names::worker(self.service, component));
            deployment.is_some_and(|deployment| {
                is_complete(deployment) && template_mark(deployment) == Some(&known.mark(owner))
            })
        };
        readers.iter().all(rolled) && known.shown(owner, &self.marks(&readers)) == Some(&known.token)
    }
}

/// Which tokens the pods of a Deployment take, as its template says.
pub fn template_mark(deployment: &Deployment) -> Option<&str> {
    let annotations = deployment.spec.as_ref()?.template.metadata.as_ref()?.annotations.as_ref()?;
    annotations.get(MARK).map(String::as_str)
}

fn fresh() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

/// Writes what the Secret is to hold; one that somebody else changed since is left to the next look.
async fn write(
    context: &Context,
    service: &ReservationService,
    found: Option<&Secret>,
    tokens: &Tokens,
) -> Result<(), ApiError> {
    let api: Api<Secret> = beside(&context.client, service);
    let name = names::admin_token(&service.name_any());
    let Some(found) = found else {
        let made = build(service, tokens);
        timed("create the admin token", api.create(&PostParams::default(), &made)).await?;
        return Ok(());
    };
    let patch = patch(found, tokens);
    timed("write the admin token", api.patch(&name, &PatchParams::default(), &Patch::Merge(&patch))).await?;
    Ok(())
}

fn build(service: &ReservationService, tokens: &Tokens) -> Secret {
    let Tokens { token, previous } = tokens;
    let previous = previous.iter().map(|previous| (PREVIOUS.to_owned(), previous.clone()));
    Secret {
        metadata: ObjectMeta {
            name: Some(names::admin_token(&service.name_any())),
            namespace: service.namespace(),
            labels: Some(names::labels(&service.name_any())),
            annotations: Some([(names::WANTED.to_owned(), TOKEN.to_owned())].into()),
            owner_references: service.controller_owner_ref(&()).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        string_data: Some([(TOKEN.to_owned(), token.clone())].into_iter().chain(previous).collect()),
        ..Secret::default()
    }
}

fn patch(found: &Secret, tokens: &Tokens) -> Value {
    let Tokens { token, previous } = tokens;
    let mut patch = json!({
        "metadata": {"resourceVersion": found.resource_version()},
        "stringData": {TOKEN: token},
    });
    match previous {
        Some(previous) => patch["stringData"][PREVIOUS] = json!(previous),
        None => patch["data"] = json!({PREVIOUS: null}),
    }
    patch
}

/// What is worth telling: that the first token was made is not.
fn deed(action: SecretAction, was_there: bool) -> Option<Notice> {
    let told = |warning, reason: &str, note: &str| {
        Some(Notice { warning, reason: reason.to_owned(), note: note.to_owned() })
    };
    match action {
        SecretAction::Keep => None,
        SecretAction::Make { anew: true } if !was_there => None,
        SecretAction::Make { anew: true } => told(
            true,
            "AdminTokenMade",
            "the Secret had no token: there is a new one, and the pods that read it are replaced",
        ),
        SecretAction::Make { anew: false } => told(
            true,
            "AdminTokenRestored",
            "the Secret of the admin token was gone: it is there again with the same token",
        ),
        SecretAction::Repair => told(
            true,
            "AdminTokenRestored",
            "the Secret of the admin token lacked a key: it is there again with the same token",
        ),
        SecretAction::Exchange => told(
            false,
            "AdminTokenExchange",
            "the admin token changed: pods are replaced by ones that take both, and then by ones that take the new one alone",
        ),
        SecretAction::Finish => {
            told(false, "AdminTokenExchanged", "every pod takes the new admin token: the old one goes")
        }
    }
}

#[cfg(test)]
#[path = "token_secret_tests.rs"]
mod tests;
