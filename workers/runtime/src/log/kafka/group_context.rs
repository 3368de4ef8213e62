//! What librdkafka calls back for a member of a group: rebalances and what became of commits, which go to the member, and
//! what ails it.

use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};
use tokio::sync::mpsc::UnboundedSender;

use super::commits::Answer;
use super::partition_list::partitions;
use super::trouble::Trouble;
use crate::log::TopicPartition;

/// What librdkafka says of partitions, and waits for the member to carry out.
pub enum Rebalance {
    Assigned(Vec<TopicPartition>),
    Revoked(Vec<TopicPartition>),
}

/// Where librdkafka's call-backs go. They run inside `recv`, on the caller's task.
pub struct GroupContext {
    pub rebalances: UnboundedSender<Rebalance>,
    pub commits: UnboundedSender<Answer>,
    pub trouble: Trouble,
    /// Nobody asks for what happens next any more: rebalances are carried out at once.
    pub leaving: AtomicBool,
}

impl ClientContext for GroupContext {
    fn error(&self, error: KafkaError, reason: &str) {
        self.trouble.error(error, reason);
    }
}

impl ConsumerContext for GroupContext {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let rebalance = match code {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Rebalance::Assigned(partitions(list)),
            _ => Rebalance::Revoked(partitions(list)),
        };
        if !self.leaving.load(Ordering::Relaxed) {
            self.rebalances.send(rebalance).ok();
            return;
        }
        let done = match rebalance {
            Rebalance::Assigned(_) => consumer.incremental_assign(list),
            Rebalance::Revoked(_) => consumer.incremental_unassign(list),
        };
        if let Err(error) = done {
            tracing::warn!(%error, "leaving");
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, list: &TopicPartitionList) {
        for (element, partition) in list.elements().iter().zip(partitions(list)) {
            let refusal = result.as_ref().err().cloned().or_else(|| element.error().err());
            if let Some(error) = &refusal {
                let TopicPartition { topic, partition } = &partition;
                tracing::warn!(topic, partition, %error, "the committed offset stays behind for now: trying again");
            }
            let Some(offset) = element.offset().to_raw().and_then(|offset| u64::try_from(offset).ok()) else {
                continue;
            };
            // Whoever asked may be gone.
            self.commits.send(Answer { partition, offset, is_taken: refusal.is_none() }).ok();
        }
    }
}
