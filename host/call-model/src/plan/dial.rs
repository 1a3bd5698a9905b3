//! `dial`: an Originate whose outcome is known again by the id that its channel is given.

use ami_proto::actions::{self, Originate, Target};
use serde_json::json;
use telepulse_language::{
    Dial, Permission, Principal, Refusal, SmolStr, Timestamp, format_smolstr,
};

use super::{Plan, conflict};
use crate::pbx::Pbx;
use crate::text::url_safe;

/// Seconds that a phone rings when the command does not say.
const DEFAULT_TIMEOUT: u32 = 30;
/// The most seconds that it may ring.
const MAX_TIMEOUT: u32 = 300;
/// How long after its timeout a dial is remembered whose outcome nobody told.
const GRACE_MS: u64 = 30_000;
/// How long a dial counts as a call before its channel has come.
const STARTING_MS: u64 = 5_000;

/// A dial that was planned and whose outcome is not known.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) to: SmolStr,
    /// The extension of who asked, else the one that dials: it is told of a failure.
    pub(crate) asked_by: SmolStr,
    planned: Timestamp,
    forget: Timestamp,
    /// The synchronisation in which it was planned.
    pub(crate) round: u32,
    /// Its channel has come.
    pub(crate) has_channel: bool,
}

/// A Uniqueid for the channel of a dial: nobody else's.
pub(super) fn dial_id(entropy: u64, now: Timestamp) -> String {
    format!("tp-{}-{entropy:016x}", now.0)
}

/// What a dial is to be known by.
pub(super) struct Dialling<'d> {
    /// The extension that rings first.
    pub(super) from: &'d str,
    /// Whom it is to reach.
    pub(super) to: &'d str,
    /// Seconds that it may ring.
    pub(super) timeout: u32,
}

impl Pbx {
    pub(super) fn plan_dial(
        &mut self,
        dial: &Dial,
        who: Option<&Principal>,
        entropy: u64,
        now: Timestamp,
    ) -> Result<Plan, Refusal> {
        let (channel, from) = self.caller(dial, who)?;
        let timeout = dial.timeout.unwrap_or(DEFAULT_TIMEOUT);
        if !(1..=MAX_TIMEOUT).contains(&timeout) {
            let message = format!("must be 1 to {MAX_TIMEOUT} seconds");
            return Err(Refusal::field("timeout", message));
        }
        if dial.auto_answer && !actions::is_sip(&channel) {
            let message = format!("is for SIP phones, and {channel} is none: leave it out");
            return Err(Refusal::field("autoAnswer", message));
        }
        self.check_room(now)?;
        let id = dial_id(entropy, now);
        let action = actions::originate(&Originate {
            other_channel_id: channel.starts_with("Local/").then(|| format!("{id};2")),
            channel,
            target: Target::Extension {
                context: self.config.context.clone(),
                exten: dial.to.to_string(),
                priority: "1".to_owned(),
            },
            timeout_ms: Some(u64::from(timeout) * 1000),
            caller_id: dial.caller_id.as_ref().map(ToString::to_string),
            account: None,
            variables: dial
                .variables
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
            auto_answer: dial.auto_answer,
            channel_id: Some(id.clone()),
        });
        action.check().map_err(|error| Refusal::field("variables", error.to_string()))?;
        let dialling = Dialling { from: &from, to: &dial.to, timeout };
        self.begin_dial(&id, &dialling, who, now);
        let call = self.call_id(&id);
        Ok(Plan::new(vec![action]).result(json!({ "actionId": id, "call": call })))
    }

    /// Notes a dial whose outcome is to be known again by its channel's id. One that is never sent is
    /// forgotten after a while.
    pub(super) fn begin_dial(
        &mut self,
        id: &str,
        dialling: &Dialling<'_>,
        who: Option<&Principal>,
        now: Timestamp,
    ) {
        self.pending.retain(|_, pending| pending.forget > now);
        let asked_by = who.and_then(|who| who.extension.as_deref()).unwrap_or(dialling.from);
        let pending = Pending {
            asked_by: asked_by.into(),
            to: dialling.to.into(),
            planned: now,
            forget: Timestamp(now.0 + u64::from(dialling.timeout) * 1000 + GRACE_MS),
            round: self.sync.round,
            has_channel: false,
        };
        self.pending.insert(id.into(), pending);
    }

    /// The channel to ring first, and the extension that it is.
    fn caller(&self, dial: &Dial, who: Option<&Principal>) -> Result<(String, String), Refusal> {
        if !dial.from.contains('/') {
            let agent = self.find_extension(&dial.from, "from")?;
            return Ok((self.extensions[agent].device.to_string(), dial.from.to_string()));
        }
        let may = who.is_none_or(|who| who.permission("dial:channel") == Permission::Any);
        if !may {
            let message = "a raw channel needs the right `dial:channel`; give an extension";
            return Err(Refusal {
                code: telepulse_language::Code::Forbidden,
                message: message.to_owned(),
                field: Some("from".to_owned()),
            });
        }
        let agent = self.agent_of_device(&dial.from);
        let number = agent.map_or("", |agent| &self.extensions[agent].number);
        Ok((dial.from.to_string(), number.to_owned()))
    }

    /// Refuses when as many calls live, or are about to, as the server is allowed.
    pub(super) fn check_room(&self, now: Timestamp) -> Result<(), Refusal> {
        let Some(most) = self.config.max_calls else { return Ok(()) };
        let starting = self.pending.values().filter(|pending| {
            !pending.has_channel && now.0.saturating_sub(pending.planned.0) < STARTING_MS
        });
        if self.calls.len() + starting.count() >= most as usize {
            let server = &self.config.server;
            return Err(conflict(format!(
                "server {server:?} has as many calls as it may ({most}, its maxCalls); try later"
            )));
        }
        Ok(())
    }

    /// The id of the call whose first channel has this Uniqueid.
    pub(crate) fn call_id(&self, uniqueid: &str) -> SmolStr {
        format_smolstr!("{}-{}", url_safe(&self.config.server), url_safe(uniqueid))
    }
}
