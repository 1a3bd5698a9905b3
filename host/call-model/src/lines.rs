//! Lines: the channels of one extension as it sees them, told whole whenever they changed.

use telepulse_language::{
    ActiveLines, Direction, Line, LineState, PhoneNumber, SmolStr, Timestamp,
};

use crate::channel::{Channel, Ix, Recording};
use crate::pbx::{Out, Pbx};
use crate::snapshot::{BridgeKind, State};

/// What is not known.
static NOTHING: SmolStr = SmolStr::new_static("");

/// A line as it is now, borrowed: most looks find nothing new and copy nothing.
struct View<'v> {
    call: &'v SmolStr,
    channel: &'v SmolStr,
    state: LineState,
    direction: Direction,
    number: &'v SmolStr,
    name: &'v SmolStr,
    queue: Option<&'v SmolStr>,
    recording: Recording,
    is_muted: bool,
    spied_by: &'v [SmolStr],
    since: Timestamp,
}

impl View<'_> {
    fn shows(&self, line: &Line) -> bool {
        *self.call == line.call
            && *self.channel == line.channel
            && self.state == line.state
            && self.direction == line.direction
            && *self.number == line.number
            && *self.name == line.name
            && self.queue == line.queue.as_ref()
            && (self.recording != Recording::No) == line.recording
            && (self.recording == Recording::Paused) == line.recording_paused
            && self.is_muted == line.muted
            && self.spied_by == line.spied_by
            && self.since == line.since
    }

    fn to_line(&self) -> Line {
        Line {
            call: self.call.clone(),
            channel: self.channel.clone(),
            state: self.state,
            direction: self.direction,
            number: self.number.clone(),
            name: self.name.clone(),
            queue: self.queue.cloned(),
            recording: self.recording != Recording::No,
            recording_paused: self.recording == Recording::Paused,
            muted: self.is_muted,
            spied_by: self.spied_by.to_vec(),
            since: self.since,
        }
    }
}

impl Pbx {
    /// Tells the lines and the number of every extension that was touched and shows something new.
    pub(crate) fn flush_lines(&mut self, out: &mut Out<'_>) {
        for at in 0..self.dirty.len() {
            let agent = self.dirty[at];
            self.extensions[agent].is_dirty = false;
            self.set_line_states(agent, out.now);
            let is_same = {
                let told = &self.extensions[agent].told.lines;
                let mut told = told.iter();
                self.views(agent).all(|view| told.next().is_some_and(|line| view.shows(line)))
                    && told.next().is_none()
            };
            if !is_same {
                let lines: Vec<Line> = self.views(agent).map(|view| view.to_line()).collect();
                self.extensions[agent].told.lines.clone_from(&lines);
                self.tell(Some(self.number(agent)), None, ActiveLines { lines }, out);
                self.tell_number(agent, out);
            }
            self.tell_phone(agent, out);
        }
        self.dirty.clear();
        if self.roll.has_changed {
            self.tell_roll(out);
        }
    }

    fn set_line_states(&mut self, agent: Ix, now: Timestamp) {
        for at in 0..self.extensions[agent].channels.len() {
            let ix = self.extensions[agent].channels[at];
            let state = self.line_state(&self.channels[ix]);
            let channel = &mut self.channels[ix];
            if channel.line.map(|(state, _)| state) != state {
                channel.line = state.map(|state| (state, now));
            }
        }
    }

    /// What the line does; `None` while there is nothing to see: a channel that was just made.
    pub(crate) fn line_state(&self, channel: &Channel) -> Option<LineState> {
        let kind = channel.bridge.map(|bridge| self.bridges[bridge].kind);
        match (kind, channel.state) {
            (Some(BridgeKind::Parking), _) => Some(LineState::Parked),
            (Some(BridgeKind::Conference), _) => Some(LineState::Conference),
            (_, State::Down | State::Reserved) => None,
            (_, State::Ringing) => Some(LineState::Ringing),
            (_, State::Up) if channel.audio.holds.is_some() => Some(LineState::Hold),
            (Some(_), State::Up) if channel.audio.hears_music => Some(LineState::Moh),
            (_, State::Up) => Some(LineState::Up),
            _ => Some(LineState::Dialing),
        }
    }

    /// By a command, or in its conference.
    pub(crate) fn is_muted(&self, ix: Ix) -> bool {
        let channel = &self.channels[ix];
        let room = channel.conference.map(|room| &self.conferences[room]);
        let in_room = room.is_some_and(|room| {
            room.members.iter().any(|member| member.is_muted && member.channel == ix)
        });
        channel.audio.is_muted || in_room
    }

    fn views(&self, agent: Ix) -> impl Iterator<Item = View<'_>> {
        self.extensions[agent].channels.iter().filter_map(|ix| {
            let channel = &self.channels[*ix];
            let (state, since) = channel.line?;
            let call = &self.calls[channel.call];
            let (number, name) = self.other_party(*ix);
            Some(View {
                call: &call.id,
                channel: &channel.name,
                state,
                direction: channel.direction,
                number,
                name,
                queue: call.queue.as_ref(),
                recording: channel.recordings.state(),
                is_muted: self.is_muted(*ix),
                spied_by: &channel.spied_by,
                since,
            })
        })
    }

    /// Number and name of the other side: what Asterisk shows on the phone, else what was dialled,
    /// else who is there. A number of the phone's own (set by an Originate) says nothing.
    pub(crate) fn other_party(&self, ix: Ix) -> (&SmolStr, &SmolStr) {
        let channel = &self.channels[ix];
        let own = channel.agent.map(|agent| self.number(agent));
        let connected = &channel.connected;
        if !connected.number.is_empty() && Some(&connected.number) != own {
            return (&connected.number, &connected.name);
        }
        if !channel.dialled.is_empty() {
            return (&channel.dialled, &NOTHING);
        }
        match self.others(ix).as_slice() {
            [other] => {
                let other = &self.channels[*other];
                let number = other.agent.map(|agent| self.number(agent));
                (number.unwrap_or(&other.caller.number), &other.caller.name)
            }
            _ => (&NOTHING, &NOTHING),
        }
    }

    /// The number that the extension rings or talks with: its newest line's. An unknown caller is
    /// no number; null comes only when the last line is gone.
    fn tell_number(&mut self, agent: Ix, out: &mut Out<'_>) {
        let told = &self.extensions[agent].told;
        let newest = told.lines.iter().rev().find(|line| !line.number.is_empty());
        let number = match newest {
            Some(line) => Some(PhoneNumber {
                number: Some(line.number.clone()),
                name: (!line.name.is_empty()).then(|| line.name.clone()),
                queue: line.queue.clone(),
            }),
            None if told.lines.is_empty() => None,
            None => return,
        };
        if number == told.number {
            return;
        }
        self.extensions[agent].told.number.clone_from(&number);
        let details = number.unwrap_or(PhoneNumber { number: None, name: None, queue: None });
        self.tell(Some(self.number(agent)), None, details, out);
    }
}
