//! Where each server is: here, or at which other node. Whoever keeps the connection to a server looks here
//! whether it is to, and says here that it does.

use super::{Lease, Term};
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use telepulse_language::Server;
use tokio::sync::watch;

/// The right to be connected to a server.
#[derive(Clone, Debug)]
pub(crate) struct Tenure {
    /// Until when.
    pub(crate) lease: Lease,
    /// Under which term; `None` where there are no others.
    pub(crate) term: Option<Term>,
}

/// A node that has a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// Its name in the configuration.
    pub(crate) name: Arc<str>,
    /// Its name on the bus.
    pub(crate) start: Arc<str>,
    /// It is this node, which may be cut off and have it no more.
    pub(crate) is_self: bool,
}

/// Where one server is.
#[derive(Debug)]
pub(crate) struct Place {
    tenure: watch::Sender<Option<Tenure>>,
    /// The configuration has the server.
    is_wanted: AtomicBool,
    /// This node is connected, or about to be.
    runs: AtomicBool,
    owner: watch::Sender<Option<Owner>>,
    /// What its owner, another node, says of it.
    told: watch::Sender<Option<Server>>,
}

impl Place {
    fn new(tenure: Option<Tenure>) -> Self {
        let (owner, told) = (watch::Sender::new(None), watch::Sender::new(None));
        let (is_wanted, runs) = (AtomicBool::new(true), AtomicBool::new(false));
        Self { tenure: watch::Sender::new(tenure), is_wanted, runs, owner, told }
    }

    /// The tenure of this node, now and later.
    pub(crate) fn tenure(&self) -> watch::Receiver<Option<Tenure>> {
        self.tenure.subscribe()
    }

    /// Whether this node has the server, or is about to.
    pub(crate) fn is_here(&self) -> bool {
        self.tenure.borrow().is_some()
    }

    /// Begins to be connected, if this node may: until [`Place::end`] nobody else will have the server.
    pub(crate) fn begin(&self) -> Option<Tenure> {
        self.runs.store(true, Ordering::SeqCst);
        // Looked at after it was said: who takes the tenure back looks at what was said after that.
        let tenure = self.tenure.borrow().clone();
        if tenure.is_none() {
            self.end();
        }
        tenure
    }

    /// There is no connection any more.
    pub(crate) fn end(&self) {
        self.runs.store(false, Ordering::SeqCst);
    }

    /// Who has the server; `None` where nobody is known to, and where there are no other nodes.
    pub(crate) fn owner(&self) -> Option<Owner> {
        self.owner.borrow().clone()
    }

    /// Whether another node has it.
    pub(crate) fn is_elsewhere(&self) -> bool {
        !self.is_here() && self.owner().is_some_and(|owner| !owner.is_self)
    }

    /// What the owner says of the server, now and later.
    pub(crate) fn told(&self) -> watch::Receiver<Option<Server>> {
        self.told.subscribe()
    }

    pub(super) fn runs(&self) -> bool {
        self.runs.load(Ordering::SeqCst)
    }

    pub(super) fn grant(&self, tenure: Option<Tenure>) {
        self.tenure.send_replace(tenure);
    }

    /// Notes the owner; whether it is another one.
    pub(super) fn owned_by(&self, owner: Option<&Owner>) -> bool {
        let is_other = self.owner.send_if_modified(|known| {
            let differs = known.as_ref() != owner;
            if differs {
                *known = owner.cloned();
            }
            differs
        });
        if is_other {
            self.told.send_replace(None);
        }
        is_other
    }

    /// Its owner says this of it.
    pub(crate) fn tell(&self, item: Server) {
        self.told.send_if_modified(|known| {
            let differs = known.as_ref() != Some(&item);
            *known = Some(item);
            differs
        });
    }
}

/// Where all servers are.
#[derive(Debug)]
pub(crate) struct Places {
    by_server: Mutex<BTreeMap<String, Arc<Place>>>,
    /// What a new place begins with.
    tenure: Option<Tenure>,
    wanted: watch::Sender<u64>,
}

impl Places {
    /// For a node that is alone: all servers are here.
    pub(crate) fn here() -> Arc<Self> {
        Self::with(Some(Tenure { lease: Lease::endless(), term: None }))
    }

    /// For one of several nodes: a server is nowhere until it is known where.
    pub(super) fn shared() -> Arc<Self> {
        Self::with(None)
    }

    fn with(tenure: Option<Tenure>) -> Arc<Self> {
        let (by_server, wanted) = (Mutex::default(), watch::Sender::new(0));
        Arc::new(Self { by_server, tenure, wanted })
    }

    /// The place of a server, which this node wants to have from now on. One that was there a moment ago is
    /// in the place that it had: what is known of its tenure goes on.
    pub(crate) fn of(&self, server: &str) -> Arc<Place> {
        let mut by_server = self.by_server.lock();
        let new = || Arc::new(Place::new(self.tenure.clone()));
        let place = by_server.entry(server.to_owned()).or_insert_with(new).clone();
        place.is_wanted.store(true, Ordering::SeqCst);
        self.wanted.send_modify(|changes| *changes += 1);
        place
    }

    /// The place of a server, if there is one.
    pub(crate) fn get(&self, server: &str) -> Option<Arc<Place>> {
        self.by_server.lock().get(server).cloned()
    }

    /// The server is gone from the configuration.
    pub(crate) fn forget(&self, server: &str) {
        if let Some(place) = self.get(server) {
            place.is_wanted.store(false, Ordering::SeqCst);
            self.wanted.send_modify(|changes| *changes += 1);
        }
    }

    /// No server is here any more.
    pub(super) fn withdraw(&self) {
        self.by_server.lock().values().for_each(|place| place.grant(None));
    }

    /// Lets go of places that nobody wants and nobody is at.
    pub(super) fn sweep(&self) {
        let is_used = |place: &Place| {
            place.is_wanted.load(Ordering::SeqCst) || place.is_here() || place.runs()
        };
        self.by_server.lock().retain(|_, place| is_used(place));
    }

    /// All that are wanted.
    pub(crate) fn all(&self) -> Vec<(String, Arc<Place>)> {
        let by_server = self.by_server.lock();
        let wanted = by_server.iter().filter(|(_, place)| place.is_wanted.load(Ordering::SeqCst));
        wanted.map(|(server, place)| (server.clone(), place.clone())).collect()
    }

    /// Tells when [`Places::all`] has another answer.
    pub(super) fn wanted(&self) -> watch::Receiver<u64> {
        self.wanted.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_removed_and_added_again_goes_on_where_it_was() {
        let places = Places::shared();
        let place = places.of("pbx1");
        let tenure = Tenure { lease: Lease::endless(), term: None };
        place.grant(Some(tenure));
        places.forget("pbx1");
        places.sweep();
        assert!(places.all().is_empty() && places.get("pbx1").is_some());
        assert!(places.of("pbx1").is_here(), "its tenure has not been ended");
        places.forget("pbx1");
        place.grant(None);
        places.sweep();
        assert!(places.get("pbx1").is_none());
        assert!(!places.of("pbx1").is_here());
    }

    #[test]
    fn who_begins_is_seen_by_who_takes_the_tenure_back() {
        let places = Places::shared();
        let place = places.of("pbx1");
        assert!(place.begin().is_none() && !place.runs());
        place.grant(Some(Tenure { lease: Lease::endless(), term: None }));
        assert!(place.begin().is_some() && place.runs());
        place.end();
        assert!(!place.runs());
    }
}
