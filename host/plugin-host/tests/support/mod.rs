//! What the plugin host's tests share: guests built from `tests/guests`, and a world of fakes around the host.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

pub mod guests;
pub mod world;

use plugin_host::{Figures, Options, PluginHost, PluginStatus, State, Statuses};
use std::{fs, path::PathBuf, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use world::World;

/// The longest that a test waits for anything.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A plugin host on a folder of its own, amid fakes.
pub struct Rig {
    pub world: Arc<World>,
    pub host: PluginHost,
    pub shutdown: CancellationToken,
    pub folder: TempDir,
}

/// Grants of a counter.
pub const COUNTER: &str = r#"
[grants]
subscribe = ["test.in"]
publish = ["test.out", "test.log"]
[limits]
mailbox = 100000
"#;

impl Rig {
    /// Starts a host on an empty folder.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts a host on a folder that holds these plugins: name, component, grants.
    pub async fn with(plugins: &[(&str, &[u8], &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let dir = folder.path().join("plugins.d");
        fs::create_dir(&dir).expect("a folder");
        for (name, wasm, toml) in plugins {
            fs::write(dir.join(format!("{name}.toml")), toml).expect("a file");
            fs::write(dir.join(format!("{name}.wasm")), wasm).expect("a file");
        }
        Self::on(folder, Arc::new(World::default())).await
    }

    /// The same folder in the same world, after the host went down.
    pub async fn again(self) -> Self {
        let Self { world, host, shutdown, folder } = self;
        shutdown.cancel();
        host.stopped().await;
        Self::on(folder, world).await
    }

    async fn on(folder: TempDir, world: Arc<World>) -> Self {
        let dir = folder.path().join("plugins.d");
        let shutdown = CancellationToken::new();
        let cache = folder.path().join("cache");
        let mut options = Options::new(&dir, cache, World::ports(&world));
        options.init_budget = Duration::from_millis(200);
        let host = PluginHost::start(options, shutdown.clone()).await.expect("a plugin host");
        Self { world, host, shutdown, folder }
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join("plugins.d").join(file)
    }

    /// Puts a file into the plugins folder in one piece.
    pub fn put(&self, file: &str, bytes: &[u8]) {
        let part = self.path(".part");
        fs::write(&part, bytes).expect("a file");
        fs::rename(&part, self.path(file)).expect("a rename");
    }

    /// Waits until all plugins together are as wanted.
    pub async fn until(&self, what: &str, wanted: impl FnMut(&Statuses) -> bool) -> Statuses {
        let mut changed = self.host.changed();
        let result = tokio::time::timeout(PATIENCE, changed.wait_for(wanted)).await;
        match result {
            Ok(statuses) => statuses.expect("the host lives").clone(),
            Err(tokio::time::error::Elapsed { .. }) => {
                panic!("never came: {what}; at the end: {:#?}", self.host.list())
            }
        }
    }

    /// Waits until one plugin is as wanted.
    pub async fn plugin(
        &self,
        name: &str,
        what: &str,
        mut wanted: impl FnMut(&PluginStatus) -> bool,
    ) -> PluginStatus {
        let all = self.until(what, |all| all.get(name).is_some_and(&mut wanted)).await;
        all[name].clone()
    }

    /// Waits until a plugin's figures are as wanted. Nobody is told of a count: they are looked at.
    pub async fn figures(&self, name: &str, wanted: impl Fn(&Figures) -> bool) -> Figures {
        let read = || self.host.show(name).unwrap_or_else(|| panic!("no {name}")).figures;
        let looking = async {
            let mut pace = tokio::time::interval(Duration::from_millis(5));
            while !wanted(&read()) {
                pace.tick().await;
            }
        };
        let result = tokio::time::timeout(PATIENCE, looking).await;
        assert!(result.is_ok(), "never counted so: {:?}", read());
        read()
    }

    /// Waits until a plugin runs this component.
    pub async fn runs(&self, name: &str, wasm: &[u8]) -> PluginStatus {
        let hash = guests::hash(wasm);
        let wanted =
            |it: &PluginStatus| it.state == State::Running && it.hash.as_ref() == Some(&hash);
        self.plugin(name, "a new build running", wanted).await
    }

    /// Waits until a plugin's component is refused while another runs.
    pub async fn refuses(&self, name: &str, wasm: &[u8]) -> PluginStatus {
        let hash = guests::hash(wasm);
        let wanted =
            |it: &PluginStatus| it.state == State::Running && it.refused.as_ref() == Some(&hash);
        self.plugin(name, "a build refused", wanted).await
    }

    /// Stops the host and waits until it has.
    pub async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, self.host.stopped()).await.expect("the host drains");
    }
}
