//! What the WebSocket protocol reads from and writes to: the socket's reading half, and the outbox.
//!
//! The library that reads frames answers pings by itself. Its pongs take their place in the outbox,
//! between two frames; its close frames are dropped, for the connection says goodbye itself.

use super::{frame::PONG, outbox::Outbox};
use bytes::Bytes;
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub(super) struct Inlet<R> {
    pub(super) half: R,
    pub(super) outbox: Arc<Outbox>,
}

impl<R: AsyncRead + Unpin> AsyncRead for Inlet<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.half).poll_read(cx, buf)
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
