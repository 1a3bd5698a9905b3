//! `plugins`: list the plugins of a running TelePulse, and give them orders.

use super::{
    author,
    client::{Client, Content, segment},
    output, texts,
};
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};
use std::{
    io::{self, IsTerminal as _, Write as _},
    path::PathBuf,
};

#[derive(Subcommand)]
pub(super) enum Order {
    /// Show all plugins and how they are.
    #[command(after_long_help = texts::PLUGINS_LIST)]
    List(Client),
    /// Show all that is known of a plugin.
    #[command(after_long_help = texts::PLUGINS_SHOW)]
    Show(Named),
    /// Read a plugin's files again and swap to them.
    #[command(after_long_help = texts::PLUGINS_RELOAD)]
    Reload(Named),
    /// Stop a plugin until it is started.
    #[command(after_long_help = texts::PLUGINS_STOP)]
    Stop(Named),
    /// Start a plugin that was stopped or has failed too often.
    #[command(after_long_help = texts::PLUGINS_START)]
    Start(Named),
    /// List the builds of a plugin that took over, the last one first.
    #[command(after_long_help = texts::PLUGINS_HISTORY)]
    History(Named),
    /// List the events that ended a plugin's instances and are not handed over any more.
    #[command(after_long_help = texts::PLUGINS_ASIDE)]
    Aside(Named),
    /// Go back to the build before, with the grants of then; or to another one that ran.
    #[command(after_long_help = texts::PLUGINS_ROLLBACK)]
    Rollback(RollBack),
    /// Grant a plugin what it asks for, after showing it.
    #[command(after_long_help = texts::PLUGINS_APPROVE)]
    Approve(Approve),
    /// Show the last lines that a plugin logged.
    #[command(after_long_help = texts::PLUGINS_LOG)]
    Log(Named),
    /// Make a folder with a first plugin, in Rust, JavaScript, Python or C.
    #[command(after_long_help = texts::PLUGINS_NEW)]
    New(author::New),
    /// Build the plugin in a folder: makes NAME.wasm there.
    #[command(after_long_help = texts::PLUGINS_BUILD)]
    Build(author::Build),
    /// Build the plugin in a folder, install it, show its log; and again with each change.
    #[command(after_long_help = texts::PLUGINS_DEV)]
    Dev(author::Dev),
    /// Upload a component, new or in place of the one that runs.
    #[command(after_long_help = texts::PLUGINS_INSTALL)]
    Install(Install),
}

/// A plugin and where to ask for it.
#[derive(Args)]
pub(super) struct Named {
    /// The plugin's name.
    name: String,
    #[command(flatten)]
    client: Client,
}

#[derive(Args)]
pub(super) struct RollBack {
    /// The plugin's name.
    name: String,
    /// The build to go back to: a hash as `history` shows it, or its beginning.
    #[arg(long, value_name = "HASH")]
    to: Option<String>,
    #[command(flatten)]
    client: Client,
}

#[derive(Args)]
pub(super) struct Approve {
    /// The plugin's name.
    name: String,
    /// Do not ask whether.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    client: Client,
}

#[derive(Args)]
pub(super) struct Install {
    /// The component, a .wasm file.
    file: PathBuf,
    /// The plugin's name, if not the file's.
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    client: Client,
}

impl Order {
    pub(super) async fn carry_out(self) -> anyhow::Result<()> {
        match self {
            Self::List(client) => list(&client).await,
            Self::Show(Named { name, client }) => {
                let path = format!("/plugins/{}", segment(&name));
                let plugin = client.call(Method::GET, &path, Content::Nothing).await?;
                Ok(output::print_json(&plugin)?)
            }
            Self::Reload(named) => named.order("reload").await,
            Self::Stop(named) => named.order("stop").await,
            Self::Start(named) => named.order("start").await,
            Self::History(named) => named.items("history", &["since", "hash", "current"]).await,
            Self::Log(named) => named.items("log", &["number", "level", "text"]).await,
            Self::New(new) => new.carry_out(),
            Self::Build(build) => build.carry_out(),
            Self::Dev(dev) => dev.carry_out().await,
            Self::Aside(named) => named.items("aside", &["seq", "address", "why", "payload"]).await,
            Self::Rollback(roll_back) => roll_back.carry_out().await,
            Self::Approve(Approve { name, yes, client }) => approve(&client, &name, yes).await,
            Self::Install(install) => install.carry_out().await,
        }
    }
}

impl Named {
    async fn order(&self, order: &str) -> anyhow::Result<()> {
        let path = format!("/plugins/{}/{order}", segment(&self.name));
        let plugin = self.client.call(Method::POST, &path, Content::Nothing).await?;
        tell(&self.client, &plugin, if order == "stop" { "stopped" } else { "running" })
    }

    /// A list that is kept of the plugin.
    async fn items(&self, which: &str, columns: &[&str]) -> anyhow::Result<()> {
        let path = format!("/plugins/{}/{which}", segment(&self.name));
        let list = self.client.call(Method::GET, &path, Content::Nothing).await?;
        if self.client.json {
            return Ok(output::print_json(&list)?);
        }
        let items = list["items"].as_array().map_or(&[][..], Vec::as_slice);
        Ok(output::print_table(items, columns)?)
    }
}

impl RollBack {
    async fn carry_out(self) -> anyhow::Result<()> {
        let path = format!("/plugins/{}/rollback", segment(&self.name));
        let content = match &self.to {
            Some(hash) => Content::Json(json!({ "hash": hash })),
            None => Content::Nothing,
        };
        let plugin = self.client.call(Method::POST, &path, content).await?;
        tell(&self.client, &plugin, "running")
    }
}

/// Shows what the plugin lacks, asks whether, and has it granted.
pub(super) async fn approve(client: &Client, name: &str, is_agreed: bool) -> anyhow::Result<()> {
    let path = format!("/plugins/{}", segment(name));
    let plugin = client.call(Method::GET, &path, Content::Nothing).await?;
    let difference = difference(&plugin);
    if difference.is_empty() {
        let told = format!("plugin {name} lacks nothing that it asks for");
        return Ok(writeln!(io::stdout(), "{}", output::inert(&told, false))?);
    }
    for line in &difference {
        writeln!(io::stderr(), "{}", output::inert(line, false))?;
    }
    if !is_agreed && !agreed(name)? {
        bail!("nothing was changed");
    }
    // What was shown, and nothing that was put there meanwhile.
    let hash = plugin.get("refused").or(plugin.get("hash"));
    let content = Content::Json(json!({ "hash": hash }));
    let plugin = client.call(Method::POST, &format!("{path}/approve"), content).await?;
    tell(client, &plugin, "running")
}

/// What the plugin would be granted, and what its build in force asks for and the new one does not.
fn difference(plugin: &Value) -> Vec<String> {
    let texts = |key: &str| -> Vec<&str> {
        plugin[key].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    };
    let (missing, asks, wanted) = (texts("missing"), texts("asks"), texts("refusedAsks"));
    let mut lines: Vec<String> = missing.iter().map(|one| format!("+ {one}")).collect();
    if plugin.get("refused").is_some() && !missing.is_empty() {
        let gone = asks.iter().filter(|one| !wanted.contains(one));
        lines.extend(gone.map(|one| format!("- {one} (not asked for any more, stays granted)")));
    }
    lines
}

/// Asks whoever sits there.
fn agreed(name: &str) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        bail!("nobody is there to ask: look at it, then say --yes");
    }
    write!(io::stderr(), "Grant this to {name}? [y/N] ")?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

impl Install {
    async fn carry_out(self) -> anyhow::Result<()> {
        let stem = self.file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let name = self.name.or(stem).context("the file has no name: give --name")?;
        let component =
            tokio::fs::read(&self.file).await.with_context(|| self.file.display().to_string())?;
        let path = format!("/plugins/{}", segment(&name));
        let content = Content::Component(component.into());
        let plugin = self.client.call(Method::PUT, &path, content).await?;
        // What waits for grants is installed as well.
        let waits = plugin["state"] == "waiting";
        tell(&self.client, &plugin, if waits { "waiting" } else { "running" })
    }
}

async fn list(client: &Client) -> anyhow::Result<()> {
    let plugins = client.call(Method::GET, "/plugins", Content::Nothing).await?;
    if client.json {
        output::print_json(&plugins)?;
    } else {
        let items = plugins.as_array().map_or(&[][..], Vec::as_slice);
        let mut columns = vec!["name", "state", "incarnation", "missing", "error"];
        if items.iter().any(|plugin| plugin.get("elsewhere").is_some()) {
            columns.push("elsewhere");
        }
        output::print_table(items, &columns)?;
    }
    Ok(())
}

/// Tells how the plugin is; an error if that is not what was wanted.
pub(super) fn tell(client: &Client, plugin: &Value, wanted: &str) -> anyhow::Result<()> {
    let text = |key: &str| plugin[key].as_str().unwrap_or_default();
    let (name, state) = (text("name"), text("state"));
    if client.json {
        output::print_json(plugin)?;
    }
    // An older build may still run: then `refused` names the new one.
    // One that other nodes run is as it should be, too.
    let is_well = state == wanted || wanted == "running" && state == "elsewhere";
    if !is_well || plugin.get("refused").is_some() {
        bail!("plugin {name} is {state}: {}", reason(plugin));
    }
    if !client.json {
        let missing = match reason(plugin) {
            reason if matches!(state, "waiting" | "elsewhere") => format!(": {reason}"),
            _ => String::new(),
        };
        writeln!(
            io::stdout(),
            "{}",
            output::inert(&format!("plugin {name} is {state}{missing}"), false)
        )?;
    }
    Ok(())
}

fn reason(plugin: &Value) -> String {
    let missing = plugin["missing"].as_array().map_or(&[][..], Vec::as_slice);
    let missing: Vec<&str> = missing.iter().filter_map(Value::as_str).collect();
    let error = plugin["error"].as_str().or(plugin["elsewhere"].as_str());
    match (error, missing.as_slice()) {
        (Some(error), []) => error.to_owned(),
        (_, []) => "it says no reason".to_owned(),
        (_, missing) => format!("it lacks grants: {}", missing.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_added_and_what_is_not_asked_for_any_more_is_shown() {
        let plugin = json!({
            "missing": ["kv \"1 MiB\""], "refused": "ab",
            "asks": ["publish \"a\"", "request \"b\""],
            "refusedAsks": ["publish \"a\"", "kv \"1 MiB\""]
        });
        let expected =
            ["+ kv \"1 MiB\"", "- request \"b\" (not asked for any more, stays granted)"];
        assert_eq!(difference(&plugin), expected);
        assert_eq!(difference(&json!({ "asks": ["kv"] })), [""; 0]);
    }

    #[test]
    fn reasons_are_errors_or_grants() {
        for (plugin, expected) in [
            (json!({ "error": "trapped" }), "trapped"),
            (json!({ "elsewhere": "node b has it" }), "node b has it"),
            (json!({ "missing": ["publish x", "kv"] }), "it lacks grants: publish x, kv"),
            (json!({}), "it says no reason"),
        ] {
            assert_eq!(reason(&plugin), expected);
        }
    }
}
