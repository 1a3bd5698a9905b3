//! Clocks that are wrong: of one process only, and set again while it runs.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// What a process sees instead of the machine's clock on the wall.
#[derive(Debug)]
pub struct WallClock {
    path: PathBuf,
    file: File,
}

/// By how much a clock is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It is right.
    Not,
    /// It is ahead.
    Ahead(Duration),
    /// It is behind.
    Behind(Duration),
}

impl WallClock {
    /// A clock that is right, kept in this file.
    pub fn new(path: &Path) -> Result<Self> {
        let file = File::options().create(true).truncate(true).write(true).open(path)?;
        let clock = Self { path: path.to_owned(), file };
        clock.set(Wrong::Not)?;
        Ok(clock)
    }

    /// Sets it, for a process that runs already too.
    pub fn set(&self, wrong: Wrong) -> Result<()> {
        let ms = |by: Duration| i64::try_from(by.as_millis());
        let by = match wrong {
            Wrong::Not => 0,
            Wrong::Ahead(by) => ms(by)?,
            Wrong::Behind(by) => -ms(by)?,
        };
        Ok(self.file.write_all_at(&by.to_ne_bytes(), 0)?)
    }

    /// Shows it to a process that is about to be started.
    pub fn show(&self, command: &mut Command) -> Result<()> {
        command.env("LD_PRELOAD", library()?).env("TELEPULSE_CLOCK", &self.path);
        Ok(())
    }
}

/// What comes between a process and its clock: compiled where that was not done yet.
fn library() -> Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/wall_clock.c");
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let library = target.join("wall_clock.so");
    let changed = |path: &Path| path.metadata()?.modified();
    if changed(&library).is_ok_and(|made| changed(&source).is_ok_and(|written| written <= made)) {
        return Ok(library);
    }
    // Several tests may come at once: each makes its own, and the last one stays.
    let own = target.join(format!("wall_clock.{}.so", std::process::id()));
    let mut compile = Command::new("cc");
    compile.args(["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o"]).arg(&own).arg(&source);
    let status = compile.status().context("compiling by `cc`, which Rust needs as well")?;
    ensure!(status.success(), "{compile:?}: {status}");
    std::fs::rename(&own, &library)?;
    Ok(library)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(clock: &WallClock) -> i64 {
        let mut date = Command::new("date");
        clock.show(date.arg("+%s")).unwrap();
        let said = date.output().unwrap();
        String::from_utf8(said.stdout).unwrap().trim().parse().unwrap()
    }

    #[test]
    fn a_process_sees_it_as_it_is_set() {
        let folder = tempfile::tempdir().unwrap();
        let clock = WallClock::new(&folder.path().join("clock")).unwrap();
        let right = seconds(&clock);
        clock.set(Wrong::Ahead(Duration::from_hours(1))).unwrap();
        assert!((3_600..3_660).contains(&(seconds(&clock) - right)));
        clock.set(Wrong::Behind(Duration::from_millis(90_500))).unwrap();
        assert!((-91..-30).contains(&(seconds(&clock) - right)));
    }
}
