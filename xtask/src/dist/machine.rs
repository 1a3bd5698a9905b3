//! The system of the check, booted: systemd is its first process, in namespaces of its own.

use std::fs::{self, File};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::chroot::Chroot;
use crate::tools;

/// What it is started by.
const BOOT: &str = "systemd-nspawn";
/// How long booting may take, and stopping.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(200);

/// It runs, until it is dropped.
pub(crate) struct Machine {
    nspawn: Child,
    /// Its first process, as this machine numbers it.
    first: String,
}

impl Machine {
    /// Boots the system with a network of its own; what it says meanwhile is in `target/dist/boot.log`.
    pub(crate) fn boot(system: &Chroot) -> Result<Self> {
        let log = tools::target_dir().join("dist/boot.log");
        let log = File::create(&log).with_context(|| log.display().to_string())?;
        let mut boot = Command::new(BOOT);
        boot.arg("--directory").arg(system.path("/"));
        boot.args(["--boot", "--quiet", "--register=no", "--keep-unit", "--private-network"]);
        boot.arg("--console=pipe").stdin(Stdio::null()).stderr(log.try_clone()?).stdout(log);
        let nspawn = boot.spawn().with_context(|| {
            format!("{BOOT} did not start: it is in Debian's package systemd-container")
        })?;
        let mut machine = Self { nspawn, first: String::new() };
        let id = machine.nspawn.id();
        let children = format!("/proc/{id}/task/{id}/children");
        wait("the system to boot (target/dist/boot.log has what it says)", PATIENCE, || {
            let ended = machine.nspawn.try_wait()?;
            ensure!(ended.is_none(), "{BOOT} ended: target/dist/boot.log says why");
            let all = fs::read_to_string(&children).unwrap_or_default();
            all.split(' ').next().unwrap_or_default().clone_into(&mut machine.first);
            let words = ["systemctl", "is-system-running"];
            let state = machine.command(&words).output().context("nsenter did not start")?;
            let state = String::from_utf8_lossy(&state.stdout).into_owned();
            Ok(matches!(state.trim(), "running" | "degraded").then_some(()))
        })?;
        Ok(machine)
    }

    /// A program in it.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.first, "--mount", "--uts", "--ipc", "--net", "--pid"]);
        command.arg("--").args(words).env_clear().stdin(Stdio::null());
        command.envs([("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("LC_ALL", "C.UTF-8")]);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    }

    /// Runs it to its end, which has to be good; what it said.
    pub(crate) fn run(&self, words: &[&str]) -> Result<String> {
        let Output { status, stdout, stderr } =
            self.command(words).output().context("nsenter did not start")?;
        let said =
            String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
        if !status.success() {
            bail!("{} ended with {status}: {said}", words.join(" "));
        }
        Ok(said)
    }

    /// What systemd says of a unit.
    pub(crate) fn property(&self, unit: &str, name: &str) -> Result<String> {
        let told = self.run(&["systemctl", "show", "--value", "--property", name, unit])?;
        Ok(told.trim().to_owned())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It has ended already where it did not boot.
        let _ = self.command(&["systemctl", "poweroff"]).output();
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end && matches!(self.nspawn.try_wait(), Ok(None)) {
            thread::sleep(LOOK);
        }
        let _ = self.nspawn.kill();
        let _ = self.nspawn.wait();
    }
}

/// Looks again and again until there is what was looked for.
pub(crate) fn wait<T>(
    what: &str,
    patience: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let end = Instant::now() + patience;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        ensure!(Instant::now() < end, "waited {patience:?} for {what}");
        thread::sleep(LOOK);
    }
}
