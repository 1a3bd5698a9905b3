//! The shards of a plugin beside the first: each works on a task of its own, and rests between two
//! instances.

use super::worker::Worker;
use crate::{
    ctx::Identity,
    failure::Fault,
    instance::Instance,
    mailbox::{Inbox, Outbox},
    shared::Shared,
};
use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Shards 1 and up.
pub(super) struct Others {
    origin: Origin,
    shards: Vec<Shard>,
    /// Tells those that work to rest.
    rest: CancellationToken,
}

/// What workers are made of.
struct Origin {
    shared: Arc<Shared>,
    identity: Arc<Identity>,
    inbox: Arc<Inbox>,
}

impl Origin {
    fn worker(&self, shard: usize) -> Box<Worker> {
        let outbox = Outbox::of_shard(&self.inbox, shard);
        let (shared, identity) = (Arc::clone(&self.shared), Arc::clone(&self.identity));
        Box::new(Worker::new(shared, identity, outbox))
    }
}

enum Shard {
    Resting(Box<Worker>),
    Working(JoinHandle<(Box<Worker>, Result<Instance, Fault>)>),
}

impl Shard {
    /// Takes what a worker ended with; `None`: it rests, or works still.
    fn poll_ended(
        &mut self,
        cx: &mut Context<'_>,
        origin: &Origin,
        number: usize,
    ) -> Poll<Option<Result<Instance, Fault>>> {
        let Self::Working(task) = self else { return Poll::Ready(None) };
        let Poll::Ready(ended) = Pin::new(task).poll(cx) else { return Poll::Pending };
        let (worker, outcome) = ended.unwrap_or_else(|_| {
            let why = "a shard failed inside the host".to_owned();
            (origin.worker(number), Err(Fault::Fatal { call: "shard", why }))
        });
        *self = Self::Resting(worker);
        Poll::Ready(Some(outcome))
    }
}

impl Others {
    pub(super) fn new(shared: Arc<Shared>, identity: Arc<Identity>, inbox: Arc<Inbox>) -> Self {
        let origin = Origin { shared, identity, inbox };
        Self { origin, shards: Vec::new(), rest: CancellationToken::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.shards.is_empty()
    }

    /// Those that rest.
    pub(super) fn resting(&mut self) -> impl Iterator<Item = &mut Worker> {
        self.shards.iter_mut().filter_map(|shard| match shard {
            Shard::Resting(worker) => Some(&mut **worker),
            Shard::Working(_) => None,
        })
    }

    /// Sees to it that there are at least so many.
    pub(super) fn grow(&mut self, count: usize) {
        while self.shards.len() < count {
            let shard = self.origin.worker(self.shards.len() + 1);
            self.shards.push(Shard::Resting(shard));
        }
    }

    /// Sees to it that there are no more than so many.
    pub(super) fn shrink(&mut self, count: usize) {
        self.shards.truncate(count);
    }

    /// Each gets an instance and works until it fails, or is told to rest.
    pub(super) fn work(&mut self, mut instances: impl Iterator<Item = Instance>) {
        self.rest = CancellationToken::new();
        let guests = &self.origin.shared.guests;
        let shards = std::mem::take(&mut self.shards).into_iter();
        self.shards = shards
            .map(|shard| match shard {
                Shard::Resting(worker) => match instances.next() {
                    Some(instance) => {
                        Shard::Working(guests.spawn(working(worker, instance, self.rest.clone())))
                    }
                    None => Shard::Resting(worker),
                },
                working @ Shard::Working(_) => working,
            })
            .collect();
    }

    /// Waits until one fails by itself. Nothing is lost when the wait is cancelled.
    pub(super) async fn failed(&mut self) -> Fault {
        poll_fn(|cx| {
            for (number, shard) in (1..).zip(&mut self.shards) {
                if let Poll::Ready(Some(Err(fault))) = shard.poll_ended(cx, &self.origin, number) {
                    return Poll::Ready(fault);
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Has all of them rest at the end of their rounds. Answers their instances, those that are sound.
    pub(super) async fn rest(&mut self) -> Vec<Result<Instance, Fault>> {
        self.rest.cancel();
        let mut ended = Vec::new();
        for (number, shard) in (1..).zip(&mut self.shards) {
            ended.extend(poll_fn(|cx| shard.poll_ended(cx, &self.origin, number)).await);
        }
        ended
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        self.rest.cancel();
    }
}

async fn working(
    mut worker: Box<Worker>,
    mut instance: Instance,
    rest: CancellationToken,
) -> (Box<Worker>, Result<Instance, Fault>) {
    worker.settle(instance.take_effects());
    loop {
        tokio::select! {
            biased;
            () = rest.cancelled() => return (worker, Ok(instance)),
            () = worker.arrives(true) => {}
        }
        match worker.round(instance).await {
            Ok(sound) => instance = sound,
            Err(fault) => return (worker, Err(fault)),
        }
    }
}
