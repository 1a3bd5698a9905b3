//! Plugins' keys as NATS names them, and back.

use crate::nats::key;

/// What the subjects of a bucket begin with.
#[derive(Clone, Debug)]
pub(super) struct Names {
    start: String,
}

impl Names {
    pub(super) fn of(bucket: &str) -> Self {
        Self { start: format!("$KV.{bucket}.") }
    }

    /// All that is in the bucket.
    pub(super) fn all(&self) -> String {
        format!("{}>", self.start)
    }

    /// All keys of a plugin.
    pub(super) fn of_plugin(&self, plugin: &str) -> String {
        format!("{}{plugin}.*", self.start)
    }

    /// One key of a plugin. No plugin's name has a dot. Nothing is ever kept under no key at all, but it may be
    /// asked for.
    pub(super) fn of_key(&self, plugin: &str, key: &str) -> String {
        format!("{}{plugin}.{}", self.start, key::escape(key))
    }

    /// The key of a plugin that a subject names; `None` if it is none of ours.
    pub(super) fn key(&self, plugin: &str, subject: &str) -> Option<String> {
        let rest = subject.strip_prefix(&self.start)?.strip_prefix(plugin)?;
        key::unescape(rest.strip_prefix('.')?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_below_its_plugin_and_read_again() {
        let names = Names::of("TELEPULSE");
        for (key, subject) in
            [("", "$KV.TELEPULSE.crm.="), ("555:1.é", "$KV.TELEPULSE.crm.555=3A1=2E=C3=A9")]
        {
            assert_eq!(names.of_key("crm", key), subject);
        }
        let subject = names.of_key("crm", "555:1.é");
        assert_eq!(names.key("crm", &subject).as_deref(), Some("555:1.é"));
    }

    #[test]
    fn what_others_have_written_is_no_key() {
        let names = Names::of("TELEPULSE");
        for foreign in ["crm.=", "crm.=zz", "crm.a.b", "crm", "crm2.a"] {
            let subject = format!("$KV.TELEPULSE.{foreign}");
            assert_eq!(names.key("crm", &subject), None, "{foreign}");
        }
    }
}
