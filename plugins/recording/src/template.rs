//! Names of files, made of what is known of a call. What a value says cannot leave the folder. Pure.

use serde::{Deserialize, Deserializer, Serialize, de};
use std::fmt::Write;
use telepulse_plugin_sdk::language::FileName;

/// The longest that a value gets: of a longer one its end, which tells ids apart.
const LONGEST: usize = 40;
/// The most bytes of a file's name.
const MOST: usize = 200;
/// Endings by which Asterisk writes what we can play.
const ENDINGS: [&str; 6] = ["wav", "WAV", "gsm", "sln", "raw", "ulaw"];

/// A file's name with values in it, like `{date}/{queue}/{call}-{time}.wav`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Template(String);

/// What can stand in one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Values<'a> {
    pub(crate) call: &'a str,
    pub(crate) server: &'a str,
    pub(crate) queue: &'a str,
    pub(crate) agent: &'a str,
    pub(crate) number: &'a str,
    pub(crate) did: &'a str,
    pub(crate) direction: &'a str,
    pub(crate) rule: &'a str,
    /// `20261120`
    pub(crate) date: u32,
    /// `220800`
    pub(crate) time: u32,
}

const NAMES: [&str; 10] =
    ["call", "server", "queue", "agent", "number", "did", "direction", "rule", "date", "time"];

impl Values<'_> {
    fn get(&self, name: &str) -> String {
        match name {
            "call" => plain(self.call),
            "server" => plain(self.server),
            "queue" => plain(self.queue),
            "agent" => plain(self.agent),
            "number" => plain(self.number),
            "did" => plain(self.did),
            "direction" => plain(self.direction),
            "rule" => plain(self.rule),
            "date" => format!("{:08}", self.date),
            _ => format!("{:06}", self.time),
        }
    }
}

/// A value without anything that means something in a path.
fn plain(value: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    let letters = value.chars().map(|letter| if is_plain(letter) { letter } else { '_' });
    let all: Vec<char> = letters.collect();
    if all.is_empty() {
        return "none".to_owned();
    }
    all[all.len().saturating_sub(LONGEST)..].iter().collect()
}

impl Template {
    /// What a rule without one has.
    pub(crate) fn usual(is_stereo: bool) -> Self {
        Self(format!("{{date}}/{{call}}-{{time}}.{}", if is_stereo { "raw" } else { "wav" }))
    }

    /// Whether Asterisk writes bare samples into it.
    pub(crate) fn is_raw(&self) -> bool {
        self.0.strip_suffix(".raw").is_some()
    }

    /// The name of a call's file.
    pub(crate) fn fill(&self, values: &Values<'_>) -> String {
        self.with(|name| values.get(name))
    }

    /// The text with a word for each name; what is no name stays, and is refused when it is read.
    fn with(&self, mut value: impl FnMut(&str) -> String) -> String {
        let mut filled = String::new();
        let mut rest = &*self.0;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else { break };
            // Writing to a String cannot fail.
            let _ = write!(filled, "{before}{}", value(name));
            rest = after;
        }
        filled + rest
    }

    fn check(&self) -> Result<(), String> {
        let mut unknown = None;
        let longest = self.with(|name| {
            if !NAMES.contains(&name) {
                unknown = Some(name.to_owned());
            }
            match name {
                "date" => "20261120".to_owned(),
                "time" => "220800".to_owned(),
                _ => "x".repeat(LONGEST),
            }
        });
        if let Some(name) = unknown {
            return Err(format!("knows no {{{name}}}; it knows {}", NAMES.join(", ")));
        }
        if !self.0.contains("{call}") {
            return Err("must have {call}: two calls would be recorded into one file".to_owned());
        }
        if longest.len() > MOST {
            return Err(format!("could become longer than {MOST} bytes: leave something out"));
        }
        if longest.parse::<FileName>().is_err() {
            return Err(
                "must be a path below Asterisk's folder of recordings: letters, digits, . _ - / \
                        and {names}, no part that begins with a dot, no / at the beginning"
                    .to_owned(),
            );
        }
        let ending = self.0.rsplit_once('.').map_or("", |(_, ending)| ending);
        if ENDINGS.contains(&ending) {
            Ok(())
        } else {
            Err(format!("must end in .{}: it says how Asterisk writes", ENDINGS.join(", .")))
        }
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let template = Self(String::deserialize(deserializer)?);
        template.check().map_err(de::Error::custom)?;
        Ok(template)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Template, String> {
        serde_json::from_value(text.into()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_name_is_made_of_what_is_known() {
        let values = Values {
            call: "pbx1-tp-1.2",
            queue: "sales & service",
            number: "+49 30",
            date: 20_261_120,
            time: 70_809,
            ..Values::default()
        };
        let template = read("{date}/{queue}/{number}-{agent}-{call}-{time}.wav").unwrap();
        let expected = "20261120/sales___service/_49_30-none-pbx1-tp-1_2-070809.wav";
        assert_eq!(template.fill(&values), expected);
        let usual = Template::usual(true);
        assert_eq!(usual.check(), Ok(()));
        assert_eq!(usual.fill(&values), "20261120/pbx1-tp-1_2-070809.raw");
    }

    #[test]
    fn no_value_leads_out_of_the_folder() {
        let template = read("{queue}/{number}/{call}.wav").unwrap();
        let long = "/".repeat(500);
        for hostile in
            ["..", "../..", "/etc/passwd", ".", "a/b", "\0", "{call}", "é\r\n", &long, ""]
        {
            let values =
                Values { call: hostile, queue: hostile, number: hostile, ..Values::default() };
            let name = template.fill(&values);
            assert!(name.parse::<FileName>().is_ok(), "{hostile:?}: {name}");
            assert_eq!(name.split('/').count(), 3, "{hostile:?}: {name}");
        }
    }

    #[test]
    fn a_long_value_keeps_its_end() {
        let long = format!("{}-the-end", "x".repeat(100));
        let name = read("{call}.wav").unwrap().fill(&Values { call: &long, ..Values::default() });
        assert!(name.ends_with("x-the-end.wav") && name.len() == LONGEST + 4, "{name}");
    }

    #[test]
    fn a_template_that_could_go_wrong_is_refused() {
        for (text, why) in [
            ("", "must have {call}"),
            ("{date}.wav", "must have {call}"),
            ("/{call}.wav", "below Asterisk's folder"),
            ("../{call}.wav", "below Asterisk's folder"),
            ("a/../{call}.wav", "below Asterisk's folder"),
            ("a/./{call}.wav", "below Asterisk's folder"),
            ("a//{call}.wav", "below Asterisk's folder"),
            (".hidden/{call}.wav", "below Asterisk's folder"),
            ("{call}.wav,b", "below Asterisk's folder"),
            ("{call}|id.wav", "below Asterisk's folder"),
            ("{call} .wav", "below Asterisk's folder"),
            ("{call}${X}.wav", "knows no {X}"),
            ("{call}-{Queue}.wav", "knows no {Queue}"),
            ("{call}-{queue.wav", "below Asterisk's folder"),
            ("{call}", "must end in"),
            ("{call}.mp3", "must end in"),
            ("{call}.wav/", "below Asterisk's folder"),
            ("{call}{queue}{agent}{number}{did}{server}.wav", "longer than"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
