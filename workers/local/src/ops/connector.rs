//! A connection as HTTP wants it, to whichever pod is ready when one is needed.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::http::Uri;
use futures::FutureExt;
use futures::future::BoxFuture;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::Service;

use crate::terminal::pods::Pods;

/// Makes connections to one port of one kind of worker.
#[derive(Clone)]
pub(super) struct Connector(Arc<dyn Fn() -> BoxFuture<'static, io::Result<PodConnection>> + Send + Sync>);

/// A connection that was made.
pub(super) struct PodConnection(TokioIo<Box<dyn Duplex>>);

/// What bytes go through, both ways.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

impl Connector {
    /// To `port` of the pods.
    pub(super) fn to(pods: Pods, port: u16) -> Self {
        Self::by(move || {
            let pods = pods.clone();
            async move { pods.connect(port).await.map_err(io::Error::other) }
        })
    }

    /// By whatever makes a connection.
    pub(super) fn by<S: Duplex + 'static, F: Future<Output = io::Result<S>> + Send + 'static>(
        connect: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(move || {
            let connected = connect();
            async move { Ok(PodConnection(TokioIo::new(Box::new(connected.await?) as Box<dyn Duplex>))) }
                .boxed()
        }))
    }
}

impl Service<Uri> for Connector {
    type Response = PodConnection;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<PodConnection>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        (self.0)()
    }
}

impl Connection for PodConnection {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for PodConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl Write for PodConnection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
