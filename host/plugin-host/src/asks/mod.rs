//! What a component asks for: a custom section `telepulse:manifest` of TOML, which its author wrote.
//! What it imports must be within that, and that within what the operator grants. Pure.

mod approve;
mod section;

pub(crate) use approve::approve;
use section::find;

use crate::{
    grants::{Grants, Pattern},
    manifest::Mistake,
};
use serde_json::{Map, Value};

/// The name of the section.
pub const SECTION: &str = "telepulse:manifest";

/// A component's manifest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asks {
    /// The plugin's version, in its author's words.
    pub version: Option<String>,
    /// What it is for, in a sentence.
    pub description: Option<String>,
    /// The grants that it cannot do without.
    pub grants: Grants,
    /// Settings that it suggests: written into `NAME.toml` when it is approved.
    pub settings: Map<String, Value>,
}

impl Asks {
    /// Reads the text of a manifest, all mistakes at once.
    pub fn parse(text: &str) -> Result<Self, Vec<Mistake>> {
        crate::manifest::read_asks(text)
    }

    /// The manifest in a component; none where it has none.
    pub fn of(wasm: &[u8]) -> Result<Option<Self>, String> {
        let Some(text) = find(wasm)? else { return Ok(None) };
        Self::parse(&text).map(Some).map_err(|mistakes| Mistake::all(&mistakes))
    }

    /// What it asks for that is not within `granted`, as it is told to operators.
    pub fn lacking(&self, granted: &Grants) -> Vec<String> {
        lacking(&self.grants, granted).iter().map(ToString::to_string).collect()
    }
}

/// A grant that is asked for and not given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lack {
    /// The key under `[grants]`.
    pub(crate) grant: &'static str,
    /// What is to be granted, as it is written there; `None` where only the operator can say.
    pub(crate) value: Option<String>,
}

impl std::fmt::Display for Lack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{} {value}", self.grant),
            None => f.write_str(self.grant),
        }
    }
}

/// What of `asked` is not within `granted`.
///
/// Addresses, origins and commands must all be granted. Where it listens is the operator's choice: any
/// listener will do.
pub(crate) fn lacking(asked: &Grants, granted: &Grants) -> Vec<Lack> {
    let mut lacks = Vec::new();
    let mut lack = |grant, value| lacks.push(Lack { grant, value });
    for (grant, asked, granted) in [
        ("subscribe", &asked.subscribe, &granted.subscribe),
        ("publish", &asked.publish, &granted.publish),
        ("request", &asked.request, &granted.request),
    ] {
        let is_granted = |one: &&Pattern| granted.iter().any(|it| it.covers(one.as_str()));
        for one in asked.iter().filter(|one| !is_granted(one)) {
            lack(grant, Some(format!("{:?}", one.as_str())));
        }
    }
    for (grant, asked, granted) in [
        ("websocket", &asked.websocket, &granted.websocket),
        ("routes", &asked.routes, &granted.routes),
    ] {
        for mount in asked.iter().filter(|_| granted.is_empty()) {
            lack(grant, Some(format!("{:?} on {}", mount.path, mount.listen)));
        }
    }
    if asked.kv > granted.kv {
        lack("kv", Some(format!("{:?}", size(asked.kv))));
    }
    if asked.durable > granted.durable {
        lack("durable", Some(format!("{:?}", size(asked.durable))));
    }
    if let Some(asked) = &asked.http {
        if asked.is_empty() && granted.http.is_none() {
            lack("http", None);
        }
        let granted = granted.http.as_deref().unwrap_or_default();
        for origin in asked.iter().filter(|origin| !granted.contains(origin)) {
            lack("http", Some(format!("\"{origin}\"")));
        }
    }
    for action in asked.serve.iter().filter(|action| !granted.serve.contains(action)) {
        lack("serve", Some(format!("{action:?}")));
    }
    if let Some(asked) = &asked.files {
        if asked.is_empty() && granted.files.is_none() {
            lack("files", None);
        }
        let granted = granted.files.as_deref().unwrap_or_default();
        for folder in asked.iter().filter(|one| !granted.iter().any(|it| it.covers(one))) {
            lack("files", Some(folder.to_string()));
        }
    }
    if let Some(asked) = &asked.policy {
        let is_granted =
            |command: &str| granted.policy.as_ref().is_some_and(|it| it.covers(command));
        for command in asked.commands.iter().filter(|command| !is_granted(command)) {
            lack("policy", Some(format!("{command:?}")));
        }
    }
    lacks
}

/// All of them, each as it would be told if it were lacking.
pub(crate) fn spelled(grants: &Grants) -> Vec<String> {
    lacking(grants, &Grants::default()).iter().map(ToString::to_string).collect()
}

/// A size as it is written in a `NAME.toml`.
fn size(bytes: u64) -> String {
    for (unit, name) in [(1 << 30, "GiB"), (1 << 20, "MiB")] {
        if bytes.is_multiple_of(unit) {
            return format!("{} {name}", bytes / unit);
        }
    }
    format!("{} KiB", bytes.div_ceil(1 << 10))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Manifest;

    fn lacks(asks: &str, granted: &str) -> Vec<String> {
        let asked = Asks::parse(&format!("[asks]\n{asks}")).unwrap().grants;
        let granted = Manifest::parse(&format!("[grants]\n{granted}")).unwrap().grants;
        lacking(&asked, &granted).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_granted_covers_what_is_asked() {
        let asks = r#"
            subscribe = ["telepulse.event.activeLines", "telepulse.proxy.event.*.Newchannel"]
            publish = ["telepulse.event.screenPop"]
            kv = "1 MiB"
            serve = ["note"]
            durable = true
            http = ["https://api.crm.example"]
            routes = [{ listen = "127.0.0.1:8083", path = "/crm" }]
            policy = { commands = ["dial"] }
        "#;
        assert_eq!(
            lacks(asks, ""),
            [
                "subscribe \"telepulse.event.activeLines\"",
                "subscribe \"telepulse.proxy.event.*.Newchannel\"",
                "publish \"telepulse.event.screenPop\"",
                "routes \"/crm\" on 127.0.0.1:8083",
                "kv \"1 MiB\"",
                "durable \"64 MiB\"",
                "http \"https://api.crm.example:443\"",
                "serve \"note\"",
                "policy \"dial\"",
            ]
        );
        let enough = r#"
            subscribe = ["telepulse.event", "telepulse.proxy.event"]
            publish = ["telepulse.event.*"]
            kv = "2 MiB"
            serve = ["popupClose", "note"]
            durable = "1 GiB"
            http = ["https://api.crm.example:443", "http://127.0.0.1:1"]
            routes = [{ listen = "0.0.0.0:443", path = "/elsewhere" }]
            policy = { commands = ["*"], order = 7 }
        "#;
        assert_eq!(lacks(asks, enough), [""; 0]);
    }

    #[test]
    fn one_server_is_not_all_of_them() {
        let asks = "subscribe = [\"telepulse.proxy.event.*.Newchannel\"]";
        let one = "subscribe = [\"telepulse.proxy.event.pbx1.Newchannel\"]";
        assert_eq!(lacks(asks, one).len(), 1);
        assert_eq!(lacks(one, asks).len(), 0);
    }

    #[test]
    fn an_empty_list_of_origins_asks_for_a_choice() {
        assert_eq!(lacks("http = []", ""), ["http"]);
        assert_eq!(lacks("http = []", "http = []").len(), 0);
    }

    #[test]
    fn a_folder_is_granted_with_those_above_it_and_for_as_much() {
        let asks = "files = [{ path = \"/var/spool/monitor\", mode = \"rw\" }]";
        let granted = |path: &str, mode: &str| {
            lacks(asks, &format!("files = [{{ path = \"{path}\", mode = \"{mode}\" }}]"))
        };
        let lacked = ["files \"/var/spool/monitor\" for writing"];
        assert_eq!(lacks(asks, ""), lacked);
        assert_eq!(granted("/var/spool/monitor", "ro"), lacked);
        assert_eq!(granted("/var/spool/mon", "rw"), lacked);
        assert_eq!(granted("/var/spool/monitor", "rw"), [""; 0]);
        assert_eq!(granted("/var/spool", "rw"), [""; 0]);
        assert_eq!(lacks("files = []", ""), ["files"]);
        assert_eq!(lacks("files = []", "files = []"), [""; 0]);
    }

    #[test]
    fn mistakes_are_named_as_they_are_written() {
        let mistakes = Asks::parse("[asks]\npublish = 3\n[grants]\n").unwrap_err();
        let told: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
        assert!(told[0].starts_with("line 2: asks.publish: must be a list"), "{told:?}");
        assert!(told[1].starts_with("line 3: grants: unknown; there are"), "{told:?}");
    }
}
