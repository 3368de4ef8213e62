//! `ReservationService`: the workers, topics and consumer groups that sell seats.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::auth::{Auth, AuthMode, IpBlock, Jwt, Peer};
use crate::common::Condition;
use crate::consumers::{Consumer, UrlFrom};
use crate::durability::Durability;
pub use crate::kafka::{AdoptionPolicy, Kafka, KafkaSasl, LoginRef, SaslMechanism, Topic};
use crate::tls::Tls;
pub use crate::web::Web;
use crate::workloads::{Image, PodTemplate, Worker};

/// What sells the seats of SeatingEvents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "boxoffice.dev",
    version = "v1alpha1",
    kind = "ReservationService",
    plural = "reservationservices",
    shortname = "rsvc",
    category = "boxoffice",
    namespaced,
    status = "ReservationServiceStatus",
    derive = "PartialEq",
    doc = "What sells seats: command and query workers, consumers, and the Kafka topic between them. SeatingEvents of \
           the same namespace name it in serviceRef.",
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && self.metadata.name.size() <= 40")
        .message("metadata.name must be a DNS label of at most 40 characters with a letter first, because Services are \
                  named after it: no dots"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#
    ),
    printcolumn(
        name = "Command",
        type_ = "integer",
        json_path = ".status.command.ready",
        description = "ready pods of the command worker"
    ),
    printcolumn(
        name = "Query",
        type_ = "integer",
        json_path = ".status.query.ready",
        description = "ready pods of the query worker"
    ),
    printcolumn(
        name = "Lag",
        type_ = "integer",
        json_path = ".status.lag",
        description = "records that the consumer groups are behind, together"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(
        "(self.durability.hold != 'log' && self.durability.reserve != 'log') || \
         ('retention.ms' in self.kafka.topic.config && self.kafka.topic.config['retention.ms'] == '-1')")
        .message("durability log needs endless retention: set kafka.topic.config to {retention.ms: \"-1\"}")
        .field_path(".kafka.topic.config"),
    validation = Rule::new(
        "(self.durability.hold != 'log' && self.durability.reserve != 'log') || \
         !('cleanup.policy' in self.kafka.topic.config) || self.kafka.topic.config['cleanup.policy'] == 'delete'")
        .message("durability log needs every event kept: set cleanup.policy in kafka.topic.config to delete, or remove it")
        .field_path(".kafka.topic.config"),
    validation = Rule::new(
        "self.consumers.all(c, !has(c.scaling) || !has(c.scaling.replicas) || \
         c.scaling.replicas <= self.kafka.topic.partitions)")
        .message("consumers: scaling.replicas must not be more than kafka.topic.partitions: the others would idle")
        .field_path(".consumers"),
    validation = Rule::new(
        "self.consumers.all(c, !has(c.scaling) || !has(c.scaling.lag) || \
         c.scaling.lag.maxReplicas <= self.kafka.topic.partitions)")
        .message("consumers: scaling.lag.maxReplicas must not be more than kafka.topic.partitions: the others would idle")
        .field_path(".consumers"),
    validation = Rule::new("self.auth.mode == 'jwt' || !has(self.web) || !has(self.web.commandUrl)")
        .message("web.commandUrl needs auth.mode jwt, for a page of another origin cannot be trusted with x-user-id: set \
                  the mode, or leave it out and let the gateway route by path")
        .field_path(".web")
)]
pub struct ReservationServiceSpec {
    /// The workers' image. Left out: the version with which the operator first reconciled this service; `status.image`
    /// keeps it, so that an upgrade of the operator alone rolls nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,

    /// Who a caller is.
    #[x_kube(
        validation = Rule::new("self.mode != 'header' || (has(self.allowFrom) && self.allowFrom.size() > 0)")
            .message("auth.allowFrom is needed with mode header: name the gateway's pods, for whoever reaches the workers \
                      can claim any x-user-id"),
        validation = Rule::new("(self.mode == 'jwt') == has(self.jwt)")
            .message("the section auth.jwt belongs to mode jwt, and only to it: add or remove it")
    )]
    pub auth: Auth,

    /// Where seats are decided: Redis 7 with maxmemory-policy noeviction.
    #[x_kube(
        validation = Rule::new("has(self.url) != has(self.urlFrom)").message("redis: give either url or urlFrom"),
        validation = Rule::new("!has(self.tls) || !has(self.url) || self.url.startsWith('rediss://')")
            .message("redis.tls belongs to an address that speaks TLS: write rediss:// in redis.url, or remove redis.tls")
            .field_path(".tls")
    )]
    pub redis: Redis,

    /// Where domain events go.
    pub kafka: Kafka,

    /// What answers wait for, per operation.
    #[serde(default)]
    pub durability: Durabilities,

    /// Domain events that wait for Kafka.
    #[serde(default)]
    pub outbox: Outbox,

    /// What happens around the opening of sales. Left out: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_sale: Option<OnSale>,

    /// What one caller may ask for.
    #[serde(default)]
    pub limits: RequestLimits,

    /// The page that buyers see, and pages of others that call the workers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web: Option<Web>,

    /// How long the view database keeps what no map needs any more. Left out: as long as the defaults of both say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,

    /// How old a query worker's view may be, in seconds, 0 to 3600: above it the worker is not ready. Default: 0, any age.
    #[serde(default)]
    #[schemars(range(min = 0, max = 3600))]
    pub max_view_age_seconds: u32,

    /// The command worker: takes holds, reservations and releases over HTTP.
    #[serde(default)]
    pub command: Worker,

    /// The query worker: answers what is free over HTTP.
    #[serde(default)]
    pub query: Worker,

    /// The consumers, 1 to 32, each with a name of its own; exactly one has the handler `seat-view`.
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[x_kube(validation = Rule::new("self.exists_one(c, c.handler == 'seat-view')")
        .message("consumers: exactly one must have the handler seat-view: the query worker reads its database"))]
    pub consumers: Vec<Consumer>,

    /// What every pod gets besides what the operator sets.
    #[serde(default)]
    pub pod_template: PodTemplate,
}

/// Where Redis is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Redis {
    /// Its address. Example: `redis://redis:6379`; `rediss://` speaks TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub url: Option<String>,
    /// Its address in a Secret of the same namespace, where it carries a password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_from: Option<UrlFrom>,
    /// Whom the workers take for it, and who they are, where the address is `rediss://`. Left out: they trust what the image
    /// trusts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// Whether it is a Redis Cluster, of which the address is one node. Default: `false`.
    pub cluster: bool,
}

/// What answers wait for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Durabilities {
    /// What the answer to a hold waits for: `redis` (default; the state change alone), `fsync` (it is on Redis' disk),
    /// `log` (its events are on Kafka) or `"replicas: 2"` (so many replicas of Redis have it, 1 to 9; quote it).
    pub hold: Durability,
    /// What the answer to a reserve waits for: as for `hold`. Default: `log`, which needs `retention.ms: "-1"` and
    /// `cleanup.policy: delete`.
    pub reserve: Durability,
}

impl Default for Durabilities {
    fn default() -> Self {
        Self { hold: Durability::Redis, reserve: Durability::Log }
    }
}

/// Domain events that wait for Kafka.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Outbox {
    /// How many domain events of a SeatingEvent may wait before new holds are refused with 503; releases still work.
    /// Default: 100000.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub high_watermark: u32,
}

impl Default for Outbox {
    fn default() -> Self {
        Self { high_watermark: 100_000 }
    }
}

/// What happens around the opening of sales.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct OnSale {
    /// Pods to have ready when sales open. Left out: those there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prescale: Option<Prescale>,
    /// Minutes around an opening during which nothing is rolled out, 0 to 1440. Default: 15.
    #[schemars(range(min = 0, max = 1440))]
    pub freeze_minutes: u32,
}

impl Default for OnSale {
    fn default() -> Self {
        Self { prescale: None, freeze_minutes: 15 }
    }
}

/// Pods to have ready when sales open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Prescale {
    /// Of the command worker, 1 to 100. Example: 6.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub command: Option<u32>,
    /// Of the query worker, 1 to 100. Example: 6.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub query: Option<u32>,
}

/// How long the view database keeps what no map needs any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Retention {
    /// Days for which the chain of events behind a correlation id is kept, 1 to 3650; it goes by whole months. Default: 30.
    #[schemars(range(min = 1, max = 3650))]
    pub trace_days: u32,
    /// Days for which reservations and payments are kept once their show is over, 1 to 36500. Default: 400.
    #[schemars(range(min = 1, max = 36_500))]
    pub reservation_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { trace_days: 30, reservation_days: 400 }
    }
}

/// What one caller may ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RequestLimits {
    /// Commands of one user in a second to each pod of the command worker; more are answered 429. Left out: no limit.
    /// Example: 20.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub requests_per_user_per_second: Option<u32>,
    /// Largest body of a request, in bytes, 128 to 1048576; larger ones are answered 413. Default: 65536.
    #[schemars(range(min = 128, max = 1_048_576))]
    pub max_body_bytes: u32,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self { requests_per_user_per_second: None, max_body_bytes: 65_536 }
    }
}

/// What the operator last saw.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReservationServiceStatus {
    /// The metadata.generation that this status speaks about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, Reconciling, Stalled, TopicsReady, ConsumerGroupsReady, SecretsReady and WorkersReady, each with a reason and a
    /// message; also RedisSplit while two Redis masters sell the same seats, SandboxPayments while payments move no money,
    /// DriftPersists while an object is changed back as often as it is written, CrdsOutdated while the definitions are older
    /// than the operator, ReconcilePaused while the annotation boxoffice.dev/paused is true, CommandAnswers while it has
    /// SeatingEvents, and UnclaimedSales while something is sold that no SeatingEvent claims; the annotation
    /// boxoffice.dev/keep-unclaimed (names, with commas between) keeps it on sale.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The image that the workers run where the spec names none: the one that first reconciled this service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Pods of the command worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<PodCounts>,
    /// Pods of the query worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<PodCounts>,
    /// The topic as it is on the brokers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<TopicStatus>,
    /// All topics of the service: that of seats, and those of statistics, payments, parked records, snapshots and archives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub topics: Vec<TopicStatus>,
    /// The id of the Kafka cluster, which is the same by whatever addresses it is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kafka_cluster_id: Option<String>,
    /// Domain events of all SeatingEvents that wait for Kafka longer than they should.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbox: Option<OutboxStatus>,
    /// Where callers reach the workers within the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<Endpoints>,
    /// The consumer groups as they are on the brokers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub consumer_groups: Vec<ConsumerGroupStatus>,
    /// Records that all consumer groups are behind, together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<i64>,
}

/// How many pods there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PodCounts {
    /// Pods that are ready.
    pub ready: u32,
    /// Pods that there should be.
    pub desired: u32,
}

/// A topic as it is on the brokers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TopicStatus {
    /// Its full name, prefix included.
    pub name: String,
    /// The id that Kafka gave it. Another id under the same name is another topic: `TopicReplaced`, or `TopicElsewhere` on
    /// another cluster, until the annotation boxoffice.dev/accept-topics names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// How many partitions it has.
    pub partitions: u32,
    /// Whether it is only used (`adoptionPolicy: Observe`) and not the service's own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub observed: bool,
}

/// Domain events that wait for Kafka longer than they should. Both are 0 while the oldest has waited less than 10 s.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutboxStatus {
    /// How many wait, to two digits.
    pub depth: u64,
    /// For how long the oldest has waited, in tens of seconds.
    pub oldest_seconds: u64,
}

/// Where callers reach the workers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Endpoints {
    /// The command worker. Example: `http://main-command.tickets.svc:8080`.
    pub command: String,
    /// The query worker. Example: `http://main-query.tickets.svc:8081`.
    pub query: String,
}

/// A consumer group as it is on the brokers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerGroupStatus {
    /// Its full name, prefix included.
    pub name: String,
    /// Kafka's word for its state: `Stable`, `Empty`, `PreparingRebalance`, `CompletingRebalance` or `Unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// How many members it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<u32>,
    /// Records between its offsets and the end of the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<i64>,
    /// Whether its consumer was removed from the spec. With `kafka.topic.deletionPolicy: Delete` such a group is deleted once
    /// nobody is in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
    /// The last replay that was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset: Option<ResetStatus>,
}

/// A replay that was done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResetStatus {
    /// The `reset.requestId` that asked for it.
    pub request_id: String,
    /// Where the group stood before, an offset for each partition: the way back.
    pub previous_offsets: BTreeMap<String, i64>,
}
