//! Where `servers add` takes a secret from: never from the command line, which others can read.

use anyhow::{Context as _, bail};
use std::{
    io::{BufRead as _, IsTerminal as _, Read as _},
    path::Path,
    str::FromStr,
};

/// The most bytes of a secret.
const MAX: u64 = 4096;

/// A place that a secret lies in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Variable(String),
    File(String),
    Input,
}

impl FromStr for Source {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            _ if text == "-" => Ok(Self::Input),
            Some(("env", name)) if !name.is_empty() => Ok(Self::Variable(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.to_owned())),
            _ => Err("must be env:NAME, file:PATH, or - for the standard input"),
        }
    }
}

impl Source {
    pub(super) fn read(&self) -> anyhow::Result<String> {
        let text = match self {
            Self::Variable(name) => {
                std::env::var(name).with_context(|| format!("environment variable {name}"))?
            }
            Self::File(path) => {
                let file = std::fs::File::open(Path::new(path)).with_context(|| path.clone())?;
                read(file).with_context(|| path.clone())?
            }
            Self::Input => read_line()?,
        };
        let secret = text.trim_end_matches(['\r', '\n']);
        if secret.is_empty() {
            bail!("the secret is empty");
        }
        Ok(secret.to_owned())
    }
}

/// The first line of the standard input; who types it is asked for it.
fn read_line() -> std::io::Result<String> {
    let input = std::io::stdin().lock();
    if input.is_terminal() {
        eprint!("A secret, the manager user's first (shown as you type): ");
    }
    let mut line = String::new();
    input.take(MAX).read_line(&mut line)?;
    Ok(line)
}

fn read(from: impl std::io::Read) -> std::io::Result<String> {
    let mut text = String::new();
    from.take(MAX).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_itself_is_refused() {
        assert_eq!("-".parse(), Ok(Source::Input));
        assert_eq!("env:X".parse(), Ok(Source::Variable("X".to_owned())));
        assert_eq!("file:/a:b".parse(), Ok(Source::File("/a:b".to_owned())));
        for bad in ["hunter2", "", "env:", "file:"] {
            assert!(bad.parse::<Source>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_file_ends_with_a_newline_that_is_no_part() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "a b\r\n").unwrap();
        let source = Source::File(file.path().to_string_lossy().into_owned());
        assert_eq!(source.read().unwrap(), "a b");
        std::fs::write(file.path(), "\n").unwrap();
        assert_eq!(source.read().unwrap_err().to_string(), "the secret is empty");
    }
}
