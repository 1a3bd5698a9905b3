//! Manager interfaces that do as they are told: honest ones that list nothing, and bad ones.

use anyhow::Result;
use std::{
    fmt::Write as _,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    select,
    sync::watch,
    time::{Duration, sleep},
};

/// How a server behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Logs anybody in, lists nothing, floods when asked to.
    Honest,
    /// Greets, and says no more.
    Silent,
    /// Begins every listing and ends none.
    Endless,
    /// Begins every listing and calls it off.
    Cancelling,
    /// Answers what nobody asked, with other ids, twice, and with ends of lists that never began.
    Liar,
    /// Greets, and goes on with one line for ever.
    OneLine,
    /// Refuses the login.
    Rejecting,
    /// Honest, but takes its time over a QueueAdd.
    Slow,
}

pub(crate) struct Server {
    address: SocketAddr,
    /// How often somebody connected.
    connections: Arc<AtomicUsize>,
    flood: watch::Sender<bool>,
    _stop: tokio_util::task::AbortOnDropHandle<()>,
}

impl Server {
    pub(crate) async fn start(manner: Manner) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (flood, flooding) = watch::channel(false);
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = connections.clone();
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(manner, stream, flooding.clone()));
            }
        });
        Ok(Self {
            address,
            connections,
            flood,
            _stop: tokio_util::task::AbortOnDropHandle::new(serving),
        })
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// `[[server]]` for it.
    pub(crate) fn configuration(&self, id: &str) -> String {
        let port = self.address.port();
        format!(
            "[[server]]\nid = \"{id}\"\nhost = \"127.0.0.1\"\nport = {port}\n\
             username = \"u\"\nsecret = \"s\"\n"
        )
    }

    /// Sends calls that come and go as fast as they are read.
    pub(crate) fn flood(&self) {
        self.flood.send_replace(true);
    }

    pub(crate) fn calm(&self) {
        self.flood.send_replace(false);
    }
}

async fn serve(
    manner: Manner,
    stream: TcpStream,
    mut flooding: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"Asterisk Call Manager/11.0.0\r\n").await?;
    if manner == Manner::OneLine {
        let piece = "x".repeat(64 * 1024);
        loop {
            writer.write_all(piece.as_bytes()).await?;
        }
    }
    let calls: Arc<str> = calls().into();
    let mut fields = Vec::new();
    loop {
        let is_flooding = *flooding.borrow_and_update();
        select! {
            line = lines.next_line() => match line?.as_deref() {
                None => return Ok(()),
                Some("") => {
                    let text = answer(manner, &std::mem::take(&mut fields));
                    if manner == Manner::Slow && text.contains("QueueAdd") {
                        sleep(Duration::from_millis(300)).await;
                    }
                    writer.write_all(text.as_bytes()).await?;
                }
                Some(line) => fields.extend(line.split_once(": ").map(|(k, v)| (k.to_owned(), v.to_owned()))),
            },
            _ = flooding.changed() => {}
            () = std::future::ready(()), if is_flooding => writer.write_all(calls.as_bytes()).await?,
        }
    }
}

/// A hundred calls from the first ring to the end.
fn calls() -> String {
    let mut text = String::new();
    for call in 0..100 {
        let channel = format!(
            "Channel: PJSIP/101-{call:08x}\r\nChannelState: 6\r\nUniqueid: 1.{call}\r\nLinkedid: 1.{call}\r\n"
        );
        for event in ["Newchannel", "Newstate", "Hangup"] {
            // Writing to a String cannot fail.
            let _ = write!(text, "Event: {event}\r\n{channel}\r\n");
        }
    }
    text
}

/// Actions that are answered by a list.
const LISTS: [&str; 9] = [
    "Status",
    "BridgeList",
    "QueueStatus",
    "ExtensionStateList",
    "DeviceStateList",
    "PresenceStateList",
    "ParkedCalls",
    "ConfbridgeListRooms",
    "PJSIPShowContacts",
];

fn answer(manner: Manner, fields: &[(String, String)]) -> String {
    let field =
        |key: &str| fields.iter().find(|(k, _)| k == key).map_or("", |(_, value)| value.as_str());
    let id = format!("ActionID: {}\r\n", field("ActionID"));
    match field("Action") {
        _ if manner == Manner::Silent => String::new(),
        "Login" if manner == Manner::Rejecting => {
            format!("Response: Error\r\n{id}Message: Authentication failed\r\n\r\n")
        }
        "Challenge" => format!("Response: Success\r\n{id}Challenge: 123\r\n\r\n"),
        "Login" => format!(
            "Response: Success\r\n{id}Message: Authentication accepted\r\n\r\n\
             Event: FullyBooted\r\nUptime: 1\r\n\r\n"
        ),
        list if LISTS.contains(&list)
            && [Manner::Endless, Manner::Cancelling].contains(&manner) =>
        {
            let item = "Event: Status\r\nChannel: PJSIP/666-1\r\nUniqueid: 6.6\r\n";
            let end = match manner {
                Manner::Endless => String::new(),
                _ => format!("Event: {list}Complete\r\n{id}EventList: cancelled\r\n\r\n"),
            };
            format!("Response: Success\r\n{id}EventList: start\r\n\r\n{item}{id}\r\n{end}")
        }
        _ if manner == Manner::Liar => {
            let lie = "Response: Success\r\nActionID: tp00000000-7l\r\nEventList: start\r\n\r\n\
                       Event: StatusComplete\r\nActionID: nobody\r\nEventList: Complete\r\n\r\n\
                       Event: Hangup\r\nUniqueid: none\r\n\r\n\0: \r\n\r\n";
            format!(
                "{lie}Response: Error\r\n{id}Message: no\r\n\r\nResponse: Error\r\n{id}\r\n{lie}"
            )
        }
        list if LISTS.contains(&list) => format!(
            "Response: Success\r\n{id}EventList: start\r\n\r\n\
             Event: {list}Complete\r\n{id}EventList: Complete\r\nListItems: 0\r\n\r\n"
        ),
        other => format!("Response: Success\r\n{id}Message: {other} done\r\n\r\n"),
    }
}
