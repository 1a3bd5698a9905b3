//! Walks the parsed TOML and collects mistakes instead of stopping at the first.

mod folders;
mod grants;
mod limits;
mod mounts;
mod placement;
mod policy;
mod values;

use super::{Manifest, Mistake, SecretSource};
use crate::asks::Asks;
use serde_json::{Map, Value};
use std::{collections::BTreeMap, ops::Range};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};
use values::object;

/// The text of a `NAME.toml`.
pub(super) fn manifest(text: &str) -> Result<Manifest, Vec<Mistake>> {
    let (table, mut reader) = Reader::begin(text, "grants");
    let manifest = reader.manifest(table.get_ref());
    reader.end(manifest)
}

/// The text of a component's manifest.
pub(super) fn asks(text: &str) -> Result<Asks, Vec<Mistake>> {
    let (table, mut reader) = Reader::begin(text, "asks");
    let asks = reader.asks(table.get_ref());
    reader.end(asks)
}

type Node<'a> = Spanned<DeValue<'a>>;

struct Reader<'t> {
    text: &'t str,
    /// What the table of grants is called here.
    rights: &'static str,
    mistakes: Vec<Mistake>,
}

impl<'t> Reader<'t> {
    /// Parses the text; `rights` is what the table of grants is called in it.
    fn begin(text: &'t str, rights: &'static str) -> (Spanned<DeTable<'t>>, Self) {
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut reader = Self { text, rights, mistakes: Vec::new() };
        for error in errors {
            reader.mistake(error.span().unwrap_or_default(), "TOML", error.message());
        }
        (table, reader)
    }

    fn end<T>(mut self, found: T) -> Result<T, Vec<Mistake>> {
        self.mistakes.sort_by_key(|mistake| mistake.line);
        if self.mistakes.is_empty() { Ok(found) } else { Err(self.mistakes) }
    }
}

impl Reader<'_> {
    fn mistake(&mut self, at: Range<usize>, key: &str, message: impl Into<String>) {
        let before = self.text.get(..at.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        self.mistakes.push(Mistake { line, key: key.to_owned(), message: message.into() });
    }

    fn manifest(&mut self, table: &DeTable<'_>) -> Manifest {
        let mut manifest = Manifest::default();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if !matches!(name, "grants" | "limits" | "placement" | "settings" | "secrets") {
                let message = "unknown; there are [grants], [limits], [placement], [settings] and \
                               [secrets]";
                self.mistake(key.span(), name, message);
                continue;
            }
            let Some(inner) = value.get_ref().as_table() else {
                self.mistake(key.span(), name, format!("must be a table: write [{name}]"));
                continue;
            };
            match name {
                "grants" => manifest.grants = self.grants(inner),
                "limits" => manifest.limits = self.limits(inner),
                "placement" => manifest.run = self.placement(inner),
                "settings" => (manifest.settings, manifest.origins) = self.settings(inner),
                _ => manifest.secrets = self.secrets(inner),
            }
        }
        self.fits(table, &manifest);
        if manifest.limits.shards > 1 && manifest.grants.durable > 0 {
            let at = table.iter().find(|(key, _)| key.get_ref() == "limits");
            let message = "messages that are kept on disk (grants.durable) have one order, and are \
                           done by one instance: leave one of the two out";
            let at = at.map(|(key, _)| key.span()).unwrap_or_default();
            self.mistake(at, "limits.shards", message);
        }
        manifest
    }

    fn asks(&mut self, table: &DeTable<'_>) -> Asks {
        let mut asks = Asks::default();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let text = value.get_ref().as_str().map(str::to_owned);
            match (name, value.get_ref().as_table()) {
                ("version", _) if text.is_some() => asks.version = text,
                ("description", _) if text.is_some() => asks.description = text,
                ("asks", Some(inner)) => asks.grants = self.grants(inner),
                ("settings", Some(inner)) => (asks.settings, _) = self.settings(inner),
                ("version" | "description", _) => {
                    self.mistake(value.span(), name, "must be a text in quotes");
                }
                ("asks" | "settings", None) => {
                    self.mistake(key.span(), name, format!("must be a table: write [{name}]"));
                }
                _ => {
                    let message = "unknown; there are version, description, [asks] and [settings]";
                    self.mistake(key.span(), name, message);
                }
            }
        }
        asks
    }

    fn settings(&mut self, table: &DeTable<'_>) -> (Map<String, Value>, Vec<String>) {
        let mut origins = Vec::new();
        if let Some((_, value)) = table.iter().find(|(key, _)| key.get_ref() == "origins") {
            let found = self.strings("settings.origins", value);
            origins = found.into_iter().map(|(text, _)| text.to_owned()).collect();
        }
        (object(table), origins)
    }

    fn secrets(&mut self, table: &DeTable<'_>) -> BTreeMap<String, SecretSource> {
        let mut secrets = BTreeMap::new();
        for (key, value) in table {
            match value.get_ref().as_str() {
                Some(text) => {
                    secrets.insert(key.get_ref().to_string(), SecretSource::parse(text));
                }
                None => self.mistake(
                    value.span(),
                    &format!("secrets.{}", key.get_ref()),
                    "must be \"env:NAME\", \"file:PATH\" or the value, in quotes",
                ),
            }
        }
        secrets
    }
}

#[cfg(test)]
mod tests {
    use crate::manifest::Manifest;

    #[test]
    fn all_mistakes_come_at_once_each_with_line_and_cure() {
        let mistakes = Manifest::parse(
            r#"[grants]
subscribe = "telepulse.event"
publish = ["a..b"]
kv = "1 B"
sockets = []
websocket = [{ listen = "localhost", path = "x" }]
[limits]
memory = "lots"
callMs = 0
onFull = "explode"
[grant]
"#,
        )
        .unwrap_err();
        let lines: Vec<_> = mistakes.iter().map(|m| (m.line, m.key.as_str())).collect();
        assert_eq!(
            lines,
            [
                (2, "grants.subscribe"),
                (3, "grants.publish"),
                (4, "grants.kv"),
                (5, "grants.sockets"),
                (6, "grants.websocket.listen"),
                (6, "grants.websocket.path"),
                (8, "limits.memory"),
                (9, "limits.callMs"),
                (10, "limits.onFull"),
                (11, "grant"),
            ]
        );
        assert!(mistakes[2].message.contains("1 MiB"), "{}", mistakes[2]);
        assert!(mistakes[6].message.contains("64 MiB"), "{}", mistakes[6]);
    }

    #[test]
    fn broken_toml_names_the_line() {
        let mistakes = Manifest::parse("[grants]\npublish = [\n").unwrap_err();
        assert!(!mistakes.is_empty() && mistakes[0].line >= 2, "{mistakes:?}");
    }
}
