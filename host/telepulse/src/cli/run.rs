//! `run`, `check` and `demo`: the programs that run until somebody stops them.

use super::{
    Said, output,
    signals::{Asked, Signals},
};
use crate::{
    admin::{Order, Outcome},
    app::App,
    config::{Change, Config, Log, Mistakes, Source},
    demo::{self, Demo},
    logging, memory,
    proxy::Unusable,
    service,
};
use anyhow::{Context as _, bail};
use serde_json::json;
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
    let ordered = async |app: &App| app.ordered().await;
    until_stopped(start, &async |app: &App, order| reread(app, file, order).await, &ordered, stop)
}

/// Puts the file as it is now in force; one with a mistake changes nothing. Without an order it was a
/// signal, and the log says what came of it.
async fn reread(app: &App, file: &Path, order: Option<Order>) {
    let is_trial = order.as_ref().is_some_and(|order| order.is_trial);
    let outcome = match Config::load(file) {
        Ok(config) if is_trial => good(&app.changes(&config).await, String::new()),
        Ok(config) => put_in_force(app, file, config).await,
        Err(mistakes) => {
            tracing::error!("the configuration stays as it was: {}", told(&mistakes));
            Outcome::Bad(mistakes.list())
        }
    };
    if let Some(order) = order {
        // Whoever asked may have gone.
        let _ = order.reply.send(outcome);
    }
}

async fn put_in_force(app: &App, file: &Path, config: Config) -> Outcome {
    let done = match app.reconfigure(config).await {
        Ok(done) => done,
        Err(Unusable(why)) => {
            tracing::error!(
                config = %file.display(), "the configuration stays as it was: {}", why.join("; ")
            );
            let place = file.display().to_string();
            return Outcome::Unusable(why.into_iter().map(|why| (place.clone(), why)).collect());
        }
    };
    for change in &done.changes {
        tracing::info!(config = %file.display(), "changed: {change}");
    }
    tracing::info!(config = %file.display(), "read again: {done}");
    good(&done.changes, done.to_string())
}

fn good(changes: &[Change], told: String) -> Outcome {
    Outcome::Good { changes: changes.iter().map(|change| json!(change)).collect(), told }
}

/// Tells all mistakes of a configuration.
pub(super) fn check(file: &Path, is_json: bool) -> anyhow::Result<()> {
    if is_json {
        return check_for_programs(file);
    }
    let config = load(file)?;
    let (servers, users) = (config.servers.len(), config.users.len());
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}: good; servers: {servers}, users: {users}", file.display())?;
    Ok(())
}

fn check_for_programs(file: &Path) -> anyhow::Result<()> {
    match Config::load(file) {
        Ok(config) => {
            let (servers, users) = (config.servers.len(), config.users.len());
            output::print_json(&json!({ "ok": true, "servers": servers, "users": users }))?;
            Ok(())
        }
        Err(mistakes) => {
            let list = mistakes.list();
            let list: Vec<_> =
                list.iter().map(|(place, what)| json!({ "where": place, "what": what })).collect();
            output::print_json(&json!({ "ok": false, "mistakes": list }))?;
            bail!(Said)
        }
    }
}

/// Runs the demo until a signal.
pub(super) fn demo(options: demo::Options) -> anyhow::Result<()> {
    logging::init(&demo_log()?)?;
    let start = async {
        let demo = Demo::start(options, Some(super::compile::program())).await?;
        writeln!(std::io::stdout(), "{}", demo.guide())?;
        Ok(demo)
    };
    let nothing = async |_: &Demo, _: Option<Order>| {
        tracing::warn!("the demo has no configuration to read again");
    };
    until_stopped(start, &nothing, &async |_: &Demo| std::future::pending().await, Demo::shutdown)
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
    Config::load(file).map_err(|mistakes| anyhow::Error::msg(told(&mistakes)))
}

fn told(mistakes: &Mistakes) -> String {
    match mistakes.count() {
        1 => format!("the configuration has a mistake\n{mistakes}"),
        count => format!("the configuration has {count} mistakes\n{mistakes}"),
    }
}

/// Starts something, has it `reread` at each SIGHUP and each order, waits for a signal, and stops it
/// within [`DRAIN`]. A signal while it starts ends the program at once, and so does a second one.
fn until_stopped<A, D: Future<Output = ()>>(
    start: impl Future<Output = anyhow::Result<A>>,
    reread: &impl AsyncFn(&A, Option<Order>),
    ordered: &impl AsyncFn(&A) -> Option<Order>,
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
        loop {
            let order = tokio::select! {
                asked = signals.next() => match asked {
                    Asked::Stop => break,
                    Asked::Reread => None,
                },
                // Whoever has given up does not want it any more.
                Some(order) = ordered(&running) => {
                    if order.reply.is_closed() {
                        continue;
                    }
                    Some(order)
                }
            };
            // Who stops does not wait for it: it changes nothing that outlives us.
            tokio::select! {
                () = reread(&running, order) => {}
                () = signals.stop() => break,
            }
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
