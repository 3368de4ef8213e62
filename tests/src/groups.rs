//! Consumer groups as the operator makes them before a consumer runs.

use std::collections::BTreeMap;
use std::time::Duration;

use boxoffice_runtime::log::{EventLog, GroupEvent, LogError};

/// Where a group begins in every partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// At the first record.
    First,
    /// Behind the last one.
    End,
}

/// Makes `group` on `topics`, of `partitions` each, and says of which topics the offsets are.
///
/// # Errors
/// A log that went away.
pub async fn declare(
    log: &impl EventLog,
    group: &str,
    topics: &[String],
    partitions: u32,
    begin: Begin,
) -> Result<(), LogError> {
    let mut ids = BTreeMap::new();
    for topic in topics {
        ids.insert(topic.clone(), log.identity(topic).await?);
    }
    commit(log, group, &ids, partitions, begin).await
}

/// Commits for `group` on topics, of `partitions` each: of which ones that is, is said by their ids.
///
/// # Errors
/// A log that went away.
pub async fn commit(
    log: &impl EventLog,
    group: &str,
    ids: &BTreeMap<String, Option<String>>,
    partitions: u32,
    begin: Begin,
) -> Result<(), LogError> {
    let topics: Vec<_> = ids.keys().cloned().collect();
    let mut subscription = log.subscribe(group, &topics).await?;
    let mut left = topics.len() * partitions as usize;
    while left > 0 {
        if let GroupEvent::Assigned(assigned) = subscription.next(1, Duration::from_secs(1)).await? {
            for partition in assigned {
                subscription.pause(&partition)?;
                let offset = match begin {
                    Begin::First => 0,
                    Begin::End => log.bounds(&partition.topic, partition.partition).await?.1,
                };
                let id = ids.get(&partition.topic).and_then(Option::as_deref);
                subscription.commit(&partition, offset, id).await?;
                left -= 1;
            }
        }
    }
    subscription.leave().await;
    Ok(())
}
