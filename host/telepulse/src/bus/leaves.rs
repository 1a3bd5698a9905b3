//! Messages that only matter to who asked for them: published below one address, each under its name,
//! and not even made where nobody reads it.

use super::{Address, AddressError, Below, Bus};
use bytes::Bytes;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use tokio::sync::watch;

/// How many names get a ready-made address; a PBX knows about 200.
const CACHED_NAMES: usize = 512;

/// All addresses one token below another.
pub(crate) struct Leaves {
    bus: Arc<dyn Bus>,
    root: Address,
    /// Which of them somebody reads, as of the subscriptions last looked at.
    wanted: Below,
    subscriptions: watch::Receiver<u64>,
    addresses: FxHashMap<Box<str>, Address>,
}

impl Leaves {
    /// Those below the address of these tokens.
    pub(crate) fn below(bus: Arc<dyn Bus>, root: &[&str]) -> Result<Self, AddressError> {
        let mut subscriptions = bus.subscriptions_changed();
        // So that it is looked at before the first message.
        subscriptions.mark_changed();
        Ok(Self {
            root: Address::build(root)?,
            bus,
            wanted: Below::none(),
            subscriptions,
            addresses: FxHashMap::default(),
        })
    }

    /// Which of them somebody reads now.
    pub(crate) fn wanted(&self) -> Below {
        self.bus.wanted_below(&self.root)
    }

    /// Publishes what `message` makes, if anybody reads it under this name.
    pub(crate) fn publish(
        &mut self,
        name: &str,
        server: &Arc<str>,
        message: impl FnOnce() -> Option<Bytes>,
    ) {
        // An error means that the bus is gone, and with it whoever read.
        if self.subscriptions.has_changed().unwrap_or(false) {
            self.subscriptions.mark_unchanged();
            self.wanted = self.wanted();
        }
        let is_wanted = match &self.wanted {
            Below::All => true,
            Below::Names(names) => !names.is_empty() && names.contains(name),
        };
        if !is_wanted {
            return;
        }
        if let (Some(address), Some(message)) = (self.address(name), message()) {
            self.bus.publish(&address, Some(server), message);
        }
    }

    fn address(&mut self, name: &str) -> Option<Address> {
        if let Some(address) = self.addresses.get(name) {
            return Some(address.clone());
        }
        let address = self.root.below(name).ok()?;
        // A lying server could invent names without end.
        if self.addresses.len() < CACHED_NAMES {
            self.addresses.insert(name.into(), address.clone());
        }
        Some(address)
    }
}
