//! What is asked of Kafka for services and done about it: topics first, then groups with their start offsets.
//!
//! A topic goes through two steps so that the caller can record it as the service's own in between: a topic that is not
//! recorded is only surveyed, so that a crash leaves a record without a topic, never a topic that nobody claims.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::{FutureExt, StreamExt, stream};

use super::topics::{self, Adoption, Knowledge, TopicPlan};
use super::{Answers, Commits, Group, GroupFacts, Kafka, KafkaError, Offsets, Start, Topic, TopicFacts};
use super::{durability, groups};

/// Most groups of one round that are asked about at once.
const AT_ONCE: usize = 4;
/// How often a topic has to be unknown to be missing, and over what time: brokers learn of topics one after the other.
const TIMES: u32 = 3;
const SPAN: Duration = Duration::from_secs(30);

/// What a service wants of its cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declaration {
    /// Its topics.
    pub topics: Vec<Topic>,
    /// What to do about topics that exist already.
    pub adoption: Adoption,
    /// What it knows of its topics.
    pub known: Knowledge,
    /// Its groups.
    pub groups: Vec<Group>,
    /// Groups of consumers that it has no more.
    pub former: BTreeSet<String>,
    /// Whether those go once nobody is in them.
    pub deletes: bool,
    /// The topic that has to keep what durability `log` promises.
    pub promised: Option<String>,
}

/// What became of a declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// The topics, in the order of the declaration.
    pub topics: Result<Vec<TopicState>, KafkaError>,
    /// The groups, unless the topics stood in the way.
    pub groups: Option<Result<Vec<GroupState>, KafkaError>>,
    /// Groups of consumers that are no more and still there.
    pub former: Vec<GroupState>,
    /// Topics to record as the service's own, with their ids: the next declaration then has more done.
    pub to_record: BTreeMap<String, Option<String>>,
}

impl Outlook {
    /// Nothing could be seen.
    pub fn failed(error: KafkaError) -> Self {
        Self { topics: Err(error), groups: None, former: Vec::new(), to_record: BTreeMap::new() }
    }

    /// What Kafka failed in.
    pub fn error(&self) -> Option<&KafkaError> {
        self.topics.as_ref().err().or_else(|| self.groups.as_ref()?.as_ref().err())
    }

    /// Whether looking again in a moment shows more.
    pub fn is_unsettled(&self) -> bool {
        let is_new = |topic: &TopicState| topic.refused.is_none() && topic.is_new;
        matches!(self.error(), Some(KafkaError::Settling(_))) || self.topics.iter().flatten().any(is_new)
    }
}

/// A topic after its plan was carried out, as far as that is the operator's to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicState {
    /// Full name.
    pub name: String,
    /// The id to know it by: the one that is known already, or the one of a topic that was accepted now.
    pub id: Option<String>,
    /// Whether it is the service's own.
    pub own: bool,
    /// Whether it was made or changed just now, and has to be looked at again.
    pub is_new: bool,
    /// Partitions it has now; 0 where it is absent.
    pub partitions: i32,
    /// What only a person can settle: `(reason, message)`.
    pub refused: Option<(&'static str, String)>,
    /// How one that is not the operator's to change differs from what is wanted.
    pub differences: Vec<String>,
    /// That it is on another number of brokers than declared.
    pub replication: Option<String>,
    /// How it breaks what durability `log` promises.
    pub breaches: Vec<String>,
}

/// A consumer group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupState {
    /// Group id.
    pub name: String,
    /// Kafka's own word; `Empty` right after its creation.
    pub state: String,
    /// Consumers in it now.
    pub members: i32,
    /// Records it has not consumed.
    pub lag: i64,
}

/// What was done: `(reason, note)` of a Kubernetes Event.
pub type Deed = (&'static str, String);

/// How often each topic that is absent was looked for in vain, and since when.
#[derive(Clone, Debug, Default)]
pub struct Absences(BTreeMap<String, (Instant, u32)>);

impl Absences {
    /// Notes whether the topic is there; whether it was absent often and long enough.
    fn note(&mut self, topic: &str, is_there: bool, now: Instant) -> bool {
        if is_there {
            self.0.remove(topic);
            return false;
        }
        let (since, times) = self.0.entry(topic.to_owned()).or_insert((now, 0));
        *times = times.saturating_add(1);
        *times >= TIMES && now.saturating_duration_since(*since) >= SPAN
    }
}

/// A topic, what the cluster has of it, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    topic: Topic,
    facts: Option<TopicFacts>,
    id: Option<String>,
    plan: TopicPlan,
}

/// Plans for every topic of a declaration, given what the cluster answered about them. Where one is on another cluster none
/// becomes the service's own on this one.
pub fn survey(
    declaration: &Declaration,
    answers: &Answers<Option<TopicFacts>>,
    cluster: Option<&str>,
    absences: &mut Absences,
    now: Instant,
) -> Result<Vec<Survey>, KafkaError> {
    let mut surveys = Vec::with_capacity(declaration.topics.len());
    for topic in &declaration.topics {
        let facts = match answers.get(&topic.name) {
            Some(answer) => answer.clone()?,
            None => return Err(KafkaError::Settling(format!("nothing was said of topic {}", topic.name))),
        };
        let is_sure = absences.note(&topic.name, facts.is_some(), now);
        let (known, adoption) = (&declaration.known, declaration.adoption);
        let plan = topics::plan(topic, facts.as_ref(), known, cluster, adoption, is_sure);
        let id = topics::pin(&plan, &topic.name, facts.as_ref(), &declaration.known);
        surveys.push(Survey { topic: topic.clone(), facts, id, plan });
    }
    let elsewhere = surveys.iter().map(|survey| &survey.plan).find(|plan| is_elsewhere(plan)).cloned();
    if let Some(elsewhere) = elsewhere {
        for survey in surveys.iter_mut().filter(|survey| is_new(&survey.plan)) {
            survey.plan = elsewhere.clone();
        }
    }
    Ok(surveys)
}

fn is_elsewhere(plan: &TopicPlan) -> bool {
    matches!(plan, TopicPlan::Refuse(reason, _) if *reason == topics::ELSEWHERE)
}

/// Whether the topic is about to become the service's own.
fn is_new(plan: &TopicPlan) -> bool {
    matches!(plan, TopicPlan::Create | TopicPlan::Tend { adopted: true, .. })
}

/// Whether a topic may be missing, which is not known yet.
pub fn is_in_doubt(surveys: &[Survey]) -> bool {
    surveys.iter().any(|survey| survey.plan == TopicPlan::Doubt)
}

/// Whether a topic becomes the service's own only once it is recorded: until then it has no business with groups either.
pub fn awaits_record(surveys: &[Survey], known: &Knowledge) -> bool {
    surveys.iter().any(|survey| is_new(&survey.plan) && !known.record.contains_key(&survey.topic.name))
}

/// The topics to record as the service's own, or with another id, before anything is done to them.
pub fn to_record(surveys: &[Survey], known: &Knowledge) -> BTreeMap<String, Option<String>> {
    let is_ours = |survey: &&Survey| matches!(survey.plan, TopicPlan::Create | TopicPlan::Tend { .. });
    let to_record =
        surveys.iter().filter(is_ours).map(|survey| (survey.topic.name.clone(), survey.id.clone()));
    to_record.filter(|(name, id)| known.record.get(name) != Some(id)).collect()
}

/// Creates, grows or configures the topic, where it is recorded.
pub async fn carry_out(
    kafka: &dyn Kafka,
    survey: Survey,
    declaration: &Declaration,
) -> Result<(TopicState, Vec<Deed>), KafkaError> {
    let Survey { topic, facts, id, plan } = survey;
    let (name, mut deeds) = (topic.name.clone(), Vec::new());
    let is_recorded = declaration.known.record.contains_key(&name);
    let mut state = TopicState {
        id,
        partitions: facts.as_ref().map_or(0, |facts| facts.partitions),
        name: name.clone(),
        ..TopicState::default()
    };
    match plan {
        TopicPlan::Create => {
            state.own = true;
            if is_recorded {
                state.is_new = true;
                kafka.create_topic(&topic).await?;
                state.partitions = topic.partitions;
                deeds.push(("TopicCreated", format!("topic {name} with {} partitions", topic.partitions)));
            }
        }
        TopicPlan::Tend { adopted, grow, set } => {
            state.own = true;
            if is_recorded {
                if let Some(to) = grow {
                    kafka.grow_topic(&name, to).await?;
                    deeds.push((
                        "TopicGrown",
                        format!("topic {name} from {} to {to} partitions", state.partitions),
                    ));
                    state.partitions = to;
                }
                if !set.is_empty() {
                    kafka.configure_topic(&name, &set).await?;
                    deeds.push(("TopicConfigured", configured(&name, &set, facts.as_ref())));
                    state.is_new = true;
                }
            } else if adopted {
                deeds.push(("TopicAdopted", format!("topic {name}")));
            }
            state.replication = facts.as_ref().and_then(|facts| topics::replication(&topic, facts));
        }
        TopicPlan::Observe => {
            state.differences =
                facts.as_ref().map(|facts| topics::differences(&topic, facts)).unwrap_or_default();
        }
        TopicPlan::Doubt => state.own = declaration.known.record.contains_key(&name),
        TopicPlan::Refuse(reason, message) => state.refused = Some((reason, message)),
    }
    if declaration.promised.as_deref() == Some(name.as_str()) && !state.is_new {
        state.breaches = facts.as_ref().map(|facts| durability::breaches(&name, facts)).unwrap_or_default();
    }
    Ok((state, deeds))
}

fn configured(name: &str, set: &BTreeMap<String, String>, facts: Option<&TopicFacts>) -> String {
    let change = |(key, value): (&String, &String)| match facts.and_then(|facts| facts.config.get(key)) {
        Some(before) => format!("{key}={value} (was {before})"),
        None => format!("{key}={value}"),
    };
    format!("topic {name}: {}", set.iter().map(change).collect::<Vec<_>>().join(", "))
}

/// What a round asks about groups, all services together: who is in them, what they committed, and the ends of all logs.
pub struct Questions<'a> {
    /// By group.
    groups: BTreeMap<&'a str, Result<About, KafkaError>>,
    low: Answers<Offsets>,
    high: Answers<Offsets>,
    /// The ids of the topics, as far as they are known.
    ids: BTreeMap<String, Option<String>>,
}

/// Who is in a group, and what it committed.
type About = (Option<GroupFacts>, BTreeMap<String, Commits>);

async fn about<'a>(kafka: &dyn Kafka, name: &'a str) -> (&'a str, Result<About, KafkaError>) {
    let found = async { Ok((kafka.group(name).await?, kafka.committed(name).await?)) };
    (name, found.await)
}

/// Asks them; `topics` are all that one of the groups reads.
pub async fn ask<'a>(
    kafka: &dyn Kafka,
    names: impl Iterator<Item = &'a str>,
    topics: &[&TopicState],
) -> Result<Questions<'a>, KafkaError> {
    let about: Vec<_> = names.map(|name| about(kafka, name).boxed()).collect();
    let partitions = topics.iter().map(|topic| (topic.name.clone(), topic.partitions)).collect();
    let ids = topics.iter().map(|topic| (topic.name.clone(), topic.id.clone())).collect();
    let groups = stream::iter(about).buffer_unordered(AT_ONCE).collect().await;
    let low = kafka.offsets(&partitions, Start::Earliest).await?;
    let high = kafka.offsets(&partitions, Start::Latest).await?;
    Ok(Questions { groups, low, high, ids })
}

/// Commits the start offsets that the group lacks, unless consumers are in it already, and tells how far behind it is. Of a topic
/// that was made just now the id is not known yet: it is said at the next look.
pub async fn group(
    kafka: &dyn Kafka,
    wanted: &Group,
    questions: &Questions<'_>,
) -> Result<(GroupState, Option<Deed>), KafkaError> {
    let Group { name, topics, start } = wanted;
    let unasked = || KafkaError::Settling(format!("nothing was said of group {name}"));
    let (facts, committed) = questions.groups.get(name.as_str()).ok_or_else(unasked)?.clone()?;
    let is_vacant = facts.as_ref().is_none_or(GroupFacts::is_vacant);
    let (mut lag, mut first) = (0, BTreeMap::new());
    let is_known = topics.iter().any(|topic| committed.contains_key(topic));
    for topic in topics {
        let place = |answers: &Answers<Offsets>| answers.get(topic).ok_or_else(unasked)?.clone();
        let (low, high) = (place(&questions.low)?, place(&questions.high)?);
        let id = questions.ids.get(topic).and_then(Option::as_deref);
        let committed = committed.get(topic).cloned().unwrap_or_default();
        let mut reached = groups::reached(&committed, id);
        let partitions = i32::try_from(high.len()).unwrap_or(i32::MAX);
        let missing = groups::plan(*start, partitions, &reached);
        let unsaid = if id.is_some() { groups::unsaid(&committed, partitions) } else { Offsets::new() };
        if is_vacant && !unsaid.is_empty() {
            first.insert(topic.clone(), groups::commits(&unsaid, id));
        }
        if let Some((_, start)) = missing.first().filter(|_| is_vacant) {
            let everywhere = match start {
                Start::Earliest => low.clone(),
                Start::Latest => high.clone(),
                Start::Timestamp(_) => {
                    let asked = [(topic.clone(), partitions)].into();
                    kafka.offsets(&asked, *start).await?.remove(topic).ok_or_else(unasked)??
                }
            };
            let wanted = |(partition, _): &(i32, i64)| missing.iter().any(|(one, _)| one == partition);
            let offsets: Offsets = everywhere.into_iter().filter(wanted).collect();
            first.entry(topic.clone()).or_default().extend(groups::commits(&offsets, id));
            reached.extend(offsets);
        }
        lag += groups::lag(&reached, &low, &high);
    }
    let mut deed = None;
    if !first.is_empty() {
        kafka.commit(name, &first).await?;
        deed = (!is_known).then(|| ("GroupCreated", format!("consumer group {name}")));
    }
    let state = facts.as_ref().map_or_else(|| "Empty".to_owned(), |facts| facts.state.clone());
    let members = facts.map_or(0, |facts| facts.members);
    Ok((GroupState { name: name.clone(), state, members, lag }, deed))
}

/// A group whose consumer is no more: deleted where that is wanted and nobody is in it, else told of; nothing where it is
/// gone.
pub async fn former(
    kafka: &dyn Kafka,
    name: &str,
    deletes: bool,
) -> Result<(Option<GroupState>, Option<Deed>), KafkaError> {
    let Some(facts) = kafka.group(name).await? else { return Ok((None, None)) };
    if deletes && facts.is_vacant() {
        kafka.delete_group(name).await?;
        return Ok((
            None,
            Some(("GroupDeleted", format!("consumer group {name}, whose consumer was removed"))),
        ));
    }
    let GroupFacts { state, members } = facts;
    Ok((Some(GroupState { name: name.to_owned(), state, members, lag: 0 }), None))
}

#[cfg(test)]
#[path = "converge_tests.rs"]
mod tests;
