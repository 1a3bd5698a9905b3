//! Configurations, good and bad, as data.

mod elsewhere;
mod mistakes;
mod shipped;

use super::*;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
    sync::LazyLock,
};
use tracing_subscriber::filter::LevelFilter;

const TOKEN: &str = "sha256:2a97516c354b68848cdbd8f54a226a0a55b21ed138e207ad6c5cbb9c00aa5aea";
const SERVER: &str = "[[server]]\nid='pbx1'\nhost='h'\nusername='u'\nsecret='s'\n";

/// Two certificates with their keys.
static PAIRS: LazyLock<[CertifiedKey<KeyPair>; 2]> = LazyLock::new(|| {
    ["a", "b"].map(|name| generate_simple_self_signed([name.to_owned()]).unwrap())
});

fn parse(text: &str, variables: &[(&str, &str)]) -> Result<Config, Mistakes> {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let variables: BTreeMap<_, _> = variables.iter().map(pair).collect();
    let files = |path: &Path| match path.to_str() {
        Some("/etc/tp/secrets/pbx1") => Ok("from a file\r\n".to_owned()),
        Some("/empty") => Ok("\n".to_owned()),
        Some("/etc/tp/ca.pem" | "/etc/tp/pbx-ca.pem" | "/etc/tp/telepulse.pem") => {
            Ok(PAIRS[0].cert.pem())
        }
        Some("/etc/tp/telepulse.key") => Ok(PAIRS[0].signing_key.serialize_pem()),
        Some("/etc/tp/other.key") => Ok(PAIRS[1].signing_key.serialize_pem()),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    let file = Path::new("/etc/tp/tp.toml");
    Config::parse(&Source { file, text, variables: &variables, files: &files })
}

/// The mistakes, without the file's name.
fn mistakes(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let all = parse(text, variables).expect_err(text);
    let lines: Vec<_> = all.to_string().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), all.count(), "a mistake is one line");
    lines.into_iter().map(|line| line.replace("/etc/tp/tp.toml:", "")).collect()
}

#[test]
fn an_empty_file_is_enough() {
    let config = parse("", &[]).unwrap();
    assert_eq!(config.node.name, "tp1");
    assert!(config.servers.is_empty() && config.users.is_empty());
    assert_eq!(config.bus.history, 100_000);
    assert_eq!(config.store.path, Path::new("/etc/tp/data"));
    assert_eq!(config.store.values, ValuesIn::Folder);
    assert_eq!(config.plugins.dir, Path::new("/etc/tp/plugins.d"));
    assert_eq!(config.admin.listen.to_string(), "127.0.0.1:8082");
    assert_eq!(config.admin.token, None);
    assert_eq!(config.log.format, LogFormat::Text);
    assert_eq!(config.log.level.default_level(), Some(LevelFilter::INFO));
    assert_eq!(config.telemetry, None);
}

#[test]
fn everything_written_is_used() {
    let text = format!(
        "[node]\nname='n'\nroles=['plugins','core','gateway','proxy']\n\
         [[server]]\nid='pbx-1'\nhost='::1'\nport=5039\nusername='u'\nsecret='s'\nauth='plain'\n\
         device='SIP/{{ext}}-x'\ncontext='from-inside'\nvoicemail='*{{ext}}'\nextensions='^1'\nmaxCalls=7\n\
         keepAlive=5\ntls={{ca='ca.pem',serverName='pbx.example'}}\nfilter={{exclude=['RTCPSent']}}\n\
         ari={{url='https://pbx.example/ari',username='a',password='p',app='desk',ca='pbx-ca.pem'}}\n\
         [[auth.user]]\nname='w'\ntoken='{TOKEN}'\nextension='201'\nagents=['201','202']\n\
         queues=[]\nservers=['pbx-1']\nallow=['dial','hangup:own']\n\
         [commands]\nperSecond=7\ndialsPerMinute=8\ndialsPerNumber=9\ndeniedPrefixes=['00']\n\
         [bus]\nkind='local'\nhistory=5\n[store]\nkind='embedded'\npath='/var/tp'\n\
         [plugins]\ndir='../p'\n[admin]\nlisten='0.0.0.0:82'\ntoken='{TOKEN}'\n\
         [log]\nformat='json'\nlevel='warn,telepulse::proxy=debug'\n\
         [telemetry]\notlp='https://c:4318'\nheaders='k=v'\nservice='tp-test'\nsamplePercent=7\nca='ca.pem'\n"
    );
    let config = parse(&text, &[]).unwrap();
    let expected = Server {
        id: "pbx-1".to_owned(),
        host: "::1".to_owned(),
        port: 5039,
        username: "u".to_owned(),
        secret: Secret::new("s"),
        auth: ServerAuth::Plain,
        device: "SIP/{ext}-x".to_owned(),
        context: "from-inside".to_owned(),
        voicemail: Some("*{ext}".to_owned()),
        extensions: "^1".to_owned(),
        max_calls: Some(7),
        keep_alive: 5,
        tls: Some(ServerTls {
            ca: Some("/etc/tp/ca.pem".into()),
            server_name: Some("pbx.example".to_owned()),
            ..ServerTls::default()
        }),
        filter: ServerFilter { exclude: BTreeSet::from(["RTCPSent".to_owned()]) },
        ari: Some(ServerAri {
            url: "https://pbx.example/ari".parse().unwrap(),
            username: "a".to_owned(),
            password: Secret::new("p"),
            app: "desk".to_owned(),
            ca: Some("/etc/tp/pbx-ca.pem".into()),
        }),
    };
    assert_eq!(config.servers, [expected]);
    let [user] = config.users.as_slice() else { panic!("one user") };
    assert_eq!(user.token, Some(crate::auth::hash_token("demo")));
    assert_eq!(user.queues.as_ref().map(BTreeSet::len), Some(0));
    assert_eq!(user.agents.as_ref().map(BTreeSet::len), Some(2));
    assert!(user.allow.contains("hangup:own"));
    assert_eq!(config.commands.per_second.get(), 7);
    assert_eq!(config.commands.dials_per_minute.get(), 8);
    assert_eq!(config.commands.dials_per_number.get(), 9);
    assert_eq!(config.commands.denied("0049"), Some("00"));
    assert_eq!(config.bus.history, 5);
    assert_eq!(config.store.path, Path::new("/var/tp"));
    assert_eq!(config.plugins.dir, Path::new("/etc/tp/../p"));
    assert_eq!(config.log.format, LogFormat::Json);
    assert!(config.log.level.would_enable("telepulse::proxy", &tracing::Level::DEBUG));
    assert!(!config.log.level.would_enable("telepulse::core", &tracing::Level::INFO));
}
