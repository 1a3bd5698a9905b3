//! The task that reads the event stream, as all nodes do, and puts what comes into this node's history.

use super::{
    complaint::Complaint,
    keeping::{self, Kept},
    label::{self, HEADER},
    node::{Connection, Node, Way, count},
    order::{Order, Place},
    overdue::Overdue,
    terms::{Counts, Terms},
};
use crate::bus::entry::Arrived;
use async_nats::jetstream::{
    self, Context,
    consumer::{
        DeliverPolicy,
        pull::{Ordered, OrderedConfig},
    },
    stream::Config,
};
use futures_util::{FutureExt, StreamExt};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{oneshot, watch},
    time::{Instant, MissedTickBehavior, interval_at, sleep, timeout},
};

/// So many are handed over at once.
const BATCH: usize = 512;
/// How long to wait before it is tried again.
const PAUSE: Duration = Duration::from_millis(500);
/// How often it is looked whether the stream is still the one that we read, and whether what is in it comes:
/// whoever reads it is not told.
const LOOK: Duration = Duration::from_secs(1);
/// How long that may take.
const LOOK_WITHIN: Duration = Duration::from_secs(2);
/// How long JetStream may take to begin.
const BEGIN_WITHIN: Duration = Duration::from_secs(10);

pub(super) struct Reading {
    node: Arc<Node>,
    jetstream: Context,
    /// The stream as it is to be.
    wanted: Config,
    /// The stream as it was when we came, or when it was made anew.
    kept: Kept,
    /// So many events are kept here.
    history: u64,
    order: Order,
    terms: Terms,
    /// The next number in the stream.
    next: u64,
    /// Something was not read: whoever is behind must know.
    has_lost: bool,
    /// The last number before the last gap, which was begun with.
    before_gap: u64,
    /// Nothing is in the stream that we have not read.
    is_at_end: bool,
    overdue: Overdue,
    foreign: Complaint,
    /// Told once everything is here that was there when we came.
    caught_up: Option<oneshot::Sender<()>>,
}

impl Reading {
    pub(super) fn new(
        node: Arc<Node>,
        jetstream: Context,
        (wanted, kept): (Config, Kept),
        history: u64,
        caught_up: oneshot::Sender<()>,
    ) -> Self {
        let next = kept.begin(history);
        node.board.stream.begin_at(next - 1);
        let (order, caught_up) = (Order::new(next), Some(caught_up));
        let (terms, has_lost, is_at_end, overdue, foreign) = Default::default();
        let before_gap = next - 1;
        Self {
            node,
            jetstream,
            wanted,
            kept,
            history,
            order,
            terms,
            next,
            has_lost,
            before_gap,
            is_at_end,
            overdue,
            foreign,
            caught_up,
        }
    }

    /// Until stopped.
    pub(super) async fn run(mut self) {
        let node = self.node.clone();
        let mut connection = node.connection.clone();
        self.look();
        loop {
            let connected = async {
                // An error means that all goes down.
                let _ = connection.wait_for(|now| now.is_up).await;
            };
            tokio::select! {
                () = node.stop.cancelled() => return,
                () = connected => {}
            }
            connection.mark_unchanged();
            let read = self.read(&mut connection);
            let outcome = tokio::select! {
                () = node.stop.cancelled() => return,
                outcome = read => outcome,
            };
            if let Err(why) = outcome {
                node.set_trouble(Way::In, Some(why));
                sleep(PAUSE).await;
            }
        }
    }

    /// Reads until the connection or the stream is another, or something goes wrong.
    async fn read(&mut self, connection: &mut watch::Receiver<Connection>) -> Result<(), String> {
        let node = self.node.clone();
        let times = connection.borrow().times;
        let begun = timeout(BEGIN_WITHIN, self.begin()).await;
        let mut messages = begun.map_err(|_| "JetStream does not answer".to_owned())??;
        node.set_trouble(Way::In, None);
        node.be_sure(times);
        let mut tick = interval_at(Instant::now() + LOOK, LOOK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let message = tokio::select! {
                changed = connection.changed() => {
                    // Whatever reads on the new connection begins anew: the old reader may be gone.
                    if changed.is_err() || connection.borrow().is_up {
                        return Ok(());
                    }
                    continue;
                }
                message = messages.next() => Some(message),
                () = node.doubt.notified() => None,
                _ = tick.tick() => None,
            };
            let Some(message) = message else {
                if self.has_to_begin_anew().await {
                    return Ok(());
                }
                node.be_sure(times);
                self.tell_of_gap();
                continue;
            };
            let mut arrived = Vec::new();
            let mut own = Vec::new();
            let mut next = Some(message);
            while let Some(message) = next {
                let message = message.ok_or("the reader of the event stream ended")?;
                let message =
                    message.map_err(|error| format!("reading the event stream: {error}"))?;
                self.take(&message, &mut arrived, &mut own);
                next = if arrived.len() < BATCH { messages.next().now_or_never() } else { None };
            }
            self.hand_over(arrived, &own);
        }
    }

    /// Whether the stream that we read is there no more, or what is in it does not come. An answer that does
    /// not come says nothing.
    async fn has_to_begin_anew(&mut self) -> bool {
        let look = timeout(LOOK_WITHIN, keeping::look(&self.jetstream, &self.wanted));
        let Ok(Ok(found)) = look.await else { return false };
        let is_overdue = self.overdue.is_so(self.next, found.last, Instant::now());
        if is_overdue {
            tracing::warn!(self.next, found.last, "events are in NATS and do not come: read anew");
        }
        is_overdue || self.is_other(&found)
    }

    async fn begin(&mut self) -> Result<Ordered, String> {
        let mut found = keeping::look(&self.jetstream, &self.wanted).await;
        if found.as_ref().is_ok_and(|found| self.is_other(found)) {
            // Who leads the stream since a moment ago may not know all of it yet.
            sleep(PAUSE).await;
            found = keeping::look(&self.jetstream, &self.wanted).await;
        }
        let found = found.map_err(|error| error.to_string())?;
        let last = found.last;
        if self.is_other(&found) {
            self.renew(found);
        }
        let deliver_policy = if self.next <= 1 {
            DeliverPolicy::All
        } else {
            DeliverPolicy::ByStartSequence { start_sequence: self.next }
        };
        let config = OrderedConfig { deliver_policy, ..OrderedConfig::default() };
        let name = &self.kept.name;
        let consumer = self.jetstream.create_consumer_on_stream(config, name).await;
        let consumer =
            consumer.map_err(|error| format!("reading the event stream {name}: {error}"))?;
        self.is_at_end = consumer.cached_info().num_pending == 0;
        self.overdue = Overdue::begin(if self.is_at_end { last } else { 0 });
        self.look();
        let messages = consumer.messages().await;
        messages.map_err(|error| format!("reading the event stream {}: {error}", self.kept.name))
    }

    /// Whether it is another stream than we read, or the same without what we have read of it.
    fn is_other(&self, found: &Kept) -> bool {
        found.epoch != self.kept.epoch || found.last.saturating_add(1) < self.next
    }

    /// The stream was made anew, or NATS has lost its end: its numbers are others. Where it is the same stream
    /// the epoch is ours alone: what a client has of other events under these numbers must not go on here.
    fn renew(&mut self, found: Kept) {
        let is_same = found.epoch == self.kept.epoch;
        let (name, last) = (&found.name, found.last);
        let epoch = if is_same {
            tracing::error!(stream = %name, last, "NATS has lost the newest events: clients begin anew");
            format!("{}-{last}", found.epoch)
        } else {
            tracing::warn!(stream = %name, "the event stream was made anew: clients begin anew");
            found.epoch.clone()
        };
        (self.next, self.has_lost) = (found.begin(self.history), false);
        self.before_gap = self.next - 1;
        self.order.restart(self.next);
        self.node.board.stream.renew(&epoch, self.next - 1);
        let done = {
            let mut outbox = self.node.outbox.lock();
            outbox.window.restart(found.last);
            outbox.window.done()
        };
        // What the old one had and we have not read is nowhere any more.
        self.node.waiting.arrived(&[(done, self.next - 1)]);
        self.node.filled.notify_one();
        self.kept = found;
    }

    fn take(
        &mut self,
        message: &jetstream::Message,
        arrived: &mut Vec<Arrived>,
        own: &mut Vec<(u64, u64)>,
    ) {
        let Ok(info) = message.info() else { return };
        let seq = info.stream_sequence;
        if seq < self.next {
            return;
        }
        if seq > self.next {
            // The stream's limits have taken what we had not read.
            self.order.restart(seq);
            (self.has_lost, self.before_gap) = (true, self.next - 1);
        }
        (self.next, self.is_at_end) = (seq + 1, info.pending == 0);
        let label = message.headers.as_ref().and_then(|it| it.get(HEADER));
        let label = label.and_then(|it| label::read(it.as_str()));
        let Some((label, mark)) = label.filter(|(label, _)| label.suits(&message.payload)) else {
            if let Some(times) = self.foreign.add(1, Instant::now()) {
                tracing::warn!(seq, times, "messages of the event stream are no events: left out");
            }
            return;
        };
        match self.order.accept(seq, &mark) {
            Place::Out => return,
            Place::Next => {}
            Place::AfterHole => {
                (self.has_lost, self.before_gap) = (true, seq.saturating_sub(2));
            }
        }
        count(&self.node.figures.events_taken);
        if mark.from == self.node.name {
            own.push((mark.number, seq));
        }
        let counts = self.terms.accept(seq, &label.server, label.term, &label.kind);
        if counts == Counts::No {
            return;
        }
        let mut event = label.arrived(seq, message.payload.clone());
        event.is_after_loss |= std::mem::take(&mut self.has_lost) || counts == Counts::Anew;
        arrived.push(event);
    }

    fn hand_over(&mut self, arrived: Vec<Arrived>, own: &[(u64, u64)]) {
        let board = &self.node.board;
        board.stream.take_in(arrived, board.deliver());
        self.node.waiting.arrived(own);
        self.tell_of_gap();
        self.look();
    }

    /// What of ours NATS has taken and nobody can read any more was in the gap: those who wait for it are told
    /// the number before it, which has left the history, so that they begin anew.
    fn tell_of_gap(&self) {
        let (done, floor) = {
            let outbox = self.node.outbox.lock();
            (outbox.window.done(), outbox.window.floor())
        };
        if floor < self.next {
            self.node.waiting.arrived(&[(done, self.before_gap)]);
        }
    }

    /// Tells once we are where the stream was when we came. Its newest message may have been removed.
    fn look(&mut self) {
        if (self.is_at_end || self.next > self.kept.last)
            && let Some(caught_up) = self.caught_up.take()
        {
            // Who waits for it may have been stopped.
            let _ = caught_up.send(());
        }
    }
}
