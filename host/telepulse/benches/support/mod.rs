//! What the benchmarks of the gateway share: a platform in a folder of its own, clients, and events.

pub(crate) mod components;
#[allow(dead_code, reason = "the gateway's alone has neighbours")]
pub(crate) mod offenders;

pub(crate) use components::component;

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, TcpListener},
    path::Path,
    time::{Duration, SystemTime},
};

use futures_util::{SinkExt as _, StreamExt as _};
use sha2::{Digest as _, Sha256};
use telepulse::config::{Config, Source};
use telepulse_language::{ChannelState, Details, Event, Timestamp, format_smolstr};
use tokio::{
    net::TcpStream,
    runtime::{Builder, Runtime},
    time::timeout,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};

/// For the platform to start, and for the last event to arrive.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
const TOKEN: &str = "bench";

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub(crate) fn runtime(name: &str) -> Runtime {
    Builder::new_multi_thread().worker_threads(2).thread_name(name).enable_all().build().unwrap()
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// The platform with the gateway, in a folder of its own; more plugins may be put beside it.
pub(crate) fn configuration(folder: &Path, port: u16) -> Config {
    configuration_with(folder, port, "")
}

/// The same, with more in the configuration's file.
pub(crate) fn configuration_with(folder: &Path, port: u16, more: &str) -> Config {
    configuration_at(folder, port, "", more)
}

/// The same, with more to say of the store.
pub(crate) fn configuration_at(folder: &Path, port: u16, store: &str, more: &str) -> Config {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let plugins = folder.join("plugins.d");
    fs::create_dir(&plugins).unwrap();
    let grants = fs::read_to_string(root.join("plugins/websocket/websocket.toml")).unwrap();
    let grants = grants
        .replace("127.0.0.1:8084", &format!("127.0.0.1:{port}"))
        .replace("127.0.0.1:8083", &format!("127.0.0.1:{}", free_port()));
    fs::write(plugins.join("websocket.toml"), grants).unwrap();
    fs::write(plugins.join("websocket.wasm"), component("telepulse_plugin_websocket")).unwrap();
    let text = format!(
        "[store]\npath = \"data\"\ncalls = 0\n{store}[plugins]\ndir = \"plugins.d\"\n\
         [admin]\nlisten = \"127.0.0.1:{}\"\n\
         [[auth.user]]\nname = \"bench\"\ntoken = \"sha256:{}\"\nallow = [\"*\"]\n{more}",
        free_port(),
        format_args!("{:x}", Sha256::digest(TOKEN)),
    );
    let source = Source {
        file: &folder.join("telepulse.toml"),
        text: &text,
        variables: &BTreeMap::new(),
        files: &|_| Err(std::io::ErrorKind::Unsupported.into()),
    };
    Config::parse(&source).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// A client that gets the events which pass a filter, given as JSON.
pub(crate) async fn subscribed(port: u16, filter: &str) -> Socket {
    let mut request = format!("ws://127.0.0.1:{port}/").into_client_request().unwrap();
    let token = format!("Bearer {TOKEN}").parse().unwrap();
    request.headers_mut().insert("authorization", token);
    let (mut socket, _) =
        timeout(PATIENCE, connect_async(request)).await.expect("the gateway listens").unwrap();
    let subscribe = format!(r#"{{"action":"subscribe","id":1,"filter":{filter}}}"#);
    socket.send(Message::text(subscribe)).await.unwrap();
    let reply = timeout(PATIENCE, socket.next()).await.expect("a reply").unwrap().unwrap();
    let reply = reply.into_text().unwrap();
    assert!(reply.contains(r#""ok":true"#), "{reply}");
    socket
}

/// An event of about 330 bytes, about one of so many agents in turn.
pub(crate) fn event(number: u64, agents: u64) -> Event {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Event {
        server: "bench".into(),
        time: Timestamp(u64::try_from(since.as_millis()).unwrap()),
        agent: Some((number % agents).to_string().into()),
        queue: None,
        details: Details::ChannelState(ChannelState {
            channel: format_smolstr!("PJSIP/201-{number:08x}"),
            call: format_smolstr!("bench-{number}"),
            state: "up".into(),
            number: "38511234567".into(),
            name: "Ana Horvat".into(),
            cause: None,
            cause_text: None,
        }),
    }
}

/// The event's number: cheaper than reading JSON, which would be measured along.
pub(crate) fn number_of(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once(r#""call":"bench-"#)?;
    rest.split_once('"')?.0.parse().ok()
}
