//! The rules of `ReservationService`.

use boxoffice_crds::ReservationService;
use boxoffice_crds::consumers::Consumer;
use boxoffice_crds::tls::CertificateRef;
use kube::core::cel::validate_cel_schema;
use serde_json::Value;

use crate::support::{accepted, complete, on_create, on_update, refused, with, without};

fn service() -> Value {
    complete::<ReservationService>()
}

fn create(document: Value) -> String {
    on_create::<ReservationService>(document)
}

fn update(new: Value) -> String {
    on_update::<ReservationService>(service(), new)
}

#[test]
fn accepts_the_complete_document() {
    accepted(&create(service()));
}

#[test]
fn a_name_is_a_short_dns_label_with_a_letter_first() {
    accepted(&create(with(service(), "/metadata/name", &"a".repeat(40))));
    for name in ["tickets.main", "2nd", &"a".repeat(41)] {
        refused(&create(with(service(), "/metadata/name", name)), "metadata.name must be a DNS label");
    }
}

#[test]
fn header_authentication_says_who_may_reach_the_workers() {
    accepted(&create(with(service(), "/spec/auth", "{mode: header, allowFrom: [{namespaceSelector: {}}]}")));
    for auth in ["{}", "{mode: header}", "{allowFrom: []}"] {
        refused(&create(with(service(), "/spec/auth", auth)), "auth.allowFrom is needed with mode header");
    }
}

#[test]
fn the_jwt_section_comes_with_mode_jwt_alone() {
    let jwt = "{issuer: i, audience: a, jwksUrl: u}";
    accepted(&create(with(service(), "/spec/auth", &format!("{{mode: jwt, jwt: {jwt}}}"))));
    refused(&create(with(service(), "/spec/auth", "{mode: jwt}")), "auth.jwt belongs to mode jwt");
    refused(&create(with(service(), "/spec/auth/jwt", jwt)), "auth.jwt belongs to mode jwt");
}

#[test]
fn a_token_is_checked_with_published_keys_or_with_a_secret() {
    let auth = |keys: &str| {
        create(with(
            service(),
            "/spec/auth",
            &format!("{{mode: jwt, jwt: {{issuer: i, audience: a, {keys}}}}}"),
        ))
    };
    accepted(&auth("secretRef: {name: s, key: k}"));
    refused(&auth(""), "give either jwksUrl or secretRef");
    refused(&auth("jwksUrl: u, secretRef: {name: s, key: k}"), "give either jwksUrl or secretRef");
}

#[test]
fn a_peer_selects_something() {
    accepted(&create(with(
        service(),
        "/spec/auth/allowFrom/0",
        "{podSelector: {matchLabels: {app: gateway}}}",
    )));
    refused(&create(with(service(), "/spec/auth/allowFrom/0", "{}")), "an entry needs namespaceSelector");
}

#[test]
fn a_peer_outside_of_the_cluster_is_known_by_its_addresses_alone() {
    let peer = |peer: &str| create(with(service(), "/spec/auth/allowFrom/0", peer));
    accepted(&peer("{ipBlock: {cidr: 203.0.113.0/24, except: [203.0.113.7/32]}}"));
    accepted(&peer("{ipBlock: {cidr: \"2001:db8::/64\"}}"));
    refused(&peer("{ipBlock: {cidr: 203.0.113.0/24}, podSelector: {}}"), "ipBlock stands alone");
    for wrong in
        ["{cidr: gateway.example.com}", "{cidr: 203.0.113.7}", "{cidr: 203.0.113.0/24, except: [all]}"]
    {
        refused(&peer(&format!("{{ipBlock: {wrong}}}")), "ipBlock: cidr and except are blocks");
    }
}

#[test]
fn redis_has_one_address() {
    let secret = "{secretKeyRef: {name: redis, key: url}}";
    accepted(&create(with(service(), "/spec/redis", &format!("{{urlFrom: {secret}}}"))));
    refused(&create(with(service(), "/spec/redis", "{}")), "redis: give either url or urlFrom");
    refused(&create(with(service(), "/spec/redis/urlFrom", secret)), "redis: give either url or urlFrom");
}

#[test]
fn an_authority_is_in_a_secret_or_in_a_config_map() {
    let (secret, map) = ("caSecretRef: {name: s, key: k}", "caConfigMapRef: {name: m, key: k}");
    for place in ["/spec/kafka/tls", "/spec/redis/tls", "/spec/consumers/1/database/tls"] {
        for one in ["", secret, map, "certificateSecretRef: {name: s}"] {
            accepted(&create(with(service(), place, &format!("{{{one}}}"))));
        }
        let both = format!("{{{secret}, {map}}}");
        refused(&create(with(service(), place, &both)), "give either caSecretRef or caConfigMapRef");
    }
}

#[test]
fn certificates_for_redis_come_with_an_address_that_speaks_tls() {
    let redis = |redis: &str| create(with(service(), "/spec/redis", redis));
    accepted(&redis("{url: 'rediss://redis', tls: {}}"));
    accepted(&redis("{urlFrom: {secretKeyRef: {name: redis, key: url}}, tls: {}}"));
    refused(&redis("{url: 'redis://redis', tls: {}}"), "write rediss:// in redis.url");
}

#[test]
fn a_certificate_has_the_usual_keys_unless_others_are_named() {
    let read = |text: &str| serde_yaml_ng::from_str::<CertificateRef>(text).unwrap();
    let usual = read("{name: s}");
    assert_eq!((usual.certificate.as_str(), usual.key.as_str()), ("tls.crt", "tls.key"));
    assert_eq!(read("{name: s, certificate: user.crt, key: user.key}").key, "user.key");
}

#[test]
fn a_database_has_one_address() {
    accepted(&create(with(
        service(),
        "/spec/consumers/0/database",
        "{url: 'postgres://view@postgres/view'}",
    )));
    refused(
        &create(with(service(), "/spec/consumers/0/database", "{}")),
        "database: give either url or urlFrom",
    );
    refused(
        &create(with(service(), "/spec/consumers/0/database/url", "u")),
        "database: give either url or urlFrom",
    );
}

#[test]
fn a_topic_is_never_renamed() {
    accepted(&update(with(service(), "/spec/limits/maxBodyBytes", "2048")));
    refused(&update(with(service(), "/spec/kafka/topic/name", "other")), "kafka.topic.name is immutable");
    refused(&update(with(service(), "/spec/kafka/prefix", "staging.")), "kafka.prefix is immutable");
}

#[test]
fn topics_have_names_that_kafka_takes() {
    accepted(&create(with(service(), "/spec/kafka/topic/name", "seat_events.v1-a")));
    accepted(&create(with(service(), "/spec/kafka/prefix", "staging.")));
    refused(
        &create(with(service(), "/spec/kafka/topic/name", "seat events")),
        "kafka.topic.name may have only",
    );
    refused(&create(with(service(), "/spec/kafka/prefix", "a/b")), "kafka.prefix may have only");
}

#[test]
fn topics_have_names_that_are_not_too_long_for_kafka() {
    let named = |prefix: usize, name: usize| {
        let prefixed = with(service(), "/spec/kafka/prefix", &"p".repeat(prefix));
        create(with(prefixed, "/spec/kafka/topic/name", &"n".repeat(name)))
    };
    accepted(&named(100, 139));
    refused(&named(100, 140), "together may have 239 characters");
    refused(&named(91, 149), "together may have 239 characters");
    for name in [".", ".."] {
        refused(
            &create(with(service(), "/spec/kafka/topic/name", &format!("'{name}'"))),
            "Kafka takes no topic",
        );
        accepted(&create(with(
            with(service(), "/spec/kafka/prefix", "staging"),
            "/spec/kafka/topic/name",
            &format!("'{name}'"),
        )));
    }
    for name in ["stats-events", "payment-events"] {
        let verdict = create(with(service(), "/spec/kafka/topic/name", name));
        refused(&verdict, "stats-events and payment-events are the topics of something else");
    }
}

#[test]
fn a_topic_never_loses_partitions() {
    accepted(&update(with(service(), "/spec/kafka/topic/partitions", "13")));
    refused(
        &update(with(service(), "/spec/kafka/topic/partitions", "11")),
        "kafka.topic.partitions never shrinks",
    );
}

#[test]
fn durability_log_keeps_records_for_ever() {
    let short = with(service(), "/spec/kafka/topic/config", "{retention.ms: '604800000'}");
    refused(&create(short.clone()), "needs endless retention");
    refused(&create(without(short.clone(), "/spec/durability")), "needs endless retention");
    refused(&create(with(service(), "/spec/kafka/topic/config", "{}")), "needs endless retention");
    refused(
        &create(with(short.clone(), "/spec/durability", "{hold: log, reserve: fsync}")),
        "needs endless retention",
    );
    accepted(&create(with(short, "/spec/durability", "{hold: redis, reserve: 'replicas: 2'}")));
    accepted(&create(without(service(), "/spec/kafka/topic")));
}

#[test]
fn durability_log_keeps_every_record() {
    let config = |policy: &str| {
        with(
            service(),
            "/spec/kafka/topic/config",
            &format!("{{retention.ms: '-1', cleanup.policy: '{policy}'}}"),
        )
    };
    accepted(&create(config("delete")));
    refused(&create(config("compact")), "needs every event kept");
    refused(&create(config("compact,delete")), "needs every event kept");
    accepted(&create(with(config("compact"), "/spec/durability", "{reserve: fsync}")));
}

#[test]
fn exactly_one_consumer_keeps_the_view() {
    refused(
        &create(with(service(), "/spec/consumers/0/handler", "stats")),
        "exactly one must have the handler seat-view",
    );
    refused(
        &create(with(service(), "/spec/consumers/2/handler", "seat-view")),
        "exactly one must have the handler",
    );
}

#[test]
fn a_consumer_name_is_a_dns_label() {
    accepted(&create(with(service(), "/spec/consumers/0/name", "view-2")));
    for name in ["View", "seat.view", "-view", "view-", "2view"] {
        refused(
            &create(with(service(), "/spec/consumers/0/name", name)),
            "a consumer's name must be a DNS label",
        );
    }
}

#[test]
fn a_consumer_is_not_called_as_a_worker_is() {
    for name in ["command", "query", "command-payments"] {
        refused(
            &create(with(service(), "/spec/consumers/0/name", name)),
            "cannot be called command, query or",
        );
    }
}

#[test]
fn views_start_at_the_beginning() {
    for consumer in [0, 2] {
        let start = format!("/spec/consumers/{consumer}/startFrom");
        accepted(&create(with(service(), &start, "earliest")));
        for other in ["latest", "'2026-11-01T00:00:00Z'"] {
            refused(&create(with(service(), &start, other)), "startFrom must be earliest");
        }
    }
    for start in ["earliest", "latest", "'2026-11-01T00:00:00+01:00'"] {
        accepted(&create(with(service(), "/spec/consumers/1/startFrom", start)));
    }
}

#[test]
fn a_start_time_is_of_a_day_that_exists() {
    let start = |moment: &str| {
        let mut consumer = service()["spec"]["consumers"][1].take();
        consumer["startFrom"] = moment.into();
        validate_cel_schema::<Consumer>(&consumer, None).err().map(|e| e.to_string()).unwrap_or_default()
    };
    accepted(&start("2028-02-29T00:00:00Z"));
    refused(&start("2026-02-29T00:00:00Z"), "startFrom");
}

#[test]
fn the_payment_section_comes_with_its_handler_alone() {
    refused(
        &create(without(service(), "/spec/consumers/3/payment")),
        "the section payment belongs to handler payment",
    );
    refused(
        &create(with(service(), "/spec/consumers/1/payment", "{url: u}")),
        "the section payment belongs to handler",
    );
}

#[test]
fn what_acts_outside_is_not_replayed() {
    let reset = "{requestId: a, to: latest}";
    for consumer in [3, 4] {
        let service = with(service(), &format!("/spec/consumers/{consumer}/reset"), reset);
        refused(&create(service), "payment and webhook cannot be replayed");
    }
}

#[test]
fn payments_go_to_a_gateway_or_to_the_sandbox() {
    let payment = |section: &str| create(with(service(), "/spec/consumers/3/payment", section));
    accepted(&payment("{sandbox: true}"));
    accepted(&payment("{url: 'https://pay.example.com', sandbox: false}"));
    for url in [
        "http://pay:8080/charges",
        "http://pay.shop.svc/charges",
        "http://127.0.0.1:9000",
        "http://[::1]:9000/",
    ] {
        accepted(&payment(&format!("{{url: '{url}'}}")));
    }
    for url in [
        "http://pay.example.com",
        "http://203.0.113.7/",
        "https://user:secret@pay.example.com",
        "pay",
        "ftp://pay",
    ] {
        refused(&payment(&format!("{{url: '{url}'}}")), "payment.url must be https, or http to this machine");
    }
    for neither in ["{}", "{sandbox: false}", "{url: u, sandbox: true}"] {
        refused(&payment(neither), "payment: give either url or sandbox: true");
    }
    refused(&payment("{sandbox: true, secretRef: {name: s, key: k}}"), "the sandbox takes no token");
}

#[test]
fn what_acts_outside_never_begins_at_the_earliest_event() {
    for consumer in [3, 4] {
        let start = format!("/spec/consumers/{consumer}/startFrom");
        for good in ["latest", "'2026-11-01T00:00:00Z'"] {
            accepted(&create(with(service(), &start, good)));
        }
        refused(&create(with(service(), &start, "earliest")), "startFrom must not be earliest");
    }
}

#[test]
fn commands_at_another_origin_need_tokens_and_reading_from_one_does_not() {
    let jwt = "{mode: jwt, jwt: {issuer: i, audience: a, jwksUrl: u}}";
    let both = "{commandUrl: 'https://tickets.example.com', allowOrigins: ['https://www.example.com']}";
    accepted(&create(with(with(service(), "/spec/auth", jwt), "/spec/web", both)));
    accepted(&create(with(service(), "/spec/web", "{}")));
    accepted(&create(with(service(), "/spec/web", "{allowOrigins: ['https://www.example.com']}")));
    for one in ["{commandUrl: 'https://tickets.example.com'}", both] {
        refused(&create(with(service(), "/spec/web", one)), "needs auth.mode jwt");
    }
}

#[test]
fn addresses_and_origins_are_written_out() {
    let jwt = "{mode: jwt, jwt: {issuer: i, audience: a, jwksUrl: u}}";
    let web = |web: &str| create(with(with(service(), "/spec/auth", jwt), "/spec/web", web));
    accepted(&web(
        "{commandUrl: 'https://tickets.example.com/api', allowOrigins: ['http://localhost:3000']}",
    ));
    for url in
        ["tickets.example.com", "ftp://tickets.example.com", "https://", "https://a/?b", "https://u@a/"]
    {
        refused(&web(&format!("{{commandUrl: '{url}'}}")), "web.commandUrl must be");
    }
    for origin in ["https://a.example.com/", "https://*.example.com", "www.example.com", "*://a.b.c"] {
        refused(&web(&format!("{{allowOrigins: ['{origin}']}}")), "web.allowOrigins: an origin is");
    }
}

#[test]
fn somebody_else_may_scale_and_then_nobody_else_does() {
    accepted(&create(with(service(), "/spec/command/autoscaling", "{external: true}")));
    accepted(&create(with(service(), "/spec/consumers/1/scaling/autoscaling", "{external: true}")));
    let lag = "{autoscaling: {external: true}, lag: {minReplicas: 1, maxReplicas: 2, targetLag: 100}}";
    refused(&create(with(service(), "/spec/consumers/1/scaling", lag)), "give either autoscaling or lag");
    let with_a_number = ["minReplicas: 1", "maxReplicas: 2", "targetCPUUtilization: 50"];
    for other in with_a_number {
        let both = format!("{{external: true, {other}}}");
        refused(&create(with(service(), "/spec/query/autoscaling", &both)), "or external: true alone");
    }
    for part in ["{}", "{minReplicas: 1}", "{external: false, maxReplicas: 2}"] {
        refused(
            &create(with(service(), "/spec/query/autoscaling", part)),
            "give either minReplicas and maxReplicas",
        );
    }
}

#[test]
fn the_webhook_section_comes_with_its_handler_alone() {
    refused(
        &create(without(service(), "/spec/consumers/4/webhook")),
        "the section webhook belongs to handler webhook",
    );
    let webhook = "{url: u, secretRef: {name: s, key: k}}";
    refused(
        &create(with(service(), "/spec/consumers/1/webhook", webhook)),
        "the section webhook belongs to handler",
    );
}

#[test]
fn a_consumer_has_no_more_pods_than_the_topic_has_partitions() {
    accepted(&create(with(service(), "/spec/consumers/1/scaling/replicas", "12")));
    refused(
        &create(with(service(), "/spec/consumers/1/scaling/replicas", "13")),
        "scaling.replicas must not be more",
    );
    let lag = |most: u32| format!("{{lag: {{minReplicas: 1, maxReplicas: {most}, targetLag: 100}}}}");
    accepted(&create(with(service(), "/spec/consumers/1/scaling", &lag(12))));
    refused(
        &create(with(service(), "/spec/consumers/1/scaling", &lag(13))),
        "scaling.lag.maxReplicas must not be more",
    );
}

#[test]
fn scaling_is_fixed_or_by_lag() {
    let lag = "{minReplicas: 1, maxReplicas: 2, targetLag: 100}";
    refused(
        &create(with(service(), "/spec/consumers/1/scaling/lag", lag)),
        "scaling: give either replicas or lag",
    );
}

#[test]
fn the_fewest_pods_are_no_more_than_the_most() {
    let lag = "{lag: {minReplicas: 3, maxReplicas: 2, targetLag: 100}}";
    refused(&create(with(service(), "/spec/consumers/1/scaling", lag)), "lag.minReplicas must not be more");
    accepted(&create(with(service(), "/spec/command/autoscaling", "{minReplicas: 2, maxReplicas: 2}")));
    let autoscaling = "{minReplicas: 3, maxReplicas: 2}";
    refused(
        &create(with(service(), "/spec/query/autoscaling", autoscaling)),
        "autoscaling.minReplicas must not be more",
    );
}
