//! One WebSocket connection from its opening to its end: reads for the plugin, writes from the
//! outbox, pings, and tells the plugin what happened.

use super::{
    Client, Clients, Settings,
    deflate::Form,
    frame,
    inlet::{Inlet, Pace},
    outbox::Lane,
    request::Caller,
    writer::{Framing, Writer},
};
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use governor::{Quota, clock::Clock as _};
use plugin_host::ports::{CloseReason, ConnectionSink, Frame, Happening};
use std::{
    convert::Infallible,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite},
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        error::{CapacityError, ProtocolError},
        protocol::{CloseFrame, Role, WebSocketConfig},
    },
};

/// The library allocates this much for each connection at once.
const READ_BUFFER: usize = 512;
/// How many messages that have arrived together are handed over together.
const TOGETHER: usize = 32;
/// Pings without any sign of life after which a client is gone.
const MISSES: u32 = 2;

/// An upgraded socket, in two halves.
pub(super) struct Socket<R, W> {
    pub(super) read: R,
    pub(super) write: W,
    /// How messages get to the client.
    pub(super) lane: Lane,
    /// What was read beyond the request.
    pub(super) early: Bytes,
    /// How messages are written.
    pub(super) framing: Framing,
}

/// Signs of life, between the reading and the pinging.
#[derive(Default)]
struct Pulse {
    silent: AtomicU32,
    /// Reading has stopped because the plugin is busy: silence proves nothing.
    stopped: AtomicBool,
}

/// Serves a connection to its end; until then its caller has a place.
pub(super) async fn run<R, W>(
    clients: Arc<Clients>,
    client: Arc<Client>,
    sink: Arc<dyn ConnectionSink>,
    socket: Socket<R, W>,
    caller: Caller,
) where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    sink.happened(Happening::Open(client.info())).await;
    let settings = clients.settings();
    let outbox = client.outbox();
    let folds = socket.lane.form == Form::Deflated;
    outbox.open(socket.lane);
    let limits = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_message_size(Some(settings.message_bytes))
        .max_frame_size(Some(settings.message_bytes));
    let mut inlet = Inlet::new(socket.read, Arc::clone(outbox), settings, folds);
    let early = inlet.early(socket.early);
    let mut reader =
        WebSocketStream::from_partially_read(inlet, early, Role::Server, Some(limits)).await;
    let is_answered = socket.framing == Framing::WebSocket;
    let mut writer = Writer::new(socket.write, socket.framing, settings.stall_timeout);
    let resume = || clients.hub().resume(client.id());

    let pulse = Pulse::default();
    let reason = tokio::select! {
        reason = read(&mut reader, client.id(), &*sink, (&pulse, settings)) => {
            // Nothing that waits is of use to who has gone.
            outbox.cut(answer_to(&reason));
            timeout(settings.close_timeout, writer.run(outbox, resume)).await.ok();
            reason
        }
        written = writer.run(outbox, resume) => written.unwrap_or_else(|error| {
            // Cut, but it did not even take the goodbye.
            outbox.closing().unwrap_or_else(|| lost(&error.to_string()))
        }),
        never = tell(&client, &*sink) => match never {},
        never = ping(&client, settings.ping_every, &pulse, is_answered) => match never {},
    };
    clients.forget(&client);
    // Closing while the client still sends would reset the connection under our close frame.
    timeout(settings.close_timeout, discard(&mut reader.get_mut().half)).await.ok();
    drop((reader, writer));
    sink.happened(Happening::Closed(client.id(), reason)).await;
    drop(caller);
}

/// Hands over what the client sends until it closes, breaks the protocol or is gone.
async fn read<R>(
    reader: &mut WebSocketStream<Inlet<R>>,
    id: u64,
    sink: &dyn ConnectionSink,
    (pulse, settings): (&Pulse, &Settings),
) -> CloseReason
where
    R: AsyncRead + Unpin,
{
    let most = settings.messages_a_second;
    let pace = Pace::direct(Quota::per_second(most).allow_burst(most.saturating_add(most.get())));
    let mut frames = Vec::new();
    loop {
        let mut end = None;
        let mut next = reader.next().await;
        loop {
            pulse.silent.store(0, Relaxed);
            match next {
                Some(Ok(Message::Text(text))) => frames.push(Frame::Text(text.as_str().to_owned())),
                Some(Ok(Message::Binary(bytes))) => frames.push(Frame::Binary(bytes)),
                Some(Ok(Message::Close(frame))) => end = Some(closed_by_client(frame)),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(error)) => end = Some(broken(&error)),
                None => end = Some(lost("the client is gone")),
            }
            if end.is_some() || frames.len() >= TOGETHER {
                break;
            }
            match reader.next().now_or_never() {
                Some(more) => next = more,
                None => break,
            }
        }
        if !frames.is_empty() {
            let count = u32::try_from(frames.len()).ok().and_then(NonZeroU32::new);
            pulse.stopped.store(true, Relaxed);
            sink.happened(Happening::Frames(id, std::mem::take(&mut frames))).await;
            if let Some(count) = count {
                wait_for(&pace, count).await;
            }
            pulse.stopped.store(false, Relaxed);
        }
        if let Some(reason) = end {
            return reason;
        }
    }
}

/// Waits until so many more may be read.
async fn wait_for(pace: &Pace, count: NonZeroU32) {
    while let Ok(Err(later)) = pace.check_n(count) {
        tokio::time::sleep(later.wait_time_from(pace.clock().now())).await;
    }
}

/// Tells the plugin when events were lost.
async fn tell(client: &Client, sink: &dyn ConnectionSink) -> Infallible {
    loop {
        let missed = client.outbox().lost().await;
        sink.happened(Happening::Lagged(client.id(), missed)).await;
    }
}

/// Pings, and gives up a client that shows no sign of life.
/// Who cannot answer is pinged to keep the way open.
async fn ping(client: &Client, every: Duration, pulse: &Pulse, is_answered: bool) -> Infallible {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        if pulse.stopped.load(Relaxed) {
            continue;
        }
        if is_answered && pulse.silent.fetch_add(1, Relaxed) >= MISSES {
            let text = "no answer to pings".to_owned();
            client.outbox().cut(CloseReason { code: 1001, text });
        } else {
            client.outbox().control(frame::PING);
        }
    }
}

/// Reads to the end of the stream and looks at nothing.
pub(super) async fn discard(read: &mut (impl AsyncRead + Unpin)) {
    let mut scrap = vec![0; READ_BUFFER];
    while matches!(read.read(&mut scrap).await, Ok(1..)) {}
}

fn closed_by_client(frame: Option<CloseFrame>) -> CloseReason {
    match frame {
        Some(frame) => {
            CloseReason { code: frame.code.into(), text: frame.reason.as_str().to_owned() }
        }
        None => CloseReason { code: 1005, text: String::new() },
    }
}

fn lost(why: &str) -> CloseReason {
    CloseReason { code: 1006, text: why.to_owned() }
}

/// What is said to a client that broke the protocol, or just went away.
fn broken(error: &Error) -> CloseReason {
    let code = match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => 1009,
        Error::Utf8(_) => 1007,
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => 1006,
        Error::Protocol(_) | Error::Capacity(_) => 1002,
        _ => 1006,
    };
    CloseReason { code, text: error.to_string() }
}

/// The close frame that answers the client's, or says what it did wrong.
fn answer_to(reason: &CloseReason) -> CloseReason {
    match reason.code {
        1002 | 1007 | 1009 => reason.clone(),
        code => CloseReason { code, text: String::new() },
    }
}
