//! Commands become actions: found out against the model, or refused with a typed reason.

mod channel;
mod conference;
mod dial;
mod find;
mod hangup;
mod listen;
mod park;
mod queues;
mod record;
mod transfer;

use std::collections::BTreeSet;

use ami_proto::{Action, Message};
use serde_json::{Value, json};
use telepulse_language::{
    Code, Command, Event, Message as Words, Principal, Refusal, SmolStr, Timestamp,
};

use crate::pbx::{Out, Pbx};

pub(crate) use dial::Pending;

/// What a command comes down to.
#[derive(Debug)]
pub struct Plan {
    /// To be sent one after the other; the first refusal ends it. Empty: there is nothing to do,
    /// because it is so already.
    pub actions: Vec<Action>,
    /// The result for who asked, once every action was accepted.
    pub result: Value,
    /// What then is so, as far as Asterisk has no event for it; for [`Pbx::carried_out`].
    pub effects: Vec<Effect>,
    /// The header of the last response that the result has, and under which key.
    reads: Option<(&'static str, &'static str)>,
    /// How Asterisk's refusals of these actions are to be taken.
    rules: &'static [Rule],
}

/// What is so once a command was carried out, and no event of Asterisk's tells.
#[derive(Debug)]
pub enum Effect {
    /// A channel (Uniqueid) is silenced, or not any more.
    Mute(SmolStr, bool),
    /// A conference is locked, or not any more.
    Lock(SmolStr, bool),
    /// This is to be told.
    Tell(Vec<Event>),
}

/// What a refusal in Asterisk's words means.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Part of the `Message` header, in lower case.
    words: &'static str,
    /// What it comes to; `None`: what was wanted is so already, and all is well.
    code: Option<Code>,
}

impl Plan {
    fn new(actions: Vec<Action>) -> Self {
        Self { actions, result: json!({}), effects: Vec::new(), reads: None, rules: &[] }
    }

    /// There is nothing to do.
    fn nothing() -> Self {
        Self::new(Vec::new())
    }

    fn effects(self, effects: Vec<Effect>) -> Self {
        Self { effects, ..self }
    }

    fn reads(self, header: &'static str, key: &'static str) -> Self {
        Self { reads: Some((header, key)), ..self }
    }

    fn result(self, result: Value) -> Self {
        Self { result, ..self }
    }

    fn rules(self, rules: &'static [Rule]) -> Self {
        Self { rules, ..self }
    }

    /// Takes what the result needs from the last response.
    pub fn learn(&mut self, response: &Message) {
        if let Some((header, key)) = self.reads {
            let value = response.get_lossy(header).unwrap_or_default();
            self.result = json!({ key: value });
        }
    }

    /// Whether the response to action number `step` lets the plan go on; otherwise what to tell
    /// who asked.
    pub fn check(&self, step: usize, response: &Message) -> Result<(), Refusal> {
        if !response.is_error() {
            return Ok(());
        }
        let words = response.get_lossy("Message").unwrap_or_default();
        let words = if words.is_empty() { "no reason given".into() } else { words };
        let lower = words.to_ascii_lowercase();
        let code = match self.rules.iter().find(|rule| lower.contains(rule.words)) {
            Some(Rule { code: None, .. }) => return Ok(()),
            Some(Rule { code: Some(code), .. }) => *code,
            None => Code::RejectedByServer,
        };
        let place = if step == 0 { String::new() } else { format!(" (step {})", step + 1) };
        let way_out = self.looked_up(step, &lower);
        Err(Refusal::new(code, format!("Asterisk refused{place}: {words}{way_out}")))
    }

    /// Where a number was looked up that is not there.
    fn looked_up(&self, step: usize, words: &str) -> String {
        let context = self.actions.get(step).and_then(|action| action.get("Context"));
        match context.filter(|_| words.contains("extension does not exist")) {
            Some(context) => {
                format!(" It was looked up in the context {context:?}, the server's `context`.")
            }
            None => String::new(),
        }
    }
}

impl Pbx {
    /// Finds out what a command comes down to as things stand.
    ///
    /// `who` decides only what needs more than the command's own right (a raw channel in `dial`);
    /// whether the command may be given at all is checked before. `entropy` is any 64 random bits.
    ///
    /// Errors: `notFound` and `conflict` with the field, `forbidden`, `badRequest`. Nothing is sent
    /// then.
    pub fn plan(
        &mut self,
        command: &Command,
        who: Option<&Principal>,
        entropy: u64,
        now: Timestamp,
    ) -> Result<Plan, Refusal> {
        let plan = match command {
            Command::Dial(dial) => self.plan_dial(dial, who, entropy, now),
            Command::Hangup(hangup) => self.plan_hangup(hangup),
            Command::Transfer(transfer) => self.plan_transfer(transfer, now),
            Command::Spy(listen) => self.plan_listen(listen, "", who, entropy, now),
            Command::Whisper(listen) => self.plan_listen(listen, "w", who, entropy, now),
            Command::Barge(listen) => self.plan_listen(listen, "B", who, entropy, now),
            Command::Record(record) => self.plan_record(record, who, entropy, now),
            Command::Park(park) => self.plan_park(park),
            Command::Pickup(pickup) => self.plan_pickup(pickup, who, entropy, now),
            Command::Dtmf(dtmf) => self.plan_dtmf(dtmf),
            Command::Mute(mute) => self.plan_mute(mute, true),
            Command::Unmute(mute) => self.plan_mute(mute, false),
            Command::QueueAdd(add) => self.plan_queue_add(add),
            Command::QueueRemove(remove) => self.plan_queue_remove(remove),
            Command::QueuePause(pause) => {
                let reason = pause.reason.as_deref();
                self.plan_queue_pause(&pause.agent, pause.queue.as_deref(), true, reason)
            }
            Command::QueueUnpause(unpause) => {
                let reason = unpause.reason.as_deref();
                self.plan_queue_pause(&unpause.agent, unpause.queue.as_deref(), false, reason)
            }
            Command::ConferenceKick(member) => self.plan_kick(member),
            Command::ConferenceMute(member) => self.plan_conference_mute(member, true),
            Command::ConferenceUnmute(member) => self.plan_conference_mute(member, false),
            Command::ConferenceLock(lock) => self.plan_lock(&lock.conference, true),
            Command::ConferenceUnlock(lock) => self.plan_lock(&lock.conference, false),
            Command::SetVariable(set) => self.plan_set_variable(set),
            Command::GetVariable(get) => self.plan_get_variable(get),
            Command::Message(message) => {
                let agent = self.find_extension(&message.to, "to")?;
                Ok(self.plan_message(agent, message.text.as_str(), who, now))
            }
        }?;
        for action in &plan.actions {
            action.check().map_err(|error| Refusal::new(Code::BadRequest, error.to_string()))?;
        }
        Ok(plan)
    }

    /// Takes in that a plan was carried out, and appends what is to be told of it.
    pub fn carried_out(&mut self, effects: Vec<Effect>, now: Timestamp, events: &mut Vec<Event>) {
        for effect in effects {
            match effect {
                Effect::Tell(told) => events.extend(told),
                Effect::Lock(name, is_locked) => {
                    self.lock_conference(&name, is_locked, &mut Out { now, events });
                }
                Effect::Mute(uniqueid, is_muted) => {
                    if let Some(&channel) = self.by_uniqueid.get(&uniqueid) {
                        self.channels[channel].audio.is_muted = is_muted;
                        self.touch(self.channels[channel].agent);
                    }
                }
            }
        }
        self.flush_lines(&mut Out { now, events });
    }

    fn plan_message(
        &self,
        agent: usize,
        text: &str,
        who: Option<&Principal>,
        now: Timestamp,
    ) -> Plan {
        let details = Words { from: sender(who), text: text.into() };
        let mut events = Vec::new();
        self.tell(Some(self.number(agent)), None, details, &mut Out { now, events: &mut events });
        Plan::nothing().effects(vec![Effect::Tell(events)])
    }

    /// The extensions that take part in what a command is about, without the one whose phone only
    /// carries it out (see [`Pbx::acting`]); `None` if this server has no such call, channel,
    /// extension, queue or conference.
    pub fn concerned(&self, command: &Command) -> Option<BTreeSet<String>> {
        match command {
            Command::Dial(dial) => self.concerned_by_dial(&dial.from),
            Command::Hangup(hangup) => self.concerned_by(&hangup.target),
            Command::Transfer(transfer) => self.concerned_by(&transfer.target),
            Command::Record(record) => self.concerned_by(&record.target),
            Command::Park(park) => self.concerned_by(&park.target),
            Command::Spy(listen) | Command::Whisper(listen) | Command::Barge(listen) => {
                self.concerned_by_name(&listen.target)
            }
            Command::Pickup(pickup) => self.concerned_by_name(&pickup.target),
            Command::Dtmf(dtmf) => self.concerned_by_name(&dtmf.channel),
            Command::Mute(mute) | Command::Unmute(mute) => self.concerned_by_name(&mute.channel),
            Command::SetVariable(set) => self.concerned_by_name(&set.channel),
            Command::GetVariable(get) => self.concerned_by_name(&get.channel),
            Command::ConferenceKick(member)
            | Command::ConferenceMute(member)
            | Command::ConferenceUnmute(member) => self.concerned_by_conference(&member.conference),
            Command::ConferenceLock(lock) | Command::ConferenceUnlock(lock) => {
                self.concerned_by_conference(&lock.conference)
            }
            Command::Message(message) => {
                let is_known = self.by_number.contains_key(message.to.as_str());
                is_known.then(|| BTreeSet::from([message.to.to_string()]))
            }
            Command::QueueAdd(add) => self.concerned_by_queue(&add.agent, Some(&add.queue)),
            Command::QueueRemove(gone) => self.concerned_by_queue(&gone.agent, Some(&gone.queue)),
            Command::QueuePause(pause) => {
                self.concerned_by_queue(&pause.agent, pause.queue.as_deref())
            }
            Command::QueueUnpause(unpause) => {
                self.concerned_by_queue(&unpause.agent, unpause.queue.as_deref())
            }
        }
    }

    /// The extension whose phone carries a command out, if it need not take part in what the command
    /// is about: who listens to a call, or picks it up.
    pub fn acting(command: &Command) -> Option<&str> {
        match command {
            Command::Spy(listen) | Command::Whisper(listen) | Command::Barge(listen) => {
                Some(&listen.agent)
            }
            Command::Pickup(pickup) => Some(&pickup.agent),
            _ => None,
        }
    }
}

/// Who gives a command, as others are told: the extension, else the user's name.
fn sender(who: Option<&Principal>) -> Option<SmolStr> {
    who.map(|who| SmolStr::new(who.extension.as_ref().unwrap_or(&who.name)))
}

/// Nothing of that name here.
fn not_found(field: &str, message: impl Into<String>) -> Refusal {
    Refusal::new(Code::NotFound, message).with_field(field)
}

/// It is here, but cannot be done as things stand.
fn conflict(message: impl Into<String>) -> Refusal {
    Refusal::new(Code::Conflict, message)
}
