//! How old what is shown may be: how long ago it was known last that the log had nothing more.
//!
//! By partition, for one that is in trouble makes the shows on others no older.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use boxoffice_runtime::log::ReadToEnd;
use tokio::time::Instant;

/// See the module.
#[derive(Debug)]
pub struct Age(RwLock<Known>);

#[derive(Debug)]
struct Known {
    begun: Instant,
    /// Nothing is ever missing.
    always: bool,
    partitions: BTreeMap<u32, Instant>,
}

impl Default for Age {
    fn default() -> Self {
        Self(RwLock::new(Known { begun: Instant::now(), always: false, partitions: BTreeMap::new() }))
    }
}

impl Age {
    /// What a reader of these partitions knows now. It never goes back: a reader that begins anew knows less for a moment.
    pub fn learn(&self, partitions: impl Iterator<Item = u32>, read: ReadToEnd) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let begun = known.begun;
        let read = match read {
            ReadToEnd::Always => {
                known.always = true;
                return;
            }
            ReadToEnd::Known(read) => read,
        };
        for partition in partitions {
            let at = known.partitions.entry(partition).or_insert(begun);
            let read = read.get(&partition).copied().unwrap_or(begun);
            *at = read.max(*at);
        }
    }

    /// How old what is on a partition is at most; where nobody knows which one, or asks for all, how old the oldest is.
    pub fn of(&self, partition: Option<u32>) -> Duration {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if known.always {
            return Duration::ZERO;
        }
        let its = partition.and_then(|partition| known.partitions.get(&partition));
        let oldest = || known.partitions.values().min();
        its.or_else(oldest).unwrap_or(&known.begun).elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_partition_is_as_old_as_its_own_last_end() {
        let (age, second) = (Age::default(), Duration::from_secs(1));
        tokio::time::advance(second).await;
        assert_eq!(age.of(None), second, "nothing is known yet");
        let begun = Instant::now();
        age.learn(0..2, ReadToEnd::Known([(0, begun)].into()));
        assert_eq!((age.of(Some(0)), age.of(Some(1)), age.of(None)), (Duration::ZERO, second, second));
        tokio::time::advance(second).await;
        age.learn(0..2, ReadToEnd::Known([(1, Instant::now())].into()));
        assert_eq!((age.of(Some(0)), age.of(Some(1)), age.of(None)), (second, Duration::ZERO, second));
        // A reader that begins anew knows nothing yet.
        age.learn(0..3, ReadToEnd::Known([(0, begun - second)].into()));
        assert_eq!((age.of(Some(0)), age.of(Some(1)), age.of(Some(2))), (second, Duration::ZERO, second * 2));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_in_this_process_is_never_old() {
        let age = Age::default();
        age.learn(0..1, ReadToEnd::Always);
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!((age.of(None), age.of(Some(0))), (Duration::ZERO, Duration::ZERO));
    }
}
