//! What is found: how bad, what, where, and the lines to paste.

use serde::Serialize;

/// How much something matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something does not work.
    Error,
    /// It works, but will not always, or is less safe than it could be.
    Warning,
    /// Worth knowing; nothing has to be done.
    Note,
}

/// Lines for a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Paste {
    /// Which file, such as `manager.conf`.
    pub file: String,
    /// The section in which they go, as it is written there; empty where there is none.
    pub section: String,
    /// The lines.
    pub lines: Vec<String>,
    /// How they are put in force.
    pub then: &'static str,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// Its name for programs, which does not change.
    pub code: &'static str,
    /// The server that it is about; absent for this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// What is so, and what comes of it.
    pub what: String,
    /// Where it is so.
    #[serde(rename = "where")]
    pub place: String,
    /// The way out, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cure: Option<String>,
    /// The way out, as lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paste: Option<Paste>,
}

/// What puts `manager.conf` in force.
const MANAGER_RELOAD: &str = "asterisk -rx 'manager reload'";
/// What puts `http.conf` in force.
const HTTP_RELOAD: &str = "asterisk -rx 'module reload http'";
/// What puts `ari.conf` in force.
const ARI_RELOAD: &str = "asterisk -rx 'module reload res_ari.so'";
/// What puts our own configuration in force.
const OWN_RELOAD: &str = "telepulse reload";

impl Finding {
    fn new(
        severity: Severity,
        code: &'static str,
        place: impl Into<String>,
        what: impl Into<String>,
    ) -> Self {
        let (place, what) = (place.into(), what.into());
        Self { severity, code, server: None, what, place, cure: None, paste: None }
    }

    pub(super) fn error(
        code: &'static str,
        place: impl Into<String>,
        what: impl Into<String>,
    ) -> Self {
        Self::new(Severity::Error, code, place, what)
    }

    pub(super) fn warning(
        code: &'static str,
        place: impl Into<String>,
        what: impl Into<String>,
    ) -> Self {
        Self::new(Severity::Warning, code, place, what)
    }

    pub(super) fn note(
        code: &'static str,
        place: impl Into<String>,
        what: impl Into<String>,
    ) -> Self {
        Self::new(Severity::Note, code, place, what)
    }

    /// The same with a way out in words.
    pub(super) fn cure(mut self, words: impl Into<String>) -> Self {
        self.cure = Some(words.into());
        self
    }

    /// The same with lines for `manager.conf`.
    pub(super) fn manager<L: Into<String>>(
        self,
        section: &str,
        lines: impl IntoIterator<Item = L>,
    ) -> Self {
        self.paste("manager.conf", format!("[{section}]"), lines, MANAGER_RELOAD)
    }

    /// The same with lines for `ari.conf`.
    pub(super) fn ari<L: Into<String>>(
        self,
        section: &str,
        lines: impl IntoIterator<Item = L>,
    ) -> Self {
        self.paste("ari.conf", format!("[{section}]"), lines, ARI_RELOAD)
    }

    /// The same with lines for `http.conf`.
    pub(super) fn http<L: Into<String>>(self, lines: impl IntoIterator<Item = L>) -> Self {
        self.paste("http.conf", "[general]".to_owned(), lines, HTTP_RELOAD)
    }

    /// The same with lines for our own configuration.
    pub(super) fn own<L: Into<String>>(
        self,
        section: &str,
        lines: impl IntoIterator<Item = L>,
    ) -> Self {
        self.paste("telepulse.toml", section.to_owned(), lines, OWN_RELOAD)
    }

    /// The same with lines for any file.
    pub(super) fn paste<L: Into<String>>(
        mut self,
        file: &str,
        section: String,
        lines: impl IntoIterator<Item = L>,
        then: &'static str,
    ) -> Self {
        let lines = lines.into_iter().map(Into::into).collect();
        self.paste = Some(Paste { file: file.to_owned(), section, lines, then });
        self
    }

    /// The same about a server.
    pub(super) fn of(mut self, server: &str) -> Self {
        self.server = Some(server.to_owned());
        self
    }

    /// Whether something should be done about it.
    pub fn is_trouble(&self) -> bool {
        self.severity < Severity::Note
    }
}
