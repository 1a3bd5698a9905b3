//! The action Originate: a device is called, and led on when it answers.

use crate::centre::{Centre, INTERNAL, Step};
use crate::channel::{Called, ChannelId, Doing, Originated, Party, State, Target, UNKNOWN};
use crate::dialling::TO_RING_MS;
use crate::local::Pair;
use crate::making::NewChannel;
use crate::wire::{Class, Text, escaped};

impl Centre {
    /// The action Originate: calls a device, and leads it on when it answers.
    pub(crate) fn originate(&mut self, call: Originate) {
        if let Some(place) = call.device.strip_prefix("Local/").map(str::to_owned) {
            return self.originate_local(call, &place);
        }
        let Some(device) = self.devices.get(&call.device).filter(|device| device.online) else {
            return self.originate_failed(&call.wish, 0, call.uniqueid.as_deref());
        };
        // Whoever asks for a call of their own takes it.
        let busy = device.extension.is_some() && !device.channels.is_empty();
        let own = device.party();
        let dialled = call.device.strip_prefix("PJSIP/").unwrap_or(&call.device).to_owned();
        let channel = self.create(NewChannel {
            device: &call.device,
            state: State::Down,
            caller: own.clone(),
            context: INTERNAL,
            exten: "s",
            uniqueid: call.uniqueid.as_deref(),
            linkedid: None,
            doing: Doing::Called(Called::Originated(call.wish.clone())),
        });
        self.run(channel, "AppDial2", "(Outgoing Line)");
        self.set_variables(channel, call.variables);
        if let Some(shown) = call.wish.shown {
            let name = if shown.name == UNKNOWN { own.name } else { shown.name.clone() };
            self.call_itself(channel, &Party::new(&shown.number, name));
            self.connect_line(channel, shown);
        }
        self.tell_dial("DialBegin", channel, &[("DialString", &dialled)]);
        self.later(TO_RING_MS, if busy { Step::Refuse(channel) } else { Step::Ring(channel) });
        self.later(call.timeout_ms, Step::NoAnswer(channel));
    }

    /// Originate with a `Local` channel: its far half goes into the dialplan.
    fn originate_local(&mut self, call: Originate, place: &str) {
        let place = place.split('/').next().unwrap_or_default();
        let (exten, context) = place.split_once('@').unwrap_or((place, INTERNAL));
        if !self.exists(exten) {
            return self.originate_failed(&call.wish, 0, call.uniqueid.as_deref());
        }
        let (near, far) = self.local_pair(Pair {
            context,
            exten,
            uniqueids: [call.uniqueid.as_deref(), call.other_uniqueid.as_deref()],
            linkedid: None,
            doing: Doing::Called(Called::Originated(call.wish)),
        });
        self.set_variables(near, call.variables);
        self.tell_local_bridge(near, far);
        self.tell_dial("DialBegin", near, &[("DialString", place)]);
        self.later(call.timeout_ms, Step::NoAnswer(near));
        self.enter(far);
    }

    fn set_variables(&mut self, channel: ChannelId, variables: Vec<(String, String)>) {
        if let Some(channel) = self.channels.get_mut(&channel) {
            channel.variables.extend(variables);
        }
    }

    pub(crate) fn originate_failed(&mut self, wish: &Originated, reason: u8, id: Option<&str>) {
        let text = self.event("OriginateResponse", Class::Call);
        let text = wish
            .show("Failure", &wish.dialled, text)
            .field("Reason", reason)
            .field("Uniqueid", id.unwrap_or("<unknown>"))
            .field("CallerIDNum", "<unknown>")
            .field("CallerIDName", "<unknown>");
        self.emit(Class::Call, text);
    }

    pub(crate) fn answer_originated(&mut self, channel: ChannelId, wish: Originated) {
        let Some(answered) = self.channels.get(&channel) else { return };
        let text = wish
            .show("Success", &answered.name, self.event("OriginateResponse", Class::Call))
            .field("Reason", 4)
            .field("Uniqueid", &answered.uniqueid)
            .field("CallerIDNum", wish.shown.as_ref().map_or(UNKNOWN, |shown| &shown.number))
            .field("CallerIDName", wish.shown.as_ref().map_or_else(unknown, of_name));
        self.emit(Class::Call, text);
        self.set_state(channel, State::Up);
        self.tell_dial("DialEnd", channel, &[("DialStatus", "ANSWER")]);
        self.set_doing(channel, Doing::Alone);
        match wish.target {
            Target::Extension { context, exten } => {
                if let Some(led) = self.channels.get_mut(&channel) {
                    (led.context, led.exten) = (context, exten);
                }
                self.later(1, Step::Enter(channel));
            }
            Target::Application { name, data } => self.run_application(channel, &name, &data),
        }
    }
}

/// A wish to originate a call.
pub(crate) struct Originate {
    pub(crate) device: String,
    pub(crate) uniqueid: Option<String>,
    /// That of the far half of a `Local` channel.
    pub(crate) other_uniqueid: Option<String>,
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) timeout_ms: u64,
    pub(crate) wish: Originated,
}

fn unknown() -> String {
    UNKNOWN.to_owned()
}

fn of_name(party: &Party) -> String {
    escaped(&party.name)
}

impl Originated {
    fn show(&self, verdict: &str, channel: &str, text: Text) -> Text {
        let text = text
            .action_id(self.action_id.as_deref())
            .field("Response", verdict)
            .field("Channel", channel);
        match &self.target {
            Target::Extension { context, exten } => {
                text.field("Context", context).field("Exten", exten)
            }
            Target::Application { name, data } => {
                text.field("Application", name).field("Data", data)
            }
        }
    }
}
