//! What goes on, as a client sees it who folds events, and as Asterisk lists it, in the same words.

use anyhow::Result;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use telepulse_tests::ami;

/// Server and name.
type Key = (String, String);

/// What a client knows by what it was told.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    /// Channels with their state.
    channels: BTreeMap<Key, String>,
    calls: BTreeSet<Key>,
    /// The channels of each extension's lines.
    lines: BTreeMap<Key, BTreeSet<String>>,
    /// Members of queues: whether they are paused.
    members: BTreeMap<(String, String, String), bool>,
    /// How many callers wait.
    counts: BTreeMap<Key, u64>,
}

fn text(item: &Value, key: &str) -> String {
    item[key].as_str().unwrap_or_default().to_owned()
}

fn items<'a>(item: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    item[key].as_array().into_iter().flatten()
}

fn channels_of(lines: &Value) -> BTreeSet<String> {
    items(lines, "lines").map(|line| text(line, "channel")).collect()
}

impl View {
    /// Of the servers that a snapshot knows, what it says takes the place of what was known.
    pub(crate) fn begin_anew(&mut self, snapshot: &Value) {
        let servers: BTreeSet<String> =
            items(snapshot, "servers").map(|server| text(server, "server")).collect();
        self.forget(|server| servers.contains(server));
        for call in items(snapshot, "calls") {
            let server = text(call, "server");
            self.calls.insert((server.clone(), text(call, "call")));
            for channel in items(call, "channels") {
                let key = (server.clone(), text(channel, "channel"));
                self.channels.insert(key, text(channel, "state"));
            }
        }
        for line in items(snapshot, "lines") {
            let key = (text(line, "server"), text(line, "agent"));
            self.lines.insert(key, channels_of(line));
        }
        for agent in items(snapshot, "agents") {
            let key = (text(agent, "server"), text(agent, "queue"), text(agent, "agent"));
            self.members.insert(key, agent["status"] == "paused");
        }
        for queue in items(snapshot, "queues") {
            let key = (text(queue, "server"), text(queue, "queue"));
            self.counts.insert(key, queue["count"].as_u64().unwrap_or_default());
        }
    }

    fn forget(&mut self, goes: impl Fn(&str) -> bool) {
        self.channels.retain(|(server, _), _| !goes(server));
        self.calls.retain(|(server, _)| !goes(server));
        self.lines.retain(|(server, _), _| !goes(server));
        self.members.retain(|(server, ..), _| !goes(server));
        self.counts.retain(|(server, _), _| !goes(server));
    }

    /// Takes an event in.
    pub(crate) fn fold(&mut self, event: &Value) {
        let of = |key: &str| (text(event, "server"), text(event, key));
        match event["event"].as_str().unwrap_or_default() {
            "channelState" if event["state"] == "hungup" => {
                self.channels.remove(&of("channel"));
            }
            "channelState" => {
                self.channels.insert(of("channel"), text(event, "state"));
            }
            "callStarted" => {
                self.calls.insert(of("call"));
            }
            "callEnded" => {
                self.calls.remove(&of("call"));
            }
            "activeLines" => {
                self.lines.insert(of("agent"), channels_of(event));
            }
            "queueMemberStatus" => {
                let key = (text(event, "server"), text(event, "queue"), text(event, "agent"));
                if event["status"] == "loggedoff" {
                    self.members.remove(&key);
                } else {
                    self.members.insert(key, event["status"] == "paused");
                }
            }
            "queueCount" => {
                self.counts.insert(of("queue"), event["count"].as_u64().unwrap_or_default());
            }
            "serverStatus" if event["state"] == "REMOVED" => {
                let gone = text(event, "server");
                self.forget(|server| server == gone);
            }
            _ => {}
        }
    }

    /// One line for each thing that is.
    pub(crate) fn lines(&self) -> BTreeSet<String> {
        let mut lines = BTreeSet::new();
        for ((server, channel), state) in &self.channels {
            lines.insert(format!("{server} channel {channel} {state}"));
        }
        for ((server, agent), channels) in &self.lines {
            lines.extend(channels.iter().map(|it| format!("{server} line {agent} {it}")));
        }
        for ((server, queue, agent), is_paused) in &self.members {
            lines.insert(member(server, queue, agent, *is_paused));
        }
        let waiting = self.counts.iter().filter(|(_, count)| **count > 0);
        lines.extend(waiting.map(|((server, queue), count)| format!("{server} {queue} {count}")));
        let mut calls: BTreeMap<&str, usize> = BTreeMap::new();
        for (server, _) in &self.calls {
            *calls.entry(server).or_default() += 1;
        }
        lines.extend(calls.iter().map(|(server, count)| format!("{server} calls {count}")));
        lines
    }
}

fn member(server: &str, queue: &str, agent: &str, is_paused: bool) -> String {
    let state = if is_paused { "paused" } else { "ready" };
    format!("{server} member {queue} {agent} {state}")
}

/// The same by Asterisk's own lists.
pub(crate) async fn listed(server: &str, auditor: &mut ami::Client) -> Result<BTreeSet<String>> {
    let mut lines = BTreeSet::new();
    let mut calls = BTreeSet::new();
    for item in auditor.core_show_channels().await? {
        let field = |name| item.get(name).unwrap_or_default();
        let channel = field("Channel");
        let state = field("ChannelStateDesc").to_lowercase();
        lines.insert(format!("{server} channel {channel} {state}"));
        let phone = channel.strip_prefix("PJSIP/").and_then(|rest| rest.split_once('-'));
        lines.extend(phone.map(|(agent, _)| format!("{server} line {agent} {channel}")));
        calls.insert(field("Linkedid").to_owned());
    }
    if !calls.is_empty() {
        lines.insert(format!("{server} calls {}", calls.len()));
    }
    for item in auditor.queue_status().await? {
        let field = |name| item.get(name).unwrap_or_default();
        if item.is_event("QueueParams") && field("Calls") != "0" {
            lines.insert(format!("{server} {} {}", field("Queue"), field("Calls")));
        } else if item.is_event("QueueMember") {
            let agent = field("Location").replace("PJSIP/", "");
            lines.insert(member(server, field("Queue"), &agent, field("Paused") == "1"));
        }
    }
    Ok(lines)
}
