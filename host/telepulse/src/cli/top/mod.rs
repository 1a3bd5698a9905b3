//! `top`: how much goes on, live.

mod screen;
mod view;

use super::{
    client::{Client, Content},
    output,
    signals::Signals,
};
use crate::paint::Paint;
use anyhow::Context as _;
use clap::Args;
use http::Method;
use screen::Screen;
use serde_json::Value;
use std::{
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};
use tokio::time::{MissedTickBehavior, interval};

#[derive(Args)]
pub(super) struct Options {
    /// Tell it once and end; so it is where the output is no terminal.
    #[arg(long)]
    once: bool,
    /// Seconds between two looks.
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=3600))]
    every: u64,
    #[command(flatten)]
    client: Client,
}

/// Shows it until somebody stops it, or once.
pub(super) async fn run(options: Options) -> anyhow::Result<()> {
    let figures = ask(&options.client).await?;
    if options.client.json {
        return Ok(output::print_json(&figures)?);
    }
    let out = io::stdout();
    let paint = Paint::for_output(&out);
    if options.once || !out.is_terminal() {
        let mut out = out.lock();
        for line in view::lines(&figures, None, view::UNBOUNDED, paint) {
            writeln!(out, "{line}")?;
        }
        return Ok(());
    }
    live(&options, figures, paint).await
}

async fn live(options: &Options, mut figures: Value, paint: Paint) -> anyhow::Result<()> {
    let mut signals = Signals::listen().context("signals cannot be listened to")?;
    let mut screen = Screen::open()?;
    let mut ticks = interval(Duration::from_secs(options.every));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    let mut before = None;
    loop {
        let lines = view::lines(&figures, before.as_ref(), screen.size(), paint);
        screen.draw(&lines)?;
        tokio::select! {
            _ = ticks.tick() => {}
            () = signals.stop() => return Ok(()),
        }
        let next = tokio::select! {
            next = ask(&options.client) => next?,
            () = signals.stop() => return Ok(()),
        };
        before = Some(std::mem::replace(&mut figures, next));
    }
}

async fn ask(client: &Client) -> anyhow::Result<Value> {
    client.call(Method::GET, "/figures", Content::Nothing).await
}
