//! The TelePulse program.

fn main() -> std::process::ExitCode {
    telepulse::cli::main()
}
