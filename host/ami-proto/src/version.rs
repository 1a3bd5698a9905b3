//! What a server says it is: the banner of the link and the versions behind it.

use std::fmt;

/// The line that a server sends when a link is opened: `Asterisk Call Manager/11.0.0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Banner {
    version: String,
}

impl Banner {
    /// What every banner starts with.
    pub const PREFIX: &'static [u8] = b"Asterisk Call Manager/";

    /// Reads the banner's line (without its end); `None` if it is something else's.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let version = line.strip_prefix(Self::PREFIX)?;
        Some(Self { version: String::from_utf8_lossy(version).trim().to_owned() })
    }

    /// The version as it was sent, such as `11.0.0`.
    pub fn text(&self) -> &str {
        &self.version
    }

    /// The version in numbers, if it is made of numbers.
    pub fn version(&self) -> Option<AmiVersion> {
        AmiVersion::parse(&self.version)
    }
}

/// The version of the manager protocol, as the banner has it. It is not Asterisk's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AmiVersion {
    /// 7 for Asterisk 18, 11 for Asterisk 22: see [`AmiVersion::asterisk_major`].
    pub major: u32,
    /// Grows with compatible changes.
    pub minor: u32,
    /// Grows with corrections.
    pub patch: u32,
}

impl AmiVersion {
    /// Reads `11.0.0`, `2.10` or `1.1`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.').map(|part| part.parse().ok());
        let major = numbers.next()??;
        let minor = numbers.next().unwrap_or(Some(0))?;
        let patch = numbers.next().unwrap_or(Some(0))?;
        Some(Self { major, minor, patch })
    }

    /// Asterisk's major version behind it, from 14 on (13 and 12 share AMI 2, older ones AMI 1).
    pub fn asterisk_major(self) -> Option<u32> {
        (self.major >= 3).then(|| self.major.saturating_add(11))
    }

    /// Whether a command's output comes raw after `Response: Follows` (Asterisk 13 and older)
    /// instead of as `Output:` lines.
    pub fn command_output_is_raw(self) -> bool {
        self.major < 3
    }
}

impl fmt::Display for AmiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// Asterisk's own version, as `CoreSettings` tells it: `22.10.0`, `certified-20.7-cert3`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsteriskVersion {
    text: String,
    numbers: Option<(u32, u32)>,
}

impl AsteriskVersion {
    /// Takes any text; one without numbers (a build from version control) is kept as text.
    pub fn parse(text: &str) -> Self {
        let digits = text.trim_start_matches(|c: char| !c.is_ascii_digit());
        let is_release = !text.starts_with("GIT") && !text.starts_with("SVN");
        let mut parts = digits.split(|c: char| !c.is_ascii_digit());
        let mut number = || parts.next()?.parse().ok();
        let numbers =
            if is_release { number().map(|major| (major, number().unwrap_or(0))) } else { None };
        Self { text: text.to_owned(), numbers }
    }

    /// The version as it was sent.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Major and minor number.
    pub fn numbers(&self) -> Option<(u32, u32)> {
        self.numbers
    }

    /// Whether the `Filter` action knows `MatchCriteria` (18.26, 20.11, 21.6, 22.1 and newer);
    /// older ones take its absence of effect for a regular expression. Unknown means no.
    pub fn has_match_criteria(&self) -> bool {
        match self.numbers {
            Some((18, minor)) => minor >= 26,
            Some((20, minor)) => minor >= 11,
            Some((21, minor)) => minor >= 6,
            Some((22, minor)) => minor >= 1,
            Some((major, _)) => major >= 23,
            None => false,
        }
    }
}

impl fmt::Display for AsteriskVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banners() {
        let check = |line: &[u8], version: Option<&str>, asterisk: Option<u32>| {
            let banner = Banner::parse(line);
            assert_eq!(banner.as_ref().map(Banner::text), version, "{line:?}");
            let major = banner.and_then(|b| b.version()).and_then(AmiVersion::asterisk_major);
            assert_eq!(major, asterisk, "{line:?}");
        };
        check(b"Asterisk Call Manager/1.1", Some("1.1"), None);
        check(b"Asterisk Call Manager/2.10.6", Some("2.10.6"), None);
        check(b"Asterisk Call Manager/7.0.3", Some("7.0.3"), Some(18));
        check(b"Asterisk Call Manager/9.0.0", Some("9.0.0"), Some(20));
        check(b"Asterisk Call Manager/11.0.0 ", Some("11.0.0"), Some(22));
        check(b"Asterisk Call Manager/13.0.0", Some("13.0.0"), Some(24));
        check(b"Asterisk Call Manager/trunk", Some("trunk"), None);
        check(b"Asterisk Call Manager/\xff", Some("\u{fffd}"), None);
        check(b"SSH-2.0-OpenSSH_9.2", None, None);
        check(b"", None, None);
    }

    #[test]
    fn match_criteria_by_version() {
        let check = |text: &str, numbers: Option<(u32, u32)>, known: bool| {
            let version = AsteriskVersion::parse(text);
            assert_eq!(
                (version.numbers(), version.has_match_criteria()),
                (numbers, known),
                "{text}"
            );
        };
        check("11.25.3", Some((11, 25)), false);
        check("18.25.0", Some((18, 25)), false);
        check("18.26.4", Some((18, 26)), true);
        check("19.8.1", Some((19, 8)), false);
        check("20.11.0", Some((20, 11)), true);
        check("certified-20.7-cert3", Some((20, 7)), false);
        check("certified/18.9-cert5", Some((18, 9)), false);
        check("21.5.0", Some((21, 5)), false);
        check("22.0.0", Some((22, 0)), false);
        check("22.10.0~dfsg+~cs6.15.60671435-1", Some((22, 10)), true);
        check("23.0.0", Some((23, 0)), true);
        check("GIT-master-1a2b3c", None, false);
        check("", None, false);
    }
}
