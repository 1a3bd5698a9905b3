//! Installs what the tests with a real Asterisk need, ahead of them and with its progress shown.

use std::process::ExitCode;

use telepulse_tests::asterisk::install;

fn main() -> ExitCode {
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
