//! The bus within one process: subscribers are called, nothing is copied.

use super::{
    Address, After, AlreadyServed, Below, Bus, EventSink, Guard, Headers, Incoming, Pattern,
    Reached, RequestError, Stream, beside::Beside, switchboard::Switchboard,
};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use telepulse_language::Event;
use tokio::sync::{mpsc, watch};

/// The in-process bus.
pub struct LocalBus {
    board: Arc<Switchboard>,
    beside: Beside,
}

impl LocalBus {
    /// A bus whose event stream is named `epoch` and remembers `history` events.
    pub fn new(epoch: String, history: usize) -> Arc<Self> {
        let board = Switchboard::new(Stream::new(epoch, history));
        let weak = Arc::downgrade(&board);
        let beside = Beside::start(move |_, events| {
            weak.upgrade().map(|board| append(&board, events)).is_some()
        });
        Arc::new(Self { board, beside })
    }
}

fn append(board: &Switchboard, events: Vec<Event>) {
    board.stream.append(events, board.deliver());
}

impl Bus for LocalBus {
    fn publish(&self, address: &Address, server: Option<&Arc<str>>, payload: Bytes) {
        if Switchboard::may_publish(address) {
            self.board.hand_over(address, server, payload);
        }
    }

    fn wanted_below(&self, root: &Address) -> Below {
        self.board.wanted_below(root)
    }

    fn subscriptions_changed(&self) -> watch::Receiver<u64> {
        self.board.changes().subscribe()
    }

    fn append_under(&self, _: u64, events: Vec<Event>) {
        append(&self.board, events);
    }

    fn append_beside(&self, term: u64, events: Vec<Event>, after: After) {
        self.beside.append(term, events, after);
    }

    fn when_in(&self, then: Reached) {
        // What was appended is in already.
        then.reached(self.board.stream.tail());
    }

    fn stream(&self) -> &Stream {
        &self.board.stream
    }

    fn subscribe(&self, patterns: &[Pattern], sink: Arc<dyn EventSink>) -> Guard {
        self.board.subscribe(patterns, sink)
    }

    fn resubscribe(&self, before: Guard, patterns: &[Pattern], sink: Arc<dyn EventSink>) -> Guard {
        self.board.resubscribe(&before, patterns, sink)
    }

    fn request(
        &self,
        address: &Address,
        payload: Bytes,
        headers: Headers,
    ) -> BoxFuture<'static, Result<Bytes, RequestError>> {
        self.board.requests.request(address, payload, headers)
    }

    fn serve(
        &self,
        address: &Address,
        capacity: usize,
    ) -> Result<mpsc::Receiver<Incoming>, AlreadyServed> {
        self.board.requests.serve(address, capacity)
    }
}
