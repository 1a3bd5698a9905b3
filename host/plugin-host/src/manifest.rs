//! `NAME.toml` (contract section 7): read into grants, limits, settings and secrets, all mistakes at once.

mod read;

use crate::{
    asks::Asks,
    grants::Grants,
    ports::{Needs, Run},
};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, fmt, time::Duration};

/// What the operator says about one plugin. The default is that of an absent file: no grants.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Manifest {
    /// What it may do.
    pub grants: Grants,
    /// How much it may use.
    pub limits: Limits,
    /// On how many nodes it runs (`[placement] run`).
    pub run: Run,
    /// Handed to the plugin as JSON.
    pub settings: Map<String, Value>,
    /// Names of secrets, with where their values come from.
    pub secrets: BTreeMap<String, SecretSource>,
    /// `[settings] origins`: which browsers' pages may open WebSockets.
    pub origins: Vec<String>,
}

/// How much a plugin may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of linear memory, all of an instance's memories together.
    pub memory: usize,
    /// Computing time of one call.
    pub call: Duration,
    /// Computing time of one HTTP request.
    pub request: Duration,
    /// How many events wait for it at most.
    pub mailbox: usize,
    /// What happens when more come.
    pub on_full: OnFull,
    /// As how many instances it runs: each gets the events of some calls, and has a mailbox of its own.
    pub shards: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            call: Duration::from_millis(50),
            request: Duration::from_secs(5),
            mailbox: 4096,
            on_full: OnFull::DropOldest,
            shards: 1,
        }
    }
}

/// What happens to events when the mailbox is full. Clients' frames always wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFull {
    /// The oldest event goes, and is counted.
    DropOldest,
    /// The mailbox grows to sixteen times its length, then the oldest goes: those who publish never
    /// wait for a plugin, so waiting is done in memory or not at all.
    Wait,
    /// The mailbox is emptied and counted, and a new instance starts from a fresh state.
    Disconnect,
}

/// Where a secret's value comes from. Never shown: the value may stand in the file itself.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// `env:NAME`.
    Environment(String),
    /// `file:PATH`, without the newline at its end.
    File(String),
    /// The value itself.
    Value(String),
}

impl SecretSource {
    fn parse(text: &str) -> Self {
        match text.split_once(':') {
            Some(("env", name)) => Self::Environment(name.to_owned()),
            Some(("file", path)) => Self::File(path.to_owned()),
            _ => Self::Value(text.to_owned()),
        }
    }
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{path}"),
            Self::Value(_) => f.write_str("(a value)"),
        }
    }
}

/// One mistake in a `NAME.toml`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {key}: {message}")]
pub struct Mistake {
    /// Counted from 1.
    pub line: usize,
    /// Like `grants.publish`.
    pub key: String,
    /// What is wrong, and the way out.
    pub message: String,
}

impl Mistake {
    /// All of them in one line.
    pub fn all(mistakes: &[Self]) -> String {
        let list: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
        list.join("; ")
    }
}

/// Reads what a component asks for.
pub(crate) fn read_asks(text: &str) -> Result<Asks, Vec<Mistake>> {
    read::asks(text)
}

impl Manifest {
    /// Reads the text of a `NAME.toml`.
    pub fn parse(text: &str) -> Result<Self, Vec<Mistake>> {
        read::manifest(text)
    }

    /// What it needs of a node.
    pub(crate) fn needs(&self) -> Needs {
        let Grants { websocket, routes, serve, policy, .. } = &self.grants;
        Needs {
            listens: !(websocket.is_empty() && routes.is_empty()),
            decides: policy.is_some() || !serve.is_empty(),
            run: self.run,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grants::Pattern;

    #[test]
    fn the_contracts_example_is_understood() {
        let manifest = Manifest::parse(
            r#"
[grants]
subscribe = ["telepulse.event"]
publish = ["telepulse.event.callerInfo"]
request = ["telepulse.command", "telepulse.query"]
websocket = [{ listen = "127.0.0.1:8084", path = "/" }]
routes = [{ listen = "127.0.0.1:8083", path = "/v1" }]
[limits]
memory = "64 MiB"
callMs = 50
mailbox = 128
onFull = "disconnect"
[settings]
origins = ["https://a.example"]
depth = { a = [1, 2.5, true] }
[secrets]
apiKey = "env:CRM_KEY"
"#,
        )
        .unwrap();
        assert_eq!(manifest.grants.subscribe, [Pattern::parse("telepulse.event").unwrap()]);
        assert_eq!(manifest.grants.routes[0].path, "/v1");
        assert_eq!(manifest.limits.mailbox, 128);
        assert_eq!(manifest.limits.on_full, OnFull::Disconnect);
        assert_eq!(manifest.origins, ["https://a.example"]);
        assert_eq!(manifest.settings["depth"]["a"][1], 2.5);
        assert_eq!(manifest.secrets["apiKey"], SecretSource::Environment("CRM_KEY".into()));
    }

    #[test]
    fn an_empty_file_grants_nothing() {
        assert_eq!(Manifest::parse("").unwrap(), Manifest::default());
        assert_eq!(Manifest::default().grants, Grants::default());
    }

    #[test]
    fn what_a_plugin_needs_of_a_node_follows_from_its_grants() {
        let needs = |grants: &str| {
            let Needs { listens, decides, .. } =
                Manifest::parse(&format!("[grants]\n{grants}")).unwrap().needs();
            (listens, decides)
        };
        let mount = "[{ listen = \"127.0.0.1:8083\", path = \"/\" }]";
        assert_eq!(needs("subscribe = [\"telepulse.event\"]"), (false, false));
        assert_eq!(needs(&format!("websocket = {mount}")), (true, false));
        assert_eq!(needs(&format!("routes = {mount}\nserve = [\"note\"]")), (true, true));
        assert_eq!(needs("policy = { commands = [\"dial\"] }"), (false, true));
    }

    #[test]
    fn a_secret_is_not_shown() {
        let manifest = Manifest::parse("[secrets]\nkey = \"hunter2\"").unwrap();
        assert!(!format!("{manifest:?}").contains("hunter2"));
    }
}
