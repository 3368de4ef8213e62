//! PostgreSQL from Debian's packages. It refuses to run as root, so where the tests do, it runs as its own user.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use async_trait::async_trait;
use rustix::process::Signal;
use sqlx::{Connection, PgConnection};

use super::child::bound;
use super::server::Program;

const VERSIONS: &str = "/usr/lib/postgresql";
const USER: &str = "postgres";

/// Settings of a PostgreSQL server.
#[derive(Debug, Clone, Copy, Default)]
pub struct Postgres {
    /// Whether it flushes to disk at each commit. Without, it survives its own crash but not the machine's.
    pub fsync: bool,
}

#[async_trait]
impl Program for Postgres {
    const NAME: &'static str = "postgres";
    /// Its immediate shutdown: as sudden as SIGKILL for clients, but its shared memory goes too.
    const END: Signal = Signal::QUIT;

    async fn prepare(&self, folder: &Path, _: u16) -> anyhow::Result<()> {
        if let Some(user) = user() {
            let owned = tokio::process::Command::new("chown").arg(user).arg(folder).status().await?;
            ensure!(owned.success(), "the user {user} cannot be given a folder");
        }
        let made = tokio::process::Command::from(bound(programs()?.join("initdb"), Signal::KILL, user()))
            .args([
                "--no-sync",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--username",
                USER,
                "--pgdata",
            ])
            .arg(folder.join("data"))
            .kill_on_drop(true)
            .output()
            .await?;
        ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Ok(())
    }

    fn command(&self, folder: &Path, port: u16) -> anyhow::Result<Command> {
        let mut command = bound(programs()?.join("postgres"), Self::END, user());
        command.arg("-D").arg(folder.join("data"));
        for setting in [
            "listen_addresses=127.0.0.1",
            &format!("port={port}"),
            "unix_socket_directories=",
            "max_connections=300",
            &format!("fsync={}", self.fsync),
        ] {
            command.arg("-c").arg(setting);
        }
        Ok(command)
    }

    async fn answers(&self, port: u16) -> anyhow::Result<()> {
        let mut connection = PgConnection::connect(&format!("{}/postgres", self.address(port))).await?;
        sqlx::query("SELECT 1").execute(&mut connection).await?;
        connection.close().await?;
        Ok(())
    }

    fn address(&self, port: u16) -> String {
        format!("postgres://{USER}@127.0.0.1:{port}")
    }
}

/// A standby of another server, which follows it from the moment at which it is made; `SELECT pg_promote()` makes it a
/// server of its own.
#[derive(Debug, Clone)]
pub struct Standby {
    /// The server that it follows: its URL without a database.
    pub of: String,
}

#[async_trait]
impl Program for Standby {
    const NAME: &'static str = "standby";
    const END: Signal = Postgres::END;

    async fn prepare(&self, folder: &Path, _: u16) -> anyhow::Result<()> {
        if let Some(user) = user() {
            let owned = tokio::process::Command::new("chown").arg(user).arg(folder).status().await?;
            ensure!(owned.success(), "the user {user} cannot be given a folder");
        }
        let copied =
            tokio::process::Command::from(bound(programs()?.join("pg_basebackup"), Signal::KILL, user()))
                .args([
                    "--write-recovery-conf",
                    "--no-sync",
                    "--checkpoint=fast",
                    "--dbname",
                    &self.of,
                    "--pgdata",
                ])
                .arg(folder.join("data"))
                .kill_on_drop(true)
                .output()
                .await?;
        ensure!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
        Ok(())
    }

    fn command(&self, folder: &Path, port: u16) -> anyhow::Result<Command> {
        Postgres::default().command(folder, port)
    }

    async fn answers(&self, port: u16) -> anyhow::Result<()> {
        Postgres::default().answers(port).await
    }

    fn address(&self, port: u16) -> String {
        Postgres::default().address(port)
    }
}

/// The user to run as, where the tests run as root.
pub(super) fn user() -> Option<&'static str> {
    rustix::process::geteuid().is_root().then_some(USER)
}

/// The folder of the newest installed version's programs.
fn programs() -> anyhow::Result<PathBuf> {
    std::fs::read_dir(VERSIONS)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .max()
        .map(|version| Path::new(VERSIONS).join(version.to_string()).join("bin"))
        .context("PostgreSQL is not installed: run tests/servers/install servers")
}
