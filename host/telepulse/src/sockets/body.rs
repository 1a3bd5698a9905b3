//! Request bodies on their way to a plugin: bounded in size and in time.

use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use plugin_host::ports::{Body, BodyError, BodyFailure};
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Sleep, sleep};

/// Lets at most `bytes` through, for at most `time`.
pub(super) fn bounded(body: Incoming, bytes: usize, time: Duration) -> Body {
    if body.is_end_stream() {
        return super::problem::full(Bytes::new());
    }
    let limited = Limited::new(body, bytes);
    Timed { body: limited, bytes, left: Box::pin(sleep(time)), time }.boxed_unsync()
}

struct Timed {
    body: Limited<Incoming>,
    bytes: usize,
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
            let told = |error: BodyError| {
                if error.is::<LengthLimitError>() {
                    BodyFailure::TooLong(self.bytes).into()
                } else {
                    error
                }
            };
            return Poll::Ready(frame.map(|frame| frame.map_err(told)));
        }
        if self.left.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(BodyFailure::TooSlow(self.time).into())));
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
