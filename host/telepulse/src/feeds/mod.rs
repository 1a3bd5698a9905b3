//! Feeds: filters on the event stream, attached to connections and evaluated by the host.
//!
//! The rules in short. A connection's events come in the stream's order, each once, however many of
//! its feeds let it through. A feed is attached *held* while its gateway fetches a snapshot; meanwhile
//! the whole connection waits where it is, which costs nothing: the stream's history is the buffer,
//! and a connection that is behind reads from there until it has caught up with the hub. Then the
//! hub pushes to it. Feeds that see the same form an audience; audiences are found through an index by
//! scope, so that an event costs nothing for those who do not want it, and its way is found once for
//! all who see the same. Who does not take what is pushed lags: all its feeds are suspended, it is told,
//! and its gateway attaches them anew.

mod audience;
mod hub;
mod index;
mod member;
mod sight;
mod table;

#[cfg(test)]
mod tests;

pub use audience::Batch;
pub use hub::Hub;
pub use sight::Sight;

use crate::bus::Entry;
use plugin_host::ports::Frame;
use std::sync::Arc;

/// What a connection is to the hub: somewhere to put things, which never waits.
pub trait Outlet: Send + Sync + 'static {
    /// Takes events from the front, as many as fit, and removes them. If some are left and `pace`
    /// is [`Pace::CatchUp`], [`Hub::resume`] must be called when there is room again.
    fn take(&self, events: &mut Vec<Arc<Entry>>, pace: Pace);

    /// Takes what others get too, as it happens; answers how many events did not fit.
    fn take_batch(&self, batch: &Batch) -> u64 {
        let mut events = batch.entries().to_vec();
        self.take(&mut events, Pace::Live);
        events.len() as u64
    }

    /// Takes the reply to a subscription.
    fn reply(&self, frame: Frame);

    /// The connection's feeds are suspended and `missed` events were not taken: what events wait in
    /// the outlet are void as well, client and gateway have to be told.
    fn lagged(&self, missed: u64);
}

/// How events come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As they happen: what does not fit is lost.
    Live,
    /// From the history, as fast as the client reads: the rest is offered again.
    CatchUp,
}

/// Why a feed was not attached. Worded for the gateway's client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttachError {
    /// The id is unknown, or the client has gone.
    #[error("there is no connection {0}")]
    NoConnection(u64),
    /// Nobody has logged in there: it may see nothing.
    #[error("log in before subscribing")]
    NobodyLoggedIn,
    /// More than [`MAX_FEEDS`].
    #[error("a connection may have {MAX_FEEDS} subscriptions; end one first")]
    TooManyFeeds,
    /// More than [`MAX_WORDS`].
    #[error(
        "a connection's filters may list {MAX_WORDS} names in all; leave a list out to get everything"
    )]
    TooManyWords,
}

/// How many feeds one connection may have.
pub const MAX_FEEDS: usize = 64;
/// How many names the filters of one connection may list in all.
pub const MAX_WORDS: usize = 8192;
