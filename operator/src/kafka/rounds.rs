//! The rounds to every cluster: within ten seconds each, and at once where a declaration is new. Whatever they find is kept in
//! `declarations`.
//!
//! A cluster that does not answer costs its own rounds time and nobody else's.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::stream::{self, FuturesUnordered};
use futures::{FutureExt, StreamExt};
use tokio::time::{Instant, sleep, sleep_until};

use super::connection::Connection;
use super::converge::{self, Declaration, Deed, GroupState, Outlook, Questions, Survey, TopicState};
use super::declarations::{Declarations, Found, Seen, Turn};
use super::pool::Pool;
use super::{Answers, Kafka, KafkaError, TopicFacts};
use crate::backoff::jittered;

/// From the beginning of one round to that of the next, a fifth less or more: what drifted is put right within ten seconds,
/// with what a round itself takes.
const EVERY: Duration = Duration::from_secs(7);
/// Between two looks at what is not settled yet, and so long new declarations wait for others that come with them.
const SOON: Duration = Duration::from_millis(500);
/// Most services of one round that something is done for at once.
const AT_ONCE: usize = 4;

/// Goes to every cluster that there is a declaration for; never ends by itself.
pub async fn run(pool: &Pool, declarations: &Declarations) {
    let mut clusters = FuturesUnordered::new();
    loop {
        tokio::select! {
            opened = declarations.unattended() => {
                clusters.extend(opened.into_iter().map(|connection| attend(pool, declarations, connection).boxed()));
            }
            Some(()) = clusters.next(), if !clusters.is_empty() => {}
        }
    }
}

/// Goes to one cluster until nobody needs it.
async fn attend(pool: &Pool, declarations: &Declarations, connection: Connection) {
    let (wake, mut due, mut cluster_id) = (declarations.wake(&connection), Instant::now(), None);
    loop {
        let begun = Instant::now();
        let is_due = begun >= due;
        if is_due {
            due = begun + jittered(EVERY);
        }
        let Some(turns) = declarations.next_round(&connection, !is_due) else { return };
        if !turns.is_empty() {
            let found = match pool.get(&connection) {
                Ok(kafka) => round(kafka.as_ref(), &mut cluster_id, turns).await,
                Err(error) => turns.into_iter().map(|turn| failed(turn, &error)).collect(),
            };
            let is_silent = |found: &Found| {
                let seen = found.seen.as_ref();
                seen.and_then(|seen| seen.outlook.error()).is_some_and(KafkaError::is_silence)
            };
            if found.iter().any(|(_, found)| is_silent(found)) {
                pool.forget(&connection);
                cluster_id = None;
            }
            for (key, found) in found {
                declarations.learn(&key, found);
            }
        }
        sleep(SOON).await;
        if !declarations.is_urgent(&connection) {
            tokio::select! {
                () = sleep_until(due) => {}
                () = wake.notified() => {}
            }
        }
    }
}

type Findings = Vec<((String, String), Found)>;

fn failed(turn: Turn, error: &KafkaError) -> ((String, String), Found) {
    let Turn { key, declaration: _, absences } = turn;
    let seen = Seen { cluster_id: None, outlook: Outlook::failed(error.clone()) };
    (key, Found { seen: Some(seen), deeds: Vec::new(), absences })
}

/// One round: the topics of all, what is to be done about them, then the groups of those whose topics are there.
pub async fn round(kafka: &dyn Kafka, cluster_id: &mut Option<String>, mut turns: Vec<Turn>) -> Findings {
    let mut names: Vec<String> =
        turns.iter().flat_map(|turn| &turn.declaration.topics).map(|topic| topic.name.clone()).collect();
    names.sort_unstable();
    names.dedup();
    let answers = match answers(kafka, cluster_id, &names).await {
        Ok(answers) => answers,
        Err(error) => return turns.into_iter().map(|turn| failed(turn, &error)).collect(),
    };
    let now = std::time::Instant::now();
    let surveys: Vec<_> = turns
        .iter_mut()
        .map(|turn| {
            let Turn { declaration, absences, key: _ } = turn;
            converge::survey(declaration, &answers, cluster_id.as_deref(), absences, now)
        })
        .collect();
    let tended: Vec<_> = turns
        .iter()
        .zip(surveys)
        .map(|(turn, surveys)| tend(kafka, &turn.declaration, surveys).boxed())
        .collect();
    let tended: Vec<Tended> = stream::iter(tended).buffered(AT_ONCE).collect().await;

    let asked = turns.iter().zip(&tended).filter(|(_, tended)| tended.are_there());
    let groups: Vec<&str> = asked
        .clone()
        .flat_map(|(turn, _)| &turn.declaration.groups)
        .map(|group| group.name.as_str())
        .collect();
    let topics: Vec<&TopicState> = asked.flat_map(|(_, tended)| tended.topics.iter().flatten()).collect();
    let questions =
        if groups.is_empty() { None } else { Some(converge::ask(kafka, groups.into_iter(), &topics).await) };
    let questions = questions.as_ref();
    let finished =
        turns.iter().zip(tended).map(|(turn, tended)| finish(kafka, turn, tended, questions).boxed());
    let finished: Vec<_> = finished.collect();
    let finished: Vec<_> = stream::iter(finished).buffered(AT_ONCE).collect().await;
    turns
        .into_iter()
        .zip(finished)
        .map(|(Turn { key, declaration: _, absences }, (outlook, deeds))| {
            let seen = outlook.map(|outlook| Seen { cluster_id: cluster_id.clone(), outlook });
            (key, Found { seen, deeds, absences })
        })
        .collect()
}

/// What the cluster has of these topics, and its id where that is not known yet.
async fn answers(
    kafka: &dyn Kafka,
    cluster_id: &mut Option<String>,
    names: &[String],
) -> Result<Answers<Option<TopicFacts>>, KafkaError> {
    let answers = kafka.topics(names).await?;
    if cluster_id.is_none() {
        *cluster_id = kafka.cluster_id().await?;
    }
    Ok(answers)
}

/// What became of a service's topics.
struct Tended {
    topics: Result<Vec<TopicState>, KafkaError>,
    to_record: BTreeMap<String, Option<String>>,
    deeds: Vec<Deed>,
    /// One is to be recorded before anything is done with it.
    awaits_record: bool,
    /// One may be missing: whatever was known before still holds.
    is_in_doubt: bool,
}

impl Tended {
    /// Whether groups can be asked about them.
    fn are_there(&self) -> bool {
        let is_there = |topic: &TopicState| topic.refused.is_none() && topic.partitions > 0;
        !self.is_in_doubt
            && !self.awaits_record
            && self.topics.as_ref().is_ok_and(|topics| topics.iter().all(is_there))
    }
}

async fn tend(
    kafka: &dyn Kafka,
    declaration: &Declaration,
    surveys: Result<Vec<Survey>, KafkaError>,
) -> Tended {
    let failed = |error| Tended {
        topics: Err(error),
        to_record: BTreeMap::new(),
        deeds: Vec::new(),
        awaits_record: false,
        is_in_doubt: false,
    };
    let surveys = match surveys {
        Ok(surveys) => surveys,
        Err(error) => return failed(error),
    };
    let is_in_doubt = converge::is_in_doubt(&surveys);
    let awaits_record = converge::awaits_record(&surveys, &declaration.known);
    let to_record = converge::to_record(&surveys, &declaration.known);
    let (mut topics, mut deeds) = (Vec::with_capacity(surveys.len()), Vec::new());
    for survey in surveys {
        match converge::carry_out(kafka, survey, declaration).await {
            Ok((state, done)) => {
                topics.push(state);
                deeds.extend(done);
            }
            Err(error) => return Tended { to_record, deeds, ..failed(error) },
        }
    }
    Tended { topics: Ok(topics), to_record, deeds, awaits_record, is_in_doubt }
}

async fn finish(
    kafka: &dyn Kafka,
    turn: &Turn,
    tended: Tended,
    questions: Option<&Result<Questions<'_>, KafkaError>>,
) -> (Option<Outlook>, Vec<Deed>) {
    let are_there = tended.are_there();
    let Tended { topics, to_record, mut deeds, awaits_record: _, is_in_doubt } = tended;
    if is_in_doubt {
        return (None, deeds);
    }
    let mut outlook = Outlook { topics, groups: None, former: Vec::new(), to_record };
    if are_there {
        outlook.groups = match questions {
            Some(Ok(questions)) => Some(groups(kafka, &turn.declaration, questions, &mut deeds).await),
            Some(Err(error)) => Some(Err(error.clone())),
            None => Some(Ok(Vec::new())),
        };
    }
    if matches!(outlook.groups, Some(Ok(_))) {
        for name in &turn.declaration.former {
            match converge::former(kafka, name, turn.declaration.deletes).await {
                Ok((state, deed)) => {
                    outlook.former.extend(state);
                    deeds.extend(deed);
                }
                Err(error) => {
                    tracing::warn!(group = name, %error, "the group of a removed consumer is not seen");
                    let state = GroupState { name: name.clone(), ..GroupState::default() };
                    outlook.former.push(state);
                }
            }
        }
    }
    (Some(outlook), deeds)
}

async fn groups(
    kafka: &dyn Kafka,
    declaration: &Declaration,
    questions: &Questions<'_>,
    deeds: &mut Vec<Deed>,
) -> Result<Vec<GroupState>, KafkaError> {
    let mut states = Vec::with_capacity(declaration.groups.len());
    for wanted in &declaration.groups {
        let (state, deed) = converge::group(kafka, wanted, questions).await?;
        states.push(state);
        deeds.extend(deed);
    }
    Ok(states)
}

#[cfg(test)]
#[path = "rounds_tests.rs"]
mod tests;
