//! What goes in and out of [`super::Ownership`]: orders, what came of them, and how long things take.

use crate::cluster::NodeRecord;

/// How long things take, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// From beat to beat.
    pub(crate) beat: u64,
    /// So long after a beat was sent a node may act.
    pub(crate) life: u64,
    /// So much longer others wait.
    pub(crate) grace: u64,
    /// After so long without an owner a server is claimed by any node, not only by the one that should.
    pub(crate) patience: u64,
    /// An answer of the store that takes longer does not come.
    pub(crate) answer: u64,
}

impl Default for Terms {
    /// A server of a node that dies is claimed by another within about three seconds.
    fn default() -> Self {
        Self { beat: 500, life: 2_500, grace: 500, patience: 1_000, answer: 700 }
    }
}

/// What is to be done. What writes names the revision that it changes; 0: there must be no record yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Write the own record; [`super::Ownership::beaten`] takes what came of it.
    Beat { record: NodeRecord, after: u64 },
    /// Write that a node is gone; [`super::Ownership::buried`] takes what came of it.
    Bury { node: String, record: NodeRecord, after: u64 },
    /// Write that a server has this owner from now on, or none; [`super::Ownership::written`] takes what came of it.
    Own { server: String, owner: Option<String>, after: u64 },
    /// Connect to a server, under a term that is later than that of whoever had it before.
    Start { server: String, term: Term },
    /// Disconnect; [`super::Ownership::stopped`] is told when that is done.
    Stop { server: String },
}

/// What came of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is in the store, as this revision.
    Written(u64),
    /// It is not: the record has changed before.
    Conflict,
    /// There was no answer: it may be there or not.
    Unknown,
}

/// One time that a server is had, by the revision of the record that says so: what follows is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) revision: u64,
    /// Somebody had the server before: what was told of it then may not be all.
    pub(crate) follows: bool,
}
