//! The plugins folder: what lies there, when it has settled, and how it is read.

use crate::{name::PluginName, runtime};
use bytes::Bytes;
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs::{self, File, Metadata},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::Path,
    time::{Duration, Instant},
};

/// A file that is larger is no plugin.
const LARGEST: u64 = 64 << 20;
/// How long a file must look the same before it is read.
const QUIET: Duration = Duration::from_millis(100);
/// How long a file must be gone before its plugin is unloaded: replacing may take it away first.
const GONE: Duration = Duration::from_millis(300);

/// A plugin's files as they were read.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) wasm: Bytes,
    /// SHA-256 of the component, in hex: taken where reading it may take its time.
    pub(crate) hash: String,
    /// The text of `NAME.toml`; empty if there is none.
    pub(crate) toml: String,
}

/// What changes when a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

/// What a plugin's two files look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Looks {
    wasm: Look,
    toml: Option<Look>,
}

impl From<&Metadata> for Look {
    fn from(meta: &Metadata) -> Self {
        let changed = (meta.ctime(), meta.ctime_nsec());
        Self { inode: meta.ino(), size: meta.len(), changed }
    }
}

/// Looks at all plugins in the folder. Files with other names are none of ours.
pub(crate) fn scan(dir: &Path) -> io::Result<BTreeMap<PluginName, Looks>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension() != Some(OsStr::new("wasm")) {
            continue;
        }
        let name = path.file_stem().and_then(OsStr::to_str).map(PluginName::parse);
        let Some(Ok(name)) = name else { continue };
        // Gone since the folder was read: as if it had not been there.
        let Ok(wasm) = fs::symlink_metadata(&path) else { continue };
        let toml = fs::symlink_metadata(path.with_extension("toml")).ok();
        let looks = Looks { wasm: (&wasm).into(), toml: toml.as_ref().map(Look::from) };
        found.insert(name, looks);
    }
    Ok(found)
}

/// Reads a plugin's files.
pub(crate) fn read(dir: &Path, name: &PluginName) -> Result<Source, String> {
    let wasm = dir.join(format!("{name}.wasm"));
    let toml = dir.join(format!("{name}.toml"));
    let fail = |path: &Path, error: io::Error| format!("{}: {error}", path.display());
    let bytes = read_regular(&wasm).map_err(|error| fail(&wasm, error))?;
    let text = match read_regular(&toml) {
        Ok(bytes) => {
            String::from_utf8(bytes).map_err(|_| format!("{}: it is not UTF-8", toml.display()))?
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(fail(&toml, error)),
    };
    Ok(Source { hash: runtime::hash(&bytes), wasm: bytes.into(), toml: text })
}

/// Whether a plugin's `NAME.toml` holds a word.
pub(crate) fn mentions(dir: &Path, name: &PluginName, word: &str) -> bool {
    let toml = read_regular(&dir.join(format!("{name}.toml")));
    toml.is_ok_and(|text| String::from_utf8_lossy(&text).contains(word))
}

/// Reads a regular file; a link or a pipe in its place is refused.
fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let before = fs::symlink_metadata(path)?;
    if !before.is_file() {
        return Err(io::Error::other("it is no regular file; links are not followed"));
    }
    let mut file = File::open(path)?;
    let meta = file.metadata()?;
    if (meta.dev(), meta.ino()) != (before.dev(), before.ino()) || !meta.is_file() {
        return Err(io::Error::other("it was exchanged while it was opened"));
    }
    if meta.len() > LARGEST {
        return Err(io::Error::other(format!("it is larger than {} MiB", LARGEST >> 20)));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or_default());
    file.by_ref().take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other("it grew while it was read"));
    }
    Ok(bytes)
}

/// Something to do about a plugin's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// They are new or different, and have been left alone for a while.
    Settled(PluginName),
    /// The component is gone.
    Gone(PluginName),
}

/// Decides which changes have settled. Pure: looks and time are passed in.
#[derive(Default)]
pub(crate) struct Settling(BTreeMap<PluginName, Seen>);

struct Seen {
    /// None when it was not there.
    looks: Option<Looks>,
    since: Instant,
    told: bool,
}

impl Settling {
    /// Takes a scan at its word: what is there at the start is loaded at once.
    pub(crate) fn first(
        &mut self,
        found: &BTreeMap<PluginName, Looks>,
        now: Instant,
    ) -> Vec<PluginName> {
        for (name, looks) in found {
            let seen = Seen { looks: Some(*looks), since: now, told: true };
            self.0.insert(name.clone(), seen);
        }
        found.keys().cloned().collect()
    }

    /// Compares a scan with those before.
    pub(crate) fn observe(
        &mut self,
        found: &BTreeMap<PluginName, Looks>,
        now: Instant,
    ) -> Vec<Change> {
        for (name, looks) in found {
            let new = || Seen { looks: Some(*looks), since: now, told: false };
            let seen = self.0.entry(name.clone()).or_insert_with(new);
            if seen.looks != Some(*looks) {
                *seen = new();
            }
        }
        for (name, seen) in &mut self.0 {
            if seen.looks.is_some() && !found.contains_key(name) {
                *seen = Seen { looks: None, since: now, told: false };
            }
        }
        let mut changes = Vec::new();
        self.0.retain(|name, seen| {
            let age = now.saturating_duration_since(seen.since);
            match seen.looks {
                Some(_) if !seen.told && age >= QUIET => {
                    seen.told = true;
                    changes.push(Change::Settled(name.clone()));
                }
                None if age >= GONE => {
                    changes.push(Change::Gone(name.clone()));
                    return false;
                }
                _ => {}
            }
            true
        });
        changes
    }

    /// Whether something is still moving, so that another look is due soon.
    pub(crate) fn is_restless(&self) -> bool {
        self.0.values().any(|seen| !seen.told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn looks(size: u64) -> Looks {
        Looks { wasm: Look { inode: 1, size, changed: (0, 0) }, toml: None }
    }

    fn name() -> PluginName {
        PluginName::parse("a").unwrap()
    }

    #[test]
    fn a_file_that_is_being_written_is_left_alone() {
        let start = Instant::now();
        let mut settling = Settling::default();
        for step in 0..5 {
            let found = BTreeMap::from([(name(), looks(step))]);
            let at = start + MS * 60 * u32::try_from(step).unwrap();
            assert_eq!(settling.observe(&found, at), []);
            assert!(settling.is_restless());
        }
        let found = BTreeMap::from([(name(), looks(4))]);
        let settled = start + MS * 60 * 4 + QUIET;
        assert_eq!(settling.observe(&found, settled), [Change::Settled(name())]);
        assert!(!settling.is_restless());
        assert_eq!(settling.observe(&found, settled + MS * 500), []);
    }

    #[test]
    fn a_file_that_is_gone_for_a_moment_is_not_unloaded() {
        let start = Instant::now();
        let mut settling = Settling::default();
        let there = BTreeMap::from([(name(), looks(1))]);
        let absent = BTreeMap::new();
        assert_eq!(settling.first(&there, start), [name()]);
        assert_eq!(settling.observe(&absent, start + MS), []);
        assert_eq!(settling.observe(&there, start + MS * 2), []);
        assert_eq!(settling.observe(&there, start + MS * 200), [Change::Settled(name())]);
        assert_eq!(settling.observe(&absent, start + MS * 300), []);
        assert_eq!(settling.observe(&absent, start + MS * 700), [Change::Gone(name())]);
    }

    #[test]
    fn links_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("real"), "x").unwrap();
        std::os::unix::fs::symlink(dir.path().join("real"), dir.path().join("a.wasm")).unwrap();
        let error = read(dir.path(), &name()).err().unwrap();
        assert!(error.contains("regular file"), "{error}");
    }

    #[test]
    fn only_plugins_names_count() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["a.wasm", "a.toml", "B.wasm", ".b.wasm.tmp", "c.txt", "d.cwasm"] {
            fs::write(dir.path().join(file), "x").unwrap();
        }
        let found = scan(dir.path()).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), [&name()]);
    }
}
