//! `doctor`: what is wrong, and the line that mends it.

use super::{Said, output};
use crate::{
    config::{Server, default_file},
    doctor::{self, Looks, Report},
    paint::Paint,
};
use anyhow::bail;
use clap::Args;
use std::{
    io::{self, IsTerminal as _, Write as _},
    path::PathBuf,
};

#[derive(Args)]
pub(super) struct Options {
    /// Look at this server only [default: all].
    #[arg(long, value_name = "ID")]
    server: Option<String>,
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value_os_t = default_file())]
    config: PathBuf,
    /// Where Asterisk's own configuration is, on its machine [default: /etc/asterisk for servers on
    /// this machine].
    #[arg(long, value_name = "DIR")]
    asterisk: Option<PathBuf>,
    /// For how many seconds events are listened to.
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(0..=600))]
    listen: u64,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

/// Looks, and tells; an error that says nothing more if there is something to be done.
pub(super) async fn run(options: Options) -> anyhow::Result<()> {
    let looks = Looks { asterisk: options.asterisk, listen_ms: options.listen * 1000 };
    let only = options.server.as_deref();
    let report = doctor::everything(&options.config, only, &looks, tell).await;
    done();
    let Some(report) = report else {
        bail!("{} has no server {:?}", options.config.display(), only.unwrap_or_default());
    };
    if options.json {
        output::print_json(&doctor::json(&report))?;
    } else {
        let out = io::stdout();
        let text = doctor::text(&report, Paint::for_output(&out));
        write!(out.lock(), "{text}")?;
    }
    if report.is_trouble() {
        bail!(Said);
    }
    Ok(())
}

/// A short look at a server that was just added: what is wrong is told, to whoever reads along.
pub(super) async fn short(server: &Server) -> anyhow::Result<()> {
    let looks = Looks { asterisk: None, listen_ms: 0 };
    tell(&server.id);
    let report = doctor::server(server, &looks).await;
    done();
    let findings = report.findings.into_iter().filter(doctor::Finding::is_trouble).collect();
    let report = Report { seen: report.seen, findings };
    let err = io::stderr();
    let text = doctor::text(&report, Paint::for_output(&err));
    Ok(write!(err.lock(), "{text}")?)
}

/// One line that says what is looked at, where somebody looks.
fn tell(what: &str) {
    let mut out = io::stderr().lock();
    if out.is_terminal() {
        // Nobody has to see it.
        let _ = write!(out, "\r\x1b[Klooking at {} …", output::inert(what, false));
        let _ = out.flush();
    }
}

fn done() {
    let mut out = io::stderr().lock();
    if out.is_terminal() {
        let _ = write!(out, "\r\x1b[K");
    }
}
