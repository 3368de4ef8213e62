//! A port on this machine that leads to a pod of the cluster, through the API server: what `kubectl port-forward` does.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use boxoffice_operator::reservation_service::names;
use boxoffice_runtime::http::listen;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use crate::failure::Failure;

/// Ends when it is dropped.
#[derive(Debug)]
pub struct Forward {
    addr: SocketAddr,
    _task: AbortOnDropHandle<()>,
}

impl Forward {
    /// Leads to `port` of a worker of a ReservationService: of its command or its query workers.
    ///
    /// # Errors
    /// A service without a pod that is ready.
    pub async fn to(
        client: Client,
        namespace: &str,
        service: &str,
        component: &str,
        port: u16,
    ) -> Result<Self, Failure> {
        let pods: Api<Pod> = Api::namespaced(client, namespace);
        let labels = names::selector(service, component);
        let labels: Vec<_> = labels.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let found = pods.list(&ListParams::default().labels(&labels.join(","))).await;
        let found = found.map_err(|error| Failure::Refused(format!("the cluster: {error}")))?;
        let pod = found.items.into_iter().find(is_ready).ok_or_else(|| {
            Failure::Refused(format!(
                "ReservationService {namespace}/{service} has no {component} worker that is ready"
            ))
        })?;
        let listener = listen((Ipv4Addr::LOCALHOST, 0).into())?;
        let addr = listener.local_addr()?;
        let task = AbortOnDropHandle::new(tokio::spawn(accept(listener, pods, pod.name_any(), port)));
        Ok(Self { addr, _task: task })
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

async fn accept(listener: Arc<TcpListener>, pods: Api<Pod>, pod: String, port: u16) {
    while let Ok((connection, _)) = listener.accept().await {
        let (pods, pod) = (pods.clone(), pod.clone());
        tokio::spawn(async move {
            if let Err(error) = carry(connection, &pods, &pod, port).await {
                tracing::warn!(%error, pod, "the connection to the pod ended");
            }
        });
    }
}

async fn carry(mut connection: TcpStream, pods: &Api<Pod>, pod: &str, port: u16) -> anyhow::Result<()> {
    let mut forward = pods.portforward(pod, &[port]).await?;
    let mut stream =
        forward.take_stream(port).ok_or_else(|| anyhow::anyhow!("port {port} is not forwarded"))?;
    copy_bidirectional(&mut connection, &mut stream).await?;
    Ok(())
}
