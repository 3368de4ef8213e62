//! Appending under an id that one owner has at a time. All owners are in this process, so a number tells the last one.

use std::collections::BTreeMap;

use async_trait::async_trait;
use boxoffice_runtime::log::{Appender, LogError};
use boxoffice_runtime::record::NewRecord;

use super::{Appended, EmbeddedLog, lock};

/// Who has an id.
#[derive(Debug, Default)]
pub struct Owner {
    /// How many there were, with this one.
    number: u64,
    /// What was appended last: where its owner did not wait for it, the next one does.
    last: Option<Appended>,
}

/// The right to append under an id, until another takes it.
pub struct EmbeddedAppender {
    log: EmbeddedLog,
    id: String,
    number: u64,
    /// An append failed, or was not waited for.
    is_spent: bool,
}

impl EmbeddedAppender {
    /// Takes over `id`. What the owner before appended can be read then.
    pub async fn take_over(log: EmbeddedLog, id: &str) -> Result<Self, LogError> {
        let (number, last) = {
            let mut owners = lock(&log.shared.owners);
            let owner = owners.entry(id.to_owned()).or_default();
            owner.number += 1;
            // It stays: of several who take over at the same time each waits for it.
            (owner.number, owner.last.clone())
        };
        if let Some(last) = last {
            log.show(&last).await?;
        }
        Ok(Self { log, id: id.to_owned(), number, is_spent: false })
    }
}

#[async_trait]
impl Appender for EmbeddedAppender {
    async fn append(&mut self, topic: &str, records: Vec<NewRecord>) -> Result<BTreeMap<u32, u64>, LogError> {
        let was_spent = std::mem::replace(&mut self.is_spent, true);
        let appended = {
            let mut owners = lock(&self.log.shared.owners);
            let owner = owners.get_mut(&self.id).filter(|owner| owner.number == self.number);
            let owner = owner.ok_or_else(|| LogError::Fenced(self.id.clone()))?;
            if was_spent {
                return Err(LogError::Unavailable(format!("an append as {} failed before", self.id)));
            }
            let (topic, records) = self.log.prepare(topic, records)?;
            let appended = self.log.append(topic, records);
            owner.last = Some(appended.clone());
            appended
        };
        self.log.show(&appended).await?;
        self.is_spent = false;
        Ok(appended.ends.iter().map(|(partition, end)| (partition.id().partition, *end)).collect())
    }
}
