//! Where plugins run.

use super::{Port, World};
use plugin_host::ports::{Guard, Needs, Placement, Seat, Where};
use std::sync::Arc;
use tokio::sync::watch;

/// A plugin's place in a world.
struct Asked {
    port: Port,
    plugin: String,
    place: watch::Receiver<Where>,
}

/// Elsewhere, for a reason; whether at once.
pub fn elsewhere(why: &str, at_once: bool) -> Where {
    Where::Elsewhere { why: why.into(), at_once }
}

impl World {
    /// Moves a plugin, or says beforehand where it is to be.
    pub fn place(&self, plugin: &str, place: Where) {
        let mut inner = self.lock();
        let known = inner.places.entry(plugin.to_owned());
        known.or_insert_with(|| watch::Sender::new(Where::Here)).send_replace(place);
    }

    /// Whether a plugin says that it runs here.
    pub fn is_here(&self, plugin: &str) -> bool {
        self.lock().runs.contains(plugin)
    }
}

impl Placement for Port {
    fn seek(&self, plugin: &str, _: Needs) -> Box<dyn Seat> {
        let mut inner = self.0.lock();
        let known = inner.places.entry(plugin.to_owned());
        let place = known.or_insert_with(|| watch::Sender::new(Where::Here)).subscribe();
        Box::new(Asked { port: Port(Arc::clone(&self.0)), plugin: plugin.to_owned(), place })
    }
}

impl Seat for Asked {
    fn place(&self) -> watch::Receiver<Where> {
        let mut place = self.place.clone();
        place.mark_unchanged();
        place
    }

    fn begin(&self) -> Option<Guard> {
        if matches!(*self.place.borrow(), Where::Elsewhere { .. }) {
            return None;
        }
        self.port.0.lock().runs.insert(self.plugin.clone());
        let plugin = self.plugin.clone();
        Some(self.port.guard(move |inner| inner.runs.retain(|name| *name != plugin)))
    }
}
