//! Whose a topic, a group or a worker is that two services name. Pure.
//!
//! Services are on one cluster where the brokers say so, or by the same addresses as long as they have not. There a name belongs
//! to the service that has it already, by its record or its status; where none has, to the one that was there first.

use std::collections::BTreeSet;

use boxoffice_crds::ReservationService;
use boxoffice_crds::reservation_service::{ConsumerGroupStatus, TopicStatus};
use kube::ResourceExt;

use super::brokers::brokers;
use super::names;
use super::seniority::{id, seniority};
use crate::conditions::Stall;

/// What a service has on its cluster, as far as somebody saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The cluster.
    pub cluster_id: Option<String>,
    /// Topics that are its own.
    pub topics: BTreeSet<String>,
    /// Groups that are its own.
    pub groups: BTreeSet<String>,
}

impl Standing {
    /// What its status says.
    pub fn of_status(service: &ReservationService) -> Self {
        let Some(status) = &service.status else { return Self::default() };
        let is_own = |topic: &&TopicStatus| topic.id.is_some() && !topic.observed;
        let topics = status.topics.iter().chain(&status.topic).filter(is_own);
        let is_in_use = |group: &&ConsumerGroupStatus| !group.removed;
        Self {
            cluster_id: status.kafka_cluster_id.clone(),
            topics: topics.map(|topic| topic.name.clone()).collect(),
            groups: status.consumer_groups.iter().filter(is_in_use).map(|group| group.name.clone()).collect(),
        }
    }
}

/// The names that a service takes on its cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Its topics.
    pub topics: Vec<String>,
    /// Its groups.
    pub groups: Vec<String>,
}

/// What of `service`'s `names` belongs to fellows, one name a fellow: what frees it frees the others. `names_of` tells those of
/// any service.
pub fn shared(
    service: &ReservationService,
    standing: &Standing,
    names: &Names,
    fellows: &[impl AsRef<ReservationService>],
    names_of: impl Fn(&ReservationService) -> Names,
) -> Vec<Stall> {
    let of_fellow = |fellow: &ReservationService| {
        let theirs = Standing::of_status(fellow);
        if !is_one_cluster((service, standing), (fellow, &theirs)) {
            return None;
        }
        let taken = names_of(fellow);
        let is_before = |mine: &BTreeSet<String>, their: &BTreeSet<String>, name: &String| {
            let rank = |has: bool, service| (!has, seniority(service));
            rank(their.contains(name), fellow) < rank(mine.contains(name), service)
        };
        let owner = format!("{}/{}", fellow.namespace().unwrap_or_default(), fellow.name_any());
        let way_out = "choose another kafka.prefix, or another cluster in kafka.bootstrapServers";
        let is_taken =
            |name: &&String| taken.topics.contains(name) && is_before(&standing.topics, &theirs.topics, name);
        if let Some(topic) = names.topics.iter().find(is_taken) {
            let message = format!("topic {topic} belongs to ReservationService {owner}: {way_out}");
            return Some(Stall::new("TopicInUse", message));
        }
        let is_taken =
            |name: &&String| taken.groups.contains(name) && is_before(&standing.groups, &theirs.groups, name);
        let group = names.groups.iter().find(is_taken)?;
        let message = format!("consumer group {group} belongs to ReservationService {owner}: {way_out}");
        Some(Stall::new("GroupInUse", message))
    };
    others(service, fellows).filter_map(of_fellow).collect()
}

/// A worker's name is made of two, so that two services may make the same of different ones: `a` with a consumer
/// `b-command`, and `a-b`.
pub fn same_names(
    service: &ReservationService,
    fellows: &[impl AsRef<ReservationService>],
) -> impl Iterator<Item = Stall> {
    let own: Vec<_> = workers(service).map(|(_, name)| name).collect();
    let seniors = fellows.iter().map(AsRef::as_ref).filter(move |fellow| {
        id(fellow) != id(service)
            && fellow.namespace() == service.namespace()
            && seniority(fellow) < seniority(service)
    });
    seniors.flat_map(move |senior| {
        let taken: Vec<_> = workers(senior).filter(|(_, name)| own.contains(name)).collect();
        taken.into_iter().map(move |(component, name)| {
            Stall::new(
                "NameTaken",
                format!(
                    "Deployment {name} is the worker {component} of ReservationService {}/{}: give this service or its \
                     consumer another name",
                    senior.namespace().unwrap_or_default(),
                    senior.name_any()
                ),
            )
        })
    })
}

/// Every worker of a service, with the name of its objects.
fn workers(service: &ReservationService) -> impl Iterator<Item = (&str, String)> {
    let consumers = service.spec.consumers.iter().map(|consumer| consumer.name.as_str());
    let components = [names::COMMAND, names::QUERY].into_iter().chain(consumers);
    components.map(|component| (component, names::worker(&service.name_any(), component)))
}

/// The groups that fellows on the same cluster name.
pub fn groups_of_fellows(
    service: &ReservationService,
    standing: &Standing,
    fellows: &[impl AsRef<ReservationService>],
    names_of: impl Fn(&ReservationService) -> Names,
) -> BTreeSet<String> {
    let is_beside = |fellow: &&ReservationService| {
        is_one_cluster((service, standing), (fellow, &Standing::of_status(fellow)))
    };
    others(service, fellows).filter(is_beside).flat_map(|fellow| names_of(fellow).groups).collect()
}

fn others<'a>(
    service: &'a ReservationService,
    fellows: &'a [impl AsRef<ReservationService>],
) -> impl Iterator<Item = &'a ReservationService> {
    fellows.iter().map(AsRef::as_ref).filter(|fellow| id(fellow) != id(service))
}

fn is_one_cluster(one: (&ReservationService, &Standing), other: (&ReservationService, &Standing)) -> bool {
    let ids = one.1.cluster_id.as_ref().zip(other.1.cluster_id.as_ref());
    ids.map_or_else(|| brokers(one.0) == brokers(other.0), |(one, other)| one == other)
}
