//! `token`: a random token and what the configuration holds instead of it.

use crate::auth::hash_token;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::{fmt::Write as _, io::Write as _};

/// Prints a token of 256 random bits, and the line to paste.
pub(super) fn make() -> anyhow::Result<()> {
    write!(std::io::stdout().lock(), "{}", text(rand::random()))?;
    Ok(())
}

fn text(random: [u8; 32]) -> String {
    let token = URL_SAFE_NO_PAD.encode(random);
    let mut hash = String::new();
    for byte in hash_token(&token).0 {
        // Writing to a String cannot fail.
        let _ = write!(hash, "{byte:02x}");
    }
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
        let text = text([0xfb; 32]);
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
