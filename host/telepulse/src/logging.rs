//! What is logged, and how a line looks: text for people or JSON, and no value can forge a line.

use crate::config::{Log, LogFormat};
use std::{
    fmt::{self, Write as _},
    io::{self, IsTerminal as _},
};
use tracing::Subscriber;
use tracing_subscriber::{
    Layer, Registry,
    field::MakeExt as _,
    fmt::{MakeWriter, format, layer},
    layer::SubscriberExt as _,
    util::{SubscriberInitExt as _, TryInitError},
};

/// Begins to log to the standard error, as configured. An error means that somebody did before.
pub fn init(log: &Log) -> Result<(), TryInitError> {
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    subscriber(log, colour, io::stderr).try_init()
}

fn subscriber<W>(log: &Log, colour: bool, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = layer().with_writer(writer);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match log.format {
        // JSON escapes by itself.
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
        LogFormat::Text => lines.with_ansi(colour).fmt_fields(fields()).boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(log.level.clone()))
}

/// Fields as `name=value`, the message first and bare, with control characters escaped: a caller's
/// name may hold line ends and terminal commands.
fn fields() -> impl for<'w> format::FormatFields<'w> + Send + Sync + 'static {
    format::debug_fn(|writer, field, value| match field.name() {
        "message" => write!(Inert(writer), "{value:?}"),
        name => write!(Inert(writer), "{name}={value:?}"),
    })
    .delimited(" ")
}

/// Passes text on with what could disturb a terminal or a reader escaped as `\u{…}`.
struct Inert<'a, 'w>(&'a mut format::Writer<'w>);

impl fmt::Write for Inert<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some((at, bad)) = rest.char_indices().find(|(_, c)| disturbs(*c)) {
            self.0.write_str(&rest[..at])?;
            write!(self.0, "{}", bad.escape_default())?;
            rest = &rest[at + bad.len_utf8()..];
        }
        self.0.write_str(rest)
    }
}

/// Control characters, line and paragraph separators, and those that turn the direction of text.
pub(crate) fn disturbs(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(format: LogFormat, level: &str, work: impl FnOnce()) -> String {
        let paper = Paper::default();
        let copy = paper.clone();
        let log = Log { format, level: level.parse().unwrap() };
        let subscriber = subscriber(&log, false, move || copy.clone());
        tracing::subscriber::with_default(subscriber, work);
        String::from_utf8(paper.0.lock().unwrap().clone()).unwrap()
    }

    const HOSTILE: &str = "a\nERROR forged\r\x1b[31mred\u{202e}\u{9b}1m\u{2028}";

    #[test]
    fn hostile_values_stay_on_their_line() {
        let text = written(LogFormat::Text, "info", || {
            tracing::info!(name = HOSTILE, other = %HOSTILE, "said {HOSTILE}");
        });
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.ends_with('\n') && !text.trim_end().contains(disturbs), "{text:?}");
        assert!(text.contains(r"other=a\nERROR forged\r\u{1b}[31mred\u{202e}\u{9b}1m\u{2028}"));
        assert!(text.contains(r"said a\nERROR forged"), "{text}");
    }

    #[test]
    fn ordinary_values_are_as_they_are() {
        let text = written(LogFormat::Text, "info", || {
            tracing::info!(name = "Petra Šimić", count = 3, "two\twords");
        });
        assert!(text.contains("two\\twords name=\"Petra Šimić\" count=3"), "{text}");
    }

    #[test]
    fn json_is_one_object_a_line() {
        let text = written(LogFormat::Json, "info", || tracing::info!(name = HOSTILE, "said"));
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&line["message"], &line["name"]), (&"said".into(), &HOSTILE.into()));
    }

    #[test]
    fn the_level_decides() {
        let text = written(LogFormat::Text, "warn,telepulse=debug", || {
            tracing::debug!("ours");
            tracing::info!(target: "other", "theirs");
        });
        assert!(text.contains("ours") && !text.contains("theirs"), "{text}");
    }
}
