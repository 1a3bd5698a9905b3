//! `record`: MixMonitor on a channel, which has both sides of the call.

use ami_proto::actions;
use serde_json::json;
use telepulse_language::{Code, Principal, Record, RecordOrder, Refusal, Target, Timestamp};

use super::{Plan, Rule, conflict, sender};
use crate::channel::{Ix, Recording};
use crate::pbx::Pbx;
use crate::recordings::FILE_VARIABLE;

const RULES: &[Rule] = &[Rule { words: "no such channel", code: Some(Code::Conflict) }];

impl Pbx {
    pub(super) fn plan_record(
        &mut self,
        record: &Record,
        who: Option<&Principal>,
        now: Timestamp,
    ) -> Result<Plan, Refusal> {
        if record.file.is_some() && record.change != RecordOrder::Start {
            return Err(Refusal::field("file", "goes with `start` only"));
        }
        let ix = self.recorded(&record.target)?;
        let channel = &self.channels[ix];
        let name = &channel.name;
        let state = channel.recordings.state();
        let plan = match (record.change, state) {
            (RecordOrder::Start, Recording::No) => {
                let file = match &record.file {
                    Some(file) => file.to_string(),
                    None => self.file_for(ix, now),
                };
                let action = actions::mix_monitor(name, &file, None);
                Plan::new(vec![action]).result(json!({ "file": file }))
            }
            (RecordOrder::Start, _) => match &record.file {
                Some(_) => {
                    let message =
                        format!("{name} is recorded already, into {}", channel.recordings.file);
                    return Err(conflict(message).with_field("file"));
                }
                None => Plan::nothing().result(json!({ "file": channel.recordings.file })),
            },
            (RecordOrder::Pause | RecordOrder::Resume, Recording::No) => {
                return Err(conflict(format!("{name} is not recorded")).with_field("change"));
            }
            (RecordOrder::Pause, Recording::Running) => {
                Plan::new(vec![actions::mix_monitor_mute(name, "both", true)])
            }
            (RecordOrder::Resume, Recording::Paused) => {
                Plan::new(vec![actions::mix_monitor_mute(name, "both", false)])
            }
            (RecordOrder::Stop, Recording::Running | Recording::Paused) => Plan::new(vec![
                actions::stop_mix_monitor(name),
                // So that a listing after an outage does not take it for one that runs.
                actions::set_var(Some(name), FILE_VARIABLE, ""),
            ]),
            // It is so already.
            _ => Plan::nothing(),
        };
        self.recording_ordered(ix, sender(who), now);
        Ok(plan.rules(RULES))
    }

    /// The channel on which it is done: it has both sides, whoever it belongs to.
    fn recorded(&self, target: &Target) -> Result<Ix, Refusal> {
        let (channel, field) = match target {
            Target::Agent(number) => (self.find_line(number)?, "agent"),
            Target::Channel(channel) => (self.find_channel(channel)?, "channel"),
            Target::Call(id) => {
                let call = &self.calls[self.find_call(id)?];
                let first = call.first.filter(|first| !self.channels[*first].is_local);
                let any = || call.channels.iter().copied().find(|ix| !self.channels[*ix].is_local);
                let channel = first.or_else(any).ok_or_else(|| self.no_call())?;
                (channel, "call")
            }
        };
        if self.channels[channel].is_up() {
            Ok(channel)
        } else {
            let message = format!("{} does not talk yet", self.channels[channel].name);
            Err(conflict(message).with_field(field))
        }
    }

    /// By call and moment: nobody else's file.
    fn file_for(&self, ix: Ix, now: Timestamp) -> String {
        let call = &self.calls[self.channels[ix].call].id;
        let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
        let call: String = call.trim_start_matches('.').chars().map(plain).collect();
        format!("{call}-{}.wav", now.0)
    }
}
