//! A TCP proxy between a worker and its server: it delays, falls silent as a host does that vanished, and leads to
//! another server as an address does that moved.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Most pieces on their way in one direction.
const ON_THE_WAY: usize = 1024;

/// A running proxy; dropping it ends it with its connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    route: Route,
    _running: DropGuard,
}

#[derive(Debug, Clone)]
struct Route {
    target: Arc<Mutex<String>>,
    delay: Duration,
    silent: Arc<watch::Sender<bool>>,
    stop: CancellationToken,
}

impl Proxy {
    /// To `target`, host:port, `delay` in each direction.
    ///
    /// # Errors
    /// No free port.
    pub async fn start(target: &str, delay: Duration) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let route = Route {
            target: Arc::new(Mutex::new(target.to_owned())),
            delay,
            silent: Arc::default(),
            stop: stop.clone(),
        };
        let accepting = route.clone();
        tokio::spawn(async move {
            while let Some(Ok((client, _))) = accepting.stop.run_until_cancelled(listener.accept()).await {
                let route = accepting.clone();
                tokio::spawn(
                    async move { route.clone().stop.run_until_cancelled(route.connect(client)).await },
                );
            }
        });
        Ok(Self { address, route, _running: stop.drop_guard() })
    }

    /// Where it listens: host:port.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Nothing comes through any more, in either direction, and nobody is told: the host vanished.
    pub fn fall_silent(&self) {
        self.route.silent.send_replace(true);
    }

    /// New connections lead to `target`, host:port. Those of before stay as silent as they are.
    pub fn lead_to(&mut self, target: &str) {
        target.clone_into(&mut self.route.target.lock().unwrap_or_else(PoisonError::into_inner));
        // What was silent stays so: those connections know the old sender alone.
        self.route.silent.send_replace(false);
    }
}

impl Route {
    async fn connect(self, mut client: TcpStream) {
        let target = self.target.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // A connection that met silence once hears nothing for ever.
        let silence = CancellationToken::new();
        let listening = async {
            let mut silent = self.silent.subscribe();
            if silent.wait_for(|silent| *silent).await.is_ok() {
                silence.cancel();
            }
            std::future::pending::<()>().await;
        };
        let carrying = async {
            if *self.silent.borrow() {
                std::future::pending::<()>().await;
            }
            let Ok(mut server) = TcpStream::connect(target).await else { return };
            let (from_client, to_client) = client.split();
            let (from_server, to_server) = server.split();
            tokio::select! {
                () = carry(from_client, to_server, self.delay, &silence) => {}
                () = carry(from_server, to_client, self.delay, &silence) => {}
            }
        };
        tokio::select! {
            () = listening => {}
            () = carrying => {}
        }
    }
}

/// Carries bytes from one side to the other, each piece `delay` after it came, until an end or `silence`.
async fn carry(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    delay: Duration,
    silence: &CancellationToken,
) {
    let (sender, mut pieces) = mpsc::channel::<(Instant, Vec<u8>)>(ON_THE_WAY);
    let reading = async {
        let mut buffer = vec![0; 65_536];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let piece = (Instant::now() + delay, buffer[..length].to_vec());
            if sender.send(piece).await.is_err() {
                break;
            }
        }
        drop(sender);
    };
    let writing = async {
        while let Some((due, piece)) = pieces.recv().await {
            sleep_until(due).await;
            if silence.is_cancelled() {
                std::future::pending::<()>().await;
            }
            if to.write_all(&piece).await.is_err() {
                return;
            }
        }
    };
    let ended = async { tokio::join!(reading, writing) };
    ended.await;
    if silence.is_cancelled() {
        std::future::pending::<()>().await;
    }
}
