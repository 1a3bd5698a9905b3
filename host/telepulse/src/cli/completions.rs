//! `completions`: what a shell needs to complete our words.

use super::Cli;
use clap::{Args, CommandFactory as _, ValueEnum};
use clap_complete::{
    Generator,
    shells::{Bash, Fish, Zsh},
};
use std::io::Write as _;

#[derive(Args)]
pub(super) struct Options {
    /// Which shell.
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Prints the shell's script.
pub(super) fn print(options: &Options) -> anyhow::Result<()> {
    Ok(std::io::stdout().lock().write_all(&script(options.shell))?)
}

fn script(shell: Shell) -> Vec<u8> {
    fn of(generator: impl Generator) -> Vec<u8> {
        let mut text = Vec::new();
        clap_complete::generate(generator, &mut Cli::command(), "telepulse", &mut text);
        text
    }
    match shell {
        Shell::Bash => of(Bash),
        Shell::Zsh => of(Zsh),
        Shell::Fish => of(Fish),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_learns_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let text = String::from_utf8(script(shell)).unwrap();
            for word in ["doctor", "dry-run", "approve"] {
                assert!(text.contains(word), "{word}");
            }
        }
    }
}
