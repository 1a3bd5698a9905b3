//! What may be sent, and what is known of actions by their name.

use super::{Action, ActionError, MAX_LINE};

/// Keys whose values no log shows.
const SECRETS: &[&str] = &["Secret", "Key", "Password"];

/// Actions whose answer is a list of events.
const LISTS: &[&str] = &[
    "Agents",
    "BridgeInfo",
    "BridgeList",
    "BridgeTechnologyList",
    "ConfbridgeList",
    "ConfbridgeListRooms",
    "CoreShowChannelMap",
    "CoreShowChannels",
    "DAHDIShowChannels",
    "DBGet",
    "DBGetTree",
    "DeviceStateList",
    "ExtensionStateList",
    "FAXSessions",
    "IAXpeerlist",
    "IAXpeers",
    "IAXregistry",
    "MeetmeList",
    "MeetmeListRooms",
    "MWIGet",
    "ParkedCalls",
    "Parkinglots",
    "PresenceStateList",
    "QueueStatus",
    "QueueSummary",
    "ShowDialPlan",
    "SIPpeers",
    "SIPpeerstatus",
    "SIPshowregistry",
    "Status",
    "VoicemailUsersList",
];

/// Whether no log shows what this key's value is.
pub(crate) fn is_secret(key: &str) -> bool {
    SECRETS.iter().any(|secret| key.eq_ignore_ascii_case(secret))
}

/// Whether Asterisk answers this action with a list of events. A list that is not known here is
/// still understood by the `EventList: start` of its response.
pub(super) fn is_list(name: &str) -> bool {
    let starts_with = |prefix: &str| {
        name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    starts_with("PJSIPShow") || LISTS.iter().any(|list| name.eq_ignore_ascii_case(list))
}

/// Names of actions and headers: printable ASCII without colon and space.
pub(super) fn check_key(key: &str) -> Result<(), ActionError> {
    let good = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
    if good { Ok(()) } else { Err(ActionError::BadKey(key.chars().take(64).collect())) }
}

/// Whether `key: value` can stand on a line.
pub(super) fn check_line(key: &str, value: &str) -> Result<(), ActionError> {
    let field = || key.chars().take(64).collect();
    if value.bytes().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        return Err(ActionError::LineBreak { field: field() });
    }
    let bytes = key.len() + ": ".len() + value.len() + "\r\n".len();
    if bytes > MAX_LINE {
        return Err(ActionError::LineTooLong { field: field(), bytes });
    }
    Ok(())
}

/// What Asterisk would take, but nobody may mean.
pub(super) fn check_meaning(action: &Action) -> Result<(), ActionError> {
    let name = action.name();
    if name.eq_ignore_ascii_case("Hangup") {
        let mut channels = action.headers().filter(|(key, _)| key.eq_ignore_ascii_case("Channel"));
        channels.try_for_each(|(key, value)| check_channel(key, value))
    } else if name.eq_ignore_ascii_case("Originate") {
        // Asterisk reads the first one only.
        let asynchronous = action.get("Async").is_some_and(is_true);
        if asynchronous { Ok(()) } else { Err(ActionError::BlockingOriginate) }
    } else if name.eq_ignore_ascii_case("MixMonitor") {
        check_recording(action)
    } else {
        Ok(())
    }
}

/// One channel, not a pattern that Asterisk would match against all of them.
pub(crate) fn check_channel(field: &str, value: &str) -> Result<(), ActionError> {
    // Asterisk skips blanks in front of a value.
    if value.trim_start().starts_with('/') {
        let (field, value) = (field.to_owned(), value.to_owned());
        return Err(ActionError::ChannelPattern { field, value });
    }
    Ok(())
}

/// A variable's name, with up to two underscores in front for inheritance.
pub(crate) fn check_variable_name(name: &str) -> Result<(), ActionError> {
    let plain = name.strip_prefix('_').unwrap_or(name);
    let plain = plain.strip_prefix('_').unwrap_or(plain);
    let good = plain.starts_with(|c: char| c.is_ascii_alphabetic())
        && plain.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if good { Ok(()) } else { Err(ActionError::VariableName(name.chars().take(64).collect())) }
}

/// Asterisk joins MixMonitor's values with commas into the arguments of the application, of which
/// the third is a shell command.
fn check_recording(action: &Action) -> Result<(), ActionError> {
    for (key, value) in action.headers() {
        let is = |name: &str| key.eq_ignore_ascii_case(name);
        let splits = (is("File") || is("Options")) && value.contains([',', '|']);
        if is("Command") || splits {
            return Err(ActionError::RecordingCommand(key.to_owned()));
        }
    }
    Ok(())
}

/// What Asterisk's `ast_true` takes for yes.
fn is_true(value: &str) -> bool {
    let value = value.trim_start();
    ["yes", "true", "y", "t", "1", "on"].iter().any(|yes| value.eq_ignore_ascii_case(yes))
}
