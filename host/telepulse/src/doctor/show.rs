//! A report, for people and for programs. Pure.

use super::{Finding, Report, Severity};
use crate::paint::{Paint, inert};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Below a finding's own words.
const INDENT: &str = "           ";

/// For people: what was seen, then findings by server, the worst first, each with its lines to paste.
pub fn text(report: &Report, paint: Paint) -> String {
    let mut text = String::new();
    for line in &report.seen {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{} {}", paint.dim("·"), inert(line, false));
    }
    let mut groups: Vec<Option<&str>> = Vec::new();
    for finding in &report.findings {
        if !groups.contains(&finding.server.as_deref()) {
            groups.push(finding.server.as_deref());
        }
    }
    for group in groups {
        let _ = writeln!(text, "\n{}", paint.bold(group.unwrap_or("this machine")));
        for finding in report.findings.iter().filter(|it| it.server.as_deref() == group) {
            text += &one(finding, paint);
        }
    }
    let _ = writeln!(text, "\n{}", sum(report, paint));
    text
}

fn one(finding: &Finding, paint: Paint) -> String {
    let mark = match finding.severity {
        Severity::Error => paint.red("error  "),
        Severity::Warning => paint.yellow("warning"),
        Severity::Note => paint.cyan("note   "),
    };
    let mut text = String::new();
    // What the server says is in it.
    let [what, place] = [&finding.what, &finding.place].map(|words| inert(words, false));
    let _ = writeln!(text, "  {mark}  {what}");
    let _ = writeln!(text, "{INDENT}{} {place}  {}", paint.dim("at"), paint.dim(finding.code));
    if let Some(cure) = &finding.cure {
        let _ = writeln!(text, "{INDENT}{}", inert(cure, false));
    }
    if let Some(paste) = &finding.paste {
        let section = if paste.section.is_empty() { "" } else { ", in " };
        let head = format!("{}{section}{}:", paste.file, paste.section);
        let _ = writeln!(text, "{INDENT}{}", paint.dim(&inert(&head, false)));
        for line in &paste.lines {
            let _ = writeln!(text, "{INDENT}  {}", paint.green(&inert(line, false)));
        }
        let _ = writeln!(text, "{INDENT}{} {}", paint.dim("then:"), paste.then);
    }
    text
}

fn sum(report: &Report, paint: Paint) -> String {
    let count = |severity| report.findings.iter().filter(|it| it.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let notes = match count(Severity::Note) {
        0 => String::new(),
        count => format!("; notes: {count}"),
    };
    if errors + warnings == 0 {
        return format!("{}{notes}", paint.green("all is well"));
    }
    paint.bold(&format!("errors: {errors}, warnings: {warnings}{notes}"))
}

/// For programs.
pub fn json(report: &Report) -> Value {
    json!({ "ok": !report.is_trouble(), "seen": report.seen, "findings": report.findings })
}
