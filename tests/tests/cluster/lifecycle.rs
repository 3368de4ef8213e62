//! Resources deleted and applied again: what they own goes, what was sold stays.

use std::fs;
use std::time::{Duration, Instant};

use boxoffice_crds::{ReservationService, SeatingEvent};
use boxoffice_tests::resources;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    Cluster, PATIENCE, Service, assert_gapless, audit, condition, database_url, facts, gone, is_reconciled,
    is_true, main_of, ran, reserved_rows, service, service_resource, until, with_namespace,
};

/// How long a deletion may take, of whatever and in whatever order.
const DELETION: Duration = Duration::from_secs(90);

#[tokio::test]
async fn deleting_both_and_applying_again_finds_the_sold_seats_still_sold() {
    let cluster = Cluster::connect().await;
    with_namespace(&cluster, async |namespace| {
        let resource = retaining(namespace);
        let main = service(&cluster, namespace, &resource).await;
        let show = main.show(|_| {}).await;
        let seat = show.seat("A-2-3");
        main.sell(&seat).await;

        let shows = cluster.api::<SeatingEvent>(namespace);
        let services = cluster.api::<ReservationService>(namespace);
        shows.delete(&show.id, &DeleteParams::default()).await.unwrap();
        gone(&shows, &show.id, PATIENCE).await;
        services.delete("main", &DeleteParams::default()).await.unwrap();
        gone(&services, "main", PATIENCE).await;
        until("its Deployments and pods are gone", async || {
            let deployments =
                cluster.api::<Deployment>(namespace).list(&ListParams::default()).await.unwrap();
            let pods = cluster.api::<Pod>(namespace).list(&ListParams::default()).await.unwrap();
            (deployments.items.is_empty() && pods.items.is_empty()).then_some(())
        })
        .await;
        let left = cluster.api::<ConfigMap>(namespace).list(&ListParams::default()).await.unwrap();
        assert!(left.iter().any(|map| map.name_any() == "main-retained"), "what is retained is written down");
        let topic = format!("{namespace}-seat-events");
        assert_eq!(
            facts(&cluster.kafka, &topic, &show.id).await.len(),
            5,
            "the topic stays, with event.deleted"
        );

        let main = service(&cluster, namespace, &resource).await;
        cluster.apply::<SeatingEvent>(namespace, &resources::show("main", &show.id)).await.unwrap();
        show.ready().await;
        main.shows(&seat, "RESERVED").await;
        let (status, refused) = main.post(&format!("/seats/{seat}/hold"), "bob").await;
        assert_eq!((status, refused["code"].as_str()), (409, Some("SEAT_NOT_AVAILABLE")), "{refused}");
        let other = show.seat("A-2-4");
        assert_eq!(main.post(&format!("/seats/{other}/hold"), "bob").await.0, 200);
        assert_gapless(&facts(&cluster.kafka, &topic, &show.id).await);
        let rows = reserved_rows(&database_url(namespace, "reservations"), &show.id).await;
        assert_eq!(rows, [(seat, 1)]);
    })
    .await;
}

/// `examples/` as files in the order in which `kubectl` takes them, as they are but for what has to be a namespace's own: its
/// name, the servers' addresses from there, topics, databases, and the operator's image.
fn examples(namespace: &str) -> TempDir {
    let (folder, own) = (tempfile::tempdir().unwrap(), retaining(namespace));
    let own = &own["spec"];
    for file in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples")).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_dir() {
            continue;
        }
        let mut resource: Value = serde_yaml_ng::from_str(&fs::read_to_string(file.path()).unwrap()).unwrap();
        resource["metadata"]["namespace"] = json!(namespace);
        if resource["kind"] == "ReservationService" {
            let spec = &mut resource["spec"];
            spec.as_object_mut().unwrap().remove("image");
            for field in ["redis", "consumers"] {
                spec[field] = own[field].clone();
            }
            for field in ["bootstrapServers", "prefix"] {
                spec["kafka"][field] = own["kafka"][field].clone();
            }
        }
        fs::write(folder.path().join(file.file_name()), resource.to_string()).unwrap();
    }
    folder
}

/// The shows among them.
const SHOWS: [&str; 3] = ["theatre", "arena-night", "stadium-final"];

async fn are_on_sale(cluster: &Cluster, namespace: &str) {
    for show in SHOWS {
        cluster.condition::<SeatingEvent>(namespace, show, "Ready", "True", None, PATIENCE).await;
    }
}

#[tokio::test]
async fn examples_deleted_by_their_files_sell_nothing_and_applied_again_sold_seats_are_sold() {
    let cluster = Cluster::connect().await;
    with_namespace(&cluster, async |namespace| {
        let folder = examples(namespace);
        let files = folder.path().to_str().unwrap();
        ran("kubectl", &["apply", "--filename", files]).await;
        let main = main_of(&cluster, namespace).await;
        are_on_sale(&cluster, namespace).await;
        let (sold, other) = ("theatre.STALLS-A-1", "theatre.CIRCLE-A-1");
        main.sell(sold).await;

        // The service's file comes first; it returns when all of them are gone.
        let began = Instant::now();
        ran("kubectl", &["delete", "--filename", files]).await;
        assert!(began.elapsed() < DELETION, "{:?}", began.elapsed());
        assert_eq!(cluster.list::<SeatingEvent>(namespace, "").await.len(), 0);
        assert!(cluster.get::<ReservationService>(namespace, "main").await.is_none());
        for show in SHOWS {
            let told = facts(&cluster.kafka, &format!("{namespace}-seat-events"), show).await;
            let last = told.last().map(|fact| fact.event.event_type().to_owned());
            assert_eq!(last.as_deref(), Some("event.deleted"), "its sales were closed: {show}");
        }

        ran("kubectl", &["apply", "--filename", &format!("{files}/01-reservation-service.yaml")]).await;
        let main = main_of(&cluster, namespace).await;
        for seat in [other, "arena-night.FLOOR-1", "stadium-final.N12-5-40"] {
            refuses(&main, seat, "SALES_CLOSED").await;
        }
        ran("kubectl", &["apply", "--filename", files]).await;
        are_on_sale(&cluster, namespace).await;
        refuses(&main, sold, "SEAT_NOT_AVAILABLE").await;
        main.sell(other).await;
        assert_gapless(&facts(&cluster.kafka, &format!("{namespace}-seat-events"), "theatre").await);
    })
    .await;
}

#[tokio::test]
async fn a_namespace_is_deleted_with_all_that_is_in_it_in_a_minute_and_a_half() {
    let cluster = Cluster::connect().await;
    for policy in ["Retain", "Delete"] {
        with_namespace(&cluster, async |namespace| {
            let mut resource = retaining(namespace);
            resource["spec"]["kafka"]["topic"]["deletionPolicy"] = json!(policy);
            let main = service(&cluster, namespace, &resource).await;
            main.show(|_| {}).await;
            let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
            namespaces.delete(namespace, &DeleteParams::default()).await.unwrap();
            gone(&namespaces, namespace, DELETION).await;
        })
        .await;
    }
}

#[tokio::test]
async fn what_is_sold_without_a_seating_event_is_named_and_closed_unless_it_is_kept() {
    let cluster = Cluster::connect().await;
    with_namespace(&cluster, async |namespace| {
        let mut resource = retaining(namespace);
        let main = service(&cluster, namespace, &resource).await;
        let (lost, kept) = (main.show(|_| {}).await, main.show(|_| {}).await);
        let shows = cluster.api::<SeatingEvent>(namespace);
        let services = cluster.api::<ReservationService>(namespace);
        services.delete("main", &DeleteParams::default()).await.unwrap();
        gone(&services, "main", DELETION).await;
        // There is nobody any more who could close the sales.
        for show in [&lost, &kept] {
            shows.delete(&show.id, &DeleteParams::default()).await.unwrap();
            gone(&shows, &show.id, DELETION).await;
        }

        resource["metadata"]["annotations"] = json!({"boxoffice.dev/keep-unclaimed": kept.id});
        let main = service(&cluster, namespace, &resource).await;
        let told = until("what is not kept is closed", async || {
            let main = services.get("main").await.unwrap();
            condition(&main, "UnclaimedSales").filter(|told| told["reason"] == "Kept")
        })
        .await;
        for said in [
            format!("kept on sale by the annotation boxoffice.dev/keep-unclaimed: {}", kept.id),
            lost.id.clone(),
        ] {
            assert!(told["message"].as_str().unwrap().contains(&said), "{said}: {told}");
        }
        refuses(&main, &lost.seat("A-1-1"), "SALES_CLOSED").await;
        assert_eq!(main.post(&format!("/seats/{}/hold", kept.seat("A-1-1")), "bob").await.0, 200);

        for show in [&lost, &kept] {
            cluster.apply::<SeatingEvent>(namespace, &resources::show("main", &show.id)).await.unwrap();
            show.ready().await;
        }
        assert_eq!(main.post(&format!("/seats/{}/hold", lost.seat("A-1-1")), "bob").await.0, 200);
        until("everything is claimed", async || {
            let main = services.get("main").await.unwrap();
            condition(&main, "UnclaimedSales").is_none().then_some(())
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_show_that_is_purged_and_created_again_sells_all_its_seats_and_no_consumer_stops() {
    let cluster = Cluster::connect().await;
    with_namespace(&cluster, async |namespace| {
        let main = service(&cluster, namespace, &retaining(namespace)).await;
        let show = main.show(|_| {}).await;
        let seat = show.seat("A-2-3");
        main.sell(&seat).await;
        let mut resource = resources::show("main", &show.id);
        resource["spec"]["deletionPolicy"] = json!("Delete");
        resource["metadata"]["annotations"] = json!({"boxoffice.dev/confirm-delete": show.id});
        cluster.apply::<SeatingEvent>(namespace, &resource).await.unwrap();
        let shows = cluster.api::<SeatingEvent>(namespace);
        shows.delete(&show.id, &DeleteParams::default()).await.unwrap();
        gone(&shows, &show.id, DELETION).await;
        assert_eq!(main.post(&format!("/seats/{seat}/hold"), "bob").await.0, 404, "its seats are forgotten");

        cluster.apply::<SeatingEvent>(namespace, &resource).await.unwrap();
        show.ready().await;
        assert_eq!(main.post(&format!("/seats/{seat}/hold"), "bob").await.0, 200);
        assert_eq!(main.post(&format!("/seats/{seat}/reserve"), "bob").await.0, 200);
        main.shows(&seat, "RESERVED").await;
        until("the reservation is on record", async || {
            let rows = reserved_rows(&database_url(namespace, "reservations"), &show.id).await;
            (rows == [(seat.clone(), 1)]).then_some(())
        })
        .await;
        assert_gapless(&facts(&cluster.kafka, &format!("{namespace}-seat-events"), &show.id).await);
    })
    .await;
}

#[tokio::test]
async fn a_service_that_took_its_log_along_sells_again_under_its_name_and_no_consumer_stops() {
    let cluster = Cluster::connect().await;
    with_namespace(&cluster, async |namespace| {
        let mut resource = retaining(namespace);
        resource["spec"]["kafka"]["topic"]["deletionPolicy"] = json!("Delete");
        let main = service(&cluster, namespace, &resource).await;
        let show = main.show(|_| {}).await;
        let (seat, other) = (show.seat("A-2-3"), show.seat("A-2-4"));
        for seat in [&seat, &other] {
            assert_eq!(main.post(&format!("/seats/{seat}/hold"), "alice").await.0, 200);
            assert_eq!(main.post(&format!("/seats/{seat}/reserve"), "alice").await.0, 200);
        }
        main.shows(&other, "RESERVED").await;
        let (shows, services) =
            (cluster.api::<SeatingEvent>(namespace), cluster.api::<ReservationService>(namespace));
        services.delete("main", &DeleteParams::default()).await.unwrap();
        shows.delete(&show.id, &DeleteParams::default()).await.unwrap();
        gone(&shows, &show.id, DELETION).await;
        gone(&services, "main", DELETION).await;

        // The consumers' databases, and Redis, are those of before.
        let main = service(&cluster, namespace, &resource).await;
        cluster.apply::<SeatingEvent>(namespace, &resources::show("main", &show.id)).await.unwrap();
        show.ready().await;
        assert_eq!(main.post(&format!("/seats/{seat}/hold"), "bob").await.0, 200, "the log took them along");
        assert_eq!(main.post(&format!("/seats/{seat}/reserve"), "bob").await.0, 200);
        main.shows(&seat, "RESERVED").await;
        main.shows(&other, "AVAILABLE").await;
        let database = database_url(namespace, "reservations");
        until("the reservation is on record, and of before none is", async || {
            (reserved_rows(&database, &show.id).await == [(seat.clone(), 1)]).then_some(())
        })
        .await;
        until("every worker is ready: no partition stands still", async || {
            let main = services.get("main").await.unwrap();
            condition(&main, "Ready").filter(is_true)
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_show_of_a_service_that_is_not_there_is_deleted_at_once() {
    let cluster = Cluster::connect().await;
    with_namespace(&cluster, async |namespace| {
        let shows = cluster.api::<SeatingEvent>(namespace);
        cluster.apply::<SeatingEvent>(namespace, &resources::show("main", "nowhere")).await.unwrap();
        until("it waits for its service", async || {
            let show = shows.get("nowhere").await.unwrap();
            condition(&show, "Ready").filter(|ready| ready["reason"] == "ServiceNotFound").map(drop)
        })
        .await;
        shows.delete("nowhere", &DeleteParams::default()).await.unwrap();
        gone(&shows, "nowhere", Duration::from_secs(10)).await;
    })
    .await;
}

/// A service whose topics outlive it.
fn retaining(namespace: &str) -> Value {
    let mut resource = service_resource(namespace);
    resource["spec"]["kafka"]["topic"]["deletionPolicy"] = json!("Retain");
    resource
}

/// Waits until a hold is refused with a code: a worker that was just started may answer otherwise for a moment.
async fn refuses(main: &Service<'_>, seat: &str, code: &str) {
    until(&format!("{seat} is refused with {code}"), async || {
        let (status, refused) = main.post(&format!("/seats/{seat}/hold"), "bob").await;
        assert_ne!(status, 200, "{seat} is sold: {refused}");
        (status == 409 && refused["code"] == code).then_some(())
    })
    .await;
}

#[tokio::test]
async fn i12_a_reconcile_that_has_nothing_to_change_writes_nothing() {
    let Some(audit) = audit() else {
        println!("skipped: this cluster's API server writes no audit log");
        return;
    };
    let cluster = Cluster::connect().await;
    let service = cluster.examples();
    let show = service.show(|_| {}).await;
    // Pods of earlier tests may still come and go, and views catch up: there must be a time when nothing is written
    // although the service is reconciled three times.
    until("three reconciles write nothing", async || {
        let mark = audit.mark();
        is_reconciled(&cluster, 3.0).await;
        audit.writes(mark).is_empty().then_some(())
    })
    .await;
    show.remove().await;
}
