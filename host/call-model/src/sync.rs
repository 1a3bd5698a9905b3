//! Filling the model from Asterisk's own listings, while events already come: as differences, so
//! that doing it again or in another order does no harm.
//!
//! What an event told since the synchronisation began is newer than any listing, or will be followed
//! by the events that led to the listing's state: Asterisk writes listings directly, and events that
//! wait in its queue come after. So a listing only fills in what no event has touched; what neither
//! knows is gone.

use std::borrow::Cow;

use ami_proto::{Action, Message, actions};
use telepulse_language::{Event, SmolStr, Timestamp};

use crate::channel::{Ix, is_dialled};
use crate::channels::End;
use crate::pbx::{Out, Pbx};
use crate::recordings::FILE_VARIABLE;
use crate::snapshot::{BridgeKind, Snapshot};
use crate::text::{field, known, number, set};

/// A listing to ask the server for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Listing {
    /// When Asterisk was started (CoreStatus): nothing outlives another start, whatever ids come
    /// back.
    Start,
    /// Hints, with whose phone each is (ExtensionStateList).
    Hints,
    /// The states of devices (DeviceStateList).
    Devices,
    /// What bridges there are, and what for (BridgeList).
    Bridges,
    /// Channels and their bridges (Status: unlike CoreShowChannels it needs no right of its own).
    Channels,
    /// Queues, members, waiting callers (QueueStatus).
    Queues,
    /// Who is parked where (ParkedCalls).
    Parked,
    /// Conferences (ConfbridgeListRooms).
    Rooms,
    /// Who is in one of them (ConfbridgeList).
    Room(SmolStr),
    /// What people say of being there (PresenceStateList).
    Presences,
    /// Where phones are (PJSIPShowContacts).
    Contacts,
}

impl Listing {
    /// In the order in which each finds what it refers to.
    const ALL: [Self; 10] = [
        Self::Start,
        Self::Hints,
        Self::Devices,
        Self::Presences,
        Self::Contacts,
        Self::Bridges,
        Self::Channels,
        Self::Queues,
        Self::Parked,
        Self::Rooms,
    ];

    /// Those that an event forged by a caller or a dialplan could make wrong, and that are short while
    /// little goes on.
    const FORGEABLE: [Self; 5] =
        [Self::Bridges, Self::Channels, Self::Queues, Self::Parked, Self::Rooms];

    /// The action that asks for it.
    pub fn action(&self) -> Action {
        match self {
            Self::Start => actions::core_status(),
            Self::Hints => actions::extension_state_list(),
            Self::Devices => actions::device_state_list(),
            Self::Bridges => actions::bridge_list(),
            Self::Channels => actions::status_with(&[FILE_VARIABLE]),
            Self::Queues => actions::queue_status(),
            Self::Parked => actions::parked_calls(),
            Self::Rooms => actions::confbridge_list_rooms(),
            Self::Room(name) => actions::confbridge_list(name),
            Self::Presences => actions::presence_state_list(),
            Self::Contacts => actions::pjsip_show_contacts(),
        }
    }
}

impl Pbx {
    /// The link is up: what to ask for. Until [`Pbx::finish_sync`] the model is being filled; live
    /// events go to [`Pbx::apply`] all the while.
    pub fn begin_sync(&mut self, _now: Timestamp) -> Vec<Listing> {
        let round = self.sync.round + 1;
        // The listings know all that these told.
        self.early = crate::early::Early::default();
        self.sync = crate::pbx::Sync { round, is_running: true, ..Default::default() };
        Listing::ALL.to_vec()
    }

    /// The same while the model is true, to find out whether it is: what the listings then change was
    /// wrong, or was on its way as an event. Events go on being told all the while.
    pub fn begin_audit(&mut self, now: Timestamp) -> Vec<Listing> {
        self.begin_sync(now);
        Listing::FORGEABLE.to_vec()
    }

    /// Takes in the answer to a listing and appends what it changes; returns what else to ask for.
    ///
    /// A refusal (`Response: Error`) is no failure: some servers lack a module or a right, and
    /// Asterisk answers some empty lists so.
    pub fn fold(
        &mut self,
        listing: &Listing,
        response: &Message,
        items: &[Message],
        now: Timestamp,
        events: &mut Vec<Event>,
    ) -> Vec<Listing> {
        let out = &mut Out { now, events };
        let is_refused = response.is_error() && items.is_empty();
        let mut more = Vec::new();
        match listing {
            Listing::Start => self.fold_start(response, out),
            Listing::Hints => self.fold_hints(items, out),
            Listing::Devices => self.fold_devices(items),
            Listing::Bridges => self.fold_bridges(items),
            Listing::Channels => {
                self.refuse(listing, is_refused);
                self.fold_channels(items, out);
            }
            Listing::Queues => {
                self.refuse(listing, is_refused);
                self.fold_queues(items, out);
            }
            Listing::Parked if is_refused => {}
            Listing::Parked => self.fold_parked(items, out),
            Listing::Rooms => {
                // The refusal of an empty list says so; another one says that it is not known.
                let is_empty = field(response, "Message").contains("No active");
                self.refuse(listing, is_refused && !is_empty);
                more = self.fold_rooms(items, out).into_iter().map(Listing::Room).collect();
            }
            Listing::Room(name) => self.fold_room(name, items, out),
            Listing::Presences => self.fold_presences(items),
            Listing::Contacts => self.fold_contacts(items),
        }
        self.flush_lines(out);
        more
    }

    /// What a listing that was refused would have confirmed is left as it is.
    fn refuse(&mut self, listing: &Listing, is_refused: bool) {
        if is_refused {
            self.sync.refused.push(listing.clone());
        }
    }

    /// Every listing is in: what none of them had, and no event told of, is gone. The model is true
    /// from now on.
    pub fn finish_sync(&mut self, now: Timestamp, events: &mut Vec<Event>) {
        let out = &mut Out { now, events };
        if !self.sync.refused.contains(&Listing::Channels) {
            self.end_lost_channels(out);
        }
        if !self.sync.refused.contains(&Listing::Queues) {
            self.end_lost_queues(out);
        }
        if !self.sync.refused.contains(&Listing::Rooms) {
            self.end_lost_conferences(out);
        }
        self.fail_lost_dials(out);
        self.sync = crate::pbx::Sync { round: self.sync.round, ..Default::default() };
        self.flush_lines(out);
    }

    /// The link is down. Nothing is dropped: clients go on seeing the last state, and the next
    /// synchronisation tells what became of it.
    pub fn disconnected(&mut self, _now: Timestamp, _events: &mut Vec<Event>) {
        self.sync = crate::pbx::Sync { round: self.sync.round, ..Default::default() };
    }

    /// Asterisk numbers channels by the second and a counter that begins anew with it: after a quick
    /// restart an id can name another channel.
    fn fold_start(&mut self, response: &Message, out: &mut Out<'_>) {
        let (date, time) = (field(response, "CoreStartupDate"), field(response, "CoreStartupTime"));
        if time.is_empty() {
            return;
        }
        let started = format!("{date} {time}").into();
        let before = self.started.replace(started);
        if before.is_some() && before != self.started {
            self.end_lost_channels(out);
            self.end_lost_callers(out);
        }
    }

    fn fold_hints(&mut self, items: &[Message], out: &mut Out<'_>) {
        let round = self.sync.round;
        for item in items {
            let heard = self.by_number.get(field(item, "Exten")).copied();
            // The first listing of all tells whose phone it is, whatever events told of its state.
            let is_newer = heard.is_some_and(|agent| {
                self.extensions[agent].seen == round
                    && self.extensions[agent].hint_context.is_some()
            });
            if !is_newer {
                self.extension_status(item);
            }
        }
        self.adopt_channels(out);
    }

    fn fold_devices(&mut self, items: &[Message]) {
        let round = self.sync.round;
        for item in items {
            let agent = self.agent_of_device(field(item, "Device"));
            if agent.is_none_or(|agent| self.extensions[agent].seen != round) {
                self.device_state(item);
            }
        }
    }

    fn fold_bridges(&mut self, items: &[Message]) {
        for item in items {
            let kind = BridgeKind::read(item);
            let id = field(item, "BridgeUniqueid");
            if let Some(&bridge) = self.by_bridge.get(id) {
                self.bridges[bridge].kind = kind;
                self.touch_bridge(bridge);
            }
            self.sync.bridge_kinds.insert(id.into(), kind);
        }
    }

    fn fold_channels(&mut self, items: &[Message], out: &mut Out<'_>) {
        let listed = items.iter().filter_map(|item| Some((Snapshot::read(item)?, item)));
        let mut listed: Vec<_> =
            listed.filter(|(snapshot, _)| !self.sync.hung_up.contains(snapshot.uniqueid)).collect();
        if self.is_another_life(listed.iter().map(|(snapshot, _)| snapshot)) {
            self.end_lost_channels(out);
        }
        // Oldest first, and of a call the first channel before those that it led to.
        listed.sort_by_key(|(snapshot, item)| {
            let seconds: u64 = number(item, "Seconds").unwrap_or(0);
            (u64::MAX - seconds, snapshot.uniqueid != snapshot.linkedid)
        });
        for (snapshot, item) in &listed {
            if field(item, "Application") == "Queue" {
                let queue = field(item, "Data").split(',').next().unwrap_or_default();
                self.sync.call_queues.insert(snapshot.linkedid.into(), queue.into());
            }
        }
        for (snapshot, item) in &listed {
            self.fold_channel(snapshot, item, out);
        }
        for (snapshot, item) in &listed {
            self.fold_bridge_of(snapshot, item, out);
            self.fold_recording_of(snapshot, item, out);
        }
    }

    /// Whether ids that are known are listed with other channels' names, and none with its own: so
    /// it looks after a restart within the second. One masquerade leaves the other party its name.
    fn is_another_life<'s, 'm: 's>(&self, listed: impl Iterator<Item = &'s Snapshot<'m>>) -> bool {
        let known = listed.filter_map(|snapshot| {
            let channel = &self.channels[*self.by_uniqueid.get(snapshot.uniqueid)?];
            Some(*channel.name == *snapshot.channel)
        });
        let names: Vec<bool> = known.collect();
        !names.is_empty() && !names.contains(&true)
    }

    fn fold_channel(&mut self, snapshot: &Snapshot<'_>, item: &Message, out: &mut Out<'_>) {
        match self.by_uniqueid.get(snapshot.uniqueid) {
            Some(&known) if self.channels[known].heard == self.sync.round => {
                self.channels[known].seen = self.sync.round;
            }
            Some(&known) => self.update_channel(known, snapshot, out),
            None => {
                let seconds: u64 = number(item, "Seconds").unwrap_or(0);
                let created = Timestamp(out.now.0.saturating_sub(seconds.saturating_mul(1000)));
                let channel = self.add_channel(snapshot, created, out);
                let channel = &mut self.channels[channel];
                channel.heard = 0;
                // Where it is in the dialplan by now need not be what was dialled.
                let dialled = field(item, "DNID");
                if channel.is_caller() && is_dialled(dialled) {
                    set(&mut channel.dialled, dialled);
                }
            }
        }
    }

    fn fold_recording_of(&mut self, snapshot: &Snapshot<'_>, item: &Message, out: &mut Out<'_>) {
        let Some(&channel) = self.by_uniqueid.get(snapshot.uniqueid) else { return };
        let file = variable(item, FILE_VARIABLE);
        self.recording_listed(channel, known(&file), out);
    }

    fn fold_bridge_of(&mut self, snapshot: &Snapshot<'_>, item: &Message, out: &mut Out<'_>) {
        let Some(&channel) = self.by_uniqueid.get(snapshot.uniqueid) else { return };
        let has_left = self.sync.unbridged.contains(snapshot.uniqueid);
        if self.channels[channel].placed != self.sync.round && !has_left {
            match field(item, "BridgeID") {
                "" => self.unplace(channel),
                bridge => {
                    let kind = self.listed_kind(bridge, item);
                    self.place(channel, bridge, kind, out);
                }
            }
        }
        let call = self.channels[channel].call;
        if self.calls[call].queue.is_none()
            && let Some(queue) = self.sync.call_queues.get(snapshot.linkedid)
        {
            self.calls[call].queue = Some(queue.clone());
            self.touch_call(call);
        }
        if self.channels[channel].line.is_none() {
            let created = self.channels[channel].created;
            let state = self.line_state(&self.channels[channel]);
            self.channels[channel].line = state.map(|state| (state, created));
        }
    }

    /// What a bridge is for: as listed, as known, or by what the channel does there.
    fn listed_kind(&self, bridge: &str, item: &Message) -> BridgeKind {
        let known = || self.by_bridge.get(bridge).map(|bridge| self.bridges[*bridge].kind);
        let listed = self.sync.bridge_kinds.get(bridge).copied();
        listed.or_else(known).unwrap_or_else(|| match field(item, "Application") {
            "Park" => BridgeKind::Parking,
            "ConfBridge" => BridgeKind::Conference,
            _ => BridgeKind::Talk,
        })
    }

    fn fold_queues(&mut self, items: &[Message], out: &mut Out<'_>) {
        for item in items {
            let queue = field(item, "Queue");
            match item.event() {
                Some("QueueParams") => {
                    self.queue_of(item);
                }
                Some("QueueMember") => {
                    let interface = field(item, "Location");
                    if !self.sync.removed.contains(&(queue.into(), interface.into()))
                        && !self.is_member_heard(queue, interface)
                    {
                        self.member(item, out);
                    }
                }
                Some("QueueEntry") => {
                    let uniqueid = field(item, "Uniqueid");
                    if !self.sync.left.contains(&(queue.into(), uniqueid.into()))
                        && !self.sync.hung_up.contains(uniqueid)
                    {
                        self.entry(item, out);
                    }
                }
                _ => {}
            }
        }
        self.end_lost_callers(out);
    }

    /// Whether an event told of this member since the synchronisation began.
    fn is_member_heard(&self, queue: &str, interface: &str) -> bool {
        let Some(queue) = self.queue(queue) else { return false };
        let member = queue.member(interface).map(|at| &queue.members[at]);
        member.is_some_and(|member| member.seen == self.sync.round)
    }

    fn end_lost_channels(&mut self, out: &mut Out<'_>) {
        let round = self.sync.round;
        let mut lost: Vec<(Timestamp, Ix)> = self
            .channels
            .iter()
            .filter(|(_, channel)| channel.seen != round)
            .map(|(ix, channel)| (channel.created, ix))
            .collect();
        // The younger ends first, as a call would be taken down.
        lost.sort_unstable_by(|a, b| b.cmp(a));
        for (_, channel) in lost {
            self.remove_channel(channel, &End::Lost, out);
        }
    }

    fn end_lost_queues(&mut self, out: &mut Out<'_>) {
        let round = self.sync.round;
        self.end_lost_callers(out);
        for queue in 0..self.queues.len() {
            while let Some(lost) =
                self.queues[queue].members.iter().position(|member| member.seen != round)
            {
                self.remove_member(queue, lost, out);
            }
        }
        self.queues.retain(|queue| queue.seen == round);
    }

    /// Dials from before the outage whose channel is nowhere: nobody will tell of them any more.
    fn fail_lost_dials(&mut self, out: &mut Out<'_>) {
        let round = self.sync.round;
        let mut lost: Vec<SmolStr> = self
            .pending
            .iter()
            .filter(|(id, dial)| dial.round < round && !self.by_uniqueid.contains_key(*id))
            .map(|(id, _)| id.clone())
            .collect();
        lost.sort_unstable();
        for id in lost {
            if let Some(dial) = self.pending.remove(&id) {
                let reason = "the link to Asterisk was lost; what became of it is not known";
                self.tell_failed(&id, &dial, reason, out);
            }
        }
    }
}

/// The value of a channel's variable in an item of Status: `Variable: NAME=VALUE`, one line each.
fn variable<'m>(item: &'m Message, name: &str) -> Cow<'m, str> {
    item.get_all("Variable")
        .find_map(|line| line.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
        .map_or(Cow::Borrowed(""), String::from_utf8_lossy)
}
