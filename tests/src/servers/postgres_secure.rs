//! A PostgreSQL that is reached by TLS alone, and lets in clients by their certificates.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::ensure;
use async_trait::async_trait;
use boxoffice_runtime::postgres::DatabaseArgs;
use rustix::process::Signal;
use sqlx::{Connection, PgConnection};

use super::certificates::{CLIENT, Certificates};
use super::postgres::{Postgres, user};
use super::server::Program;

/// Whoever shows the client's certificate is the administrator.
const IDENTITIES: &str = "clients";

/// Settings of such a server.
#[derive(Debug, Clone)]
pub struct SecurePostgres {
    /// The server's, which names `127.0.0.1` and not `127.0.0.2`, where it answers too; and who signed those that it takes.
    pub certificates: Certificates,
}

#[async_trait]
impl Program for SecurePostgres {
    const NAME: &'static str = "postgres";
    const END: Signal = Postgres::END;

    async fn prepare(&self, folder: &Path, port: u16) -> anyhow::Result<()> {
        Postgres::default().prepare(folder, port).await?;
        let Certificates { authority, certificate, key, .. } = &self.certificates;
        let hba = format!("hostssl all all 127.0.0.0/8 cert map={IDENTITIES}\n");
        let identities = format!("{IDENTITIES} {CLIENT} postgres\n");
        for (name, text) in [
            ("authority.pem", &authority.text),
            ("certificate.pem", &certificate.text),
            ("key.pem", &key.text),
            ("hba", &hba),
            ("identities", &identities),
        ] {
            let file = folder.join(name);
            std::fs::write(&file, text)?;
            // It refuses a key that others may read.
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600))?;
            if let Some(user) = user() {
                let owned = tokio::process::Command::new("chown").arg(user).arg(&file).status().await?;
                ensure!(owned.success(), "the user {user} cannot be given a file");
            }
        }
        Ok(())
    }

    fn command(&self, folder: &Path, port: u16) -> anyhow::Result<Command> {
        let mut command = Postgres::default().command(folder, port)?;
        command.args(["-c", "listen_addresses=127.0.0.1,127.0.0.2", "-c", "ssl=on"]);
        for (setting, name) in [
            ("ssl_ca_file", "authority.pem"),
            ("ssl_cert_file", "certificate.pem"),
            ("ssl_key_file", "key.pem"),
            ("hba_file", "hba"),
            ("ident_file", "identities"),
        ] {
            command.arg("-c").arg(format!("{setting}={}", folder.join(name).display()));
        }
        Ok(command)
    }

    async fn answers(&self, port: u16) -> anyhow::Result<()> {
        let at = DatabaseArgs::at(format!("{}/postgres", self.address(port)));
        let options =
            DatabaseArgs { database_tls: self.certificates.database_tls(), ..at }.options("test")?;
        let mut connection = PgConnection::connect_with(&options).await?;
        sqlx::query("SELECT 1").execute(&mut connection).await?;
        connection.close().await?;
        Ok(())
    }

    fn address(&self, port: u16) -> String {
        Postgres::default().address(port)
    }
}
