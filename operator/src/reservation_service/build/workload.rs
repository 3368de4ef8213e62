//! The workers' Deployments and budgets. Pods run as nobody, on a read-only root, with nothing to gain.

use boxoffice_crds::consumers::{Payment, Webhook};
use boxoffice_crds::reservation_service::Retention;
use boxoffice_crds::workloads::{Autoscaling, Worker as Declared};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMap, ConfigMapEnvSource, Container, ContainerPort, EnvFromSource, EnvVar,
    HTTPGetAction, Lifecycle, LifecycleHandler, PodSecurityContext, PodSpec, PodTemplateSpec, Probe,
    ResourceRequirements, SeccompProfile, SecretKeySelector, SecurityContext, SleepAction,
    TopologySpreadConstraint,
};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ObjectMeta;

use super::env::env;
use super::settings::{self, DRAIN_SECONDS, Reader};
use super::tls::{Server, variables};
use super::{ADMIN_PORT, COMMAND_PORT, METRICS_PORT, QUERY_PORT, kafka, worker_meta};
use crate::reservation_service::names;
use crate::reservation_service::tokens::{PREVIOUS, TOKEN};
use crate::reservation_service::validate::{Source, ValidatedConsumer, ValidatedDatabase, ValidatedService};

/// The user that the image is made for.
const NOBODY: i64 = 65532;
/// How long a worker that was told to go still gets requests, because nodes have yet to hear of it.
const LEAVE_SECONDS: i64 = 3;
/// How many templates of before can be gone back to; their settings are kept as long.
const HISTORY: i32 = 3;

/// One Deployment, in what sets it apart from the others.
pub(super) struct Worker {
    pub(super) component: String,
    program: &'static str,
    replicas: u32,
    pub(super) is_scaled_elsewhere: bool,
    resources: Option<ResourceRequirements>,
    ports: Vec<(&'static str, i32)>,
    env: Vec<EnvVar>,
    pub(super) settings: ConfigMap,
    groups: Vec<String>,
}

impl Worker {
    /// The name of its Deployment, and the groups that it reads in.
    pub(super) fn needs(&self, service: &str) -> (String, Vec<String>) {
        (names::worker(service, &self.component), self.groups.clone())
    }
}

pub(super) fn workers(service: &ValidatedService) -> Vec<Worker> {
    let token = tokens(service);
    let jwt_key: Vec<_> = service.jwt_key.iter().map(|key| env("BOXOFFICE_JWT_KEY", key)).collect();
    let command = Worker {
        component: names::COMMAND.to_owned(),
        program: "boxoffice-command",
        replicas: service.spec.command.replicas,
        is_scaled_elsewhere: is_scaled_elsewhere(&service.spec.command),
        resources: Some(service.spec.command.resources.clone()),
        ports: vec![("http", COMMAND_PORT), ("admin", ADMIN_PORT), ("metrics", METRICS_PORT)],
        env: [
            vec![env("BOXOFFICE_REDIS_URL", &service.redis)],
            variables(Server::Redis, service.spec.redis.tls.as_ref()),
            token.to_vec(),
            service
                .payments_group
                .iter()
                .map(|group| plain("BOXOFFICE_PAYMENTS_GROUP", &group.name))
                .collect(),
            jwt_key.clone(),
        ]
        .concat(),
        groups: service.payments_group.iter().map(|group| group.name.clone()).collect(),
        settings: settings::build(service, &Reader::Command),
    };
    let query = Worker {
        component: names::QUERY.to_owned(),
        program: "boxoffice-query",
        replicas: service.spec.query.replicas,
        is_scaled_elsewhere: is_scaled_elsewhere(&service.spec.query),
        resources: Some(service.spec.query.resources.clone()),
        ports: vec![("http", QUERY_PORT), ("admin", ADMIN_PORT), ("metrics", METRICS_PORT)],
        env: [where_it_is(&service.view_database), token.to_vec(), jwt_key].concat(),
        groups: Vec::new(),
        settings: settings::build(service, &Reader::Query),
    };
    let consumers = service.consumers.iter().map(|consumer| consumer_worker(service, consumer));
    [command, query].into_iter().chain(consumers).collect()
}

fn is_scaled_elsewhere(worker: &Declared) -> bool {
    worker.autoscaling.as_ref().is_some_and(|Autoscaling { external, .. }| *external)
}

fn consumer_worker(service: &ValidatedService, consumer: &ValidatedConsumer) -> Worker {
    let ValidatedConsumer { declared, handler, database, group } = consumer;
    let mut env = vec![
        plain("BOXOFFICE_HANDLER", handler),
        plain("BOXOFFICE_GROUP", &group.name),
        plain("BOXOFFICE_START_FROM", &group.start.to_string()),
    ];
    env.extend(where_it_is(database));
    env.extend(service.spec.retention.filter(|_| *handler == "seat-view").into_iter().flat_map(kept_for));
    env.extend(declared.payment.iter().flat_map(payment));
    env.extend(declared.webhook.iter().flat_map(webhook));
    let scaling = declared.scaling.clone().unwrap_or_default();
    Worker {
        component: declared.name.clone(),
        program: "boxoffice-consumer",
        replicas: scaling.replicas.unwrap_or(1),
        is_scaled_elsewhere: scaling.autoscaling.is_some_and(|scaling| scaling.external),
        resources: declared.resources.clone(),
        ports: vec![("metrics", METRICS_PORT)],
        env,
        groups: vec![group.name.clone()],
        settings: settings::build(service, &Reader::Consumer(consumer)),
    }
}

/// A worker's database, and by what certificates both know each other.
fn where_it_is(database: &ValidatedDatabase) -> Vec<EnvVar> {
    let ValidatedDatabase { url, tls } = database;
    let mut variables = variables(Server::Database, tls.as_ref());
    variables.insert(0, env("BOXOFFICE_DATABASE_URL", url));
    variables
}

/// The admin token, and the one of before while it is exchanged.
fn tokens(service: &ValidatedService) -> [EnvVar; 2] {
    let from = |key: &str, optional| {
        let name = names::admin_token(&service.name);
        Source::Secret(SecretKeySelector { name, key: key.to_owned(), optional })
    };
    [
        env("BOXOFFICE_ADMIN_TOKEN", &from(TOKEN, None)),
        env("BOXOFFICE_ADMIN_TOKEN_PREVIOUS", &from(PREVIOUS, Some(true))),
    ]
}

/// What the worker of the view database is told about what gets old.
fn kept_for(retention: Retention) -> [EnvVar; 2] {
    let Retention { trace_days, reservation_days } = retention;
    [
        plain("BOXOFFICE_TRACE_DAYS", &trace_days.to_string()),
        plain("BOXOFFICE_RESERVATION_DAYS", &reservation_days.to_string()),
    ]
}

/// What a payment worker is told of its gateway.
fn payment(payment: &Payment) -> Vec<EnvVar> {
    let Payment { url, sandbox, timeout_seconds, secret_ref } = payment;
    let url = url.iter().map(|url| plain("BOXOFFICE_PAYMENT_URL", url));
    let sandbox = sandbox.then(|| plain("BOXOFFICE_PAYMENT_SANDBOX", "true"));
    let timeout = plain("BOXOFFICE_PAYMENT_TIMEOUT_SECONDS", &timeout_seconds.to_string());
    let token =
        secret_ref.iter().map(|secret| env("BOXOFFICE_PAYMENT_TOKEN", &Source::Secret(secret.clone())));
    url.chain(sandbox).chain([timeout]).chain(token).collect()
}

/// What a webhook worker is told of its receiver.
fn webhook(webhook: &Webhook) -> Vec<EnvVar> {
    let Webhook { url, secret_ref, events } = webhook;
    let events = (!events.is_empty()).then(|| plain("BOXOFFICE_WEBHOOK_EVENTS", &events.join(",")));
    let key = env("BOXOFFICE_WEBHOOK_KEY", &Source::Secret(secret_ref.clone()));
    [plain("BOXOFFICE_WEBHOOK_URL", url), key].into_iter().chain(events).collect()
}

pub(super) fn deployment(service: &ValidatedService, worker: &Worker) -> Deployment {
    let replicas = i32::try_from(worker.replicas).unwrap_or(i32::MAX);
    Deployment {
        metadata: worker_meta(service, &worker.component),
        spec: Some(DeploymentSpec {
            replicas: Some(replicas),
            revision_history_limit: Some(HISTORY),
            selector: selector(service, worker),
            // A new pod serves before an old one goes.
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_surge: Some(IntOrString::Int(1)),
                    max_unavailable: Some(IntOrString::Int(0)),
                }),
            }),
            template: PodTemplateSpec {
                metadata: Some(pod_meta(service, worker)),
                spec: Some(pod(service, worker)),
            },
            ..DeploymentSpec::default()
        }),
        status: None,
    }
}

pub(super) fn disruption_budget(service: &ValidatedService, worker: &Worker) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: worker_meta(service, &worker.component),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(selector(service, worker)),
            // Who serves nobody may go: an outage of Redis or of a database must not keep nodes from being drained.
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        status: None,
    }
}

fn selector(service: &ValidatedService, worker: &Worker) -> LabelSelector {
    let labels = names::selector(&service.name, &worker.component);
    LabelSelector { match_labels: Some(labels), ..LabelSelector::default() }
}

/// Labels that the template adds cannot replace the operator's own.
fn pod_meta(service: &ValidatedService, worker: &Worker) -> ObjectMeta {
    let template = &service.spec.pod_template;
    let mut labels = template.labels.clone();
    labels.extend(names::labels(&service.name));
    labels.extend(names::selector(&service.name, &worker.component));
    let annotations = template.annotations.clone();
    let annotations = Some(annotations).filter(|annotations| !annotations.is_empty());
    ObjectMeta { labels: Some(labels), annotations, ..ObjectMeta::default() }
}

fn pod(service: &ValidatedService, worker: &Worker) -> PodSpec {
    let template = &service.spec.pod_template;
    let spread = &template.topology_spread_constraints;
    PodSpec {
        service_account_name: Some(service.name.clone()),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        termination_grace_period_seconds: Some(LEAVE_SECONDS + DRAIN_SECONDS + 10),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(NOBODY),
            run_as_group: Some(NOBODY),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                localhost_profile: None,
            }),
            ..PodSecurityContext::default()
        }),
        node_selector: Some(template.node_selector.clone()).filter(|selector| !selector.is_empty()),
        tolerations: Some(template.tolerations.clone()).filter(|tolerations| !tolerations.is_empty()),
        affinity: template.affinity.clone(),
        topology_spread_constraints: Some(if spread.is_empty() {
            vec![over_nodes(service, worker)]
        } else {
            spread.clone()
        }),
        containers: vec![container(service, worker)],
        ..PodSpec::default()
    }
}

fn over_nodes(service: &ValidatedService, worker: &Worker) -> TopologySpreadConstraint {
    TopologySpreadConstraint {
        label_selector: Some(selector(service, worker)),
        max_skew: 1,
        topology_key: "kubernetes.io/hostname".to_owned(),
        when_unsatisfiable: "ScheduleAnyway".to_owned(),
        ..TopologySpreadConstraint::default()
    }
}

fn container(service: &ValidatedService, worker: &Worker) -> Container {
    let settings = ConfigMapEnvSource {
        name: worker.settings.metadata.name.clone().unwrap_or_default(),
        optional: None,
    };
    let pull_policy = service.spec.image.as_ref().map(|image| image.pull_policy).unwrap_or_default();
    Container {
        name: "worker".to_owned(),
        image: Some(service.image.clone()),
        image_pull_policy: Some(format!("{pull_policy:?}")),
        command: Some(vec![format!("/usr/local/bin/{}", worker.program)]),
        env_from: Some(vec![EnvFromSource { config_map_ref: Some(settings), ..EnvFromSource::default() }]),
        env: Some([worker.env.clone(), kafka::credentials(&service.spec.kafka)].concat()),
        ports: Some(worker.ports.iter().map(|(name, port)| container_port(name, *port)).collect()),
        resources: worker.resources.clone().filter(|resources| *resources != ResourceRequirements::default()),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            capabilities: Some(Capabilities { add: None, drop: Some(vec!["ALL".to_owned()]) }),
            ..SecurityContext::default()
        }),
        // Starting up means that the process answers; what it depends on only decides whether it is ready, so that an
        // outage of Redis restarts nothing.
        startup_probe: Some(probe("/healthz", 1, 60)),
        readiness_probe: Some(probe("/readyz", 2, 2)),
        liveness_probe: Some(probe("/healthz", 10, 3)),
        lifecycle: worker.ports.iter().any(|(name, _)| *name == "http").then(leave_the_service_first),
        ..Container::default()
    }
}

/// A worker that buyers call goes on serving until no node sends it new requests any more.
fn leave_the_service_first() -> Lifecycle {
    let sleep = LifecycleHandler {
        sleep: Some(SleepAction { seconds: LEAVE_SECONDS }),
        ..LifecycleHandler::default()
    };
    Lifecycle { pre_stop: Some(sleep), ..Lifecycle::default() }
}

fn container_port(name: &str, port: i32) -> ContainerPort {
    ContainerPort {
        name: Some(name.to_owned()),
        container_port: port,
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    }
}

fn probe(path: &str, period_seconds: i32, failure_threshold: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String("metrics".to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period_seconds),
        timeout_seconds: Some(2),
        failure_threshold: Some(failure_threshold),
        ..Probe::default()
    }
}

fn plain(name: &str, text: &str) -> EnvVar {
    env(name, &Source::Plain(text.to_owned()))
}
