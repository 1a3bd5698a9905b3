//! Whose the server is: where several nodes share the servers a link is connected under a tenure, and asks the
//! node that has its server all the while that it has none.

use super::{Link, model};
use crate::{cluster::Tenure, proxy::now};
use std::time::Duration;
use tokio::{sync::oneshot, time::timeout};

/// How long what a server said may take into the stream when another node is to have it.
const HAND_OVER: Duration = Duration::from_secs(1);

impl Link {
    /// It was taken back at once; it may come again before the goal has said so.
    pub(super) async fn wait_for_tenure(&mut self) {
        let mut tenure = self.place.tenure();
        tokio::select! {
            _ = self.goal.changed() => {}
            _ = tenure.wait_for(Option::is_some) => {}
        }
    }

    /// The server is this node's from now on, if it still is.
    pub(super) fn arrive(&mut self) -> bool {
        let Some(Tenure { lease, term }) = self.place.begin() else { return false };
        (self.is_here, self.lease) = (true, lease);
        let revision = term.map(|term| term.revision);
        let had = std::mem::replace(&mut self.had, revision);
        if had.is_some() || term.is_some_and(|term| term.follows) {
            // What happened since the one before was last heard is in no event.
            self.lost.get_or_insert_with(now);
        }
        // If nobody else had it meanwhile, clients know what this node knew: what differs is told. Else they
        // begin anew, and so does the model.
        if had != revision
            && let Ok(empty) = model(&self.server)
        {
            self.pbx = empty;
        }
        self.publisher.under(term);
        true
    }

    /// Another node is to have the server: what was said here is to be in the stream before that.
    pub(super) async fn leave(&mut self) {
        if !std::mem::take(&mut self.is_here) {
            return;
        }
        let (told, is_told) = oneshot::channel();
        self.publisher.told(told);
        drop(timeout(HAND_OVER, is_told).await);
        self.place.end();
    }

    /// Until the server is this node's again: whatever is asked is asked of the node that has it.
    pub(super) async fn be_away(&mut self) {
        let mut told = self.place.told();
        told.mark_changed();
        loop {
            tokio::select! {
                // An error means that all handles are gone: looked at where the goal is.
                _ = self.goal.changed() => return,
                Ok(()) = told.changed() => {
                    let item = told.borrow_and_update().clone();
                    self.publisher.know(item);
                }
                Some(ask) = self.asks.recv() => self.far.pass_on(ask),
            }
        }
    }
}
