//! Which class of events an event belongs to: what has to be in the mask for it to come.

/// The class of an event that Asterisk 11 to 22 sends, as `EventMask` names it.
///
/// Most are `call`, `agent` or `system`; a name that is not known here is taken for one of `call`.
/// Source: the `class` of each `managerEvent` in Asterisk's own documentation, and `manager_cel.c`,
/// whose events are documented under another class than they are sent in.
pub fn event_class(event: &str) -> &'static str {
    match event {
        "AGIExecEnd" | "AGIExecStart" | "AsyncAGIEnd" | "AsyncAGIExec" | "AsyncAGIStart" => "agi",
        "AgentCalled"
        | "AgentComplete"
        | "AgentConnect"
        | "AgentDump"
        | "AgentLogin"
        | "AgentLogoff"
        | "AgentRingNoAnswer"
        | "QueueCallerAbandon"
        | "QueueCallerJoin"
        | "QueueCallerLeave"
        | "QueueMemberAdded"
        | "QueueMemberPause"
        | "QueueMemberPenalty"
        | "QueueMemberRemoved"
        | "QueueMemberRinginuse"
        | "QueueMemberStatus" => "agent",
        "AOC-D" | "AOC-E" | "AOC-S" => "aoc",
        "CEL" => "cel",
        "Cdr" => "cdr",
        "DTMFBegin" | "DTMFEnd" => "dtmf",
        "HangupHandlerPop" | "HangupHandlerPush" | "HangupHandlerRun" | "Newexten" | "VarSet" => {
            "dialplan"
        }
        "FAXSession" | "RTCPReceived" | "RTCPSent" => "reporting",
        "AuthMethodNotAllowed"
        | "ChallengeResponseFailed"
        | "ChallengeSent"
        | "FailedACL"
        | "InvalidAccountID"
        | "InvalidPassword"
        | "InvalidTransport"
        | "LoadAverageLimit"
        | "MemoryLimit"
        | "RequestBadFormat"
        | "RequestNotAllowed"
        | "RequestNotSupported"
        | "SessionLimit"
        | "SuccessfulAuth"
        | "UnexpectedAddress" => "security",
        "Alarm" | "AlarmClear" | "ContactStatus" | "DNDState" | "DeadlockStart" | "FullyBooted"
        | "Load" | "LogChannel" | "PeerStatus" | "Registry" | "Reload" | "Shutdown"
        | "SpanAlarm" | "SpanAlarmClear" | "Unload" => "system",
        "UserEvent" | "VoicemailPasswordChange" => "user",
        _ => "call",
    }
}
