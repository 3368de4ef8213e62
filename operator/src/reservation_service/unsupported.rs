//! Fields whose behaviour comes with a later version: using one is refused with a condition that names it, never
//! silently ignored. Pure.

use boxoffice_crds::ReservationServiceSpec;
use boxoffice_crds::consumers::{Consumer, Handler};
use boxoffice_crds::durability::Durability;
use boxoffice_crds::reservation_service::AuthMode;

use crate::conditions::Stall;

/// The stall for the fields in use that do not work yet.
pub fn refuse(spec: &ReservationServiceSpec) -> Result<(), Stall> {
    let fields = in_use(spec);
    if fields.is_empty() {
        return Ok(());
    }
    let message = format!("this version does not support {} yet: remove it", fields.join(", "));
    Err(Stall::new("NotYetSupported", message))
}

fn in_use(spec: &ReservationServiceSpec) -> Vec<String> {
    let waits = |durability| matches!(durability, Durability::Fsync | Durability::Replicas(_));
    let fields = [
        ("auth.mode jwt", spec.auth.mode == AuthMode::Jwt),
        ("redis.cluster", spec.redis.cluster),
        ("kafka.tls", spec.kafka.tls.is_some()),
        ("kafka.sasl", spec.kafka.sasl.is_some()),
        ("durability.hold fsync or replicas", waits(spec.durability.hold)),
        ("durability.reserve fsync or replicas", waits(spec.durability.reserve)),
        ("onSale", spec.on_sale.is_some()),
        ("limits.requestsPerUserPerSecond", spec.limits.requests_per_user_per_second.is_some()),
        ("command.autoscaling", spec.command.autoscaling.is_some()),
        ("query.autoscaling", spec.query.autoscaling.is_some()),
    ];
    let mut found: Vec<_> =
        fields.into_iter().filter(|(_, used)| *used).map(|(name, _)| name.to_owned()).collect();
    found.extend(spec.consumers.iter().flat_map(of_consumer));
    found
}

fn of_consumer(consumer: &Consumer) -> Vec<String> {
    let fields = [
        ("handler payment", consumer.handler == Handler::Payment),
        ("handler webhook", consumer.handler == Handler::Webhook),
        ("scaling.lag", consumer.scaling.as_ref().is_some_and(|scaling| scaling.lag.is_some())),
        ("reset", consumer.reset.is_some()),
    ];
    let name = &consumer.name;
    fields
        .into_iter()
        .filter(|(_, used)| *used)
        .map(|(field, _)| format!("consumers[{name}].{field}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reservation_service::fixtures::main_service;
    use boxoffice_crds::consumers::Scaling;

    #[test]
    fn what_works_is_not_refused() {
        assert_eq!(refuse(&main_service().spec), Ok(()));
    }

    #[test]
    fn every_field_in_use_is_named() {
        let mut spec = main_service().spec;
        spec.durability.hold = Durability::Replicas(2);
        spec.redis.cluster = true;
        spec.limits.requests_per_user_per_second = Some(5);
        spec.consumers[0].handler = Handler::Webhook;
        spec.consumers[1].scaling = Some(Scaling {
            lag: Some(
                serde_json::from_str(r#"{"minReplicas": 1, "maxReplicas": 2, "targetLag": 5}"#).unwrap(),
            ),
            ..Scaling::default()
        });
        let stall = refuse(&spec).unwrap_err();
        assert_eq!(stall.reason, "NotYetSupported");
        for field in [
            "redis.cluster",
            "durability.hold fsync or replicas",
            "limits.requestsPerUserPerSecond",
            "consumers[seat-view].handler webhook",
            "consumers[reservation-persistence-service].scaling.lag",
        ] {
            assert!(stall.message.contains(field), "{field}: {}", stall.message);
        }
    }
}
