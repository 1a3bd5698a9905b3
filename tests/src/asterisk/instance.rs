//! One running Asterisk: started, stopped, killed and started again on the same ports.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::config::{self, Options, Ports};
use super::install::Installation;
use crate::ami::{Client, Events};
use crate::wait;

/// Where an Asterisk in a root of its own sees its instance's folder.
const SEEN_AS: &str = "/mnt";
const AUDITOR_SECRET: &str = "the tests' own";
/// Usually one or two seconds, but the machine may be busy compiling.
const BOOT: Duration = Duration::from_mins(1);
const STOP: Duration = Duration::from_secs(30);

/// Gives the instance /proc, /dev and its own folder, in a mount namespace which ends with it: no
/// mount is left behind for a later `rm -r` of the cache to walk into.
const IN_ROOT: &str = "set -e\n\
    mount --rbind /proc \"$1/proc\"\n\
    mount --rbind /dev \"$1/dev\"\n\
    mount --bind \"$2\" \"$1/mnt\"\n\
    exec chroot \"$1\" asterisk -f -n -C /mnt/etc/asterisk.conf";

/// Logs auditors in, whether or not the [`Asterisk`] is running: see [`Asterisk::auditors`].
#[derive(Debug, Clone, Copy)]
pub struct Auditors {
    manager: SocketAddr,
}

impl Auditors {
    /// A new session with all rights and no events.
    pub async fn login(self) -> Result<Client> {
        Client::login(self.manager, "auditor", AUDITOR_SECRET, Events::Off).await
    }
}

/// A running Asterisk with folders, ports and phones of its own; killed when dropped.
#[derive(Debug)]
pub struct Asterisk {
    installation: Installation,
    options: Options,
    ports: Ports,
    child: Option<Child>,
    dir: TempDir,
}

impl Asterisk {
    /// Configures and boots an instance; returns when it takes AMI logins and is fully booted.
    ///
    /// To be called from the test's own thread, not from a spawned task: Asterisk is killed when
    /// the thread that started it ends, and so never outlives a test that crashed.
    pub async fn start(installation: &Installation, options: Options) -> Result<Self> {
        let dir = TempDir::with_prefix("telepulse-asterisk-").context("creating a folder")?;
        let ports = Ports::pick()?;
        let seen_as = match installation.root() {
            Some(_) => String::from(SEEN_AS),
            None => dir.path().display().to_string(),
        };
        config::write(dir.path(), &seen_as, &options, &ports, AUDITOR_SECRET)?;
        let installation = installation.clone();
        let mut instance = Self { installation, options, ports, child: None, dir };
        instance.start_again().await?;
        Ok(instance)
    }

    /// Boots it again after [`Self::stop`] or [`Self::kill`]: same ports, same files.
    pub async fn start_again(&mut self) -> Result<()> {
        if self.child.is_some() {
            bail!("this Asterisk is already running");
        }
        let mut command = command(&self.installation, self.dir.path());
        let console = File::create(self.dir.path().join("console.log"))?;
        command.stdin(Stdio::null()).stdout(console.try_clone()?).stderr(console);
        self.child = Some(command.spawn().context("starting Asterisk")?);
        let booted = tokio::time::timeout(BOOT, self.booted()).await;
        let error = match booted {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error,
            Err(_) => anyhow::anyhow!("not fully booted after {} s", BOOT.as_secs()),
        };
        let log = self.log();
        self.kill()?;
        Err(error.context(format!("Asterisk did not boot; it said:\n{log}")))
    }

    async fn booted(&mut self) -> Result<()> {
        loop {
            if let Some(status) = self.child.as_mut().map(Child::try_wait).transpose()?.flatten() {
                bail!("Asterisk ended at once ({status})");
            }
            if let Ok(client) =
                Client::login(self.manager(), "auditor", AUDITOR_SECRET, Events::On).await
            {
                client
                    .wait(0, BOOT, "FullyBooted", |message| message.is_event("FullyBooted"))
                    .await?;
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Ends it in an orderly way, as an administrator does: calls are hung up, sessions closed.
    pub async fn stop(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else { bail!("this Asterisk is not running") };
        let asked = async {
            let mut auditor = self.auditor().await?;
            auditor.send("Command", &[("Command", "core stop now")]).await
        };
        let asked = asked.await.map(drop);
        let mut ended = ends(&mut child, STOP).await;
        if ended.is_err() {
            // Seldom it hangs in the middle of it, and goes on when it is told once more.
            Command::new("kill").args(["-TERM", &child.id().to_string()]).status()?;
            ended = ends(&mut child, STOP).await;
        }
        if asked.is_err() || ended.is_err() {
            end(&mut child)?;
        }
        asked.and(ended)
    }

    /// Kills it in the middle of whatever it does (SIGKILL).
    pub fn kill(&mut self) -> Result<()> {
        match self.child.take() {
            Some(mut child) => end(&mut child),
            None => bail!("this Asterisk is not running"),
        }
    }

    /// Whether it ended by itself: crashes do happen to it. [`Self::start_again`] boots it again.
    pub fn has_died(&mut self) -> Result<bool> {
        let Some(child) = &mut self.child else { return Ok(false) };
        let died = child.try_wait()?.is_some();
        if died {
            self.child = None;
        }
        Ok(died)
    }

    /// Where AMI listens.
    pub fn manager(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.manager).into()
    }

    /// Where its HTTP server listens, with [`Options::ari`].
    pub fn http(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.http).into()
    }

    /// The password of the ARI user `telepulse`, whose rights are in `tests/asterisk/ari.conf`.
    pub fn ari_password(&self) -> &'static str {
        config::ARI_PASSWORD
    }

    /// Where SIP listens (UDP).
    pub fn sip(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.sip).into()
    }

    /// The AMI user for what is under test; its rights are in `tests/asterisk/manager.conf`.
    pub fn username(&self) -> &'static str {
        "telepulse"
    }

    /// That user's secret.
    pub fn secret(&self) -> &str {
        &self.options.secret
    }

    /// The port on 127.0.0.1 where the phone `extension` (or `trunk`) is expected.
    pub fn phone_port(&self, extension: &str) -> Result<u16> {
        if extension == "trunk" {
            return Ok(self.ports.trunk);
        }
        let number = extension.parse::<u16>().ok();
        let phone = self.ports.phones.iter().find(|(known, _)| Some(*known) == number);
        phone.map(|(_, port)| *port).with_context(|| format!("no phone is {extension}"))
    }

    /// A new session with all rights, for the tests' own questions, without events.
    pub async fn auditor(&self) -> Result<Client> {
        self.auditors().login().await
    }

    /// How to get such a session, for a task that outlives a restart.
    pub fn auditors(&self) -> Auditors {
        Auditors { manager: self.manager() }
    }

    /// The same, with every event.
    pub async fn observer(&self) -> Result<Client> {
        Client::login(self.manager(), "auditor", AUDITOR_SECRET, Events::On).await
    }

    /// A file that it names, where the tests find it.
    pub fn file(&self, seen: &str) -> PathBuf {
        match (self.installation.root(), seen.strip_prefix(SEEN_AS)) {
            (Some(_), Some(below)) => self.dir.path().join(below.trim_start_matches('/')),
            _ => PathBuf::from(seen),
        }
    }

    /// The folder of its configuration files.
    pub fn etc(&self) -> PathBuf {
        self.dir.path().join("etc")
    }

    /// What it printed and logged so far: for the message of a failed test.
    pub fn log(&self) -> String {
        let read = |name| fs::read_to_string(self.dir.path().join(name)).unwrap_or_default();
        format!("{}{}", read("console.log"), read("log/messages"))
    }
}

impl Drop for Asterisk {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Nothing more can be done about a process that cannot be killed.
            let _ = end(&mut child);
        }
        if std::env::var_os("TELEPULSE_KEEP").is_some() {
            self.dir.disable_cleanup(true);
            eprintln!("kept: {}", self.dir.path().display());
        }
    }
}

/// `setpriv` kills Asterisk also when the test process itself is killed. Each program becomes the
/// next one, so the child that we hold is Asterisk.
fn command(installation: &Installation, dir: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]);
    match installation.root() {
        Some(root) => {
            command.args(["unshare", "--mount", "--propagation", "private", "sh", "-c", IN_ROOT]);
            command.arg("sh").arg(root).arg(dir);
        }
        None => {
            command.args(["asterisk", "-f", "-n", "-C"]).arg(dir.join("etc/asterisk.conf"));
        }
    }
    command
}

/// Waits until it has ended.
async fn ends(child: &mut Child, patience: Duration) -> Result<()> {
    wait::until("Asterisk to stop", patience, async || Ok(child.try_wait()?)).await.map(drop)
}

fn end(child: &mut Child) -> Result<()> {
    child.kill().context("killing Asterisk")?;
    child.wait().context("waiting for Asterisk's end").map(drop)
}
