//! A private, real Asterisk for a test: installed on demand, configured, started, killed.
//!
//! What can be dialled there, in context `internal`:
//!
//! | extension | what |
//! |---|---|
//! | 101 … 112 | a phone: `PJSIP/101`, for 30 s; its hint watches device and `CustomPresence:101` |
//! | 121 … 124 | a phone that is known once it registers, see [`Phone::register`] |
//! | 600, 601 | queue `support`, queue `sales`: no members until some are added |
//! | 700 | conference 700 |
//! | 750; 751 … 760 | park; the parking spaces |
//! | 800, 801 | echo; music on hold, both until hang-up |
//! | 802, 803 | busy; congestion |
//! | 0NUMBER | NUMBER through `PJSIP/trunk` |
//! | 91XX | phone 1XX through two Local channels, which get optimized away |
//!
//! `Local/SECONDS@storm` answers and stays for that long. Calls from `trunk` bring their own
//! caller number.
//!
//! [`Phone::register`]: crate::phones::Phone::register

mod config;
pub mod install;
mod instance;

use std::io::Write;

pub use config::{EXTENSIONS, Options, REGISTERING};
pub use install::{Installation, Unavailable};
pub use instance::{Asterisk, Auditors};

/// The installation, or `None` where Asterisk cannot be had: then the test named `test` returns.
///
/// Says so past the capture of test output, and appends the name to the file that
/// `TELEPULSE_SKIPPED` names, from which whoever runs the tests counts them.
pub fn require(test: &str) -> Option<Installation> {
    match install::ensure() {
        Ok(installation) => Some(installation),
        Err(unavailable) => {
            let line = format!("{test}: SKIPPED: needs a real Asterisk: {unavailable}\n");
            // Failing to complain must not turn a skipped test into a failed one.
            let _ = std::io::stderr().write_all(line.as_bytes());
            if let Some(list) = std::env::var_os("TELEPULSE_SKIPPED") {
                let file = std::fs::OpenOptions::new().create(true).append(true).open(list);
                let _ = file.and_then(|mut file| file.write_all(format!("{test}\n").as_bytes()));
            }
            None
        }
    }
}
