//! `boxoffice lint`: everything that is wrong with files, without a cluster: what the API server would refuse
//! ([`resources`](crate::resources)), and here what the operator would, by its own functions (I11).
//!
//! A SeatingEvent whose ReservationService is in none of the files is no finding: the cluster may have it.

mod chart;

use std::sync::Arc;

use boxoffice_crds::{ReservationService, SeatingEvent};
use boxoffice_operator::reservation_service::unsupported::{self, Place};
use boxoffice_operator::reservation_service::validate::validate;
use boxoffice_operator::seating_event::build::build;
use boxoffice_operator::seating_event::validate::refuse_purging;

use crate::resources::{Finding, Loaded};

/// All findings for resources that are to run in `place`, in the order of files and lines.
pub fn lint(loaded: &Loaded, place: Place) -> Vec<Finding> {
    let fellows: Vec<_> = loaded.resources.services.iter().cloned().map(Arc::new).collect();
    let services = fellows.iter().flat_map(|service| of_service(loaded, service, &fellows, place));
    let events = loaded.resources.events.iter().flat_map(|event| of_event(loaded, event));
    let mut findings: Vec<_> = loaded.findings.iter().cloned().chain(services).chain(events).collect();
    findings.sort();
    findings
}

fn of_service(
    loaded: &Loaded,
    service: &ReservationService,
    fellows: &[Arc<ReservationService>],
    place: Place,
) -> Vec<Finding> {
    let find = |field: &str, message: String| loaded.finding(service, &format!("spec.{field}"), message);
    let unsupported = unsupported::in_use(&service.spec, place);
    let mut findings: Vec<_> = unsupported.iter().filter_map(|one| find(&one.field, one.problem())).collect();
    // One process runs one service: nobody shares its topics.
    let fellows = if place == Place::Cluster { fellows } else { &[] };
    if let Err(stall) = validate(service, fellows, "") {
        let field = if stall.reason == "InvalidSpec" { "spec" } else { "spec.kafka.prefix" };
        findings.extend(loaded.finding(service, field, stall.message));
    }
    findings
}

fn of_event(loaded: &Loaded, event: &SeatingEvent) -> Vec<Finding> {
    let purging = refuse_purging(event).err().map(|stall| ("deletionPolicy".to_owned(), stall.message));
    let chart = chart::errors(&build(&event.spec)).into_iter().map(|error| (error.field(), error.problem()));
    let refused = purging.into_iter().chain(chart);
    refused.filter_map(|(field, message)| loaded.finding(event, &format!("spec.{field}"), message)).collect()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
