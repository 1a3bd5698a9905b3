//! `telepulse demo`: the platform on a simulated call centre, in one process, on this machine only.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use ami_simulator::{Settings, Simulator};
use plugin_host::CompilerProgram;
use tempfile::TempDir;

use crate::app::{App, StartError};
use crate::config::{Config, Source};

/// What the demo's configuration starts from; the simulator's port and the folders are put in.
const CONFIGURATION: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/demo.toml"));

/// Where the demo listens, and what for; the gateways' ports are in their grants.
const PORTS: [(u16, &str); 3] = [(8082, "the admin API"), (8083, "REST"), (8084, "WebSocket")];

/// What kind of call centre to simulate.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct Options {
    /// Calls that come up by themselves, each minute.
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    pub calls_per_minute: u32,
    /// Phones, from extension 101 on; most of them are agents.
    #[arg(long, value_name = "NUMBER", default_value_t = 24, value_parser = clap::value_parser!(u32).range(4..=500))]
    pub phones: u32,
    /// Queues, from extension 600 on.
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=5))]
    pub queues: u32,
    /// Folder with the plugins; by default the one beside this program.
    #[arg(long, value_name = "FOLDER")]
    pub plugins: Option<PathBuf>,
}

/// Why the demo did not start.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Something else listens on a port of the demo.
    #[error(
        "port {port} on 127.0.0.1, for {what}, is taken ({error}): stop what listens there \
         (`ss -ltnp 'sport = :{port}'` names it), then start the demo again"
    )]
    PortTaken {
        /// Which.
        port: u16,
        /// What the demo needs it for.
        what: &'static str,
        /// What the system said.
        error: std::io::Error,
    },
    /// There are no plugins where they should be.
    #[error(
        "there are no plugins in {0}: `cargo xtask build` makes a tree with this program and its \
         plugins, and --plugins FOLDER names another folder"
    )]
    NoPlugins(PathBuf),
    /// The simulator's socket, a temporary folder or a file in it.
    #[error("cannot set up the demo: {0}")]
    Setup(#[from] std::io::Error),
    /// The demo's own configuration is wrong: a mistake of ours.
    #[error("config/demo.toml does not fit this version: {0}")]
    Configuration(String),
    /// The platform did not start.
    #[error("the platform did not start: {0}")]
    Start(#[from] StartError),
}

/// A running demo.
pub struct Demo {
    app: App,
    options: Options,
    // Dropped after the platform: its server and its store.
    _simulator: ami_simulator::Handle,
    _folder: TempDir,
}

impl Demo {
    /// Starts the call centre, then the platform on it; plugins are compiled as
    /// [`App::start_with`] says.
    pub async fn start(
        options: Options,
        compiler: Option<CompilerProgram>,
    ) -> Result<Self, DemoError> {
        PORTS.into_iter().try_for_each(check_port)?;
        let plugins = plugins_folder(options.plugins.as_deref())?;
        let queues = usize::try_from(options.queues).unwrap_or(usize::MAX);
        let settings = Settings::demo(options.phones, queues, options.calls_per_minute);
        let listen = (Ipv4Addr::LOCALHOST, 0).into();
        let simulator = Simulator::start(settings, rand::random(), listen).await?;
        let folder = TempDir::with_prefix("telepulse-demo-")?;
        let text = configuration(simulator.address().port(), folder.path(), &plugins)
            .map_err(|error| DemoError::Configuration(error.to_string()))?;
        let config = Config::parse(&Source {
            file: &folder.path().join("demo.toml"),
            text: &text,
            // The environment is meant for other configurations.
            variables: &BTreeMap::new(),
            files: &|_| Err(std::io::ErrorKind::Unsupported.into()),
        })
        .map_err(|mistakes| DemoError::Configuration(mistakes.to_string()))?;
        let app = App::start_with(config, compiler).await?;
        Ok(Self { app, options, _simulator: simulator, _folder: folder })
    }

    /// Where to look, and lines to paste.
    pub fn guide(&self) -> String {
        let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("telepulse"));
        guide(&self.options, &program)
    }

    /// Stops the platform, then the call centre.
    pub async fn shutdown(self) {
        self.app.shutdown().await;
    }
}

/// Is the port free? Another program may still be faster than we are; then starting tells.
fn check_port((port, what): (u16, &'static str)) -> Result<(), DemoError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(drop).map_err(|error| DemoError::PortTaken {
        port,
        what,
        error,
    })
}

/// `plugins.d` beside the folder that this program is in, unless another one is named.
fn plugins_folder(named: Option<&Path>) -> Result<PathBuf, DemoError> {
    let folder = match named {
        Some(folder) => folder.to_owned(),
        None => std::env::current_exe()?.parent().unwrap_or(Path::new(".")).join("../plugins.d"),
    };
    let is_component = |name: &Path| name.extension().is_some_and(|ending| ending == "wasm");
    let found = std::fs::read_dir(&folder).is_ok_and(|mut entries| {
        entries.any(|entry| entry.is_ok_and(|entry| is_component(&entry.path())))
    });
    if found { Ok(folder.canonicalize()?) } else { Err(DemoError::NoPlugins(folder)) }
}

/// The demo's configuration, with what is known only now.
fn configuration(port: u16, store: &Path, plugins: &Path) -> Result<String, toml::de::Error> {
    let mut table: toml::Table = CONFIGURATION.parse()?;
    let store = store.join("data").to_string_lossy().into_owned();
    let folders = [("store", "path", store), ("plugins", "dir", plugins.to_string_lossy().into())];
    for (section, key, value) in folders {
        if let Some(section) = table.get_mut(section).and_then(toml::Value::as_table_mut) {
            section.insert(key.to_owned(), value.into());
        }
    }
    let servers = table.get_mut("server").and_then(toml::Value::as_array_mut);
    for server in servers.into_iter().flatten().filter_map(toml::Value::as_table_mut) {
        server.insert("port".to_owned(), i64::from(port).into());
    }
    Ok(table.to_string())
}

fn guide(options: &Options, program: &Path) -> String {
    let mut text = format!(
        "\nTelePulse runs on a simulated call centre: {} phones, {} queues, {} calls a minute.\n\n",
        options.phones, options.queues, options.calls_per_minute
    );
    for (what, address) in [
        ("WebSocket", "ws://127.0.0.1:8084/"),
        ("REST", "http://127.0.0.1:8083/v1/calls"),
        ("Admin", "http://127.0.0.1:8082/servers and /plugins"),
    ] {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {what:10} {address}");
    }
    let _ = write!(
        text,
        "\nThe token `demo` is good for everything. Live events, in another terminal:\n\n  \
         {} events --token demo\n\nMake 101 call 102:\n\n  \
         curl -H 'Authorization: Bearer demo' --json '{{\"from\":\"101\",\"to\":\"102\"}}' \
         http://127.0.0.1:8083/v1/calls\n\nCtrl-C stops it.\n",
        program.display()
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_names_this_run() {
        let text = configuration(4711, Path::new("/tmp/x"), Path::new("/opt/plugins.d")).unwrap();
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["server"][0]["port"].as_integer(), Some(4711));
        assert_eq!(table["store"]["path"].as_str(), Some("/tmp/x/data"));
        assert_eq!(table["plugins"]["dir"].as_str(), Some("/opt/plugins.d"));
    }

    #[test]
    fn a_taken_port_is_named_with_the_way_out() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = check_port((port, "REST")).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("port {port} on 127.0.0.1, for REST, is taken")),
            "{error}"
        );
        drop(taken);
        check_port((port, "REST")).unwrap();
    }

    #[test]
    fn a_folder_without_plugins_is_named() {
        let empty = TempDir::new().unwrap();
        let error = plugins_folder(Some(empty.path())).unwrap_err();
        assert!(matches!(&error, DemoError::NoPlugins(folder) if folder == empty.path()));
        std::fs::write(empty.path().join("rest.wasm"), b"").unwrap();
        assert!(plugins_folder(Some(empty.path())).is_ok());
    }
}
