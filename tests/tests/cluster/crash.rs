//! Pods killed without a warning while seats are sold: nothing acknowledged is lost, no effect is doubled.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use boxoffice_domain::SeatId;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams};
use reqwest::Method;

use crate::support::{Cluster, SeatingEventHandle, Service, until};

/// What is killed, in this order, while buyers buy.
const VICTIMS: [(&str, &str); 6] = [
    ("tickets", "main-command"),
    ("tickets", "main-reservation-persistence-service"),
    ("tickets", "main-seat-view"),
    ("boxoffice-system", "boxoffice"),
    ("tickets", "main-query"),
    ("tickets", "main-stats-service"),
];

#[tokio::test]
async fn sigkill_of_any_pod_during_sales_loses_nothing_and_doubles_nothing() {
    let cluster = Arc::new(Cluster::connect().await);
    let service = cluster.examples();
    let show = service.show(|resource| resource["spec"]["sections"][1]["capacity"] = 2000.into()).await;

    let over = AtomicBool::new(false);
    let buyers = futures::future::join_all((0..4).map(|buyer| buy(&service, &show, buyer, &over)));
    let killer = async {
        for (namespace, deployment) in VICTIMS {
            kill(&cluster, namespace, deployment).await;
        }
        over.store(true, Ordering::Relaxed);
    };
    let (acknowledged, ()) = tokio::join!(buyers, killer);
    let acknowledged: BTreeSet<SeatId> = acknowledged.into_iter().flatten().collect();
    assert!(acknowledged.len() > 10, "only {} seats were sold", acknowledged.len());

    show.has_sold(&acknowledged).await;
    show.remove().await;
}

/// Buys one seat after the other until it is over; the seats whose reservation was acknowledged.
async fn buy(
    service: &Service<'_>,
    show: &SeatingEventHandle<'_>,
    buyer: usize,
    over: &AtomicBool,
) -> Vec<SeatId> {
    let user = format!("buyer-{buyer}");
    let mut bought = Vec::new();
    for n in 0_usize.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let seat = show.seat(&format!("FLOOR-{}", n * 4 + buyer + 1));
        // Retried as a client would: without an answer nobody knows, and asking again is safe.
        let held = retried(service, &format!("/seats/{seat}/hold"), &user, over).await;
        if held != Some(200) {
            continue;
        }
        if retried(service, &format!("/seats/{seat}/reserve"), &user, over).await == Some(200) {
            bought.push(seat.parse().unwrap());
        }
    }
    bought
}

async fn retried(service: &Service<'_>, path: &str, user: &str, over: &AtomicBool) -> Option<u16> {
    loop {
        match service.try_command(Method::POST, path, user, &[]).await {
            Ok((status, _)) if status < 500 => return Some(status),
            _ if over.load(Ordering::Relaxed) => return None,
            _ => tokio::task::yield_now().await,
        }
    }
}

/// Kills a pod of a Deployment (SIGKILL: no grace) and waits until another one is ready in its place.
async fn kill(cluster: &Cluster, namespace: &str, deployment: &str) {
    let pods: Api<Pod> = cluster.api(namespace);
    let mine = async || {
        let pods = pods.list(&ListParams::default()).await.unwrap();
        let prefix = format!("{deployment}-");
        pods.into_iter().filter(|pod| pod.name_any().starts_with(&prefix)).collect::<Vec<_>>()
    };
    let before = mine().await;
    let victim = before
        .iter()
        .find(|pod| ready(pod))
        .unwrap_or_else(|| panic!("{deployment} has no ready pod"))
        .name_any();
    pods.delete(&victim, &DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() })
        .await
        .unwrap();
    until(&format!("{deployment} is whole again"), async || {
        let now = mine().await;
        let replaced = now.iter().all(|pod| pod.name_any() != victim);
        (replaced && now.iter().filter(|pod| ready(pod)).count() >= before.len()).then_some(())
    })
    .await;
}

fn ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|all| all.iter().any(|c| c.type_ == "Ready" && c.status == "True"))
}
