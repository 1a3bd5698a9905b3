//! Calls as a plugin would tell a CRM of them: a value for each placeholder.

use crate::template::Values;
use serde_json::{Value, json};

pub(crate) const NUMBER: &str = "+38511234567";

/// The placeholders of a look-up.
pub(crate) fn lookup(number: &str) -> Values {
    let digits = number.trim_start_matches('+');
    // The number plan of Croatia, whose code is 385; the plugin knows all of them.
    let national = digits.trim_start_matches("385");
    object(json!({"number": number, "digits": digits, "national": national}))
}

/// A call that agent 201 had with [`NUMBER`], who is the contact `id`.
pub(crate) fn answered(id: Option<&str>) -> Values {
    let mut values = lookup(NUMBER);
    values.extend(object(json!({
        "id": id, "call": "pbx1-1763771400.12", "agent": "201", "agentName": "Mia Horvat",
        "direction": "in", "directionUpper": "INBOUND", "directionTitle": "Inbound",
        "directionOrMissed": "Inbound", "started": "2026-11-22T00:30:00.000Z",
        "startedOffset": "2026-11-22T00:30:00+00:00", "startedMs": 1_795_307_400_000_u64,
        "date": "2026-11-22", "seconds": 83, "durationMs": 83_000, "minutesSeconds": "01:23",
        "lasted": "01:30", "from": NUMBER, "to": "201", "disposition": "answered",
        "completed": "COMPLETED", "text": "Wants an offer.\nCall back on Monday.",
        "subject": "Call from +38511234567",
    })));
    values
}

/// The same, if nobody had answered.
pub(crate) fn missed(id: Option<&str>) -> Values {
    let mut values = answered(id);
    values.extend(object(json!({
        "directionOrMissed": "Missed", "seconds": 0, "durationMs": 0, "minutesSeconds": "00:00",
        "lasted": null, "disposition": "noAnswer", "completed": "NO_ANSWER", "text": null,
    })));
    values
}

/// A call of agent 201 that [`NUMBER`] did not answer.
pub(crate) fn in_vain(id: Option<&str>) -> Values {
    let mut values = missed(id);
    values.extend(object(json!({
        "direction": "out", "directionUpper": "OUTBOUND", "directionTitle": "Outbound",
        "directionOrMissed": "Outbound", "lasted": "00:20", "from": "201", "to": NUMBER,
        "subject": "Call to +38511234567",
    })));
    values
}

fn object(value: Value) -> Values {
    match value {
        Value::Object(fields) => fields,
        _ => Values::new(),
    }
}
