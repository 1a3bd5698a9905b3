//! The tree that runs as it is: `bin/`, `plugins.d/`, `config/`, put there while a host may be
//! running on it.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A tree in the making.
///
/// Beside what is seen, `.built/` remembers what the last build put there: that tells an operator's
/// own edit, which is kept, from an older build, which is replaced.
pub(crate) struct Tree {
    root: PathBuf,
}

impl Tree {
    /// A tree at `root`, which is made when it is not there.
    pub(crate) fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// The file that is, or will be, at `place`.
    pub(crate) fn path(&self, place: &str) -> PathBuf {
        self.root.join(place)
    }

    /// Puts a program or a component at `place`.
    pub(crate) fn program(&self, from: &Path, place: &str) -> Result<()> {
        let to = self.path(place);
        let new = read(from)?;
        if read_if_there(&to)?.is_some_and(|old| old == new) {
            return Ok(());
        }
        let permissions = fs::metadata(from).with_context(|| about(from))?.permissions();
        self.put(&new, Some(permissions), &to)
    }

    /// Puts a text that operators edit at `place`, unless they did.
    pub(crate) fn settings(&self, from: &Path, place: &str) -> Result<()> {
        let (to, remembered) = (self.path(place), self.root.join(".built").join(place));
        let (new, old) = (read(from)?, read_if_there(&to)?);
        let edited = old.as_ref().is_some_and(|old| *old != new)
            && read_if_there(&remembered)?.is_none_or(|built| Some(built) != old);
        self.put(&new, None, &remembered)?;
        if edited {
            eprintln!(
                "    kept {}, which was edited; as built it is in {}",
                to.display(),
                remembered.display()
            );
            return Ok(());
        }
        if old.is_some_and(|old| old == new) {
            return Ok(());
        }
        self.put(&new, None, &to)
    }

    /// Written beside and renamed: whoever watches the folder never sees half a file.
    fn put(&self, bytes: &[u8], permissions: Option<Permissions>, to: &Path) -> Result<()> {
        let dir = to.parent().unwrap_or(&self.root);
        let staging = self.root.join(".staging");
        for dir in [dir, &staging] {
            fs::create_dir_all(dir).with_context(|| about(dir))?;
        }
        let partial = staging.join(format!("{}.partial", std::process::id()));
        fs::write(&partial, bytes).with_context(|| about(&partial))?;
        if let Some(permissions) = permissions {
            fs::set_permissions(&partial, permissions).with_context(|| about(&partial))?;
        }
        fs::rename(&partial, to).with_context(|| about(to))
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| about(path))
}

fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| about(path)),
    }
}

fn about(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_is_kept_and_an_older_build_is_replaced() {
        let dir = std::env::temp_dir().join(format!("xtask-tree-{}", std::process::id()));
        let (tree, from) = (Tree::at(dir.join("tree")), dir.join("from"));
        let built = |text: &str| {
            fs::create_dir_all(&dir).unwrap();
            fs::write(&from, text).unwrap();
            tree.settings(&from, "config/a.toml").unwrap();
            fs::read_to_string(tree.path("config/a.toml")).unwrap()
        };
        assert_eq!(built("first"), "first");
        assert_eq!(built("second"), "second");
        fs::write(tree.path("config/a.toml"), "edited").unwrap();
        assert_eq!(built("second"), "edited");
        assert_eq!(built("third"), "edited");
        fs::write(tree.path("config/a.toml"), "third").unwrap();
        assert_eq!(built("fourth"), "fourth");
        fs::remove_dir_all(&dir).unwrap();
    }
}
