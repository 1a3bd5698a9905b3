//! `servers change`: other settings for a server, the rest as it is.

use super::{Settings, secret, tell};
use crate::{
    cli::client::{Client, Content, segment},
    config::{Server, ServerAri},
};
use clap::Args;
use http::Method;
use serde_json::{Map, Value};

#[derive(Args)]
pub(in crate::cli) struct Change {
    /// The server's id.
    id: String,
    /// Name or IP address of the machine.
    #[arg(long)]
    host: Option<String>,
    /// User of manager.conf.
    #[arg(long)]
    username: Option<String>,
    /// Where that user's secret is: env:NAME, file:PATH, or - for the standard input.
    #[arg(long, value_name = "SOURCE")]
    secret: Option<secret::Source>,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    client: Client,
}

impl Change {
    pub(super) async fn carry_out(&self) -> anyhow::Result<()> {
        let path = format!("/servers/{}", segment(&self.id));
        let known = self.client.call(Method::GET, &path, Content::Nothing).await?;
        let secret = self.secret.as_ref().map(secret::Source::read).transpose()?;
        let wanted = Content::Json(wanted(known, self.given(secret)));
        let changed = self.client.call(Method::PUT, &path, wanted).await?;
        tell(&self.client, &self.id, "changed", &changed)
    }

    fn given(&self, secret: Option<String>) -> Value {
        let own = [
            ("host", self.host.clone().map(Value::from)),
            ("username", self.username.clone().map(Value::from)),
            ("secret", secret.map(Value::from)),
        ];
        super::given(own.into_iter().chain(self.settings.fields()))
    }
}

/// What is known of a server, of which its state and the like are no settings, with what was given.
fn wanted(known: Value, given: Value) -> Value {
    let mut server = only(known, &Server::KEYS);
    if let Some(ari) = server.get_mut("ari") {
        *ari = only(ari.take(), &ServerAri::KEYS).into();
    }
    let Value::Object(given) = given else { return server.into() };
    for (key, value) in given {
        match (server.get_mut(&key), value) {
            // A table is changed field by field, too.
            (Some(Value::Object(known)), Value::Object(fields)) => known.extend(fields),
            (_, value) => drop(server.insert(key, value)),
        }
    }
    server.into()
}

fn only(value: Value, keys: &[&str]) -> Map<String, Value> {
    let Value::Object(fields) = value else { return Map::new() };
    fields.into_iter().filter(|(key, _)| keys.contains(&key.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_given_stays_and_a_state_is_no_setting() {
        let known = json!({
            "id": "pbx1", "host": "h", "port": 5038, "username": "u", "context": "internal",
            "tls": {"ca": "/a.pem"}, "state": "CONNECTED", "since": "…", "figures": {},
            "ari": {"url": "http://h/ari", "username": "a", "app": "t", "state": "CONNECTED"},
        });
        let given = json!({"context": "from-internal", "tls": {"serverName": "pbx"}});
        assert_eq!(
            wanted(known, given),
            json!({
                "id": "pbx1", "host": "h", "port": 5038, "username": "u",
                "context": "from-internal", "tls": {"ca": "/a.pem", "serverName": "pbx"},
                "ari": {"url": "http://h/ari", "username": "a", "app": "t"},
            })
        );
    }
}
