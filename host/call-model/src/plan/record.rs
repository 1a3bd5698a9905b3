//! `record`: MixMonitor on a channel, which has both sides of the call.

use ami_proto::{
    Action,
    actions::{self, Originate, Target as Led},
};
use serde_json::json;
use telepulse_language::{
    Code, Extension, Permission, Principal, Record, RecordMode, RecordOrder, Refusal, Target,
    Timestamp,
};

use super::{Plan, Rule, conflict, dial::dial_id, sender};
use crate::channel::{Ix, Recording};
use crate::pbx::Pbx;
use crate::recordings::{FILE_VARIABLE, Order};

const RULES: &[Rule] = &[Rule { words: "no such channel", code: Some(Code::Conflict) }];
/// Seconds between beeps.
const BEEPS: std::ops::RangeInclusive<u16> = 5..=3600;
/// How long an announcement may take to answer, in milliseconds.
const ANNOUNCED_WITHIN: u64 = 5_000;

impl Pbx {
    pub(super) fn plan_record(
        &mut self,
        record: &Record,
        who: Option<&Principal>,
        entropy: u64,
        now: Timestamp,
    ) -> Result<Plan, Refusal> {
        check(record)?;
        let ix = self.recorded(&record.target)?;
        let by = sender(who);
        if record.change == RecordOrder::Start {
            self.may_announce(record, who, now)?;
            return self.plan_start(record, ix, Order { by, at: now, file: None }, entropy);
        }
        let recorded = self.recorded_beside(&record.target, ix);
        if recorded.is_empty() && record.change != RecordOrder::Stop {
            let message = format!("{} is not recorded", self.channels[ix].name);
            return Err(conflict(message).with_field("change"));
        }
        let mut actions = Vec::new();
        for channel in recorded {
            actions.extend(self.changed(record.change, channel));
            self.recording_ordered(channel, Order { by: by.clone(), at: now, file: None });
        }
        Ok(Plan::new(actions).rules(RULES))
    }

    fn plan_start(
        &mut self,
        record: &Record,
        ix: Ix,
        mut order: Order,
        entropy: u64,
    ) -> Result<Plan, Refusal> {
        let channel = &self.channels[ix];
        let name = &channel.name;
        if !channel.is_up() && !record.early {
            let field = match record.target {
                Target::Agent(_) => "agent",
                Target::Channel(_) => "channel",
                Target::Call(_) => "call",
            };
            return Err(conflict(format!("{name} does not talk yet")).with_field(field));
        }
        let plan = match (channel.recordings.state(), &record.file) {
            (Recording::No, file) => {
                let file = match file {
                    Some(file) => file.to_string(),
                    None => self.file_for(ix, record.mode.unwrap_or_default(), order.at),
                };
                order.file = Some(file.as_str().into());
                let options = options(record);
                let start = actions::mix_monitor(name, &file, options.as_deref());
                let announce = record.announcement.as_ref();
                let announce = announce.map(|said| self.spoken(ix, said, entropy, order.at));
                let actions = [start].into_iter().chain(announce).collect();
                Plan::new(actions).result(json!({ "file": file }))
            }
            (_, Some(_)) => {
                let message =
                    format!("{name} is recorded already, into {}", channel.recordings.file);
                return Err(conflict(message).with_field("file"));
            }
            (_, None) => Plan::nothing().result(json!({ "file": channel.recordings.file })),
        };
        self.recording_ordered(ix, order);
        Ok(plan.rules(RULES))
    }

    /// An announcement is a call of its own: who has it made must be allowed to make calls.
    fn may_announce(
        &self,
        record: &Record,
        who: Option<&Principal>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if record.announcement.is_none() {
            return Ok(());
        }
        if who.is_some_and(|who| who.permission("dial") != Permission::Any) {
            let message =
                "an announcement is a call to that extension, which needs the right `dial`";
            return Err(Refusal::new(Code::Forbidden, message).with_field("announcement"));
        }
        self.check_room(now)
    }

    /// What makes of one channel's recording what is wanted; nothing where it is so already.
    fn changed(&self, change: RecordOrder, ix: Ix) -> Vec<Action> {
        let channel = &self.channels[ix];
        let (name, recordings) = (&channel.name, &channel.recordings);
        match (change, recordings.state()) {
            (RecordOrder::Pause, Recording::Running) => {
                vec![actions::mix_monitor_mute(name, "both", true)]
            }
            (RecordOrder::Resume, _) if recordings.may_be_paused() => {
                vec![actions::mix_monitor_mute(name, "both", false)]
            }
            (RecordOrder::Stop, Recording::Running | Recording::Paused) => vec![
                actions::stop_mix_monitor(name),
                // So that a listing after an outage does not take it for one that runs.
                actions::set_var(Some(name), FILE_VARIABLE, ""),
            ],
            _ => Vec::new(),
        }
    }

    /// An extension of the dialplan speaks to both sides of a call, by listening in on it.
    fn spoken(&self, ix: Ix, said: &Extension, entropy: u64, now: Timestamp) -> Action {
        let id = dial_id(entropy, now);
        let context = &self.config.context;
        let data = format!("{},qEuB", self.channels[ix].uniqueid);
        actions::originate(&Originate {
            // Not to be optimized away: there is nothing behind it but the dialplan.
            channel: format!("Local/{said}@{context}/n"),
            target: Led::Application { name: "ChanSpy".to_owned(), data },
            timeout_ms: Some(ANNOUNCED_WITHIN),
            caller_id: None,
            account: None,
            variables: Vec::new(),
            auto_answer: false,
            other_channel_id: Some(format!("{id};2")),
            channel_id: Some(id),
        })
    }

    /// The channel on which it is done: it has both sides, whoever it belongs to.
    fn recorded(&self, target: &Target) -> Result<Ix, Refusal> {
        match target {
            Target::Agent(number) => self.find_line(number),
            Target::Channel(channel) => self.find_channel(channel),
            Target::Call(id) => {
                self.main_channel(self.find_call(id)?).ok_or_else(|| self.no_call())
            }
        }
    }

    /// The channels whose recordings are meant by one of them: of a call all, of a channel its own.
    fn recorded_beside(&self, target: &Target, ix: Ix) -> Vec<Ix> {
        let channels = match target {
            Target::Channel(_) => vec![ix],
            Target::Agent(_) | Target::Call(_) => {
                self.calls[self.channels[ix].call].channels.clone()
            }
        };
        let is_recorded = |ix: &Ix| self.channels[*ix].recordings.state() != Recording::No;
        channels.into_iter().filter(is_recorded).collect()
    }

    /// By call and moment: nobody else's file.
    fn file_for(&self, ix: Ix, mode: RecordMode, now: Timestamp) -> String {
        let call = &self.calls[self.channels[ix].call].id;
        let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
        let call: String = call.trim_start_matches('.').chars().map(plain).collect();
        let ending = match mode {
            RecordMode::Mixed => "wav",
            RecordMode::Stereo => "raw",
        };
        format!("{call}-{}.{ending}", now.0)
    }
}

/// What goes with `start` only, and what does not go together.
fn check(record: &Record) -> Result<(), Refusal> {
    let Record { file, mode, early, beep, announcement, .. } = record;
    let given = [
        ("file", file.is_some()),
        ("mode", mode.is_some()),
        ("early", *early),
        ("beep", beep.is_some()),
        ("announcement", announcement.is_some()),
    ];
    if record.change != RecordOrder::Start
        && let Some((field, _)) = given.into_iter().find(|(_, is_given)| *is_given)
    {
        return Err(Refusal::field(field, "goes with `start` only"));
    }
    if beep.is_some_and(|seconds| !BEEPS.contains(&seconds)) {
        let message = format!("must be {} to {} seconds", BEEPS.start(), BEEPS.end());
        return Err(Refusal::field("beep", message));
    }
    let is_raw = file.as_ref().is_none_or(|file| file.ends_with(".raw"));
    if *mode == Some(RecordMode::Stereo) && !is_raw {
        let message =
            "must end in .raw: Asterisk writes both sides of a stereo recording as bare samples";
        return Err(Refusal::field("file", message));
    }
    Ok(())
}

/// MixMonitor's options; there is never one with a command.
fn options(record: &Record) -> Option<String> {
    let sides = if record.mode == Some(RecordMode::Stereo) { "D" } else { "" };
    let beeps = record.beep.map(|seconds| format!("B({seconds})")).unwrap_or_default();
    let options = format!("{sides}{beeps}");
    (!options.is_empty()).then_some(options)
}
