//! Raw AMI streams on disk: what was received and when, byte for byte.
//!
//! A file is a row of chunks: a line `@<milliseconds since the start> <length>`, then that many
//! bytes, then a line feed. `NAME.amirec` has what Asterisk sent, cut as the socket gave it;
//! `NAME.amisent`, in the same form and on the same clock, what the client sent.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

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
            fs::write(&path, encode(chunks)).with_context(|| format!("writing {}", path.display()))
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

fn encode(chunks: &[Chunk]) -> Vec<u8> {
    chunks.iter().fold(Vec::new(), |mut out, chunk| {
        // Writing to a Vec cannot fail.
        let _ = writeln!(out, "@{} {}", chunk.at, chunk.bytes.len());
        out.extend_from_slice(&chunk.bytes);
        out.push(b'\n');
        out
    })
}

fn decode(mut rest: &[u8]) -> Result<Vec<Chunk>> {
    let mut chunks = Vec::new();
    while !rest.is_empty() {
        let (chunk, after) = first(rest).with_context(|| format!("chunk {}", chunks.len() + 1))?;
        chunks.push(chunk);
        rest = after;
    }
    Ok(chunks)
}

/// The first chunk, and what follows it.
fn first(text: &[u8]) -> Result<(Chunk, &[u8])> {
    let end = text.iter().position(|byte| *byte == b'\n').context("its header line has no end")?;
    let header = std::str::from_utf8(&text[..end]).ok().and_then(|line| line.strip_prefix('@'));
    let (at, length) = header.and_then(|line| line.split_once(' ')).context("no header line")?;
    let (at, length) =
        (at.parse().context("its time")?, length.parse::<usize>().context("its length")?);
    let bytes =
        text.get(end + 1..).and_then(|rest| rest.get(..length)).context("it is cut short")?;
    let after = &text[end + 1 + length..];
    let after = after.strip_prefix(b"\n").context("it does not end where its header says")?;
    Ok((Chunk { at, bytes: bytes.to_vec() }, after))
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
    fn a_damaged_file_is_refused_with_the_place() {
        for (damaged, place) in [
            ("@1 2\nab\n@2 9\nab\n", "chunk 2"),
            ("@1 2\nabc\n", "chunk 1"),
            ("@1\nab\n", "chunk 1"),
            ("@1 99999999999999999999\nab\n", "chunk 1"),
            ("@1 2", "chunk 1"),
        ] {
            let error = decode(damaged.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), place, "{damaged:?}");
        }
    }
}
