//! `boxoffice plan`: what the operator would create for the resources of files, by the very same functions (I11), in the
//! order in which it does. Pure, and the same for the same resources, so that two plans can be compared.
//!
//! `steps` names what is no Kubernetes object, `write` says all of it as YAML or JSON.

mod steps;

mod write;

use std::collections::BTreeSet;
use std::sync::Arc;

use boxoffice_crds::{ReservationService, SeatingEvent};
use boxoffice_domain::partition::partition_of;
use boxoffice_operator::conditions::Stall;
use boxoffice_operator::reservation_service::build::{DesiredState, build};
use boxoffice_operator::reservation_service::unsupported::{self, Environment};
use boxoffice_operator::reservation_service::validate::{ValidatedService, validate};
use boxoffice_operator::reservation_service::{names, record};
use boxoffice_operator::seating_event::validate::define;
use kube::{Resource, ResourceExt};

use crate::resources::Resources;
pub use steps::{ConsumerGroup, Inventory, Secret, SectionSeats, Step, Topic};

/// What the operator would do, step by step.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// In its order: service by service, then the inventories.
    pub steps: Vec<Step>,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The operator would stop at this resource.
    #[error("{resource}: {stall}; `boxoffice lint` names the line")]
    Refused {
        /// Kind, namespace and name.
        resource: String,
        /// Why.
        stall: Stall,
    },
    /// An object cannot be written, which is a fault of this program.
    #[error("an object cannot be written: {0}")]
    Json(#[from] serde_json::Error),
    /// The same, as YAML.
    #[error("an object cannot be written as YAML: {0}")]
    Yaml(#[from] serde_yaml_ng::Error),
}

/// Plans for `resources`; services that name no image run `default_image`, and the operator that acts on them runs in
/// `operator_namespace`.
///
/// # Errors
/// At the first resource that the operator would refuse.
pub fn plan(resources: &Resources, default_image: &str, operator_namespace: &str) -> Result<Plan, PlanError> {
    let fellows: Vec<_> = resources.services.iter().cloned().map(Arc::new).collect();
    let mut steps = Vec::new();
    for service in &fellows {
        steps.extend(of_service(service, &fellows, default_image, operator_namespace)?);
    }
    for event in &resources.events {
        steps.push(Step::Inventory(inventory(event, &fellows)?));
    }
    Ok(Plan { steps })
}

fn of_service(
    service: &ReservationService,
    fellows: &[Arc<ReservationService>],
    default_image: &str,
    operator_namespace: &str,
) -> Result<Vec<Step>, PlanError> {
    let validated = unsupported::refuse(&service.spec, Environment::Cluster)
        .and_then(|()| validate(service, fellows, default_image))
        .map_err(|stall| refused(service, stall))?;
    let validated = ValidatedService { operator_namespace: operator_namespace.to_owned(), ..validated };
    let DesiredState { objects, topics, groups, settings, workloads, .. } = build(&validated)?;
    let name = qualified(service);
    let policy = service.spec.kafka.topic.adoption_policy;
    let topics: Vec<_> = topics.into_iter().map(|topic| Topic::new(&name, topic, policy)).collect();
    let owned = topics.iter().filter(|topic| topic.is_created());
    let owned = owned.map(|topic| (topic.name.clone(), None)).collect();
    let mut steps = vec![Step::Secret(Secret {
        service: name.clone(),
        name: names::admin_token(&validated.name),
        key: names::ADMIN_TOKEN_KEY.to_owned(),
    })];
    steps.extend(objects.into_iter().map(Step::object));
    if topics.iter().any(Topic::is_created) {
        let record = serde_json::to_value(record::build(service, &owned))?;
        steps.push(Step::object(serde_json::from_value(record)?));
    }
    steps.extend(topics.into_iter().map(Step::Topic));
    steps.extend(groups.into_iter().map(|group| Step::ConsumerGroup(ConsumerGroup::new(&name, group))));
    steps.extend(settings.into_iter().chain(workloads).map(Step::object));
    Ok(steps)
}

/// The seats that the command worker is told of. Where the service is in none of the files, nobody knows its partitions.
fn inventory(event: &SeatingEvent, services: &[Arc<ReservationService>]) -> Result<Inventory, PlanError> {
    let (definition, chart) = define(event).map_err(|stall| refused(event, stall))?;
    let namespace = event.namespace().unwrap_or_default();
    let service = format!("{namespace}/{}", event.spec.service_ref.name);
    let id = event.name_any();
    let partitions = services
        .iter()
        .find(|one| qualified(one.as_ref()) == service)
        .map(|one| one.spec.kafka.topic.partitions);
    let blocked: BTreeSet<_> = definition.blocked.iter().flat_map(|group| &group.seats).collect();
    let seats_of = |section: usize| {
        chart.rows().filter(|row| row.section() == section).map(|row| row.places().len()).sum()
    };
    let sections = definition.sections.iter().enumerate();
    let sections =
        sections.map(|(index, section)| SectionSeats { id: section.id.clone(), seats: seats_of(index) });
    Ok(Inventory {
        service,
        partition: partitions.map(|partitions| partition_of(&id, partitions)),
        event_id: id,
        seats: chart.len(),
        blocked: blocked.len(),
        sections: sections.collect(),
        chart_hash: definition.chart_hash(),
    })
}

fn refused<K: Resource<DynamicType = ()>>(resource: &K, stall: Stall) -> PlanError {
    PlanError::Refused { resource: format!("{} {}", K::kind(&()), qualified(resource)), stall }
}

/// Namespace and name.
fn qualified<K: ResourceExt>(resource: &K) -> String {
    format!("{}/{}", resource.namespace().unwrap_or_default(), resource.name_any())
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
