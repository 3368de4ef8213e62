//! A port on this machine that leads to the pods of a worker, through the API server: what `kubectl port-forward` does, to
//! whichever pod is ready when a connection is made.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use boxoffice_runtime::http::listen;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use super::pods::Pods;
use crate::failure::Failure;

/// Ends when it is dropped.
#[derive(Debug)]
pub struct Forward {
    addr: SocketAddr,
    _task: AbortOnDropHandle<()>,
}

impl Forward {
    /// Leads to `port` of the pods.
    ///
    /// # Errors
    /// None that is ready.
    pub async fn to(pods: Pods, port: u16) -> Result<Self, Failure> {
        pods.ready().await?;
        let listener = listen((Ipv4Addr::LOCALHOST, 0).into())?;
        let addr = listener.local_addr()?;
        let task = AbortOnDropHandle::new(tokio::spawn(accept(listener, pods, port)));
        Ok(Self { addr, _task: task })
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

async fn accept(listener: Arc<TcpListener>, pods: Pods, port: u16) {
    while let Ok((connection, _)) = listener.accept().await {
        let pods = pods.clone();
        tokio::spawn(async move {
            if let Err(error) = carry(connection, &pods, port).await {
                tracing::warn!(%error, "a connection to a pod ended");
            }
        });
    }
}

async fn carry(mut connection: TcpStream, pods: &Pods, port: u16) -> anyhow::Result<()> {
    let mut stream = pods.connect(port).await?;
    copy_bidirectional(&mut connection, &mut stream).await?;
    Ok(())
}
