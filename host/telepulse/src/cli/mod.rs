//! The command line (contract section 9): what can be asked for, and how it ends.

mod audit;
mod author;
mod client;
mod compile;
#[cfg(test)]
mod docs;
mod events;
mod output;
mod plugins;
mod record;
mod replay;
mod run;
mod secret;
mod servers;
mod signals;
mod token;

use clap::{Args, Parser, Subcommand};
use std::{future::Future, io, path::PathBuf, process::ExitCode};

/// Exit codes, for `--help` of everything.
const EXIT_CODES: &str = "Exit codes: 0 well, 1 refused with a reason, 2 wrong usage.";

/// TelePulse: what happens on your Asterisk servers, live, for web pages and programs.
#[derive(Parser)]
#[command(
    name = "telepulse",
    version,
    long_about = "TelePulse connects to Asterisk servers, keeps track of every call, line, queue \
                  and agent, and tells web pages and programs over WebSocket and HTTP what happens. \
                  They can dial, transfer, record and more in return.",
    after_help = EXIT_CODES,
    after_long_help = texts::AFTER_HELP,
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Long texts for `--help`.
mod texts {
    pub(super) const AFTER_HELP: &str = "First steps:
  telepulse demo                       a simulated call centre, no Asterisk needed
  telepulse events --token demo        in another terminal: what happens in it
  telepulse token                      a token for a user of your own
  telepulse check                      is the configuration good?
  telepulse run                        the real thing

Exit codes: 0 well, 1 refused with a reason, 2 wrong usage.";
    pub(super) const RUN: &str = "SIGTERM and Ctrl-C end it within 10 seconds: servers are logged \
off, clients are told. Any key of the configuration can come from the environment: \
TELEPULSE_LOG__LEVEL=debug, or TELEPULSE_SERVER__PBX1__SECRET=… for the server with the id pbx1.";
    pub(super) const ADD: &str = "Example:
  telepulse servers add pbx1 --host 10.0.0.5 --username telepulse --secret env:PBX1_SECRET";
    pub(super) const EVENTS: &str = "Examples:
  telepulse events --token demo
  telepulse events --filter '{\"events\":[\"callStarted\",\"callEnded\"]}'
  telepulse events --filter '{\"queues\":[\"sales\"]}' | jq .

A filter has lists of `events`, `servers`, `agents` and `queues`; an absent list lets everything through.";
    pub(super) const AUDIT: &str = "Example:
  telepulse audit --server pbx1

Every channel, bridge, queue, hint and device is listed anew and compared. What differs is mended and \
printed, as the events that clients get of it. On a PBX at rest there is nothing to mend; under load \
some of it was on its way as an event and came first by the listing: audit again.

Exit code 1 if anything differed.";
    pub(super) const RECORD: &str = "Examples:
  telepulse record --server pbx1 pbx1.amirec
  telepulse record --server pbx1 --for 10m --events on everything.amirec

It logs in by itself, as the configuration says, asks what TelePulse asks after a login, and then \
only listens: a TelePulse that runs is not disturbed. The challenge, the proof of the secret and \
passwords are written as asterisks. Callers' numbers and names are in it: keep it private.

A recording is two files: FILE has what the server sent, NAME.amisent beside it what we sent. Both \
are pieces with their time: a line `@<milliseconds> <length>`, so many bytes, a line end.";
    pub(super) const REPLAY: &str = "Examples:
  telepulse replay pbx1.amirec
  telepulse replay pbx1.amirec --listen 127.0.0.1:15038 --speed 10
  telepulse replay pbx1.amirec --speed max
  telepulse servers add again --host 127.0.0.1 --port 15038 --username any --secret -

Each client sees the recording from its own login on. What it asks (listings) is answered as it was \
then; what nobody asked then is an error. An event that came after an answer waits until the client \
has asked the same, for a second at most. Masks other than off, and filters, change nothing: the \
recording has what was let in then. At its end the client stays connected.";
}

#[derive(Subcommand)]
enum Command {
    /// Run TelePulse with a configuration.
    #[command(after_long_help = texts::RUN)]
    Run(Configured),
    /// Tell all mistakes of a configuration; run nothing.
    Check(Configured),
    /// Run on a simulated call centre: no Asterisk, no configuration, this machine only.
    Demo(crate::demo::Options),
    /// Make a random token, and the line for the configuration that lets it in.
    Token,
    /// List and change the Asterisk servers of a running TelePulse.
    #[command(subcommand)]
    Servers(servers::Order),
    /// List the plugins of a running TelePulse, and give them orders.
    #[command(subcommand)]
    Plugins(plugins::Order),
    /// Print events as they happen, one JSON object a line.
    #[command(after_long_help = texts::EVENTS)]
    Events(events::Options),
    /// Compare what TelePulse shows of a server with what the server itself lists, and mend it.
    #[command(after_long_help = texts::AUDIT)]
    Audit(audit::Options),
    /// Record what an Asterisk server sends, with times and without secrets.
    #[command(after_long_help = texts::RECORD)]
    Record(record::Options),
    /// Compile a component for a running TelePulse, which calls this by itself.
    #[command(hide = true)]
    CompilePlugin(compile::Options),
    /// Serve a recording as an AMI server.
    #[command(after_long_help = texts::REPLAY)]
    Replay(replay::Options),
}

/// Which configuration.
#[derive(Args)]
struct Configured {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = crate::config::DEFAULT_FILE)]
    config: PathBuf,
}

/// Does what the command line asks for.
pub fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::CompilePlugin(options) => return compile::run(options),
        Command::Run(options) => run::run(&options.config),
        Command::Check(options) => run::check(&options.config),
        Command::Demo(options) => run::demo(options),
        Command::Token => token::make(),
        Command::Servers(order) => briefly(order.carry_out()),
        Command::Plugins(order) => briefly(order.carry_out()),
        Command::Events(options) => briefly(events::follow(options)),
        Command::Audit(options) => briefly(audit::run(options)),
        Command::Record(options) => briefly(record::run(options)),
        Command::Replay(options) => briefly(replay::run(options)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("telepulse: {}", output::inert(&format!("{error:#}"), true));
            ExitCode::FAILURE
        }
    }
}

/// Runs a client's work on this thread.
fn briefly(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// Whoever reads our output has seen enough, as in `telepulse events | head`.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    kind == Some(io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, error::ErrorKind};

    #[test]
    fn the_definition_holds() {
        Cli::command().debug_assert();
    }

    #[test]
    fn wrong_usage_is_told_apart_from_help() {
        for (words, kind, code) in [
            (&["telepulse", "--help"][..], ErrorKind::DisplayHelp, 0),
            (&["telepulse", "events", "--help"], ErrorKind::DisplayHelp, 0),
            (&["telepulse", "--version"], ErrorKind::DisplayVersion, 0),
            (&["telepulse", "rnu"], ErrorKind::InvalidSubcommand, 2),
            (&["telepulse", "run", "--confg", "x"], ErrorKind::UnknownArgument, 2),
            (&["telepulse", "servers", "add", "pbx1"], ErrorKind::MissingRequiredArgument, 2),
            (&["telepulse", "events", "--filter", "{"], ErrorKind::ValueValidation, 2),
        ] {
            let error = Cli::try_parse_from(words).err().expect("no command");
            assert_eq!((error.kind(), error.exit_code()), (kind, code), "{words:?}");
        }
    }

    #[test]
    fn the_configuration_has_a_default_place() {
        let cli = Cli::try_parse_from(["telepulse", "run"]).expect("a command");
        let Command::Run(options) = cli.command else { panic!("run") };
        assert_eq!(options.config, PathBuf::from("config/telepulse.toml"));
    }
}
