//! What a plugin can be: one trait for each handler that the host may call. `export!` ties them to
//! the component.

use crate::{CloseReason, Event, Frame, Live, OpenInfo};
use serde_json::Value;
use std::time::Duration;
use telepulse_language::{CommandEnvelope, Principal, Refusal, Request};

/// Why an instance starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartReason {
    /// The plugin's first instance.
    Fresh,
    /// It takes over from a running one.
    Reload,
    /// The one before trapped or timed out.
    CrashRestart,
}

/// What an instance is told when it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The plugin's name: its file's, without `.wasm`.
    pub plugin: String,
    /// Counts the plugin's instances, from 1.
    pub incarnation: u64,
    /// The version of the WIT package that the host offers.
    pub host_api: String,
    /// Why it starts.
    pub reason: StartReason,
}

/// A plugin: the value holds all the state of an instance (interface `lifecycle`).
pub trait Plugin: Sized + 'static {
    /// The first call. An error keeps the instance from being used, and is shown to the operator.
    fn init(start: &Start) -> Result<Self, String>;

    /// The last call before a planned end.
    fn drain(&mut self, deadline: Duration) {
        let _ = deadline;
    }
}

/// Why an event was not done, and what the host shall do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Hand it over again after a pause.
    Retry(String),
    /// Go on without it.
    Skip(String),
    /// The plugin is broken: start a new instance.
    Fatal(String),
}

/// Receives the events that `[grants] subscribe` covers, in order (interface `framed-subscriber`).
pub trait Subscriber: Plugin {
    /// Handles one event.
    fn handle(&mut self, event: Event<'_>) -> Result<(), Failure>;
}

/// Answer to a [`crate::bus::submit`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What `submit` returned.
    pub id: u64,
    /// What was given to `submit`: all that is known about the request, as another instance may have
    /// sent it.
    pub context: Vec<u8>,
    /// The answer, or why there is none (deadline, nobody serves the address).
    pub answer: Result<Vec<u8>, String>,
}

/// Receives the answers to what was submitted (interface `replies`).
pub trait Replies: Plugin {
    /// Handles one answer.
    fn answered(&mut self, answer: Answer);
}

/// Is told when timers come due (interface `ticker`).
pub trait Ticker: Plugin {
    /// The timer that was set under this number is due.
    fn fired(&mut self, timer: u64);
}

/// Hands state over to the next instance when the plugin is swapped (interface `handoff`).
pub trait Handoff: Plugin {
    /// The state, at most 16 MiB. An error keeps this instance running.
    fn save(&mut self) -> Result<Vec<u8>, String>;
    /// Takes the state over; between `init` and the first handler. An error keeps the old instance.
    fn restore(&mut self, state: &[u8]) -> Result<(), String>;
}

/// A gateway for WebSocket clients (interface `connection-handler`). A connection is a number: the
/// host owns the socket, and a number stays good over swaps.
pub trait ConnectionHandler: Plugin {
    /// A client connected.
    fn opened(&mut self, info: OpenInfo);

    /// A client sent a frame.
    fn received(&mut self, conn: u64, frame: Frame);

    /// The client was too slow: so many events were dropped, the host has told it so, and its feeds
    /// are on hold. They are to be attached anew, with a snapshot.
    fn lagged(&mut self, conn: u64, missed: u64);

    /// The connection is gone.
    fn closed(&mut self, conn: u64, reason: CloseReason) {
        let _ = (conn, reason);
    }

    /// A connection that was open before this instance: called for each, before anything else of it.
    fn resumed(&mut self, live: Live) {
        self.opened(live.info);
    }
}

/// What a policy makes of a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It may be carried out, as far as this plugin is concerned.
    Allow,
    /// This one is to be carried out in its place: with the same action.
    Change(CommandEnvelope),
    /// It is not to be carried out. The client gets the reason, with the code `refusedByPolicy`.
    Refuse(String),
}

/// Decides on the commands that `[grants] policy` names, before they are carried out (interface
/// `policy`). Its computing is limited by `[limits] callMs`, and with all waiting a verdict takes two
/// seconds at most; then, as after a trap, the grant's `onFailure` counts.
///
/// ```
/// use telepulse_plugin_sdk::{
///     Plugin, Policy, Start, Verdict,
///     language::{Command, CommandEnvelope, Principal},
/// };
///
/// /// Nobody calls premium numbers.
/// struct NoPremium;
///
/// impl Plugin for NoPremium {
///     fn init(_: &Start) -> Result<Self, String> {
///         Ok(Self)
///     }
/// }
///
/// impl Policy for NoPremium {
///     fn decide(&mut self, command: &CommandEnvelope, _: Option<&Principal>) -> Verdict {
///         match &command.command {
///             Command::Dial(dial) if dial.to.starts_with("0900") => {
///                 Verdict::Refuse("0900 numbers are not called from here".to_owned())
///             }
///             _ => Verdict::Allow,
///         }
///     }
/// }
///
/// telepulse_plugin_sdk::export!(NoPremium: Policy);
/// # fn main() {
/// use serde_json::json;
/// use telepulse_plugin_sdk::testing::FakeHost;
/// let mut stage = FakeHost::install().start::<NoPremium>().unwrap();
/// let dial = |to: &str| json!({"action": "dial", "from": "101", "to": to});
/// assert_eq!(stage.decide(&dial("102"), None), Verdict::Allow);
/// assert!(matches!(stage.decide(&dial("0900123"), None), Verdict::Refuse(_)));
/// # }
/// ```
pub trait Policy: Plugin {
    /// Decides on a command that `who` gives; nobody does for one of the host or of a plugin acting
    /// as itself. It is within that user's rights.
    fn decide(&mut self, command: &CommandEnvelope, who: Option<&Principal>) -> Verdict;
}

/// Carries out commands that the core does not know: those that `[grants] serve` names (interface
/// `command-handler`).
///
/// ```
/// use serde_json::{Value, json};
/// use telepulse_plugin_sdk::{
///     CommandHandler, Plugin, Start, kv,
///     language::{Code, Extension, Principal, Refusal, Request, read_fields},
/// };
///
/// /// Where people are, as they say.
/// struct Whereabouts;
///
/// /// `{"action":"whereabouts","agent"}`
/// #[derive(serde::Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Ask {
///     agent: Extension,
/// }
///
/// impl Plugin for Whereabouts {
///     fn init(_: &Start) -> Result<Self, String> {
///         Ok(Self)
///     }
/// }
///
/// impl CommandHandler for Whereabouts {
///     fn serve(&mut self, command: Request, _: Option<&Principal>) -> Result<Value, Refusal> {
///         let Ask { agent } = read_fields(command.fields)?;
///         match kv::get_json::<String>(agent.as_str()) {
///             Ok(Some(place)) => Ok(json!({"place": place})),
///             Ok(None) => Err(Refusal::new(Code::NotFound, "nobody knows").with_field("agent")),
///             Err(why) => Err(Refusal::new(Code::ServerUnavailable, why)),
///         }
///     }
/// }
///
/// telepulse_plugin_sdk::export!(Whereabouts: CommandHandler);
/// # fn main() {
/// use telepulse_plugin_sdk::testing::FakeHost;
/// let mut stage = FakeHost::install().start::<Whereabouts>().unwrap();
/// kv::set_json("101", &"in the garden", None).unwrap();
/// let ask = |agent: Value| json!({"action": "whereabouts", "agent": agent});
/// assert_eq!(stage.serve(&ask(json!("101")), None), Ok(json!({"place": "in the garden"})));
/// assert_eq!(stage.serve(&ask(json!("102")), None).unwrap_err().code, Code::NotFound);
/// assert_eq!(stage.serve(&ask(json!(7)), None).unwrap_err().field.as_deref(), Some("agent"));
/// # }
/// ```
pub trait CommandHandler: Plugin {
    /// Carries out a command and answers its `result`, a JSON object. `who` gives it, and may, as far as
    /// `allow` says: who may only for `:own` ([`Principal::permission`]) is to be told from others here.
    /// Nobody is there for a command of a plugin acting as itself.
    fn serve(&mut self, command: Request, who: Option<&Principal>) -> Result<Value, Refusal>;
}

/// Answers HTTP requests (`http-handler`). There is no state: a request meets a new instance, or
/// one that has served others, which may be gone after it.
pub trait HttpHandler {
    /// The most bytes of a request's body that are taken; of a longer one it is told that it is
    /// ([`BodyError::TooLong`](crate::http::BodyError::TooLong)).
    const MAX_BODY: usize = crate::http::MAX_BODY;

    /// Answers one request.
    fn handle(request: crate::http::Request) -> crate::http::Response;
}
