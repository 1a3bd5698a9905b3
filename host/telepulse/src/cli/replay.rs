//! `replay`: serves a recording as an AMI server.

use super::{secret, signals::Signals};
use crate::tape::{Happening, Login, Replay, Speed, load, sent_beside};
use anyhow::Context as _;
use clap::Args;
use std::{net::SocketAddr, path::PathBuf};

#[derive(Args)]
pub(super) struct Options {
    /// What to serve, as `telepulse record` wrote it.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where clients connect.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5038")]
    listen: SocketAddr,
    /// How fast: 1 as it was, 10 ten times as fast, max as fast as the client reads.
    #[arg(long, value_name = "TIMES", default_value = "1")]
    speed: Speed,
    /// The only user who may log in; without it, anybody may with any secret.
    #[arg(long, value_name = "NAME", requires = "secret")]
    username: Option<String>,
    /// Where that user's secret is: env:NAME, file:PATH, or - for the standard input.
    #[arg(long, value_name = "PLACE", requires = "username")]
    secret: Option<secret::Source>,
}

/// Serves until Ctrl-C.
pub(super) async fn run(options: Options) -> anyhow::Result<()> {
    let login = match (options.username, options.secret) {
        (Some(username), Some(secret)) => Some(Login { username, secret: secret.read()? }),
        _ => None,
    };
    let script = load(&options.file)?;
    let (events, questions) = (script.event_count(), script.question_count());
    let length = script.length_ms() / 1_000;
    let mut signals = Signals::listen().context("signals cannot be listened to")?;
    let replay =
        Replay::start(script, options.speed, login, options.listen, tell).await.with_context(
            || format!("cannot listen on {}; --listen names another address", options.listen),
        )?;
    eprintln!(
        "replaying {}: {events} events over {length} s, answers to {questions} questions; \
         listening on {}; Ctrl-C ends it",
        options.file.display(),
        replay.address()
    );
    if questions == 0 {
        let sent = sent_beside(&options.file);
        eprintln!("nothing is answered but logins and pings: {} is not there", sent.display());
    }
    signals.stop().await;
    Ok(())
}

fn tell(client: u64, what: Happening) {
    match what {
        Happening::Came(from) => eprintln!("client {client}: connected from {from}"),
        Happening::LoggedIn => eprintln!("client {client}: logged in; the recording begins"),
        Happening::Over(events) => {
            eprintln!("client {client}: the recording is over, {events} events were sent");
        }
        Happening::Went(events) => eprintln!("client {client}: gone, after {events} events"),
        Happening::TurnedAway(from) => {
            eprintln!("client {client}: turned away, too many are connected; from {from}");
        }
    }
}
