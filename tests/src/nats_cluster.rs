//! Three real servers of NATS that are one, with JetStream: any one may die, and two go on.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{http, ports, wait};

/// How many there are.
pub const SERVERS: usize = 3;
/// Electing leaders takes some seconds.
const PATIENCE: Duration = Duration::from_mins(1);

/// The servers; killed when dropped.
#[derive(Debug)]
pub struct NatsCluster {
    servers: Vec<Server>,
}

#[derive(Debug)]
struct Server {
    port: u16,
    /// Where it says how it is.
    monitor: u16,
    folder: TempDir,
    child: Option<Child>,
}

impl NatsCluster {
    /// Starts them and waits until they have found each other.
    ///
    /// To be called from the test's own thread, as [`Asterisk::start`](crate::asterisk::Asterisk::start).
    pub async fn start() -> Result<Self> {
        let routes = (0..SERVERS).map(|_| ports::free()).collect::<Result<Vec<_>>>()?;
        let servers = (0..SERVERS).map(|number| Server::prepare(number, &routes));
        let mut cluster = Self { servers: servers.collect::<Result<_>>()? };
        for server in &mut cluster.servers {
            server.spawn()?;
        }
        cluster.is_whole().await?;
        Ok(cluster)
    }

    /// Where clients connect.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.servers.iter().map(|server| (Ipv4Addr::LOCALHOST, server.port).into()).collect()
    }

    /// Kills one as a power cut would; what it has on disk stays.
    pub fn kill(&mut self, number: usize) -> Result<()> {
        self.servers[number].kill()
    }

    /// Starts one again on the same ports, with what it had on disk.
    pub fn start_again(&mut self, number: usize) -> Result<()> {
        self.servers[number].spawn()
    }

    /// Waits until each has all that the others have.
    pub async fn is_whole(&self) -> Result<()> {
        for (number, server) in self.servers.iter().enumerate() {
            let mut said = String::new();
            let healthy = wait::until("JetStream to be healthy", PATIENCE, async || {
                let Ok((status, body)) = http::get(server.monitor, "/healthz").await else {
                    return Ok(None);
                };
                said = body;
                Ok((status == 200).then_some(()))
            });
            healthy.await.with_context(|| format!("nats-server {number}: {said}"))?;
        }
        Ok(())
    }

    /// What they logged: for the message of a failed test.
    pub fn log(&self) -> String {
        self.servers.iter().map(Server::log).collect()
    }
}

impl Server {
    fn prepare(number: usize, routes: &[u16]) -> Result<Self> {
        let folder = TempDir::with_prefix("telepulse-nats-")?;
        let (port, monitor) = (ports::free()?, ports::free()?);
        let known: Vec<String> =
            routes.iter().map(|port| format!("\"nats://127.0.0.1:{port}\"")).collect();
        // Nobody is told of the others: whoever is to reach them is told where by the test.
        let text = format!(
            "server_name: n{number}\nhost: 127.0.0.1\nport: {port}\nhttp: \"127.0.0.1:{monitor}\"\n\
             jetstream {{ store_dir: store }}\n\
             cluster {{ name: tests, host: 127.0.0.1, port: {}, no_advertise: true, routes: [{}] }}\n",
            routes[number],
            known.join(", ")
        );
        fs::write(folder.path().join("nats.conf"), text)?;
        Ok(Self { port, monitor, folder, child: None })
    }

    fn spawn(&mut self) -> Result<()> {
        let log =
            File::options().create(true).append(true).open(self.folder.path().join("nats.log"))?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", "nats-server", "-c", "nats.conf"]);
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
        let spawned = command.stderr(log).spawn();
        self.child = Some(spawned.context("starting nats-server by setpriv")?);
        Ok(())
    }

    fn kill(&mut self) -> Result<()> {
        let mut child = self.child.take().context("this nats-server does not run")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    fn log(&self) -> String {
        let text = fs::read_to_string(self.folder.path().join("nats.log")).unwrap_or_default();
        format!("nats-server at {}:\n{text}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.kill();
    }
}
