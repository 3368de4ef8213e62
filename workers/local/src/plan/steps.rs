//! What a plan consists of besides Kubernetes objects, each with the service that it is for.

use std::collections::BTreeMap;

use boxoffice_crds::reservation_service::AdoptionPolicy;
use boxoffice_operator::kafka::{self, Start};
use kube::api::DynamicObject;
use serde::Serialize;

/// One step of the operator.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// A Secret made once, with a random value.
    Secret(Secret),
    /// An object that is applied.
    Object(Box<DynamicObject>),
    /// A topic.
    Topic(Topic),
    /// A consumer group with its start offsets.
    ConsumerGroup(ConsumerGroup),
    /// The seats of a SeatingEvent.
    Inventory(Inventory),
}

/// The Secret with the token of the admin API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Secret {
    /// Namespace and name of the service.
    pub service: String,
    /// Its name.
    pub name: String,
    /// The one key in it.
    pub key: String,
}

/// A topic on the service's brokers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Topic {
    /// Namespace and name of the service.
    pub service: String,
    /// Full name.
    pub name: String,
    /// Partitions to have at least.
    pub partitions: i32,
    /// Replicas of each partition; nothing is the brokers' default.
    pub replication_factor: Option<i32>,
    /// Configuration set at creation.
    pub config: BTreeMap<String, String>,
    /// What becomes of a topic that exists already.
    pub adoption_policy: AdoptionPolicy,
}

/// A consumer group on the service's brokers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConsumerGroup {
    /// Namespace and name of the service.
    pub service: String,
    /// Group id.
    pub name: String,
    /// The topics it reads.
    pub topics: Vec<String>,
    /// Where it begins in each when it is created: `earliest`, `latest` or a time.
    pub start: String,
}

/// The seats of a SeatingEvent, as its service's command worker will have them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inventory {
    /// Namespace and name of the service.
    pub service: String,
    /// The SeatingEvent.
    pub event_id: String,
    /// All its seats.
    pub seats: usize,
    /// Those of them that are not for sale.
    pub blocked: usize,
    /// Its seats by section.
    pub sections: Vec<SectionSeats>,
    /// The partition of its domain events if it is provisioned now; nothing where the service is not known.
    pub partition: Option<u32>,
    /// Equal hashes, equal charts.
    pub chart_hash: String,
}

/// How many seats a section has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SectionSeats {
    /// The section.
    pub id: String,
    /// Its seats.
    pub seats: usize,
}

impl Step {
    pub(super) fn object(object: DynamicObject) -> Self {
        Self::Object(Box::new(object))
    }
}

impl Topic {
    pub(super) fn new(service: &str, topic: kafka::Topic, adoption_policy: AdoptionPolicy) -> Self {
        let kafka::Topic { name, partitions, replication_factor, config } = topic;
        Self {
            service: service.to_owned(),
            name,
            partitions,
            replication_factor: Some(replication_factor).filter(|factor| *factor > 0),
            config,
            adoption_policy,
        }
    }

    /// Whether it is created where it is absent.
    pub(super) fn is_created(&self) -> bool {
        self.adoption_policy != AdoptionPolicy::Observe
    }
}

impl ConsumerGroup {
    pub(super) fn new(service: &str, group: kafka::Group) -> Self {
        let kafka::Group { name, topics, start } = group;
        let start = match start {
            Start::Timestamp(time) => {
                jiff::Timestamp::from_millisecond(time).ok().map(|time| time.to_string())
            }
            Start::Earliest | Start::Latest => None,
        }
        .unwrap_or_else(|| start.to_string());
        Self { service: service.to_owned(), name, topics, start }
    }
}
