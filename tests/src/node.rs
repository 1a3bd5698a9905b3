//! TelePulse nodes as processes of their own, with both gateways, as an operator starts them.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::wall_clock::{WallClock, Wrong};
use crate::{http, plugins, ports, wait};

/// The token of the user who may do everything.
pub const TOKEN: &str = "all-powerful-test-token";
/// What the configuration holds instead of it.
const HASH: &str = "88fccf74160e6004393102d372894cd8180b99b0d1748393f687edd086bd7a62";

/// A node; killed when dropped.
#[derive(Debug)]
pub struct Node {
    name: String,
    folder: TempDir,
    clock: WallClock,
    /// Where the WebSocket gateway listens,
    pub ws: u16,
    /// the REST gateway,
    pub rest: u16,
    /// and the admin API.
    pub admin: u16,
    child: Option<Child>,
}

impl Node {
    /// Writes its folder: both gateways, and a configuration with these lines more. What was compiled
    /// before is taken from `compiled`.
    pub fn prepare(name: &str, toml: &str, compiled: &Path) -> Result<Self> {
        let folder = TempDir::with_prefix(format!("telepulse-{name}-"))?;
        let (ws, rest, admin) = (ports::free()?, ports::free()?, ports::free()?);
        let gateways = folder.path().join("plugins.d");
        fs::create_dir(&gateways)?;
        let ports = [("127.0.0.1:8084", ws), ("127.0.0.1:8083", rest)];
        plugins::install("websocket", &gateways, &ports, |toml| toml)?;
        plugins::install("rest", &gateways, &ports[1..], |toml| toml)?;
        let text = format!(
            "[node]\nname = \"{name}\"\n[plugins]\ndir = \"plugins.d\"\n\
             [admin]\nlisten = \"127.0.0.1:{admin}\"\n\
             [[auth.user]]\nname = \"test\"\ntoken = \"sha256:{HASH}\"\nallow = [\"*\"]\n{toml}"
        );
        fs::write(folder.path().join("telepulse.toml"), text)?;
        let clock = WallClock::new(&folder.path().join("clock"))?;
        let node = Self { name: name.to_owned(), folder, clock, ws, rest, admin, child: None };
        plugins::share(compiled, &node.compiled())?;
        Ok(node)
    }

    /// Starts it; [`Node::ready`] waits until it is of use.
    ///
    /// To be called from the test's own thread, as [`Asterisk::start`](crate::asterisk::Asterisk::start).
    pub fn start(&mut self) -> Result<()> {
        ensure!(self.child.is_none(), "node {} runs already", self.name);
        let log = File::options().create(true).append(true).open(self.log_file())?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program()?);
        command.args(["run", "--config", "telepulse.toml"]).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.clock.show(&mut command)?;
        self.child = Some(command.spawn().context("starting telepulse by setpriv")?);
        Ok(())
    }

    /// Waits until it is ready, and somebody listens at both gateways.
    pub async fn ready(&mut self, limit: Duration) -> Result<()> {
        let mut said = String::new();
        let is_ready = wait::until("a node to be ready", limit, async || {
            if let Some(status) = self.child.as_mut().map(Child::try_wait).transpose()?.flatten() {
                bail!("it ended with {status}");
            }
            let Ok((status, body)) = http::get(self.admin, "/readyz").await else {
                return Ok(None);
            };
            said = body;
            let gateways = [(self.ws, "/"), (self.rest, "/v1/openapi.json")];
            for (port, path) in gateways {
                if http::get(port, path).await.is_err() {
                    return Ok(None);
                }
            }
            Ok((status == 200).then_some(()))
        });
        let ready = is_ready.await;
        ready.with_context(|| format!("node {}: {said}\n{}", self.name, self.log()))
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Kills it, as a power cut would.
    pub fn kill(&mut self) -> Result<()> {
        let mut child = self.child.take().context("this node does not run")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Stops it in mid-air: its connections stay, and nothing is said on them.
    pub fn pause(&self) -> Result<()> {
        self.signal("-STOP")
    }

    /// Lets it go on.
    pub fn go_on(&self) -> Result<()> {
        self.signal("-CONT")
    }

    /// Sets its clock on the wall, whether or not it runs.
    pub fn set_clock(&self, wrong: Wrong) -> Result<()> {
        self.clock.set(wrong)
    }

    /// Ends it in good order.
    pub async fn stop(&mut self, limit: Duration) -> Result<()> {
        self.signal("-TERM")?;
        let child = self.child.as_mut().context("this node does not run")?;
        let ended = wait::until("a node to stop", limit, async || Ok(child.try_wait()?)).await?;
        self.child = None;
        ensure!(ended.success(), "node {} ended with {ended}", self.name);
        Ok(())
    }

    fn signal(&self, signal: &str) -> Result<()> {
        let child = self.child.as_ref().context("this node does not run")?;
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status()?;
        ensure!(sent.success(), "kill {signal} of node {}: {sent}", self.name);
        Ok(())
    }

    /// The folder with what it has compiled.
    pub fn compiled(&self) -> PathBuf {
        self.folder.path().join("data/compiled")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("node.log")
    }

    /// What it said so far: for the message of a failed test.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.kill();
        if env::var_os("TELEPULSE_KEEP").is_some() {
            self.folder.disable_cleanup(true);
            eprintln!("kept: {}", self.folder.path().display());
        }
    }
}

/// The program that the workspace builds, beside the tests.
fn program() -> Result<PathBuf> {
    let own = env::current_exe().context("where is this program?")?;
    let folder = own.parent().and_then(Path::parent).context("tests lie in a folder `deps`")?;
    let program = folder.join("telepulse");
    ensure!(
        program.exists(),
        "{} is missing: build the whole workspace, as `cargo xtask test` does",
        program.display()
    );
    Ok(program)
}
