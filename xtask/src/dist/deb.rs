//! The Debian package: a staged tree, packed by `dpkg-deb`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::release::{self, Release};
use super::stage::{FILE, PRIVATE, PROGRAM, Stage};
use crate::tools;

/// What an operator edits: dpkg asks before it overwrites an edit.
const CONFFILES: [&str; 2] = ["/etc/telepulse/telepulse.toml", "/etc/telepulse/environment"];
/// What runs when it is installed, upgraded, removed.
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];
/// What the example configuration says, and what is so where a package puts things.
const PLACES: [(&str, &str); 2] = [
    ("path = \"../data\" ", "path = \"/var/lib/telepulse/data\" "),
    ("dir = \"../plugins.d\" ", "dir = \"/var/lib/telepulse/plugins.d\" "),
];

/// Leaves `telepulse_VERSION_amd64.deb` in a folder.
pub(crate) fn build(release: &Release, bill: &[u8], out: &Path) -> Result<PathBuf> {
    let stage = Stage::at(out.join("stage").join("deb"))?;
    let binary = fs::read(&release.binary).with_context(|| release.binary.display().to_string())?;
    stage.put(&binary, "usr/bin/telepulse", PROGRAM)?;
    release.put_plugins(&stage, "usr/lib/telepulse/plugins.d")?;
    stage.copy(&release::recipe("put-plugins"), "usr/lib/telepulse/put-plugins", PROGRAM)?;
    let unit = "usr/lib/systemd/system/telepulse.service";
    stage.copy(&release::recipe("telepulse.service"), unit, FILE)?;
    stage.put(configuration()?.as_bytes(), "etc/telepulse/telepulse.toml", FILE)?;
    stage.copy(&release::recipe("environment"), "etc/telepulse/environment", PRIVATE)?;
    let docs = "usr/share/doc/telepulse/";
    Release::put_docs(&stage, docs, bill)?;
    stage.copy_all(&tools::root().join("config"), &format!("{docs}config"))?;
    stage.copy(&tools::root().join("LICENSE"), &format!("{docs}copyright"), FILE)?;

    let size = stage.kibibytes()?;
    let control = release::read_text("deb/control")?;
    let control = control.replace("@SIZE@", &size.to_string());
    let control = release.fill(&control).replace("@GLIBC@", &release::glibc(&binary)?);
    stage.put(control.as_bytes(), "DEBIAN/control", FILE)?;
    stage.put((CONFFILES.join("\n") + "\n").as_bytes(), "DEBIAN/conffiles", FILE)?;
    for script in SCRIPTS {
        let from = release::recipe("deb").join(script);
        stage.copy(&from, &format!("DEBIAN/{script}"), PROGRAM)?;
    }
    let to = out.join(release.package_name());
    stage.deb(&to, release.time, release.packing)?;
    Ok(to)
}

/// The example configuration, with a package's places.
fn configuration() -> Result<String> {
    let path = tools::root().join("config/telepulse.toml");
    let mut text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    for (as_written, as_packed) in PLACES {
        if text.matches(as_written).count() != 1 {
            bail!("{} says {as_written:?} not just once: mend PLACES", path.display());
        }
        text = text.replace(as_written, as_packed);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packed_configuration_has_a_packages_places() {
        let text = configuration().unwrap();
        assert!(text.contains("\npath = \"/var/lib/telepulse/data\""), "{text}");
        assert!(text.contains("\ndir = \"/var/lib/telepulse/plugins.d\""), "{text}");
        assert!(!text.contains("= \"../"), "{text}");
    }
}
