//! Serves a recording as an AMI server: each client sees it from its own login on.

use super::playing::Playing;
use ami_proto::{Decoder, Frame, Limits, recording::Script};
use std::{io, net::SocketAddr, str::FromStr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::task::AbortOnDropHandle;

/// Clients at a time.
const MAX_CLIENTS: usize = 64;
/// The fastest that is not flat out, so that no time is divided away.
const MAX_TIMES: f64 = 1_000_000.0;

/// For what is never due.
const FAR: Duration = Duration::from_hours(365 * 24);

/// How fast a recording is served.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// So many times as fast as it was.
    Times(f64),
    /// As fast as the client reads.
    Max,
}

impl Speed {
    /// When something is due that was recorded so many milliseconds after `begin`.
    pub(super) fn due(self, begin: Instant, at_ms: u64) -> Instant {
        match self {
            Self::Times(times) => {
                let seconds = Duration::from_millis(at_ms).as_secs_f64() / times;
                let after = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
                // A file can name any time.
                begin.checked_add(after).unwrap_or_else(|| begin + FAR)
            }
            Self::Max => begin,
        }
    }
}

impl FromStr for Speed {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "max" {
            return Ok(Self::Max);
        }
        match text.strip_suffix('x').unwrap_or(text).parse() {
            Ok(times) if (1.0 / MAX_TIMES..=MAX_TIMES).contains(&times) => Ok(Self::Times(times)),
            _ => Err("must be a number such as 1, 10 or 0.5, or max"),
        }
    }
}

/// Who may log in; without one, anybody.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The name.
    pub username: String,
    /// The secret, in plain or by challenge.
    pub secret: String,
}

/// What happens to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// It connected from there.
    Came(SocketAddr),
    /// It logged in, and the recording begins for it.
    LoggedIn,
    /// Every event was sent: so many; it stays connected.
    Over(u64),
    /// It is gone; so many events were sent to it.
    Went(u64),
    /// It was turned away: there are too many.
    TurnedAway(SocketAddr),
}

/// A recording being served; it ends when this is dropped.
#[derive(Debug)]
pub struct Replay {
    address: SocketAddr,
    _accepting: AbortOnDropHandle<()>,
}

/// What the clients of a replay have in common.
struct Stage {
    script: Arc<Script>,
    speed: Speed,
    login: Option<Login>,
    tell: Box<dyn Fn(u64, Happening) + Send + Sync>,
}

impl Replay {
    /// Listens; `tell` hears what happens to each client, which are numbered from 1.
    pub async fn start(
        script: Script,
        speed: Speed,
        login: Option<Login>,
        listen: SocketAddr,
        tell: impl Fn(u64, Happening) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let stage = Stage { script: Arc::new(script), speed, login, tell: Box::new(tell) };
        let accepting = tokio::spawn(accept(listener, Arc::new(stage)));
        Ok(Self { address, _accepting: AbortOnDropHandle::new(accepting) })
    }

    /// Where to connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn accept(listener: TcpListener, stage: Arc<Stage>) {
    let mut clients = JoinSet::new();
    let mut number = 0;
    loop {
        let accepted = listener.accept().await;
        while clients.try_join_next().is_some() {}
        match accepted {
            Ok((stream, from)) => {
                number += 1;
                if clients.len() < MAX_CLIENTS {
                    (stage.tell)(number, Happening::Came(from));
                    clients.spawn(serve(stream, number, stage.clone()));
                } else {
                    (stage.tell)(number, Happening::TurnedAway(from));
                }
            }
            // Out of file descriptors, as a rule: it passes.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn serve(mut stream: TcpStream, number: u64, stage: Arc<Stage>) {
    let mut playing =
        Playing::new(stage.script.clone(), stage.speed, stage.login.clone(), rand::random());
    // However the connection ends, the client is gone.
    let _ = play(&mut stream, &mut playing, number, &stage).await;
    (stage.tell)(number, Happening::Went(playing.sent));
}

/// Until the client goes. One that does not read only holds up itself.
async fn play(
    stream: &mut TcpStream,
    playing: &mut Playing,
    number: u64,
    stage: &Stage,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.write_all(&stage.script.greeting()).await?;
    let (mut reader, mut writer) = stream.split();
    // As Asterisk's own: lines of 1,024 bytes, 128 headers.
    let limits = Limits { line: 1_024, lines: 128, message: 128 << 10, ..Limits::default() };
    let mut decoder = Decoder::without_banner(limits);
    let mut was_over = false;
    loop {
        let due = playing.due();
        tokio::select! {
            read = reader.read_buf(decoder.buffer()) => {
                if read? == 0 {
                    return Ok(());
                }
                for frame in decoder.by_ref() {
                    // What breaks the limits is left out, as Asterisk does.
                    let Ok(Frame::Message(action)) = frame else { continue };
                    let was_logged_in = playing.is_logged_in();
                    let reply = playing.act(&action, Instant::now());
                    if playing.is_logged_in() && !was_logged_in {
                        (stage.tell)(number, Happening::LoggedIn);
                    }
                    writer.write_all(&reply.bytes).await?;
                    if reply.is_last {
                        return writer.shutdown().await;
                    }
                }
            }
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                let events = playing.collect(Instant::now());
                writer.write_all(&events).await?;
            }
        }
        if !was_over && playing.is_logged_in() && playing.is_over() {
            was_over = true;
            (stage.tell)(number, Happening::Over(playing.sent));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds() {
        assert_eq!("max".parse(), Ok(Speed::Max));
        assert_eq!("10".parse(), Ok(Speed::Times(10.0)));
        assert_eq!("0.5x".parse(), Ok(Speed::Times(0.5)));
        let now = Instant::now();
        assert_eq!(Speed::Times(4.0).due(now, 2_000), now + Duration::from_millis(500));
        assert_eq!(Speed::Max.due(now, u64::MAX), now);
        assert!(Speed::Times(1.0 / MAX_TIMES).due(now, u64::MAX) > now + FAR / 2);
        for bad in ["", "0", "-1", "NaN", "inf", "fast", "1e9", "maximum"] {
            assert!(bad.parse::<Speed>().is_err(), "{bad}");
        }
    }
}
