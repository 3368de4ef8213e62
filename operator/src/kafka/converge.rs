//! Carries the plans of `topics` and `groups` out, one call after the other, through the [`Kafka`] trait.
//!
//! A topic goes through two steps so that the caller can record it as the service's own in between: a crash after
//! the record and before the creation leaves a record without a topic, never a topic that nobody claims.

use std::collections::{BTreeMap, BTreeSet};

use super::groups;
use super::topics::{self, Adoption, Standing, TopicPlan};
use super::{Group, Kafka, KafkaError, Offsets, Start, Topic, TopicFacts};

/// A topic, what the cluster has of it, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    topic: Topic,
    facts: Option<TopicFacts>,
    pinned: Option<String>,
    plan: TopicPlan,
}

/// A topic after its plan was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicState {
    /// Full name.
    pub name: String,
    /// The id to know it by: the one pinned before, or the one of a topic that was accepted now.
    pub id: Option<String>,
    /// Partitions it has now; 0 where it is absent.
    pub partitions: i32,
    /// What was done: `(reason, note)` of a Kubernetes Event.
    pub deed: Option<(&'static str, String)>,
    /// What only a person can settle: `(reason, message)`.
    pub refused: Option<(&'static str, String)>,
    /// How it differs from what is wanted.
    pub differences: Vec<String>,
}

/// A consumer group after its start offsets were committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupState {
    /// Group id.
    pub name: String,
    /// Kafka's own word; `Empty` right after its creation.
    pub state: String,
    /// Consumers in it now.
    pub members: i32,
    /// Records it has not consumed.
    pub lag: i64,
    /// Whether this call created it.
    pub created: bool,
}

/// What a service knows of topics: those of its record, and the one that its status saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Knowledge {
    /// The topics that are its own.
    pub owned: BTreeSet<String>,
    /// The topic that was there at the last look.
    pub seen: Option<Seen>,
}

/// A topic that was there at the last look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Full name.
    pub name: String,
    /// The id that it is known by since it was first seen.
    pub id: Option<String>,
}

impl Knowledge {
    fn seen(&self, topic: &str) -> Option<&Seen> {
        self.seen.as_ref().filter(|seen| seen.name == topic)
    }

    fn standing(&self, topic: &str) -> Standing {
        match self.owned.contains(topic) {
            false => Standing::Foreign,
            true if self.seen(topic).is_some() => Standing::OwnAndSeen,
            true => Standing::Own,
        }
    }
}

/// Reads every topic and plans for it.
pub async fn survey(
    kafka: &dyn Kafka,
    wanted: &[Topic],
    known: &Knowledge,
    adoption: Adoption,
) -> Result<Vec<Survey>, KafkaError> {
    let mut surveys = Vec::with_capacity(wanted.len());
    for topic in wanted {
        let facts = kafka.topic(&topic.name).await?;
        let pinned = known.seen(&topic.name).and_then(|seen| seen.id.clone());
        let plan = topics::replaced(topic, facts.as_ref(), pinned.as_deref())
            .unwrap_or_else(|| topics::plan(topic, facts.as_ref(), known.standing(&topic.name), adoption));
        surveys.push(Survey { topic: topic.clone(), facts, pinned, plan });
    }
    Ok(surveys)
}

/// The topics to record as the service's own before [`carry_out`].
pub fn claims(surveys: &[Survey]) -> BTreeSet<String> {
    let claims = |plan: &TopicPlan| {
        matches!(
            plan,
            TopicPlan::Create | TopicPlan::Keep { claim: true } | TopicPlan::Grow { claim: true, .. }
        )
    };
    surveys.iter().filter(|survey| claims(&survey.plan)).map(|survey| survey.topic.name.clone()).collect()
}

/// Creates or grows the topic.
pub async fn carry_out(kafka: &dyn Kafka, survey: Survey) -> Result<TopicState, KafkaError> {
    let Survey { topic, facts, pinned, plan } = survey;
    let mut state = TopicState {
        id: match &plan {
            TopicPlan::Create => None,
            TopicPlan::Refuse(..) => pinned,
            TopicPlan::Keep { .. } | TopicPlan::Grow { .. } => {
                pinned.or_else(|| facts.as_ref().and_then(|facts| facts.id.clone()))
            }
        },
        partitions: facts.as_ref().map_or(0, |facts| facts.partitions),
        differences: facts.as_ref().map(|facts| topics::differences(&topic, facts)).unwrap_or_default(),
        name: topic.name.clone(),
        deed: None,
        refused: None,
    };
    match plan {
        TopicPlan::Create => {
            kafka.create_topic(&topic).await?;
            state.partitions = topic.partitions;
            state.deed =
                Some(("TopicCreated", format!("topic {} with {} partitions", topic.name, topic.partitions)));
        }
        TopicPlan::Grow { to, .. } => {
            kafka.grow_topic(&topic.name, to).await?;
            state.deed = Some((
                "TopicGrown",
                format!("topic {} from {} to {to} partitions", topic.name, state.partitions),
            ));
            state.partitions = to;
            state.differences = facts
                .map(|facts| topics::differences(&topic, &TopicFacts { partitions: to, ..facts }))
                .unwrap_or_default();
        }
        TopicPlan::Keep { claim: true } => {
            state.deed = Some(("TopicAdopted", format!("topic {}", topic.name)));
        }
        TopicPlan::Keep { claim: false } => {}
        TopicPlan::Refuse(reason, message) => state.refused = Some((reason, message)),
    }
    Ok(state)
}

/// Commits the start offsets that the group lacks, unless consumers are in it already, and reads its lag. `partitions`
/// are those of each topic.
pub async fn group(
    kafka: &dyn Kafka,
    wanted: &Group,
    partitions: &BTreeMap<&str, i32>,
) -> Result<GroupState, KafkaError> {
    let Group { name, topics, start } = wanted;
    let mut facts = kafka.group(name).await?;
    let is_vacant = facts.as_ref().is_none_or(super::GroupFacts::is_vacant);
    let (mut lag, mut known, mut declared) = (0, false, false);
    for topic in topics {
        let partitions = partitions.get(topic.as_str()).copied().unwrap_or_default();
        let mut committed = kafka.committed(name, topic, partitions).await?;
        known |= !committed.is_empty();
        let missing = groups::plan(*start, partitions, &committed);
        if !missing.is_empty() && is_vacant {
            let first = start_offsets(kafka, topic, partitions, &missing).await?;
            kafka.commit(name, topic, &first).await?;
            committed.extend(first);
            declared = true;
        }
        let low = kafka.offsets(topic, partitions, Start::Earliest).await?;
        let high = kafka.offsets(topic, partitions, Start::Latest).await?;
        lag += groups::lag(&committed, &low, &high);
    }
    if declared {
        facts = kafka.group(name).await?;
    }
    Ok(GroupState {
        name: name.clone(),
        members: facts.as_ref().map_or(0, |facts| facts.members),
        state: facts.map_or_else(|| "Empty".to_owned(), |facts| facts.state),
        lag,
        created: declared && !known,
    })
}

async fn start_offsets(
    kafka: &dyn Kafka,
    topic: &str,
    partitions: i32,
    missing: &[(i32, Start)],
) -> Result<Offsets, KafkaError> {
    let Some((_, start)) = missing.first().copied() else { return Ok(Offsets::new()) };
    let everywhere = kafka.offsets(topic, partitions, start).await?;
    Ok(everywhere
        .into_iter()
        .filter(|(partition, _)| missing.iter().any(|(wanted, _)| wanted == partition))
        .collect())
}

#[cfg(test)]
#[path = "converge_tests.rs"]
mod tests;
