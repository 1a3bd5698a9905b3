//! `compile-plugin`: what a running TelePulse calls, so that compiling a component cannot harm it.

use clap::Args;
use plugin_host::{CompileOrder, CompilerProgram};
use std::{path::PathBuf, process::ExitCode};

#[derive(Args)]
pub(super) struct Options {
    /// The file for the machine code.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// What the host's compiler and settings come down to.
    #[arg(long = "for", value_name = "FINGERPRINT")]
    fingerprint: String,
    /// MiB of memory that it may take.
    #[arg(long, value_name = "MIB")]
    memory: u64,
    /// Seconds of computing that it may take.
    #[arg(long, value_name = "SECONDS")]
    seconds: u64,
}

/// Compiles what comes on standard input.
pub(super) fn run(options: Options) -> ExitCode {
    let Options { out, fingerprint, memory, seconds } = options;
    plugin_host::compile(&CompileOrder { out, fingerprint, memory, seconds })
}

/// This very program, also when its file was replaced meanwhile.
pub(crate) fn program() -> CompilerProgram {
    CompilerProgram {
        program: "/proc/self/exe".into(),
        arguments: vec!["compile-plugin".into()],
        // The limit on its memory counts what the allocator takes at once for later.
        environment: vec![("MIMALLOC_ARENA_EAGER_COMMIT".into(), "0".into())],
    }
}
