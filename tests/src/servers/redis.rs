//! Redis, as the seat store's tests want it: no eviction, and nothing on disk unless asked for.

use std::path::Path;
use std::process::Command;

use async_trait::async_trait;

use super::child::bound;
use super::server::Program;

/// Settings of a Redis server.
#[derive(Debug, Clone, Copy, Default)]
pub struct Redis {
    /// Whether it writes an append-only file, flushed each second: what a restart then finds again.
    pub append_only: bool,
}

#[async_trait]
impl Program for Redis {
    const NAME: &'static str = "redis";

    async fn prepare(&self, _: &Path, _: u16) -> anyhow::Result<()> {
        Ok(())
    }

    fn command(&self, folder: &Path, port: u16) -> anyhow::Result<Command> {
        let mut command = bound("redis-server", Self::END, None);
        command
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .args(["--save", "", "--appendonly", if self.append_only { "yes" } else { "no" }])
            .args(["--maxmemory-policy", "noeviction"])
            .arg("--dir")
            .arg(folder);
        Ok(command)
    }

    async fn answers(&self, port: u16) -> anyhow::Result<()> {
        let client = redis::Client::open(self.address(port))?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        redis::cmd("PING").query_async::<()>(&mut connection).await?;
        Ok(())
    }

    fn address(&self, port: u16) -> String {
        format!("redis://127.0.0.1:{port}")
    }
}
