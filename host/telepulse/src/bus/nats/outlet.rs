//! The queue of messages to other nodes, bounded in number and in bytes.

use super::node::Out;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// So many messages may wait.
const MESSAGES: usize = 8192;
/// And so many bytes.
const BYTES: u32 = 64 << 20;
/// What a message takes beside its payload and what its headers say.
const OVERHEAD: usize = 256;

/// Where messages are put into the queue.
pub(super) struct Outlet {
    queue: mpsc::Sender<Queued>,
    room: Arc<Semaphore>,
    bytes: u32,
}

/// A message in the queue, or on its way from there; it takes room until it is dropped.
pub(super) struct Queued {
    pub(super) out: Out,
    pub(super) room: OwnedSemaphorePermit,
}

impl Outlet {
    /// An empty queue and its other end.
    pub(super) fn open() -> (Self, mpsc::Receiver<Queued>) {
        Self::with_room(BYTES)
    }

    fn with_room(bytes: u32) -> (Self, mpsc::Receiver<Queued>) {
        let (queue, receiver) = mpsc::channel(MESSAGES);
        let room = Arc::new(Semaphore::new(usize::try_from(bytes).unwrap_or(usize::MAX)));
        (Self { queue, room, bytes }, receiver)
    }

    /// Whether there was room for it.
    pub(super) fn try_send(&self, out: Out) -> bool {
        let room = self.room.clone().try_acquire_many_owned(self.cost(&out));
        room.is_ok_and(|room| self.queue.try_send(Queued { out, room }).is_ok())
    }

    /// Waits for room; whether anybody takes it out.
    pub(super) async fn send(&self, out: Out) -> bool {
        // The semaphore is never closed.
        let Ok(room) = self.room.clone().acquire_many_owned(self.cost(&out)).await else {
            return false;
        };
        self.queue.send(Queued { out, room }).await.is_ok()
    }

    /// Whether all has been sent.
    pub(super) fn is_empty(&self) -> bool {
        usize::try_from(self.bytes).is_ok_and(|bytes| self.room.available_permits() >= bytes)
    }

    /// What is larger than the whole room takes all of it.
    fn cost(&self, out: &Out) -> u32 {
        let said = out.headers.iter().flat_map(|(_, values)| values);
        let headers: usize = said.map(|value| value.as_str().len()).sum();
        let bytes = out.payload.len() + headers + OVERHEAD;
        u32::try_from(bytes).unwrap_or(u32::MAX).min(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_nats::HeaderMap;
    use futures_util::FutureExt;

    fn message(bytes: usize) -> Out {
        let (subject, payload) = ("a".to_owned(), vec![0; bytes].into());
        Out { subject, reply: None, headers: HeaderMap::new(), payload, deadline: None }
    }

    #[tokio::test]
    async fn it_is_bounded_in_bytes_until_what_was_taken_out_is_gone() {
        let (outlet, mut queue) = Outlet::with_room(1_000);
        assert!(outlet.is_empty());
        assert!(outlet.try_send(message(100)) && outlet.try_send(message(100)));
        assert!(!outlet.try_send(message(100)), "3 × 356 bytes");
        assert!(outlet.send(message(100)).now_or_never().is_none(), "it would wait");
        let first = queue.recv().await.unwrap();
        assert!(!outlet.try_send(message(100)), "it is on its way");
        drop(first);
        assert!(outlet.send(message(100)).await);
        assert!(!outlet.is_empty());
        queue.recv().await.unwrap();
        queue.recv().await.unwrap();
        assert!(outlet.is_empty());
        assert!(outlet.try_send(message(5_000)), "alone, whatever its size");
    }

    #[tokio::test]
    async fn it_is_bounded_in_number() {
        let (outlet, queue) = Outlet::open();
        assert!((0..MESSAGES).all(|_| outlet.try_send(message(0))));
        assert!(!outlet.try_send(message(0)));
        drop(queue);
        assert!(!outlet.send(message(0)).await, "nobody is there");
    }
}
