//! A worker of ours as a process of its own, for tests that configure it as the operator does, drain it, or kill it.

use std::path::PathBuf;
use std::process::ExitStatus;

use anyhow::{Context, ensure};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::servers::child::{Child, bound};
use crate::wait::{PATIENCE, within};

/// A running worker; dropping it kills it, and a test that fails shows the end of its log.
#[derive(Debug)]
pub struct Process {
    child: Child,
    // Holds the log.
    _folder: TempDir,
}

impl Process {
    /// Starts `binary` (`boxoffice-command`, ...) with nothing in its environment but `environment`.
    ///
    /// # Errors
    /// A binary that was not built: tests find it in the target folder and do not build it themselves.
    pub fn start<'a>(
        binary: &str,
        environment: impl IntoIterator<Item = (&'a str, String)>,
    ) -> anyhow::Result<Self> {
        let program = find(binary)?;
        let folder = tempfile::Builder::new().prefix(&format!("{binary}-")).tempdir()?;
        let mut command = bound(program, Signal::KILL, None);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).envs(environment);
        let child = Child::start(binary, command, &folder.path().join("log"), Signal::KILL)?;
        Ok(Self { child, _folder: folder })
    }

    /// Waits until a GET of `url`, such as its `/readyz`, answers 200.
    ///
    /// # Errors
    /// A process that ends instead, or is not ready in time; the end of its log is in the message.
    pub async fn ready(&mut self, url: &str) -> anyhow::Result<()> {
        let child = &mut self.child;
        let ready = within(PATIENCE, async || {
            if child.ended().is_some() {
                return Some(false);
            }
            let answer = reqwest::get(url).await.ok()?;
            answer.status().is_success().then_some(true)
        })
        .await;
        ensure!(ready == Some(true), "{url} is not ready\n{}", self.child.log_tail());
        Ok(())
    }

    /// Asks it to drain, by SIGTERM, and waits until it has ended.
    ///
    /// # Errors
    /// A process that is still there after ten seconds.
    pub async fn terminate(&mut self) -> anyhow::Result<ExitStatus> {
        self.child.stop(Signal::TERM).await
    }

    /// Kills it without a warning: kill -9.
    pub fn kill(&mut self) {
        self.child.kill();
    }

    /// Freezes it, as a node without time for it would.
    pub fn pause(&mut self) {
        self.child.signal(Signal::STOP);
    }

    /// Ends a [`pause`](Self::pause).
    pub fn resume(&mut self) {
        self.child.signal(Signal::CONT);
    }

    /// Everything it has logged.
    pub fn log(&self) -> String {
        self.child.log()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.child.log_tail());
        }
    }
}

/// The binary in the folder above the running test's (`target/<profile>/deps`).
fn find(binary: &str) -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe()?;
    let program = test
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(binary))
        .find(|program| program.is_file())
        .with_context(|| format!("{binary} is not built: run `cargo build --workspace --bins` first"))?;
    Ok(program)
}
