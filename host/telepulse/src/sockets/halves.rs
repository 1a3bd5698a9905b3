//! Both halves of a TCP socket, and a third hand on it: who has something to write while nobody else
//! writes may try at once, without waking a task.

use bytes::Bytes;
use rustix::net::{SendFlags, Shutdown, send, shutdown};
use std::{
    io::{self, ErrorKind, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// How many frames go into one system call.
pub(super) const FRAMES: usize = 128;

/// One of two hands on a socket: one reads, one writes.
pub(super) struct Half(pub(super) Arc<TcpStream>);

/// Writes as many bytes of these frames as the socket takes at once.
pub(super) fn write_now<'f>(
    socket: &TcpStream,
    mut frames: impl ExactSizeIterator<Item = &'f Bytes>,
) -> io::Result<usize> {
    match frames.len() {
        // The cheaper system call, past what the runtime knows of the socket: that is memory of another place
        // for each client. Who then waits for the socket finds out for itself that it takes nothing.
        1 => frames.next().map_or(Ok(0), |frame| {
            Ok(send(socket, frame, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
        }),
        _ => with_slices(frames, 0, |slices| socket.try_write_vectored(slices)),
    }
}

/// Calls `write` with the bytes of the first frames; `offset` of the very first have been written.
pub(super) fn with_slices<'f, T>(
    frames: impl Iterator<Item = &'f Bytes>,
    offset: usize,
    write: impl FnOnce(&[IoSlice<'_>]) -> T,
) -> T {
    let mut slices = [IoSlice::new(&[]); FRAMES];
    let (mut skip, mut count) = (offset, 0);
    for (slice, frame) in slices.iter_mut().zip(frames) {
        *slice = IoSlice::new(&frame[skip..]);
        skip = 0;
        count += 1;
    }
    write(&slices[..count])
}

impl AsyncRead for Half {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(cx))?;
            match self.0.try_read(buf.initialize_unfilled()) {
                Ok(read) => {
                    buf.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Half {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match self.0.try_write_vectored(slices) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(shutdown(&*self.0, Shutdown::Write).map_err(io::Error::from))
    }
}
