//! `dist --check`: the package installed, looked at by systemd's own tools, started as the unit would
//! start it, upgraded and removed, in a Debian 12 of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::chroot::Chroot;
use super::release::Release;
use super::service::Service;
use super::stage::Packing;
use super::{deb, sbom};
use crate::console::step;

const UNIT: &str = "telepulse.service";
const CONFIGURATION: &str = "/etc/telepulse/telepulse.toml";
const WANTED: &str = "/etc/systemd/system/multi-user.target.wants/telepulse.service";
const PLUGINS: &str = "/var/lib/telepulse/plugins.d";
/// `systemd-analyze security` must stay below this, in tenths: 0 is a walled-in service, 100 an open one.
const EXPOSURE: &str = "20";

/// The whole life of a package.
pub(crate) fn check(release: &Release, package: &Path, out: &Path) -> Result<()> {
    let system = step("Debian 12 to install into", Chroot::ensure)?;
    step("Nothing of an earlier check", || purge(&system))?;
    step("Installed", || install(&system, package))?;
    step("What systemd thinks of the unit", || judge(&system))?;
    step("Plugins put where they are watched", || put_plugins(&system))?;
    step("Started, alive, stopped", || serve(&system))?;
    step("Upgraded", || upgrade(&system, release, out))?;
    step("Removed and purged", || remove(&system))
}

fn purge(system: &Chroot) -> Result<()> {
    // A program that dpkg knows nothing of is no mistake here.
    let _ = system.command(&["dpkg", "--purge", "telepulse"]).output();
    ensure!(!system.has("/usr/bin/telepulse"), "the package of an earlier check cannot be removed");
    Ok(())
}

fn install(system: &Chroot, package: &Path) -> Result<()> {
    install_quietly(system, package)?;
    say(&system.run(&["telepulse", "--version"])?);
    say(&system.run(&["telepulse", "check", "--config", CONFIGURATION])?);
    ensure!(system.has(WANTED), "the service is not enabled");
    let secrets = system.path("/etc/telepulse/environment");
    let mode = fs::metadata(&secrets).with_context(|| secrets.display().to_string())?;
    let mode = mode.permissions().mode() & 0o777;
    ensure!(mode == 0o600, "others can read the secrets: mode {mode:o}");
    Ok(())
}

fn install_quietly(system: &Chroot, package: &Path) -> Result<()> {
    let place = system.bring(package)?;
    system.run(&["dpkg", "--install", &place])?;
    fs::remove_file(system.path(&place)).context("removing the package's file")
}

fn judge(system: &Chroot) -> Result<()> {
    let complaints = system.run(&["systemd-analyze", "verify", UNIT])?;
    ensure!(!complaints.contains(UNIT), "{complaints}");
    let threshold = format!("--threshold={EXPOSURE}");
    let words = ["systemd-analyze", "security", "--offline=true", &threshold, UNIT];
    let judged = system.run(&words)?;
    say(judged.lines().last().unwrap_or_default());
    Ok(())
}

/// New ones come, an operator's edit stays, and what they removed stays away.
fn put_plugins(system: &Chroot) -> Result<()> {
    let put = || {
        let from = "/usr/lib/telepulse/plugins.d";
        system.run(&["/usr/lib/telepulse/put-plugins", from, PLUGINS])
    };
    put()?;
    let (edited, removed) = (format!("{PLUGINS}/rest.toml"), format!("{PLUGINS}/crm.wasm"));
    fs::write(system.path(&edited), "# An operator's.\n[grants]\n")?;
    fs::remove_file(system.path(&removed))?;
    say(&put()?);
    ensure!(
        fs::read_to_string(system.path(&edited))?.starts_with("# An operator's."),
        "an edit is gone"
    );
    ensure!(!system.has(&removed), "a plugin that was removed is back");
    fs::remove_dir_all(system.path(PLUGINS))?;
    put()?;
    ensure!(system.has(&removed), "nothing was put into an empty folder");
    Ok(())
}

fn serve(system: &Chroot) -> Result<()> {
    let service = Service::start(system, "/var/lib/telepulse")?;
    service.hears("READY=1")?;
    say(&format!("ready: {}", service.answer("/readyz")?));
    service.hears("WATCHDOG=1")?;
    let told = service.answer("/plugins")?;
    say(&format!("running plugins: {}", told.matches("\"running\"").count()));
    service.stop()
}

fn upgrade(system: &Chroot, release: &Release, out: &Path) -> Result<()> {
    let version = format!("{}+next", release.version);
    let next = Release { version, packing: Packing::Quick, ..release.clone() };
    let package = deb::build(&next, &sbom::bill(&next)?, &out.join("stage"))?;
    let configuration = system.path(CONFIGURATION);
    let edited = fs::read_to_string(&configuration)? + "\n# An operator's.\n";
    fs::write(&configuration, &edited)?;
    install_quietly(system, &package)?;
    let version = system.run(&["dpkg-query", "--show", "--showformat=${Version}", "telepulse"])?;
    say(&format!("now {version}"));
    ensure!(version == next.version, "{version} is installed, not {}", next.version);
    ensure!(fs::read_to_string(&configuration)? == edited, "the upgrade lost an edit");
    ensure!(system.has(WANTED), "the upgrade disabled the service");
    fs::remove_file(&package).with_context(|| package.display().to_string())
}

fn remove(system: &Chroot) -> Result<()> {
    system.run(&["dpkg", "--remove", "telepulse"])?;
    ensure!(!system.has("/usr/bin/telepulse"), "removing leaves the program");
    ensure!(
        system.has(CONFIGURATION) && system.has(PLUGINS),
        "removing takes what is the operator's"
    );
    system.run(&["dpkg", "--purge", "telepulse"])?;
    for place in [CONFIGURATION, "/etc/telepulse", PLUGINS, "/var/lib/telepulse", WANTED] {
        ensure!(!system.has(place), "purging leaves {place}");
    }
    Ok(())
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
