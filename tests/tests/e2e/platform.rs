//! A platform for one test: the host in this process, the gateways as components in a folder of
//! its own, everything on free ports.

use anyhow::{Result, bail};
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use telepulse::{app::App, config::Config};
use telepulse_language::{Details, Event, Other, Timestamp};
pub(crate) use telepulse_tests::plugins::{component, guest, install};
use telepulse_tests::{asterisk::Asterisk, daemon::Daemon, plugins::share, ports, wait};
use tempfile::TempDir;

/// Long enough for anything that should happen soon, on a busy machine too.
pub(crate) const SOON: Duration = Duration::from_secs(40);
/// The token of the user who may do everything.
pub(crate) const TOKEN: &str = "all-powerful-test-token";

/// A running platform; stopped by [`Platform::stop`], killed when dropped.
pub(crate) struct Platform {
    pub(crate) app: App,
    pub(crate) dir: TempDir,
    pub(crate) ws_port: u16,
    pub(crate) rest_port: u16,
    pub(crate) admin_port: u16,
}

/// How to make one.
#[derive(Default)]
pub(crate) struct Builder {
    toml: String,
    admin: String,
    store: Option<String>,
}

impl Builder {
    /// Adds an Asterisk server to the configuration file.
    pub(crate) fn server(mut self, id: &str, asterisk: &Asterisk) -> Self {
        let (port, username, secret) =
            (asterisk.manager().port(), asterisk.username(), asterisk.secret());
        self = self.raw(&format!(
            "[[server]]\nid = \"{id}\"\nhost = \"127.0.0.1\"\nport = {port}\n\
             username = \"{username}\"\nsecret = \"{secret}\"\n\n"
        ));
        self
    }

    /// Makes it the node of this name, beside others on one NATS. Without roles it has all.
    pub(crate) fn node(self, name: &str, roles: &[&str], nats: &Daemon) -> Self {
        let roles = if roles.is_empty() { String::new() } else { format!("roles = {roles:?}\n") };
        let url = nats.url();
        self.raw(&format!(
            "[node]\nname = \"{name}\"\n{roles}[bus]\nkind = \"nats\"\nurl = \"{url}\"\n"
        ))
    }

    /// Adds TOML to the configuration file as it is.
    pub(crate) fn raw(mut self, toml: &str) -> Self {
        self.toml += toml;
        self
    }

    /// Adds lines to `[admin]`.
    pub(crate) fn admin(mut self, toml: &str) -> Self {
        self.admin += toml;
        self
    }

    /// Another store than the embedded one.
    pub(crate) fn store(mut self, toml: &str) -> Self {
        self.store = Some(toml.to_owned());
        self
    }

    /// What was added so far.
    pub(crate) fn text(self) -> String {
        self.toml
    }

    /// Writes the folder and starts the host; both gateways run when it returns, unless the node has not the
    /// role for them.
    pub(crate) async fn start(self) -> Result<Platform> {
        let dir = TempDir::with_prefix("telepulse-e2e-")?;
        let (ws_port, rest_port, admin_port) = (ports::free()?, ports::free()?, ports::free()?);
        let plugins = dir.path().join("plugins.d");
        fs::create_dir(&plugins)?;
        let ports = [("127.0.0.1:8084", ws_port), ("127.0.0.1:8083", rest_port)];
        install("websocket", &plugins, &ports, |toml| toml)?;
        install("rest", &plugins, &ports[1..], |toml| toml)?;
        let text = format!(
            "{}[plugins]\ndir = \"plugins.d\"\n[admin]\nlisten = \"127.0.0.1:{admin_port}\"\n{}\n\
             [[auth.user]]\nname = \"test\"\ntoken = \"sha256:{}\"\nextension = \"101\"\nallow = [\"*\"]\n\n{}",
            self.store.as_deref().unwrap_or("[store]\npath = \"data\"\n"),
            self.admin,
            hash(TOKEN),
            self.toml,
        );
        let file = dir.path().join("telepulse.toml");
        fs::write(&file, text)?;
        let config = Config::load(&file).map_err(|mistakes| anyhow::anyhow!("{mistakes}"))?;
        let kept = compiled();
        let own = dir.path().join("data/compiled");
        share(&kept, &own)?;
        let app = App::start(config).await?;
        let platform = Platform { app, dir, ws_port, rest_port, admin_port };
        for gateway in ["websocket", "rest"] {
            platform.plugin_settles(gateway).await?;
        }
        share(&own, &kept)?;
        Ok(platform)
    }
}

/// Compiled gateways, kept from test to test: each start would take seconds for them. They are named by
/// hashes of their source and of the compiler.
fn compiled() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled")
}

impl Platform {
    /// Starts a description.
    pub(crate) fn builder() -> Builder {
        Builder::default()
    }

    /// The folder that the host watches.
    pub(crate) fn plugins_dir(&self) -> PathBuf {
        self.dir.path().join("plugins.d")
    }

    /// Drops a first-party plugin in while everything runs; `change` sees its grants and settings.
    pub(crate) async fn add(
        &self,
        name: &str,
        change: impl FnOnce(String) -> String,
    ) -> Result<()> {
        let listen = [("127.0.0.1:8083", self.rest_port)];
        install(name, &self.plugins_dir(), &listen, change)?;
        self.plugin_runs(name).await?;
        share(&self.dir.path().join("data/compiled"), &compiled())
    }

    /// Waits until the plugin runs.
    pub(crate) async fn plugin_runs(&self, name: &str) -> Result<()> {
        wait::until(&format!("plugin {name} to run"), SOON, async || {
            let Some(status) = self.app.plugins().show(name) else { return Ok(None) };
            let status = serde_json::to_value(status)?;
            if status["state"] == "failed" || status["state"] == "waiting" {
                bail!("plugin {name}: {status}");
            }
            Ok((status["state"] == "running").then_some(()))
        })
        .await
    }

    /// Waits until the plugin runs, or is other nodes' to run.
    pub(crate) async fn plugin_settles(&self, name: &str) -> Result<()> {
        let status = serde_json::to_value(self.app.plugins().show(name))?;
        if status["state"] == "elsewhere" { Ok(()) } else { self.plugin_runs(name).await }
    }

    /// The address of something on the admin API.
    pub(crate) fn admin(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.admin_port)
    }

    /// The address of something on the REST gateway.
    pub(crate) fn rest(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.rest_port)
    }

    /// A server as the admin API shows it.
    pub(crate) async fn server(&self, id: &str) -> Result<serde_json::Value> {
        Ok(reqwest::get(self.admin(&format!("/servers/{id}"))).await?.json().await?)
    }

    /// Has an event of our own happen, which paints `agent`; answers its number, where numbers are given at
    /// once.
    pub(crate) fn paint(&self, agent: &str, colour: u64) -> u64 {
        let fields = [("colour".to_owned(), colour.into())].into_iter().collect();
        self.app.bus().append(vec![Event {
            server: "pbx1".into(),
            time: Timestamp(0),
            agent: Some(agent.into()),
            queue: None,
            details: Details::Other(Other { kind: "paint".into(), fields }),
        }]);
        self.app.bus().stream().tail()
    }

    /// The configuration with another text, as it would be read again. The file stays.
    pub(crate) fn changed(&self, change: impl FnOnce(String) -> String) -> Result<Config> {
        let file = self.dir.path().join("telepulse.toml");
        let before = fs::read_to_string(&file)?;
        fs::write(&file, change(before.clone()))?;
        let config = Config::load(&file).map_err(|mistakes| anyhow::anyhow!("{mistakes}"));
        fs::write(&file, before)?;
        config
    }

    /// Waits until the server is connected, by what the admin API says.
    pub(crate) async fn connected(&self, server: &str) -> Result<()> {
        self.server_state(server, "CONNECTED").await
    }

    /// Waits until the server is in a state, by what the admin API says.
    pub(crate) async fn server_state(&self, server: &str, state: &str) -> Result<()> {
        let client = reqwest::Client::new();
        wait::until(&format!("server {server} to be {state}"), SOON, async || {
            let item: serde_json::Value =
                client.get(self.admin(&format!("/servers/{server}"))).send().await?.json().await?;
            Ok((item["state"] == state).then_some(()))
        })
        .await
    }

    /// Stops the host in good order, and starts it again with what it has on disk.
    pub(crate) async fn restarted(self) -> Result<Self> {
        self.app.shutdown().await;
        let config = Config::load(&self.dir.path().join("telepulse.toml"));
        let config = config.map_err(|mistakes| anyhow::anyhow!("{mistakes}"))?;
        let platform = Self { app: App::start(config).await?, ..self };
        platform.plugin_runs("websocket").await?;
        platform.plugin_runs("rest").await?;
        Ok(platform)
    }

    /// Stops the host in good order.
    pub(crate) async fn stop(self) {
        self.app.shutdown().await;
    }
}

/// What the configuration holds instead of a token.
pub(crate) fn hash(token: &str) -> String {
    let mut hex = String::new();
    for byte in telepulse::auth::hash_token(token).0 {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
