//! Bodies of requests that are read before a guest is occupied with them, all of a plugin in bounded room.

use crate::ports::{Body, BodyFailure};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body as _;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many KiB may be read and not handed over at a time; who comes then waits, within its deadline.
const ROOM: u32 = 64 << 10;

/// Room for the bodies of one plugin's requests.
pub(super) struct Bodies(Arc<Semaphore>);

/// A body that was read.
pub(super) struct Read {
    pub(super) bytes: Bytes,
    /// Its room, until it is handed over.
    _room: Option<OwnedSemaphorePermit>,
}

impl Default for Bodies {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ROOM as usize)))
    }
}

impl Bodies {
    /// Reads a body to its end. How much it may be, and how long it may take, is for the listener to bound.
    pub(super) async fn read(&self, body: Body) -> Result<Read, BodyFailure> {
        if body.is_end_stream() {
            return Ok(Read { bytes: Bytes::new(), _room: None });
        }
        let most = body.size_hint().upper().map_or(u64::MAX, |most| most.div_ceil(1 << 10));
        let wanted = u32::try_from(most).unwrap_or(ROOM).min(ROOM);
        // It is never closed; without room the body would still be read.
        let room = Arc::clone(&self.0).acquire_many_owned(wanted).await.ok();
        match body.collect().await {
            Ok(read) => Ok(Read { bytes: read.to_bytes(), _room: room }),
            Err(error) => Err(error.downcast_ref().copied().unwrap_or(BodyFailure::Broken)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{FutureExt, stream};
    use http_body_util::{Full, StreamBody};
    use hyper::body::Frame;
    use std::time::Duration;

    fn whole(bytes: &'static [u8]) -> Body {
        Full::new(Bytes::from_static(bytes)).map_err(|never| match never {}).boxed_unsync()
    }

    #[tokio::test]
    async fn what_is_sent_is_read_or_why_not() {
        let bodies = Bodies::default();
        assert_eq!(bodies.read(whole(b"")).await.unwrap().bytes, "");
        assert_eq!(bodies.read(whole(b"hello")).await.unwrap().bytes, "hello");
        let slow = BodyFailure::TooSlow(Duration::from_secs(1));
        for (error, expected) in
            [(slow.into(), slow), (std::io::Error::other("gone").into(), BodyFailure::Broken)]
        {
            let pieces = [Ok(Frame::data(Bytes::from_static(b"he"))), Err(error)];
            let body: Body = StreamBody::new(stream::iter(pieces)).boxed_unsync();
            assert_eq!(bodies.read(body).await.err(), Some(expected));
        }
        assert_eq!(bodies.0.available_permits(), ROOM as usize);
    }

    #[tokio::test]
    async fn all_of_them_have_bounded_room() {
        let bodies = Bodies::default();
        // Nobody knows how long one of these is.
        let endless = || StreamBody::new(stream::pending()).boxed_unsync();
        let reading = bodies.read(endless());
        let mut reading = std::pin::pin!(reading);
        assert!(reading.as_mut().now_or_never().is_none());
        assert_eq!(bodies.0.available_permits(), 0);
        assert_eq!(bodies.read(whole(b"")).await.unwrap().bytes, "", "none needs no room");
        assert!(bodies.read(whole(b"hello")).now_or_never().is_none(), "it waits");
    }
}
