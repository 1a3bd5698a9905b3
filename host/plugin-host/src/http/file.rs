//! Parts of files as answers: opened as the plugin itself could, read by the host while they are sent.

use crate::{grants::Folder, ports::BodyError};
use bytes::Bytes;
use cap_primitives::{
    ambient_authority,
    fs::{OpenOptions, OpenOptionsExt, open, open_ambient_dir},
};
use futures_util::{Stream, stream::try_unfold};
use http_body_util::StreamBody;
use hyper::body::Frame;
use rustix::fs::OFlags;
use std::{
    fs::File,
    io::{self, ErrorKind, Read, Seek, SeekFrom},
    path::Path,
};
use tokio::task::spawn_blocking;

/// As much as is read at a time.
const AT_ONCE: u64 = 64 << 10;

/// A part of a file, as a plugin names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FilePart {
    pub(crate) path: String,
    pub(crate) from: u64,
    pub(crate) length: u64,
}

/// Why a part is not sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotSent {
    /// There is no such file for this plugin.
    #[error("the file {path:?} that was to be sent cannot be opened: {error}")]
    Closed { path: String, error: io::Error },
    /// It has not what was promised of it.
    #[error("of the file {path:?} {length} bytes from {from} were to be sent, and it has {has}")]
    TooShort { path: String, from: u64, length: u64, has: u64 },
}

/// A part that was opened.
#[derive(Debug)]
pub(super) struct Opened {
    file: File,
    left: u64,
}

impl FilePart {
    /// Opens it, if it is below one of these folders: nothing above them can be reached, by `..` or by a link.
    pub(super) fn open(self, folders: &[Folder]) -> Result<Opened, NotSent> {
        let Self { path, from, length } = self;
        let looked_at = regular(&path, folders).and_then(|mut file| {
            let has = file.metadata()?.len();
            file.seek(SeekFrom::Start(from))?;
            Ok((file, has))
        });
        match looked_at {
            Err(error) => Err(NotSent::Closed { path, error }),
            Ok((_, has)) if from.checked_add(length).is_none_or(|end| end > has) => {
                Err(NotSent::TooShort { path, from, length, has })
            }
            Ok((file, _)) => Ok(Opened { file, left: length }),
        }
    }
}

/// Opens a regular file by the rules that the plugin's own access has. One that is none is not there: to open a
/// pipe, and to read it, is to wait for whoever writes to it.
fn regular(path: &str, folders: &[Folder]) -> io::Result<File> {
    let (folder, below) = place(path, folders).ok_or(ErrorKind::NotFound)?;
    let folder = open_ambient_dir(Path::new(folder), ambient_authority())?;
    let wait_for_nobody = OFlags::NONBLOCK.bits().cast_signed();
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(wait_for_nobody);
    let file = open(&folder, Path::new(below), &options)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(ErrorKind::NotFound.into()) }
}

/// The innermost folder that a path begins with, and what follows: as the C library of a component finds it.
fn place<'p>(path: &'p str, folders: &'p [Folder]) -> Option<(&'p str, &'p str)> {
    let below = |folder: &'p Folder| {
        let below = path.strip_prefix(&*folder.path)?.strip_prefix('/')?;
        Some((&*folder.path, below.trim_start_matches('/')))
    };
    folders.iter().filter_map(below).max_by_key(|(folder, _)| folder.len())
}

impl Opened {
    /// Its bytes, after these.
    pub(super) fn stream(
        self,
        before: Bytes,
    ) -> StreamBody<impl Stream<Item = Result<Frame<Bytes>, BodyError>> + Send> {
        StreamBody::new(try_unfold((before, self), async |(before, part): (Bytes, Self)| {
            if !before.is_empty() {
                return Ok(Some((Frame::data(before), (Bytes::new(), part))));
            }
            if part.left == 0 {
                return Ok(None);
            }
            let (piece, part) = spawn_blocking(move || part.piece()).await??;
            Ok(Some((Frame::data(piece), (Bytes::new(), part))))
        }))
    }

    /// The next piece. Blocks.
    fn piece(mut self) -> io::Result<(Bytes, Self)> {
        let most = self.left.min(AT_ONCE);
        let mut piece = Vec::with_capacity(usize::try_from(most).unwrap_or_default());
        (&self.file).take(most).read_to_end(&mut piece)?;
        if piece.is_empty() {
            // The length is told already: the client sees that something is missing.
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.left -= piece.len() as u64;
        Ok((piece.into(), self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use std::{fs, os::unix::fs::symlink};

    fn granted(path: &Path) -> Folder {
        Folder { path: path.to_str().unwrap().to_owned(), is_writable: false }
    }

    fn part(path: &Path, from: u64, length: u64) -> FilePart {
        FilePart { path: path.to_str().unwrap().to_owned(), from, length }
    }

    #[test]
    fn the_innermost_folder_is_meant() {
        let folders = ["/a", "/a/b", "/ab"].map(|path| granted(Path::new(path)));
        for (path, expected) in [
            ("/a/x", Some(("/a", "x"))),
            ("/a/b/x", Some(("/a/b", "x"))),
            ("/a//x", Some(("/a", "x"))),
            ("/a/../ab/x", Some(("/a", "../ab/x"))),
            ("/abc/x", None),
            ("/a", None),
            ("a/x", None),
            ("", None),
        ] {
            assert_eq!(place(path, &folders), expected, "{path}");
        }
    }

    #[test]
    fn what_the_plugin_could_not_open_is_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("inside");
        fs::create_dir_all(inside.join("deep")).unwrap();
        fs::write(inside.join("deep/a"), "hello").unwrap();
        fs::write(dir.path().join("secret"), "the secret").unwrap();
        symlink("deep/a", inside.join("good")).unwrap();
        symlink("../secret", inside.join("relative")).unwrap();
        symlink(dir.path().join("secret"), inside.join("absolute")).unwrap();
        symlink("..", inside.join("above")).unwrap();
        let pipe = inside.join("pipe");
        let mode = rustix::fs::Mode::RUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let folders = [granted(&inside)];
        for good in ["deep/a", "good", "deep/../deep/a"] {
            part(&inside.join(good), 0, 5).open(&folders).unwrap();
        }
        let elsewhere = [dir.path().join("secret"), "/etc/passwd".into(), "etc/passwd".into()];
        let inside = [
            "../secret",
            "deep/../../secret",
            "relative",
            "absolute",
            "above/secret",
            "above/inside/deep/a",
            "missing",
            "deep",
            "pipe",
            "",
        ]
        .map(|path| inside.join(path));
        for path in inside.into_iter().chain(elsewhere) {
            let refused = part(&path, 0, 1).open(&folders).unwrap_err();
            assert!(matches!(refused, NotSent::Closed { .. }), "{path:?}: {refused}");
        }
    }

    #[test]
    fn more_than_there_is_cannot_be_promised() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "hello").unwrap();
        let folders = [granted(dir.path())];
        for (from, length) in [(0, 6), (5, 1), (6, 0), (u64::MAX, 1), (1, u64::MAX)] {
            let refused = part(&path, from, length).open(&folders).unwrap_err();
            assert!(
                matches!(refused, NotSent::TooShort { .. } | NotSent::Closed { .. }),
                "{refused}"
            );
        }
    }

    #[tokio::test]
    async fn a_part_is_sent_piece_by_piece() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let all: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        fs::write(&path, &all).unwrap();
        let opened = part(&path, 10, 300_000).open(&[granted(dir.path())]).unwrap();
        let sent = opened.stream(Bytes::from_static(b"head")).collect().await.unwrap().to_bytes();
        assert_eq!(sent, [b"head", &all[10..300_010]].concat());

        let opened = part(&path, 0, all.len() as u64).open(&[granted(dir.path())]).unwrap();
        fs::write(&path, "cut").unwrap();
        assert!(opened.stream(Bytes::new()).collect().await.is_err(), "it was cut meanwhile");
    }
}
