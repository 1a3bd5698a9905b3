//! Actions about calls and channels.

use crate::action::rules::{check_channel, check_variable_name};
use crate::action::{Action, ActionError};

/// A new call: a channel is called, and when it answers it is led to the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Originate {
    /// What is called first, such as `PJSIP/201`.
    pub channel: String,
    /// Where it is led when it answers.
    pub target: Target,
    /// How long it may ring, in milliseconds; Asterisk's own default is 30,000.
    pub timeout_ms: Option<u64>,
    /// What the called party sees, `"Name" <number>` or a number.
    pub caller_id: Option<String>,
    /// Billing code.
    pub account: Option<String>,
    /// Variables of the new channel, in order; `_` or `__` in front makes them inherited.
    pub variables: Vec<(String, String)>,
    /// Whether the phone is asked to answer by itself. Only SIP channels can: see [`is_sip`].
    pub auto_answer: bool,
    /// The new channel's `Uniqueid`. Give one: it is how a failed call is known again.
    pub channel_id: Option<String>,
    /// The `Uniqueid` of the second half when `channel` is a `Local/` one.
    pub other_channel_id: Option<String>,
}

/// Where an originated channel is led.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Into the dialplan.
    Extension {
        /// The dialplan's context.
        context: String,
        /// The extension in it.
        exten: String,
        /// The priority or label, `1` as a rule.
        priority: String,
    },
    /// Into one application, without the dialplan.
    Application {
        /// The application's name.
        name: String,
        /// Its arguments.
        data: String,
    },
}

/// Starts a call, always in the background: the response says that the server took it, the event
/// `OriginateResponse` with the same `ActionID` whether it was answered.
pub fn originate(call: &Originate) -> Action {
    let action = Action::new("Originate").header("Channel", &call.channel);
    let action = match &call.target {
        Target::Extension { context, exten, priority } => {
            action.header("Context", context).header("Exten", exten).header("Priority", priority)
        }
        Target::Application { name, data } => {
            action.header("Application", name).header("Data", data)
        }
    };
    let action = action
        .header("Async", "true")
        .optional("Timeout", call.timeout_ms.map(|timeout| timeout.to_string()))
        .optional("CallerID", call.caller_id.as_ref())
        .optional("Account", call.account.as_ref())
        .optional("ChannelId", call.channel_id.as_ref())
        .optional("OtherChannelId", call.other_channel_id.as_ref());
    let action = call.variables.iter().fold(action, |action, (name, value)| {
        match check_variable_name(name) {
            Ok(()) => action.header("Variable", format!("{name}={}", one_argument(value))),
            Err(error) => action.refuse(error),
        }
    });
    if call.auto_answer { answered_by_itself(action, &call.channel) } else { action }
}

/// What phones take for the wish that they answer at once, headers of the INVITE: makers never agreed
/// on one (Snom, Grandstream, Yealink the first; Polycom, Cisco, Yealink the second).
const ANSWER_AT_ONCE: [(&str, &str); 2] = [
    ("Call-Info", "<sip:telepulse>;answer-after=0"),
    ("Alert-Info", "<http://telepulse>;info=alert-autoanswer;delay=0"),
];

/// Whether the channel is one of `chan_pjsip` or `chan_sip`.
pub fn is_sip(channel: &str) -> bool {
    channel.starts_with("PJSIP/") || channel.starts_with("SIP/")
}

/// Asterisk sets a function like a variable; that of `chan_pjsip` reaches the INVITE, since variables
/// are set before the channel is called.
fn answered_by_itself(action: Action, channel: &str) -> Action {
    (1..).zip(ANSWER_AT_ONCE).fold(action, |action, (number, (name, value))| {
        let value = one_argument(value);
        action.header(
            "Variable",
            if channel.starts_with("PJSIP/") {
                format!("PJSIP_HEADER(add,{name})={value}")
            } else {
                format!("SIPADDHEADER{number:02}={name}: {value}")
            },
        )
    })
}

/// A value that Asterisk reads as one argument: it splits `Variable` at commas, minding quotes and
/// brackets, and a backslash takes that meaning away.
fn one_argument(value: &str) -> String {
    let mut argument = String::with_capacity(value.len());
    for character in value.chars() {
        if r#"\",()[]"#.contains(character) {
            argument.push('\\');
        }
        argument.push(character);
    }
    argument
}

/// Hangs up one channel, by name; `cause` is a Q.850 number, 16 for a normal end.
pub fn hangup(channel: &str, cause: Option<u32>) -> Action {
    on_channel("Hangup", channel).optional("Cause", cause.map(|cause| cause.to_string()))
}

/// Leads a channel to another extension; whom it talked to is left to the dialplan.
pub fn redirect(channel: &str, context: &str, exten: &str, priority: &str) -> Action {
    on_channel("Redirect", channel)
        .header("Context", context)
        .header("Exten", exten)
        .header("Priority", priority)
}

/// Leads two channels that talk to each other to extensions of their own.
pub fn redirect_both(
    (channel, context, exten, priority): (&str, &str, &str, &str),
    (other, other_context, other_exten, other_priority): (&str, &str, &str, &str),
) -> Action {
    refuse_pattern(redirect(channel, context, exten, priority), "ExtraChannel", other)
        .header("ExtraContext", other_context)
        .header("ExtraExten", other_exten)
        .header("ExtraPriority", other_priority)
}

/// Blind transfer: whom the channel talks to is led to the extension, the channel is let go.
pub fn blind_transfer(channel: &str, context: &str, exten: &str) -> Action {
    on_channel("BlindTransfer", channel).header("Context", context).header("Exten", exten)
}

/// Attended transfer. Asterisk only presses the configured keys for the channel: success says
/// that they were queued.
pub fn atxfer(channel: &str, context: &str, exten: &str) -> Action {
    on_channel("Atxfer", channel).header("Context", context).header("Exten", exten)
}

/// Parks a channel. When it waited for `timeout_ms` milliseconds, `timeout_channel` is called;
/// the space is announced to `announce_channel`, which must exist: Asterisk does not check.
pub fn park(
    channel: &str,
    timeout_channel: Option<&str>,
    announce_channel: Option<&str>,
    timeout_ms: Option<u64>,
    lot: Option<&str>,
) -> Action {
    on_channel("Park", channel)
        .optional("TimeoutChannel", timeout_channel)
        .optional("AnnounceChannel", announce_channel)
        .optional("Timeout", timeout_ms.map(|timeout| timeout.to_string()))
        .optional("Parkinglot", lot)
}

/// Puts two channels into a bridge with each other.
pub fn bridge(channel: &str, other: &str) -> Action {
    let action = Action::new("Bridge");
    let action = refuse_pattern(action, "Channel1", channel);
    refuse_pattern(action, "Channel2", other)
}

/// Plays one key press on a channel.
pub fn play_dtmf(channel: &str, digit: char) -> Action {
    on_channel("PlayDTMF", channel).header("Digit", digit.to_string())
}

/// Mutes a channel or lets it be heard again: what it says (`in`), what it hears (`out`), `all`.
pub fn mute_audio(channel: &str, direction: &str, muted: bool) -> Action {
    on_channel("MuteAudio", channel)
        .header("Direction", direction)
        .header("State", if muted { "on" } else { "off" })
}

/// Starts to record a channel into a file on the server. The file's name and the options may not
/// hold commas; a command to run at the end cannot be given.
pub fn mix_monitor(channel: &str, file: &str, options: Option<&str>) -> Action {
    on_channel("MixMonitor", channel).header("File", file).optional("Options", options)
}

/// Stops recording a channel.
pub fn stop_mix_monitor(channel: &str) -> Action {
    on_channel("StopMixMonitor", channel)
}

/// Silences a recording or goes on with it: `read`, `write` or `both` directions.
pub fn mix_monitor_mute(channel: &str, direction: &str, muted: bool) -> Action {
    on_channel("MixMonitorMute", channel)
        .header("Direction", direction)
        .header("State", if muted { "1" } else { "0" })
}

/// Asks for a plain variable of a channel; without a channel, a global one.
pub fn get_var(channel: Option<&str>, variable: &str) -> Action {
    variable_action("GetVar", channel, variable)
}

/// Sets a plain variable of a channel; without a channel, a global one.
pub fn set_var(channel: Option<&str>, variable: &str, value: &str) -> Action {
    variable_action("SetVar", channel, variable).header("Value", value)
}

/// Takes a channel out of a conference.
pub fn confbridge_kick(conference: &str, channel: &str) -> Action {
    in_conference("ConfbridgeKick", conference, Some(channel))
}

/// Mutes a channel in a conference or lets it be heard again.
pub fn confbridge_mute(conference: &str, channel: &str, muted: bool) -> Action {
    let name = if muted { "ConfbridgeMute" } else { "ConfbridgeUnmute" };
    in_conference(name, conference, Some(channel))
}

/// Lets nobody else into a conference, or everybody again.
pub fn confbridge_lock(conference: &str, locked: bool) -> Action {
    let name = if locked { "ConfbridgeLock" } else { "ConfbridgeUnlock" };
    in_conference(name, conference, None)
}

fn on_channel(name: &'static str, channel: &str) -> Action {
    refuse_pattern(Action::new(name), "Channel", channel)
}

fn in_conference(name: &'static str, conference: &str, channel: Option<&str>) -> Action {
    let action = Action::new(name).header("Conference", conference);
    match channel {
        Some(channel) => refuse_pattern(action, "Channel", channel),
        None => action,
    }
}

fn variable_action(name: &'static str, channel: Option<&str>, variable: &str) -> Action {
    let action = match channel {
        Some(channel) => on_channel(name, channel),
        None => Action::new(name),
    };
    let checked = check_variable_name(variable);
    let action = action.header("Variable", variable);
    refuse_if(action, checked)
}

fn refuse_pattern(action: Action, field: &'static str, channel: &str) -> Action {
    let checked = check_channel(field, channel);
    refuse_if(action.header(field, channel), checked)
}

fn refuse_if(action: Action, checked: Result<(), ActionError>) -> Action {
    match checked {
        Ok(()) => action,
        Err(error) => action.refuse(error),
    }
}
