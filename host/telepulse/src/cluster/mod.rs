//! Several nodes that are one platform: which node keeps the connection to which Asterisk server, and which
//! runs a plugin that one node alone has, by the same leases.
//!
//! All of them write into one store that changes a record only for whoever names its latest revision.
//! What is written when, and what follows from what is read, is decided by `Ownership`, which is pure:
//! it is told what happened and what time it is on this node's own clock. `Member` carries its orders out;
//! `Places` and `Seats` are what the rest of the program sees of it.

mod bucket;
mod lease;
mod member;
#[cfg(test)]
mod on_nats;
mod ownership;
mod places;
mod rank;
mod record;
mod records;
mod seats;
mod shared;
mod view;

pub(crate) use lease::Lease;
pub(crate) use ownership::{Outcome, Term};
pub(crate) use places::{Owner, Place, Places, Tenure};
pub(crate) use seats::Seats;
pub(crate) use shared::{SharedValue, Version};
pub(crate) use view::View;

use crate::{bus::NatsBus, config::Nats};
use arc_swap::ArcSwap;
use member::{Member, Shared};
use ownership::{Order, Ownership, Terms};
use record::{NodeRecord, NodeState};
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;

/// How long what is in no hurry may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// This node among the others, if there are any. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Cluster {
    places: Arc<Places>,
    shared: Option<Arc<Shared>>,
    /// What the operator changed of the servers, where all nodes find it.
    servers: Option<SharedValue>,
}

impl Cluster {
    /// Of a node that is alone, and has all servers.
    pub(crate) fn alone() -> Self {
        Self { places: Places::here(), shared: None, servers: None }
    }

    /// Joins the nodes on a bus. Unless `is_proxy` this node has no servers.
    pub(crate) fn join(bus: &Arc<NatsBus>, settings: &Nats, name: &str, is_proxy: bool) -> Self {
        let places = Places::shared();
        let shared = Arc::new(Shared {
            name: name.into(),
            start: bus.name().into(),
            is_proxy,
            places: places.clone(),
            seats: Seats::new(),
            view: ArcSwap::from_pointee(View::default()),
            moved: tokio::sync::Notify::new(),
            draining: watch::Sender::new(false),
            drained: CancellationToken::new(),
            stop: CancellationToken::new(),
        });
        let mut jetstream = async_nats::jetstream::new(bus.client());
        jetstream.set_timeout(Duration::from_millis(Terms::default().answer));
        let mut patient = async_nats::jetstream::new(bus.client());
        patient.set_timeout(PATIENCE);
        let servers = Some(SharedValue::new(patient, settings.clone(), "servers"));
        let (settings, bus) = (settings.clone(), bus.clone());
        let member = Member { shared: shared.clone(), settings, jetstream, _bus: bus };
        tokio::spawn(member.run());
        Self { places, shared: Some(shared), servers }
    }

    /// Where the servers are.
    pub(crate) fn places(&self) -> &Arc<Places> {
        &self.places
    }

    /// The plugins that this node shares with others; `None` where there are no others.
    pub(crate) fn seats(&self) -> Option<&Arc<Seats>> {
        self.shared.as_ref().map(|shared| &shared.seats)
    }

    /// The nodes; `None` where there are no others.
    pub(crate) fn view(&self) -> Option<Arc<View>> {
        self.shared.as_ref().map(|shared| shared.view.load_full())
    }

    /// What the operator changed of the servers, where the nodes share it.
    pub(crate) fn servers(&self) -> Option<&SharedValue> {
        self.servers.as_ref()
    }

    /// This node's name on the bus, where there are others.
    pub(crate) fn start(&self) -> Option<&Arc<str>> {
        self.shared.as_ref().map(|shared| &shared.start)
    }

    /// Why this node should not be asked; `None`: it may.
    pub(crate) fn trouble(&self) -> Option<String> {
        let shared = self.shared.as_ref()?;
        if *shared.draining.borrow() {
            return Some("this node hands its servers over, and takes none".to_owned());
        }
        shared.view.load().trouble.clone()
    }

    /// Waits until servers have moved.
    pub(crate) async fn moved(&self) {
        match &self.shared {
            Some(shared) => shared.moved.notified().await,
            None => std::future::pending().await,
        }
    }

    /// Begins to hand over all servers and plugins that others can have; from now on this node takes none.
    pub(crate) fn drain(&self) {
        if let Some(shared) = &self.shared {
            shared.draining.send_replace(true);
        }
    }

    /// Hands over, for so long at most, and leaves.
    pub(crate) async fn leave(&self, within: Duration) {
        let Some(shared) = &self.shared else { return };
        self.drain();
        if timeout(within, shared.drained.cancelled()).await.is_err() {
            tracing::warn!(
                "servers and plugins are not handed over: others take them once they miss this \
                 node"
            );
        }
        shared.stop.cancel();
    }
}
