//! On which nodes a plugin runs.

use super::Guard;
use std::{fmt::Debug, sync::Arc};
use tokio::sync::watch;

/// On how many of the nodes that may run it a plugin runs (`[placement] run`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Run {
    /// On each of them.
    #[default]
    EveryNode,
    /// On one; when that is gone, on another.
    OneNode,
    /// On each of them, which divide the events.
    Shards,
}

/// What a plugin needs of a node, by its grants and its placement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// It has connections or answers HTTP requests.
    pub listens: bool,
    /// It decides on commands or carries them out.
    pub decides: bool,
    /// On how many nodes it runs.
    pub run: Run,
}

/// Whether a plugin is to run on this node.
#[derive(Clone, Debug)]
pub enum Where {
    /// It is.
    Here,
    /// It is, and this says which of the events are its.
    Part(Arc<dyn Part>),
    /// It is not.
    Elsewhere {
        /// Why: a sentence for people.
        why: Arc<str>,
        /// Another node may begin at any moment: nothing is to be finished first.
        at_once: bool,
    },
}

/// The part of a plugin's events that is this node's.
pub trait Part: Debug + Send + Sync + 'static {
    /// Whether what is about this is in it. The same answer on one node only.
    fn has(&self, about: &str) -> bool;
}

/// Decides where plugins run.
pub trait Placement: Send + Sync + 'static {
    /// Says that a plugin would run on this node, until what it gets is dropped.
    fn seek(&self, plugin: &str, needs: Needs) -> Box<dyn Seat>;
}

/// A plugin's place on this node, whether it has it or waits for it.
pub trait Seat: Send + Sync {
    /// Whether it is to run here, now and later. For what runs on every node ([`Run::EveryNode`]) that never
    /// changes.
    fn place(&self) -> watch::Receiver<Where>;

    /// Begins to run here, if it still may: until the guard is dropped no other node begins that has to wait
    /// for this one.
    fn begin(&self) -> Option<Guard>;
}

/// Every plugin runs here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Everywhere;

impl Placement for Everywhere {
    fn seek(&self, _: &str, _: Needs) -> Box<dyn Seat> {
        Box::new(Settled::new(Where::Here))
    }
}

/// A place that never changes.
#[derive(Debug)]
pub struct Settled(watch::Sender<Where>);

impl Settled {
    /// Always so.
    pub fn new(place: Where) -> Self {
        Self(watch::Sender::new(place))
    }
}

impl Seat for Settled {
    fn place(&self) -> watch::Receiver<Where> {
        self.0.subscribe()
    }

    fn begin(&self) -> Option<Guard> {
        let is_here = !matches!(*self.0.borrow(), Where::Elsewhere { .. });
        is_here.then(|| Box::new(()) as Guard)
    }
}
