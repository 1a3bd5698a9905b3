//! Builds that ran, with their grants: kept so that the operator can go back to one.
//!
//! For each plugin a folder with the components by hash, and `history.json`, the order in which they
//! took over. Files are put there whole by a rename; what no entry names is deleted.

use crate::{name::PluginName, whole};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// Entries that are kept of each plugin.
const KEPT: usize = 10;
const HISTORY: &str = "history.json";

/// A build that took over once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Past {
    /// SHA-256 of the component, in hex.
    pub hash: String,
    /// When it took over: milliseconds since 1970.
    pub since_ms: u64,
    /// The `NAME.toml` that it ran under. It may hold secrets.
    pub toml: String,
}

/// Why there is nothing to go back to.
#[derive(Debug, thiserror::Error)]
pub enum RollBackError {
    /// No other build ran.
    #[error("no other build of {0} has run here")]
    Nothing(String),
    /// None of this hash did.
    #[error(
        "no build of {name} whose hash begins with {hash:?} has run here; `plugins history` lists them"
    )]
    Unknown {
        /// The plugin.
        name: String,
        /// What was asked for.
        hash: String,
    },
    /// What was kept cannot be read.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// The folder of all plugins' builds.
pub(crate) struct Archive {
    folder: PathBuf,
    /// One change at a time.
    writing: Mutex<()>,
}

impl Archive {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, writing: Mutex::new(()) }
    }

    /// Keeps a component that may take over.
    pub(crate) fn keep(&self, name: &PluginName, hash: &str, wasm: &[u8]) -> io::Result<()> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.component(name, hash);
        if path.exists() { Ok(()) } else { self.write(name, &path, wasm) }
    }

    /// It took over.
    pub(crate) fn took_over(&self, name: &PluginName, past: Past) -> io::Result<()> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut history = self.history(name)?;
        if history.last().is_some_and(|last| last.hash == past.hash && last.toml == past.toml) {
            return Ok(());
        }
        history.push(past);
        history.sort_by_key(|past| past.since_ms);
        history.drain(..history.len().saturating_sub(KEPT));
        let text = serde_json::to_vec_pretty(&history)?;
        self.write(name, &self.of(name).join(HISTORY), &text)?;
        self.forget_others(name, &history)
    }

    /// The builds that took over, the last one last.
    pub(crate) fn history(&self, name: &PluginName) -> io::Result<Vec<Past>> {
        match fs::read(self.of(name).join(HISTORY)) {
            Ok(text) => Ok(serde_json::from_slice(&text)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// The build before the one that runs, or the last one whose hash begins so: component and grants.
    pub(crate) fn find(
        &self,
        name: &PluginName,
        hash: Option<&str>,
    ) -> Result<(Vec<u8>, String), RollBackError> {
        let at = |path: PathBuf| move |error| RollBackError::Io { path, error };
        let history = self.history(name).map_err(at(self.of(name).join(HISTORY)))?;
        let past = choose(&history, hash).ok_or_else(|| match hash {
            Some(hash) => RollBackError::Unknown { name: name.to_string(), hash: hash.to_owned() },
            None => RollBackError::Nothing(name.to_string()),
        })?;
        let path = self.component(name, &past.hash);
        let wasm = fs::read(&path).map_err(at(path))?;
        Ok((wasm, past.toml.clone()))
    }

    fn forget_others(&self, name: &PluginName, history: &[Past]) -> io::Result<()> {
        let named: BTreeSet<PathBuf> =
            history.iter().map(|past| self.component(name, &past.hash)).collect();
        for entry in fs::read_dir(self.of(name))? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "wasm") && !named.contains(&path) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn write(&self, name: &PluginName, path: &Path, bytes: &[u8]) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(self.of(name))?;
        whole::write(path, bytes)
    }

    fn of(&self, name: &PluginName) -> PathBuf {
        self.folder.join(name.as_str())
    }

    fn component(&self, name: &PluginName, hash: &str) -> PathBuf {
        self.of(name).join(format!("{hash}.wasm"))
    }
}

/// Pure: which entry is meant.
fn choose<'h>(history: &'h [Past], hash: Option<&str>) -> Option<&'h Past> {
    let mut newest_first = history.iter().rev();
    match hash {
        Some(hash) => newest_first.find(|past| past.hash.starts_with(hash)),
        None => newest_first.nth(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(hash: &str, since_ms: u64, toml: &str) -> Past {
        Past { hash: hash.to_owned(), since_ms, toml: toml.to_owned() }
    }

    #[test]
    fn the_build_before_is_meant_unless_another_is_named() {
        let history =
            [past("aa1", 1, "x"), past("bb2", 2, ""), past("aa1", 3, "y"), past("cc3", 4, "")];
        let chosen = |hash| choose(&history, hash).map(|past| past.since_ms);
        assert_eq!(chosen(None), Some(3));
        assert_eq!(chosen(Some("aa")), Some(3));
        assert_eq!(chosen(Some("bb2")), Some(2));
        assert_eq!(chosen(Some("dd")), None);
        assert!(choose(&history[..1], None).is_none());
    }

    #[test]
    fn the_last_builds_are_kept_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let archive = Archive::new(folder.path().join("builds"));
        let name = PluginName::parse("crm").unwrap();
        assert!(matches!(archive.find(&name, None), Err(RollBackError::Nothing(_))));
        for build in 0..=KEPT as u64 {
            let hash = format!("{build:x}f");
            archive.keep(&name, &hash, hash.as_bytes()).unwrap();
            archive.took_over(&name, past(&hash, build, "toml")).unwrap();
            archive.took_over(&name, past(&hash, build + 1, "toml")).unwrap();
        }
        assert_eq!(archive.history(&name).unwrap().len(), KEPT);
        assert_eq!(archive.find(&name, None).unwrap(), (b"9f".to_vec(), "toml".to_owned()));
        assert!(matches!(archive.find(&name, Some("0f")), Err(RollBackError::Unknown { .. })));
        let left = fs::read_dir(folder.path().join("builds/crm")).unwrap().count();
        assert_eq!(left, KEPT + 1, "the components and the list");
    }
}
