//! Which values are good. A message says what is wrong and what is right, never the value itself:
//! it may be a secret.

use super::{NodeRole, PasswordHash, TokenHash};
use argon2::{Algorithm, Params};
use call_model::ExtensionPattern;
use telepulse_language::Extension;
use tracing_subscriber::filter::{LevelFilter, Targets};

/// The longest value that Asterisk reads in one AMI line (1,024 bytes) with room for its key.
const AMI_VALUE: usize = 900;

fn said(good: bool, message: &str) -> Result<(), String> {
    if good { Ok(()) } else { Err(message.to_owned()) }
}

/// A server's id: one token of a bus address that needs no escape.
pub(super) fn id(id: &str) -> Result<(), String> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    said(
        (1..=64).contains(&id.len()) && id.bytes().all(good),
        "must be 1 to 64 of the characters A-Z, a-z, 0-9, _ and -",
    )
}

/// A host name or an IP address, without a port.
pub(super) fn host(host: &str) -> Result<(), String> {
    let address = host.parse::<std::net::IpAddr>().is_ok();
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let name = (1..=253).contains(&host.len()) && host.bytes().all(good);
    said(address || name, "must be a host name or an IP address; the port has a key of its own")
}

/// The name of a claim, or what a claim must say.
pub(super) fn claim(text: &str) -> Result<(), String> {
    let good = (1..=512).contains(&text.len()) && !text.chars().any(char::is_control);
    said(good, "must be 1 to 512 printable characters")
}

/// Where public keys are fetched.
pub(super) fn keys_url(url: &str) -> Result<(), String> {
    let wanted = "must be an https URL; without encryption it can only be on this machine";
    let uri: http::Uri = url.parse().map_err(|error| format!("{error}; {wanted}"))?;
    let host = uri.host().unwrap_or_default();
    let is_here = matches!(host, "127.0.0.1" | "[::1]" | "localhost");
    said(!host.is_empty() && (uri.scheme_str() == Some("https") || is_here), wanted)
}

/// Where ARI is.
pub(super) fn ari_url(url: &str) -> Result<(), String> {
    url.parse::<super::AriUrl>().map(drop).map_err(|error| error.to_string())
}

/// A path of the admin API, which has no folder of its own.
pub(super) fn absolute(path: &str) -> Result<(), String> {
    said(std::path::Path::new(path).is_absolute(), "must be an absolute path")
}

/// An address, or a network of them.
pub(super) fn network(text: &str) -> Result<ipnet::IpNet, String> {
    let address = || text.parse::<std::net::IpAddr>().map(ipnet::IpNet::from);
    let network = text.parse::<ipnet::IpNet>().or_else(|_| address());
    network.map_err(|_| "must be an address or a network, like \"10.0.0.0/8\"".to_owned())
}

/// What is sent in an AMI header.
pub(super) fn ami_value(value: &str) -> Result<(), String> {
    said(!value.is_empty(), "is empty")?;
    said(value.len() <= AMI_VALUE, "is longer than 900 bytes, more than Asterisk takes")?;
    said(!value.chars().any(char::is_control), "holds a control character: remove it")
}

/// A template that makes a device of an extension.
pub(super) fn device(device: &str) -> Result<(), String> {
    let good = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'&' | b',' | b'|' | b'$');
    said(
        device.matches("{ext}").count() == 1
            && device.contains('/')
            && device.len() <= 128
            && device.bytes().all(good),
        "must be a technology and a name that holds {ext} once, like \"PJSIP/{ext}\"",
    )
}

/// What is dialled for a voicemail box.
pub(super) fn voicemail(template: &str) -> Result<(), String> {
    let number = template.replace("{ext}", "1");
    said(
        template.contains("{ext}") && number.parse::<telepulse_language::Extension>().is_ok(),
        "must be what is dialled for a voicemail box, with {ext} for the extension, like \"*{ext}\"",
    )
}

/// A dialplan context.
pub(super) fn context(context: &str) -> Result<(), String> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    said(
        (1..=79).contains(&context.len()) && context.bytes().all(good),
        "must be the name of a dialplan context, like \"internal\"",
    )
}

/// A regular expression for extensions.
pub(super) fn extensions(pattern: &str) -> Result<(), String> {
    said(pattern.len() <= 256, "is longer than 256 bytes")?;
    pattern
        .parse::<ExtensionPattern>()
        .map(drop)
        .map_err(|error| format!("{error}; one that works: \"^[0-9]{{2,6}}$\""))
}

/// The name of an event that the model does without.
pub(super) fn excluded_event(name: &str) -> Result<(), String> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    said(
        (1..=64).contains(&name.len()) && name.bytes().all(good),
        "must be names of AMI events, like \"RTCPSent\"",
    )?;
    let needed = call_model::Pbx::EVENTS.iter().chain(&["FullyBooted", "Shutdown"]);
    match needed.into_iter().find(|needed| needed.eq_ignore_ascii_case(name)) {
        Some(needed) => Err(format!("holds {needed}, without which the model would be wrong")),
        None => Ok(()),
    }
}

/// A role of a process.
pub(super) fn role(role: &str) -> Result<(), String> {
    said(NodeRole::read(role).is_some(), "must be \"proxy\", \"core\", \"gateway\" or \"plugins\"")
}

/// A user's name: HTTP Basic ends it at a colon.
pub(super) fn user(name: &str) -> Result<(), String> {
    let good = |c: char| !c.is_control() && c != ':';
    said(
        (1..=64).contains(&name.len()) && name.chars().all(good),
        "must be 1 to 64 bytes without a colon or control characters",
    )
}

/// An extension.
pub(super) fn extension(text: &str) -> Result<(), String> {
    text.parse::<Extension>().map(drop).map_err(|error| error.to_string())
}

/// The name of a queue.
pub(super) fn name(name: &str) -> Result<(), String> {
    said(
        (1..=128).contains(&name.len()) && !name.chars().any(char::is_control),
        "must be 1 to 128 bytes without control characters",
    )
}

/// A right: `*`, a command, or either with `:own`.
pub(super) fn allow(right: &str) -> Result<(), String> {
    let command = right.strip_suffix(":own").unwrap_or(right);
    let letters = (1..=64).contains(&command.len())
        && command.bytes().all(|byte| byte.is_ascii_alphanumeric());
    said(
        command == "*" || letters,
        "must be \"*\" or a command, like \"dial\", with \":own\" for own calls only",
    )
}

/// `sha256:` and 64 hexadecimal digits.
pub(super) fn token(text: &str) -> Result<TokenHash, String> {
    text.strip_prefix("sha256:").and_then(unhex).map(TokenHash).ok_or_else(|| {
        "must be \"sha256:\" and the 64 hexadecimal digits of the token's hash: `telepulse token` \
         makes both"
            .to_owned()
    })
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// An argon2id string that costs no more than a login may.
pub(super) fn password(text: &str) -> Result<PasswordHash, String> {
    let wrong = || {
        "must be an argon2id string, \"$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH\": \
         `argon2 SALT -id -e` prints one"
            .to_owned()
    };
    let hash = argon2::PasswordHash::new(text).map_err(|_| wrong())?;
    let argon2id = hash.algorithm == Algorithm::Argon2id.ident();
    let complete = hash.salt.is_some() && hash.hash.is_some();
    let params = Params::try_from(&hash).ok().filter(|_| argon2id && complete).ok_or_else(wrong)?;
    // Whoever guesses makes us work this much each time.
    said(
        params.m_cost() <= 256 * 1024 && params.t_cost() <= 16 && params.p_cost() <= 16,
        "costs too much at each login: at most m=262144 (256 MiB), t=16, p=16",
    )?;
    Ok(PasswordHash(text.to_owned()))
}

/// A level, or levels by module separated by commas.
pub(super) fn level(text: &str) -> Result<Targets, String> {
    let good = text.split(',').all(|part| {
        let level = part.split_once('=').map_or(part, |(_, level)| level);
        level.trim().parse::<LevelFilter>().is_ok()
    });
    text.parse().ok().filter(|_| good).ok_or_else(|| {
        "must be \"error\", \"warn\", \"info\", \"debug\", \"trace\" or \"off\", or levels by \
         module: \"info,telepulse::proxy=debug\""
            .to_owned()
    })
}

/// `; do you mean "x"?` where a known name is near, else the list of the known ones.
pub(super) fn perhaps(name: &str, known: &[&str]) -> String {
    let near = known
        .iter()
        .map(|known| {
            (strsim::damerau_levenshtein(&name.to_lowercase(), &known.to_lowercase()), known)
        })
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, known)| *distance <= known.len().div_ceil(3));
    match near {
        Some((_, near)) => format!("; do you mean {near:?}?"),
        None => format!("; there are {}", known.join(", ")),
    }
}
