//! Decides what to do about one topic: create, tend, leave or refuse. Pure.
//!
//! A topic is known by the id that Kafka gave it. The record says which are the service's own; where that was lost, what
//! the status pinned stands in for it, as long as the ids are the same.

use std::collections::{BTreeMap, BTreeSet};

use super::{Topic, TopicFacts};

/// What to do with a topic that exists but was not made for this service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Adoption {
    /// Stop and say so.
    #[default]
    Fail,
    /// Take it over; from then on it is the service's own.
    Adopt,
    /// Use it as it is; never create, grow or configure it.
    Observe,
}

/// What a service knows of topics before it looks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Knowledge {
    /// Those of its record, which are its own, each with the id that is recorded.
    pub record: BTreeMap<String, Option<String>>,
    /// Those that its status saw.
    pub seen: BTreeMap<String, Seen>,
    /// Ids that a person accepts in place of those that are known.
    pub accepted: BTreeSet<String>,
    /// The id of the cluster on which its status saw them.
    pub cluster: Option<String>,
}

/// A topic that was there at the last look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The id that it is known by since it was first seen.
    pub id: Option<String>,
    /// Whether it was the service's own then.
    pub own: bool,
}

impl Knowledge {
    /// The id that a topic is known by. The record is kept by this service alone; a status may be older.
    pub fn pinned(&self, topic: &str) -> Option<&str> {
        let recorded = self.record.get(topic).and_then(Option::as_deref);
        recorded.or_else(|| self.seen.get(topic)?.id.as_deref())
    }

    /// Whether the topic was ever there, as far as this service knows.
    fn was_there(&self, topic: &str) -> bool {
        self.seen.contains_key(topic) || self.record.get(topic).is_some_and(Option::is_some)
    }

    /// Whether that is the topic which is known, or one that a person accepts in its place.
    fn recognises(&self, topic: &str, facts: &TopicFacts) -> bool {
        let ids = facts.id.as_deref().zip(self.pinned(topic));
        ids.is_none_or(|(id, pinned)| id == pinned || self.accepted.contains(id))
    }

    /// Whether that is the topic which is the service's own, so that it may go with the service.
    pub fn may_delete(&self, topic: &str, facts: &TopicFacts) -> bool {
        self.owns(topic, facts) && self.recognises(topic, facts)
    }

    /// The cluster on which its topics are, where `cluster`, which answers, is another one.
    pub fn elsewhere(&self, cluster: Option<&str>) -> Option<&str> {
        self.cluster.as_deref().filter(|known| cluster.is_some_and(|cluster| cluster != *known))
    }

    /// Whether it is the service's own: by its record, or by its status where the record was lost.
    pub fn owns(&self, topic: &str, facts: &TopicFacts) -> bool {
        let by_status = |seen: &Seen| seen.own && seen.id.is_some() && seen.id == facts.id;
        self.record.contains_key(topic) || self.seen.get(topic).is_some_and(by_status)
    }
}

/// The one step that a topic needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicPlan {
    /// It is absent: record it as ours, then create it.
    Create,
    /// It is the service's own, or becomes so.
    Tend {
        /// Whether it was not made for this service.
        adopted: bool,
        /// More partitions, where it has fewer than wanted.
        grow: Option<i32>,
        /// Keys of its configuration that are ours and have another value.
        set: BTreeMap<String, String>,
    },
    /// It is somebody else's and good enough.
    Observe,
    /// It was there and is not known to the broker that was asked: that has to be said more than once.
    Doubt,
    /// Only a person can go on: `(reason, message)`.
    Refuse(&'static str, String),
}

/// The reason of a topic that is on another cluster than the one that answers.
pub const ELSEWHERE: &str = "TopicElsewhere";

/// Plans for `wanted`, given what the `cluster` has of it and what the service knows; `is_sure` says whether an absent topic
/// was absent often enough.
pub fn plan(
    wanted: &Topic,
    facts: Option<&TopicFacts>,
    known: &Knowledge,
    cluster: Option<&str>,
    adoption: Adoption,
    is_sure: bool,
) -> TopicPlan {
    let name = wanted.name.as_str();
    let is_it = facts.is_some_and(|facts| known.recognises(name, facts));
    if known.was_there(name)
        && !is_it
        && let Some(its) = known.elsewhere(cluster)
    {
        let found = facts.and_then(|facts| facts.id.as_deref());
        return TopicPlan::Refuse(ELSEWHERE, elsewhere(name, its, cluster.unwrap_or_default(), found));
    }
    let Some(facts) = facts else {
        return match adoption {
            _ if known.was_there(name) => missing(name, is_sure, gone),
            Adoption::Observe if !known.record.contains_key(name) => missing(name, is_sure, never_there),
            Adoption::Fail | Adoption::Adopt | Adoption::Observe => TopicPlan::Create,
        };
    };
    if let Some(refused) = replaced(name, facts, known) {
        return refused;
    }
    let owned = known.owns(name, facts);
    match adoption {
        Adoption::Fail if !owned => TopicPlan::Refuse(
            "TopicExists",
            format!(
                "topic {name} exists and was not created for this service: set kafka.topic.adoptionPolicy to Adopt \
                 or Observe, choose another kafka.prefix, or delete the topic"
            ),
        ),
        Adoption::Observe if !owned => TopicPlan::Observe,
        Adoption::Fail | Adoption::Adopt | Adoption::Observe => TopicPlan::Tend {
            adopted: !owned,
            grow: (facts.partitions < wanted.partitions).then_some(wanted.partitions),
            set: drifted(wanted, facts),
        },
    }
}

fn missing(name: &str, is_sure: bool, message: impl FnOnce(&str) -> String) -> TopicPlan {
    if is_sure { TopicPlan::Refuse("TopicMissing", message(name)) } else { TopicPlan::Doubt }
}

/// An empty topic in its place would hide that every event is lost.
fn gone(name: &str) -> String {
    format!(
        "topic {name} was there and is gone, with every event on it. Nothing is stopped and nothing is created in its place; \
         keep this resource, for sales go on from Redis. Create {name} with Kafka's own tools and bring back what it held, \
         from a mirror or a backup, each partition in its declaration; TopicReplaced then says how to go on with it"
    )
}

fn never_there(name: &str) -> String {
    format!(
        "topic {name} does not exist and kafka.topic.adoptionPolicy is Observe: create it, or set Fail or Adopt"
    )
}

/// Refuses a topic that has another id than the one that is known: it was deleted and created again.
fn replaced(name: &str, facts: &TopicFacts, known: &Knowledge) -> Option<TopicPlan> {
    let (id, pinned) = (facts.id.as_deref()?, known.pinned(name)?);
    if known.recognises(name, facts) {
        return None;
    }
    let message = format!(
        "topic {name} was replaced: its id was {pinned} and is {id}, and what the first one held is not on it. Nothing is \
         stopped; keep this resource, for sales go on from Redis. Bring back what the first one held, from a mirror or a \
         backup, each partition in its declaration; then have the new one accepted: kubectl annotate reservationservice NAME \
         {accept}={id}",
        accept = boxoffice_crds::ACCEPT_TOPICS_ANNOTATION
    );
    Some(TopicPlan::Refuse("TopicReplaced", message))
}

/// What another cluster has of that name is another topic, and nothing there says that the first one is lost.
fn elsewhere(name: &str, its: &str, cluster: &str, found: Option<&str>) -> String {
    format!(
        "topic {name} of this service is on Kafka cluster {its}, and kafka.bootstrapServers leads to cluster {cluster}, where \
         nothing is created or changed: set kafka.bootstrapServers back. If the service is to move, or its cluster was made \
         anew, bring there what the topic held, from a mirror or a backup, each partition in its declaration; then have what \
         is there accepted: kubectl annotate reservationservice NAME {accept}={id}",
        accept = boxoffice_crds::ACCEPT_TOPICS_ANNOTATION,
        id = found.unwrap_or("ID"),
    )
}

/// The id to know the topic by from now on.
pub fn pin(plan: &TopicPlan, topic: &str, facts: Option<&TopicFacts>, known: &Knowledge) -> Option<String> {
    let pinned = || known.pinned(topic).map(str::to_owned);
    match plan {
        TopicPlan::Create => None,
        TopicPlan::Refuse(..) | TopicPlan::Doubt => pinned(),
        TopicPlan::Tend { .. } | TopicPlan::Observe => {
            facts.and_then(|facts| facts.id.clone()).or_else(pinned)
        }
    }
}

/// Our keys that have another value. One that is not shown is set too: it may be one that the brokers do not know, which
/// they say.
fn drifted(wanted: &Topic, facts: &TopicFacts) -> BTreeMap<String, String> {
    let differs = |(key, value): &(&String, &String)| facts.config.get(*key) != Some(*value);
    wanted.config.iter().filter(differs).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// How a topic that is not ours to change falls short of what is wanted, one phrase a difference. More partitions than
/// wanted are no harm.
pub fn differences(wanted: &Topic, facts: &TopicFacts) -> Vec<String> {
    let Topic { name, partitions, .. } = wanted;
    let mut found = Vec::new();
    if facts.partitions < *partitions {
        found.push(format!("{name} has {} partitions, wanted {partitions}", facts.partitions));
    }
    found.extend(drifted(wanted, facts).into_iter().map(|(key, value)| match facts.config.get(&key) {
        Some(live) => format!("{name} has {key}={live}, wanted {value}"),
        None => format!("{name} does not show {key}, wanted {value}"),
    }));
    found
}

/// What is said where the topic is on another number of brokers than declared, which the operator does not change.
pub fn replication(wanted: &Topic, facts: &TopicFacts) -> Option<String> {
    let (declared, live) = (wanted.replication_factor, facts.replicas);
    (declared > 0 && live > 0 && declared != live).then(|| {
        format!(
            "{} is on {live} brokers and kafka.topic.replicationFactor says {declared}: it is looked at only at creation, \
             because moving partitions loads brokers while seats are sold. Move them with kafka-reassign-partitions.sh, or set \
             the field to {live}",
            wanted.name
        )
    })
}

#[cfg(test)]
#[path = "topics_tests.rs"]
mod tests;
