//! Two Redis masters sell the same seats: one worker stays with the old one, another reaches the replica that took over.
//! The resource names both, by condition, Event and metric, and says when it is over.

use boxoffice_crds::ReservationService;
use boxoffice_tests::servers::redis_kinds::connection;
use k8s_openapi::api::core::v1::{Event, Pod, Service};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use redis::InfoDict;
use reqwest::Client;
use serde_json::{Value, json};

use crate::support::{
    Cluster, Show, assert_gapless, condition, is_true, service, service_resource, setting, until,
    with_namespace,
};

const SPLIT: &str = "RedisSplit";

#[tokio::test]
async fn i1_two_masters_that_sell_the_same_seats_are_named_until_there_is_one() {
    let cluster = Cluster::connect().await;
    with_namespace(&cluster, async |namespace| {
        let place = Place { cluster: &cluster, namespace };
        let [old, new] = place.redis().await;
        let mut resource = service_resource(namespace);
        resource["spec"]["redis"]["url"] = json!("redis://seats:6379");
        resource["spec"]["command"]["replicas"] = json!(2);
        let service = service(&cluster, namespace, &resource).await;
        let show = service.show(|resource| resource["spec"]["sections"][1]["capacity"] = 5000.into()).await;
        for verb in ["hold", "reserve"] {
            let path = format!("/seats/{}/{verb}", show.seat("A-1-1"));
            let (status, answer) = service.post(&path, "alice").await;
            assert_eq!(status, 200, "{answer}");
        }

        new.follows("NO", "ONE").await;
        place.leads_to(&new).await;
        // One worker comes back with another Redis; the other one keeps the connections that it has.
        place.worker_comes_back().await;
        let workers = place.workers().await;
        let mut places = 1..;
        let split = until("a split is told", async || {
            for worker in &workers {
                let _status = hold(&show, worker, &format!("FLOOR-{}", places.next()?)).await;
            }
            place.condition(SPLIT).await
        })
        .await;
        let message = split["message"].as_str().unwrap();
        for server in [&old, &new] {
            let id = server.run_id().await;
            assert!(message.contains(&id[..8]), "{id} is not in: {message}");
        }
        assert!(is_true(&split), "{split}");
        let ready = place.condition("Ready").await.unwrap();
        assert_eq!((&ready["status"], &ready["reason"]), (&json!("False"), &json!(SPLIT)));
        place.told(SPLIT).await;
        place.measures(1).await;

        old.follows(&new.address, "6379").await;
        until("it is over", async || place.condition(SPLIT).await.is_none().then_some(())).await;
        place.told("RedisSplitOver").await;
        place.measures(0).await;
        until("the service is ready again", async || place.condition("Ready").await.filter(is_true)).await;
        for (worker, key) in workers.iter().zip(["A-1-2", "A-1-3"]) {
            until("seats are held", async || (hold(&show, worker, key).await? == 200).then_some(())).await;
        }
        let (status, answer) = service.post(&format!("/seats/{}/hold", show.seat("A-1-1")), "bob").await;
        assert_eq!((status, &answer["code"]), (409, &json!("SEAT_NOT_AVAILABLE")), "it was sold before");
        assert_gapless(&show.facts(&format!("{namespace}-seat-events")).await);
        show.remove().await;
    })
    .await;
}

/// The status of a hold through one worker; nothing where it does not answer.
async fn hold(show: &Show<'_>, worker: &str, key: &str) -> Option<u16> {
    let post = Client::new().post(format!("http://{worker}:8080/seats/{}/hold", show.seat(key)));
    // Each by a buyer of its own, for whom there are limits.
    Some(post.header("x-user-id", format!("buyer-of-{key}")).send().await.ok()?.status().as_u16())
}

/// A Redis in a pod.
struct Server {
    name: &'static str,
    address: String,
}

impl Server {
    async fn follows(&self, host: &str, port: &str) {
        let mut redis = connection(&format!("redis://{}:6379", self.address)).await.unwrap();
        redis::cmd("REPLICAOF").arg(host).arg(port).exec_async(&mut redis).await.unwrap();
    }

    async fn info(&self) -> InfoDict {
        let mut redis = connection(&format!("redis://{}:6379", self.address)).await.unwrap();
        redis::cmd("INFO").query_async(&mut redis).await.unwrap()
    }

    async fn run_id(&self) -> String {
        self.info().await.get("run_id").unwrap()
    }
}

/// A namespace with a Redis and its replica; the Service `seats` leads to one of them.
struct Place<'a> {
    cluster: &'a Cluster,
    namespace: &'a str,
}

impl Place<'_> {
    /// Starts a master, to which the Service leads, and its replica.
    async fn redis(&self) -> [Server; 2] {
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "seats", "namespace": self.namespace},
            "spec": {"selector": {"serves": "seats"}, "ports": [{"port": 6379}]}
        });
        self.cluster.apply::<Service>(self.namespace, &service).await.unwrap();
        let [old, new] = [self.server("redis-old").await, self.server("redis-new").await];
        self.leads_to(&old).await;
        new.follows(&old.address, "6379").await;
        until("the replica has everything", async || {
            (new.info().await.get::<String>("master_link_status")? == "up").then_some(())
        })
        .await;
        [old, new]
    }

    async fn server(&self, name: &'static str) -> Server {
        let command =
            ["redis-server", "--bind", "*", "--protected-mode", "no", "--save", "", "--dir", "/data"];
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": self.namespace},
            "spec": {
                "securityContext": {"fsGroup": 65532},
                "containers": [{
                    "name": "redis", "image": setting("REDIS_IMAGE"), "command": command,
                    "volumeMounts": [{"name": "data", "mountPath": "/data"}]
                }],
                "volumes": [{"name": "data", "emptyDir": {}}]
            }
        });
        self.cluster.apply::<Pod>(self.namespace, &pod).await.unwrap();
        let address = until("Redis answers", async || {
            let address = self.pods().get(name).await.unwrap().status?.pod_ip?;
            connection(&format!("redis://{address}:6379")).await.is_ok().then_some(address)
        })
        .await;
        Server { name, address }
    }

    /// From now on new connections come there; those that there are stay.
    async fn leads_to(&self, server: &Server) {
        for pod in self.pods().list(&ListParams::default().labels("serves=seats")).await.unwrap() {
            self.label(&pod.name_any(), None).await;
        }
        self.label(server.name, Some("seats")).await;
    }

    async fn label(&self, pod: &str, serves: Option<&str>) {
        let patch = Patch::Merge(json!({"metadata": {"labels": {"serves": serves}}}));
        self.pods().patch(pod, &PatchParams::default(), &patch).await.unwrap();
    }

    /// Deletes a worker and waits until there is another one in its place.
    async fn worker_comes_back(&self) {
        let before = self.workers().await;
        let first = self.pods().list(&workers()).await.unwrap().items.remove(0);
        self.pods().delete(&first.name_any(), &DeleteParams::default()).await.unwrap();
        until("it comes back", async || {
            let now = self.workers().await;
            (now.len() == before.len() && now != before).then_some(())
        })
        .await;
    }

    /// Where the command workers are that are ready and stay.
    async fn workers(&self) -> Vec<String> {
        let pods = self.pods().list(&workers()).await.unwrap();
        let stay = pods.items.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
        let addresses = stay.filter_map(|pod| {
            let status = pod.status?;
            let is_ready = |kind: &str, status: &str| kind == "Ready" && status == "True";
            let ready = status.conditions?.iter().any(|found| is_ready(&found.type_, &found.status));
            status.pod_ip.filter(|_| ready)
        });
        let mut addresses: Vec<_> = addresses.collect();
        addresses.sort();
        addresses
    }

    async fn condition(&self, kind: &str) -> Option<Value> {
        let services: Api<ReservationService> = self.cluster.api(self.namespace);
        condition(&services.get("main").await.unwrap(), kind)
    }

    /// Waits for a Kubernetes Event about the service.
    async fn told(&self, reason: &str) {
        let events: Api<Event> = self.cluster.api(self.namespace);
        until(&format!("an Event {reason}"), async || {
            let events = events.list(&ListParams::default()).await.unwrap();
            events.iter().any(|event| event.reason.as_deref() == Some(reason)).then_some(())
        })
        .await;
    }

    /// Waits until the operator measures so many splits of the service.
    async fn measures(&self, splits: u8) {
        let address = self.cluster.address("boxoffice-system", "boxoffice-metrics", 9090).await;
        let line = format!(
            "boxoffice_operator_redis_split{{namespace=\"{}\",service=\"main\"}} {splits}",
            self.namespace
        );
        until(&line, async || {
            let text = reqwest::get(format!("{address}/metrics")).await.ok()?.text().await.ok()?;
            text.lines().any(|found| found == line).then_some(())
        })
        .await;
    }

    fn pods(&self) -> Api<Pod> {
        self.cluster.api(self.namespace)
    }
}

fn workers() -> ListParams {
    ListParams::default().labels("app.kubernetes.io/component=command")
}
