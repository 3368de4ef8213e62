//! The Kafka step of a reconcile: it declares what is wanted and reads what became of it, and what that means.

use std::collections::{BTreeMap, BTreeSet};

use boxoffice_crds::ReservationService;
use boxoffice_crds::common::DeletionPolicy;
use boxoffice_crds::common::condition::{CONSUMER_GROUPS_READY, TOPICS_READY};
use boxoffice_crds::durability::Durability;
use kube::ResourceExt;

use super::build::DesiredState;
use super::credentials::Credentials;
use super::in_use::{self, Standing};
use super::record;
use super::validate::{SEATS, names_of};
use crate::api::ApiError;
use crate::conditions::{Finding, Stall, find};
use crate::context::{self, Context};
use crate::kafka::KafkaError;
use crate::kafka::converge::{Declaration, Deed, GroupState, Outlook, TopicState};
use crate::kafka::declarations::{Key, Seen};
use crate::kafka::topics::{ELSEWHERE, Knowledge};
use crate::notices::Notice;

/// What the Kafka step goes by.
#[derive(Debug)]
pub struct Surroundings {
    /// What the service knows of its topics.
    pub known: Knowledge,
    /// Groups of consumers that it has no more.
    pub former: BTreeSet<String>,
    /// How it reaches Kafka, or which Secret stands in the way.
    pub credentials: Result<Credentials, KafkaError>,
}

/// How topics and groups are.
#[derive(Debug)]
pub struct Declared {
    /// The topics, in the order of the desired state.
    pub topics: Result<Vec<TopicState>, KafkaError>,
    /// The groups, unless the topics stood in the way.
    pub groups: Option<Result<Vec<GroupState>, KafkaError>>,
    /// Groups of consumers that are no more and still there.
    pub former: Vec<GroupState>,
    /// The cluster, once that answered.
    pub cluster_id: Option<String>,
    /// What was done since the last reconcile.
    pub done: Vec<Deed>,
}

/// Orders what is wanted and tells what was last seen; nothing before the first look. What has to be recorded first is
/// recorded here: only the API server's failures end the step.
pub async fn declare(
    context: &Context,
    service: &ReservationService,
    desired: &DesiredState,
    surroundings: Surroundings,
) -> Result<Option<Declared>, ApiError> {
    let Surroundings { mut known, former, credentials } = surroundings;
    let connection = match credentials {
        Ok(credentials) => credentials.connection,
        Err(error) => return Ok(Some(Declared::failed(error))),
    };
    let key = key(service);
    let seen = context.declarations.seen(&key);
    let to_record = seen.iter().flat_map(|seen| unrecorded(&seen.outlook, desired, &known));
    let to_record: BTreeMap<_, _> = to_record.collect();
    if !to_record.is_empty() {
        known.record.extend(to_record);
        record::write(&context.client, service, &known.record).await?;
        context.memory.forget_record(&context::key(service));
    }
    context.declarations.place(&key, &connection, declaration(service, desired, known, former));
    let seen = context.declarations.seen(&key);
    let done = context.declarations.take_deeds(&key);
    Ok(seen.map(|Seen { cluster_id, outlook }| {
        let Outlook { topics, groups, former, to_record: _ } = outlook;
        Declared { topics, groups, former, cluster_id, done }
    }))
}

/// What was found to be the service's own and is not recorded as such.
fn unrecorded(
    outlook: &Outlook,
    desired: &DesiredState,
    known: &Knowledge,
) -> impl Iterator<Item = (String, Option<String>)> {
    let is_wanted = |name: &String| desired.topics.iter().any(|topic| topic.name == *name);
    let to_record = outlook.to_record.iter().filter(move |(name, _)| is_wanted(name));
    to_record
        .filter(|(name, id)| known.record.get(*name) != Some(*id))
        .map(|(name, id)| (name.clone(), id.clone()))
}

fn declaration(
    service: &ReservationService,
    desired: &DesiredState,
    known: Knowledge,
    former: BTreeSet<String>,
) -> Declaration {
    let durability = &service.spec.durability;
    let promises = [durability.hold, durability.reserve].contains(&Durability::Log);
    Declaration {
        topics: desired.topics.clone(),
        adoption: desired.adoption,
        known,
        groups: desired.groups.clone(),
        former,
        deletes: service.spec.kafka.topic.deletion_policy == DeletionPolicy::Delete,
        promised: desired.topics.get(SEATS).filter(|_| promises).map(|topic| topic.name.clone()),
    }
}

fn key(service: &ReservationService) -> Key {
    (service.namespace().unwrap_or_default(), service.name_any())
}

/// What the service has on its cluster: by its record and its status, on the cluster that answered last. What it has is on
/// the one that it was seen on: nothing where another one answers.
pub fn standing(context: &Context, service: &ReservationService, known: &Knowledge) -> Standing {
    let seen = context.declarations.seen(&key(service)).and_then(|seen| seen.cluster_id);
    if known.elsewhere(seen.as_deref()).is_some() {
        return Standing { cluster_id: seen, ..Standing::default() };
    }
    let mut standing = Standing::of_status(service);
    standing.topics.extend(known.record.keys().cloned());
    Standing { cluster_id: seen.or(standing.cluster_id), ..standing }
}

/// Groups that the status knows and the spec does not, unless a fellow has them now.
pub fn former(
    service: &ReservationService,
    desired: &DesiredState,
    standing: &Standing,
    fellows: &[impl AsRef<ReservationService>],
) -> BTreeSet<String> {
    let known = service.status.iter().flat_map(|status| &status.consumer_groups);
    let is_wanted = |name: &str| desired.groups.iter().any(|group| group.name == name);
    let mut former: BTreeSet<_> =
        known.map(|group| &group.name).filter(|name| !is_wanted(name)).cloned().collect();
    if !former.is_empty() {
        let theirs = in_use::groups_of_fellows(service, standing, fellows, names_of);
        former.retain(|name| !theirs.contains(name));
    }
    former
}

/// Whether workers may begin: not on a topic that breaks what `durability` promises, as it was last seen. Where workers ran
/// before nothing is held back, for that is told and stops nothing.
pub fn may_begin(declared: Option<&Declared>, service: &ReservationService) -> bool {
    let status = service.status.as_ref();
    let ran = status.is_some_and(|status| status.command.is_some());
    let known = || {
        let ready = find(&status?.conditions, TOPICS_READY)?;
        Some(ready.reason == BROKEN)
    };
    let breaks = match declared.map(|declared| &declared.topics) {
        Some(Ok(topics)) => topics.iter().any(|topic| !topic.breaches.is_empty()),
        Some(Err(_)) | None => known().unwrap_or_default(),
    };
    ran || !breaks
}

/// The reason of a topic that breaks what `durability` promises.
const BROKEN: &str = "DurabilityBroken";

impl Declared {
    /// Kafka could not be asked.
    pub fn failed(error: KafkaError) -> Self {
        Self { topics: Err(error), groups: None, former: Vec::new(), cluster_id: None, done: Vec::new() }
    }

    /// Whether another cluster answered than the one on which the topics are.
    pub fn is_elsewhere(&self) -> bool {
        let mut refused = self.topics.iter().flatten().filter_map(|topic| topic.refused.as_ref());
        refused.any(|(reason, _)| *reason == ELSEWHERE)
    }

    /// Whether every topic and group is there.
    pub fn is_complete(&self) -> bool {
        matches!(&self.groups, Some(Ok(_)))
    }

    fn breaches(&self) -> Vec<&str> {
        self.topics.iter().flatten().flat_map(|topic| &topic.breaches).map(String::as_str).collect()
    }

    /// What only a person can settle.
    pub fn stall(&self) -> Option<Stall> {
        let topics = self.topics.as_ref().ok()?;
        let (reason, message) = topics.iter().find_map(|topic| topic.refused.clone())?;
        Some(Stall { reason, message })
    }

    /// The conditions of this step.
    pub fn findings(&self) -> [Finding; 2] {
        [self.topics_ready(), self.groups_ready()]
    }

    /// What was done: one notice a kind of deed, because Kubernetes folds those of one reason into one Event.
    pub fn deeds(&self) -> Vec<Notice> {
        let mut notes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (reason, note) in &self.done {
            notes.entry(reason).or_default().push(note);
        }
        notes.into_iter().map(|(reason, notes)| Notice::normal(reason, notes.join("; "))).collect()
    }

    fn topics_ready(&self) -> Finding {
        let topics = match &self.topics {
            Ok(topics) => topics,
            Err(error) => return Finding::unmet(TOPICS_READY, error.reason(), error.to_string()),
        };
        if let Some((reason, message)) = topics.iter().find_map(|topic| topic.refused.as_ref()) {
            return Finding::unmet(TOPICS_READY, reason, message);
        }
        let breaches = self.breaches();
        if !breaches.is_empty() {
            let message = format!("durability log is promised and not kept: {}", breaches.join("; "));
            return Finding::unmet(TOPICS_READY, BROKEN, message);
        }
        let replication: Vec<_> = topics.iter().filter_map(|topic| topic.replication.as_deref()).collect();
        if !replication.is_empty() {
            return Finding::unmet(TOPICS_READY, "ReplicationFactorDiffers", replication.join("; "));
        }
        let differences: Vec<_> =
            topics.iter().flat_map(|topic| &topic.differences).map(String::as_str).collect();
        if differences.is_empty() {
            Finding::met(TOPICS_READY, "Ready", format!("{} topics", topics.len()))
        } else {
            let message =
                format!("{}: change the topic with Kafka's own tools, or the spec", differences.join("; "));
            Finding::unmet(TOPICS_READY, "TopicConfigDiffers", message)
        }
    }

    fn groups_ready(&self) -> Finding {
        match &self.groups {
            None => Finding::waiting(CONSUMER_GROUPS_READY, "created after the topics"),
            Some(Err(error)) => Finding::unmet(CONSUMER_GROUPS_READY, error.reason(), error.to_string()),
            Some(Ok(groups)) => {
                Finding::met(CONSUMER_GROUPS_READY, "Ready", format!("{} groups", groups.len()))
            }
        }
    }
}

#[cfg(test)]
#[path = "topics_tests.rs"]
mod tests;
