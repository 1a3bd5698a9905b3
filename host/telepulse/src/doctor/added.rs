//! The way out for servers that are not of the configuration: where those have lines to paste, one that
//! was added over the admin API is changed by a command. Pure.

use super::{Finding, Paste};

/// Where the settings of such a server are.
const ADDED: &str = "servers.json: it was added, or changed, over the admin API";

/// The same finding, about a server of the admin API.
pub(super) fn told(finding: Finding) -> Finding {
    let command = finding.server.as_deref().zip(finding.paste.as_ref()).and_then(command);
    let Some(command) = command else { return finding };
    let cure = finding.cure.map_or(command.clone(), |words| format!("{words}: {command}"));
    let is_ours = finding.place.starts_with("telepulse.toml");
    let place = if is_ours { ADDED.to_owned() } else { finding.place };
    Finding { place, cure: Some(cure), paste: None, ..finding }
}

/// What does the same as these lines; `None` where they are not of a server's own settings.
fn command((server, paste): (&str, &Paste)) -> Option<String> {
    if paste.file != "telepulse.toml" {
        return None;
    }
    let mut section = paste.section.as_str();
    let mut command = format!("telepulse servers change {server}");
    for line in &paste.lines {
        let line = line.split("    #").next().unwrap_or_default().trim_end();
        if line.starts_with('[') {
            section = line;
            continue;
        }
        let (key, value) = line.split_once(" = ")?;
        let option = option(section, key)?;
        command.extend([" --", option, " ", &word(value)]);
    }
    Some(command)
}

fn option(section: &str, key: &str) -> Option<&'static str> {
    Some(match (section, key) {
        ("[[server]]", "host") => "host",
        ("[[server]]", "port") => "port",
        ("[[server]]", "username") => "username",
        ("[[server]]", "secret") => "secret",
        ("[[server]]", "auth") => "auth",
        ("[[server]]", "device") => "device",
        ("[[server]]", "context") => "context",
        ("[[server]]", "extensions") => "extensions",
        ("[[server]]", "maxCalls") => "max-calls",
        ("[server.tls]", "ca") => "tls-ca",
        ("[server.tls]", "serverName") => "tls-server-name",
        _ => return None,
    })
}

/// A value of TOML as a word for a shell.
fn word(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte);
    let value = value.trim_matches('"');
    if value.bytes().all(plain) { value.to_owned() } else { format!("'{value}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told_of(section: &str, lines: &[&str]) -> Finding {
        let finding = Finding::error("x", "telepulse.toml, [[server]]", "is wrong");
        told(finding.own(section, lines.iter().copied()).of("pbx1"))
    }

    #[test]
    fn lines_become_a_command() {
        for (section, lines, expected) in [
            (
                "[[server]]",
                &["context = \"from-internal\"    # where the hints are"][..],
                "--context from-internal",
            ),
            ("[[server]]", &["device = \"SIP/{ext}\""], "--device 'SIP/{ext}'"),
            (
                "[[server]]",
                &["port = 5039", "[server.tls]", "ca = \"pbx-ca.pem\""],
                "--port 5039 --tls-ca pbx-ca.pem",
            ),
            ("[server.tls]", &["serverName = \"pbx.example\""], "--tls-server-name pbx.example"),
        ] {
            let finding = told_of(section, lines);
            let expected = format!("telepulse servers change pbx1 {expected}");
            assert_eq!((finding.cure, finding.paste), (Some(expected), None));
            assert!(finding.place.starts_with("servers.json"));
        }
    }

    #[test]
    fn what_is_elsewhere_is_pasted() {
        for section in ["[[auth.user]]", "[server.ari]"] {
            let finding = told_of(section, &["ca = \"pbx-ca.pem\""]);
            assert!(finding.paste.is_some() && finding.cure.is_none(), "{finding:?}");
        }
        let finding = Finding::error("x", "manager.conf", "is wrong").of("pbx1");
        assert!(told(finding.manager("telepulse", ["read = call"])).paste.is_some());
    }
}
