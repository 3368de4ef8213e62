//! `boxoffice lint`: everything that is wrong with files, without a cluster: what the API server would refuse
//! ([`resources`](crate::resources)), and here what the operator would, by its own functions (I11).
//!
//! A SeatingEvent whose ReservationService is in none of the files is no finding: the cluster may have it.

mod chart;

use std::sync::Arc;

use boxoffice_crds::{ReservationService, SeatingEvent};
use boxoffice_domain::UnixMillis;
use boxoffice_domain::faults::faults;
use boxoffice_operator::reservation_service::unsupported::{self, Environment};
use boxoffice_operator::reservation_service::validate;
use boxoffice_operator::seating_event::build::build;

use crate::resources::{Finding, Loaded};

/// All findings for resources that are to run in `environment`, in the order of files and lines.
pub fn lint(loaded: &Loaded, environment: Environment) -> Vec<Finding> {
    let fellows: Vec<_> = loaded.resources.services.iter().cloned().map(Arc::new).collect();
    let services = fellows.iter().flat_map(|service| of_service(loaded, service, &fellows, environment));
    let events = loaded.resources.events.iter().flat_map(|event| of_event(loaded, event));
    let mut findings: Vec<_> = loaded.findings.iter().cloned().chain(services).chain(events).collect();
    findings.sort();
    findings
}

/// What is allowed but hardly meant, as of `now`.
pub fn warnings(loaded: &Loaded, now: UnixMillis) -> Vec<Finding> {
    let events = loaded.resources.events.iter();
    events
        .flat_map(|event| past(loaded, event, now).into_iter().chain(in_major_units(loaded, event)))
        .collect()
}

fn past(loaded: &Loaded, event: &SeatingEvent, now: UnixMillis) -> Option<Finding> {
    let definition = build(&event.spec);
    let is_over = definition.starts_at.max(definition.closes_at()) <= now;
    let message = "the show is in the past: nobody can hold a seat of it";
    is_over.then(|| loaded.finding(event, "spec.startsAt", message)).flatten()
}

/// `amount: 120.00` is a whole number to Kubernetes, and 1.20 to whoever pays it.
fn in_major_units(loaded: &Loaded, event: &SeatingEvent) -> impl Iterator<Item = Finding> {
    event.spec.price_categories.iter().enumerate().filter_map(move |(index, category)| {
        let field = format!("spec.priceCategories[{index}].amount");
        let written = loaded.number(event, &field).filter(|written| written.contains('.'))?;
        let amount = category.amount;
        let message = format!(
            "{written} is {amount} of the currency's minor unit, such as cents: write {amount} if that is meant, and the \
             whole price in that unit if not"
        );
        loaded.finding(event, &field, message)
    })
}

fn of_service(
    loaded: &Loaded,
    service: &ReservationService,
    fellows: &[Arc<ReservationService>],
    environment: Environment,
) -> Vec<Finding> {
    let find = |field: &str, message: String| loaded.finding(service, &format!("spec.{field}"), message);
    let unsupported = unsupported::in_use(&service.spec, environment);
    let mut findings: Vec<_> = unsupported.iter().filter_map(|one| find(&one.field, one.problem())).collect();
    // One process runs one service: nobody shares its topics.
    let fellows = if environment == Environment::Cluster { fellows } else { &[] };
    for stall in validate::faults(service, fellows) {
        let (field, message) = match stall.message.split_once(": ") {
            _ if stall.reason == "NameTaken" => ("metadata.name".to_owned(), stall.message.as_str()),
            _ if stall.reason != "InvalidSpec" => ("spec.kafka.prefix".to_owned(), stall.message.as_str()),
            Some((field, problem)) if !field.contains(' ') => (format!("spec.{field}"), problem),
            _ => ("spec".to_owned(), stall.message.as_str()),
        };
        findings.extend(loaded.finding(service, &field, message));
    }
    findings
}

fn of_event(loaded: &Loaded, event: &SeatingEvent) -> Vec<Finding> {
    let definition = build(&event.spec);
    let faults = faults(&definition, "spec.").into_iter().map(|fault| (fault.field, fault.problem));
    let chart = chart::errors(&definition).into_iter();
    let chart = chart.map(|error| (format!("spec.{}", error.field()), error.problem_below("spec.")));
    faults.chain(chart).filter_map(|(field, message)| loaded.finding(event, &field, message)).collect()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
