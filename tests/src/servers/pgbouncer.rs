//! PgBouncer from Debian's packages, before a PostgreSQL. It refuses to run as root, as that one does.

use std::path::Path;
use std::process::Command;

use anyhow::ensure;
use async_trait::async_trait;
use sqlx::{Connection, PgConnection};

use super::child::bound;
use super::postgres::user;
use super::server::Program;

/// A pooler.
#[derive(Debug, Clone)]
pub struct PgBouncer {
    /// The port of the server behind it, on loopback.
    pub server: u16,
    /// How long a client keeps a connection of that server: `session` or `transaction`.
    pub mode: &'static str,
}

#[async_trait]
impl Program for PgBouncer {
    const NAME: &'static str = "pgbouncer";

    async fn prepare(&self, folder: &Path, port: u16) -> anyhow::Result<()> {
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=postgres\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\nunix_socket_dir =\n\
             pool_mode = {}\ndefault_pool_size = 20\nmax_client_conn = 200\n",
            self.server, self.mode
        );
        tokio::fs::write(folder.join("pgbouncer.ini"), settings).await?;
        if let Some(user) = user() {
            let owned =
                tokio::process::Command::new("chown").arg("-R").arg(user).arg(folder).status().await?;
            ensure!(owned.success(), "the user {user} cannot be given a folder");
        }
        Ok(())
    }

    fn command(&self, folder: &Path, _: u16) -> anyhow::Result<Command> {
        let mut command = bound("/usr/sbin/pgbouncer", Self::END, user());
        command.arg(folder.join("pgbouncer.ini"));
        Ok(command)
    }

    async fn answers(&self, port: u16) -> anyhow::Result<()> {
        let options: sqlx::postgres::PgConnectOptions = format!("{}/postgres", self.address(port)).parse()?;
        let mut connection = PgConnection::connect_with(&options.extra_float_digits(None)).await?;
        sqlx::raw_sql("SELECT 1").execute(&mut connection).await?;
        connection.close().await?;
        Ok(())
    }

    fn address(&self, port: u16) -> String {
        format!("postgres://postgres@127.0.0.1:{port}")
    }
}
