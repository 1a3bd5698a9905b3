//! Installs what the tests with a real Asterisk need, ahead of them and with its progress shown; then what the
//! others need from the registries of other languages.

use std::process::ExitCode;

use telepulse_tests::{asterisk::install, languages};

fn main() -> ExitCode {
    let code = asterisk();
    for (what, error) in languages::prepare() {
        // The tests that need it say so themselves, and try again.
        eprintln!("{what} is not ready: {error:#}");
    }
    code
}

fn asterisk() -> ExitCode {
    match install::ensure() {
        Ok(found) => {
            match found.root() {
                Some(root) => println!("Asterisk is ready in {}", root.display()),
                None => println!("Asterisk is ready: the one on the PATH"),
            }
            ExitCode::SUCCESS
        }
        Err(unavailable) => {
            eprintln!("Asterisk cannot be had: {}", unavailable.why);
            eprintln!("Way out: {}", unavailable.cure);
            ExitCode::FAILURE
        }
    }
}
