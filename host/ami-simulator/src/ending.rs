//! How calls end, and how they go elsewhere: hang-up, redirect, blind transfer.

use crate::centre::{Centre, Step};
use crate::channel::{Bridge, BridgeId, Called, ChannelId, Doing};

/// Why a channel ended: Q.850, and SIP's own code where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cause {
    code: u32,
    sip: Option<u16>,
}

impl Cause {
    pub(crate) const UNKNOWN: Self = Self { code: 0, sip: None };
    pub(crate) const NORMAL: Self = Self { code: 16, sip: None };
    pub(crate) const ELSEWHERE: Self = Self { code: 26, sip: None };
    const BUSY: Self = Self { code: 17, sip: Some(486) };
    const NO_ANSWER: Self = Self { code: 19, sip: Some(480) };
    const CANCELLED: Self = Self { code: 127, sip: Some(487) };

    pub(crate) fn new(code: u32) -> Self {
        Self { code, sip: None }
    }

    fn words(self) -> &'static str {
        match self.code {
            1 => "Unallocated (unassigned) number",
            3 => "No route to destination",
            16 => "Normal Clearing",
            17 => "User busy",
            19 => "User alerting, no answer",
            20 => "Subscriber absent",
            21 => "Call Rejected",
            26 => "Answered elsewhere",
            127 => "Interworking, unspecified",
            _ => "Unknown",
        }
    }
}

impl Centre {
    /// The phone at the channel hangs up.
    pub(crate) fn put_down(&mut self, channel: ChannelId) {
        let Some(doing) = self.doing(channel) else { return };
        match doing {
            Doing::Calling(_) => {
                self.tell("HangupRequest", channel, &[("Cause", "127"), ("TechCause", "487")]);
                self.hang_up(channel, Cause::CANCELLED);
            }
            Doing::Queued { .. } => {
                self.tell("HangupRequest", channel, &[]);
                self.hang_up(channel, Cause::UNKNOWN);
            }
            Doing::Talking(bridge) => {
                let served = self.bridges.get(bridge).is_some_and(|b| b.service.is_some());
                let cause: &[_] = if served { &[] } else { &[("Cause", "16")] };
                self.tell("HangupRequest", channel, cause);
                self.hang_up(channel, Cause::NORMAL);
            }
            Doing::Alone | Doing::Parked(_) | Doing::Conferring(_) | Doing::Listening(_) => {
                self.tell("HangupRequest", channel, &[]);
                self.hang_up(channel, Cause::NORMAL);
            }
            Doing::Called(_) => self.refuse(channel),
        }
    }

    /// Ends a channel, and what depends on it.
    pub(crate) fn hang_up(&mut self, channel: ChannelId, cause: Cause) {
        let Some(doing) = self.doing(channel).cloned() else { return };
        match doing {
            Doing::Alone if self.has_dialplan(channel) => {
                self.finish(&[], Some(channel), cause);
            }
            Doing::Calling(callee) => {
                self.tell_dial("DialEnd", callee, &[("DialStatus", "CANCEL")]);
                self.finish(&[callee], Some(channel), cause);
            }
            Doing::Called(Called::Dialled { by }) => self.fail(channel, by, "NOANSWER", cause),
            Doing::Called(Called::Offered { by, queue, .. }) => {
                self.offer_unanswered(by, channel, &queue);
            }
            Doing::Called(Called::Originated(wish)) => {
                let id = self.channels.get(&channel).map(|ended| ended.uniqueid.clone());
                self.originate_failed(&wish, 0, id.as_deref());
                self.finish(&[channel], None, cause);
            }
            Doing::Queued { queue, rings } => {
                self.abandon(channel, &queue, rings);
                self.finish(&[], Some(channel), cause);
            }
            Doing::Talking(bridge) => {
                if !self.consultation_ends(channel, cause) {
                    self.break_up(bridge, channel, &[], cause);
                }
            }
            Doing::Parked(space) => self.give_up_parked(channel, space, cause),
            Doing::Conferring(room) => {
                self.leave_room(channel, &room);
                self.finish(&[], Some(channel), cause);
            }
            Doing::Alone | Doing::Listening(_) => {
                let device = self.remove(channel, cause);
                self.refresh(&device.unwrap_or_default());
            }
        }
    }

    /// Else it was called for an application alone.
    fn has_dialplan(&self, channel: ChannelId) -> bool {
        self.channels.get(&channel).is_some_and(|channel| channel.exten != "s")
    }

    /// The dialplan of the channel, or the application that it was called for, is over.
    pub(crate) fn over(&mut self, channel: ChannelId) {
        let Some(ended) = self.channels.get(&channel) else { return };
        if ended.doing != Doing::Alone {
            return;
        }
        let cause = if self.has_dialplan(channel) { Cause::NORMAL } else { Cause::UNKNOWN };
        self.hang_up(channel, cause);
    }

    /// Nobody is left to talk to, and it was not noticed at once.
    pub(crate) fn left_alone(&mut self, bridge: BridgeId, channel: ChannelId) {
        let alone = self.bridges.get(&bridge).is_some_and(|bridge| bridge.channels == [channel]);
        if alone {
            self.put_down(channel);
        }
    }

    pub(crate) fn end_alone(&mut self, channel: ChannelId, code: u32) {
        self.finish(&[], Some(channel), Cause { code, sip: Some(404) });
    }

    /// The dialled phone cannot or will not: nobody is left to talk to.
    fn fail(&mut self, callee: ChannelId, by: ChannelId, status: &str, cause: Cause) {
        self.tell_dial("DialEnd", callee, &[("DialStatus", status)]);
        if let Some(by) = self.channels.get_mut(&by) {
            // Its dialplan goes on, to the end.
            by.priority += 1;
        }
        self.finish(&[callee], Some(by), cause);
    }

    /// The called phone is busy.
    pub(crate) fn refuse(&mut self, callee: ChannelId) {
        let Some(Doing::Called(called)) = self.doing(callee).cloned() else { return };
        self.tell("HangupRequest", callee, &[("Cause", "17"), ("TechCause", "486")]);
        match called {
            Called::Dialled { by } => self.fail(callee, by, "BUSY", Cause::BUSY),
            Called::Offered { by, queue, .. } => self.offer_unanswered(by, callee, &queue),
            Called::Originated(wish) => {
                self.tell_dial("DialEnd", callee, &[("DialStatus", "BUSY")]);
                let id = self.channels.get(&callee).map(|ended| ended.uniqueid.clone());
                self.originate_failed(&wish, 0, id.as_deref());
                self.finish(&[callee], None, Cause::BUSY);
            }
        }
    }

    /// It rang for as long as it may.
    pub(crate) fn no_answer(&mut self, callee: ChannelId) {
        let Some(Doing::Called(called)) = self.doing(callee).cloned() else { return };
        match called {
            Called::Dialled { by } => self.fail(callee, by, "NOANSWER", Cause::NORMAL),
            Called::Offered { by, queue, .. } => self.offer_unanswered(by, callee, &queue),
            Called::Originated(wish) => {
                let id = self.channels.get(&callee).map(|ended| ended.uniqueid.clone());
                self.originate_failed(&wish, 3, id.as_deref());
                self.finish(&[callee], None, Cause::NO_ANSWER);
            }
        }
    }

    /// The last words: the dialplan of `owner` ends, then the channels do.
    pub(crate) fn finish(&mut self, others: &[ChannelId], owner: Option<ChannelId>, cause: Cause) {
        if let Some(owner) = owner {
            self.tell("SoftHangupRequest", owner, &[("Cause", "16")]);
        }
        let ended = others.iter().copied().chain(owner);
        let devices: Vec<_> = ended.filter_map(|channel| self.remove(channel, cause)).collect();
        for device in &devices {
            self.refresh(device);
        }
    }

    /// The channel is no more. Returns its device, whose state has still to be told.
    pub(crate) fn remove(&mut self, channel: ChannelId, cause: Cause) -> Option<String> {
        self.stop_listening(channel);
        let code = cause.code.to_string();
        let sip = cause.sip.map(|sip| sip.to_string());
        let mut more = vec![("Cause", code.as_str()), ("Cause-txt", cause.words())];
        more.extend(sip.as_deref().map(|sip| ("TechCause", sip)));
        self.tell("Hangup", channel, &more);
        let ended = self.channels.remove(&channel)?;
        if let Some(device) = self.devices.get_mut(&ended.device) {
            device.channels.remove(&channel);
        }
        if let Some(half) = ended.half {
            self.tell_device(&ended.device, "NOT_INUSE");
            self.tell("HangupRequest", half, &[("Cause", &code)]);
            if let Some(party) = ended.connected.filter(|_| self.channels.contains_key(&half)) {
                self.call_itself(half, &party);
            }
            self.later(1, Step::HalfGone(half, cause.code));
        }
        Some(ended.device)
    }

    /// Takes a bridge apart, `first` first. `kept` goes on, alone; the others end.
    pub(crate) fn break_up(
        &mut self,
        id: BridgeId,
        first: ChannelId,
        kept: &[ChannelId],
        cause: Cause,
    ) {
        let Some(mut bridge) = self.bridges.remove(&id) else { return };
        self.forget_consultations(id);
        let owner = bridge.owner;
        let mut channels = bridge.channels.clone();
        channels.sort_by_key(|channel| *channel != first);
        for channel in &channels {
            bridge.channels.retain(|other| other != channel);
            self.tell_bridge("BridgeLeave", &bridge, Some(*channel));
            if owner == Some(*channel) && !kept.contains(channel) {
                self.tell("SoftHangupRequest", *channel, &[("Cause", "16")]);
            }
            if let Some(left) = self.channels.get_mut(channel) {
                left.doing = Doing::Alone;
                left.held = false;
            }
        }
        self.tell_bridge("BridgeDestroy", &bridge, None);
        if let Some(service) = &bridge.service {
            self.complete(service, reason(&bridge, first, kept));
        }
        let mut devices = Vec::new();
        for channel in channels.iter().rev() {
            devices.extend(if kept.contains(channel) {
                self.channels.get(channel).map(|kept| kept.device.clone())
            } else {
                self.remove(*channel, cause)
            });
        }
        for device in &devices {
            self.refresh(device);
        }
    }
}

/// `Reason` of `AgentComplete`.
fn reason(bridge: &Bridge, first: ChannelId, kept: &[ChannelId]) -> &'static str {
    match &bridge.service {
        Some(service) if kept.contains(&service.caller) => "transfer",
        Some(service) if first == service.caller => "caller",
        _ => "agent",
    }
}
