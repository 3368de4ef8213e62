//! A server of a test: started on a free port in a temporary folder, and then ended, frozen or started again on the
//! same port and folder as a crash test likes.
//!
//! What is particular to Redis, Kafka and PostgreSQL is behind [`Program`]; the process is [`Child`]'s business.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use rustix::process::Signal;
use tempfile::TempDir;

use super::child::Child;
use crate::wait::within;

/// From start to first answer.
const START_TIMEOUT: Duration = Duration::from_mins(1);
/// One attempt to get an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// What sets one kind of server apart.
#[async_trait]
pub trait Program: Send + Sync + Sized {
    /// Its name, for messages.
    const NAME: &'static str;
    /// What ends it at once and leaves nothing behind.
    const END: Signal = Signal::KILL;

    /// Makes what it needs in an empty folder before its first start.
    async fn prepare(&self, folder: &Path, port: u16) -> anyhow::Result<()>;

    /// The command that runs it in the foreground.
    fn command(&self, folder: &Path, port: u16) -> anyhow::Result<Command>;

    /// Succeeds when it gives a real answer.
    async fn answers(&self, port: u16) -> anyhow::Result<()>;

    /// How clients name it.
    fn address(&self, port: u16) -> String;
}

/// A running server; dropping it ends it and removes its folder.
#[derive(Debug)]
pub struct Server<P: Program> {
    child: Child,
    program: P,
    port: u16,
    folder: TempDir,
}

impl<P: Program> Server<P> {
    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// A program that is not installed, or does not answer within a minute; the end of its log is in the message.
    pub async fn start(program: P) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix(&format!("boxoffice-{}-", P::NAME)).tempdir()?;
        let port = free_port()?;
        program.prepare(folder.path(), port).await.with_context(|| format!("preparing {}", P::NAME))?;
        let child = launch(&program, folder.path(), port)?;
        let mut server = Self { child, program, port, folder };
        server.ready().await?;
        Ok(server)
    }

    /// How clients name it: a URL, or Kafka's bootstrap servers.
    pub fn address(&self) -> String {
        self.program.address(self.port)
    }

    /// Where it keeps its settings and data.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// CPU seconds that it has spent so far.
    ///
    /// # Errors
    /// A server that has ended.
    pub fn cpu_seconds(&self) -> anyhow::Result<f64> {
        self.child.cpu_seconds()
    }

    /// Ends it as an administrator would, by SIGTERM, and waits.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        self.child.stop(Signal::TERM).await.map(drop)
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        self.child.kill();
    }

    /// Starts it again, on the same port and folder; one that still runs is killed first.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.child.kill();
        self.child = launch(&self.program, self.folder.path(), self.port)?;
        self.ready().await
    }

    /// Freezes it: connections stay open and nothing answers.
    pub fn pause(&mut self) {
        self.child.signal(Signal::STOP);
    }

    /// Ends a [`pause`](Self::pause).
    pub fn resume(&mut self) {
        self.child.signal(Signal::CONT);
    }

    /// Everything it has printed.
    pub fn log(&self) -> String {
        self.child.log()
    }

    async fn ready(&mut self) -> anyhow::Result<()> {
        let (program, port, child) = (&self.program, self.port, &mut self.child);
        let mut last = String::new();
        let answered = within(START_TIMEOUT, async || {
            if let Some(status) = child.ended() {
                return Some(Err(format!("it ended: {status}")));
            }
            match tokio::time::timeout(ANSWER_TIMEOUT, program.answers(port)).await {
                Ok(Ok(())) => return Some(Ok(())),
                Ok(Err(error)) => last = format!("{error:#}"),
                Err(elapsed) => last = elapsed.to_string(),
            }
            None
        })
        .await
        .unwrap_or(Err(last));
        answered.map_err(|why| {
            anyhow::anyhow!("{} on port {port} is not ready: {why}\n{}", P::NAME, child.log_tail())
        })
    }
}

fn launch<P: Program>(program: &P, folder: &Path, port: u16) -> anyhow::Result<Child> {
    Child::start(P::NAME, program.command(folder, port)?, &folder.join("log"), P::END)
}

/// A loopback port that is free now. It is below those that the kernel gives to outgoing connections: a client that
/// retries while its server is down could otherwise connect to itself and keep the port from it.
pub fn free_port() -> anyhow::Result<u16> {
    (0..100)
        .map(|_| 15_000 + (uuid::Uuid::new_v4().as_u128() % 17_000) as u16)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .context("no free port")
}
