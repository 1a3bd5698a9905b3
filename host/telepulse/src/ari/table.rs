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
            let told = told.entry(channel.id.clone()).or_insert(fate);
            // One that was made since may not be listed, whatever else was told of it.
            if fate != Fate::Changed {
                *told = fate;
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
    /// event made since is gone. Answers whether it said anything that no event had told.
    pub(super) fn finish(&mut self, listing: &[Channel<'_>], now: Timestamp) -> bool {
        let before = self.channels.len();
        let told = self.told.take().unwrap_or_default();
        let listed: FxHashMap<&str, &Channel<'_>> =
            listing.iter().map(|channel| (&*channel.id, channel)).collect();
        self.channels
            .retain(|id, _| listed.contains_key(&**id) || told.get(id) == Some(&Fate::Created));
        let mut differs = self.channels.len() != before;
        for channel in listing.iter().filter(|channel| !told.contains_key(&channel.id)) {
            if let Some(known) = self.channels.get_mut(&channel.id) {
                differs |= known.list(channel);
            } else {
                differs = true;
                self.put(channel, channel.created().unwrap_or(now));
            }
        }
        differs
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

    /// Takes over what a listing says, and answers whether the state is another; when it changed is
    /// not known.
    fn list(&mut self, new: &Channel<'_>) -> bool {
        let since = new.created().unwrap_or(self.channel.since);
        let before = self.channel.state.clone();
        self.update(new, since);
        self.channel.state != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ari::event::{Event, listing};
    use std::collections::BTreeMap;

    /// As Asterisk 22 sent them: 101 calls 102 and hangs up; then an originate rings 102, which hears
    /// its echo until it is hung up.
    const CALL: &str = include_str!("recorded/call.jsonl");
    /// As Asterisk 22 answered meanwhile.
    const RINGING: &str = include_str!("recorded/listing-ringing.json");
    const UP: &str = include_str!("recorded/listing-up.json");
    const ORIGINATED: &str = include_str!("recorded/listing-originated.json");

    const NOW: Timestamp = Timestamp(1);

    fn tell(table: &mut Table, line: &str, now: Timestamp) {
        if let Some((fate, channel)) = Event::read(line).unwrap().channel().unwrap() {
            table.apply(fate, &channel, now);
        }
    }

    fn list(table: &mut Table, text: &str) -> bool {
        table.begin();
        table.finish(&listing(text.as_bytes()).unwrap(), NOW)
    }

    #[test]
    fn a_listing_shows_what_no_event_told() {
        let mut table = Table::default();
        assert!(!list(&mut table, "[]"));
        assert!(list(&mut table, RINGING), "two channels came");
        assert!(!list(&mut table, RINGING));
        assert!(list(&mut table, UP), "another state");
        assert!(list(&mut table, "[]"), "both are gone");
        table.begin();
        CALL.lines().take(27).for_each(|line| tell(&mut table, line, NOW));
        assert!(!table.finish(&listing(UP.as_bytes()).unwrap(), NOW), "events told of both");
    }

    /// All but when it was.
    fn shown(table: &Table) -> Vec<String> {
        let shown = |channel: DeviceChannel| {
            let DeviceChannel { channel, state, outbound, number, name, .. } = channel;
            let way = if outbound { "to" } else { "from" };
            format!("{way} {channel}: {state}, {number} {name:?}")
        };
        table.channels().into_iter().map(shown).collect()
    }

    #[test]
    fn a_call_is_followed_by_its_events() {
        let mut table = Table::default();
        let mut seen: Vec<Vec<String>> = Vec::new();
        for line in CALL.lines() {
            tell(&mut table, line, NOW);
            let now = shown(&table);
            if seen.last() != Some(&now) {
                seen.push(now);
            }
        }
        let (caller, callee, echo) =
            ("from PJSIP/101-00000000", "to PJSIP/102-00000001", "to PJSIP/102-00000002");
        let expected = [
            vec![format!("{caller}: ring, 102 \"\"")],
            vec![format!("{caller}: ring, 102 \"\""), format!("{callee}: down,  \"\"")],
            vec![format!("{caller}: ring, 102 \"\""), format!("{callee}: down, 101 \"Phone 101\"")],
            vec![
                format!("{caller}: ring, 102 \"Phone 102\""),
                format!("{callee}: down, 101 \"Phone 101\""),
            ],
            vec![
                format!("{caller}: ring, 102 \"Phone 102\""),
                format!("{callee}: ringing, 101 \"Phone 101\""),
            ],
            vec![
                format!("{caller}: ring, 102 \"Phone 102\""),
                format!("{callee}: up, 101 \"Phone 101\""),
            ],
            vec![
                format!("{caller}: up, 102 \"Phone 102\""),
                format!("{callee}: up, 101 \"Phone 101\""),
            ],
            vec![format!("{caller}: up, 102 \"Phone 102\"")],
            vec![],
            vec![format!("{echo}: down,  \"\"")],
            vec![format!("{echo}: ringing,  \"\"")],
            vec![format!("{echo}: up,  \"\"")],
            vec![],
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_listing_says_the_same() {
        let check = |text: &str, expected: &[&str]| {
            let mut table = Table::default();
            list(&mut table, text);
            assert_eq!(shown(&table), expected);
        };
        let caller = "from PJSIP/101-00000000";
        check(
            RINGING,
            &[
                &format!("{caller}: ring, 102 \"Phone 102\""),
                "to PJSIP/102-00000001: ringing, 101 \"Phone 101\"",
            ],
        );
        check(
            UP,
            &[
                &format!("{caller}: up, 102 \"Phone 102\""),
                "to PJSIP/102-00000001: up, 101 \"Phone 101\"",
            ],
        );
        // Once it runs a dialplan of its own, nothing tells any more who called whom.
        check(ORIGINATED, &["from PJSIP/102-00000002: up, 800 \"\""]);
        check("[]", &[]);
    }

    #[test]
    fn a_listing_does_not_forget_who_called_whom() {
        let mut table = Table::default();
        let is_up = |line: &&str| !line.contains("\"app_name\":\"Echo\"");
        CALL.lines().take_while(is_up).for_each(|line| tell(&mut table, line, NOW));
        list(&mut table, ORIGINATED);
        assert_eq!(shown(&table), ["to PJSIP/102-00000002: up,  \"\""]);
    }

    /// Channels after each event as a listing has them, made of what the events show.
    fn listings() -> Vec<String> {
        let mut there: BTreeMap<String, String> = BTreeMap::new();
        let mut listings = vec!["[]".to_owned()];
        for line in CALL.lines() {
            if let Some((fate, channel)) = Event::read(line).unwrap().channel().unwrap() {
                let event: serde_json::Value = serde_json::from_str(line).unwrap();
                there.remove(&*channel.id);
                if fate != Fate::Destroyed {
                    there.insert(channel.id.to_string(), event["channel"].to_string());
                }
            }
            let all: Vec<&str> = there.values().map(String::as_str).collect();
            listings.push(format!("[{}]", all.join(",")));
        }
        listings
    }

    fn states(table: &Table) -> Vec<(SmolStr, SmolStr)> {
        table.channels().into_iter().map(|one| (one.channel, one.state)).collect()
    }

    /// What a table shows after each event from where the listing arrived on, if the connection was
    /// made before the event `connected`, and the listing, as it was taken, comes at `arrived`.
    fn joined(connected: usize, taken: &str, arrived: usize) -> Vec<Vec<(SmolStr, SmolStr)>> {
        let mut table = Table::default();
        // What was known from a connection before, and lost since.
        list(&mut table, ORIGINATED);
        table.begin();
        for line in CALL.lines().take(arrived).skip(connected) {
            tell(&mut table, line, NOW);
        }
        table.finish(&listing(taken.as_bytes()).unwrap(), NOW);
        let mut shown = vec![states(&table)];
        for line in CALL.lines().skip(arrived) {
            tell(&mut table, line, NOW);
            shown.push(states(&table));
        }
        shown
    }

    /// Whenever the connection is made, the listing is taken and arrives: from then on the table has
    /// what one has that saw every event.
    #[test]
    fn a_listing_and_events_come_together_in_any_order() {
        let mut all = Table::default();
        let mut expected = vec![Vec::new()];
        for line in CALL.lines() {
            tell(&mut all, line, NOW);
            expected.push(states(&all));
        }
        let last = CALL.lines().count();
        for (taken, listing) in listings().iter().enumerate() {
            for connected in taken.saturating_sub(12)..=taken {
                for arrived in [taken, taken + 1, taken + 9].map(|arrived| arrived.min(last)) {
                    let shown = joined(connected, listing, arrived);
                    assert_eq!(shown, expected[arrived..], "{connected} {taken} {arrived}");
                }
            }
        }
    }

    #[test]
    fn since_is_when_the_state_was_seen_to_come() {
        let mut table = Table::default();
        for (second, line) in (1..).zip(CALL.lines()) {
            tell(&mut table, line, Timestamp(second * 1000));
            if line.contains("ChannelEnteredBridge") {
                break;
            }
        }
        let since = |table: &Table| -> Vec<u64> {
            table.channels().iter().map(|channel| channel.since.0 / 1000).collect()
        };
        assert_eq!(since(&table), [32, 27], "when each was up");
        list(&mut table, UP);
        assert_eq!(since(&table), [32, 27], "a listing says nothing new");
        list(&mut table, RINGING);
        let created = 1_795_307_799;
        assert_eq!(since(&table), [created, created], "a change that nobody saw");
    }

    #[test]
    fn late_words_bring_nobody_back() {
        let mut table = Table::default();
        list(&mut table, "[]");
        let late = CALL.lines().find(|line| line.contains("ChannelStateChange")).unwrap();
        tell(&mut table, late, NOW);
        assert_eq!(table.len(), 0);
    }
}
