//! `tokens`: take logins back before their time, at a running TelePulse.

use super::{
    client::{Client, Content, segment},
    output, texts,
};
use clap::{ArgGroup, Args, Subcommand};
use http::Method;
use serde_json::{Map, Value};
use std::io::{self, Write as _};

#[derive(Subcommand)]
pub(super) enum Order {
    /// Show what is revoked.
    #[command(after_long_help = texts::TOKENS_LIST)]
    List(Client),
    /// Revoke a token, all tokens of a subject, or all logins of a user; open connections are closed.
    #[command(after_long_help = texts::REVOKE)]
    Revoke(Revoke),
    /// Take a revocation back.
    #[command(after_long_help = texts::UNREVOKE)]
    Unrevoke(Unrevoke),
}

#[derive(Args)]
#[command(group = ArgGroup::new("target").required(true))]
pub(super) struct Revoke {
    /// One JSON Web Token, by its claim jti.
    #[arg(long, value_name = "ID", group = "target")]
    jti: Option<String>,
    /// The JSON Web Tokens of this subject that were issued before now.
    #[arg(long, value_name = "NAME", group = "target")]
    subject: Option<String>,
    /// The token and the password of this user of the configuration.
    #[arg(long, value_name = "NAME", group = "target")]
    user: Option<String>,
    /// Before this time instead of now, like 2026-11-21T15:04:05Z.
    #[arg(long, value_name = "TIME", requires = "subject")]
    before: Option<String>,
    /// Forget it at this time, when what is revoked has run out; unless it is given, never.
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    #[command(flatten)]
    client: Client,
}

#[derive(Args)]
pub(super) struct Unrevoke {
    /// The revocation's id.
    id: String,
    #[command(flatten)]
    client: Client,
}

impl Order {
    pub(super) async fn carry_out(self) -> anyhow::Result<()> {
        match self {
            Self::List(client) => list(&client).await,
            Self::Revoke(revoke) => revoke.carry_out().await,
            Self::Unrevoke(Unrevoke { id, client }) => {
                let path = format!("/revocations/{}", segment(&id));
                client.call(Method::DELETE, &path, Content::Nothing).await?;
                say(&format!("revocation {id} is taken back"))
            }
        }
    }
}

impl Revoke {
    async fn carry_out(self) -> anyhow::Result<()> {
        let fields = [
            ("jti", self.jti),
            ("subject", self.subject),
            ("user", self.user),
            ("before", self.before),
            ("expires", self.expires),
        ];
        let given =
            fields.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text?.into())));
        let order = Value::Object(given.collect::<Map<_, _>>());
        let made = self.client.call(Method::POST, "/revocations", Content::Json(order)).await?;
        if self.client.json {
            return Ok(output::print_json(&made)?);
        }
        say(&format!("revoked: {}", line(&made)))
    }
}

async fn list(client: &Client) -> anyhow::Result<()> {
    let answer = client.call(Method::GET, "/revocations", Content::Nothing).await?;
    if client.json {
        return Ok(output::print_json(&answer)?);
    }
    for revocation in answer["items"].as_array().into_iter().flatten() {
        say(&line(revocation))?;
    }
    if answer["fresh"] != true {
        eprintln!(
            "telepulse: the store cannot be read: what other nodes have revoked since is not shown"
        );
    }
    Ok(())
}

/// One revocation, its id first.
fn line(revocation: &Value) -> String {
    let text = |key: &str| revocation[key].as_str();
    let target = match (text("jti"), text("subject"), text("user")) {
        (Some(jti), _, _) => format!("token {jti}"),
        (_, Some(subject), _) => {
            format!("tokens of {subject} from before {}", text("before").unwrap_or_default())
        }
        (_, _, user) => format!("user {}", user.unwrap_or_default()),
    };
    let until = text("expires").map(|expires| format!(" until {expires}")).unwrap_or_default();
    format!("{}  {target}{until}", text("id").unwrap_or_default())
}

fn say(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(io::stdout(), "{}", output::inert(text, false))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_revocation_is_one_line() {
        let token = json!({"id": "7", "jti": "a", "expires": "2026-11-21T15:04:05.000Z"});
        assert_eq!(line(&token), "7  token a until 2026-11-21T15:04:05.000Z");
        let subject = json!({"id": "8", "subject": "ana", "before": "2026-11-21T15:04:05.000Z"});
        assert_eq!(line(&subject), "8  tokens of ana from before 2026-11-21T15:04:05.000Z");
        assert_eq!(line(&json!({"id": "9", "user": "wall"})), "9  user wall");
    }
}
