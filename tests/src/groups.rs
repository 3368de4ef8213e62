//! Consumer groups as the operator makes them before a consumer runs.

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

/// Makes `group` on `topics`, of `partitions` each.
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
    let mut subscription = log.subscribe(group, topics).await?;
    let mut left = topics.len() * partitions as usize;
    while left > 0 {
        if let GroupEvent::Assigned(assigned) = subscription.next(1, Duration::from_secs(1)).await? {
            for partition in assigned {
                subscription.pause(&partition)?;
                let offset = match begin {
                    Begin::First => 0,
                    Begin::End => log.bounds(&partition.topic, partition.partition).await?.1,
                };
                subscription.commit(&partition, offset).await?;
                left -= 1;
            }
        }
    }
    subscription.leave().await;
    Ok(())
}
