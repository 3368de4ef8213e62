//! Topics that were replaced: deleted, and made again under the same name.
//!
//! An offset says nothing of another topic. What a view knows of events it knows on any log: whatever it has seen is
//! skipped, and the sequences tell what is missing. So it begins on the new topic where its group does, as one that is
//! empty, and keeps what it has. Not before the group has an offset there, though, said of that very topic: brokers
//! forget those of a topic that is deleted, and the operator, which commits them, does so only for topics that the
//! service takes for its own. A member that has yet to notice says of its commits that they are of the topic that it
//! joined on. A topic that somebody put in the place of one that was lost has to be accepted by a person first. Until
//! then members stay out of the group, for nobody can commit for a group that somebody is in.

use std::time::Duration;

use boxoffice_runtime::log::{LogError, TopicPartition};
use tokio::time::sleep;

use super::questions::{self, Identities};
use super::{Consumer, LOG, origin};

/// How often it is looked whether a topic is still the same. What is not noticed at once is, for as long, what the sequences
/// of events show.
const LOOK: Duration = Duration::from_secs(10);
/// How often a group is asked for its offset in a partition of another topic.
const ASK: Duration = Duration::from_secs(2);

/// Why a membership ended.
#[derive(Debug)]
pub enum Ended {
    /// The log gave it up.
    Log(LogError),
    /// The view was built from another topic, and the group has no place on this one.
    Replaced(Replaced),
}

/// A partition of a topic that was replaced.
#[derive(Debug)]
pub struct Replaced {
    /// The partition.
    pub partition: TopicPartition,
    /// The id of the topic of which the view has a checkpoint.
    pub known: String,
    /// The id of the one that is there.
    pub found: String,
}

impl From<LogError> for Ended {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

impl Consumer {
    /// Returns when one of the topics is another one than it was.
    pub(super) async fn until_replaced(&self, known: &Identities) -> LogError {
        loop {
            sleep(LOOK).await;
            match questions::identities(self).await {
                Ok(found) => {
                    if let Some(replaced) = difference(known, &found) {
                        return replaced;
                    }
                }
                Err(error) => tracing::debug!(%error, "whether a topic is the same is not known now"),
            }
        }
    }

    /// Returns when the group has an offset in a partition of the topic that is there, or that is another one again.
    pub(super) async fn until_accepted(&self, replaced: &Replaced) {
        let Replaced { partition, known, found } = replaced;
        let reason = format!(
            "the topic was replaced: the view was built from the one with the id {known}, and there is {found}. It goes on when \
             the new one is the service's own, and group {} has an offset there: see the condition TopicsReady",
            self.group
        );
        let (topic, number) = (partition.topic.as_str(), partition.partition);
        tracing::error!(topic, partition = number, reason, invariant = "I5", "the partition stands still");
        self.metrics.stopped(partition);
        self.standing.stopped(partition, &reason);
        // The log answers, and nothing is read.
        self.readiness.ready(LOG);
        loop {
            let now = async {
                let identity = self.log.identity(topic).await?;
                let committed = self.log.committed(&self.group, partition).await?;
                let is_accepted = origin::counts(committed, Some(found), true).is_some();
                Ok::<_, LogError>(is_accepted || identity.as_deref() != Some(found))
            };
            match now.await {
                Ok(true) => break,
                Ok(false) => {}
                Err(error) => tracing::debug!(%error, "whether the group has an offset is not known now"),
            }
            sleep(ASK).await;
        }
        self.forget(partition);
    }
}

/// A topic that is another one than it was, if there is one.
pub(super) fn difference(known: &Identities, found: &Identities) -> Option<LogError> {
    known.iter().find_map(|(topic, known)| {
        let (known, found) = (known.clone()?, found.get(topic)?.clone()?);
        (known != found).then(|| LogError::Replaced { topic: topic.clone(), known, found })
    })
}
