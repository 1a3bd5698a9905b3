//! The channels that are there, folded from live events and from Asterisk's own listing.

use super::event::{Channel, Fate};
use rustc_hash::FxHashMap;
use std::collections::hash_map::Entry;
use telepulse_language::{DeviceChannel, SmolStr, Timestamp};

/// All channels of a server. It is kept while the connection is lost; the listing after it says what
/// changed meanwhile.
#[derive(Default)]
pub(super) struct Table {
    channels: FxHashMap<SmolStr, Known>,
    /// What was told of channels since the connection was made, until the listing is there.
    told: Option<FxHashMap<SmolStr, Fate>>,
}

struct Known {
    channel: DeviceChannel,
    created: Timestamp,
    /// What it dialled, on a channel that calls; empty on others.
    dialled: SmolStr,
}

impl Table {
    /// Events come from now on, and [`Table::finish`] will bring a listing that was asked for later.
    pub(super) fn begin(&mut self) {
        self.told = Some(FxHashMap::default());
    }

    /// Folds a live event in.
    pub(super) fn apply(&mut self, fate: Fate, channel: &Channel<'_>, now: Timestamp) {
        if let Some(told) = &mut self.told {
            let before = told.insert(channel.id.clone(), fate);
            if before == Some(Fate::Created) && fate == Fate::Changed {
                told.insert(channel.id.clone(), Fate::Created);
            }
        }
        match fate {
            Fate::Created => self.put(channel, now),
            Fate::Destroyed => drop(self.channels.remove(&channel.id)),
            // Before the listing any channel may be new to us; later, one that is not known is gone.
            Fate::Changed if self.told.is_some() => self.put(channel, now),
            Fate::Changed => {
                if let Some(known) = self.channels.get_mut(&channel.id) {
                    known.update(channel, now);
                }
            }
        }
    }

    /// Folds the listing in: what events told since is newer, and what neither a listing has nor an
    /// event made since is gone.
    pub(super) fn finish(&mut self, listing: &[Channel<'_>], now: Timestamp) {
        let told = self.told.take().unwrap_or_default();
        let listed: FxHashMap<&str, &Channel<'_>> =
            listing.iter().map(|channel| (&*channel.id, channel)).collect();
        self.channels
            .retain(|id, _| listed.contains_key(&**id) || told.get(id) == Some(&Fate::Created));
        for channel in listing.iter().filter(|channel| !told.contains_key(&channel.id)) {
            match self.channels.get_mut(&channel.id) {
                Some(known) => known.list(channel),
                None => self.put(channel, channel.created().unwrap_or(now)),
            }
        }
    }

    /// All channels, the oldest first.
    pub(super) fn channels(&self) -> Vec<DeviceChannel> {
        let mut all: Vec<&Known> = self.channels.values().collect();
        all.sort_by(|a, b| (a.created, &a.channel.id).cmp(&(b.created, &b.channel.id)));
        all.into_iter().map(|known| known.channel.clone()).collect()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.channels.len()
    }

    fn put(&mut self, channel: &Channel<'_>, since: Timestamp) {
        match self.channels.entry(channel.id.clone()) {
            Entry::Occupied(mut known) => known.get_mut().update(channel, since),
            Entry::Vacant(place) => drop(place.insert(Known::new(channel, since))),
        }
    }
}

impl Known {
    fn new(channel: &Channel<'_>, since: Timestamp) -> Self {
        let outbound = channel.is_outbound();
        let dialled = if outbound { SmolStr::default() } else { (&*channel.dialplan.exten).into() };
        let mut known = Self {
            channel: DeviceChannel {
                channel: SmolStr::default(),
                id: channel.id.clone(),
                state: SmolStr::default(),
                outbound,
                number: SmolStr::default(),
                name: SmolStr::default(),
                since,
            },
            created: channel.created().unwrap_or(since),
            dialled,
        };
        known.update(channel, since);
        known
    }

    fn update(&mut self, new: &Channel<'_>, now: Timestamp) {
        let state = new.state();
        let own = &mut self.channel;
        if own.state != state {
            (own.state, own.since) = (state, now);
        }
        own.channel = new.name.clone();
        let is_known = !new.connected.number.is_empty();
        own.number = if is_known { new.connected.number.clone() } else { self.dialled.clone() };
        own.name = new.connected.name.clone();
    }

    /// Takes over what a listing says; when the state changed is not known.
    fn list(&mut self, new: &Channel<'_>) {
        let since = new.created().unwrap_or(self.channel.since);
        self.update(new, since);
    }
}
