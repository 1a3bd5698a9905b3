//! A real Redis for one test, on a port of its own.

use crate::{ports, wait};
use anyhow::{Context, Result};
use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(20);

/// A running server; killed when dropped. It keeps nothing on disk.
#[derive(Debug)]
pub struct Redis {
    port: u16,
    folder: TempDir,
    child: Child,
}

impl Redis {
    /// Starts one. The error says how Redis is installed, if it is not.
    pub async fn start() -> Result<Self> {
        let (port, folder) = (ports::free()?, TempDir::with_prefix("telepulse-redis-")?);
        let child = spawn(port, &folder)?;
        let redis = Self { port, folder, child };
        redis.answers().await?;
        Ok(redis)
    }

    /// Where it is, as a configuration says it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Kills it, with all that it has.
    pub fn stop(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it again on the same port, empty.
    pub async fn start_again(&mut self) -> Result<()> {
        self.child = spawn(self.port, &self.folder)?;
        self.answers().await
    }

    async fn answers(&self) -> Result<()> {
        let at = ("127.0.0.1", self.port);
        wait::until("Redis to listen", PATIENCE, async || Ok(TcpStream::connect(at).await.ok()))
            .await
            .map(drop)
    }
}

fn spawn(port: u16, folder: &TempDir) -> Result<Child> {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no"])
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .spawn()
        .context("Redis does not start; install it by `apt-get install redis-server`")
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
