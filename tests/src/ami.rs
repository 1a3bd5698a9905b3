//! A small AMI client for the tests' own checks, written apart from the one under test.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use md5::{Digest, Md5};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::recording::Tape;

const REPLY: Duration = Duration::from_secs(30);

/// Whether a session is sent events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Events {
    /// Everything that the user may read.
    On,
    /// Replies only.
    Off,
}

/// An event or a reply: its headers in the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message(Vec<(String, String)>);

impl Message {
    /// The first header of that name, whatever its case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every header of that name.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let name = name.to_owned();
        let same = move |(key, _): &&(String, String)| key.eq_ignore_ascii_case(&name);
        self.0.iter().filter(same).map(|(_, value)| value.as_str())
    }

    /// Every header, name and value.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Is it the event of that name?
    pub fn is_event(&self, name: &str) -> bool {
        self.get("Event") == Some(name)
    }

    /// Has it a header `name` with exactly this value?
    pub fn has(&self, name: &str, value: &str) -> bool {
        self.all(name).any(|found| found == value)
    }

    fn parse(block: &str) -> Self {
        let header = |line: &str| {
            let (key, value) = line.split_once(':')?;
            Some((key.to_owned(), value.strip_prefix(' ').unwrap_or(value).to_owned()))
        };
        Self(block.split("\r\n").filter_map(header).collect())
    }
}

/// What came so far. It is kept for the life of the session: a test's, so it stays small.
#[derive(Debug, Default)]
struct Log {
    messages: Mutex<Vec<Arc<Message>>>,
}

impl Log {
    fn push(&self, message: Message) -> usize {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        messages.push(Arc::new(message));
        messages.len()
    }

    fn since(&self, mark: usize) -> Vec<Arc<Message>> {
        let messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        messages.get(mark..).unwrap_or_default().to_vec()
    }
}

/// How many messages came, and whether the session has ended.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    count: usize,
    ended: bool,
}

/// A logged-in AMI session. A task reads it all the time, so Asterisk never finds it slow.
#[derive(Debug)]
pub struct Client {
    writer: OwnedWriteHalf,
    log: Arc<Log>,
    progress: watch::Receiver<Progress>,
    reader: JoinHandle<()>,
    prefix: &'static str,
    sent: u64,
    tape: Option<Tape>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Client {
    /// Connects and logs in by MD5 challenge.
    pub async fn login(at: SocketAddr, user: &str, secret: &str, events: Events) -> Result<Self> {
        let mut client = Self::connect(at, "audit", None).await?;
        client.authenticate(user, secret, events).await?;
        Ok(client)
    }

    /// Connects and logs in with every byte of both directions put on `tape`; its ActionIDs are
    /// `tp-1`, `tp-2` and so on, the challenge being the first.
    pub async fn login_recorded(
        at: SocketAddr,
        user: &str,
        secret: &str,
        tape: Tape,
    ) -> Result<Self> {
        let mut client = Self::connect(at, "tp", Some(tape)).await?;
        client.authenticate(user, secret, Events::On).await?;
        Ok(client)
    }

    async fn connect(at: SocketAddr, prefix: &'static str, tape: Option<Tape>) -> Result<Self> {
        let stream = TcpStream::connect(at).await.with_context(|| format!("connecting to {at}"))?;
        let (reader, writer) = stream.into_split();
        let log = Arc::new(Log::default());
        let (report, progress) = watch::channel(Progress::default());
        let reader = tokio::spawn(read(reader, Arc::clone(&log), report, tape.clone()));
        Ok(Self { writer, log, progress, reader, prefix, sent: 0, tape })
    }

    async fn authenticate(&mut self, user: &str, secret: &str, events: Events) -> Result<()> {
        let challenge = self.action("Challenge", &[("AuthType", "MD5")]).await?;
        let challenge = challenge.get("Challenge").context("no challenge came")?;
        let key = Md5::digest(format!("{challenge}{secret}"));
        let key = key.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        let events = if events == Events::On { "on" } else { "off" };
        let login = [("AuthType", "MD5"), ("Username", user), ("Key", &key), ("Events", events)];
        let reply = self.action("Login", &login).await?;
        if !reply.has("Response", "Success") {
            bail!("login as {user} refused: {}", reply.get("Message").unwrap_or("no reason given"));
        }
        Ok(())
    }

    /// Sends an action and does not wait; gives its ActionID.
    pub async fn send(&mut self, action: &str, headers: &[(&str, &str)]) -> Result<String> {
        self.sent += 1;
        let id = format!("{}-{}", self.prefix, self.sent);
        let mut text = format!("Action: {action}\r\nActionID: {id}\r\n");
        for (key, value) in headers {
            // Writing to a String cannot fail.
            let _ = write!(text, "{key}: {value}\r\n");
        }
        text.push_str("\r\n");
        if let Some(tape) = &self.tape {
            tape.sent(text.as_bytes());
        }
        self.writer
            .write_all(text.as_bytes())
            .await
            .with_context(|| format!("sending {action}"))?;
        Ok(id)
    }

    /// Sends an action and gives its reply, Success or Error.
    pub async fn action(&mut self, action: &str, headers: &[(&str, &str)]) -> Result<Arc<Message>> {
        let mark = self.mark();
        let id = self.send(action, headers).await?;
        self.reply(mark, action, &id).await
    }

    async fn reply(&self, mark: usize, action: &str, id: &str) -> Result<Arc<Message>> {
        let what = format!("the reply to {action}");
        let ours =
            |message: &Message| message.get("Response").is_some() && message.has("ActionID", id);
        self.wait(mark, REPLY, &what, ours).await
    }

    /// Sends an action that is answered by a list and gives the items; an Error that says that
    /// there is nothing ("No active conferences.") is an empty list.
    pub async fn list(
        &mut self,
        action: &str,
        headers: &[(&str, &str)],
    ) -> Result<Vec<Arc<Message>>> {
        let mark = self.mark();
        let id = self.send(action, headers).await?;
        let reply = self.reply(mark, action, &id).await?;
        if !reply.has("Response", "Success") {
            let reason = reply.get("Message").unwrap_or_default();
            if reason.starts_with("No ") {
                return Ok(Vec::new());
            }
            bail!("{action}: {reason}");
        }
        let complete = |message: &Message| {
            message.has("ActionID", &id) && message.has("EventList", "Complete")
        };
        self.wait(mark, REPLY, &format!("the end of the list {action}"), complete).await?;
        let mut items = self.log.since(mark);
        items.retain(|message| message.has("ActionID", &id) && message.get("EventList").is_none());
        Ok(items)
    }

    /// Every live channel (`CoreShowChannel`).
    pub async fn core_show_channels(&mut self) -> Result<Vec<Arc<Message>>> {
        self.list("CoreShowChannels", &[]).await
    }

    /// Every queue with its members and callers (`QueueParams`, `QueueMember`, `QueueEntry`).
    pub async fn queue_status(&mut self) -> Result<Vec<Arc<Message>>> {
        self.list("QueueStatus", &[]).await
    }

    /// The output of a console command.
    pub async fn console(&mut self, command: &str) -> Result<String> {
        let reply = self.action("Command", &[("Command", command)]).await?;
        Ok(reply.all("Output").collect::<Vec<_>>().join("\n"))
    }

    /// A place in the stream of messages: all that come later are after it.
    pub fn mark(&self) -> usize {
        self.progress.borrow().count
    }

    /// Every message after `mark`, in order.
    pub fn since(&self, mark: usize) -> Vec<Arc<Message>> {
        self.log.since(mark)
    }

    /// The first message after `mark` that fits, at once if it is there already.
    pub async fn wait(
        &self,
        mark: usize,
        limit: Duration,
        what: &str,
        fits: impl Fn(&Message) -> bool,
    ) -> Result<Arc<Message>> {
        let mut progress = self.progress.clone();
        let search = async {
            let mut from = mark;
            loop {
                let now = *progress.borrow_and_update();
                let fresh = self.log.since(from);
                if let Some(found) = fresh.iter().find(|message| fits(message)) {
                    return Ok(Arc::clone(found));
                }
                from += fresh.len();
                if now.ended || progress.changed().await.is_err() {
                    bail!("Asterisk closed the session while we waited for {what}");
                }
            }
        };
        match tokio::time::timeout(limit, search).await {
            Ok(found) => found,
            Err(_) => bail!("waited {:.1} s in vain for {what}", limit.as_secs_f64()),
        }
    }
}

/// Reads until the end, cutting the bytes into messages.
async fn read(
    mut stream: OwnedReadHalf,
    log: Arc<Log>,
    report: watch::Sender<Progress>,
    tape: Option<Tape>,
) {
    let mut chunk = vec![0; 64 * 1024];
    let mut text = Vec::new();
    let mut greeted = false;
    while let Ok(length @ 1..) = stream.read(&mut chunk).await {
        if let Some(tape) = &tape {
            tape.received(&chunk[..length]);
        }
        text.extend_from_slice(&chunk[..length]);
        if !greeted && let Some(end) = find(&text, b"\r\n") {
            // The banner is a line by itself, with no blank one after it.
            text.drain(..end + 2);
            greeted = true;
        }
        let mut done = 0;
        while greeted && let Some(end) = find(&text[done..], b"\r\n\r\n") {
            let block = String::from_utf8_lossy(&text[done..done + end]);
            let block = block.trim_start_matches("\r\n");
            if !block.is_empty() {
                let count = log.push(Message::parse(block));
                report.send_modify(|progress| progress.count = count);
            }
            done += end + 4;
        }
        text.drain(..done);
    }
    report.send_modify(|progress| progress.ended = true);
}

fn find(text: &[u8], pattern: &[u8]) -> Option<usize> {
    text.windows(pattern.len()).position(|window| window == pattern)
}
