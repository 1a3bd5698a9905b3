//! An event in one line, for people. Pure.

use crate::paint::{Paint, inert};
use serde_json::Value;

/// Width of the column of names.
const NAME: usize = 17;
/// Keys that stand in columns of their own, or say nothing to people.
const APART: [&str; 6] = ["event", "server", "seq", "time", "agent", "queue"];
/// How long a value may be.
const LONGEST: usize = 60;

/// Time, type, server, who, and what else it says.
pub(super) fn line(event: &Value, paint: Paint) -> String {
    let text = |key: &str| inert(event[key].as_str().unwrap_or_default(), false);
    let kind = text("event");
    let time = text("time");
    // The time of day; the day is known to who looks.
    let time = time.get(11..23).unwrap_or(&time).to_owned();
    let mut parts = vec![paint.dim(&time), coloured(&kind, paint), paint.dim(&text("server"))];
    for (key, mark) in [("agent", "☎ "), ("queue", "≡ ")] {
        if event[key].is_string() {
            parts.push(paint.bold(&format!("{mark}{}", text(key))));
        }
    }
    for (key, value) in event.as_object().into_iter().flatten() {
        if !APART.contains(&key.as_str()) {
            let key = inert(key, false);
            parts.push(format!("{}{}", paint.dim(&format!("{key}=")), shown(value)));
        }
    }
    parts.retain(|part| !part.is_empty());
    parts.join(" ")
}

/// What goes well is green, what ends or is lost red or yellow.
fn coloured(kind: &str, paint: Paint) -> String {
    let padded = format!("{kind:NAME$}");
    match kind {
        "callStarted" | "callAnswered" | "callResumed" | "unparked" => paint.green(&padded),
        "callEnded" | "callHeld" | "parked" | "lagged" | "resync" => paint.yellow(&padded),
        "originateFailed" => paint.red(&padded),
        "serverStatus" => paint.bold(&padded),
        _ => paint.cyan(&padded),
    }
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => format!("[{}]", list.len()),
        Value::Object(fields) => format!("{{{}}}", fields.len()),
        other => other.to_string(),
    };
    let text = inert(&text, false);
    if text.chars().count() <= LONGEST {
        return text;
    }
    let cut: String = text.chars().take(LONGEST - 1).collect();
    cut + "…"
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_line_has_what_matters_first() {
        let event = json!({
            "event": "callAnswered", "server": "pbx1", "seq": 7, "time": "2026-11-22T10:11:12.345Z",
            "agent": "201", "call": "c1", "lines": [1, 2], "number": "555",
        });
        assert_eq!(
            line(&event, Paint::OFF),
            "10:11:12.345 callAnswered      pbx1 ☎ 201 call=c1 lines=[2] number=555"
        );
        assert!(line(&event, Paint::ON).contains("\u{1b}[32mcallAnswered"));
    }

    #[test]
    fn what_callers_write_does_not_command_the_terminal() {
        let event = json!({ "event": "x", "name": "a\u{1b}[2J", "agent": "\u{1b}c", "k\u{7}": 1 });
        let line = line(&event, Paint::OFF);
        assert!(!line.contains('\u{1b}') && !line.contains('\u{7}'), "{line}");
        let long = json!({ "event": "x", "name": "n".repeat(100) });
        assert!(super::line(&long, Paint::OFF).ends_with('…'));
    }
}
