//! Bytes to the server, as long as this node may act on it.

use crate::cluster::Lease;
use bytes::{Buf, BytesMut};
use std::{future::poll_fn, io, pin::Pin};
use tokio::io::AsyncWrite;

/// Writes all there is, and sees it off: behind TLS, what is written may wait. Nothing is written once the
/// server may be another node's.
pub(super) async fn send(
    writer: &mut (impl AsyncWrite + Unpin),
    outgoing: &mut BytesMut,
    lease: &Lease,
) -> io::Result<()> {
    // Looked at each time right before the system is given something: it may have had no room for long.
    let may = || {
        let refusal = || io::Error::other("this node may not act on the server any more");
        lease.is_good().then_some(()).ok_or_else(refusal)
    };
    while outgoing.has_remaining() {
        let written = poll_fn(|context| {
            may()?;
            Pin::new(&mut *writer).poll_write(context, outgoing)
        });
        let written = written.await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        outgoing.advance(written);
    }
    poll_fn(|context| {
        may()?;
        Pin::new(&mut *writer).poll_flush(context)
    })
    .await
}
