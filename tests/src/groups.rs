//! Consumer groups as the operator makes them before a consumer runs.

use std::time::Duration;

use boxoffice_runtime::log::{EventLog, GroupEvent, LogError};

/// Makes `group` on `topics`, of `partitions` each, at the beginning of every partition.
///
/// # Errors
/// A log that went away.
pub async fn declare(
    log: &impl EventLog,
    group: &str,
    topics: &[String],
    partitions: u32,
) -> Result<(), LogError> {
    let mut subscription = log.subscribe(group, topics).await?;
    let mut left = topics.len() * partitions as usize;
    while left > 0 {
        if let GroupEvent::Assigned(assigned) = subscription.next(1, Duration::from_secs(1)).await? {
            for partition in assigned {
                subscription.pause(&partition)?;
                subscription.commit(&partition, 0).await?;
                left -= 1;
            }
        }
    }
    subscription.leave().await;
    Ok(())
}
