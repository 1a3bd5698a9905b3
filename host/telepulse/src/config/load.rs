//! From a file, or from a text with its surroundings, to a [`Config`] or to all of its mistakes.

use super::{Config, Mistakes, environment, fields::Reader, read, written};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

/// Where the configuration is when nothing else is said: of a tree that we are in, or of the package.
const DEFAULT_FILES: [&str; 2] = ["config/telepulse.toml", "/etc/telepulse/telepulse.toml"];

/// The most bytes that the file, or a file that it names, may have.
const MAX_BYTES: u64 = 1 << 20;

/// A configuration's text and all that it can refer to, so that reading it is a pure function.
pub struct Source<'a> {
    /// What messages call the file; its folder is where relative paths begin.
    pub file: &'a Path,
    /// The text, in TOML.
    pub text: &'a str,
    /// The environment: for `env:NAME`, and `TELEPULSE_SECTION__KEY` instead of a key.
    pub variables: &'a BTreeMap<String, String>,
    /// Reads a file, for `file:PATH`.
    pub files: &'a dyn Fn(&Path) -> io::Result<String>,
}

/// The configuration that is meant when nothing else is said.
pub fn default_file() -> PathBuf {
    // One that may not be looked at is there: who reads it says why it cannot.
    let is_there = |file: &&Path| file.try_exists().unwrap_or(true);
    let there = DEFAULT_FILES.iter().map(Path::new).find(is_there);
    there.unwrap_or(Path::new(DEFAULT_FILES[0])).to_owned()
}

impl<'a> Source<'a> {
    /// A text that refers to nothing: without an environment, without other files.
    pub fn alone(file: &'a Path, text: &'a str) -> Self {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        Self { file, text, variables: &NONE, files: &|_| Err(io::ErrorKind::Unsupported.into()) }
    }
}

impl Config {
    /// Reads a configuration, or tells everything that is wrong with it.
    pub fn parse(source: &Source<'_>) -> Result<Self, Mistakes> {
        let mut mistakes = Mistakes::new(source.file);
        let mut root = written::read(source.text, &mut mistakes);
        let broken = !mistakes.is_empty();
        environment::apply(&mut root, source.variables, &mut mistakes);
        let mut reader = Reader {
            mistakes,
            broken,
            folder: source.file.parent().unwrap_or(Path::new("")),
            variables: source.variables,
            files: source.files,
        };
        let config = read::config(&mut reader, &root);
        let mut mistakes = reader.mistakes;
        mistakes.sort();
        if mistakes.is_empty() { Ok(config) } else { Err(mistakes) }
    }

    /// Reads a file, in this process's environment.
    pub fn load(file: &Path) -> Result<Self, Mistakes> {
        let text = read_file(file).map_err(|error| {
            let way_out = match error.kind() {
                io::ErrorKind::NotFound => {
                    ": name another with --config, or make it from the \
                                            example config/telepulse.toml"
                }
                _ => "",
            };
            Mistakes::of_file(file, format!("cannot be read: {error}{way_out}"))
        })?;
        // Messages name the file as it was given; what is used must not depend on where we are.
        let here = std::env::current_dir()
            .map_err(|error| Mistakes::of_file(file, format!("the current folder: {error}")))?;
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let source = Source { file, text: &text, variables: &variables, files: &read_file };
        Self::parse(&source).map(|config| config.below(&here))
    }

    /// The same with paths that begin at `folder`.
    fn below(mut self, folder: &Path) -> Self {
        for path in [&mut self.store.path, &mut self.plugins.dir] {
            *path = folder.join(&path);
        }
        self
    }
}

/// Reads a text file, but never without end.
fn read_file(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if u64::try_from(read).is_ok_and(|read| read <= MAX_BYTES) {
        Ok(text)
    } else {
        Err(io::Error::new(io::ErrorKind::FileTooLarge, "more than 1 MiB"))
    }
}
