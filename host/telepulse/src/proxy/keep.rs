//! The file that keeps what was changed over the admin API: servers added, changed, removed, stopped.

use crate::config::Server;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};
use thiserror::Error;

/// What differs from the configuration file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kept {
    /// Servers added or changed; one with the id of a configured server takes its place.
    pub servers: Vec<Server>,
    /// Configured servers that were removed.
    pub removed: BTreeSet<String>,
    /// Servers that were stopped.
    pub stopped: BTreeSet<String>,
}

/// Why the file could not be read or written.
#[derive(Debug, Error)]
pub enum KeepError {
    /// The file system refused.
    #[error("{path}: {error}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is not what we wrote.
    #[error("{path}: {error}; mend it, or delete it to forget servers added over the admin API")]
    Format {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        error: serde_json::Error,
    },
}

impl Kept {
    /// Reads the file; nothing is kept where there is none.
    pub(super) fn load(path: &Path) -> Result<Self, KeepError> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(KeepError::Io { path: path.to_owned(), error }),
        };
        serde_json::from_slice(&text)
            .map_err(|error| KeepError::Format { path: path.to_owned(), error })
    }

    /// Writes the file whole or not at all, readable by its owner only: it holds secrets.
    pub(super) fn save(&self, path: &Path) -> Result<(), KeepError> {
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| KeepError::Format { path: path.to_owned(), error })?;
        replace(path, &text).map_err(|error| KeepError::Io { path: path.to_owned(), error })
    }

    /// Adds a server, or changes it. One whose link goes on as it is stays stopped, if it was; any
    /// other is begun anew.
    pub(super) fn put(&mut self, server: Server, goes_on: bool) {
        self.removed.remove(&server.id);
        if !goes_on {
            self.stopped.remove(&server.id);
        }
        self.servers.retain(|old| old.id != server.id);
        self.servers.push(server);
    }

    /// Those of whom the configuration does not decide.
    pub(super) fn overruled(&self) -> BTreeSet<String> {
        let servers = self.servers.iter().map(|server| &server.id);
        servers.chain(&self.removed).cloned().collect()
    }

    /// The servers to run: those of the configuration, with what was changed since.
    pub(super) fn over(&self, configured: &[Server]) -> Vec<Server> {
        let kept = |id: &str| self.servers.iter().any(|server| server.id == id);
        configured
            .iter()
            .filter(|server| !self.removed.contains(&server.id) && !kept(&server.id))
            .chain(&self.servers)
            .cloned()
            .collect()
    }
}

/// The configured servers with what the file at `path` has changed since, for who only looks.
pub(crate) fn kept_over(path: &Path, configured: &[Server]) -> Result<Vec<Server>, KeepError> {
    Ok(Kept::load(path)?.over(configured))
}

/// Writes beside the file, syncs, renames over it, and syncs the folder.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let beside = path.with_extension("new");
    // A left-over of a crash may have other rights: begin with none.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_server_that_is_stopped_stays_so_where_its_link_goes_on() {
        let server = |context: &str| {
            let known = json!({
                "id": "pbx1", "host": "h", "username": "u", "secret": "s", "context": context,
            });
            Server::from_json(known).unwrap()
        };
        let mut kept = Kept { stopped: BTreeSet::from(["pbx1".to_owned()]), ..Kept::default() };
        kept.put(server("one"), true);
        assert_eq!(kept.servers, [server("one")]);
        assert!(kept.stopped.contains("pbx1"));
        kept.put(server("two"), false);
        assert_eq!(kept.servers, [server("two")]);
        assert!(kept.stopped.is_empty());
    }
}
