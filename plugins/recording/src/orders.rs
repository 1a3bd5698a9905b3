//! What we ask of the core, without waiting: its answers come later, perhaps to another build of ours.

use crate::rules::Rule;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;
use telepulse_plugin_sdk::{
    Answer,
    bus::{self, Submit},
    language::{RecordingChange, Refusal},
};

/// How long the core may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What an answer is to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "camelCase")]
pub(crate) enum Order {
    /// To record a call.
    Start { call: String },
    /// To tell a variable that says whether it may be.
    Ask { call: String },
    /// To pause or resume its recordings.
    Change { call: String, change: RecordingChange },
}

/// Has a call recorded.
pub(crate) fn start(
    call: &str,
    server: &str,
    rule: &Rule,
    file: &str,
    is_early: bool,
) -> Result<(), String> {
    let mut command = json!({
        "action": "record",
        "server": server,
        "call": call,
        "change": "start",
        "file": file,
        "mode": rule.mode,
        "early": is_early,
    });
    if let Some(seconds) = rule.beep_seconds {
        command["beep"] = json!(seconds);
    }
    if let Some(said) = &rule.announcement {
        command["announcement"] = json!(said);
    }
    give(&command, &Order::Start { call: call.to_owned() })
}

/// Asks for a variable of the caller's channel.
pub(crate) fn ask(call: &str, server: &str, variable: &str) -> Result<(), String> {
    let command =
        json!({"action": "getVariable", "server": server, "channel": call, "name": variable});
    give(&command, &Order::Ask { call: call.to_owned() })
}

/// Pauses or resumes all recordings of a call.
pub(crate) fn change(call: &str, server: &str, change: RecordingChange) -> Result<(), String> {
    let order = if change == RecordingChange::Paused { "pause" } else { "resume" };
    let command = json!({"action": "record", "server": server, "call": call, "change": order});
    give(&command, &Order::Change { call: call.to_owned(), change })
}

fn give(command: &Value, order: &Order) -> Result<(), String> {
    let context = serde_json::to_vec(order).map_err(|error| error.to_string())?;
    let command = command.to_string();
    let submit = Submit {
        address: bus::COMMAND,
        payload: command.as_bytes(),
        timeout: TIMEOUT,
        on_behalf_of: None,
        context: &context,
    };
    bus::submit(submit).map(drop)
}

/// What an answer is to, and what it says.
pub(crate) fn answered(answer: Answer) -> Option<(Order, Result<Value, Refusal>)> {
    let order = serde_json::from_slice(&answer.context).ok()?;
    Some((order, bus::reply(answer.answer)))
}
