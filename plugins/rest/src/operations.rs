//! Everything that can be done here, in one table: requests are looked up in it, and the published
//! description is made from it.

/// One method on one path.
#[derive(Debug)]
pub(crate) struct Operation {
    /// GET brings HEAD with it.
    pub(crate) method: &'static str,
    /// A template: `{call}` stands for one segment, and is the field of that name in a command.
    pub(crate) path: &'static str,
    pub(crate) does: Does,
    /// What it is for, in one line.
    #[cfg_attr(not(test), expect(dead_code, reason = "the description has it"))]
    pub(crate) summary: &'static str,
}

/// What an operation does with the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Does {
    /// Lists what a query answers, item by item.
    List(List),
    /// Lists calls that go on, or those that are over.
    Calls,
    /// Shows one call, also one that is over.
    Call,
    /// Shows the one item that the path names.
    One(List),
    /// Gives a command, whose fields are in the path and the body.
    Command(&'static str, Answer),
    /// `{"paused":true}`: one of two commands.
    Pause,
    /// Gives any command, as the language has it.
    AnyCommand,
    /// Describes all this.
    Describe,
}

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct List {
    /// The query's name.
    pub(crate) query: &'static str,
    /// The field that names an item on its server.
    pub(crate) key: &'static str,
    /// The item's type in the published schema of the language.
    pub(crate) item: &'static str,
}

/// How a command is answered when it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A call begins: 202, and `Location` says where it is.
    Begun,
    /// 202 with the command's result: what comes of it is told by events.
    Accepted,
    /// 200 with the command's result.
    Result,
    /// 204.
    Nothing,
}

pub(crate) const CALLS: List = List { query: "calls", key: "call", item: "Call" };
const USERS: List = List { query: "users", key: "agent", item: "User" };
const QUEUES: List = List { query: "queues", key: "queue", item: "Queue" };
const PARKED: List = List { query: "parked", key: "call", item: "ParkedCall" };
const CONFERENCES: List = List { query: "conferences", key: "conference", item: "ConferenceRoom" };
const DEVICES: List = List { query: "devices", key: "agent", item: "Device" };
const SERVERS: List = List { query: "servers", key: "server", item: "Server" };

const MEMBER: &str = "/v1/queues/{queue}/members/{agent}";

const fn operation(
    method: &'static str,
    path: &'static str,
    does: Does,
    summary: &'static str,
) -> Operation {
    Operation { method, path, does, summary }
}

/// All of them, in the order of the description.
#[rustfmt::skip]
pub(crate) const OPERATIONS: &[Operation] = {
    use Answer::{Accepted, Begun, Nothing, Result};
    use Does::{AnyCommand, Call, Calls, Command, Describe, One, Pause};
    &[
        operation("GET", "/v1/calls", Calls, "Calls that go on, or with ended=true those that are over"),
        operation("POST", "/v1/calls", Command("dial", Begun), "Dials: rings one extension, then the other side"),
        operation("GET", "/v1/calls/{call}", Call, "One call, also after its end"),
        operation("DELETE", "/v1/calls/{call}", Command("hangup", Nothing), "Hangs a call up"),
        operation("POST", "/v1/calls/{call}/transfer", Command("transfer", Accepted), "Hands a call over"),
        operation("POST", "/v1/calls/{call}/record", Command("record", Accepted), "Starts, pauses, resumes or stops a recording"),
        operation("POST", "/v1/calls/{call}/park", Command("park", Accepted), "Parks a call"),
        operation("POST", "/v1/calls/{target}/spy", Command("spy", Begun), "Listens to a call, unheard"),
        operation("POST", "/v1/calls/{target}/whisper", Command("whisper", Begun), "Speaks to one side of a call, unheard by the other"),
        operation("POST", "/v1/calls/{target}/barge", Command("barge", Begun), "Joins a call"),
        operation("GET", "/v1/parked", Does::List(PARKED), "Parked calls"),
        operation("GET", "/v1/conferences", Does::List(CONFERENCES), "Conferences with who is in them"),
        operation("GET", "/v1/extensions", Does::List(USERS), "Extensions with their state"),
        operation("GET", "/v1/extensions/{agent}", One(USERS), "One extension"),
        operation("GET", "/v1/queues", Does::List(QUEUES), "Queues with callers and members"),
        operation("GET", "/v1/queues/{queue}", One(QUEUES), "One queue"),
        operation("PUT", MEMBER, Command("queueAdd", Result), "Logs an agent on to a queue"),
        operation("PATCH", MEMBER, Pause, "Pauses an agent in a queue, or ends the pause"),
        operation("DELETE", MEMBER, Command("queueRemove", Nothing), "Logs an agent off from a queue"),
        operation("GET", "/v1/devices", Does::List(DEVICES), "Extensions with a channel to a phone, as ARI tells it"),
        operation("GET", "/v1/servers", Does::List(SERVERS), "Asterisk servers with their state"),
        operation("POST", "/v1/commands", AnyCommand, "Gives any command of the language"),
        operation("GET", "/v1/openapi.json", Describe, "This description"),
    ]
};

impl Operation {
    /// Whether nothing changes by it.
    pub(crate) fn is_read(&self) -> bool {
        self.method == "GET"
    }

    /// The names in its path.
    #[cfg(test)]
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(name)
    }
}

/// The name that a template's segment stands for; `None` where it is a word.
pub(crate) fn name(segment: &'static str) -> Option<&'static str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}
