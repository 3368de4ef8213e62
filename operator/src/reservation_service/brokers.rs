//! Kafka's brokers by names that hold wherever the operator runs: the workers read `kafka:9092` in the namespace of
//! their `ReservationService`, the operator in its own. Pure.

use boxoffice_crds::ReservationService;
use kube::ResourceExt;

/// The bootstrap servers of `service`, each bare Service name completed with the namespace it is meant in.
pub fn brokers(service: &ReservationService) -> String {
    let namespace = service.namespace().unwrap_or_default();
    let servers = service.spec.kafka.bootstrap_servers.split(',').map(str::trim);
    servers.map(|server| complete(server, &namespace)).collect::<Vec<_>>().join(",")
}

fn complete(server: &str, namespace: &str) -> String {
    match server.split_once(':') {
        Some((host, port)) if is_service_name(host) => format!("{host}.{namespace}.svc:{port}"),
        _ => server.to_owned(),
    }
}

/// A name without a dot; not `localhost`, nor the opening bracket of an IPv6 address.
fn is_service_name(host: &str) -> bool {
    host != "localhost"
        && !host.is_empty()
        && host.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
}

#[cfg(test)]
mod tests {
    use super::complete;

    #[test]
    fn a_bare_service_name_gets_the_namespace() {
        assert_eq!(complete("kafka:9092", "tickets"), "kafka.tickets.svc:9092");
    }

    #[test]
    fn other_addresses_stay_as_they_are() {
        for server in [
            "kafka.streams:9092",
            "broker-1.example.org:9093",
            "10.0.0.7:9092",
            "[fd00::7]:9092",
            "localhost:9092",
        ] {
            assert_eq!(complete(server, "tickets"), server);
        }
    }
}
