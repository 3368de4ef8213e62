//! The objects a service owns in the API server: list them, see whose the wanted names are, apply what drifted, take out
//! what was added, remove what is no longer wanted.

use std::collections::{BTreeMap, BTreeSet};

use boxoffice_crds::ReservationService;
use json_patch::jsonptr::PointerBuf;
use json_patch::{Patch as Operations, PatchOperation, RemoveOperation, ReplaceOperation};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, Preconditions,
};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::drift::{Addition, Path, additions, covers, differences};
use super::fingerprint::fingerprint;
use super::kinds::kinds;
use super::memory::{Mark, Objects};
use super::outcome::{Outcome, Persisting, Refused};
use super::ownership::{is_ours, name_taken};
use super::{names, record};
use crate::api::{ApiError, FIELD_MANAGER, beside, timed};
use crate::conditions::Stall;
use crate::context::{Context, key};

/// Kind and name of an object.
type Id = (String, String);

/// How often a write is tried that somebody else came before.
const TRIES: u8 = 3;

/// The objects of one service as the API server has them.
pub struct Children<'a> {
    client: &'a Client,
    service: &'a ReservationService,
    live: Objects,
    /// From where on what a watch tells is news.
    mark: Mark,
    /// When they were read.
    since: Instant,
}

impl<'a> Children<'a> {
    /// Lists what carries the service's labels and is its own.
    pub async fn list(client: &'a Client, service: &'a ReservationService) -> Result<Self, ApiError> {
        let (live, mark, since) = (Objects::new(), Mark::default(), Instant::now());
        let mut children = Self { client, service, live, mark, since };
        let parameters = ListParams::default().labels(&names::owned_by(&service.name_any()));
        for kind in kinds() {
            let list = timed("list what the service owns", children.of_kind(&kind).list(&parameters)).await?;
            let own = list.items.into_iter().filter(|object| is_ours(service, &object.metadata));
            children.live.extend(own.map(|object| ((kind.kind.clone(), object.name_any()), object)));
        }
        Ok(children)
    }

    /// The same, from memory where no watch told that one changed.
    pub async fn look(context: &'a Context, service: &'a ReservationService) -> Result<Self, ApiError> {
        let client = &context.client;
        match context.memory.objects(&key(service), Instant::now()) {
            (Some((live, since)), mark) => Ok(Self { client, service, live, mark, since }),
            (None, mark) => Ok(Self { mark, ..Self::list(client, service).await? }),
        }
    }

    /// Remembers them for the next look.
    pub fn keep(self, context: &Context) {
        context.memory.keep(&key(self.service), self.live, self.mark, self.since);
    }

    /// Reads those of `wanted` that it does not have by now: before anything is written, and never where all are there.
    /// Gives the stall where one of these names is somebody else's.
    pub async fn claim(
        &mut self,
        wanted: impl Iterator<Item = &DynamicObject>,
    ) -> Result<Option<Stall>, ApiError> {
        let mut is_complete = true;
        for object in wanted {
            let id = id(object);
            let Some(api) = self.api(&id.0).filter(|_| !self.live.contains_key(&id)) else { continue };
            let Some(live) = timed("read an object", api.get_opt(&id.1)).await? else {
                is_complete = false;
                continue;
            };
            if !is_ours(self.service, &live.metadata) {
                return Ok(Some(name_taken(self.service, &id.0, &live.metadata)));
            }
            self.live.insert(id, live);
        }
        if is_complete { Ok(None) } else { self.claim_record().await }
    }

    /// The same for the record of its topics, which nobody owns.
    async fn claim_record(&self) -> Result<Option<Stall>, ApiError> {
        let api: Api<ConfigMap> = beside(self.client, self.service);
        let name = names::record(&self.service.name_any());
        let record = timed("read the record of topics", api.get_opt(&name)).await?;
        let other = record.filter(|record| !record::is_ours(self.service, record));
        Ok(other.map(|other| name_taken(self.service, "ConfigMap", &other.metadata)))
    }

    /// Makes those of `wanted` that are absent, and mends those that have drifted; of those named in `scaled_elsewhere` the
    /// number of pods is left as it is. One that the API server refuses is told and left
    /// alone for a while, and the others go on.
    pub async fn apply(
        &mut self,
        context: &Context,
        wanted: &[DynamicObject],
        scaled_elsewhere: &BTreeSet<String>,
        outcome: &mut Outcome,
    ) -> Result<(), ApiError> {
        for object in wanted {
            let (kind, name) = id(object);
            let is_scaled_elsewhere = scaled_elsewhere.contains(&name) && kind == "Deployment";
            let object = marked(object);
            let (asked, of) = (format!("{kind} {name} of {}", key(self.service)), self.version(&object));
            if let Some(why) = context.refusals.standing(&asked, &of, Instant::now()) {
                outcome.refused.push(Refused { kind, name, why });
                continue;
            }
            match self.converge(context, &object, is_scaled_elsewhere).await {
                Ok(paths) if paths.is_empty() => {}
                Ok(paths) => outcome.persisting.push(Persisting { kind, name, paths }),
                Err(error) => match error.refusal() {
                    Some(why) => {
                        context.refusals.note(&asked, &of, why, Instant::now());
                        outcome.refused.push(Refused { kind, name, why: why.to_owned() });
                    }
                    None => return Err(error),
                },
            }
        }
        Ok(())
    }

    /// What is wanted, in a word: of another generation of the service it is worth another try.
    fn version(&self, wanted: &DynamicObject) -> String {
        let said = wanted.annotations().get(names::WANTED).map(String::as_str).unwrap_or_default();
        format!("{said} {}", self.service.metadata.generation.unwrap_or_default())
    }

    /// Brings one object to what is wanted, and gives what still differs in the API server's own answer.
    async fn converge(
        &mut self,
        context: &Context,
        wanted: &DynamicObject,
        is_scaled_elsewhere: bool,
    ) -> Result<Vec<String>, ApiError> {
        let (id, service) = (id(wanted), key(self.service));
        let generation = self.service.metadata.generation;
        let Some(api) = self.api(&id.0) else { return Ok(Vec::new()) };
        let mut last = None;
        for _ in 0..TRIES {
            let written = match self.live.get(&id) {
                None => create(&api, wanted).await,
                Some(live) => {
                    let wanted = as_scaled(live, wanted, is_scaled_elsewhere);
                    let paths = drift_of(live, &wanted);
                    if !paths.is_empty()
                        && context.memory.persists(&service, &id, generation, &paths, Instant::now())
                    {
                        return Ok(paths);
                    }
                    if paths.is_empty() {
                        context.memory.tried(&service, &id, generation, &paths, Instant::now());
                        return Ok(paths);
                    }
                    mend(&api, live, &wanted, is_scaled_elsewhere).await
                }
            };
            match written {
                Ok(answer) => {
                    tracing::info!(kind = id.0, name = id.1, %service, "applied");
                    let paths = drift_of(&answer, &as_scaled(&answer, wanted, is_scaled_elsewhere));
                    context.memory.tried(&service, &id, generation, &paths, Instant::now());
                    self.live.insert(id, answer);
                    return Ok(paths);
                }
                Err(error) if error.is_conflict() => last = Some(error),
                Err(error) => return Err(error),
            }
            // Somebody else wrote, or was first: what is there now?
            match timed("read an object", api.get_opt(&id.1)).await? {
                Some(live) if is_ours(self.service, &live.metadata) => {
                    self.live.insert(id.clone(), live);
                }
                Some(_) => break,
                None => {
                    self.live.remove(&id);
                }
            }
        }
        last.map_or_else(|| Ok(Vec::new()), Err)
    }

    /// Deletes what is none of `wanted`. Settings stay as long as a `ReplicaSet` names them: its pods may start again, and its
    /// template may be gone back to.
    pub async fn prune<'w>(
        &mut self,
        context: &Context,
        wanted: impl Iterator<Item = &'w DynamicObject>,
    ) -> Result<(), ApiError> {
        let wanted: BTreeSet<Id> = wanted.map(id).collect();
        let orphans = self.live.keys().filter(|id| !wanted.contains(*id)).cloned();
        let (settings, others): (Vec<Id>, Vec<Id>) = orphans.partition(|(kind, _)| kind == "ConfigMap");
        for id in others {
            self.delete(&id).await?;
        }
        let is_time =
            || context.memory.is_time_to_look(&key(self.service), &self.state(&settings), Instant::now());
        if settings.is_empty() || !is_time() {
            return Ok(());
        }
        let in_use = self.settings_in_use().await?;
        for id in settings.iter().filter(|(_, name)| !in_use.contains(name)) {
            self.delete(id).await?;
        }
        Ok(())
    }

    /// The Deployments as they are, and what would go: in another state it is worth a look.
    fn state(&self, settings: &[Id]) -> String {
        let deployments = self.live.iter().filter(|((kind, _), _)| kind == "Deployment");
        let versions = deployments.map(|((_, name), live)| format!("{name}@{:?}", live.resource_version()));
        let names = settings.iter().map(|(_, name)| name.clone());
        versions.chain(names).collect::<Vec<_>>().join(" ")
    }

    /// The `ConfigMaps` that `ReplicaSets` of the service name.
    async fn settings_in_use(&self) -> Result<BTreeSet<String>, ApiError> {
        let api: Api<ReplicaSet> = beside(self.client, self.service);
        let parameters = ListParams::default().labels(&names::owned_by(&self.service.name_any()));
        let sets = timed("list the workers' replica sets", api.list(&parameters)).await?;
        Ok(sets.iter().flat_map(settings_of).collect())
    }

    /// Deletes the Deployments. Returns whether there were any.
    pub async fn stop_workloads(&mut self) -> Result<bool, ApiError> {
        let deployments: Vec<Id> =
            self.live.keys().filter(|(kind, _)| kind == "Deployment").cloned().collect();
        for id in &deployments {
            self.delete(id).await?;
        }
        Ok(!deployments.is_empty())
    }

    /// Whether there is a Deployment of that name, whatever it says.
    pub fn has_deployment(&self, name: &str) -> bool {
        self.live.contains_key(&("Deployment".to_owned(), name.to_owned()))
    }

    /// The Deployments by name.
    pub fn deployments(&self) -> BTreeMap<String, Deployment> {
        let deployments = self.live.iter().filter(|((kind, _), _)| kind == "Deployment");
        deployments
            .filter_map(|((_, name), object)| Some((name.clone(), object.clone().try_parse().ok()?)))
            .collect()
    }

    async fn delete(&mut self, id: &Id) -> Result<(), ApiError> {
        let Some(api) = self.api(&id.0) else { return Ok(()) };
        match timed("delete an object", api.delete(&id.1, &DeleteParams::background())).await {
            Err(error) if !error.is_not_found() => return Err(error),
            _ => tracing::info!(kind = id.0, name = id.1, service = key(self.service), "deleted"),
        }
        self.live.remove(id);
        Ok(())
    }

    fn api(&self, kind: &str) -> Option<Api<DynamicObject>> {
        Some(self.of_kind(&kinds().into_iter().find(|known| known.kind == kind)?))
    }

    fn of_kind(&self, kind: &ApiResource) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.service.namespace().unwrap_or_default(), kind)
    }
}

fn id(object: &DynamicObject) -> Id {
    let kind = object.types.as_ref().map(|types| types.kind.clone()).unwrap_or_default();
    (kind, object.name_any())
}

/// Makes an object where there is none: applying it would also change one that somebody made in the meantime.
async fn create(api: &Api<DynamicObject>, wanted: &DynamicObject) -> Result<DynamicObject, ApiError> {
    let parameters = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    timed("create an object", api.create(&parameters, wanted)).await
}

/// Takes out what was added, then applies what still lacks. Nothing is sent that would say nothing.
async fn mend(
    api: &Api<DynamicObject>,
    live: &DynamicObject,
    wanted: &DynamicObject,
    is_scaled_elsewhere: bool,
) -> Result<DynamicObject, ApiError> {
    let name = wanted.name_any();
    if is_sealed(live, wanted) {
        let preconditions = Preconditions { uid: live.uid(), resource_version: live.resource_version() };
        let parameters = DeleteParams::background().preconditions(preconditions);
        timed("delete an object", api.delete(&name, &parameters)).await?;
        return create(api, wanted).await;
    }
    let mut current = live.clone();
    let operations = operations(live, wanted);
    if !operations.is_empty() {
        let parameters =
            PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let patch = Patch::Json::<()>(Operations(operations));
        current = timed("take out what was added", api.patch(&name, &parameters, &patch)).await?;
    }
    if lacks(&current, &as_scaled(&current, wanted, is_scaled_elsewhere)).is_empty() {
        return Ok(current);
    }
    let mut body = as_scaled(&current, wanted, is_scaled_elsewhere);
    if is_scaled_elsewhere {
        // Whoever scales meanwhile is not undone: this is refused then.
        body.metadata.resource_version = current.resource_version();
    }
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    timed("apply an object", api.patch(&name, &parameters, &Patch::Apply(&body))).await
}

/// The operations that take out of the live object what was added to it, in the version in which it was read; and that
/// make fields that were written as it was created those of server-side apply, which otherwise would leave them there when
/// they are wanted no more.
fn operations(live: &DynamicObject, wanted: &DynamicObject) -> Vec<PatchOperation> {
    let operation = |Addition { at, instead }: Addition| {
        let path = PointerBuf::from_tokens(&at);
        match instead {
            Some(value) => PatchOperation::Replace(ReplaceOperation { path, value }),
            None => PatchOperation::Remove(RemoveOperation { path }),
        }
    };
    let mut operations: Vec<_> = additions(live, wanted).into_iter().map(operation).collect();
    if !lacks(live, wanted).is_empty() {
        operations.extend(created_as_applied(live));
    }
    if !operations.is_empty() {
        let version = ReplaceOperation {
            path: PointerBuf::from_tokens(["metadata", "resourceVersion"]),
            value: json!(live.resource_version()),
        };
        operations.insert(0, PatchOperation::Replace(version));
    }
    operations
}

fn created_as_applied(live: &DynamicObject) -> Option<PatchOperation> {
    let fields = live.managed_fields();
    let is_own = |operation: &str| {
        fields.iter().position(|entry| {
            entry.manager.as_deref() == Some(FIELD_MANAGER)
                && entry.operation.as_deref() == Some(operation)
                && entry.subresource.is_none()
        })
    };
    let created = is_own("Update")?;
    let at = ["metadata".to_owned(), "managedFields".to_owned(), created.to_string()];
    Some(if is_own("Apply").is_some() {
        PatchOperation::Remove(RemoveOperation { path: PointerBuf::from_tokens(&at) })
    } else {
        let path = PointerBuf::from_tokens(at.iter().map(String::as_str).chain(["operation"]));
        PatchOperation::Replace(ReplaceOperation { path, value: json!("Apply") })
    })
}

/// Whether the live object can never be as wanted: its content says that it must not be changed.
fn is_sealed(live: &DynamicObject, wanted: &DynamicObject) -> bool {
    let is_immutable = |object: &DynamicObject| object.data["immutable"] == json!(true);
    is_immutable(live) && is_immutable(wanted) && !covers(&live.data, &wanted.data)
}

/// What is wanted where somebody else decides how many pods there are: as many as there are. Leaving the field out would
/// have server-side apply set it to one.
fn as_scaled(live: &DynamicObject, wanted: &DynamicObject, is_scaled_elsewhere: bool) -> DynamicObject {
    let mut wanted = wanted.clone();
    if let Some(replicas) = live.data.pointer("/spec/replicas").filter(|_| is_scaled_elsewhere) {
        wanted.data["spec"]["replicas"] = replicas.clone();
    }
    wanted
}

fn settings_of(set: &ReplicaSet) -> Vec<String> {
    let pod = set.spec.as_ref().and_then(|spec| spec.template.as_ref()?.spec.as_ref());
    let sources =
        pod.into_iter().flat_map(|pod| &pod.containers).flat_map(|one| one.env_from.iter().flatten());
    sources.filter_map(|source| Some(source.config_map_ref.as_ref()?.name.clone())).collect()
}

/// The object with its fingerprint: what only the live object has is then a default or somebody else's, never a field
/// of ours that is wanted no more.
pub fn marked(object: &DynamicObject) -> DynamicObject {
    let mut marked = object.clone();
    let text = json!([object.metadata, object.data]).to_string();
    marked.annotations_mut().insert(names::WANTED.to_owned(), fingerprint(&text));
    marked
}

/// Whether the live object has everything wanted, and nothing that has no place there.
pub fn has(live: &DynamicObject, wanted: &DynamicObject) -> bool {
    drift_of(live, wanted).is_empty()
}

/// Where the live object lacks something or has something added, as JSON pointers.
fn drift_of(live: &DynamicObject, wanted: &DynamicObject) -> Vec<String> {
    let mut paths = lacks(live, wanted);
    for Addition { at, instead: _ } in additions(live, wanted) {
        if !paths.contains(&at) {
            paths.push(at);
        }
    }
    paths.iter().map(|path| PointerBuf::from_tokens(path).to_string()).collect()
}

/// Where the live object is not as wanted: its labels and annotations, its owner, its content.
fn lacks(live: &DynamicObject, wanted: &DynamicObject) -> Vec<Path> {
    let mut found = Vec::new();
    let mut compare = |field: &str, live: Value, wanted: Value| {
        let below = differences(&live, &wanted).into_iter();
        let metadata = ["metadata".to_owned(), field.to_owned()];
        found.extend(below.map(|path| metadata.iter().cloned().chain(path).collect::<Path>()));
    };
    compare("labels", json!(live.labels()), json!(wanted.labels()));
    compare("annotations", json!(live.annotations()), json!(wanted.annotations()));
    for owner in wanted.owner_references() {
        let known = live.owner_references().iter().find(|one| one.uid == owner.uid);
        compare("ownerReferences", json!(known), json!(owner));
    }
    found.extend(differences(&live.data, &wanted.data));
    found
}

#[cfg(test)]
#[path = "children_tests.rs"]
mod tests;
