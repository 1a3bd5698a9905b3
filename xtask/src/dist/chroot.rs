//! A Debian 12 of its own to install into: fetched once, kept in the cache folder.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::tools;

const RELEASE: &str = "bookworm";
/// Beside Debian's least: what the package is for, and what asks a service how it is.
const PACKAGES: &str = "systemd,procps,ca-certificates,curl";

/// The system, by its folder.
pub(crate) struct Chroot {
    root: PathBuf,
}

impl Chroot {
    /// The one in the cache folder, which is filled on first use.
    pub(crate) fn ensure() -> Result<Self> {
        let cache = cache()?;
        let root = cache.join(format!("package-{RELEASE}"));
        if !root.join("usr/bin/curl").exists() || !root.join("bin/kill").exists() {
            let partial = cache.join(format!("package-{RELEASE}.partial"));
            if partial.exists() {
                fs::remove_dir_all(&partial).with_context(|| partial.display().to_string())?;
            }
            let mut fetch = Command::new("debootstrap");
            fetch.args(["--variant=minbase", &format!("--include={PACKAGES}"), RELEASE]);
            fetch.arg(&partial).args(env::var_os("TELEPULSE_DEBIAN_MIRROR"));
            fetch.stdout(std::process::Stdio::null());
            tools::run(
                &mut fetch,
                "it wants root, Debian's package debootstrap, and a mirror in reach: name one in \
                 TELEPULSE_DEBIAN_MIRROR",
            )?;
            fs::rename(&partial, &root).with_context(|| root.display().to_string())?;
        }
        Ok(Self { root })
    }

    /// A place in it, as seen from outside.
    pub(crate) fn path(&self, place: &str) -> PathBuf {
        self.root.join(place.trim_start_matches('/'))
    }

    /// A program in it.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("chroot");
        command.arg(&self.root).args(words);
        command.env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C.UTF-8");
        command
    }

    /// Is there such a file?
    pub(crate) fn has(&self, place: &str) -> bool {
        self.path(place).symlink_metadata().is_ok()
    }

    /// Copies a file into its root folder; its place there.
    pub(crate) fn bring(&self, from: &Path) -> Result<String> {
        let place = format!("/{}", from.file_name().unwrap_or_default().to_string_lossy());
        fs::copy(from, self.path(&place)).with_context(|| from.display().to_string())?;
        Ok(place)
    }
}

/// The folder that the tests keep their Asterisk in, too.
fn cache() -> Result<PathBuf> {
    let var = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let dir = var("TELEPULSE_CACHE")
        .or_else(|| Some(var("HOME")?.join(".cache/telepulse")))
        .context("neither TELEPULSE_CACHE nor HOME is set: set one")?;
    fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
    Ok(dir)
}
