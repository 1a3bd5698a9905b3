//! Asterisk's configuration files, as far as a doctor reads them: sections of keys and values, with
//! templates, from a file's text or from an answer to `GetConfig`.

use std::collections::BTreeSet;

/// One section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// Its name.
    pub name: String,
    lines: Vec<(String, String)>,
}

/// Keys whose values never leave the reader.
const SECRETS: [&str; 3] = ["secret", "password", "md5secret"];

impl Section {
    /// A section with these lines.
    pub fn new(name: &str, lines: &[(&str, &str)]) -> Self {
        let lines = lines.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Self { name: name.to_owned(), lines: lines.collect() }
    }

    /// The last value of a key, which is the one that counts.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.all(key).last()
    }

    /// All values of a key.
    pub fn all<'s>(&'s self, key: &str) -> impl Iterator<Item = &'s str> {
        let is_it = move |line: &&(String, String)| line.0.eq_ignore_ascii_case(key);
        self.lines.iter().filter(is_it).map(|(_, value)| value.as_str())
    }

    /// All keys with their values, in their order.
    pub fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// A yes or no, as Asterisk reads it.
    pub fn truth(&self, key: &str) -> Option<bool> {
        let yes = ["yes", "true", "y", "t", "1", "on"];
        self.get(key).map(|value| yes.iter().any(|yes| value.eq_ignore_ascii_case(yes)))
    }

    /// A whole number.
    pub fn number(&self, key: &str) -> Option<u64> {
        self.get(key)?.parse().ok()
    }

    /// Classes of rights, in lower case.
    pub fn classes(&self, key: &str) -> BTreeSet<String> {
        let words = self.all(key).last().unwrap_or_default().split(',');
        words.map(|word| word.trim().to_ascii_lowercase()).filter(|word| !word.is_empty()).collect()
    }

    /// Takes the secret out, if there is one: what stays can be told.
    pub(super) fn take_secret(&mut self) -> Option<String> {
        let is_secret =
            |line: &(String, String)| SECRETS.iter().any(|key| line.0.eq_ignore_ascii_case(key));
        let secret =
            self.lines.iter().rev().find(|line| is_secret(line)).map(|line| line.1.clone());
        self.lines.retain(|line| !is_secret(line));
        secret
    }
}

/// Reads a file's text. `#include` and its like are not followed: the reader has to put them in.
pub fn parse(text: &str) -> Vec<Section> {
    let mut sections: Vec<(Section, bool)> = Vec::new();
    for line in text.lines() {
        let line = without_comment(line);
        if let Some((name, options)) = head(line) {
            open(&mut sections, name, options);
        } else if let Some((key, value)) = line.split_once('=')
            && let Some((section, _)) = sections.last_mut()
        {
            let value = value.strip_prefix('>').unwrap_or(value).trim();
            section.lines.push((key.trim().to_owned(), value.to_owned()));
        }
    }
    sections.into_iter().filter(|(_, is_template)| !is_template).map(|(it, _)| it).collect()
}

fn without_comment(line: &str) -> &str {
    let mut escaped = false;
    let end = line.char_indices().find(|(_, c)| {
        let is_comment = *c == ';' && !escaped;
        escaped = *c == '\\';
        is_comment
    });
    line[..end.map_or(line.len(), |(at, _)| at)].trim()
}

fn head(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.strip_prefix('[')?.split_once(']')?;
    Some((name.trim(), rest.trim().trim_start_matches('(').trim_end_matches(')')))
}

/// Begins a section: a new one, one that takes templates over, or more of one that is there (`+`).
fn open(sections: &mut Vec<(Section, bool)>, name: &str, options: &str) {
    let options: Vec<&str> = options.split(',').map(str::trim).collect();
    if options.contains(&"+")
        && let Some(at) = sections.iter().position(|(section, _)| section.name == name)
    {
        let again = sections.remove(at);
        sections.push(again);
        return;
    }
    let mut section = Section { name: name.to_owned(), lines: Vec::new() };
    for template in &options {
        if let Some((from, _)) = sections.iter().find(|(section, _)| section.name == *template) {
            section.lines.extend(from.lines.iter().cloned());
        }
    }
    sections.push((section, options.contains(&"!")));
}

/// Reads the lines of an answer to `GetConfig`: `Category-000000: name`, `Line-000000-000000: key=value`.
pub fn from_get_config<'a>(fields: impl Iterator<Item = (&'a str, String)>) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for (key, value) in fields {
        let key = key.to_ascii_lowercase();
        if key.starts_with("category-") {
            sections.push(Section { name: value, lines: Vec::new() });
        } else if key.starts_with("line-")
            && let Some((name, value)) = value.split_once('=')
            && let Some(section) = sections.last_mut()
        {
            let value = value.strip_prefix('>').unwrap_or(value).trim();
            section.lines.push((name.trim().to_owned(), value.to_owned()));
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_templates_and_comments() {
        let text = "[general] ; first\nenabled = yes\n[base](!)\nread=system,call\n\
                    writetimeout => 5000\n[ana](base)\nsecret = a\\;b ; not this\nRead = All, agent\n\
                    [general](+)\nport=5039\n";
        let sections = parse(text);
        let names: Vec<_> = sections.iter().map(|section| section.name.as_str()).collect();
        assert_eq!(names, ["ana", "general"]);
        let ana = &sections[0];
        assert_eq!(ana.number("writetimeout"), Some(5000));
        assert_eq!(ana.classes("read").into_iter().collect::<Vec<_>>(), ["agent", "all"]);
        assert_eq!(sections[1].truth("enabled"), Some(true));
        assert_eq!(sections[1].number("port"), Some(5039));
    }

    #[test]
    fn a_secret_is_taken_out() {
        let mut section = parse("[ana]\nsecret=one\nread=call\nsecret=two\n").remove(0);
        assert_eq!(section.take_secret().as_deref(), Some("two"));
        assert_eq!(section.get("secret"), None);
        assert_eq!(section.get("read"), Some("call"));
    }

    #[test]
    fn an_answer_is_read_like_a_file() {
        let fields = [
            ("Category-000000", "ana"),
            ("Line-000000-000000", "read=call,agent"),
            ("Line-000000-000001", "permit=10.0.0.0/8"),
            ("Category-000001", "general"),
            ("Line-000001-000000", "enabled=yes"),
        ];
        let sections = from_get_config(fields.into_iter().map(|(k, v)| (k, v.to_owned())));
        assert_eq!(sections.len(), 2);
        assert_eq!(sections[0].get("permit"), Some("10.0.0.0/8"));
        assert_eq!(sections[1].truth("enabled"), Some(true));
    }
}
