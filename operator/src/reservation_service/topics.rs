//! The Kafka step of a reconcile: topics, then consumer groups with their start offsets, and what that means.

use std::collections::BTreeMap;

use boxoffice_crds::ReservationService;
use boxoffice_crds::common::condition::{CONSUMER_GROUPS_READY, TOPICS_READY};

use super::build::DesiredState;
use super::credentials::Credentials;
use super::record;
use crate::api::ApiError;
use crate::conditions::{Finding, Stall};
use crate::context::Context;
use crate::kafka::converge::{self, GroupState, Knowledge, TopicState};
use crate::kafka::{Kafka, KafkaError};
use crate::notices::Notice;

/// How the Kafka step went.
#[derive(Debug)]
pub struct Declared {
    /// The topics, in the order of the desired state.
    pub topics: Result<Vec<TopicState>, KafkaError>,
    /// The groups, unless the topics stood in the way.
    pub groups: Option<Result<Vec<GroupState>, KafkaError>>,
}

/// Creates what is missing; `known` is what the service knows of its topics, and `kafka` how it reaches them. Kafka's
/// failures are part of the result; only the API server's end the step.
pub async fn declare(
    context: &Context,
    service: &ReservationService,
    desired: &DesiredState,
    known: Knowledge,
    kafka: Result<Credentials, KafkaError>,
) -> Result<Declared, ApiError> {
    let reached = kafka.map(|credentials| credentials.connection);
    let reached = reached.and_then(|connection| Ok((context.kafka.get(&connection)?, connection)));
    let (kafka, connection) = match reached {
        Ok(reached) => reached,
        Err(error) => return Ok(Declared { topics: Err(error), groups: None }),
    };
    let topics = topics(context, service, desired, known, kafka.as_ref()).await?;
    let groups = match &topics {
        Ok(states) if states.iter().all(|state| state.refused.is_none()) => {
            Some(groups(kafka.as_ref(), desired, states).await)
        }
        _ => None,
    };
    let declared = Declared { topics, groups };
    drop(kafka);
    if declared.error().is_some_and(KafkaError::is_silence) {
        context.kafka.forget(&connection);
    }
    Ok(declared)
}

async fn topics(
    context: &Context,
    service: &ReservationService,
    desired: &DesiredState,
    mut known: Knowledge,
    kafka: &dyn Kafka,
) -> Result<Result<Vec<TopicState>, KafkaError>, ApiError> {
    let surveys = match converge::survey(kafka, &desired.topics, &known, desired.adoption).await {
        Ok(surveys) => surveys,
        Err(error) => return Ok(Err(error)),
    };
    let before = known.owned.len();
    known.owned.extend(converge::claims(&surveys));
    if known.owned.len() > before {
        record::write(&context.client, service, &known.owned).await?;
    }
    let mut states = Vec::with_capacity(surveys.len());
    for survey in surveys {
        match converge::carry_out(kafka, survey).await {
            Ok(state) => states.push(state),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(states))
}

async fn groups(
    kafka: &dyn Kafka,
    desired: &DesiredState,
    topics: &[TopicState],
) -> Result<Vec<GroupState>, KafkaError> {
    let mut states = Vec::with_capacity(desired.groups.len());
    let partitions = topics.iter().map(|topic| (topic.name.as_str(), topic.partitions)).collect();
    for group in &desired.groups {
        states.push(converge::group(kafka, group, &partitions).await?);
    }
    Ok(states)
}

impl Declared {
    /// Whether workers may start: every topic and group is there.
    pub fn is_complete(&self) -> bool {
        matches!(&self.groups, Some(Ok(_)))
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
        let topics = self.topics.iter().flatten().filter_map(|topic| topic.deed.clone());
        let groups = self.groups.iter().flatten().flatten().filter(|group| group.created);
        let groups = groups.map(|group| ("GroupCreated", format!("consumer group {}", group.name)));
        let mut notes: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (reason, note) in topics.chain(groups) {
            notes.entry(reason).or_default().push(note);
        }
        notes.into_iter().map(|(reason, notes)| Notice::normal(reason, notes.join("; "))).collect()
    }

    /// What Kafka failed in.
    pub fn error(&self) -> Option<&KafkaError> {
        self.topics.as_ref().err().or_else(|| self.groups.as_ref()?.as_ref().err())
    }

    fn topics_ready(&self) -> Finding {
        let topics = match &self.topics {
            Ok(topics) => topics,
            Err(error) => return Finding::unmet(TOPICS_READY, error.reason(), error.to_string()),
        };
        if let Some((reason, message)) = topics.iter().find_map(|topic| topic.refused.as_ref()) {
            return Finding::unmet(TOPICS_READY, reason, message);
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
mod tests {
    use super::*;

    fn topic() -> TopicState {
        TopicState {
            name: "seat-events".into(),
            id: None,
            partitions: 6,
            deed: None,
            refused: None,
            differences: Vec::new(),
        }
    }

    fn unreachable() -> KafkaError {
        KafkaError::Unreachable { bootstrap_servers: "kafka:9092".into(), detail: "timed out".into() }
    }

    #[test]
    fn workers_may_start_when_topics_and_groups_are_there() {
        let group = |name: &str| GroupState {
            name: name.into(),
            state: "Empty".into(),
            members: 0,
            lag: 0,
            created: true,
        };
        let declared = Declared { topics: Ok(vec![topic()]), groups: Some(Ok(vec![group("a"), group("b")])) };
        assert!(declared.is_complete());
        assert!(declared.findings().iter().all(|finding| finding.met));
        assert_eq!(declared.deeds(), [Notice::normal("GroupCreated", "consumer group a; consumer group b")]);
    }

    #[test]
    fn an_unreachable_kafka_is_named_and_the_groups_wait() {
        let declared = Declared { topics: Err(unreachable()), groups: None };
        let [topics, groups] = declared.findings();
        assert_eq!((topics.reason.as_str(), groups.reason.as_str()), ("KafkaUnreachable", "Waiting"));
        assert!(topics.message.contains("kafka:9092"), "{}", topics.message);
        assert!(!declared.is_complete() && declared.stall().is_none());
    }

    #[test]
    fn a_foreign_topic_stalls() {
        let refused = TopicState { refused: Some(("TopicExists", "adopt it".into())), ..topic() };
        let declared = Declared { topics: Ok(vec![topic(), refused]), groups: None };
        assert_eq!(declared.stall(), Some(Stall::new("TopicExists", "adopt it")));
        assert!(!declared.is_complete());
    }

    #[test]
    fn a_difference_is_shown_and_stops_nothing() {
        let different = TopicState { differences: vec!["retention".into()], ..topic() };
        let declared = Declared { topics: Ok(vec![different]), groups: Some(Ok(Vec::new())) };
        assert_eq!(declared.findings()[0].reason, "TopicConfigDiffers");
        assert!(declared.is_complete());
    }
}
