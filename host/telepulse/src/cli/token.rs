//! `token`: a random token and what the configuration holds instead of it.

use crate::auth::hash_token;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::Args;
use serde_json::json;
use std::{fmt::Write as _, io::Write as _};

#[derive(Args)]
pub(super) struct Options {
    /// Print token and hash as JSON.
    #[arg(long)]
    json: bool,
}

/// Prints a token of 256 random bits, and the line to paste.
pub(super) fn make(options: &Options) -> anyhow::Result<()> {
    let (token, hash) = token(rand::random());
    if options.json {
        let value = json!({ "token": token, "line": format!("sha256:{hash}") });
        return Ok(super::output::print_json(&value)?);
    }
    write!(std::io::stdout().lock(), "{}", text(&token, &hash))?;
    Ok(())
}

fn token(random: [u8; 32]) -> (String, String) {
    let token = URL_SAFE_NO_PAD.encode(random);
    let mut hash = String::new();
    for byte in hash_token(&token).0 {
        // Writing to a String cannot fail.
        let _ = write!(hash, "{byte:02x}");
    }
    (token, hash)
}

fn text(token: &str, hash: &str) -> String {
    format!(
        "The token, for the client; it is not shown again:\n\n    {token}\n\n\
         The line for the configuration, under [[auth.user]] or [admin]:\n\n    \
         token = \"sha256:{hash}\"\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Source};
    use std::{collections::BTreeMap, io, path::Path};

    #[test]
    fn the_line_lets_the_token_in() {
        let (token, hash) = token([0xfb; 32]);
        let text = text(&token, &hash);
        let mut indented = text.lines().filter_map(|line| line.strip_prefix("    "));
        let (token, line) = (indented.next().unwrap(), indented.next().unwrap());
        let source = Source {
            file: Path::new("x.toml"),
            text: &format!("[[auth.user]]\nname = \"ana\"\n{line}\n"),
            variables: &BTreeMap::new(),
            files: &|_| Err(io::ErrorKind::NotFound.into()),
        };
        let auth = crate::auth::Auth::new(&Config::parse(&source).unwrap().users);
        assert_eq!(auth.bearer(token).unwrap().name, "ana");
        assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
    }
}
