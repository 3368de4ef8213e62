//! Runs a command with Redis, Kafka and PostgreSQL around it, and a Kubernetes where it is asked for.
//!
//! `boxoffice-servers [--control-plane] COMMAND [ARGS...]` starts the servers, tells the command by environment where
//! they are, ends them after it, and exits as it did. It starts everything from its main thread, so all of it ends also
//! when it is killed itself.

use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};

use boxoffice_tests::servers::child::bound;
use boxoffice_tests::servers::control_plane::CONTROL_PLANE;
use boxoffice_tests::servers::{
    ControlPlane, KAFKA, KAFKA_CA, KAFKA_MUTUAL, KAFKA_SECURE, POSTGRES, Postgres, REDIS, Redis, SecureKafka,
    Server,
};
use clap::Parser;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};

/// Runs a command with test servers around it.
#[derive(Debug, Parser)]
struct Args {
    /// Whether there is a Kubernetes too, which runs nothing: its folder is in `BOXOFFICE_TEST_CONTROL_PLANE`.
    #[arg(long)]
    control_plane: bool,
    /// The command and its arguments. It finds the servers in `BOXOFFICE_TEST_REDIS`, `BOXOFFICE_TEST_KAFKA`,
    /// `BOXOFFICE_TEST_KAFKA_SECURE`, `BOXOFFICE_TEST_KAFKA_MUTUAL` (both with `BOXOFFICE_TEST_KAFKA_CA`) and
    /// `BOXOFFICE_TEST_POSTGRES`.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let Args { control_plane, command } = Args::parse();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let secure = SecureKafka::new().await?;
    let (redis, kafka, postgres, plane) = tokio::select! {
        servers = start(&secure, control_plane) => servers?,
        _ = terminate.recv() => return Ok(exit_code(ExitStatus::from_raw(Signal::TERM.as_raw()))),
        _ = interrupt.recv() => return Ok(exit_code(ExitStatus::from_raw(Signal::INT.as_raw()))),
    };
    let (program, arguments) = command.split_first().ok_or_else(|| anyhow::anyhow!("no command"))?;
    let child = Command::from(bound(program, Signal::TERM, None))
        .args(arguments)
        .env(REDIS, redis.address())
        .env(KAFKA, kafka.address())
        .env(KAFKA_SECURE, secure.secure_address())
        .env(KAFKA_MUTUAL, secure.mutual_address())
        .env(KAFKA_CA, secure.authority())
        .env(POSTGRES, postgres.address())
        .envs(plane.iter().map(|plane| (CONTROL_PLANE, plane.folder())))
        .spawn()?;
    Ok(exit_code(wait(child, terminate, interrupt).await?))
}

type Servers = (Server<Redis>, Server<SecureKafka>, Server<Postgres>, Option<ControlPlane>);

async fn start(secure: &SecureKafka, control_plane: bool) -> anyhow::Result<Servers> {
    let plane = async { if control_plane { ControlPlane::start().await.map(Some) } else { Ok(None) } };
    tokio::try_join!(
        Server::start(Redis::default()),
        Server::start(secure.clone()),
        Server::start(Postgres::default()),
        plane
    )
}

/// Waits for the command. SIGTERM is passed on; of Ctrl-C the terminal tells it too, so that is only waited out.
async fn wait(
    mut child: Child,
    mut terminate: Signals,
    mut interrupt: Signals,
) -> anyhow::Result<ExitStatus> {
    loop {
        tokio::select! {
            status = child.wait() => return Ok(status?),
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {
                let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
                if let Some(pid) = pid {
                    kill_process(pid, Signal::TERM)?;
                }
            }
        }
    }
}

/// As a shell tells it: the command's own code, or 128 and the signal that ended it.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
