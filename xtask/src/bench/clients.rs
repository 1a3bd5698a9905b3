//! `bench clients`: 10,000 clients, each with its own agent and two queues, on a simulated call centre, and
//! all of them coming back at once.

use std::process::Command;

use anyhow::Result;

use super::peers;
use crate::console::step;
use crate::{components, tools};

/// For how long.
const SECONDS: u64 = 300;

/// Builds, runs, and shows what came.
pub(super) fn measure() -> Result<()> {
    step("The clients", peers::build_rust)?;
    step("Rust for plugins", tools::ensure_wasm_target)?;
    step("Plugins", components::plugins)?;
    let ours = step("Ours", || tools::bench_program("telepulse", "clients"))?;
    step(&format!("10,000 clients, {SECONDS} s"), || {
        let mut ours = Command::new(&ours);
        ours.arg(peers::rust_program("crowd")).arg(SECONDS.to_string());
        tools::run(&mut ours, "what went wrong is above")
    })
}
