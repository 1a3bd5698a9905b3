//! A call comes to a number for which data waits: everybody who sees the call gets it as `callerInfo`, and the
//! call itself in a channel variable, without anybody asking.

mod calls;

use crate::{cache, cache::Place, number};
use calls::{Calls, Known};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};
use std::{collections::HashMap, time::Duration};
use telepulse_plugin_sdk::{
    Event, Failure, bus, clock,
    language::{Code, Refusal, VariableName},
    log, metrics,
};

const CALLER_INFO: &str = "telepulse.event.callerInfo";
/// How long a question or a command may take.
const TIMEOUT: Duration = Duration::from_secs(1);
/// How long a server is left alone that did not answer, in nanoseconds: calls of the others wait behind it.
const LEFT_ALONE: u64 = 30_000_000_000;

/// Brings values to calls.
pub(crate) struct Delivery {
    /// Where the value goes, too.
    variable: Option<VariableName>,
    calls: Calls,
    /// Servers that did not answer, and until when they are not asked again.
    silent: HashMap<String, u64>,
}

/// What is read of `callStarted` and `callTransferred`.
#[derive(Deserialize)]
struct Arrival {
    server: String,
    call: String,
    agent: Option<String>,
    /// Who calls, or who is handed over.
    #[serde(alias = "party")]
    from: String,
    to: String,
}

/// What is read of `callEnded`.
#[derive(Deserialize)]
struct End {
    call: String,
}

/// The details of `callerInfo`.
#[derive(Serialize)]
struct CallerInfo<'a> {
    server: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
    call: &'a str,
    number: &'a str,
    info: &'a RawValue,
    source: &'static str,
    cached: bool,
}

impl Delivery {
    pub(crate) fn new(variable: Option<VariableName>) -> Self {
        Self { variable, calls: Calls::default(), silent: HashMap::new() }
    }

    /// What the next instance has to know.
    pub(crate) fn save(&self) -> Result<Vec<u8>, String> {
        serde_json::to_vec(&self.calls).map_err(|error| error.to_string())
    }

    /// Takes over what the instance before has saved.
    pub(crate) fn restore(&mut self, state: &[u8]) -> Result<(), String> {
        self.calls = serde_json::from_slice(state).map_err(|error| error.to_string())?;
        Ok(())
    }

    pub(crate) fn handle(&mut self, event: &Event<'_>) -> Result<(), Failure> {
        let unreadable = |why: Refusal| Failure::Skip(why.to_string());
        if event.kind == "callEnded" {
            let End { call } = event.json().map_err(unreadable)?;
            self.calls.forget(&call);
            return Ok(());
        }
        let arrival: Arrival = event.json().map_err(unreadable)?;
        match self.calls.get(&arrival.call) {
            Some(known) => {
                // Whoever rings later sees his own number, not the one that was called.
                if known.is_news_to(arrival.agent.as_deref()) {
                    tell(&arrival, known).map_err(Failure::Retry)?;
                }
                self.calls.told(&arrival.call, arrival.agent);
                Ok(())
            }
            None => self.look_up(arrival),
        }
    }

    fn look_up(&mut self, arrival: Arrival) -> Result<(), Failure> {
        let Arrival { from, to, .. } = &arrival;
        if !number::is_one(from) || !number::is_one(to) {
            return Ok(());
        }
        let place = Place { dnis: to, ani: from };
        let Some(entry) = cache::get(place).map_err(Failure::Retry)? else { return Ok(()) };
        let known = Known::new(from.clone(), entry.value);
        tell(&arrival, &known).map_err(Failure::Retry)?;
        metrics::add("delivered", 1, &[("pool", &entry.pool)]);
        self.set(&arrival, &known.value);
        let Arrival { call, agent, .. } = arrival;
        self.calls.add(call.clone(), known);
        self.calls.told(&call, agent);
        Ok(())
    }

    /// Sets the variable, where there is one to set and the server is not known to be silent.
    fn set(&mut self, arrival: &Arrival, value: &RawValue) {
        let Some(variable) = &self.variable else { return };
        let now = clock::now_ns();
        self.silent.retain(|_, until| *until > now);
        let outcome = if self.silent.contains_key(&arrival.server) {
            Err(Refusal::new(Code::Timeout, "the server did not answer of late"))
        } else {
            set(variable, arrival, value)
        };
        if let Err(why) = outcome {
            if why.code == Code::Timeout {
                self.silent.entry(arrival.server.clone()).or_insert(now + LEFT_ALONE);
            }
            log::warn!(call = arrival.call; "the variable {} is not set: {why}", variable.as_str());
        }
    }
}

fn tell(arrival: &Arrival, known: &Known) -> Result<(), String> {
    let info = CallerInfo {
        server: &arrival.server,
        agent: arrival.agent.as_deref(),
        call: &arrival.call,
        number: &known.number,
        info: &known.value,
        source: "calldata",
        cached: !known.is_new(),
    };
    bus::publish_json(CALLER_INFO, &info)
}

/// Sets the variable on the channel of who calls, or is handed over.
fn set(variable: &VariableName, arrival: &Arrival, value: &RawValue) -> Result<(), Refusal> {
    let Arrival { server, call, from, .. } = arrival;
    let query = json!({"query": "calls", "filter": {"servers": [server]}});
    let calls = bus::ask(bus::QUERY, &query, TIMEOUT)?;
    let items = calls["items"].as_array();
    let found = items.into_iter().flatten().find(|item| item["call"] == **call);
    let channels = found.and_then(|found| found["channels"].as_array()).into_iter().flatten();
    // After a transfer the call's first channel may be that of who has left it.
    let is_theirs = |channel: &&Value| channel["number"] == **from || channel["agent"] == **from;
    let channel = channels.clone().find(is_theirs).or_else(|| channels.clone().next());
    let Some(channel) = channel.and_then(|channel| channel["channel"].as_str()) else {
        return Err(Refusal::new(Code::NotFound, "the call is over"));
    };
    let command = json!({
        "action": "setVariable",
        "server": server,
        "channel": channel,
        "name": variable,
        "value": on_a_line(value),
    });
    bus::ask(bus::COMMAND, &command, TIMEOUT).map(drop)
}

/// A value as one line: an AMI line holds no more, however it was written.
fn on_a_line(value: &RawValue) -> String {
    serde_json::from_str::<Value>(value.get()).map_or_else(|_| String::new(), |it| it.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_several_lines_is_one_for_asterisk() {
        let value: Box<RawValue> = serde_json::from_str("{\n  \"a\": [1,\r\n 2]\n}").unwrap();
        assert_eq!(on_a_line(&value), r#"{"a":[1,2]}"#);
    }
}
