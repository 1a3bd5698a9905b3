//! ARI, where it is configured.

use crate::doctor::{
    facts::{AriFacts, AriOutcome, Reach, ServerFacts, TlsTrouble},
    finding::Finding,
};

pub(super) fn outcome(facts: &ServerFacts, _: i64) -> Vec<Finding> {
    let (Some(ari), Some(found)) = (&facts.settings.ari, &facts.ari) else { return Vec::new() };
    let at = ari.url.to_string();
    let finding = match &found.outcome {
        None | Some(AriOutcome::Status(200..=299)) => return Vec::new(),
        Some(AriOutcome::Status(401 | 403)) => {
            let what = format!(
                "ARI refuses the user {:?}: it is not in ari.conf, or its password is another",
                ari.username
            );
            Finding::error("ari-login", &at, what).ari(
                &ari.username,
                ["type = user", "read_only = yes", "password = …    ; as we have it"],
            )
        }
        Some(AriOutcome::Status(404)) => not_there(found, &at, &ari.url.path),
        Some(AriOutcome::Status(status)) => {
            Finding::error("ari-status", &at, format!("ARI answers {status}"))
                .cure("see what Asterisk logs about it")
        }
        Some(AriOutcome::Unreadable(why)) => {
            Finding::error("ari-not-http", &at, format!("what answers there is not HTTP: {why}"))
                .cure("name the port of http.conf: `asterisk -rx 'http show status'` tells it")
        }
        Some(AriOutcome::Unreached(reach)) => unreached(found, &at, reach, ari.url.port),
    };
    vec![finding]
}

fn not_there(found: &AriFacts, at: &str, path: &str) -> Finding {
    if found.general.as_ref().and_then(|general| general.truth("enabled")) == Some(false) {
        let what = "the HTTP server runs, and ARI is disabled in ari.conf";
        return Finding::error("ari-disabled", at, what).ari("general", ["enabled = yes"]);
    }
    if let Some(prefix) = found.http.as_ref().and_then(|http| http.get("prefix"))
        && !prefix.is_empty()
    {
        let what = format!("ARI is below the prefix {prefix:?} of http.conf, and url has {path}");
        let lines = [format!("url = \"http://…/{}/ari\"", prefix.trim_matches('/'))];
        return Finding::error("ari-prefix", at, what).own("[server.ari]", lines);
    }
    let what = format!(
        "the HTTP server runs, and there is no ARI below {path}: it is disabled, its module is not \
         loaded, or http.conf has a prefix"
    );
    Finding::error("ari-not-there", at, what)
        .cure(
            "asterisk -rx 'module load res_ari.so'; asterisk -rx 'module load res_ari_channels.so'",
        )
        .ari("general", ["enabled = yes"])
}

fn unreached(found: &AriFacts, at: &str, reach: &Reach, port: u16) -> Finding {
    let is_off = found.http.as_ref().and_then(|http| http.truth("enabled")) == Some(false);
    match reach {
        Reach::Refused if is_off => {
            let what = "Asterisk's HTTP server is disabled, and ARI with it";
            Finding::error("http-disabled", at, what).http(["enabled = yes"])
        }
        Reach::Refused => {
            let what = "nobody listens there: Asterisk's HTTP server is disabled, has another port \
                        or another address";
            Finding::error("http-refused", at, what).http([
                "enabled = yes".to_owned(),
                "bindaddr = 0.0.0.0".to_owned(),
                format!("bindport = {port}"),
            ])
        }
        Reach::Tls(TlsTrouble::NotSpoken) => {
            let what = "the port does not speak TLS";
            Finding::error("ari-tls-not-spoken", at, what)
                .cure("write http:// in url, or let it encrypt")
                .http(["tlsenable = yes".to_owned(), format!("tlsbindaddr = 0.0.0.0:{port}")])
        }
        Reach::Tls(trouble) => {
            let what = format!("TLS was not agreed on: {}", words(trouble));
            Finding::error("ari-tls", at, what).own("[server.ari]", ["ca = \"pbx-ca.pem\""])
        }
        Reach::NoSuchHost(why) => {
            Finding::error("ari-unknown-host", at, format!("its name has no address: {why}"))
                .cure("write the address of the Asterisk into url")
        }
        other => Finding::error("ari-unreachable", at, format!("no answer: {other:?}"))
            .cure("let this machine through the firewalls to the port in url"),
    }
}

fn words(trouble: &TlsTrouble) -> &str {
    match trouble {
        TlsTrouble::NotSpoken => "it is not spoken there",
        TlsTrouble::UnknownIssuer => "the certificate is signed by nobody whom we trust",
        TlsTrouble::WrongName => "the certificate is for another name",
        TlsTrouble::Expired => "the certificate has expired",
        TlsTrouble::NotYetValid => "the certificate is not good yet",
        TlsTrouble::Settings(why) | TlsTrouble::Other(why) => why,
    }
}

/// A user that may more than we do.
pub(super) fn user(facts: &ServerFacts, _: i64) -> Vec<Finding> {
    let (Some(ari), Some(found)) = (&facts.settings.ari, &facts.ari) else { return Vec::new() };
    let Some(user) = &found.user else { return Vec::new() };
    if user.truth("read_only") == Some(true) {
        return Vec::new();
    }
    let what = "the user may change things over ARI; TelePulse only reads there";
    let finding = Finding::warning("ari-excess", format!("ari.conf, [{}]", ari.username), what);
    vec![finding.ari(&ari.username, ["read_only = yes"])]
}
