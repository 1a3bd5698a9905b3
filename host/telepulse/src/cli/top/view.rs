//! Figures as lines. Pure: what was asked now, what was asked before, how much room there is.

use crate::paint::{Paint, inert};
use serde_json::Value;
use telepulse_language::Timestamp;

/// Room for lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) width: usize,
    pub(super) height: usize,
}

/// As much room as is needed.
pub(super) const UNBOUNDED: Size = Size { width: usize::MAX, height: usize::MAX };
/// Lines that are no rows of a table: the first one, and each table's head and blank line.
const APART: usize = 1 + 3 * 3;

/// One cell, and how it is painted.
struct Cell {
    text: String,
    paint: fn(Paint, &str) -> String,
}

fn plain(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), paint: |_, text| text.to_owned() }
}

/// Everything, as lines that fit.
pub(super) fn lines(now: &Value, before: Option<&Value>, size: Size, paint: Paint) -> Vec<String> {
    let tables = [servers(now), queues(now), plugins(now, before)];
    let room = size.height.saturating_sub(APART).max(tables.len());
    let mut shares = shares(tables.each_ref().map(|(_, rows)| rows.len()), room).into_iter();
    let mut lines = vec![head(now, before, paint)];
    for (head, rows) in tables {
        lines.push(String::new());
        lines.extend(table(head, rows, shares.next().unwrap_or_default(), size.width, paint));
    }
    lines
}

/// How many rows each table gets: all that it has, as long as there is room, and more where others
/// need less.
fn shares(wanted: [usize; 3], room: usize) -> [usize; 3] {
    let mut given = [0; 3];
    let mut left = room;
    while left > 0 {
        let short = (0..3).filter(|at| given[*at] < wanted[*at]).min_by_key(|at| given[*at]);
        let Some(short) = short else { break };
        given[short] += 1;
        left -= 1;
    }
    given
}

fn head(now: &Value, before: Option<&Value>, paint: Paint) -> String {
    let rate = rate(now, before, &now["events"], before.map(|before| &before["events"]));
    let events = rate.map_or(String::new(), |rate| format!("  events {rate}/s"));
    format!(
        "{}  calls {}  clients {}{events}",
        paint.bold(&format!("TelePulse {}", word(&now["version"]))),
        word(&now["calls"]),
        now["clients"],
    )
}

type Table = (&'static [&'static str], Vec<Vec<Cell>>);

fn items<'v>(now: &'v Value, key: &str) -> &'v [Value] {
    now[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn servers(now: &Value) -> Table {
    let row = |item: &Value| {
        let latency = item["latencyMs"].as_u64();
        vec![
            plain(word(&item["id"])),
            state(&item["state"]),
            plain(word(&item["calls"])),
            plain(word(&item["eventsPerSecond"])),
            plain(latency.map_or("-".to_owned(), |ms| format!("{ms} ms"))),
            plain(word(&item["reconnects"])),
            warned(&item["eventsLeftOut"]),
        ]
    };
    let head = &["SERVER", "STATE", "CALLS", "EVENTS/S", "LATENCY", "RECONNECTS", "LEFT OUT"];
    (head, items(now, "servers").iter().map(row).collect())
}

fn queues(now: &Value) -> Table {
    let mut items: Vec<&Value> = items(now, "queues").iter().collect();
    // Where most wait is seen first.
    items.sort_by_key(|item| std::cmp::Reverse(item["waiting"].as_u64()));
    let row = |item: &Value| {
        let oldest = time(&item["oldestSince"]).zip(time(&now["time"]));
        let wait = oldest.map(|(since, now)| now.saturating_sub(since) / 1000);
        vec![
            plain(word(&item["queue"])),
            plain(word(&item["server"])),
            warned(&item["waiting"]),
            plain(wait.map_or("-".to_owned(), |wait| format!("{}:{:02}", wait / 60, wait % 60))),
            plain(word(&item["members"])),
            plain(word(&item["free"])),
            plain(word(&item["paused"])),
        ]
    };
    let head = &["QUEUE", "SERVER", "WAITING", "LONGEST", "MEMBERS", "FREE", "PAUSED"];
    (head, items.into_iter().map(row).collect())
}

fn plugins(now: &Value, before: Option<&Value>) -> Table {
    let row = |item: &Value| {
        let old = before.and_then(|before| {
            items(before, "plugins").iter().find(|old| old["name"] == item["name"])
        });
        let per_second = |key: &str| {
            let rate = rate(now, before, &item[key], old.map(|old| &old[key]));
            plain(rate.map_or("-".to_owned(), |rate| rate.to_string()))
        };
        vec![
            plain(word(&item["name"])),
            state(&item["state"]),
            plain(word(&item["queued"])),
            per_second("handled"),
            per_second("requests"),
            warned(&item["dropped"]),
        ]
    };
    let head = &["PLUGIN", "STATE", "QUEUED", "EVENTS/S", "REQUESTS/S", "DROPPED"];
    (head, items(now, "plugins").iter().map(row).collect())
}

/// How much a figure has grown a second, since what was asked before.
fn rate(now: &Value, before: Option<&Value>, new: &Value, old: Option<&Value>) -> Option<u64> {
    let ms = time(&now["time"])?.checked_sub(time(&before?["time"])?).filter(|ms| *ms > 0)?;
    Some(new.as_u64()?.saturating_sub(old?.as_u64()?) * 1000 / ms)
}

fn time(value: &Value) -> Option<u64> {
    serde_json::from_value::<Timestamp>(value.clone()).ok().map(|time| time.0)
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => inert(text, false),
        other => other.to_string(),
    }
}

fn state(value: &Value) -> Cell {
    let paint = match value.as_str().unwrap_or_default() {
        "CONNECTED" | "running" => Paint::green,
        "REJECTED" | "DISCONNECTED" | "failed" => Paint::red,
        _ => Paint::yellow,
    };
    Cell { text: word(value), paint }
}

/// A figure that should be 0.
fn warned(value: &Value) -> Cell {
    let paint = if value.as_u64().is_some_and(|it| it > 0) {
        Paint::yellow
    } else {
        |_, text: &str| text.to_owned()
    };
    Cell { text: word(value), paint }
}

/// A table of at most so many rows, as lines of at most so many characters.
fn table(
    head: &[&str],
    rows: Vec<Vec<Cell>>,
    most: usize,
    width: usize,
    paint: Paint,
) -> Vec<String> {
    let left = rows.len().saturating_sub(most);
    let widest = |column: usize| {
        let cells = rows.iter().take(most).map(|row| row[column].text.chars().count());
        cells.chain([head[column].len()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..head.len()).map(widest).collect();
    let heads =
        head.iter().map(|head| Cell { text: (*head).to_owned(), paint: Paint::dim }).collect();
    let shown = std::iter::once(heads).chain(rows.into_iter().take(most));
    let mut lines: Vec<String> = shown.map(|row| line(&row, &widths, width, paint)).collect();
    if left > 0 {
        lines.push(paint.dim(&format!("… and {left} more")));
    }
    lines
}

/// Cells side by side, cut at the edge.
fn line(row: &[Cell], widths: &[usize], width: usize, paint: Paint) -> String {
    let (mut line, mut room) = (String::new(), width);
    for (at, (cell, column)) in row.iter().zip(widths).enumerate() {
        let cut: String = cell.text.chars().take(room).collect();
        let used = cut.chars().count();
        line += &(cell.paint)(paint, &cut);
        room -= used;
        if at + 1 < row.len() {
            let gap = (column + 2 - used.min(*column)).min(room);
            line.push_str(&" ".repeat(gap));
            room -= gap;
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn figures(events: u64, time: &str) -> Value {
        json!({
            "time": time, "version": "0.1.0", "events": events, "clients": 3, "calls": 2,
            "servers": [{ "id": "pbx1", "state": "CONNECTED", "calls": 2, "eventsPerSecond": 12.5,
                "latencyMs": 3, "reconnects": 0, "eventsLeftOut": 0 }],
            "queues": [
                { "queue": "idle", "server": "pbx1", "waiting": 0, "oldestSince": null,
                    "members": 2, "free": 2, "paused": 0 },
                { "queue": "sales\u{1b}[2J", "server": "pbx1", "waiting": 4,
                    "oldestSince": "2026-11-22T10:00:00.000Z", "members": 3, "free": 0, "paused": 1 },
            ],
            "plugins": [{ "name": "rest", "state": "running", "queued": 0, "handled": events,
                "requests": 10, "dropped": 0 }],
        })
    }

    #[test]
    fn what_goes_on_in_lines() {
        let before = figures(100, "2026-11-22T10:01:03.000Z");
        let now = figures(300, "2026-11-22T10:01:05.000Z");
        let shown = lines(&now, Some(&before), UNBOUNDED, Paint::OFF).join("\n");
        let expected = "TelePulse 0.1.0  calls 2  clients 3  events 100/s\n\
            \n\
            SERVER  STATE      CALLS  EVENTS/S  LATENCY  RECONNECTS  LEFT OUT\n\
            pbx1    CONNECTED  2      12.5      3 ms     0           0\n\
            \n\
            QUEUE           SERVER  WAITING  LONGEST  MEMBERS  FREE  PAUSED\n\
            sales\\u001b[2J  pbx1    4        1:05     3        0     1\n\
            idle            pbx1    0        -        2        2     0\n\
            \n\
            PLUGIN  STATE    QUEUED  EVENTS/S  REQUESTS/S  DROPPED\n\
            rest    running  0       100       0           0";
        assert_eq!(shown, expected);
    }

    #[test]
    fn it_fits() {
        let now = figures(0, "2026-11-22T10:01:05.000Z");
        let size = Size { width: 20, height: 12 };
        let shown = lines(&now, None, size, Paint::OFF);
        assert!(shown.iter().skip(1).all(|line| line.chars().count() <= 20), "{shown:#?}");
        assert!(shown.contains(&"… and 1 more".to_owned()), "{shown:#?}");
        assert!(shown.len() <= 13, "{shown:#?}");
        assert_eq!(shares([5, 1, 9], 9), [4, 1, 4]);
        let coloured = lines(&now, None, UNBOUNDED, Paint::ON).join("\n");
        assert!(coloured.contains("\u{1b}[32mCONNECTED\u{1b}[0m"), "{coloured}");
    }
}
