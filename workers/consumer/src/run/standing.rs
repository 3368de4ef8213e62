//! Partitions that stand still (I5): they are told on `/readyz`, where the operator reads which show stopped and where.
//!
//! A consumer serves nobody, so being not ready costs nothing but the end of a rollout, and a version that cannot go on
//! should not replace one that can.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use boxoffice_runtime::health::Readiness;
use boxoffice_runtime::log::TopicPartition;

/// The part of readiness that partitions are.
pub const PARTITION: &str = "partition";
/// Most partitions that are told of: one that stands still says enough.
const TOLD: usize = 5;

/// Those of one consumer.
#[derive(Debug)]
pub struct Standing {
    readiness: Readiness,
    reasons: Mutex<BTreeMap<(String, u32), String>>,
}

impl Standing {
    /// None yet; `readiness` is told.
    pub fn new(readiness: Readiness) -> Self {
        Self { readiness, reasons: Mutex::default() }
    }

    /// The partition stands still.
    pub fn stopped(&self, partition: &TopicPartition, reason: &str) {
        self.change(|reasons| {
            reasons.insert((partition.topic.clone(), partition.partition), reason.to_owned());
        });
    }

    /// It goes on, or is another member's.
    pub fn is_over(&self, partition: &TopicPartition) {
        self.change(|reasons| {
            reasons.remove(&(partition.topic.clone(), partition.partition));
        });
    }

    /// None is this member's any more.
    pub fn clear(&self) {
        self.change(BTreeMap::clear);
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<(String, u32), String>)) {
        let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        let before = reasons.clone();
        change(&mut reasons);
        if *reasons == before {
            return;
        }
        if reasons.is_empty() {
            self.readiness.ready(PARTITION);
            return;
        }
        let told = reasons.iter().take(TOLD);
        let told =
            told.map(|((topic, partition), reason)| format!("{topic}/{partition} stands still: {reason}"));
        let mut told: Vec<_> = told.collect();
        if reasons.len() > TOLD {
            told.push(format!("and {} more", reasons.len() - TOLD));
        }
        self.readiness.not_ready(PARTITION, told.join("; "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(partition: u32) -> TopicPartition {
        TopicPartition { topic: "seat-events".into(), partition }
    }

    #[test]
    fn is_told_until_the_last_one_goes_on() {
        let readiness = Readiness::default();
        let standing = Standing::new(readiness.clone());
        standing.stopped(&partition(3), "at offset 17 arena-night jumps");
        standing.stopped(&partition(4), "at offset 9 club-night jumps");
        let told = "partition: seat-events/3 stands still: at offset 17 arena-night jumps; seat-events/4 stands still: at \
                    offset 9 club-night jumps";
        assert_eq!(readiness.obstacles(), [told]);
        standing.is_over(&partition(3));
        assert_eq!(
            readiness.obstacles(),
            ["partition: seat-events/4 stands still: at offset 9 club-night jumps"]
        );
        standing.is_over(&partition(4));
        assert!(readiness.obstacles().is_empty());
    }

    #[test]
    fn of_many_some_are_told() {
        let readiness = Readiness::default();
        let standing = Standing::new(readiness.clone());
        (0..20).for_each(|number| standing.stopped(&partition(number), "x"));
        let told = readiness.obstacles().remove(0);
        assert!(told.ends_with("seat-events/4 stands still: x; and 15 more"), "{told}");
        standing.clear();
        assert!(readiness.obstacles().is_empty());
    }
}
