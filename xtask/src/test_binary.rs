//! Stands between `cargo test` and a test binary: one test at a time where the tests are heavy, and
//! an end to what hangs. cargo-nextest does both by itself, from `.config/nextest.toml`.

use std::env;
use std::ffi::OsString;
use std::process::{Command, ExitCode};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The package whose tests start an Asterisk each.
const HEAVY: &str = "telepulse-tests";
const LIMIT: Duration = Duration::from_mins(10);
const HEAVY_LIMIT: Duration = Duration::from_mins(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Runs `command`, a test binary and its arguments.
pub(crate) fn run(command: &[OsString]) -> ExitCode {
    let Some((binary, args)) = command.split_first() else { return ExitCode::FAILURE };
    let heavy = env::var_os("CARGO_PKG_NAME").is_some_and(|package| package == HEAVY);
    let mut test = Command::new(binary);
    test.args(args);
    if heavy {
        test.env("RUST_TEST_THREADS", "1");
    }
    let binary = binary.to_string_lossy();
    match ended_within(if heavy { HEAVY_LIMIT } else { LIMIT }, &mut test) {
        Ok(Some(true)) => ExitCode::SUCCESS,
        Ok(Some(false)) => ExitCode::FAILURE,
        Ok(None) => {
            eprintln!("error: {binary} was killed: it still ran after its time was over");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {binary}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Did it end well? `None`: it had to be killed.
fn ended_within(limit: Duration, command: &mut Command) -> std::io::Result<Option<bool>> {
    let mut child = command.spawn()?;
    let deadline = Instant::now() + limit;
    // The standard library cannot wait for a process with a limit.
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status.success()));
        }
        sleep(LOOK_EVERY);
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hangs_is_killed() {
        let ended = |program: &str, arg: &str| {
            ended_within(Duration::from_millis(200), Command::new(program).arg(arg)).unwrap()
        };
        assert_eq!(ended("true", ""), Some(true));
        assert_eq!(ended("false", ""), Some(false));
        assert_eq!(ended("sleep", "60"), None);
    }
}
