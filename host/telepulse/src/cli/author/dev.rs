//! `plugins dev`: build, install, show the log; and again with each change.

use super::build::{RECIPE, Recipe};
use crate::cli::{
    client::{Client, Content, segment},
    output, plugins,
};
use clap::Args;
use http::Method;
use notify::{RecursiveMode, Watcher as _};
use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::sync::Notify;

/// How often the log is asked for.
const LOG: Duration = Duration::from_millis(300);
/// Editors write in several steps.
const SETTLED: Duration = Duration::from_millis(200);

#[derive(Args)]
pub(in crate::cli) struct Dev {
    /// The plugin's folder.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Grant what it asks for without asking.
    #[arg(long)]
    yes: bool,
    /// Build and install once, and do not wait for changes.
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    client: Client,
}

impl Dev {
    pub(in crate::cli) async fn carry_out(self) -> anyhow::Result<()> {
        let recipe = Recipe::read(&self.dir)?;
        let moved = Arc::new(Notify::new());
        let _watcher = watch(&self.dir, &recipe.watch, &moved)?;
        let mut seen = self.newest(&recipe).await;
        loop {
            let outcome = self.round(&recipe).await;
            if self.once {
                return outcome;
            }
            if let Err(error) = outcome {
                say(&format!("{error:#}"))?;
            }
            say("waiting for changes; Ctrl-C ends it, and leaves the plugin running")?;
            loop {
                tokio::select! {
                    () = moved.notified() => break,
                    () = tokio::time::sleep(LOG) => seen = self.show_log(&recipe, seen).await?,
                }
            }
            while tokio::time::timeout(SETTLED, moved.notified()).await.is_ok() {}
        }
    }

    /// Builds, installs, and has granted what lacks.
    async fn round(&self, recipe: &Recipe) -> anyhow::Result<()> {
        // The compiler's own words are shown as they come.
        let (building, dir) = (recipe.clone(), self.dir.clone());
        let component = tokio::task::spawn_blocking(move || building.make(&dir)).await??;
        let path = format!("/plugins/{}", segment(&recipe.name));
        let content = Content::Component(component.into());
        let plugin = self.client.call(Method::PUT, &path, content).await?;
        if plugin["missing"].as_array().is_some_and(|missing| !missing.is_empty()) {
            return plugins::approve(&self.client, &recipe.name, self.yes).await;
        }
        plugins::tell(&self.client, &plugin, "running")
    }

    async fn newest(&self, recipe: &Recipe) -> u64 {
        let lines = self.lines(recipe, 0).await.unwrap_or_default();
        lines.last().and_then(|line| line["number"].as_u64()).unwrap_or_default()
    }

    async fn lines(&self, recipe: &Recipe, after: u64) -> anyhow::Result<Vec<serde_json::Value>> {
        let path = format!("/plugins/{}/log?after={after}", segment(&recipe.name));
        let mut lines = self.client.call(Method::GET, &path, Content::Nothing).await?;
        Ok(lines["items"].as_array_mut().map(std::mem::take).unwrap_or_default())
    }

    /// Prints what the plugin wrote since; answers up to where.
    async fn show_log(&self, recipe: &Recipe, mut seen: u64) -> anyhow::Result<u64> {
        // A host that is away for a moment is no reason to end.
        for line in self.lines(recipe, seen).await.unwrap_or_default() {
            seen = line["number"].as_u64().unwrap_or(seen);
            let text = |key: &str| line[key].as_str().unwrap_or_default();
            say(&format!("{:5} {}", text("level"), text("text")))?;
        }
        Ok(seen)
    }
}

fn say(line: &str) -> io::Result<()> {
    writeln!(io::stderr(), "{}", output::inert(line, false))
}

fn watch(
    dir: &Path,
    paths: &[PathBuf],
    moved: &Arc<Notify>,
) -> notify::Result<notify::RecommendedWatcher> {
    let moved = Arc::clone(moved);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Reading a file is no change.
        if event.is_ok_and(|event| !event.kind.is_access()) {
            moved.notify_one();
        }
    })?;
    for path in paths.iter().map(PathBuf::as_path).chain([Path::new(RECIPE)]) {
        watcher.watch(&dir.join(path), RecursiveMode::Recursive)?;
    }
    Ok(watcher)
}
