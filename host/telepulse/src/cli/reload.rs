//! `reload`: has a running TelePulse read its configuration again.

use super::{
    Said,
    client::{Client, Content},
    output,
};
use crate::paint::Paint;
use anyhow::bail;
use clap::Args;
use http::Method;
use serde_json::{Value, json};
use std::io::{self, Write as _};

#[derive(Args)]
pub(super) struct Options {
    /// Show what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    client: Client,
}

/// Asks for it and shows what differs.
pub(super) async fn run(Options { dry_run, client }: Options) -> anyhow::Result<()> {
    let body = Content::Json(json!({ "dryRun": dry_run }));
    let (is_well, answer) = client.ask(Method::POST, "/configuration/reload", body).await?;
    if client.json {
        output::print_json(&answer)?;
    } else {
        let out = io::stdout();
        let text = text(&answer, Paint::for_output(&out));
        write!(out.lock(), "{text}")?;
    }
    if is_well { Ok(()) } else { bail!(Said) }
}

/// What is told of an answer.
fn text(answer: &Value, paint: Paint) -> String {
    if let Some(mistakes) = answer["mistakes"].as_array() {
        let detail = word(&answer["detail"]);
        let why = detail.split(';').next().unwrap_or_default();
        let head = paint.red(&format!("nothing was changed; {why}:"));
        let line =
            |mistake: &Value| format!("{}: {}\n", word(&mistake["where"]), word(&mistake["what"]));
        return format!("{head}\n{}", mistakes.iter().map(line).collect::<String>());
    }
    let changes = answer["changes"].as_array().map(Vec::as_slice).unwrap_or_default();
    if changes.is_empty() && answer["applied"] != true {
        return "nothing differs\n".to_owned();
    }
    let mut text: String = changes.iter().map(|change| line(change, paint)).collect();
    if answer["applied"] == true {
        text += &paint.bold(&format!("in force: {}", word(&answer["told"])));
        text.push('\n');
    } else {
        text += "nothing was changed: this was a trial\n";
    }
    text
}

fn line(change: &Value, paint: Paint) -> String {
    let key = word(&change["key"]);
    let side = |name: &str| change[name].as_str().map(|text| output::inert(text, false));
    let line = match (side("before"), side("after")) {
        (None, Some(after)) => paint.green(&format!("+ {key}: {after}")),
        (Some(before), None) => paint.red(&format!("- {key}: {before}")),
        (before, after) => {
            let [before, after] = [before, after].map(Option::unwrap_or_default);
            paint.yellow(&format!("~ {key}: {before} -> {after}"))
        }
    };
    let later = match (&change["needsRestart"], &change["overruled"]) {
        (Value::Bool(true), _) => "  (after a restart)",
        (_, Value::Bool(true)) => "  (no effect: servers.json holds)",
        _ => "",
    };
    format!("{line}{later}\n")
}

/// What comes from elsewhere does not command the terminal.
fn word(value: &Value) -> String {
    output::inert(value.as_str().unwrap_or_default(), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_is_shown_line_by_line() {
        let answer = json!({ "applied": false, "changes": [
            { "key": "server.a.host", "before": "\"x\"", "after": "\"y\"", "needsRestart": false },
            { "key": "server.b.host", "after": "\"z\"", "needsRestart": false },
            { "key": "server.c.port", "after": "1", "needsRestart": false, "overruled": true },
            { "key": "log.level", "before": "\"info\"", "needsRestart": true },
        ]});
        assert_eq!(
            text(&answer, Paint::OFF),
            "~ server.a.host: \"x\" -> \"y\"\n+ server.b.host: \"z\"\n\
             + server.c.port: 1  (no effect: servers.json holds)\n\
             - log.level: \"info\"  (after a restart)\nnothing was changed: this was a trial\n"
        );
        assert_eq!(
            text(&json!({ "applied": true, "changes": [], "told": "nothing differs" }), Paint::OFF),
            "in force: nothing differs\n"
        );
        assert_eq!(
            text(&json!({ "applied": false, "changes": [] }), Paint::OFF),
            "nothing differs\n"
        );
        let bad = json!({
            "detail": "the configuration cannot be used; everything is as it was",
            "mistakes": [{ "where": "x.toml", "what": "server c: tls.ca: is gone" }],
        });
        assert_eq!(
            text(&bad, Paint::OFF),
            "nothing was changed; the configuration cannot be used:\n\
             x.toml: server c: tls.ca: is gone\n"
        );
    }
}
