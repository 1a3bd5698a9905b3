//! Compiling in a process of its own, that process's side: a component on its standard input, machine
//! code in a file. It limits itself before it reads the first byte, and dies of what the component
//! does to the compiler; the host lives on.

use super::{fingerprint, invalid};
use crate::engine;
use crate::whole;
use rustix::process::{Resource, Rlimit, Signal, nice, set_parent_process_death_signal, setrlimit};
use std::{
    io::{self, Read},
    path::PathBuf,
    process::ExitCode,
};

/// Below everything that calls depend on.
const NICENESS: i32 = 10;
/// What ends with this was not compiled for another reason than its own.
const TROUBLE: u8 = 2;

/// What compiling may take, and where its result goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The file for the machine code.
    pub out: PathBuf,
    /// What the host's compiler and settings come down to: ours must be the same.
    pub fingerprint: String,
    /// MiB of memory.
    pub memory: u64,
    /// Seconds of computing, on all cores together.
    pub seconds: u64,
}

/// Carries it out. A component that is none is told on standard error, with exit code 1; anything
/// else with 2.
pub fn compile(order: &Order) -> ExitCode {
    match limited(order) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(why)) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::from(TROUBLE)
        }
    }
}

/// The inner error is about the component.
fn limited(order: &Order) -> Result<Result<(), String>, String> {
    let io = |error: io::Error| error.to_string();
    // If the host dies, nobody waits for the result.
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| io(error.into()))?;
    for (resource, most) in [
        // Counts what is written to, not what is reserved.
        (Resource::Data, order.memory << 20),
        (Resource::Cpu, order.seconds),
        (Resource::Core, 0),
    ] {
        // Past the first limit on computing comes a signal of its own, which says why.
        let limit = Rlimit { current: Some(most), maximum: Some(most + 5) };
        setrlimit(resource, limit).map_err(|error| io(error.into()))?;
    }
    // Not being nice is no reason to fail.
    let _ = nice(NICENESS);
    let mut wasm = Vec::new();
    io::stdin().lock().read_to_end(&mut wasm).map_err(io)?;
    let engine = engine::build(false).map_err(|error| error.to_string())?;
    let ours = fingerprint(&engine);
    if ours != order.fingerprint {
        return Err(format!("the compiler is not the host's: {ours}, not {}", order.fingerprint));
    }
    let code = match engine.precompile_component(&wasm) {
        Ok(code) => code,
        Err(error) => return Ok(Err(invalid(&error))),
    };
    let out = &order.out;
    whole::write(out, &code).map_err(|error| format!("{}: {error}", out.display())).map(Ok)
}
