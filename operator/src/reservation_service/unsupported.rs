//! Fields whose behaviour comes with a later version: using one is refused with a message that names it, never silently
//! ignored. Pure; `boxoffice local` and `boxoffice lint` ask here too.

use boxoffice_crds::ReservationServiceSpec;
use boxoffice_crds::consumers::{Consumer, Handler};

use crate::conditions::Stall;

/// Where the resources run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a cluster, as workers that the operator makes.
    Cluster,
    /// In one process on an embedded store, where there is no Redis, no Kafka and nothing to scale.
    Local,
}

/// A field in use that does not work yet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this version does not support {name} yet: remove it")]
pub struct Unsupported {
    /// Where it stands in the spec: `consumers[0].reset`.
    pub field: String,
    /// What people call it: `consumers[stats-service].reset`.
    pub name: String,
}

/// The stall for the fields in use that do not work yet.
pub fn refuse(spec: &ReservationServiceSpec, place: Place) -> Result<(), Stall> {
    let fields = in_use(spec, place);
    if fields.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = fields.into_iter().map(|field| field.name).collect();
    let all = Unsupported { field: String::new(), name: names.join(", ") };
    Err(Stall::new("NotYetSupported", all.to_string()))
}

/// Each of them.
pub fn in_use(spec: &ReservationServiceSpec, place: Place) -> Vec<Unsupported> {
    let fields = if place == Place::Cluster { in_a_cluster(spec).to_vec() } else { vec![] };
    let fields = fields.into_iter().filter(|(_, _, used)| *used);
    let mut found: Vec<_> = fields
        .map(|(field, value, _)| Unsupported { field: field.to_owned(), name: format!("{field}{value}") })
        .collect();
    for (index, consumer) in spec.consumers.iter().enumerate() {
        found.extend(of_consumer(consumer, place).map(|(field, value)| Unsupported {
            field: format!("consumers[{index}].{field}"),
            name: format!("consumers[{}].{field}{value}", consumer.name),
        }));
    }
    found
}

/// What says how servers and pods are used: one process has neither.
fn in_a_cluster(spec: &ReservationServiceSpec) -> [(&'static str, &'static str, bool); 3] {
    [
        ("onSale", "", spec.on_sale.is_some()),
        ("command.autoscaling", "", spec.command.autoscaling.is_some()),
        ("query.autoscaling", "", spec.query.autoscaling.is_some()),
    ]
}

fn of_consumer(consumer: &Consumer, place: Place) -> impl Iterator<Item = (&'static str, &'static str)> {
    let by_lag = consumer.scaling.as_ref().is_some_and(|scaling| scaling.lag.is_some());
    [
        ("handler", " payment", consumer.handler == Handler::Payment),
        ("handler", " webhook", consumer.handler == Handler::Webhook),
        ("scaling.lag", "", place == Place::Cluster && by_lag),
        ("reset", "", consumer.reset.is_some()),
    ]
    .into_iter()
    .filter(|(_, _, used)| *used)
    .map(|(field, value, _)| (field, value))
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
        spec.consumers[0].handler = Handler::Webhook;
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
        assert_eq!(refuse(&main_service().spec, Place::Cluster), Ok(()));
    }

    #[test]
    fn every_field_in_use_is_named() {
        let stall = refuse(&demanding(), Place::Cluster).unwrap_err();
        assert_eq!(stall.reason, "NotYetSupported");
        for field in [
            "command.autoscaling",
            "consumers[seat-view].handler webhook",
            "consumers[reservation-persistence-service].scaling.lag",
        ] {
            assert!(stall.message.contains(field), "{field}: {}", stall.message);
        }
    }

    #[test]
    fn one_process_ignores_what_only_matters_in_a_cluster() {
        let fields: Vec<_> = in_use(&demanding(), Place::Local).into_iter().map(|one| one.field).collect();
        assert_eq!(fields, ["consumers[0].handler"]);
    }
}
