//! `dist --check`: the package installed in a Debian 12 of its own that systemd has booted, run by its unit,
//! killed, hung, upgraded and removed.

use std::fs;
use std::ops::RangeInclusive;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::chroot::Chroot;
use super::machine::{Machine, wait};
use super::release::Release;
use super::stage::Packing;
use super::{deb, sbom};
use crate::console::step;

const UNIT: &str = "telepulse.service";
const CONFIGURATION: &str = "/etc/telepulse/telepulse.toml";
const WANTED: &str = "/etc/systemd/system/multi-user.target.wants/telepulse.service";
const PLUGINS: &str = "/var/lib/telepulse/plugins.d";
/// `systemd-analyze security` must stay below this, in tenths: 0 is a walled-in service, 100 an open one.
const EXPOSURE: &str = "20";
/// The users that systemd makes up for a service and forgets with it (`DynamicUser=`).
const DYNAMIC_USERS: RangeInclusive<u32> = 61_184..=65_519;
/// How long the service may be away: its watchdog's 30 seconds, and its start.
const AWAY: Duration = Duration::from_mins(2);

/// The whole life of a package.
pub(crate) fn check(release: &Release, package: &Path, out: &Path) -> Result<()> {
    let system = step("Debian 12 to install into", Chroot::ensure)?;
    step("Nothing of an earlier check", || purge(&system))?;
    let machine = step("Booted", || Machine::boot(&system))?;
    let checked = Checked { system: &system, machine: &machine };
    step("Installed, and started by that", || checked.installed(package))?;
    step("What systemd thinks of the unit", || checked.judged())?;
    step("Plugins put where they are watched", || checked.plugins_are_put())?;
    step("Alive: read anew, killed, hung", || checked.lives())?;
    step("Upgraded", || checked.upgraded(release, out))?;
    step("Stopped", || checked.stopped())?;
    step("Removed, installed again, purged", || checked.removed(package))
}

fn purge(system: &Chroot) -> Result<()> {
    // A program that dpkg knows nothing of is no mistake here.
    let _ = system.command(&["dpkg", "--purge", "telepulse"]).output();
    ensure!(!system.has("/usr/bin/telepulse"), "the package of an earlier check cannot be removed");
    Ok(())
}

/// The system, by its files and as it runs.
struct Checked<'m> {
    system: &'m Chroot,
    machine: &'m Machine,
}

impl Checked<'_> {
    fn installed(&self, package: &Path) -> Result<()> {
        let since = Instant::now();
        self.install(package)?;
        self.is_active()?;
        say(&format!("installed and ready after {:.1} s", since.elapsed().as_secs_f64()));
        say(&self.machine.run(&["telepulse", "--version"])?);
        say(&self.machine.run(&["telepulse", "check", "--config", CONFIGURATION])?);
        ensure!(self.system.has(WANTED), "the service is not enabled");
        let secrets = self.system.path("/etc/telepulse/environment");
        let mode = fs::metadata(&secrets).with_context(|| secrets.display().to_string())?;
        let mode = mode.permissions().mode() & 0o777;
        ensure!(mode == 0o600, "others can read the secrets: mode {mode:o}");
        Ok(())
    }

    fn install(&self, package: &Path) -> Result<()> {
        let place = self.system.bring(package)?;
        self.machine.run(&["dpkg", "--install", &place])?;
        fs::remove_file(self.system.path(&place)).context("removing the package's file")
    }

    /// It runs, as a user that is nobody else, and answers; its process.
    fn is_active(&self) -> Result<String> {
        let state = self.machine.property(UNIT, "ActiveState")?;
        ensure!(state == "active", "it is {state}: {}", self.journal()?);
        let process = self.machine.property(UNIT, "MainPID")?;
        let user = self.machine.run(&["ps", "-o", "uid=", "-p", &process])?;
        let user: u32 = user.trim().parse().context("its user")?;
        ensure!(DYNAMIC_USERS.contains(&user), "it runs as user {user}");
        say(&format!("ready: {}", self.answer("/readyz")?));
        Ok(process)
    }

    fn journal(&self) -> Result<String> {
        self.machine.run(&["journalctl", "--no-pager", "--lines=30", "--unit", UNIT])
    }

    /// What its admin API answers.
    fn answer(&self, path: &str) -> Result<String> {
        let url = format!("http://127.0.0.1:8082{path}");
        self.machine.run(&["curl", "--silent", "--fail-with-body", &url])
    }

    fn judged(&self) -> Result<()> {
        let complaints = self.machine.run(&["systemd-analyze", "verify", UNIT])?;
        ensure!(!complaints.contains(UNIT), "{complaints}");
        let threshold = format!("--threshold={EXPOSURE}");
        let judged = ["systemd-analyze", "--no-pager", "security", &threshold, UNIT];
        say(self.machine.run(&judged)?.lines().last().unwrap_or_default());
        Ok(())
    }

    /// New ones come, an operator's edit stays, and what they removed stays away.
    fn plugins_are_put(&self) -> Result<()> {
        let told = self.answer("/plugins")?;
        say(&format!("running: {}", told.matches("\"running\"").count()));
        self.machine.run(&["systemctl", "stop", UNIT])?;
        let put = || {
            let from = "/usr/lib/telepulse/plugins.d";
            self.machine.run(&["/usr/lib/telepulse/put-plugins", from, PLUGINS])
        };
        let (edited, removed) = (format!("{PLUGINS}/rest.toml"), format!("{PLUGINS}/crm.wasm"));
        let grants = self.system.path(&edited);
        let before = fs::read_to_string(&grants)?;
        fs::write(&grants, format!("# An operator's.\n{before}"))?;
        fs::remove_file(self.system.path(&removed))?;
        say(&put()?);
        let after = fs::read_to_string(&grants)?;
        ensure!(after.starts_with("# An operator's."), "an edit is gone");
        ensure!(!self.system.has(&removed), "a plugin that was removed is back");
        fs::remove_dir_all(self.system.path(PLUGINS))?;
        // The unit puts them itself.
        self.machine.run(&["systemctl", "start", UNIT])?;
        ensure!(self.system.has(&removed), "nothing was put into an empty folder");
        Ok(())
    }

    fn lives(&self) -> Result<()> {
        let process = self.is_active()?;
        self.machine.run(&["systemctl", "reload", UNIT])?;
        ensure!(self.is_active()? == process, "reading anew is another process");
        let killed = self.comes_back("KILL", &process)?;
        let hung = self.comes_back("STOP", &killed)?;
        ensure!(self.journal()?.contains("atchdog"), "{}", self.journal()?);
        ensure!(self.is_active()? == hung, "it goes on dying: {}", self.journal()?);
        Ok(())
    }

    /// Waits for another process in place of the one that gets a signal.
    fn comes_back(&self, signal: &str, process: &str) -> Result<String> {
        let since = Instant::now();
        self.machine.run(&["kill", &format!("-{signal}"), process])?;
        let other = wait(&format!("another process after SIG{signal}"), AWAY, || {
            let state = self.machine.property(UNIT, "ActiveState")?;
            let now = self.machine.property(UNIT, "MainPID")?;
            Ok((state == "active" && now != process && now != "0").then_some(now))
        })?;
        say(&format!("SIG{signal}: back after {:.1} s", since.elapsed().as_secs_f64()));
        Ok(other)
    }

    fn upgraded(&self, release: &Release, out: &Path) -> Result<()> {
        let before = self.is_active()?;
        let version = format!("{}+next", release.version);
        let next = Release { version, packing: Packing::Quick, ..release.clone() };
        let package = deb::build(&next, &sbom::bill(&next)?, &out.join("stage"))?;
        let configuration = self.system.path(CONFIGURATION);
        let edited = fs::read_to_string(&configuration)? + "\n# An operator's.\n";
        fs::write(&configuration, &edited)?;
        self.install(&package)?;
        let words = ["dpkg-query", "--show", "--showformat=${Version}", "telepulse"];
        let version = self.machine.run(&words)?;
        say(&format!("now {version}"));
        ensure!(version == next.version, "{version} is installed, not {}", next.version);
        ensure!(fs::read_to_string(&configuration)? == edited, "the upgrade lost an edit");
        ensure!(self.system.has(WANTED), "the upgrade disabled the service");
        ensure!(self.is_active()? != before, "the old program still runs");
        fs::remove_file(&package).with_context(|| package.display().to_string())
    }

    fn stopped(&self) -> Result<()> {
        let since = Instant::now();
        self.machine.run(&["systemctl", "stop", UNIT])?;
        let told = ["Result", "ExecMainStatus"].map(|name| self.machine.property(UNIT, name));
        let [result, status] = told;
        let (result, status) = (result?, status?);
        ensure!((&*result, &*status) == ("success", "0"), "{result}, {status}");
        say(&format!("after {:.1} s, with 0", since.elapsed().as_secs_f64()));
        self.machine.run(&["systemctl", "start", UNIT])?;
        self.is_active().map(drop)
    }

    fn removed(&self, package: &Path) -> Result<()> {
        self.machine.run(&["dpkg", "--remove", "telepulse"])?;
        ensure!(!self.system.has("/usr/bin/telepulse"), "removing leaves the program");
        let kept = self.system.has(CONFIGURATION) && self.system.has("/var/lib/private/telepulse");
        ensure!(kept, "removing takes what is the operator's");
        ensure!(self.machine.property(UNIT, "ActiveState")? == "inactive", "removed, it runs");
        self.install(package)?;
        self.is_active()?;
        self.machine.run(&["dpkg", "--purge", "telepulse"])?;
        let left = [CONFIGURATION, "/etc/telepulse", "/var/lib/telepulse", WANTED];
        for place in left.into_iter().chain(["/var/lib/private/telepulse"]) {
            ensure!(!self.system.has(place), "purging leaves {place}");
        }
        Ok(())
    }
}

fn say(line: &str) {
    for line in line.lines() {
        eprintln!("    {line}");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_unit_is_where_the_check_looks() {
        assert!(crate::dist::release::recipe(super::UNIT).is_file());
    }
}
