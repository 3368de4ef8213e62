//! Redis, as the seat store's tests want it: no eviction, and nothing on disk unless asked for.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use async_trait::async_trait;

use super::child::bound;
use super::server::{Program, Server};

/// Settings of a Redis server.
#[derive(Debug, Clone, Copy, Default)]
pub struct Redis {
    /// Whether it writes an append-only file: what a restart then finds again.
    pub append_only: bool,
    /// Whether it flushes that file to disk before each answer, and not once a second.
    pub fsync: bool,
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
            .args(["--appendfsync", if self.fsync { "always" } else { "everysec" }])
            // The file stays one that a test can cut.
            .args(["--auto-aof-rewrite-percentage", "0", "--maxmemory-policy", "noeviction"])
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

impl Server<Redis> {
    /// How long its append-only file is.
    ///
    /// # Errors
    /// There is none.
    pub fn appended(&self) -> anyhow::Result<u64> {
        Ok(appendix(self.folder())?.metadata()?.len())
    }

    /// Takes what was appended beyond `length` away, as a power cut does that came before the flush; for one that was
    /// killed.
    ///
    /// # Errors
    /// There is no such file.
    pub fn cut(&self, length: u64) -> anyhow::Result<()> {
        Ok(File::options().write(true).open(appendix(self.folder())?)?.set_len(length)?)
    }
}

/// The file to which it appends.
fn appendix(folder: &Path) -> anyhow::Result<PathBuf> {
    let files = std::fs::read_dir(folder.join("appendonlydir"))?;
    let mut paths = files.filter_map(Result::ok).map(|file| file.path());
    paths.find(|path| path.to_string_lossy().ends_with(".incr.aof")).context("redis has no append-only file")
}
