//! A real NATS for one test, on a port of its own.

use crate::{ports, wait};
use anyhow::{Context, Result};
use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(20);

/// A running server with JetStream; killed when dropped.
#[derive(Debug)]
pub struct Nats {
    port: u16,
    folder: TempDir,
    child: Child,
}

impl Nats {
    /// Starts one. The error says how NATS is installed, if it is not.
    pub async fn start() -> Result<Self> {
        let (port, folder) = (ports::free()?, TempDir::with_prefix("telepulse-nats-")?);
        let child = spawn(port, &folder)?;
        let nats = Self { port, folder, child };
        nats.answers().await?;
        Ok(nats)
    }

    /// Where it is, as a configuration says it.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Kills it; what it has on disk stays.
    pub fn stop(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it again on the same port.
    pub async fn start_again(&mut self) -> Result<()> {
        self.child = spawn(self.port, &self.folder)?;
        self.answers().await
    }

    async fn answers(&self) -> Result<()> {
        let at = ("127.0.0.1", self.port);
        wait::until("NATS to listen", PATIENCE, async || Ok(TcpStream::connect(at).await.ok()))
            .await
            .map(drop)
    }
}

fn spawn(port: u16, folder: &TempDir) -> Result<Child> {
    Command::new("nats-server")
        .args(["--port", &port.to_string(), "--addr", "127.0.0.1", "--jetstream"])
        .args(["--store_dir", "."])
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("NATS does not start; install it by `apt-get install nats-server`")
}

impl Drop for Nats {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
