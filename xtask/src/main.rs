//! Tasks of the project: `cargo xtask build`, `run`, `test`, `bench` and `dist`.
#![forbid(unsafe_code)]

mod bench;
mod components;
mod console;
mod dist;
mod divan;
#[cfg(test)]
mod docs;
mod page;
mod run;
mod tally;
mod test;
mod test_binary;
mod tools;
mod tree;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Builds, runs and tests the project; fetches what that needs.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Leaves a tree that runs as it is in target/telepulse: bin, plugins.d, config.
    Build {
        /// Cargo's profile for the host; plugins are always built small.
        #[arg(long, default_value = "release")]
        profile: String,
    },
    /// Starts the platform on a simulated call centre: no Asterisk needed.
    ///
    /// The host is built with the `dev` profile, which takes a fraction of the time of `release`.
    Run {
        /// Cargo's profile for the host.
        #[arg(long, default_value = "dev")]
        profile: String,
        /// What `telepulse demo` is given, after `--`.
        #[arg(last = true)]
        args: Vec<OsString>,
    },
    /// Sets up and runs every test, those with a real Asterisk included.
    Test(test::Options),
    /// Measures, and prints one table.
    Bench {
        /// Only this one.
        #[arg(value_parser = bench::names())]
        name: Option<String>,
    },
    /// Packs what people install into target/dist: a tarball, a Debian package, the recipe of an image,
    /// the bill of materials, checksums.
    Dist(dist::Options),
    /// Runs one test binary; `test` puts this between Cargo and the binaries.
    #[command(hide = true)]
    TestBinary {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Build { profile } => run::build(&profile),
        Task::Run { profile, args } => run::demo(&profile, &args),
        Task::Test(options) => return test::test(&options),
        Task::Bench { name } => bench::bench(name.as_deref()),
        Task::Dist(options) => dist::dist(&options),
        Task::TestBinary { command } => return test_binary::run(&command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
