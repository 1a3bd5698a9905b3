//! `telepulse demo`: the platform on a simulated call centre, in one process, on this machine only.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ami_simulator::{Disaster, Handle, Scale, Settings, Simulator};
use plugin_host::CompilerProgram;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::app::{App, StartError};
use crate::config::{Config, Source};

/// What the demo's configuration starts from; the simulator's port and the folders are put in.
const CONFIGURATION: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/demo.toml"));

/// Where the demo listens, and what for; the gateways' ports are in their grants.
const PORTS: [(u16, &str); 3] = [(8082, "the admin API"), (8083, "REST"), (8084, "WebSocket")];

/// Who sits at phones and serves no queue, on each server.
const OFFICES: u32 = 5;
/// As many agents as the demo has if nothing else is said.
const AGENTS: u32 = 40;

/// What kind of call centre to simulate, and what befalls it.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct Options {
    /// Calls that come up by themselves, each minute.
    #[arg(long, value_name = "NUMBER", default_value_t = 30)]
    pub calls_per_minute: u32,
    /// Agents, who serve the queues; 40 if there are phones for them.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=2000))]
    pub agents: Option<u32>,
    /// Phones, the agents' among them; from 101 on the first server, 201 on the second.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(4..=2500))]
    pub phones: Option<u32>,
    /// Queues, from extension 600 on.
    #[arg(long, value_name = "NUMBER", default_value_t = Scale::MOST_QUEUES, value_parser = clap::value_parser!(u32).range(1..=i64::from(Scale::MOST_QUEUES)))]
    pub queues: u32,
    /// Asterisk servers that share all that: pbx1, pbx2 and so on.
    #[arg(long, value_name = "NUMBER", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=i64::from(Scale::MOST_SERVERS)))]
    pub servers: u32,
    /// Decides what comes up: equal seeds, equal days. Another one each time if left out.
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// A server dies every so many seconds, one after the other. Any time: dial 991 from one of its
    /// phones.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub down_every: Option<u64>,
    /// For how long a server stays dead.
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub down_for: u64,
    /// Events flood in from a server every so many seconds, for ten. Any time: dial 992.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub flood_every: Option<u64>,
    /// How many events a second a flood has.
    #[arg(long, value_name = "EVENTS", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub flood_rate: u32,
    /// Folder with the plugins; by default the one beside this program.
    #[arg(long, value_name = "FOLDER")]
    pub plugins: Option<PathBuf>,
}

impl Options {
    /// What was left out follows from what was said.
    fn scale(&self) -> Scale {
        let offices = OFFICES * self.servers;
        let (agents, phones) = match (self.agents, self.phones) {
            (None, None) => (AGENTS, AGENTS + offices),
            (Some(agents), None) => (agents, agents + offices),
            (None, Some(phones)) => (phones.saturating_sub(offices).max(1).min(phones), phones),
            (Some(agents), Some(phones)) => (agents.min(phones), phones),
        };
        let (servers, queues) = (self.servers, self.queues);
        Scale { servers, agents, phones, queues, calls_per_minute: self.calls_per_minute }
    }
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
    sites: Vec<Settings>,
    options: Options,
    // Dropped after the platform: what befalls its servers, they themselves, and its store.
    _disasters: JoinSet<()>,
    _servers: Arc<[Handle]>,
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
        let sites = Settings::sites(&options.scale());
        let servers = open(&sites, options.seed.unwrap_or_else(rand::random)).await?;
        let folder = TempDir::with_prefix("telepulse-demo-")?;
        let ports: Vec<u16> = servers.iter().map(|server| server.address().port()).collect();
        let text = configuration(&ports, folder.path(), &plugins)
            .map_err(|error| DemoError::Configuration(error.to_string()))?;
        let config = Config::parse(&Source::alone(&folder.path().join("demo.toml"), &text))
            .map_err(|mistakes| DemoError::Configuration(mistakes.to_string()))?;
        let app = App::start_with(config, compiler).await?;
        let disasters = disasters(&options, &servers);
        Ok(Self { app, sites, options, _disasters: disasters, _servers: servers, _folder: folder })
    }

    /// Where to look, and lines to paste.
    pub fn guide(&self) -> String {
        let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("telepulse"));
        guide(&self.options, &self.sites, &program)
    }

    /// Stops the platform, then the call centre.
    pub async fn shutdown(self) {
        self.app.shutdown().await;
    }
}

/// Opens each server on a free port of this machine.
async fn open(sites: &[Settings], seed: u64) -> std::io::Result<Arc<[Handle]>> {
    let mut servers = Vec::new();
    for (own, site) in (0..).zip(sites) {
        let listen = (Ipv4Addr::LOCALHOST, 0).into();
        servers.push(Simulator::start(site.clone(), seed.wrapping_add(own), listen).await?);
    }
    Ok(servers.into())
}

/// What comes again and again, as the options say; it ends with what is returned.
fn disasters(options: &Options, servers: &Arc<[Handle]>) -> JoinSet<()> {
    let mut coming = JoinSet::new();
    let down = Disaster::Down(Duration::from_secs(options.down_for));
    let (events_per_second, time) = (options.flood_rate, Duration::from_secs(10));
    let flood = Disaster::Flood { events_per_second, time };
    for (every, disaster) in [(options.down_every, down), (options.flood_every, flood)] {
        if let Some(every) = every {
            coming.spawn(again_and_again(Arc::clone(servers), every, disaster));
        }
    }
    coming
}

async fn again_and_again(servers: Arc<[Handle]>, every: u64, disaster: Disaster) {
    for server in servers.iter().cycle() {
        sleep(Duration::from_secs(every)).await;
        if !server.befall(disaster) {
            tracing::warn!("so much befalls a server already that this was left out");
        }
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

/// `plugins.d` beside the folder that this program is in, or where a package has it, unless another one is named.
fn plugins_folder(named: Option<&Path>) -> Result<PathBuf, DemoError> {
    if let Some(folder) = named {
        return with_plugins(folder);
    }
    let program = std::env::current_exe()?;
    let own = program.parent().unwrap_or(Path::new("."));
    with_plugins(&own.join("../plugins.d"))
        .or_else(|error| with_plugins(&own.join("../lib/telepulse/plugins.d")).map_err(|_| error))
}

fn with_plugins(folder: &Path) -> Result<PathBuf, DemoError> {
    let is_component = |name: &Path| name.extension().is_some_and(|ending| ending == "wasm");
    let found = std::fs::read_dir(folder).is_ok_and(|mut entries| {
        entries.any(|entry| entry.is_ok_and(|entry| is_component(&entry.path())))
    });
    if found { Ok(folder.canonicalize()?) } else { Err(DemoError::NoPlugins(folder.to_owned())) }
}

/// The demo's configuration, with what is known only now: a server for each port.
fn configuration(ports: &[u16], store: &Path, plugins: &Path) -> Result<String, toml::de::Error> {
    let mut table: toml::Table = CONFIGURATION.parse()?;
    let store = store.join("data").to_string_lossy().into_owned();
    let folders = [("store", "path", store), ("plugins", "dir", plugins.to_string_lossy().into())];
    for (section, key, value) in folders {
        if let Some(section) = table.get_mut(section).and_then(toml::Value::as_table_mut) {
            section.insert(key.to_owned(), value.into());
        }
    }
    if let Some(servers) = table.get_mut("server").and_then(toml::Value::as_array_mut)
        && let Some(like) = servers.first().and_then(toml::Value::as_table).cloned()
    {
        let numbered = (1_u32..).zip(ports).map(|(number, port)| {
            let mut server = like.clone();
            server.insert("id".to_owned(), format!("pbx{number}").into());
            server.insert("port".to_owned(), i64::from(*port).into());
            toml::Value::Table(server)
        });
        *servers = numbered.collect();
    }
    Ok(table.to_string())
}

fn guide(options: &Options, sites: &[Settings], program: &Path) -> String {
    let scale = options.scale();
    let mut text = format!(
        "\nTelePulse runs on a simulated call centre: {} agents, {} queues, {} calls a minute on {} \
         servers.\n\n",
        scale.agents, scale.queues, scale.calls_per_minute, scale.servers
    );
    for (what, address) in [
        ("Panel", "http://127.0.0.1:8083/, with the token `demo`"),
        ("WebSocket", "ws://127.0.0.1:8084/"),
        ("REST", "http://127.0.0.1:8083/v1/calls"),
        ("Admin", "http://127.0.0.1:8082/servers and /plugins"),
    ] {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {what:10} {address}");
    }
    text.push('\n');
    for site in sites {
        let _ = writeln!(text, "  {:10} {}", site.system_name, numbers(site));
    }
    let _ = write!(
        text,
        "\nThe token `demo` is good for everything. Live events, in another terminal:\n\n  \
         {} events --token demo\n\nThe first three phones of each server are yours. Make 101 call \
         102, and to see what happens then, 991 instead: its server dies for 15 seconds (99130: 30), \
         or 992: a flood of events. 993 doubles the calls, 994 halves them:\n\n  \
         curl -H 'Authorization: Bearer demo' --json '{{\"from\":\"101\",\"to\":\"102\"}}' \
         http://127.0.0.1:8083/v1/calls\n\nCtrl-C stops it.\n",
        program.display()
    );
    text
}

/// What can be dialled on a server.
fn numbers(site: &Settings) -> String {
    let ends = [site.phones.first(), site.phones.last()].map(|phone| {
        let phone = phone.map(|phone| phone.extension.as_str());
        phone.unwrap_or_default()
    });
    let queue = |queue: &ami_simulator::Queue| format!("{} {}", queue.extension, queue.name);
    let queues: Vec<String> = site.queues.iter().map(queue).collect();
    format!(
        "phones {} to {}, queues {}, conference {}, parking {}",
        ends[0],
        ends[1],
        if queues.is_empty() { "none".to_owned() } else { queues.join(", ") },
        site.conference,
        site.parking
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_names_this_run() {
        let (store, plugins) = (Path::new("/tmp/x"), Path::new("/opt/plugins.d"));
        let text = configuration(&[4711, 4712], store, plugins).unwrap();
        let table: toml::Table = text.parse().unwrap();
        for (index, id, port) in [(0, "pbx1", 4711), (1, "pbx2", 4712)] {
            assert_eq!(table["server"][index]["id"].as_str(), Some(id));
            assert_eq!(table["server"][index]["port"].as_integer(), Some(port));
        }
        assert_eq!(table["store"]["path"].as_str(), Some("/tmp/x/data"));
        assert_eq!(table["plugins"]["dir"].as_str(), Some("/opt/plugins.d"));
    }

    fn options(words: &[&str]) -> Options {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            options: Options,
        }
        let line = ["demo"].iter().chain(words);
        <Line as clap::Parser>::try_parse_from(line).unwrap().options
    }

    #[test]
    fn what_is_left_out_follows_from_what_is_said() {
        let check = |words: &[&str], agents: u32, phones: u32| {
            let scale = options(words).scale();
            assert_eq!((scale.agents, scale.phones), (agents, phones), "{words:?}");
        };
        check(&[], 40, 50);
        check(&["--servers", "1"], 40, 45);
        check(&["--agents", "10"], 10, 20);
        check(&["--phones", "24"], 14, 24);
        check(&["--phones", "24", "--agents", "6"], 6, 24);
        check(&["--phones", "4"], 1, 4);
    }

    #[test]
    fn the_guide_tells_what_can_be_dialled() {
        let options = options(&[]);
        let sites = Settings::sites(&options.scale());
        let text = guide(&options, &sites, Path::new("/opt/telepulse"));
        for words in [
            "40 agents, 5 queues, 30 calls a minute on 2 servers",
            "phones 101 to 125, queues 600 support, 602 billing, 604 service, conference 700",
            "phones 201 to 225, queues 601 sales, 603 orders, conference 701, parking 750",
            "/opt/telepulse events --token demo",
        ] {
            assert!(text.contains(words), "{words} is missing in {text}");
        }
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
