//! `spy`, `whisper`, `barge` and `pickup`: a phone is rung, and who answers it joins a call.

use ami_proto::actions::{self, Originate, Target};
use serde_json::json;
use telepulse_language::{Listen, Pickup, Principal, Refusal, Timestamp};

use super::dial::{Dialling, dial_id};
use super::find::Named;
use super::{Plan, conflict};
use crate::channel::Ix;
use crate::pbx::Pbx;
use crate::snapshot::State;

/// Seconds that the phone rings.
const RINGS: u32 = 30;

impl Pbx {
    /// `how` is ChanSpy's option: `w` to be heard by the channel, `B` by both sides.
    pub(super) fn plan_listen(
        &mut self,
        listen: &Listen,
        how: &str,
        who: Option<&Principal>,
        entropy: u64,
        now: Timestamp,
    ) -> Result<Plan, Refusal> {
        let agent = self.find_extension(&listen.agent, "agent")?;
        let channel = self.heard(&listen.target)?;
        let target = &self.channels[channel];
        if target.agent == Some(agent) {
            let message = format!("extension {} cannot listen to itself", listen.agent);
            return Err(conflict(message).with_field("agent"));
        }
        // q: no beep. E: over when the channel is. u: that very channel, no other of a like name.
        let data = format!("{},qEu{how}", target.uniqueid);
        let shown = target.agent.map_or(&target.caller.number, |agent| self.number(agent)).clone();
        self.ring(agent, "ChanSpy", data, &shown, who, entropy, now)
    }

    /// Rings somebody else's phone for a call that rings here.
    pub(super) fn plan_pickup(
        &mut self,
        pickup: &Pickup,
        who: Option<&Principal>,
        entropy: u64,
        now: Timestamp,
    ) -> Result<Plan, Refusal> {
        let agent = self.find_extension(&pickup.agent, "agent")?;
        let channel = self.ringing(&pickup.target)?;
        let target = &self.channels[channel];
        if target.agent == Some(agent) {
            let message = format!("extension {} is ringing itself", pickup.agent);
            return Err(conflict(message).with_field("agent"));
        }
        let data = target.name.to_string();
        let shown = self.other_party(channel).0.clone();
        self.ring(agent, "PickupChan", data, &shown, who, entropy, now)
    }

    /// Rings an extension's phone; who answers is in an application.
    #[expect(clippy::too_many_arguments, reason = "all that an Originate has")]
    fn ring(
        &mut self,
        agent: Ix,
        application: &str,
        data: String,
        shown: &str,
        who: Option<&Principal>,
        entropy: u64,
        now: Timestamp,
    ) -> Result<Plan, Refusal> {
        self.check_room(now)?;
        let from = self.number(agent).clone();
        let channel = self.extensions[agent].device.to_string();
        let id = dial_id(entropy, now);
        let dialling = Dialling { from: &from, to: shown, timeout: RINGS };
        self.begin_dial(&id, &dialling, who, now);
        let action = actions::originate(&Originate {
            other_channel_id: channel.starts_with("Local/").then(|| format!("{id};2")),
            channel,
            target: Target::Application { name: application.to_owned(), data },
            timeout_ms: Some(u64::from(RINGS) * 1000),
            caller_id: (!shown.is_empty()).then(|| shown.to_owned()),
            account: None,
            variables: Vec::new(),
            auto_answer: false,
            channel_id: Some(id.clone()),
        });
        let call = self.call_id(&id);
        Ok(Plan::new(vec![action]).result(json!({ "actionId": id, "call": call })))
    }

    /// The channel to listen to: one that talks.
    fn heard(&self, target: &str) -> Result<Ix, Refusal> {
        let channel = match self.named(target).ok_or_else(|| self.no_target())? {
            Named::Extension(agent) => {
                self.find_line(self.number(agent)).map_err(|error| error.with_field("target"))?
            }
            Named::Channel(channel) => channel,
            Named::Call(call) => {
                let channels = &self.calls[call].channels;
                let ends = channels.iter().copied().filter(|ix| !self.channels[*ix].is_local);
                // An extension's own before a trunk's: an agent is whom one listens to.
                let mut ends: Vec<Ix> = ends.filter(|ix| self.channels[*ix].is_up()).collect();
                ends.sort_by_key(|ix| self.channels[*ix].agent.is_none());
                *ends
                    .first()
                    .ok_or_else(|| conflict("nobody talks in this call").with_field("target"))?
            }
        };
        if self.channels[channel].is_up() {
            Ok(channel)
        } else {
            let message = format!("{} does not talk yet", self.channels[channel].name);
            Err(conflict(message).with_field("target"))
        }
    }

    /// The channel that rings.
    fn ringing(&self, target: &str) -> Result<Ix, Refusal> {
        let candidates: Vec<Ix> = match self.named(target).ok_or_else(|| self.no_target())? {
            Named::Extension(agent) => self.extensions[agent].channels.clone(),
            Named::Channel(channel) => vec![channel],
            Named::Call(call) => self.calls[call].channels.clone(),
        };
        let mut ringing = candidates.into_iter().filter(|ix| {
            let channel = &self.channels[*ix];
            channel.state == State::Ringing && !channel.is_local && !channel.is_originated
        });
        ringing.next().ok_or_else(|| {
            conflict("nothing rings there that could be picked up").with_field("target")
        })
    }
}
