//! What a member asks before it reads partitions: how far the view got, and what the log has. One question to the view
//! for all of them; those to the log go side by side. Asked beside the loop, which goes on polling.

use std::collections::BTreeMap;

use boxoffice_runtime::log::{LogError, TopicPartition};
use boxoffice_runtime::view::{Beginning, Checkpoint, Checkpoints, ViewError};
use futures::{StreamExt, stream};

use super::Consumer;

/// Most questions to the log at once.
const AT_ONCE: usize = 16;

/// What was found out about a partition.
#[derive(Debug, Clone)]
pub struct Found {
    /// How far the view got; `None` where it has not begun.
    pub checkpoint: Option<Checkpoint>,
    /// The first offset that the log has.
    pub first: u64,
    /// The offset of the log's next record to come.
    pub end: u64,
}

/// The id of each topic, where it has one.
pub type Identities = BTreeMap<String, Option<String>>;

/// Asks which topics those are that have these names now.
pub async fn identities(consumer: &Consumer) -> Result<Identities, LogError> {
    let mut identities = Identities::new();
    for topic in &consumer.topics {
        identities.insert(topic.clone(), consumer.log.identity(topic).await?);
    }
    Ok(identities)
}

/// Answers by partition.
pub type Answers = Vec<(TopicPartition, Result<Found, String>)>;

/// Asks about partitions.
pub async fn ask(consumer: &Consumer, partitions: Vec<TopicPartition>) -> Answers {
    let checkpoints = match consumer.view.checkpoints(&partitions).await {
        Ok(checkpoints) => checkpoints,
        Err(error) => return all_failed(partitions, &error),
    };
    let bounds = partitions.into_iter().map(|partition| {
        let checkpoint = checkpoints.get(&partition).cloned();
        async move {
            let bounds = consumer.log.bounds(&partition.topic, partition.partition).await;
            let found = bounds.map(|(first, end)| Found { checkpoint, first, end });
            (partition, found.map_err(|error| error.to_string()))
        }
    });
    stream::iter(bounds).buffer_unordered(AT_ONCE).collect().await
}

/// Writes where the view begins, each with what was found out about its partition before.
pub async fn begin(consumer: &Consumer, begun: Vec<(Beginning, Found)>) -> Answers {
    let (beginnings, founds): (Vec<_>, Vec<_>) = begun.into_iter().unzip();
    let partitions = beginnings.iter().map(|beginning| beginning.partition.clone());
    let mut checkpoints: Checkpoints = match consumer.view.begin(&beginnings).await {
        Ok(checkpoints) => checkpoints,
        Err(error) => return all_failed(partitions.collect(), &error),
    };
    let found = |(partition, found): (TopicPartition, Found)| {
        let checkpoint = checkpoints.remove(&partition).ok_or("the view's beginning was not written");
        let found = checkpoint.map(|checkpoint| Found { checkpoint: Some(checkpoint), ..found });
        (partition, found.map_err(str::to_owned))
    };
    partitions.zip(founds).map(found).collect()
}

fn all_failed(partitions: Vec<TopicPartition>, error: &ViewError) -> Answers {
    let error = error.to_string();
    partitions.into_iter().map(|partition| (partition, Err(error.clone()))).collect()
}
