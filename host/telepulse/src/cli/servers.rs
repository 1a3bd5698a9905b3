//! `servers`: list and change the Asterisk servers of a running TelePulse.

mod change;

use super::{
    client::{Client, Content, segment},
    doctor, output, secret, texts,
};
use crate::config::Server;
use change::Change;
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};
use std::{
    io::{self, Write as _},
    path::PathBuf,
};

#[derive(Subcommand)]
pub(super) enum Order {
    /// Show all servers and how they are.
    #[command(after_long_help = texts::SERVERS_LIST)]
    List(Client),
    /// Add a server; it is kept across a restart.
    #[command(after_long_help = texts::ADD)]
    Add(Box<Add>),
    /// Change settings of a server; what is not given stays as it is.
    #[command(after_long_help = texts::CHANGE)]
    Change(Box<Change>),
    /// Remove a server.
    #[command(after_long_help = texts::REMOVE)]
    Remove(Named),
    /// Log off from a server and connect anew.
    #[command(after_long_help = texts::RESTART)]
    Restart(Named),
    /// Log off from a server and stay away.
    #[command(after_long_help = texts::STOP)]
    Stop(Named),
    /// Connect to a server that was stopped.
    #[command(after_long_help = texts::START)]
    Start(Named),
}

/// A server and where to ask for it.
#[derive(Args)]
pub(super) struct Named {
    /// The server's id.
    id: String,
    #[command(flatten)]
    client: Client,
}

#[derive(Args)]
pub(super) struct Add {
    /// What to call it: 1 to 64 of A-Z, a-z, 0-9, _ and -.
    id: String,
    /// Name or IP address of the machine.
    #[arg(long)]
    host: String,
    /// User of manager.conf.
    #[arg(long)]
    username: String,
    /// Where that user's secret is: env:NAME, file:PATH, or - for the standard input.
    #[arg(long, value_name = "SOURCE", default_value = "-")]
    secret: secret::Source,
    #[command(flatten)]
    settings: Settings,
    /// Events that are not wanted, whatever plugin subscribes to them.
    #[arg(long, value_name = "EVENT", value_delimiter = ',')]
    exclude: Vec<String>,
    #[command(flatten)]
    ari: Ari,
    /// Do not look whether the server can be used.
    #[arg(long)]
    no_doctor: bool,
    #[command(flatten)]
    client: Client,
}

/// How a server is reached and read.
#[derive(Args)]
struct Settings {
    /// Port of its manager interface [default: 5038].
    #[arg(long)]
    port: Option<u16>,
    /// How to log in [default: md5].
    #[arg(long, value_parser = ["md5", "plain"])]
    auth: Option<String>,
    /// How an extension becomes a device where no hint says [default: PJSIP/{ext}].
    #[arg(long)]
    device: Option<String>,
    /// The dialplan context where dialled numbers are looked up [default: internal].
    #[arg(long)]
    context: Option<String>,
    /// What is dialled for an extension's voicemail box, such as '*{ext}'; without it there is none.
    #[arg(long, value_name = "TEMPLATE")]
    voicemail: Option<String>,
    /// Which numbers are extensions, a regular expression [default: ^[0-9]{2,6}$].
    #[arg(long)]
    extensions: Option<String>,
    /// The most live calls; past it a dial is refused.
    #[arg(long)]
    max_calls: Option<u32>,
    /// Seconds of silence after which the server is pinged [default: 15].
    #[arg(long, value_name = "SECONDS")]
    keep_alive: Option<u32>,
    #[command(flatten)]
    tls: Tls,
}

impl Settings {
    /// As the API takes them.
    fn fields(&self) -> [(&'static str, Option<Value>); 9] {
        [
            ("port", self.port.map(Value::from)),
            ("auth", self.auth.clone().map(Value::from)),
            ("device", self.device.clone().map(Value::from)),
            ("context", self.context.clone().map(Value::from)),
            ("voicemail", self.voicemail.clone().map(Value::from)),
            ("extensions", self.extensions.clone().map(Value::from)),
            ("maxCalls", self.max_calls.map(Value::from)),
            ("keepAlive", self.keep_alive.map(Value::from)),
            ("tls", self.tls.body()),
        ]
    }
}

/// ARI; a server without these has none.
#[derive(Args)]
struct Ari {
    /// Where its ARI is, such as http://192.0.2.10:8088/ari.
    #[arg(long = "ari-url", id = "ari_url", value_name = "URL", requires_all = ["ari_username", "ari_password"])]
    url: Option<String>,
    /// User of ari.conf.
    #[arg(long = "ari-username", id = "ari_username", value_name = "NAME", requires = "ari_url")]
    username: Option<String>,
    /// Where that user's password is: env:NAME, file:PATH, or - for the standard input.
    #[arg(long = "ari-password", id = "ari_password", value_name = "SOURCE", requires = "ari_url")]
    password: Option<secret::Source>,
    /// The Stasis application, one of its own for each client [default: telepulse].
    #[arg(long = "ari-app", id = "ari_app", value_name = "NAME", requires = "ari_url")]
    app: Option<String>,
    /// Trust the authorities in this file (PEM) only.
    #[arg(long = "ari-ca", id = "ari_ca", value_name = "FILE", requires = "ari_url")]
    ca: Option<PathBuf>,
}

impl Ari {
    /// As the API takes it.
    fn body(&self) -> anyhow::Result<Option<Value>> {
        let password = self.password.as_ref().map(secret::Source::read).transpose()?;
        let fields = [
            ("url", self.url.clone().map(Value::from)),
            ("username", self.username.clone().map(Value::from)),
            ("password", password.map(Value::from)),
            ("app", self.app.clone().map(Value::from)),
            ("ca", self.ca.as_ref().and_then(path)),
        ];
        Ok(self.url.as_ref().map(|_| given(fields)))
    }
}

/// The fields that were given.
fn given(fields: impl IntoIterator<Item = (&'static str, Option<Value>)>) -> Value {
    let given = fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Value::Object(given.collect())
}

/// The host reads files by their absolute paths.
fn path(path: &PathBuf) -> Option<Value> {
    std::path::absolute(path).ok()?.to_str().map(Value::from)
}

/// Encryption; any of these turns it on.
#[derive(Args)]
struct Tls {
    /// Encrypt, and trust the authorities that the host's machine trusts.
    #[arg(long = "tls")]
    on: bool,
    /// Encrypt, and trust the authorities in this file (PEM) only.
    #[arg(long = "tls-ca", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Encrypt; the name that the server's certificate must have [default: the host].
    #[arg(long = "tls-server-name", value_name = "NAME")]
    server_name: Option<String>,
    /// Encrypt, and show this certificate (PEM).
    #[arg(long = "tls-cert", value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The private key of that certificate (PEM).
    #[arg(long = "tls-key", value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
}

impl Tls {
    /// As the API takes it.
    fn body(&self) -> Option<Value> {
        let fields = [
            ("ca", self.ca.as_ref().and_then(path)),
            ("serverName", self.server_name.clone().map(Value::from)),
            ("cert", self.cert.as_ref().and_then(path)),
            ("key", self.key.as_ref().and_then(path)),
        ];
        let is_given = self.on || fields.iter().any(|(_, value)| value.is_some());
        is_given.then(|| given(fields))
    }
}

impl Order {
    pub(super) async fn carry_out(self) -> anyhow::Result<()> {
        match self {
            Self::List(client) => list(&client).await,
            Self::Add(add) => {
                let body = add.body(&add.secret.read()?, add.ari.body()?);
                let server = Server::from_json(body.clone()).ok();
                let content = Content::Json(body);
                let added = add.client.call(Method::POST, "/servers", content).await?;
                // What the host took it could not: files that are not on this machine.
                match server.filter(|_| !add.no_doctor && !add.client.json) {
                    Some(server) => look(&add.client, &server, &added).await,
                    None => tell(&add.client, &add.id, "added", &added),
                }
            }
            Self::Change(change) => change.carry_out().await,
            Self::Remove(Named { id, client }) => {
                let path = format!("/servers/{}", segment(&id));
                let removed = client.call(Method::DELETE, &path, Content::Nothing).await?;
                tell(&client, &id, "removed", &removed)
            }
            Self::Restart(named) => named.order("restart").await,
            Self::Stop(named) => named.order("stop").await,
            Self::Start(named) => named.order("start").await,
        }
    }
}

impl Named {
    async fn order(&self, order: &str) -> anyhow::Result<()> {
        let path = format!("/servers/{}/{order}", segment(&self.id));
        let answer = self.client.call(Method::POST, &path, Content::Nothing).await?;
        tell(&self.client, &self.id, &format!("{order} begun"), &answer)
    }
}

impl Add {
    /// The server as the API takes it; what is not said is left to its defaults.
    fn body(&self, secret: &str, ari: Option<Value>) -> Value {
        let exclude = (!self.exclude.is_empty()).then(|| json!({ "exclude": self.exclude }));
        let own = [
            ("id", Some(self.id.as_str().into())),
            ("host", Some(self.host.as_str().into())),
            ("username", Some(self.username.as_str().into())),
            ("secret", Some(secret.into())),
            ("filter", exclude),
            ("ari", ari),
        ];
        given(own.into_iter().chain(self.settings.fields()))
    }
}

/// Looks whether a server that was just added can be used, and tells how it is by then.
async fn look(client: &Client, server: &Server, added: &Value) -> anyhow::Result<()> {
    tell(client, &server.id, "added", &Value::Null)?;
    doctor::short(server).await?;
    let path = format!("/servers/{}", segment(&server.id));
    // It is added whatever comes of this.
    let now = client.call(Method::GET, &path, Content::Nothing).await.ok();
    let state = now.as_ref().unwrap_or(added)["state"].as_str().unwrap_or_default();
    let text = format!("server {}: it is {state}", server.id);
    Ok(writeln!(io::stdout(), "{}", output::inert(&text, false))?)
}

async fn list(client: &Client) -> anyhow::Result<()> {
    let answer = client.call(Method::GET, "/servers", Content::Nothing).await?;
    if client.json {
        output::print_json(&answer)?;
    } else {
        let items = answer["items"].as_array().map_or(&[][..], Vec::as_slice);
        output::print_table(
            items,
            &["id", "host", "port", "state", "asterisk", "since", "reason"],
        )?;
    }
    Ok(())
}

fn tell(client: &Client, id: &str, what: &str, answer: &Value) -> anyhow::Result<()> {
    if client.json {
        output::print_json(answer)?;
    } else {
        // One that has just begun has no reason yet for not being connected.
        let is_new = answer["state"] == "DISCONNECTED" && answer["reason"].is_null();
        let state = match answer["state"].as_str() {
            Some(_) if is_new => "; it is being connected".to_owned(),
            Some(state) => format!("; it is {state}"),
            None => String::new(),
        };
        let text = format!("server {id}: {what}{state}");
        writeln!(io::stdout(), "{}", output::inert(&text, false))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Words {
        #[command(subcommand)]
        order: Order,
    }

    fn body(words: &[&str]) -> Value {
        let words = ["x", "add", "pbx1", "--host", "h", "--username", "u"].iter().chain(words);
        let Order::Add(add) = Words::try_parse_from(words).unwrap().order else { panic!("add") };
        let ari = add.ari.body().unwrap();
        add.body("s", ari)
    }

    #[test]
    fn what_is_added_is_what_the_api_takes() {
        use crate::config::{Secret, ServerAuth};
        let least = Server::from_json(body(&[])).unwrap();
        assert_eq!((least.port, &least.secret), (5038, &Secret::new("s")));
        let password = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(password.path(), "p\n").unwrap();
        let all = body(&[
            "--port=1",
            "--auth=plain",
            "--device=SIP/{ext}",
            "--context=c",
            "--voicemail=*{ext}",
            "--extensions=^1",
            "--max-calls=2",
            "--keep-alive=5",
            "--tls-server-name=pbx.example",
            "--exclude=Wink,Flash",
            "--ari-url=https://h/ari",
            "--ari-username=a",
            &format!("--ari-password=file:{}", password.path().display()),
            "--ari-app=desk",
        ]);
        for key in Server::KEYS {
            assert!(all.get(key).is_some(), "{key} can be given");
        }
        let all = Server::from_json(all).unwrap();
        assert_eq!((all.auth, all.max_calls), (ServerAuth::Plain, Some(2)));
        assert_eq!(all.tls.unwrap().server_name.as_deref(), Some("pbx.example"));
        assert_eq!(all.filter.exclude.len(), 2);
        let ari = all.ari.unwrap();
        assert_eq!((ari.app.as_str(), ari.password), ("desk", Secret::new("p")));
        assert_eq!(body(&["--tls"])["tls"], json!({}));
        let ca = body(&["--tls-ca=ca.pem"])["tls"]["ca"].clone();
        assert!(ca.as_str().is_some_and(|ca| ca.starts_with('/')), "{ca}");
    }
}
