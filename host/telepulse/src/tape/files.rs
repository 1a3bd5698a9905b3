//! The two files of a recording: what the server sent, and beside it what the client did.

use ami_proto::recording::{Mask, Script, ScriptError, write_chunk};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Instant,
};
use thiserror::Error;

/// A recording is read whole.
const MAX_BYTES: u64 = 2 << 30;

/// Where the client's side is kept: `NAME.amisent` beside `NAME.amirec`.
pub fn sent_beside(received: &Path) -> PathBuf {
    received.with_extension("amisent")
}

/// A recording in the making: both directions on one clock, without secrets.
#[derive(Debug)]
pub struct Tape<W> {
    began: Instant,
    received: Side<W>,
    sent: Side<W>,
}

#[derive(Debug)]
struct Side<W> {
    out: W,
    mask: Mask,
}

impl Tape<BufWriter<File>> {
    /// Makes the two files, readable by their owner only: calls are private. They are not
    /// overwritten unless `force` says so.
    pub fn create(received: &Path, force: bool) -> io::Result<Self> {
        let file = |path: &Path| -> io::Result<BufWriter<File>> {
            let mut options = OpenOptions::new();
            options.write(true).mode(0o600);
            if force {
                options.create(true).truncate(true)
            } else {
                options.create_new(true)
            };
            let file = options.open(path).map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", path.display()))
            })?;
            Ok(BufWriter::new(file))
        };
        let sent = sent_beside(received);
        if sent == received {
            let message = format!("{}: .amisent is what the client sends", received.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        Ok(Self::new(file(received)?, file(&sent)?))
    }
}

impl<W: Write> Tape<W> {
    /// Writes each direction where it is told; the clock begins now.
    pub fn new(received: W, sent: W) -> Self {
        let side = |out| Side { out, mask: Mask::default() };
        Self { began: Instant::now(), received: side(received), sent: side(sent) }
    }

    /// Adds what came from the server.
    pub(super) fn received(&mut self, bytes: &[u8]) -> io::Result<()> {
        let at_ms = self.now_ms();
        self.received.add(at_ms, bytes)
    }

    /// Adds what goes to the server.
    pub(super) fn sent(&mut self, bytes: &[u8]) -> io::Result<()> {
        let at_ms = self.now_ms();
        self.sent.add(at_ms, bytes)
    }

    /// Hands everything over to the file system.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.received.out.flush()?;
        self.sent.out.flush()
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl<W: Write> Side<W> {
    fn add(&mut self, at_ms: u64, bytes: &[u8]) -> io::Result<()> {
        let mut bytes = bytes.to_vec();
        self.mask.hide(&mut bytes);
        // In one piece, so that a file that is still being written ends with a whole one.
        let mut chunk = Vec::with_capacity(bytes.len() + 32);
        write_chunk(&mut chunk, at_ms, &bytes)?;
        self.out.write_all(&chunk)
    }
}

/// Why a recording cannot be served.
#[derive(Debug, Error)]
pub enum LoadError {
    /// A file cannot be read.
    #[error("{path}: {error}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It is too large to be held in memory.
    #[error("{0}: is larger than {MAX_BYTES} bytes, which is the most that can be replayed")]
    TooLarge(PathBuf),
    /// It is no recording.
    #[error("{path}: {error}")]
    Format {
        /// Which file.
        path: PathBuf,
        /// What is wrong, and where.
        error: ScriptError,
    },
}

/// Reads a recording; the file of what the client sent may be missing, then nothing that a client
/// asks has an answer.
pub fn load(received: &Path) -> Result<Script, LoadError> {
    let beside = sent_beside(received);
    let sent = match read(&beside) {
        Err(LoadError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        sent => sent?,
    };
    Script::new(&read(received)?, &sent).map_err(|error| {
        let path = match error {
            ScriptError::Sent(_) => beside,
            ScriptError::Received(_) | ScriptError::NoBanner => received.to_owned(),
        };
        LoadError::Format { path, error }
    })
}

fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    let failed = |error| LoadError::Io { path: path.to_owned(), error };
    if fs::metadata(path).map_err(failed)?.len() > MAX_BYTES {
        return Err(LoadError::TooLarge(path.to_owned()));
    }
    fs::read(path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_private_and_not_overwritten_by_mistake() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.amirec");
        let mut tape = Tape::create(&file, false).unwrap();
        tape.received(b"Asterisk Call Manager/11.0.0\r\n").unwrap();
        tape.sent(b"Action: Login\r\nSecret: canary\r\n\r\n").unwrap();
        tape.flush().unwrap();
        for path in [&file, &folder.path().join("x.amisent")] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
            assert!(!fs::read_to_string(path).unwrap().contains("canary"));
        }
        assert_eq!(load(&file).unwrap().greeting(), "Asterisk Call Manager/11.0.0\r\n");
        let refused = Tape::create(&file, false).unwrap_err();
        assert!(refused.to_string().contains("x.amirec: File exists"), "{refused}");
        Tape::create(&file, true).unwrap();
        assert!(Tape::create(&folder.path().join("y.amisent"), false).is_err());
    }

    #[test]
    fn a_broken_file_is_named_with_the_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.amirec");
        let error = |received: &str, sent: Option<&str>| {
            fs::write(&file, received).unwrap();
            if let Some(sent) = sent {
                fs::write(sent_beside(&file), sent).unwrap();
            }
            load(&file).unwrap_err().to_string()
        };
        let cut = error("@0 30\nAsterisk Call", None);
        assert!(cut.contains("x.amirec: byte 6 of the recording"), "{cut}");
        let other = error("@0 5\nSSH-2\n", None);
        assert!(other.contains("x.amirec: byte 0 of the stream"), "{other}");
        let sent = error("@0 30\nAsterisk Call Manager/11.0.0\r\n\n", Some("@0 1"));
        assert!(sent.contains("x.amisent: of what the client sent: byte 0"), "{sent}");
        assert!(
            load(&folder.path().join("none")).unwrap_err().to_string().contains("none: No such")
        );
    }
}
