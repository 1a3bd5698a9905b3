//! A manager interface that does as it is told: logs anybody in, lists nothing, floods on demand.

use anyhow::Result;
use std::{fmt::Write as _, net::SocketAddr, sync::Arc};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    select,
    sync::watch,
};

pub(crate) struct Server {
    address: SocketAddr,
    flood: watch::Sender<bool>,
    _stop: tokio_util::task::AbortOnDropHandle<()>,
}

impl Server {
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (flood, flooding) = watch::channel(false);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, flooding.clone()));
            }
        });
        Ok(Self { address, flood, _stop: tokio_util::task::AbortOnDropHandle::new(serving) })
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

async fn serve(stream: TcpStream, mut flooding: watch::Receiver<bool>) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"Asterisk Call Manager/11.0.0\r\n").await?;
    let calls: Arc<str> = calls().into();
    let mut fields = Vec::new();
    loop {
        let is_flooding = *flooding.borrow_and_update();
        select! {
            line = lines.next_line() => match line?.as_deref() {
                None => return Ok(()),
                Some("") => writer.write_all(answer(&std::mem::take(&mut fields)).as_bytes()).await?,
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

fn answer(fields: &[(String, String)]) -> String {
    let field =
        |key: &str| fields.iter().find(|(k, _)| k == key).map_or("", |(_, value)| value.as_str());
    let id = format!("ActionID: {}\r\n", field("ActionID"));
    match field("Action") {
        "Challenge" => format!("Response: Success\r\n{id}Challenge: 123\r\n\r\n"),
        "Login" => format!(
            "Response: Success\r\n{id}Message: Authentication accepted\r\n\r\n\
             Event: FullyBooted\r\nUptime: 1\r\n\r\n"
        ),
        list @ ("Status"
        | "BridgeList"
        | "QueueStatus"
        | "ExtensionStateList"
        | "DeviceStateList"
        | "PresenceStateList"
        | "ParkedCalls"
        | "ConfbridgeListRooms"
        | "PJSIPShowContacts") => format!(
            "Response: Success\r\n{id}EventList: start\r\n\r\n\
             Event: {list}Complete\r\n{id}EventList: Complete\r\nListItems: 0\r\n\r\n"
        ),
        _ => format!("Response: Success\r\n{id}\r\n"),
    }
}
