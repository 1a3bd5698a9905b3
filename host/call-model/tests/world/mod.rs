//! A PBX of our own: does random things and says so as Asterisk would, in events and in listings.

use call_model::Listing;
use proptest::prelude::*;

/// One thing that happens; the numbers choose among what there is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    /// An extension or a trunk calls somebody.
    Call(u8, u8),
    /// A callee's phone rings.
    Ring(u8),
    /// A callee answers, and is bridged with who dialled it.
    Answer(u8),
    /// A caller's application answers.
    AnswerByItself(u8),
    /// A bridged channel leaves for another bridge, then comes back to nobody.
    Leave(u8),
    /// A caller begins to wait in a queue.
    Queue(u8, u8),
    /// A waiting caller gives up.
    Unqueue(u8),
    /// A member logs on, changes, or logs off.
    Member(u8, u8),
    /// Somebody is parked.
    Park(u8),
    /// Somebody is taken out of a parking lot.
    Unpark(u8),
    /// Somebody comes into a conference.
    Enter(u8, u8),
    /// Somebody in a conference is muted, or heard again.
    Mute(u8),
    /// Somebody leaves a conference.
    Exit(u8),
    HangUp(u8),
}

fn op() -> impl Strategy<Value = Op> {
    let n = any::<u8>;
    prop_oneof![
        3 => (n(), n()).prop_map(|(a, b)| Op::Call(a, b)),
        2 => n().prop_map(Op::Ring),
        3 => n().prop_map(Op::Answer),
        1 => n().prop_map(Op::AnswerByItself),
        1 => n().prop_map(Op::Leave),
        2 => (n(), n()).prop_map(|(a, b)| Op::Queue(a, b)),
        1 => n().prop_map(Op::Unqueue),
        2 => (n(), n()).prop_map(|(a, b)| Op::Member(a, b)),
        1 => n().prop_map(Op::Park),
        1 => n().prop_map(Op::Unpark),
        2 => (n(), n()).prop_map(|(a, b)| Op::Enter(a, b)),
        1 => n().prop_map(Op::Mute),
        1 => n().prop_map(Op::Exit),
        3 => n().prop_map(Op::HangUp),
    ]
}

impl Arbitrary for Op {
    type Parameters = ();
    type Strategy = BoxedStrategy<Op>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        op().boxed()
    }
}

const QUEUES: [&str; 2] = ["sales", "support"];
const ROOMS: [&str; 2] = ["700", "701"];

#[derive(Clone, Debug)]
struct Chan {
    name: String,
    uniqueid: String,
    linkedid: String,
    state: u8,
    number: String,
    connected: String,
    dialled: String,
    /// Who dialled it.
    dialler: Option<String>,
    bridge: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
struct Member {
    queue: usize,
    interface: String,
    penalty: u8,
    paused: bool,
}

/// Who is in a conference.
#[derive(Clone, Debug)]
struct Party {
    room: &'static str,
    uniqueid: String,
    is_muted: bool,
}

/// What there is at one moment.
#[derive(Clone, Debug, Default)]
struct State {
    channels: Vec<Chan>,
    /// Queue and Uniqueid, in order.
    waiting: Vec<(usize, String)>,
    members: Vec<Member>,
    /// Uniqueid and space.
    parked: Vec<(String, usize)>,
    /// In the order of coming.
    parties: Vec<Party>,
    /// For names that are never used twice.
    made: usize,
}

/// What happened, event by event, and what there was after each.
pub(crate) struct World {
    pub(crate) events: Vec<String>,
    history: Vec<State>,
    now: State,
}

impl World {
    pub(crate) fn run(ops: &[Op]) -> Self {
        let now = State::default();
        let mut world = Self { events: Vec::new(), history: vec![now.clone()], now };
        for op in ops {
            world.step(*op);
        }
        world
    }

    pub(crate) fn hang_up_all(&mut self) {
        while !self.now.channels.is_empty() {
            self.hang_up(0);
        }
    }

    /// A listing as it would be written after `at` events.
    pub(crate) fn listing(&self, kind: &Listing, at: usize) -> Vec<String> {
        let state = &self.history[at];
        match kind {
            Listing::Channels => state.channels.iter().map(status).collect(),
            Listing::Bridges => {
                let bridges = state.channels.iter().filter_map(|channel| channel.bridge.as_ref());
                bridges.map(|id| format!("Event: BridgeListItem\r\n{}", bridge(id))).collect()
            }
            Listing::Queues => state.queues(),
            Listing::Parked => {
                state.parked.iter().map(|parked| state.space("ParkedCall", parked)).collect()
            }
            Listing::Rooms => {
                let begun = ROOMS.iter().filter(|room| state.in_room(room) > 0);
                begun
                    .map(|room| {
                        format!(
                            "Event: ConfbridgeListRooms\r\nConference: {room}\r\nLocked: No\r\n"
                        )
                    })
                    .collect()
            }
            Listing::Room(name) => {
                let parties = state.parties.iter().filter(|party| party.room == name);
                parties.map(|party| state.party("ConfbridgeList", party)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Says it, and remembers what there is now.
    fn say(&mut self, event: String) {
        self.events.push(event);
        self.history.push(self.now.clone());
    }

    fn say_of(&mut self, event: &str, channel: usize, more: &str) {
        let text = format!("Event: {event}\r\n{}{more}", snapshot(&self.now.channels[channel]));
        self.say(text);
    }

    fn pick(&self, n: u8, fits: impl Fn(&Chan) -> bool) -> Option<usize> {
        let fitting: Vec<usize> =
            (0..self.now.channels.len()).filter(|at| fits(&self.now.channels[*at])).collect();
        (!fitting.is_empty()).then(|| fitting[usize::from(n) % fitting.len()])
    }

    fn step(&mut self, op: Op) {
        match op {
            Op::Call(from, to) => self.call(from, to),
            Op::Ring(n) => {
                if let Some(at) = self.pick(n, |channel| channel.state == 0) {
                    self.now.channels[at].state = 5;
                    self.say_of("Newstate", at, "");
                }
            }
            Op::Answer(n) => self.answer(n),
            Op::AnswerByItself(n) => {
                if let Some(at) = self.pick(n, |channel| channel.state == 4) {
                    self.now.channels[at].state = 6;
                    self.say_of("Newstate", at, "");
                }
            }
            Op::Leave(n) => {
                if let Some(at) = self.pick(n, |channel| channel.bridge.is_some()) {
                    self.leave(at);
                }
            }
            Op::Queue(n, queue) => self.queue(n, usize::from(queue) % QUEUES.len()),
            Op::Unqueue(n) => {
                if !self.now.waiting.is_empty() {
                    let at = usize::from(n) % self.now.waiting.len();
                    self.unqueue(at);
                }
            }
            Op::Member(n, what) => self.member(n, what),
            Op::Park(n) => self.park(n),
            Op::Unpark(n) => {
                if !self.now.parked.is_empty() {
                    let at = usize::from(n) % self.now.parked.len();
                    self.unpark(at, "UnParkedCall");
                }
            }
            Op::Enter(n, room) => self.enter(n, ROOMS[usize::from(room) % ROOMS.len()]),
            Op::Mute(n) => self.mute(n),
            Op::Exit(n) => {
                if !self.now.parties.is_empty() {
                    let at = usize::from(n) % self.now.parties.len();
                    self.exit(at);
                }
            }
            Op::HangUp(n) => {
                if let Some(at) = self.pick(n, |_| true) {
                    self.hang_up(at);
                }
            }
        }
    }

    fn make(&mut self, device: &str, number: &str, linked: Option<&Chan>) -> usize {
        self.now.made += 1;
        let made = self.now.made;
        let uniqueid = format!("1795215840.{made}");
        self.now.channels.push(Chan {
            name: format!("{device}-{made:08x}"),
            linkedid: linked.map_or(&uniqueid, |channel| &channel.linkedid).clone(),
            state: if linked.is_some() { 0 } else { 4 },
            number: number.to_owned(),
            connected: linked.map_or(String::new(), |channel| channel.number.clone()),
            dialled: String::new(),
            dialler: linked.map(|channel| channel.uniqueid.clone()),
            bridge: None,
            uniqueid,
        });
        self.now.channels.len() - 1
    }

    fn call(&mut self, from: u8, to: u8) {
        let (device, number) = match from % 4 {
            0 => ("PJSIP/trunk".to_owned(), "0123456789".to_owned()),
            _ => (format!("PJSIP/20{}", from % 4), format!("20{}", from % 4)),
        };
        let to = format!("20{}", to % 6);
        let caller = self.make(&device, &number, None);
        self.now.channels[caller].dialled.clone_from(&to);
        self.say_of("Newchannel", caller, "");
        let linked = self.now.channels[caller].clone();
        let callee = self.make(&format!("PJSIP/{to}"), &to, Some(&linked));
        self.say_of("Newchannel", callee, "");
    }

    fn answer(&mut self, n: u8) {
        let Some(callee) = self.pick(n, |channel| matches!(channel.state, 0 | 5)) else { return };
        self.now.channels[callee].state = 6;
        self.say_of("Newstate", callee, "");
        let dialler = self.now.channels[callee].dialler.clone();
        let State { parked, parties, .. } = &self.now;
        let caller = self.pick(0, |channel| {
            Some(&channel.uniqueid) == dialler.as_ref()
                && channel.bridge.is_none()
                && parked.iter().all(|(id, _)| *id != channel.uniqueid)
                && parties.iter().all(|party| party.uniqueid != channel.uniqueid)
        });
        let Some(caller) = caller else { return };
        if let Some(at) = self.now.waiting.iter().position(|(_, id)| Some(id) == dialler.as_ref()) {
            self.unqueue(at);
        }
        self.now.channels[caller].state = 6;
        let number = self.now.channels[callee].number.clone();
        self.now.channels[caller].connected = number;
        self.say_of("Newstate", caller, "");
        self.now.made += 1;
        let id = format!("bridge-{}", self.now.made);
        for at in [callee, caller] {
            self.now.channels[at].bridge = Some(id.clone());
            self.say_of("BridgeEnter", at, &bridge(&id));
        }
    }

    fn leave(&mut self, at: usize) {
        if let Some(id) = self.now.channels[at].bridge.take() {
            self.say_of("BridgeLeave", at, &bridge(&id));
        }
    }

    fn queue(&mut self, n: u8, queue: usize) {
        let waits = |channel: &Chan| self.now.waiting.iter().any(|(_, id)| *id == channel.uniqueid);
        let is_away = |channel: &Chan| {
            self.now.parked.iter().any(|(id, _)| *id == channel.uniqueid)
                || self.now.parties.iter().any(|party| party.uniqueid == channel.uniqueid)
        };
        let fits = |channel: &Chan| {
            channel.dialler.is_none()
                && channel.bridge.is_none()
                && !waits(channel)
                && !is_away(channel)
        };
        let Some(at) = self.pick(n, fits) else { return };
        self.now.waiting.push((queue, self.now.channels[at].uniqueid.clone()));
        let count = self.now.waiting.iter().filter(|(of, _)| *of == queue).count();
        let more = format!("Queue: {}\r\nPosition: {count}\r\nCount: {count}\r\n", QUEUES[queue]);
        self.say_of("QueueCallerJoin", at, &more);
    }

    fn unqueue(&mut self, at: usize) {
        let (queue, uniqueid) = self.now.waiting.remove(at);
        let channel = self.pick(0, |channel| channel.uniqueid == uniqueid).expect("alive");
        self.say_of("QueueCallerLeave", channel, &format!("Queue: {}\r\n", QUEUES[queue]));
    }

    /// Somebody who talks, and is not parked or in a conference.
    fn pick_free(&self, n: u8) -> Option<usize> {
        let State { waiting, parked, parties, .. } = &self.now;
        self.pick(n, |channel| {
            let id = &channel.uniqueid;
            channel.state == 6
                && waiting.iter().all(|(_, other)| other != id)
                && parked.iter().all(|(other, _)| other != id)
                && parties.iter().all(|party| party.uniqueid != *id)
        })
    }

    fn park(&mut self, n: u8) {
        let Some(at) = self.pick_free(n) else { return };
        self.leave(at);
        let used = |space: &usize| self.now.parked.iter().any(|(_, other)| other == space);
        let space = (701..=1_000).find(|space| !used(space)).expect("a free space");
        let parked = (self.now.channels[at].uniqueid.clone(), space);
        self.now.parked.push(parked.clone());
        self.say(self.now.space("ParkedCall", &parked));
    }

    fn unpark(&mut self, at: usize, event: &str) {
        let parked = self.now.parked.remove(at);
        self.say(self.now.space(event, &parked));
    }

    fn enter(&mut self, n: u8, room: &'static str) {
        let Some(at) = self.pick_free(n) else { return };
        self.leave(at);
        if self.now.in_room(room) == 0 {
            self.say(format!("Event: ConfbridgeStart\r\nConference: {room}\r\n"));
        }
        let uniqueid = self.now.channels[at].uniqueid.clone();
        let party = Party { room, uniqueid, is_muted: false };
        self.now.parties.push(party.clone());
        self.say(self.now.party("ConfbridgeJoin", &party));
    }

    fn mute(&mut self, n: u8) {
        if self.now.parties.is_empty() {
            return;
        }
        let at = usize::from(n) % self.now.parties.len();
        let party = &mut self.now.parties[at];
        party.is_muted = !party.is_muted;
        let event = if party.is_muted { "ConfbridgeMute" } else { "ConfbridgeUnmute" };
        let party = party.clone();
        self.say(self.now.party(event, &party));
    }

    fn exit(&mut self, at: usize) {
        let party = self.now.parties.remove(at);
        self.say(self.now.party("ConfbridgeLeave", &party));
        if self.now.in_room(party.room) == 0 {
            self.say(format!("Event: ConfbridgeEnd\r\nConference: {}\r\n", party.room));
        }
    }

    fn member(&mut self, n: u8, what: u8) {
        let queue = usize::from(n) % QUEUES.len();
        let interface = format!("PJSIP/20{}", n % 5);
        let found = self
            .now
            .members
            .iter()
            .position(|member| member.queue == queue && member.interface == interface);
        let (name, member) = match (found, what % 4) {
            (None, _) => {
                let member = Member { queue, interface, penalty: what % 3, paused: false };
                self.now.members.push(member.clone());
                ("QueueMemberAdded", member)
            }
            (Some(at), 0) => ("QueueMemberRemoved", self.now.members.remove(at)),
            (Some(at), _) => {
                self.now.members[at].paused = what % 4 == 1;
                ("QueueMemberPause", self.now.members[at].clone())
            }
        };
        let queue = QUEUES[member.queue];
        let interface = &member.interface;
        let state = state_of(&member);
        self.say(format!(
            "Event: {name}\r\nQueue: {queue}\r\nInterface: {interface}\r\nMemberName: x\r\n{state}"
        ));
    }

    fn hang_up(&mut self, at: usize) {
        let uniqueid = self.now.channels[at].uniqueid.clone();
        if let Some(at) = self.now.waiting.iter().position(|(_, id)| *id == uniqueid) {
            self.unqueue(at);
        }
        if let Some(at) = self.now.parked.iter().position(|(id, _)| *id == uniqueid) {
            self.unpark(at, "ParkedCallGiveUp");
        }
        if let Some(at) = self.now.parties.iter().position(|party| party.uniqueid == uniqueid) {
            self.exit(at);
        }
        self.leave(at);
        let channel = self.now.channels.remove(at);
        let text = snapshot(&channel);
        self.say(format!("Event: Hangup\r\n{text}Cause: 16\r\nCause-txt: Normal Clearing\r\n"));
    }
}

impl State {
    fn in_room(&self, room: &str) -> usize {
        self.parties.iter().filter(|party| party.room == room).count()
    }

    fn channel(&self, uniqueid: &str) -> &Chan {
        self.channels.iter().find(|channel| channel.uniqueid == uniqueid).expect("alive")
    }

    fn space(&self, event: &str, (uniqueid, space): &(String, usize)) -> String {
        let parkee = snapshot(self.channel(uniqueid));
        let parkee =
            parkee.lines().fold(String::new(), |text, line| text + "Parkee" + line + "\r\n");
        format!(
            "Event: {event}\r\n{parkee}Parkinglot: default\r\nParkingSpace: {space}\r\n\
             ParkingTimeout: 45\r\nParkingDuration: 0\r\n"
        )
    }

    fn party(&self, event: &str, party: &Party) -> String {
        let Party { room, uniqueid, is_muted } = party;
        let muted = if *is_muted { "Yes" } else { "No" };
        let of = snapshot(self.channel(uniqueid));
        format!(
            "Event: {event}\r\nConference: {room}\r\nAdmin: No\r\nMuted: {muted}\r\nTalking: No\r\n{of}"
        )
    }

    fn queues(&self) -> Vec<String> {
        let mut items = Vec::new();
        for (at, queue) in QUEUES.iter().enumerate() {
            items.push(format!("Event: QueueParams\r\nQueue: {queue}\r\n"));
            for member in self.members.iter().filter(|member| member.queue == at) {
                let interface = &member.interface;
                let state = state_of(member);
                items.push(format!(
                    "Event: QueueMember\r\nQueue: {queue}\r\nLocation: {interface}\r\nName: x\r\n{state}"
                ));
            }
            let waiting = self.waiting.iter().filter(|(of, _)| *of == at);
            for (position, (_, uniqueid)) in (1..).zip(waiting) {
                let caller = self.channels.iter().find(|channel| channel.uniqueid == *uniqueid);
                let number = &caller.expect("alive").number;
                items.push(format!(
                    "Event: QueueEntry\r\nQueue: {queue}\r\nPosition: {position}\r\n\
                     Uniqueid: {uniqueid}\r\nCallerIDNum: {number}\r\nCallerIDName: \r\nWait: 0\r\n"
                ));
            }
        }
        items
    }
}

fn state_of(member: &Member) -> String {
    let Member { penalty, paused, .. } = member;
    format!("Penalty: {penalty}\r\nCallsTaken: 0\r\nStatus: 1\r\nPaused: {}\r\n", u8::from(*paused))
}

fn snapshot(channel: &Chan) -> String {
    let Chan { name, uniqueid, linkedid, state, number, connected, dialled, .. } = channel;
    let exten = if dialled.is_empty() { "s" } else { dialled };
    format!(
        "Channel: {name}\r\nChannelState: {state}\r\nCallerIDNum: {number}\r\nCallerIDName: \r\n\
         ConnectedLineNum: {connected}\r\nConnectedLineName: \r\nExten: {exten}\r\n\
         Uniqueid: {uniqueid}\r\nLinkedid: {linkedid}\r\n"
    )
}

fn bridge(id: &str) -> String {
    format!("BridgeUniqueid: {id}\r\nBridgeType: basic\r\nBridgeTechnology: simple_bridge\r\n")
}

fn status(channel: &Chan) -> String {
    let bridge =
        channel.bridge.as_ref().map(|id| format!("BridgeID: {id}\r\n")).unwrap_or_default();
    format!(
        "Event: Status\r\n{}DNID: {}\r\nSeconds: 0\r\n{bridge}",
        snapshot(channel),
        channel.dialled
    )
}
