//! A worker of ours as a process of its own, for tests that configure it as the operator does, drain it, or kill it;
//! and commands that are run to their end.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Output, Stdio};

use anyhow::{Context, ensure};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::servers::child::{Child, bound, memory};
use crate::wait::{PATIENCE, within};

/// A running worker; dropping it kills it, and a test that fails shows the end of its log.
#[derive(Debug)]
pub struct Process {
    child: Child,
    // Holds the log.
    _folder: TempDir,
}

impl Process {
    /// Starts `binary` (`boxoffice-command`, ..., or the path of one that was built elsewhere) with nothing in its environment
    /// but `environment`.
    ///
    /// # Errors
    /// A binary that was not built: tests find it in the target folder and do not build it themselves.
    pub fn start<'a>(
        binary: &str,
        environment: impl IntoIterator<Item = (&'a str, String)>,
    ) -> anyhow::Result<Self> {
        Self::start_with(binary, [""; 0], environment)
    }

    /// The same with arguments.
    ///
    /// # Errors
    /// A binary that was not built.
    pub fn start_with<'a>(
        binary: &str,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        environment: impl IntoIterator<Item = (&'a str, String)>,
    ) -> anyhow::Result<Self> {
        let name = binary.rsplit('/').next().unwrap_or(binary);
        let folder = tempfile::Builder::new().prefix(&format!("{name}-")).tempdir()?;
        let mut command = command(binary)?;
        command.args(arguments);
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

    /// Waits until it says something: `text`, somewhere in its log.
    ///
    /// # Errors
    /// A process that does not say it in time; the end of its log is in the message.
    pub async fn says(&mut self, text: &str) -> anyhow::Result<()> {
        let said = within(PATIENCE, async || {
            let ended = self.child.ended().is_some();
            if self.log().contains(text) { Some(true) } else { ended.then_some(false) }
        })
        .await;
        ensure!(said == Some(true), "it does not say {text:?}\n{}", self.child.log_tail());
        Ok(())
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.ended().is_some()
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// A process that does not end in time.
    pub async fn ended(&mut self) -> anyhow::Result<ExitStatus> {
        let ended = within(PATIENCE, async || self.child.ended()).await;
        ended.with_context(|| format!("it does not end\n{}", self.child.log_tail()))
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

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// CPU seconds that it has spent so far, its own and the system's for it.
    ///
    /// # Errors
    /// A process that has ended, or a system without `/proc`.
    pub fn cpu_seconds(&self) -> anyhow::Result<f64> {
        self.child.cpu_seconds()
    }

    /// The memory that it has now, in MiB.
    ///
    /// # Errors
    /// A process that has ended, or a system without `/proc`.
    pub fn memory(&self) -> anyhow::Result<f64> {
        memory(self.id(), "VmRSS")
    }

    /// The most memory that it ever had, in MiB.
    ///
    /// # Errors
    /// A process that has ended, or a system without `/proc`.
    pub fn peak_memory(&self) -> anyhow::Result<f64> {
        memory(self.id(), "VmHWM")
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

/// Runs `binary` with `arguments` to its end.
///
/// # Errors
/// A binary that was not built.
pub async fn run(
    binary: &str,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> anyhow::Result<Output> {
    let mut command = tokio::process::Command::from(command(binary)?);
    Ok(command.args(arguments).stdin(Stdio::null()).kill_on_drop(true).output().await?)
}

/// The sum of what is measured in the series whose names begin with `series`, such as `boxoffice_errors_total{kind="a"`.
pub fn measured(metrics: &str, series: &str) -> f64 {
    let lines = metrics.lines().filter(|line| line.starts_with(series));
    lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
}

/// What runs `binary`, bound to the life of the calling thread, for tests that start it in their own way.
///
/// # Errors
/// A binary that was not built.
pub fn command(binary: &str) -> anyhow::Result<Command> {
    Ok(bound(find(binary)?, Signal::KILL, None))
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
