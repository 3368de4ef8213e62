//! A child process that never outlives its parent.
//!
//! It is started through `setpriv --pdeathsig`, so the kernel ends it when the thread that started it is gone, however
//! that went; it has a process group of its own, so that Ctrl-C reaches it only through its parent; and dropping it
//! ends it. What it prints goes to a file.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

/// How long a process may take to end by itself.
const GRACE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);
/// How much of a log is shown when something went wrong.
const TAIL_LINES: usize = 30;

/// A running child.
#[derive(Debug)]
pub struct Child {
    name: String,
    process: std::process::Child,
    log: PathBuf,
    last_resort: Signal,
}

/// The command that runs `program` bound to the life of the calling thread; its arguments are to be added.
/// `signal` is what it gets when that thread is gone, and `user` who it runs as, where that matters.
pub fn bound(program: impl AsRef<OsStr>, signal: Signal, user: Option<&str>) -> Command {
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig").arg(match signal {
        Signal::QUIT => "QUIT",
        Signal::TERM => "TERM",
        _ => "KILL",
    });
    if let Some(user) = user {
        command.args(["--reuid", user, "--regid", user, "--clear-groups"]);
    }
    command.arg("--").arg(program);
    command
}

impl Child {
    /// Starts `command`, made by [`bound`], with its output appended to `log`. `last_resort` ends it when it is
    /// dropped.
    pub fn start(name: &str, mut command: Command, log: &Path, last_resort: Signal) -> anyhow::Result<Self> {
        let output = File::options().create(true).append(true).open(log)?;
        let process = command
            .stdin(std::process::Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()
            .with_context(|| format!("{name} cannot be started (setpriv comes with util-linux)"))?;
        Ok(Self { name: name.to_owned(), process, log: log.to_owned(), last_resort })
    }

    /// Sends it a signal; one that has ended is left alone.
    pub fn signal(&mut self, signal: Signal) {
        let ended = !matches!(self.process.try_wait(), Ok(None));
        if let (false, Some(pid)) = (ended, pid(&self.process)) {
            // It may end in this very moment, which is no trouble.
            kill_process(pid, signal).ok();
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// CPU seconds that it has spent so far, its own and the system's for it.
    ///
    /// # Errors
    /// A process that has ended, or a system without `/proc`.
    pub fn cpu_seconds(&self) -> anyhow::Result<f64> {
        cpu_seconds(self.id())
    }

    /// Its exit status, once it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().ok().flatten()
    }

    /// Asks it to end by `signal` and waits; SIGKILL when it takes too long.
    pub async fn stop(&mut self, signal: Signal) -> anyhow::Result<ExitStatus> {
        self.signal(signal);
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline {
            if let Some(status) = self.ended() {
                return Ok(status);
            }
            tokio::time::sleep(POLL).await;
        }
        self.kill();
        anyhow::bail!("{} did not end within {GRACE:?}\n{}", self.name, self.log_tail())
    }

    /// Ends it without a warning.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        drop(self.process.wait());
    }

    /// Everything it has printed.
    pub fn log(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The last lines it has printed.
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(TAIL_LINES)..).unwrap_or_default();
        format!("the last lines of {}:\n{}", self.name, tail.join("\n"))
    }

    #[expect(clippy::disallowed_methods, reason = "a destructor cannot await")]
    fn wait_blocking(&mut self) -> Option<ExitStatus> {
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            std::thread::sleep(POLL);
        }
        None
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.signal(self.last_resort);
        self.signal(Signal::CONT);
        if self.wait_blocking().is_none() {
            self.kill();
        }
    }
}

/// CPU seconds, user and system, that the process `id` has spent so far.
///
/// # Errors
/// A process that has ended, or a system without `/proc`.
pub fn cpu_seconds(id: u32) -> anyhow::Result<f64> {
    cpu_seconds_in(&format!("/proc/{id}/stat"))
}

fn cpu_seconds_in(file: &str) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(file)?;
    // Its name may have blanks; what comes behind it begins with the third field. User and system time are 14 and 15.
    let fields = stat.rsplit_once(") ").context("no process status")?.1.split(' ').skip(11).take(2);
    let ticks = fields.map(str::parse::<u32>).sum::<Result<u32, _>>()?;
    let a_second = u32::try_from(rustix::param::clock_ticks_per_second())?;
    Ok(f64::from(ticks) / f64::from(a_second))
}

/// CPU seconds, user and system, that the calling thread has spent so far.
///
/// # Errors
/// A system without `/proc`.
pub fn cpu_seconds_of_this_thread() -> anyhow::Result<f64> {
    cpu_seconds_in("/proc/thread-self/stat")
}

/// What the system says of the memory of process `id` in a field such as `VmHWM`, in MiB.
///
/// # Errors
/// A process that has ended, or a system without `/proc`.
pub fn memory(id: u32, field: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let kib = line.with_context(|| format!("no {field}"))?.trim().trim_end_matches(" kB");
    Ok(kib.parse::<f64>()? / 1024.0)
}

fn pid(process: &std::process::Child) -> Option<Pid> {
    i32::try_from(process.id()).ok().and_then(Pid::from_raw)
}
