//! Fields whose behaviour comes with a later version: using one is refused with a message that names it, never silently
//! ignored. Pure; `boxoffice local` and `boxoffice lint` ask here too.

use boxoffice_crds::ReservationServiceSpec;
use boxoffice_crds::consumers::Consumer;
use boxoffice_crds::workloads::Autoscaling;

use crate::conditions::Stall;

/// Where the resources run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// In a cluster, as workers that the operator makes.
    Cluster,
    /// In one process on an embedded store, where there is no Redis, no Kafka and nothing to scale.
    Local,
}

/// A field in use that does not work yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// Where it stands in the spec: `consumers[0].reset`.
    pub field: String,
}

impl Unsupported {
    /// What is wrong, for who names the field already.
    pub fn problem(&self) -> String {
        "this version does not support this yet: remove it".to_owned()
    }
}

/// The stall for the fields in use that do not work yet.
pub fn refuse(spec: &ReservationServiceSpec, environment: Environment) -> Result<(), Stall> {
    let fields = in_use(spec, environment);
    if fields.is_empty() {
        return Ok(());
    }
    let fields: Vec<_> = fields.into_iter().map(|unsupported| unsupported.field).collect();
    let message = format!("this version does not support {} yet: remove it", fields.join(", "));
    Err(Stall::new("NotYetSupported", message))
}

/// Each of them.
pub fn in_use(spec: &ReservationServiceSpec, environment: Environment) -> Vec<Unsupported> {
    let of_service = of_service(spec).into_iter().filter(|(at, _, used)| *used && concerns(*at, environment));
    let mut found: Vec<_> = of_service.map(|(_, field, _)| Unsupported { field: field.to_owned() }).collect();
    for (index, consumer) in spec.consumers.iter().enumerate() {
        let of_consumer = of_consumer(consumer).into_iter();
        let used = of_consumer.filter(|(at, _, used)| *used && concerns(*at, environment));
        found.extend(used.map(|(_, field, _)| Unsupported { field: format!("consumers[{index}].{field}") }));
    }
    found
}

/// Where a field matters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Matters {
    /// In a cluster and in one process.
    Everywhere,
    /// In a cluster alone: it says how servers and pods are used, and one process has neither.
    InACluster,
}

fn concerns(matters: Matters, environment: Environment) -> bool {
    matters == Matters::Everywhere || environment == Environment::Cluster
}

fn of_service(spec: &ReservationServiceSpec) -> [(Matters, &'static str, bool); 3] {
    use Matters::InACluster;
    [
        (InACluster, "onSale", spec.on_sale.is_some()),
        (InACluster, "command.autoscaling", is_ours(spec.command.autoscaling.as_ref())),
        (InACluster, "query.autoscaling", is_ours(spec.query.autoscaling.as_ref())),
    ]
}

/// Scaling by somebody else is no work of ours.
fn is_ours(autoscaling: Option<&Autoscaling>) -> bool {
    autoscaling.is_some_and(|autoscaling| !autoscaling.external)
}

fn of_consumer(consumer: &Consumer) -> [(Matters, &'static str, bool); 2] {
    use Matters::{Everywhere, InACluster};
    let scaling = consumer.scaling.clone().unwrap_or_default();
    [
        (InACluster, "scaling.lag", scaling.lag.is_some()),
        // Whether it may be at all is the business of `validate`.
        (Everywhere, "reset", consumer.reset.is_some() && !consumer.handler.acts_outside()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reservation_service::fixtures::main_service;
    use boxoffice_crds::consumers::Scaling;

    fn demanding() -> ReservationServiceSpec {
        let mut spec = main_service().spec;
        let autoscaling = r#"{"minReplicas": 1, "maxReplicas": 2, "targetCPUUtilization": 80}"#;
        spec.command.autoscaling = Some(serde_json::from_str(autoscaling).unwrap());
        spec.query.autoscaling = Some(serde_json::from_str(autoscaling).unwrap());
        spec.consumers[0].reset =
            Some(serde_json::from_str(r#"{"requestId": "a", "to": "earliest"}"#).unwrap());
        spec.consumers[1].scaling = Some(Scaling {
            lag: Some(
                serde_json::from_str(r#"{"minReplicas": 1, "maxReplicas": 2, "targetLag": 5}"#).unwrap(),
            ),
            ..Scaling::default()
        });
        spec
    }

    #[test]
    fn what_works_is_not_refused() {
        assert_eq!(refuse(&main_service().spec, Environment::Cluster), Ok(()));
    }

    #[test]
    fn scaling_by_somebody_else_works_for_every_worker() {
        let mut spec = main_service().spec;
        let external = r#"{"external": true}"#;
        spec.command.autoscaling = Some(serde_json::from_str(external).unwrap());
        spec.query.autoscaling = Some(serde_json::from_str(external).unwrap());
        spec.consumers[0].scaling =
            Some(serde_json::from_str(r#"{"autoscaling": {"external": true}}"#).unwrap());
        assert_eq!(refuse(&spec, Environment::Cluster), Ok(()));
    }

    #[test]
    fn every_field_in_use_is_named() {
        let stall = refuse(&demanding(), Environment::Cluster).unwrap_err();
        assert_eq!(stall.reason, "NotYetSupported");
        for field in ["command.autoscaling", "query.autoscaling", "consumers[1].scaling.lag"] {
            assert!(stall.message.contains(field), "{field}: {}", stall.message);
        }
    }

    #[test]
    fn one_process_ignores_what_only_matters_in_a_cluster() {
        let found = in_use(&demanding(), Environment::Local);
        let fields: Vec<_> = found.iter().map(|one| one.field.as_str()).collect();
        assert_eq!(fields, ["consumers[0].reset"]);
        assert_eq!(found[0].problem(), "this version does not support this yet: remove it");
    }
}
