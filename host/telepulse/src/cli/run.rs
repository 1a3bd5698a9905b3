//! `run`, `check` and `demo`: the programs that run until somebody stops them.

use super::signals::{Asked, Signals};
use crate::{
    app::App,
    config::{Config, Log, Source},
    demo::{self, Demo},
    logging, memory, service,
};
use anyhow::{Context as _, bail};
use std::{future::Future, io::Write as _, path::Path, time::Duration};
use tokio::time::timeout;

/// How long stopping may take (contract section 9).
const DRAIN: Duration = Duration::from_secs(10);

/// Runs a configuration until a signal.
pub(super) fn run(file: &Path) -> anyhow::Result<()> {
    let config = load(file)?;
    logging::init(&config.log)?;
    let start = async {
        let app = App::start_with(config, Some(super::compile::program())).await?;
        tracing::info!(config = %file.display(), version = env!("CARGO_PKG_VERSION"), "running");
        service::serves(app.pulse());
        Ok(app)
    };
    let stop = async |app: App| {
        service::stops();
        app.shutdown().await;
    };
    until_stopped(start, &async |app: &App| reread(app, file).await, stop)
}

/// Puts the file as it is now in force; one with a mistake changes nothing.
async fn reread(app: &App, file: &Path) {
    match load(file) {
        Ok(config) => {
            let done = app.reconfigure(config).await;
            tracing::info!(config = %file.display(), "read again: {done}");
        }
        Err(error) => tracing::error!("the configuration stays as it was: {error:#}"),
    }
}

/// Tells all mistakes of a configuration.
pub(super) fn check(file: &Path) -> anyhow::Result<()> {
    let config = load(file)?;
    let (servers, users) = (config.servers.len(), config.users.len());
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}: good; servers: {servers}, users: {users}", file.display())?;
    Ok(())
}

/// Runs the demo until a signal.
pub(super) fn demo(options: demo::Options) -> anyhow::Result<()> {
    logging::init(&demo_log()?)?;
    let start = async {
        let demo = Demo::start(options, Some(super::compile::program())).await?;
        writeln!(std::io::stdout(), "{}", demo.guide())?;
        Ok(demo)
    };
    let nothing = async |_: &Demo| tracing::warn!("the demo has no configuration to read again");
    until_stopped(start, &nothing, Demo::shutdown)
}

/// What the demo logs: little, so that its guide stays in sight, unless the environment says more.
fn demo_log() -> anyhow::Result<Log> {
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with("TELEPULSE_LOG__"))
        .collect();
    let config = Config::parse(&Source {
        file: Path::new("the demo's log"),
        text: "[log]\nlevel = \"warn\"",
        variables: &variables,
        files: &|_| Err(std::io::ErrorKind::Unsupported.into()),
    })?;
    Ok(config.log)
}

/// Reads a configuration, or tells all its mistakes.
pub(super) fn load(file: &Path) -> anyhow::Result<Config> {
    let mistakes = match Config::load(file) {
        Ok(config) => return Ok(config),
        Err(mistakes) => mistakes,
    };
    match mistakes.count() {
        1 => bail!("the configuration has a mistake\n{mistakes}"),
        count => bail!("the configuration has {count} mistakes\n{mistakes}"),
    }
}

/// Starts something, has it `reread` at each SIGHUP, waits for a signal, and stops it within [`DRAIN`]. A signal while it starts
/// ends the program at once, and so does a second one.
fn until_stopped<A, D: Future<Output = ()>>(
    start: impl Future<Output = anyhow::Result<A>>,
    reread: &impl AsyncFn(&A),
    stop: impl FnOnce(A) -> D,
) -> anyhow::Result<()> {
    memory::in_small_pages();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("threads cannot be started")?;
    let outcome = runtime.block_on(async {
        let mut signals = Signals::listen().context("signals cannot be listened to")?;
        let running = tokio::select! {
            started = start => started?,
            () = signals.stop() => return Ok(()),
        };
        while signals.next().await == Asked::Reread {
            reread(&running).await;
        }
        tokio::select! {
            drained = timeout(DRAIN, stop(running)) => drained.with_context(|| {
                format!("stopped after {} seconds, before all was closed", DRAIN.as_secs())
            }),
            () = signals.stop() => bail!("stopped at once by a second signal"),
        }
    });
    // What still computes is not waited for.
    runtime.shutdown_background();
    outcome
}
