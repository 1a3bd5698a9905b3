//! What the WebSocket protocol reads from and writes to: the socket's reading half, and the outbox.
//!
//! The library that reads frames answers pings by itself. Its pongs take their place in the outbox,
//! between two frames; its close frames are dropped, for the connection says goodbye itself. What a client
//! compresses is unfolded before the library sees it, and whoever sends more than it may is read later.

use super::{Settings, frame::PONG, outbox::Outbox, unfold::Unfolder};
use bytes::Bytes;
use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    state::{InMemoryState, NotKeyed},
};
use std::{
    io,
    num::NonZeroU32,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// How much of something there may be in a second.
pub(super) type Pace = RateLimiter<NotKeyed, InMemoryState, DefaultClock>;
/// How much is read at a time where it has to be unfolded.
const CHUNK: usize = 2048;

pub(super) struct Inlet<R> {
    pub(super) half: R,
    outbox: Arc<Outbox>,
    pace: Pace,
    /// Until when nothing is read.
    pause: Option<Pin<Box<Sleep>>>,
    folded: Option<Box<Folded>>,
}

/// Of a client that compresses.
struct Folded {
    unfolder: Unfolder,
    /// What is ready, and how much of it has been read.
    ready: Vec<u8>,
    read: usize,
}

impl<R> Inlet<R> {
    /// `folds`: the client may compress its messages.
    pub(super) fn new(half: R, outbox: Arc<Outbox>, settings: &Settings, folds: bool) -> Self {
        let most = settings.bytes_a_second;
        let quota = Quota::per_second(most).allow_burst(most.saturating_add(most.get()));
        let folded = folds.then(|| {
            let unfolder = Unfolder::new(settings.message_bytes);
            Box::new(Folded { unfolder, ready: Vec::new(), read: 0 })
        });
        Self { half, outbox, pace: Pace::direct(quota), pause: None, folded }
    }

    /// What came before the protocol was agreed on, as the library reads it.
    pub(super) fn early(&mut self, bytes: Bytes) -> Vec<u8> {
        match &mut self.folded {
            None => bytes.into(),
            Some(folded) => {
                let mut out = Vec::new();
                folded.unfolder.take(&bytes, &mut out);
                out
            }
        }
    }

    /// Whether nothing may be read yet.
    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        Poll::Ready(())
    }

    /// So much has been read.
    fn count(&mut self, bytes: usize) {
        let Some(bytes) = u32::try_from(bytes).ok().and_then(NonZeroU32::new) else { return };
        if let Ok(Err(later)) = self.pace.check_n(bytes) {
            let wait = later.wait_time_from(self.pace.clock().now());
            self.pause = Some(Box::pin(sleep(wait)));
        }
    }
}

impl<R: AsyncRead + Unpin> Inlet<R> {
    fn poll_folded(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let Some(folded) = &mut self.folded else { return Poll::Ready(Ok(())) };
            let ready = &folded.ready[folded.read..];
            if !ready.is_empty() {
                let count = ready.len().min(buf.remaining());
                buf.put_slice(&ready[..count]);
                folded.read += count;
                if folded.read == folded.ready.len() {
                    (folded.ready, folded.read) = Default::default();
                }
                return Poll::Ready(Ok(()));
            }
            let mut chunk = [0; CHUNK];
            let mut raw = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut self.half).poll_read(cx, &mut raw))?;
            if raw.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            folded.unfolder.take(raw.filled(), &mut folded.ready);
            let count = raw.filled().len();
            self.count(count);
            ready!(self.poll_pause(cx));
        }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Inlet<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_pause(cx));
        if self.folded.is_some() {
            return self.poll_folded(cx, buf);
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.half).poll_read(cx, buf))?;
        self.count(buf.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl<R: Unpin> AsyncWrite for Inlet<R> {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        frame: &[u8],
    ) -> Poll<io::Result<usize>> {
        if frame.first() == Some(&PONG) {
            self.outbox.control(Bytes::copy_from_slice(frame));
        }
        Poll::Ready(Ok(frame.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
