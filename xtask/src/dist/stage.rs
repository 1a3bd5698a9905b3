//! A tree of files in the making, and the two archives that it becomes: the same bytes from the same
//! files, whoever packs them, and when.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::tools;

/// For all to read.
pub(crate) const FILE: u32 = 0o644;
/// For all to start.
pub(crate) const PROGRAM: u32 = 0o755;
/// For root alone.
pub(crate) const PRIVATE: u32 = 0o600;

/// How an archive is packed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    /// To be given away.
    Small,
    /// To be tried here.
    Quick,
}

/// A tree of files in the making.
pub(crate) struct Stage {
    root: PathBuf,
}

impl Stage {
    /// An empty one; what was there is removed.
    pub(crate) fn at(root: PathBuf) -> Result<Self> {
        if root.exists() {
            fs::remove_dir_all(&root).with_context(|| about(&root))?;
        }
        fs::create_dir_all(&root).with_context(|| about(&root))?;
        Ok(Self { root })
    }

    /// A file with these bytes.
    pub(crate) fn put(&self, bytes: &[u8], place: &str, mode: u32) -> Result<()> {
        let to = self.root.join(place);
        fs::create_dir_all(to.parent().unwrap_or(&self.root)).with_context(|| about(&to))?;
        fs::write(&to, bytes).with_context(|| about(&to))?;
        fs::set_permissions(&to, Permissions::from_mode(mode)).with_context(|| about(&to))
    }

    /// A copy of a file.
    pub(crate) fn copy(&self, from: &Path, place: &str, mode: u32) -> Result<()> {
        self.put(&fs::read(from).with_context(|| about(from))?, place, mode)
    }

    /// Copies of all files below a folder.
    pub(crate) fn copy_all(&self, from: &Path, place: &str) -> Result<()> {
        let mut entries: Vec<_> =
            fs::read_dir(from).with_context(|| about(from))?.collect::<Result<_, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let place = format!("{place}/{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                self.copy_all(&entry.path(), &place)?;
            } else {
                self.copy(&entry.path(), &place, FILE)?;
            }
        }
        Ok(())
    }

    /// How much room its files take, in KiB, as dpkg counts.
    pub(crate) fn kibibytes(&self) -> Result<u64> {
        fn of(dir: &Path) -> std::io::Result<u64> {
            fs::read_dir(dir)?.try_fold(0, |sum, entry| {
                let entry = entry?;
                let meta = entry.metadata()?;
                let own =
                    if meta.is_dir() { of(&entry.path())? } else { meta.len().div_ceil(1024) };
                Ok(sum + own)
            })
        }
        of(&self.root).with_context(|| about(&self.root))
    }

    /// Packs it with everything under the folder's own name.
    pub(crate) fn tar(&self, to: &Path, time: u64, how: Packing) -> Result<()> {
        let (Some(parent), Some(name)) = (self.root.parent(), self.root.file_name()) else {
            anyhow::bail!("{} has no name to be packed under", about(&self.root));
        };
        let mut tar = Command::new("tar");
        tar.args(["--create", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"]);
        let level = if how == Packing::Small { "--best" } else { "--fast" };
        tar.arg(format!("--use-compress-program=gzip --no-name {level}")).arg("--format=gnu");
        tar.arg(format!("--mtime=@{time}")).arg("--file").arg(to).arg("--directory").arg(parent);
        tools::run(tar.arg(name), "is there no room left?")
    }

    /// Packs it as a Debian package: it has `DEBIAN/control`.
    pub(crate) fn deb(&self, to: &Path, time: u64, how: Packing) -> Result<()> {
        let mut pack = Command::new("dpkg-deb");
        let compression: &[&str] =
            if how == Packing::Small { &["-Zxz"] } else { &["-Zgzip", "-z1"] };
        pack.arg("--root-owner-group").args(compression);
        pack.arg("--build").arg(&self.root).arg(to);
        pack.env("SOURCE_DATE_EPOCH", time.to_string()).stdout(std::process::Stdio::null());
        tools::run(&mut pack, "dpkg-deb comes with Debian's package dpkg")
    }
}

fn about(path: &Path) -> String {
    path.display().to_string()
}
