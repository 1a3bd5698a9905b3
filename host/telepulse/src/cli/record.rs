//! `record`: writes the raw stream of an AMI link of its own to a file, without secrets.

use super::signals::Signals;
use crate::{
    config::{Config, default_file},
    tape::{Progress, Tape, record, sent_beside},
};
use anyhow::{Context as _, bail};
use clap::Args;
use std::{
    io::{ErrorKind, IsTerminal as _, Write as _, stderr},
    path::PathBuf,
    time::Duration,
};

#[derive(Args)]
pub(super) struct Options {
    /// The server's id in the configuration.
    #[arg(long, value_name = "ID")]
    server: String,
    /// Where to write what the server sends; what we send goes beside it, to NAME.amisent.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value_os_t = default_file())]
    config: PathBuf,
    /// Classes of events instead of those that TelePulse itself reads: `on` for all, or a list
    /// such as `call,agent,system,dialplan`.
    #[arg(long, value_name = "CLASSES", value_parser = mask)]
    events: Option<String>,
    /// End after this time, such as 60s or 10m; without it, Ctrl-C ends it.
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    length: Option<Duration>,
    /// Overwrite FILE.
    #[arg(long)]
    force: bool,
}

fn time(text: &str) -> Result<Duration, String> {
    let time: jiff::SignedDuration =
        text.parse().map_err(|_| "must be a time such as 60s, 10m or 1h30m".to_owned())?;
    match Duration::try_from(time) {
        Ok(time) if !time.is_zero() => Ok(time),
        _ => Err("must be more than no time".to_owned()),
    }
}

fn mask(text: &str) -> Result<String, &'static str> {
    let good = !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b',' || byte == b'-');
    if good { Ok(text.to_owned()) } else { Err("must be on, or classes with commas between") }
}

/// Records until it is told to stop.
pub(super) async fn run(options: Options) -> anyhow::Result<()> {
    let config = super::run::load(&options.config)?;
    let Some(server) = config.servers.iter().find(|server| server.id == options.server) else {
        bail!("{}", no_server(&config, &options));
    };
    let mut signals = Signals::listen().context("signals cannot be listened to")?;
    let mut tape = match Tape::create(&options.file, options.force) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{error}; --force overwrites it");
        }
        tape => tape?,
    };
    eprintln!(
        "recording {} ({}:{}) to {} and {}; {}",
        server.id,
        server.host,
        server.port,
        options.file.display(),
        sent_beside(&options.file).display(),
        if options.length.is_some() { "Ctrl-C ends it before its time" } else { "Ctrl-C ends it" }
    );
    let stop = async {
        match options.length {
            Some(length) => drop(tokio::time::timeout(length, signals.stop()).await),
            None => signals.stop().await,
        }
    };
    let outcome = record(server, options.events.as_deref(), &mut tape, tell, stop).await;
    if stderr().is_terminal() {
        eprintln!();
    }
    let done = outcome.with_context(|| format!("recording {}", server.id))?;
    eprintln!("recorded {} events in {} bytes", done.events, done.bytes);
    Ok(())
}

/// One line that grows, where somebody looks at it.
fn tell(progress: Progress) {
    let mut out = stderr().lock();
    if out.is_terminal() {
        let state = if progress.is_listed { "" } else { ", asking for the listings" };
        let (events, bytes) = (progress.events, progress.bytes);
        // Nobody has to see it.
        let _ = write!(out, "\r\x1b[K{events} events, {bytes} bytes{state} ");
        let _ = out.flush();
    }
}

fn no_server(config: &Config, options: &Options) -> String {
    let ids: Vec<_> = config.servers.iter().map(|server| server.id.as_str()).collect();
    let file = options.config.display();
    match ids.as_slice() {
        [] => format!("{file} has no [[server]]: add the one to record"),
        ids => format!("{file} has no server {:?}; it has: {}", options.server, ids.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_masks() {
        assert_eq!(time("60s"), Ok(Duration::from_mins(1)));
        assert_eq!(time("1h30m"), Ok(Duration::from_mins(90)));
        for bad in ["", "60", "0s", "-5s", "soon"] {
            assert!(time(bad).is_err(), "{bad}");
        }
        assert_eq!(mask("call,agent"), Ok("call,agent".to_owned()));
        assert!(mask("call\r\nAction: x").is_err() && mask("").is_err());
    }
}
