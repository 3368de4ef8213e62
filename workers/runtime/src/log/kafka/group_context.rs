//! What librdkafka calls back for a member of a group: rebalances, which go to the member, and what ails it.

use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};
use tokio::sync::mpsc::UnboundedSender;

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

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::warn!(%error, "the committed offset stays behind the checkpoint for now");
        }
    }
}
