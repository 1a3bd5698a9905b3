//! Raw AMI streams on disk: what was received and when, byte for byte.
//!
//! The form is that of [`ami_proto::recording`], which `telepulse record` writes and `telepulse
//! replay` serves: `NAME.amirec` has what Asterisk sent, cut as the socket gave it; `NAME.amisent`,
//! on the same clock, what the client sent.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use ami_proto::recording::{Mask, RecordingError, chunks, write_chunk};
use anyhow::{Context, Result};

/// Bytes that came, or went, at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Milliseconds since the recording began.
    pub at: u64,
    /// The bytes themselves.
    pub bytes: Vec<u8>,
}

/// Both directions of one session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recording {
    /// From Asterisk.
    pub received: Vec<Chunk>,
    /// From the client.
    pub sent: Vec<Chunk>,
}

impl Recording {
    /// Reads `name` from the folder of recordings in the repository.
    pub fn load(name: &str) -> Result<Self> {
        Self::read(&folder(), name)
    }

    /// Reads `NAME.amirec` and `NAME.amisent`.
    pub fn read(dir: &Path, name: &str) -> Result<Self> {
        let side = |ending| {
            let path = dir.join(format!("{name}.{ending}"));
            let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
            decode(&bytes).with_context(|| format!("{} is no recording", path.display()))
        };
        Ok(Self { received: side("amirec")?, sent: side("amisent")? })
    }

    /// Writes `NAME.amirec` and `NAME.amisent`.
    pub fn write(&self, dir: &Path, name: &str) -> Result<()> {
        let side = |ending, chunks| {
            let path = dir.join(format!("{name}.{ending}"));
            fs::write(&path, encode(chunks)?).with_context(|| format!("writing {}", path.display()))
        };
        side("amirec", &self.received)?;
        side("amisent", &self.sent)
    }
}

/// The recordings in the repository: `tests/recordings`.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings")
}

/// A recording in the making, shared by the two directions of a session.
#[derive(Debug, Clone)]
pub struct Tape {
    started: Instant,
    recording: Arc<Mutex<Recording>>,
}

impl Default for Tape {
    fn default() -> Self {
        Self { started: Instant::now(), recording: Arc::default() }
    }
}

impl Tape {
    /// Adds what came from Asterisk.
    pub fn received(&self, bytes: &[u8]) {
        self.add(bytes, |recording| &mut recording.received);
    }

    /// Adds what goes to Asterisk.
    pub fn sent(&self, bytes: &[u8]) {
        self.add(bytes, |recording| &mut recording.sent);
    }

    /// What is on it so far.
    pub fn recording(&self) -> Recording {
        self.recording.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, bytes: &[u8], side: impl FnOnce(&mut Recording) -> &mut Vec<Chunk>) {
        let at = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut recording = self.recording.lock().unwrap_or_else(PoisonError::into_inner);
        side(&mut recording).push(Chunk { at, bytes: bytes.to_vec() });
    }
}

fn encode(chunks: &[Chunk]) -> Result<Vec<u8>> {
    let (mut out, mut mask) = (Vec::new(), Mask::default());
    for chunk in chunks {
        let mut bytes = chunk.bytes.clone();
        mask.hide(&mut bytes);
        write_chunk(&mut out, chunk.at, &bytes)?;
    }
    Ok(out)
}

fn decode(file: &[u8]) -> Result<Vec<Chunk>, RecordingError> {
    let own = |chunk: ami_proto::recording::Chunk<'_>| Chunk {
        at: chunk.at_ms,
        bytes: chunk.bytes.to_vec(),
    };
    chunks(file).map(|chunk| chunk.map(own)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let chunks = vec![
            Chunk { at: 0, bytes: b"Asterisk Call Manager/11.0.0\r\n".to_vec() },
            Chunk { at: 12, bytes: b"\n@7 3\n\xff\0".to_vec() },
            Chunk { at: 12, bytes: Vec::new() },
        ];
        let recording = Recording { received: chunks, sent: Vec::new() };
        let dir = tempfile::tempdir().unwrap();
        recording.write(dir.path(), "x").unwrap();
        assert_eq!(Recording::read(dir.path(), "x").unwrap(), recording);
    }

    #[test]
    fn secrets_do_not_reach_the_disk() {
        let login = b"Action: Login\r\nKey: 93b500a0\r\n\r\n".to_vec();
        let sent = vec![Chunk { at: 0, bytes: login }];
        let dir = tempfile::tempdir().unwrap();
        Recording { received: Vec::new(), sent }.write(dir.path(), "x").unwrap();
        let read = Recording::read(dir.path(), "x").unwrap();
        assert_eq!(read.sent[0].bytes, b"Action: Login\r\nKey: ********\r\n\r\n");
    }
}
