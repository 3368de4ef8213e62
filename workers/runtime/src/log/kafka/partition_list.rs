//! Lists of partitions as librdkafka takes and gives them.

use rdkafka::{Offset, TopicPartitionList};

use super::{LogError, number, said, unavailable};
use crate::log::{Committed, TopicPartition};

/// What a list names.
pub fn partitions(list: &TopicPartitionList) -> Vec<TopicPartition> {
    let partition = |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| TopicPartition {
        topic: element.topic().to_owned(),
        partition: element.partition().unsigned_abs(),
    };
    list.elements().iter().map(partition).collect()
}

/// A list of partitions, each with an offset.
pub fn list(
    partitions: &[TopicPartition],
    offset: impl Fn(&TopicPartition) -> Offset,
) -> Result<TopicPartitionList, LogError> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        let number = number(&partition.topic, partition.partition)?;
        list.add_partition_offset(&partition.topic, number, offset(partition)).map_err(unavailable)?;
    }
    Ok(list)
}

/// What is committed of the one partition in the list, if anything.
pub fn committed(list: &TopicPartitionList) -> Option<Committed> {
    list.elements().iter().find_map(|element| match element.offset() {
        Offset::Offset(offset) => {
            let log = said::topic(element.metadata()).map(str::to_owned);
            Some(Committed { offset: u64::try_from(offset).ok()?, log })
        }
        _ => None,
    })
}

/// A list of one partition.
pub fn one(partition: &TopicPartition, offset: Offset) -> Result<TopicPartitionList, LogError> {
    list(std::slice::from_ref(partition), |_| offset)
}
