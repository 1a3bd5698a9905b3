//! What spans are called, and what is said in them. `docs/observe.md` lists the same: the test below
//! holds it against this file.
//!
//! Names have few values, so that a collector can sum up by them: no call, no number, no user. Where
//! OpenTelemetry's semantic conventions have a key it is theirs.

use std::fmt;

/// What a span is called.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Name<'a> {
    /// An HTTP request at a gateway, by its method.
    Request(&'a str),
    /// A command, from the bus to its answer, by its action.
    Command(&'a str),
    /// A policy plugin is asked.
    Policy(&'a str),
    /// A plugin carries out a command that the core does not know.
    Serve(&'a str),
    /// A command or action goes to the node that has its server.
    Forward(&'a str),
    /// A command becomes actions.
    Plan(&'a str),
    /// An action on its way to Asterisk and its answer on the way back, by its name.
    Ami(&'a str),
    /// From Asterisk's yes to a dial to what came of it.
    Outcome,
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(method) => write!(f, "{method}"),
            Self::Command(action) => write!(f, "command {action}"),
            Self::Policy(plugin) => write!(f, "policy {plugin}"),
            Self::Serve(plugin) => write!(f, "serve {plugin}"),
            Self::Forward(action) => write!(f, "forward {action}"),
            Self::Plan(action) => write!(f, "plan {action}"),
            Self::Ami(action) => write!(f, "AMI {action}"),
            Self::Outcome => f.write_str("AMI OriginateResponse"),
        }
    }
}

/// What is said in spans.
pub(crate) mod key {
    /// Why a span has failed, in one word.
    pub(crate) const ERROR: &str = "error.type";
    /// The request's method.
    pub(crate) const METHOD: &str = "http.request.method";
    /// What it was answered with.
    pub(crate) const STATUS: &str = "http.response.status_code";
    /// `http` or `https`.
    pub(crate) const SCHEME: &str = "url.scheme";
    /// Where the Asterisk server is.
    pub(crate) const ADDRESS: &str = "server.address";
    /// The port there.
    pub(crate) const PORT: &str = "server.port";
    /// On whose behalf.
    pub(crate) const USER: &str = "user.name";
    /// The command's action.
    pub(crate) const ACTION: &str = "telepulse.action";
    /// How many actions a command became.
    pub(crate) const ACTIONS: &str = "telepulse.actions";
    /// The ActionID that the action went with.
    pub(crate) const ACTION_ID: &str = "telepulse.ami.action_id";
    /// Asterisk's word for what came of an Originate.
    pub(crate) const REASON: &str = "telepulse.ami.reason";
    /// Asterisk's `Response`.
    pub(crate) const RESPONSE: &str = "telepulse.ami.response";
    /// The call that a dial made.
    pub(crate) const CALL: &str = "telepulse.call";
    /// What came of a command, in the audit log's words.
    pub(crate) const OUTCOME: &str = "telepulse.outcome";
    /// The plugin: the gateway, or who was asked.
    pub(crate) const PLUGIN: &str = "telepulse.plugin";
    /// The Asterisk server's id.
    pub(crate) const SERVER: &str = "telepulse.server";
    /// What a policy decided.
    pub(crate) const VERDICT: &str = "telepulse.verdict";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const PAGE: &str = include_str!("../../../../docs/observe.md");

    /// The names in the first column of the table below a heading.
    fn listed(heading: &str) -> BTreeSet<String> {
        let (_, below) = PAGE.split_once(&format!("\n### {heading}\n")).unwrap();
        let section = below.split("\n#").next().unwrap();
        let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        rows.map(str::to_owned).collect()
    }

    #[test]
    fn the_page_lists_every_span() {
        let names = [
            Name::Request("{method}"),
            Name::Command("{action}"),
            Name::Policy("{plugin}"),
            Name::Serve("{plugin}"),
            Name::Forward("{action}"),
            Name::Plan("{action}"),
            Name::Ami("{action}"),
            Name::Outcome,
        ];
        let names: BTreeSet<String> = names.iter().map(ToString::to_string).collect();
        assert_eq!(listed("Spans"), names, "left: docs/observe.md, right: the code");
    }

    #[test]
    fn the_page_lists_what_is_said_in_them() {
        let code = include_str!("names.rs").split("#[cfg(test)]").next().unwrap();
        let (_, keys) = code.split_once("mod key").unwrap();
        let keys: BTreeSet<String> =
            keys.split('"').skip(1).step_by(2).map(str::to_owned).collect();
        assert!(keys.len() > 10, "{keys:?}");
        assert_eq!(listed("Attributes"), keys, "left: docs/observe.md, right: the code");
    }
}
