//! Writes what waits in an outbox to its socket: many frames in one call, none of them copied.

use super::{
    deflate::Form,
    event_stream, frame,
    halves::{FRAMES, with_slices},
    outbox::{Item, Next, Outbox},
};
use futures_util::future::poll_immediate;
use plugin_host::ports::CloseReason;
use std::{collections::VecDeque, future::poll_fn, io, pin::Pin, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    time::timeout,
};

/// Queues that have grown larger are given back when they are empty.
const KEEP: usize = 32;

/// How messages are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// As they are kept: ready for a WebSocket.
    WebSocket,
    /// As server-sent events.
    EventStream {
        /// The name of the event stream, for the events' ids.
        epoch: Arc<str>,
    },
}

/// The writing half of a connection. [`Writer::run`] may be dropped and called again.
pub(super) struct Writer<W> {
    half: W,
    framing: Framing,
    /// Some of the batch as server-sent events, and how many; with them `offset` counts in here.
    encoded: (Vec<u8>, usize),
    batch: VecDeque<Item>,
    /// How much of the first item has been written.
    offset: usize,
    stall: Duration,
    /// It has taken nothing for as long as allowed, and gets what time there is for a goodbye.
    stalled: bool,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    pub(super) fn new(half: W, framing: Framing, stall: Duration) -> Self {
        let (encoded, batch) = Default::default();
        Self { half, framing, encoded, batch, offset: 0, stall, stalled: false }
    }

    /// Writes until the outbox is closed and the close frame is out; answers why. `roomy` is called
    /// when somebody waits for room and there is some.
    pub(super) async fn run(
        &mut self,
        outbox: &Outbox,
        roomy: impl Fn(),
    ) -> io::Result<CloseReason> {
        loop {
            while !self.batch.is_empty() {
                let done = match self.framing {
                    Framing::WebSocket => {
                        let bytes = self.write(outbox).await?;
                        self.finished(bytes, outbox.form())
                    }
                    Framing::EventStream { .. } => self.write_events(outbox).await?,
                };
                if outbox.written(self.batch.drain(..done)) {
                    roomy();
                }
            }
            self.flush(outbox).await?;
            if self.batch.capacity() > KEEP {
                self.batch = VecDeque::new();
            }
            match outbox.next(&mut self.batch).await {
                Next::Write { offset } => self.offset = offset,
                Next::Close(reason) => {
                    let frame = match self.framing {
                        Framing::WebSocket => frame::close(&reason),
                        Framing::EventStream { .. } => event_stream::close(&reason).into(),
                    };
                    timeout(self.stall, self.half.write_all(&frame)).await??;
                    self.half.shutdown().await?;
                    return Ok(reason);
                }
            }
        }
    }

    /// What TLS still holds goes out. Without TLS nothing is held.
    async fn flush(&mut self, outbox: &Outbox) -> io::Result<()> {
        if let Some(flushed) = poll_immediate(self.half.flush()).await {
            return flushed;
        }
        timeout(self.stall, self.half.flush()).await.unwrap_or_else(|_| {
            self.stalled = true;
            outbox.cut_slow();
            Err(io::ErrorKind::TimedOut.into())
        })
    }

    /// One system call; answers how many bytes it took.
    async fn write(&mut self, outbox: &Outbox) -> io::Result<usize> {
        let Self { half, batch, offset, .. } = self;
        let form = outbox.form();
        let written = poll_fn(|cx| {
            with_slices(batch.iter().map(|item| item.bytes(form)), *offset, |slices| {
                Pin::new(&mut *half).poll_write_vectored(cx, slices)
            })
        });
        match timeout(self.stall, written).await {
            Ok(Ok(0)) => Err(io::ErrorKind::WriteZero.into()),
            Ok(result) => result,
            Err(_) if self.stalled => Err(io::ErrorKind::TimedOut.into()),
            Err(_) => {
                self.stalled = true;
                outbox.cut_slow();
                // Only a frame that is partly out must be finished before the close frame.
                let begun = usize::from(self.offset > 0);
                outbox.written(self.batch.drain(begun..));
                Ok(0)
            }
        }
    }

    /// Some of the batch as server-sent events; answers how many items are done.
    async fn write_events(&mut self, outbox: &Outbox) -> io::Result<usize> {
        let Self { half, framing, encoded: (bytes, items), batch, offset, .. } = self;
        if let (true, Framing::EventStream { epoch }) = (bytes.is_empty(), &*framing) {
            *items = batch.len().min(FRAMES);
            for item in batch.iter().take(FRAMES) {
                match item {
                    Item::Event(entry) => {
                        event_stream::event(bytes, epoch, entry.seq, &entry.json());
                    }
                    Item::Frame(frame) => event_stream::framed(bytes, frame),
                }
            }
        }
        while *offset < bytes.len() {
            match timeout(self.stall, half.write(&bytes[*offset..])).await {
                Ok(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => *offset += written?,
                Err(_) => {
                    outbox.cut_slow();
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
        }
        bytes.clear();
        *offset = 0;
        Ok(std::mem::take(items))
    }

    /// Moves on by so many bytes; answers how many items are done.
    fn finished(&mut self, bytes: usize, form: Form) -> usize {
        self.offset += bytes;
        let mut done = 0;
        for item in &self.batch {
            let length = item.bytes(form).len();
            if self.offset < length {
                break;
            }
            self.offset -= length;
            done += 1;
        }
        done
    }
}
