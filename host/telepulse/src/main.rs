//! The TelePulse program.

/// Many threads allocate for thousands of connections: glibc's would keep an arena for each thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    telepulse::cli::main()
}
