//! A real NATS or Redis for one test, on a port of its own.

use crate::{ports, wait};
use anyhow::{Context, Result};
use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(20);

/// A server of another project.
#[derive(Debug)]
pub struct Kind {
    name: &'static str,
    scheme: &'static str,
    /// The program, and the Debian package that has it.
    program: &'static str,
    /// What it is told beside its port.
    args: &'static [&'static str],
}

/// With JetStream, which keeps on disk what it is given.
pub const NATS: Kind = Kind {
    name: "NATS",
    scheme: "nats",
    program: "nats-server",
    args: &["--addr", "127.0.0.1", "--jetstream", "--store_dir", "."],
};

/// It keeps nothing on disk.
pub const REDIS: Kind = Kind {
    name: "Redis",
    scheme: "redis",
    program: "redis-server",
    args: &["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
};

/// A running server; killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    kind: Kind,
    port: u16,
    folder: TempDir,
    child: Child,
}

impl Daemon {
    /// Starts one. The error says how it is installed, if it is not.
    pub async fn start(kind: Kind) -> Result<Self> {
        let prefix = format!("telepulse-{}-", kind.scheme);
        let (port, folder) = (ports::free()?, TempDir::with_prefix(prefix)?);
        let child = spawn(&kind, port, &folder)?;
        let daemon = Self { kind, port, folder, child };
        daemon.answers().await?;
        Ok(daemon)
    }

    /// Where it is, as a configuration says it.
    pub fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", self.kind.scheme, self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills it; what it has on disk stays.
    pub fn stop(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it again on the same port.
    pub async fn start_again(&mut self) -> Result<()> {
        self.child = spawn(&self.kind, self.port, &self.folder)?;
        self.answers().await
    }

    async fn answers(&self) -> Result<()> {
        let at = ("127.0.0.1", self.port);
        let what = format!("{} to listen", self.kind.name);
        wait::until(&what, PATIENCE, async || Ok(TcpStream::connect(at).await.ok())).await.map(drop)
    }
}

fn spawn(kind: &Kind, port: u16, folder: &TempDir) -> Result<Child> {
    let Kind { name, program, args, .. } = kind;
    Command::new(program)
        .args(["--port", &port.to_string()])
        .args(*args)
        .current_dir(folder.path())
        .stdout(Stdio::null())
        // What NATS has to say comes there.
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| {
            format!("{name} does not start; install it by `apt-get install {program}`")
        })
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
