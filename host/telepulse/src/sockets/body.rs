//! Request bodies on their way to a plugin: bounded in size and in time.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use plugin_host::ports::{Body, BodyError};
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Sleep, sleep};

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
#[error("the body took longer than {0:?}")]
struct TooSlow(Duration);

/// Lets at most `bytes` through, for at most `time`.
pub(super) fn bounded(body: Incoming, bytes: usize, time: Duration) -> Body {
    if body.is_end_stream() {
        return super::problem::full(Bytes::new());
    }
    let limited = Limited::new(body, bytes);
    Timed { body: limited, left: Box::pin(sleep(time)), time }.boxed_unsync()
}

struct Timed {
    body: Limited<Incoming>,
    left: Pin<Box<Sleep>>,
    time: Duration,
}

impl hyper::body::Body for Timed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        if self.left.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(Box::new(TooSlow(self.time)))));
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
