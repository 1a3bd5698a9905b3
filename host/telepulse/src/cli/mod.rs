//! The command line (contract section 9): what can be asked for, and how it ends.

mod audit;
mod author;
mod client;
mod compile;
mod completions;
#[cfg(test)]
mod docs;
mod doctor;
mod events;
mod output;
mod plugins;
mod record;
mod reload;
mod replay;
mod run;
mod secret;
mod servers;
mod signals;
mod texts;
mod token;
mod tokens;
mod top;

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

#[derive(Subcommand)]
enum Command {
    /// Run TelePulse with a configuration.
    #[command(after_long_help = texts::RUN)]
    Run(Configured),
    /// Tell all mistakes of a configuration; run nothing.
    #[command(after_long_help = texts::CHECK)]
    Check(Checked),
    /// Find out what is wrong between TelePulse and its Asterisk servers, and what mends it.
    #[command(after_long_help = texts::DOCTOR)]
    Doctor(doctor::Options),
    /// Have a running TelePulse read its configuration again, and show what differs.
    #[command(after_long_help = texts::RELOAD)]
    Reload(reload::Options),
    /// Print the configuration's JSON Schema, for editors.
    #[command(after_long_help = texts::SCHEMA)]
    Schema,
    /// Run on a simulated call centre: no Asterisk, no configuration, this machine only.
    #[command(after_long_help = texts::DEMO)]
    Demo(crate::demo::Options),
    /// Make a random token, and the line for the configuration that lets it in.
    #[command(after_long_help = texts::TOKEN)]
    Token(token::Options),
    /// Take logins back before their time, at a running TelePulse.
    #[command(subcommand, after_long_help = texts::TOKENS)]
    Tokens(tokens::Order),
    /// List and change the Asterisk servers of a running TelePulse.
    #[command(subcommand, after_long_help = texts::SERVERS)]
    Servers(servers::Order),
    /// List the plugins of a running TelePulse, and give them orders.
    #[command(subcommand, after_long_help = texts::PLUGINS)]
    Plugins(plugins::Order),
    /// Show events as they happen; one JSON object a line where no terminal is.
    #[command(after_long_help = texts::EVENTS)]
    Events(events::Options),
    /// Show how much goes on: servers, calls, queues, clients, plugins, live.
    #[command(after_long_help = texts::TOP)]
    Top(top::Options),
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
    /// Print what a shell needs to complete commands and options.
    #[command(after_long_help = texts::COMPLETIONS)]
    Completions(completions::Options),
}

/// Which configuration, and how the answer looks.
#[derive(Args)]
struct Checked {
    #[command(flatten)]
    configured: Configured,
    /// Print the outcome as JSON.
    #[arg(long)]
    json: bool,
}

/// Which configuration.
#[derive(Args)]
struct Configured {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value_os_t = crate::config::default_file())]
    config: PathBuf,
}

/// Does what the command line asks for.
pub fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::CompilePlugin(options) => return compile::run(options),
        Command::Run(options) => run::run(&options.config),
        Command::Check(options) => run::check(&options.configured.config, options.json),
        Command::Doctor(options) => briefly(doctor::run(options)),
        Command::Reload(options) => briefly(reload::run(options)),
        Command::Schema => output::print_json(&crate::config::json_schema()).map_err(Into::into),
        Command::Completions(options) => completions::print(&options),
        Command::Top(options) => briefly(top::run(options)),
        Command::Demo(options) => run::demo(options),
        Command::Token(options) => token::make(&options),
        Command::Tokens(order) => briefly(order.carry_out()),
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
        Err(error) if error.is::<Said>() => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("telepulse: {}", output::inert(&format!("{error:#}"), true));
            ExitCode::FAILURE
        }
    }
}

/// It did not go well, and all has been said.
#[derive(Debug, thiserror::Error)]
#[error("see above")]
struct Said;

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

    /// All commands that do something, with the words that lead there.
    fn leaves(command: &clap::Command, path: &str, into: &mut Vec<(String, clap::Command)>) {
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            let path = format!("{path} {}", sub.get_name());
            if sub.has_subcommands() {
                leaves(sub, &path, into);
            } else if sub.get_name() != "help" {
                into.push((path, sub.clone()));
            }
        }
    }

    /// A line as a shell takes it apart: quotes, up to a comment or a pipe.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
        for c in line.chars() {
            match c {
                '\'' => {
                    quoted = !quoted;
                    word.get_or_insert_default();
                }
                '#' | '|' | '>' if !quoted && word.is_none() => break,
                ' ' if !quoted => words.extend(word.take()),
                c => word.get_or_insert_default().push(c),
            }
        }
        words.extend(word);
        words
    }

    #[test]
    fn every_command_has_an_example_that_is_understood() {
        let mut found = Vec::new();
        leaves(&Cli::command(), "telepulse", &mut found);
        assert!(found.len() > 25, "{}", found.len());
        for (path, mut command) in found {
            let help = command.render_long_help().to_string();
            let examples: Vec<&str> =
                help.lines().map(str::trim).filter(|line| line.starts_with("telepulse ")).collect();
            let own = |line: &&&str| {
                line.strip_prefix(path.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
            };
            assert!(examples.iter().any(|line| own(&line)), "{path}: {help}");
            for example in examples {
                let parsed = Cli::try_parse_from(words(example));
                assert!(parsed.is_ok(), "{example}: {}", parsed.err().unwrap());
            }
        }
    }

    #[test]
    fn the_configuration_has_a_default_place() {
        let cli = Cli::try_parse_from(["telepulse", "run"]).expect("a command");
        let Command::Run(options) = cli.command else { panic!("run") };
        // Of a package, where one is installed.
        assert!(options.config.ends_with("telepulse.toml"), "{}", options.config.display());
    }
}
