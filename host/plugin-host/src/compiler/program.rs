//! Compiling in a process of its own, the host's side: starts it, watches it, and tells what it died of.

use super::{CompileError, child::Order};
use std::{
    ffi::OsString,
    io::{self, Read, Write},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

/// MiB of memory: a component of 40 MB takes less than half of it.
const MEMORY: u64 = 2048;
/// Seconds of computing.
const SECONDS: u64 = 60;
/// By the clock on the wall: a busy machine gives it little.
const WALL: Duration = Duration::from_secs(10 * SECONDS);
const GLANCE: Duration = Duration::from_millis(5);
/// A process that computed for too long is told so by the system.
const SIGXCPU: i32 = 24;
const SIGABRT: i32 = 6;
/// So much of what it said is read.
const LAST_WORDS: u64 = 8 << 10;

/// The program that compiles: it calls [`super::child::compile`].
#[derive(Clone, Debug)]
pub struct CompilerProgram {
    /// Its path.
    pub program: OsString,
    /// What comes before `--out FILE --for FINGERPRINT --memory MIB --seconds SECONDS`.
    pub arguments: Vec<OsString>,
    /// All of its environment.
    pub environment: Vec<(OsString, OsString)>,
}

impl CompilerProgram {
    /// Compiles `wasm` into the file `out`. Blocks.
    pub(super) fn compile(
        &self,
        wasm: &[u8],
        out: &Path,
        fingerprint: &str,
    ) -> Result<(), CompileError> {
        let order = Order {
            out: out.to_owned(),
            fingerprint: fingerprint.to_owned(),
            memory: MEMORY,
            seconds: SECONDS,
        };
        let mut child = self.command(&order).spawn().map_err(CompileError::NoCompiler)?;
        if let Some(mut input) = child.stdin.take() {
            // It may be dead already: what it died of is told below.
            let _ = input.write_all(wasm);
        }
        let status = wait(&mut child).map_err(CompileError::NoCompiler)?;
        let mut words = Vec::new();
        if let Some(errors) = child.stderr.take() {
            // What cannot be read is not told.
            let _ = errors.take(LAST_WORDS).read_to_end(&mut words);
        }
        verdict(status, &String::from_utf8_lossy(&words), &order)
    }

    fn command(&self, order: &Order) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).arg("--out").arg(&order.out);
        command.args(["--for", &order.fingerprint]);
        command.args(["--memory", &order.memory.to_string()]);
        command.args(["--seconds", &order.seconds.to_string()]);
        // It needs no secret of ours.
        command
            .env_clear()
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }
}

/// Waits for its end, or ends it.
fn wait(child: &mut Child) -> io::Result<ExitStatus> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if begun.elapsed() > WALL {
            child.kill()?;
            return child.wait();
        }
        thread::sleep(GLANCE);
    }
}

fn verdict(status: ExitStatus, words: &str, order: &Order) -> Result<(), CompileError> {
    let words = crate::failure::shorten(words);
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (Some(1), _) => Err(CompileError::Invalid(words)),
        (_, Some(SIGXCPU)) => {
            Err(CompileError::TooMuch(format!("more than {} s of computing", order.seconds)))
        }
        (_, Some(SIGABRT)) if words.contains("memory allocation") => {
            Err(CompileError::TooMuch(format!("more than {} MiB of memory", order.memory)))
        }
        _ => Err(CompileError::Died(if words.is_empty() {
            status.to_string()
        } else {
            format!("{status}: {words}")
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(script: &str, expected: &str) {
        let program = CompilerProgram {
            program: "sh".into(),
            arguments: vec!["-c".into(), script.into(), "sh".into()],
            environment: vec![("OWN".into(), "1".into())],
        };
        let told = program.compile(b"wasm", Path::new("/nowhere"), "f");
        let told = told.map_or_else(|error| error.to_string(), |()| "good".to_owned());
        assert!(told.contains(expected), "{script}: {told}");
    }

    #[test]
    fn what_it_died_of_is_told() {
        check("cat > /dev/null", "good");
        check("test $OWN = 1 && test -z \"$HOME\"", "good");
        check("test \"$*\" = \"--out /nowhere --for f --memory 2048 --seconds 60\"", "good");
        check("echo no component >&2; exit 1", "it is no component: no component");
        check("kill -XCPU $$", "more than 60 s of computing");
        check("echo memory allocation of 9 bytes failed >&2; kill -ABRT $$", "2048 MiB of memory");
        check("echo oh >&2; kill -SEGV $$", "signal: 11 (SIGSEGV)");
        check("exit 7", "exit status: 7");
    }

    #[test]
    fn a_compiler_that_is_not_there_is_told() {
        let (arguments, environment) = Default::default();
        let program = CompilerProgram { program: "/nowhere/at/all".into(), arguments, environment };
        let error = program.compile(b"", Path::new("/nowhere"), "f").unwrap_err();
        assert!(matches!(error, CompileError::NoCompiler(_)), "{error}");
    }
}
