//! The login: what the server says of it, and what its manager.conf says.

use super::{list, place, user_place};
use crate::doctor::{
    facts::{FileFacts, Login, Reach, ServerFacts},
    finding::Finding,
};
use std::net::IpAddr;

/// Words with which Asterisk refuses a second login of a user.
const IN_USE: &str = "in use";

/// What the server says. Asterisk tells a wrong name, a wrong secret and an access list alike; where
/// its file was read, [`file`] says which it is.
pub(super) fn outcome(facts: &ServerFacts, _: i64) -> Vec<Finding> {
    let user = &facts.settings.username;
    let finding = match &facts.login {
        Login::Accepted | Login::NotTried => return Vec::new(),
        Login::Refused(words) if words.to_ascii_lowercase().contains(IN_USE) => Finding::error(
            "login-in-use",
            user_place(facts),
            "the user is logged in already, and a second login is not allowed: neither is one \
             after a lost connection, until Asterisk has noticed the loss",
        )
        .manager(user, ["allowmultiplelogin = yes"]),
        Login::Refused(words) if facts.manager.file.is_none() => Finding::error(
            "login-refused",
            user_place(facts),
            format!(
                "the login is refused: {words}. Asterisk says the same of a user that is not \
                 there, of a wrong secret, and of an address that permit and deny keep out"
            ),
        )
        .cure("compare the section with these lines; on that machine, --asterisk DIR tells which it is")
        .manager(
            user,
            ["secret = …    ; the one that TelePulse has", "permit = …    ; TelePulse's address /32"],
        ),
        Login::Refused(words) => {
            Finding::error("login-refused", user_place(facts), format!("the login is refused: {words}"))
        }
        Login::NoAnswer(words) => Finding::error(
            "login-unanswered",
            place(facts),
            format!("the manager greets and does not answer the login: {words}"),
        )
        .cure("is Asterisk overloaded, or does authtimeout end slow logins?")
        .manager("general", ["authtimeout = 30"]),
    };
    vec![finding]
}

/// What the file says, where we could read it ourselves.
pub(super) fn file(facts: &ServerFacts, _: i64) -> Vec<Finding> {
    let Some(file) = &facts.manager.file else { return Vec::new() };
    let is_in = facts.login == Login::Accepted;
    let mut findings = Vec::new();
    if !is_in {
        findings.extend(general(facts));
    }
    if matches!(facts.login, Login::Refused(_)) {
        findings.extend(user(facts, file));
    }
    findings
}

fn general(facts: &ServerFacts) -> Vec<Finding> {
    let Some(general) = &facts.manager.general else { return Vec::new() };
    let at = "manager.conf, [general]";
    if facts.reach != Reach::Refused {
        return Vec::new();
    }
    if general.truth("enabled") != Some(true) {
        let what = "the manager is not enabled";
        return vec![
            Finding::error("manager-disabled", at, what).manager("general", ["enabled = yes"]),
        ];
    }
    let mut findings = Vec::new();
    let (key, port) = match (&facts.settings.tls, general.get("tlsbindaddr")) {
        (Some(_), Some(address)) => {
            let port = address.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
            ("tlsbindaddr", port.unwrap_or(5039))
        }
        (Some(_), None) => ("tlsbindaddr", 5039),
        (None, _) => ("port", general.number("port").unwrap_or(5038)),
    };
    if port != u64::from(facts.settings.port) {
        let what = format!("{key} says {port}, we ask at {}", facts.settings.port);
        findings.push(
            Finding::error("other-port", at, what).own("[[server]]", [format!("port = {port}")]),
        );
    }
    let bound: Option<IpAddr> = general.get("bindaddr").and_then(|address| address.parse().ok());
    let asked: Option<IpAddr> = facts.settings.host.parse().ok();
    if let (Some(bound), Some(asked)) = (bound, asked)
        && !bound.is_unspecified()
        && bound != asked
    {
        let what = format!("it listens on {bound} alone, we ask at {asked}");
        let finding = Finding::error("bound-elsewhere", at, what);
        findings.push(finding.manager("general", [format!("bindaddr = {asked}")]));
    }
    findings
}

fn user(facts: &ServerFacts, file: &FileFacts) -> Vec<Finding> {
    let name = &facts.settings.username;
    let Some(section) = &facts.manager.user else {
        let what = format!(
            "there is no user {name:?} in {}; there are: {}",
            file.path.display(),
            list(&file.users)
        );
        return vec![Finding::error("no-such-user", "manager.conf", what).manager(
            name,
            [
                "secret = …    ; a long one",
                "read = system,call,agent,user,reporting",
                "write = system,call,agent,user,originate,reporting",
                "writetimeout = 5000",
            ],
        )];
    };
    let mut findings = Vec::new();
    match file.is_secret_right {
        Some(true) => {}
        Some(false) => {
            let what = "the secret there is another than ours";
            let finding = Finding::error("wrong-secret", user_place(facts), what);
            findings.push(finding.cure("put the same into both, then reload both").own(
                "[[server]]",
                ["secret = \"env:…\"    # where the secret of manager.conf is"],
            ));
        }
        None => {
            let what = "the user has no secret: nobody can log in as it";
            let finding = Finding::error("no-secret", user_place(facts), what);
            findings.push(finding.manager(name, ["secret = …    ; a long one"]));
        }
    }
    if let Some(address) = file.our_address
        && !permits(section.lines(), address)
    {
        let what = format!("permit and deny keep us out: we come from {address}");
        let finding = Finding::error("kept-out", user_place(facts), what);
        let length = if address.is_ipv4() { 32 } else { 128 };
        findings.push(finding.manager(name, [format!("permit = {address}/{length}")]));
    }
    if findings.is_empty() {
        let what = "the file would let us in, and the server does not: the file was changed and \
                    not loaded, or `acl` names a list of acl.conf";
        let finding = Finding::error("not-loaded", user_place(facts), what);
        findings.push(finding.cure("asterisk -rx 'manager reload'"));
    }
    findings
}

/// Whether permit and deny let an address in: the last line that is about it counts.
fn permits<'a>(lines: impl Iterator<Item = (&'a str, &'a str)>, address: IpAddr) -> bool {
    let mut is_let_in = true;
    for (key, value) in lines {
        let sense = match key.to_ascii_lowercase().as_str() {
            "permit" => true,
            "deny" => false,
            _ => continue,
        };
        for part in value.split(',').map(str::trim) {
            let (part, sense) = match part.strip_prefix('!') {
                Some(part) => (part, !sense),
                None => (part, sense),
            };
            if covers(part, address) {
                is_let_in = sense;
            }
        }
    }
    is_let_in
}

/// Whether `10.0.0.0/8`, `10.0.0.0/255.0.0.0` or an address alone has another in it.
fn covers(network: &str, address: IpAddr) -> bool {
    let (base, mask) = match network.split_once('/') {
        Some((base, mask)) => (base, Some(mask)),
        None => (network, None),
    };
    let Ok(base) = base.parse::<IpAddr>() else { return false };
    let network = match mask {
        None => Ok(ipnet::IpNet::from(base)),
        Some(mask) => match mask.parse::<IpAddr>() {
            Ok(mask) => ipnet::IpNet::with_netmask(base, mask),
            Err(_) => match mask.parse() {
                Ok(length) => ipnet::IpNet::new(base, length),
                Err(_) => return false,
            },
        },
    };
    network.is_ok_and(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_that_is_about_an_address_counts() {
        let check = |lines: &[(&str, &str)], address: &str, expected: bool| {
            let address = address.parse().unwrap();
            assert_eq!(permits(lines.iter().copied(), address), expected, "{lines:?} {address}");
        };
        check(&[], "10.0.0.1", true);
        let usual = [("deny", "0.0.0.0/0.0.0.0"), ("permit", "10.0.0.0/255.0.0.0")];
        check(&usual, "10.0.0.1", true);
        check(&usual, "192.0.2.1", false);
        check(&[("permit", "10.0.0.0/8"), ("deny", "0.0.0.0/0")], "10.0.0.1", false);
        check(&[("deny", "0.0.0.0/0"), ("permit", "10.0.0.0/8,!10.0.0.7")], "10.0.0.7", false);
        check(&[("deny", "0.0.0.0/0"), ("permit", "192.0.2.9")], "192.0.2.9", true);
        check(&[("deny", "::/0")], "192.0.2.9", true);
    }
}
