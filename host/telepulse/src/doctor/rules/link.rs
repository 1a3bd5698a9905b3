//! The way to a server: name, port, TLS, greeting.

use super::place;
use crate::{
    config::Server,
    doctor::{
        facts::{Login, Reach, ServerFacts, TlsTrouble},
        finding::Finding,
    },
};

/// Days before its end in which a certificate is warned of.
const SOON_DAYS: i64 = 14;
const DAY: i64 = 24 * 60 * 60;
/// Where Asterisk encrypts, by custom.
const TLS_PORT: u16 = 5039;

pub(super) fn reach(facts: &ServerFacts, _: i64) -> Vec<Finding> {
    let (server, at) = (&facts.settings, place(facts));
    let finding = match &facts.reach {
        Reach::Greeted(_) => return Vec::new(),
        Reach::NoSuchHost(why) => Finding::error(
            "unknown-host",
            &at,
            format!("the name {:?} has no address: {why}", server.host),
        )
        .cure("write the address itself, or a name that this machine can resolve")
        .own("[[server]]", ["host = \"192.0.2.10\"    # the address of the Asterisk"]),
        Reach::Refused => Finding::error(
            "connection-refused",
            &at,
            "nobody listens there: the manager is disabled, has another port, or is bound to \
             another address; or Asterisk does not run",
        )
        .cure("look with `asterisk -rx 'manager show settings'`")
        .manager(
            "general",
            ["enabled = yes".to_owned(), format!("port = {}", server.port), bind(server)],
        ),
        Reach::Unreachable(why) => Finding::error("unreachable", &at, format!("no answer: {why}"))
            .cure(format!(
                "let this machine through the firewalls to TCP port {}, and see that host is right",
                server.port
            )),
        Reach::ClosedUnsaid => Finding::error(
            "closed-unsaid",
            &at,
            "the connection was closed without a greeting: too many are connected that have not \
             logged in (authlimit)",
        )
        .cure("find who connects without logging in, or let more of them in")
        .manager("general", ["authlimit = 100", "authtimeout = 10"]),
        Reach::Silent => silent(facts, &at),
        Reach::NotAmi(line) => not_ami(facts, &at, line),
        Reach::Tls(trouble) => tls(facts, &at, trouble),
    };
    vec![finding]
}

/// The address to bind to: any, unless we are on the same machine.
fn bind(server: &Server) -> String {
    format!("bindaddr = {}", if server.is_here() { "127.0.0.1" } else { "0.0.0.0" })
}

fn silent(facts: &ServerFacts, at: &str) -> Finding {
    if facts.settings.tls.is_some() {
        let what = "TLS was agreed on, and no manager says anything behind it";
        return Finding::error("silent", at, what).cure("is this the port of tlsbindaddr?");
    }
    let what = "the port takes the connection and says nothing: it waits for TLS, most likely";
    Finding::error("tls-expected", at, what)
        .cure("encrypt the link, or name the port without TLS (5038 by custom)")
        .own("[[server]]", ["[server.tls]", "ca = \"pbx-ca.pem\"    # who signed its certificate"])
}

fn not_ami(facts: &ServerFacts, at: &str, line: &str) -> Finding {
    let who = if line.starts_with("HTTP/") || line.starts_with('<') {
        "an HTTP server (http.conf)"
    } else if line.starts_with("SSH-") {
        "an SSH server"
    } else if line.starts_with("SIP/") {
        "a SIP server"
    } else if line.starts_with("220") {
        "a mail or FTP server"
    } else {
        "something else"
    };
    let what = format!("{who} answers there, not Asterisk's manager; it says {line:?}");
    let port = if facts.settings.port == 5038 { TLS_PORT } else { 5038 };
    Finding::error("not-a-manager", at, what)
        .cure("name the port of manager.conf: `asterisk -rx 'manager show settings'` tells it")
        .own("[[server]]", [format!("port = {port}")])
}

fn tls(facts: &ServerFacts, at: &str, trouble: &TlsTrouble) -> Finding {
    let server = &facts.settings;
    let name = server.tls.as_ref().and_then(|tls| tls.server_name.as_deref());
    let name = name.unwrap_or(&server.host);
    match trouble {
        TlsTrouble::NotSpoken => Finding::error(
            "tls-not-spoken",
            at,
            "the port does not speak TLS: the manager has TLS off, or on another port",
        )
        .cure("turn it on there and name its port; without TLS, remove [server.tls]")
        .manager(
            "general",
            [
                "tlsenable = yes".to_owned(),
                format!("tlsbindaddr = 0.0.0.0:{TLS_PORT}"),
                "tlscertfile = /etc/asterisk/keys/asterisk.pem".to_owned(),
            ],
        ),
        TlsTrouble::UnknownIssuer => Finding::error(
            "tls-unknown-issuer",
            at,
            "its certificate is signed by nobody whom we trust",
        )
        .cure(
            "give the certificate of the authority that signed it, or its own if it signed itself",
        )
        .own("[server.tls]", ["ca = \"pbx-ca.pem\""]),
        TlsTrouble::WrongName => Finding::error(
            "tls-wrong-name",
            at,
            format!("its certificate is not for the name {name:?}"),
        )
        .cure("say which name the certificate has, or make one with this name")
        .own("[server.tls]", ["serverName = \"pbx.example\"    # as in the certificate"]),
        TlsTrouble::Expired => Finding::error("tls-expired", at, "its certificate has expired")
            .cure(
                "renew it on the Asterisk machine, then `asterisk -rx 'manager reload'`; if it \
                 should be good, compare the clocks",
            ),
        TlsTrouble::NotYetValid => Finding::error(
            "tls-not-yet-valid",
            at,
            "its certificate is not good yet: it is from the future, or our clock is behind",
        )
        .cure("set the clocks right: `timedatectl` on both machines"),
        TlsTrouble::Settings(why) => {
            Finding::error("tls-settings", at, format!("TLS cannot be begun: {why}"))
                .cure("set [server.tls] right")
        }
        TlsTrouble::Other(why) => Finding::error("tls-failed", at, format!("no TLS: {why}"))
            .cure("see what Asterisk says: `asterisk -rx 'core set verbose 5'`, then its log"),
    }
}

/// A certificate that is good now and will not be for long.
pub(super) fn certificate(facts: &ServerFacts, now: i64) -> Vec<Finding> {
    let Some(left) = facts.certificate_ends.map(|end| (end - now) / DAY) else {
        return Vec::new();
    };
    if left >= SOON_DAYS {
        return Vec::new();
    }
    let what = format!("its certificate ends in {left} days; then the link ends, too");
    let finding = Finding::warning("tls-expires-soon", place(facts), what);
    vec![finding.cure("renew it on the Asterisk machine, then `asterisk -rx 'manager reload'`")]
}

/// What others on the way can read.
pub(super) fn encryption(facts: &ServerFacts, _: i64) -> Vec<Finding> {
    let server = &facts.settings;
    if !server.crosses_openly() || facts.login == Login::NotTried {
        return Vec::new();
    }
    let finding = if server.auth == crate::config::ServerAuth::Plain {
        let what =
            "the secret itself crosses the network unencrypted: auth is \"plain\", without TLS";
        Finding::warning("secret-in-clear", place(facts), what)
            .cure("log in by challenge, or encrypt the link")
            .own("[[server]]", ["auth = \"md5\""])
    } else {
        let what =
            "the link is not encrypted: who is on the way reads callers and can change commands";
        Finding::note("not-encrypted", place(facts), what)
            .cure("over a network that you do not trust, encrypt it")
            .own("[[server]]", ["port = 5039", "[server.tls]", "ca = \"pbx-ca.pem\""])
    };
    vec![finding]
}
