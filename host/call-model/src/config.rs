//! What a [`Pbx`](crate::Pbx) has to be told about its server: names, numbering and limits.

use std::str::FromStr;
use telepulse_language::SmolStr;

use regex_lite::Regex;
use thiserror::Error;

/// What the model must know of one Asterisk server, from `[[server]]` of the configuration.
#[derive(Clone, Debug)]
pub struct PbxConfig {
    /// The server's id, in every event and at the front of every call id.
    pub server: SmolStr,
    /// How an extension becomes a device where no hint says: `PJSIP/{ext}`.
    pub device: String,
    /// Which numbers are extensions, when they are read out of a device name.
    pub extensions: ExtensionPattern,
    /// The dialplan context in which dialled numbers are looked up.
    pub context: String,
    /// What is dialled there for an extension's voicemail box: `*{ext}`. `None`: there is none.
    pub voicemail: Option<String>,
    /// The most live calls; past it `dial` is refused. `None`: no limit.
    pub max_calls: Option<u32>,
}

/// A regular expression for extensions, such as `^[0-9]{2,6}$`.
#[derive(Clone, Debug)]
pub struct ExtensionPattern(Regex);

/// Why a pattern for extensions was refused.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("is no regular expression: {0}")]
pub struct PatternError(String);

impl ExtensionPattern {
    /// Whether `number` is an extension.
    pub fn matches(&self, number: &str) -> bool {
        self.0.is_match(number)
    }
}

impl FromStr for ExtensionPattern {
    type Err = PatternError;

    fn from_str(pattern: &str) -> Result<Self, PatternError> {
        Regex::new(pattern).map(Self).map_err(|error| PatternError(error.to_string()))
    }
}

/// The `device` template, read both ways.
#[derive(Clone, Debug)]
pub(crate) struct DeviceTemplate {
    before: SmolStr,
    after: SmolStr,
    extensions: ExtensionPattern,
}

impl DeviceTemplate {
    pub(crate) fn new(config: &PbxConfig) -> Self {
        // A template without the word names the technology alone, as people write it.
        let (before, after) = config.device.split_once("{ext}").unwrap_or((&config.device, ""));
        Self { before: before.into(), after: after.into(), extensions: config.extensions.clone() }
    }

    /// `201` to `PJSIP/201`.
    pub(crate) fn device(&self, extension: &str) -> String {
        [&self.before, extension, &self.after].concat()
    }

    /// `PJSIP/201` to `201`; `None` for what is no extension's, such as a trunk.
    pub(crate) fn extension<'d>(&self, device: &'d str) -> Option<&'d str> {
        let number = device.strip_prefix(&*self.before)?.strip_suffix(&*self.after)?;
        self.extensions.matches(number).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(device: &str, given: &str, expected: Option<&str>) {
        let config = PbxConfig {
            server: "pbx1".into(),
            device: device.into(),
            extensions: "^[0-9]{2,6}$".parse().unwrap(),
            context: "internal".into(),
            voicemail: None,
            max_calls: None,
        };
        let template = DeviceTemplate::new(&config);
        assert_eq!(template.extension(given), expected, "{device} {given}");
        if let Some(extension) = expected {
            assert_eq!(template.device(extension), given);
        }
    }

    #[test]
    fn the_template_is_read_both_ways() {
        check("PJSIP/{ext}", "PJSIP/201", Some("201"));
        check("PJSIP/{ext}", "PJSIP/trunk", None);
        check("PJSIP/{ext}", "SIP/201", None);
        check("PJSIP/{ext}-desk", "PJSIP/201-desk", Some("201"));
        check("PJSIP/{ext}-desk", "PJSIP/201", None);
        check("SIP/", "SIP/201", Some("201"));
    }

    #[test]
    fn a_bad_pattern_says_so() {
        let error = "^[0-9".parse::<ExtensionPattern>().unwrap_err();
        assert!(error.to_string().starts_with("is no regular expression"), "{error}");
    }
}
