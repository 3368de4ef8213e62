//! A resource for the tests of this folder.

use boxoffice_crds::ReservationService;

/// The same with buyers known by tokens, of the issuer whose keys are there.
pub fn with_tokens(keys: &str) -> ReservationService {
    let mut service = main_service();
    let auth =
        format!("{{mode: jwt, jwt: {{issuer: \"https://login.example.com/\", audience: tickets, {keys}}}}}");
    service.spec.auth = serde_yaml_ng::from_str(&auth).unwrap();
    service
}

pub fn main_service() -> ReservationService {
    let yaml = r#"
apiVersion: boxoffice.dev/v1alpha1
kind: ReservationService
metadata: {name: main, namespace: tickets, uid: s1, generation: 4, creationTimestamp: "2026-11-23T10:00:00Z"}
spec:
  auth: {mode: header, allowFrom: [{namespaceSelector: {}, podSelector: {matchLabels: {role: gateway}}}]}
  redis: {urlFrom: {secretKeyRef: {name: redis, key: url}}}
  kafka: {bootstrapServers: "kafka:9092", prefix: "staging.", topic: {partitions: 6}}
  command: {replicas: 2, resources: {requests: {cpu: 500m}}}
  podTemplate: {labels: {team: tickets}, nodeSelector: {disk: ssd}}
  consumers:
  - {name: seat-view, handler: seat-view, database: {urlFrom: {secretKeyRef: {name: view-db, key: url}}}}
  - name: reservation-persistence-service
    handler: persistence
    database: {url: "postgres://reservations"}
    startFrom: latest
    scaling: {replicas: 2}
  - {name: stats-service, handler: stats, database: {url: "postgres://stats"}}
"#;
    serde_yaml_ng::from_str(yaml).unwrap()
}
