//! Namespaces that are deleted with all that is in them: whatever the operator needs may go before it has done its part, its
//! own rights among it.

use std::time::Duration;

use boxoffice_crds::{ReservationService, SeatingEvent};
use boxoffice_runtime::log::kafka::KafkaLog;
use boxoffice_runtime::log::{EventLog, LogError};
use boxoffice_tests::servers::kafka;
use boxoffice_tests::wait::within;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::Api;

use crate::rights::BEREFT;
use crate::support::{Stage, outliving};

/// How long a deletion may take, of whatever and in whatever order.
const DELETION: Duration = Duration::from_secs(90);

/// Waits until the namespace is gone.
async fn ends(stage: &Stage) {
    let namespaces: Api<Namespace> = Api::all(stage.plane.client.clone());
    let gone = within(DELETION, async || {
        namespaces.get_opt(&stage.namespace).await.unwrap().is_none().then_some(())
    });
    assert!(gone.await.is_some(), "{:#?}", namespaces.get(&stage.namespace).await);
}

/// Whether Kafka has a topic of the service `main`.
async fn has_topic(stage: &Stage, topic: &str) -> bool {
    let name = format!("{}-main-{topic}", stage.namespace);
    match KafkaLog::new(&kafka()).unwrap().partitions(&name).await {
        Ok(_) => true,
        Err(LogError::Missing(_)) => false,
        Err(error) => panic!("{name}: {error}"),
    }
}

const TOPICS: [&str; 4] = ["seat-events", "seat-events.snapshots", "payment-events", "stats-events"];

async fn no_topic_is_left(stage: &Stage) {
    for topic in TOPICS {
        assert!(!has_topic(stage, topic).await, "{topic} is left behind");
    }
}

#[tokio::test]
async fn the_topics_of_a_service_go_with_its_namespace_where_the_record_of_them_goes_first() {
    let stage = Stage::open_wide("topics").await;
    stage.service("main").await;
    stage.show("main", "arena").await;
    assert!(has_topic(&stage, "seat-events").await);
    stage.plane.delete_namespace(&stage.namespace).await;
    stage.plane.gone::<ConfigMap>(&stage.namespace, "main-retained", DELETION).await;
    ends(&stage).await;
    no_topic_is_left(&stage).await;
}

#[tokio::test]
async fn a_namespace_that_took_the_operators_rights_along_is_named_and_ends_when_they_are_given_back() {
    let stage = Stage::open(BEREFT).await;
    stage.service("main").await;
    stage.show("main", "arena").await;
    stage.plane.delete_namespace(&stage.namespace).await;
    let rights = format!("{}-boxoffice-operator", stage.operator.namespace);
    stage.plane.gone::<RoleBinding>(&stage.namespace, &rights, DELETION).await;
    let said = format!("boxoffice_operator_namespace_without_rights{{namespace=\"{}\"}} 1", stage.namespace);
    let told =
        within(Duration::from_mins(2), async || stage.operator.metrics().await.contains(&said).then_some(()));
    let is_gone = async || {
        let service = stage.plane.get::<ReservationService>(&stage.namespace, "main").await;
        service.is_none() && stage.plane.get::<SeatingEvent>(&stage.namespace, "arena").await.is_none()
    };
    // What was under way when they went may have come to its end.
    assert!(told.await.is_some() || is_gone().await, "{}", stage.operator.metrics().await);
    outliving(&stage).await;
    ends(&stage).await;
    no_topic_is_left(&stage).await;
}
