//! What the plugin host is given: the bus, the clients and the listeners, as it asks for them.

mod bus;
mod connections;
mod listeners;
mod metrics;
mod outgoing;
mod placement;
#[cfg(test)]
mod tests;

pub use metrics::PluginFigures;
pub(crate) use placement::Nodes;

use crate::{bus::Bus, sockets::ListenerPool};
use plugin_host::ports::{Commands, Journal, Kv, Placement, Policies, Ports};
use std::sync::Arc;

/// The host's side of all ports.
pub struct PluginPorts {
    bus: Arc<dyn Bus>,
    listeners: Arc<ListenerPool>,
    kept: Kept,
}

/// What is neither a socket nor a message.
pub struct Kept {
    /// Values that they keep.
    pub kv: Arc<dyn Kv>,
    /// Messages that they have not done.
    pub journal: Arc<dyn Journal>,
    /// Who decides on commands.
    pub policies: Arc<dyn Policies>,
    /// Who carries out commands that the core does not know.
    pub commands: Arc<dyn Commands>,
    /// What they measure.
    pub figures: Arc<PluginFigures>,
    /// On which nodes they run.
    pub placement: Arc<dyn Placement>,
}

impl PluginPorts {
    /// Puts the ports together.
    pub fn new(bus: Arc<dyn Bus>, listeners: Arc<ListenerPool>, kept: Kept) -> Self {
        Self { bus, listeners, kept }
    }

    /// As the plugin host takes them.
    pub fn ports(&self) -> Ports {
        Ports {
            bus: Arc::new(bus::BusPort::new(Arc::clone(&self.bus))),
            connections: Arc::new(connections::ConnectionsPort::new(&self.listeners)),
            listeners: Arc::new(listeners::ListenersPort::new(Arc::clone(&self.listeners))),
            kv: Arc::clone(&self.kept.kv),
            policies: Arc::clone(&self.kept.policies),
            commands: Arc::clone(&self.kept.commands),
            outgoing: Arc::new(outgoing::OutgoingPort::default()),
            journal: Arc::clone(&self.kept.journal),
            metrics: self.kept.figures.clone(),
            placement: Arc::clone(&self.kept.placement),
        }
    }
}
