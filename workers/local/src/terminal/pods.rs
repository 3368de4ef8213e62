//! The pods of a ReservationService's workers, and connections to them through the API server, with the rights of whoever
//! runs the command.

use std::time::Duration;

use boxoffice_operator::reservation_service::names;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use crate::failure::Failure;

/// Longest wait for the API server, from a question to a connection.
const CONNECT: Duration = Duration::from_secs(15);

/// The pods of one kind of worker.
#[derive(Debug, Clone)]
pub struct Pods {
    api: Api<Pod>,
    labels: String,
    whose: String,
}

impl Pods {
    /// Those of a ReservationService: of its command or its query workers.
    pub fn of(client: Client, namespace: &str, service: &str, component: &str) -> Self {
        let labels = names::selector(service, component);
        let labels: Vec<_> = labels.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let whose =
            format!("ReservationService {namespace}/{service} has no {component} worker that is ready");
        Self { api: Api::namespaced(client, namespace), labels: labels.join(","), whose }
    }

    /// Those of all workers of a ReservationService.
    pub fn of_all(client: Client, namespace: &str, service: &str) -> Self {
        let whose = format!("ReservationService {namespace}/{service} has no worker that is ready");
        Self { api: Api::namespaced(client, namespace), labels: names::owned_by(service), whose }
    }

    /// The name of one that is ready.
    ///
    /// # Errors
    /// None that is, or a cluster that does not say.
    pub async fn ready(&self) -> Result<String, Failure> {
        let found = self.list().await?;
        let pod = found.iter().find(|pod| is_ready(pod));
        pod.map(ResourceExt::name_any).ok_or_else(|| Failure::Refused(self.whose.clone()))
    }

    /// The names of all that are ready, but for those of some kinds of worker.
    ///
    /// # Errors
    /// A cluster that does not say.
    pub async fn ready_but_for(&self, components: &[&str]) -> anyhow::Result<Vec<String>> {
        let is_one = |pod: &Pod| {
            let component = pod.labels().get(names::COMPONENT);
            component.is_some_and(|component| components.contains(&component.as_str()))
        };
        let found = self.list().await?;
        Ok(found.iter().filter(|pod| is_ready(pod) && !is_one(pod)).map(ResourceExt::name_any).collect())
    }

    async fn list(&self) -> Result<Vec<Pod>, Failure> {
        let found = timeout(CONNECT, self.api.list(&ListParams::default().labels(&self.labels))).await;
        let found =
            found.map_err(|_| Failure::Refused(format!("the cluster does not answer within {CONNECT:?}")))?;
        Ok(found.map_err(|error| Failure::Refused(format!("the cluster: {error}")))?.items)
    }

    /// A connection to `port` of one that is ready now.
    ///
    /// # Errors
    /// None that is, or a cluster that does not let this user in.
    pub async fn connect(
        &self,
        port: u16,
    ) -> anyhow::Result<impl AsyncRead + AsyncWrite + Send + Unpin + use<>> {
        let pod = self.ready().await?;
        self.connect_to(&pod, port).await
    }

    /// A connection to `port` of a pod.
    ///
    /// # Errors
    /// A pod that is gone, or a cluster that does not let this user in.
    pub async fn connect_to(
        &self,
        pod: &str,
        port: u16,
    ) -> anyhow::Result<impl AsyncRead + AsyncWrite + Send + Unpin + use<>> {
        let mut forward = timeout(CONNECT, self.api.portforward(pod, &[port])).await??;
        forward.take_stream(port).ok_or_else(|| anyhow::anyhow!("port {port} is not forwarded"))
    }
}

/// Takes requests, and goes on to.
fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    let mut conditions = conditions.into_iter().flatten();
    pod.metadata.deletion_timestamp.is_none()
        && conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_that_is_about_to_end_is_left_alone() {
        let pod = |status: &str, metadata: serde_json::Value| -> Pod {
            let conditions =
                json!([{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": status}]);
            serde_json::from_value(json!({"metadata": metadata, "status": {"conditions": conditions}}))
                .unwrap()
        };
        assert!(is_ready(&pod("True", json!({}))));
        assert!(!is_ready(&pod("False", json!({}))));
        assert!(!is_ready(&pod("True", json!({"deletionTimestamp": "2026-11-29T12:00:00Z"}))));
        assert!(!is_ready(&Pod::default()));
    }
}
