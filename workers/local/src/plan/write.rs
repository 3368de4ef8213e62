//! A plan in writing: YAML documents with everything that is no Kubernetes object as comments, a line each, or one JSON
//! object.

use std::fmt::{Display, Formatter, Result as FmtResult, Write};

use boxoffice_crds::reservation_service::AdoptionPolicy;
use kube::api::DynamicObject;
use serde::{Serialize, Serializer};

use super::steps::{ConsumerGroup, Inventory, Secret, Step, Topic};
use super::{Plan, PlanError};

const PREAMBLE: &str = "\
# What the operator creates for these resources, in this order. Comments name what is no Kubernetes object, and the secret
# whose value is random. Every object but <name>-retained will also name its ReservationService in ownerReferences, whose
# uid is not known before it is applied.
";

impl Plan {
    /// Documents as kubectl reads them.
    ///
    /// # Errors
    /// When an object cannot be written.
    pub fn to_yaml(&self) -> Result<String, PlanError> {
        let mut text = PREAMBLE.to_owned();
        for step in &self.steps {
            match step {
                Step::Object(object) => {
                    text.push_str("---\n");
                    text.push_str(&serde_yaml_ng::to_string(object)?);
                }
                Step::Secret(secret) => comment(&mut text, secret),
                Step::Topic(topic) => comment(&mut text, topic),
                Step::ConsumerGroup(group) => comment(&mut text, group),
                Step::Inventory(inventory) => {
                    inventory.to_string().lines().for_each(|line| comment(&mut text, line));
                }
            }
        }
        Ok(text)
    }

    /// One object, by kind of step.
    ///
    /// # Errors
    /// When an object cannot be written.
    pub fn to_json(&self) -> Result<String, PlanError> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

fn comment(text: &mut String, line: impl Display) {
    // Writing to a String never fails.
    _ = writeln!(text, "# {line}");
}

/// A plan by kind of step, each kind in the plan's order.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct ByKind<'a> {
    objects: Vec<&'a DynamicObject>,
    topics: Vec<&'a Topic>,
    consumer_groups: Vec<&'a ConsumerGroup>,
    secrets: Vec<&'a Secret>,
    inventories: Vec<&'a Inventory>,
}

impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all = ByKind::default();
        for step in &self.steps {
            match step {
                Step::Object(object) => all.objects.push(object),
                Step::Topic(topic) => all.topics.push(topic),
                Step::ConsumerGroup(group) => all.consumer_groups.push(group),
                Step::Secret(secret) => all.secrets.push(secret),
                Step::Inventory(inventory) => all.inventories.push(inventory),
            }
        }
        all.serialize(serializer)
    }
}

impl Display for Secret {
    fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
        let Self { service, name, key } = self;
        write!(f, "secret {name} of {service}: {key}, random, made once")
    }
}

impl Display for Topic {
    fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
        let Self { service, name, partitions, replication_factor, config, adoption_policy } = self;
        write!(f, "topic {name} of {service}: {partitions} partitions, replication factor ")?;
        match replication_factor {
            Some(factor) => write!(f, "{factor}")?,
            None => f.write_str("the broker's")?,
        }
        for (key, value) in config {
            write!(f, ", {key}={value}")?;
        }
        match adoption_policy {
            AdoptionPolicy::Fail => Ok(()),
            AdoptionPolicy::Adopt => f.write_str("; adopted where it exists"),
            AdoptionPolicy::Observe => f.write_str("; not created: it must exist"),
        }
    }
}

impl Display for ConsumerGroup {
    fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
        let Self { service, name, topics, start } = self;
        write!(f, "consumer group {name} of {service}: {} from {start}", topics.join(" and "))
    }
}

impl Display for Inventory {
    fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
        let Self { service, event_id, seats, blocked, sections, partition, chart_hash } = self;
        write!(
            f,
            "inventory {event_id} of {service}: {seats} seats, {blocked} blocked, chart {chart_hash}, partition "
        )?;
        match partition {
            Some(partition) => write!(f, "{partition} (pinned when first provisioned)")?,
            None => f.write_str("chosen when it is provisioned: the service is in none of the files")?,
        }
        for section in sections {
            write!(
                f,
                "\ninventory {event_id} of {service}: section {}: {} seats",
                section.id, section.seats
            )?;
        }
        Ok(())
    }
}
