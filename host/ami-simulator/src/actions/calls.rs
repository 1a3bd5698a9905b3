//! Actions about calls: Originate, Hangup, Redirect, BlindTransfer.

use super::{Answer, Asked};
use crate::centre::{Centre, INTERNAL, TRUNK};
use crate::channel::{ChannelId, Originated, Party, Target, UNKNOWN};
use crate::ending::Cause;
use crate::originating::Originate;

/// Asterisk's own, in milliseconds.
const ORIGINATE_TIMEOUT_MS: u64 = 30_000;

impl Centre {
    pub(super) fn action_originate(&mut self, asked: &Asked) -> Answer {
        let Some(dialled) = asked.get("Channel") else {
            return asked.error("Channel not specified");
        };
        let target = match (asked.get("Exten"), asked.get("Application")) {
            (Some(exten), _) if !self.exists(exten) => {
                return asked.error("Extension does not exist.");
            }
            (Some(exten), _) => Target::Extension {
                context: asked.get("Context").unwrap_or(INTERNAL).to_owned(),
                exten: exten.to_owned(),
            },
            (None, Some(name)) => Target::Application {
                name: name.to_owned(),
                data: asked.get("Data").unwrap_or_default().to_owned(),
            },
            (None, None) => {
                return asked
                    .error("Originate needs 'Context', 'Exten', 'Priority' or 'Application'");
            }
        };
        let uniqueid = asked.get("ChannelId");
        if uniqueid.is_some_and(|id| self.channels.values().any(|channel| channel.uniqueid == id)) {
            return asked.error("Uniqueid already in use");
        }
        let answer = asked.success("Originate successfully queued");
        self.originate(Originate {
            device: if dialled.ends_with("@trunk") { TRUNK } else { dialled }.to_owned(),
            uniqueid: uniqueid.map(str::to_owned),
            other_uniqueid: asked.get("OtherChannelId").map(str::to_owned),
            variables: variables(asked),
            timeout_ms: asked
                .get("Timeout")
                .and_then(|timeout| timeout.parse().ok())
                .unwrap_or(ORIGINATE_TIMEOUT_MS),
            wish: Originated {
                action_id: asked.id.map(str::to_owned),
                dialled: dialled.to_owned(),
                shown: asked.get("CallerID").map(caller_id),
                target,
            },
        });
        answer
    }

    pub(super) fn action_hangup(&mut self, asked: &Asked) -> Answer {
        match self.channel_asked(asked) {
            Ok(channel) => {
                let cause = asked.get("Cause").and_then(|cause| cause.parse().ok());
                self.hang_up(channel, cause.map_or(Cause::NORMAL, Cause::new));
                asked.success("Channel Hungup")
            }
            Err(answer) => answer,
        }
    }

    pub(super) fn action_redirect(&mut self, asked: &Asked) -> Answer {
        let Some(name) = asked.get("Channel") else { return asked.error("Channel not specified") };
        let Some(channel) = self.channel_named(name) else {
            return asked.error(&format!("Channel does not exist: {name}"));
        };
        let Some(exten) = asked.get("Exten") else { return asked.error("Exten not specified") };
        // The second one first: redirecting the first would hang it up.
        if let Some(name) = asked.get("ExtraChannel") {
            let Some(extra) = self.channel_named(name) else {
                return asked.error("ExtraChannel does not exist");
            };
            let exten = asked.get("ExtraExten").unwrap_or(exten);
            self.part(channel, extra);
            self.redirect(extra, asked.get("ExtraContext").unwrap_or(INTERNAL), exten);
        }
        if self.redirect(channel, asked.get("Context").unwrap_or(INTERNAL), exten) {
            asked.success("Redirect successful")
        } else {
            asked.error("Redirect failed")
        }
    }

    pub(super) fn action_blind_transfer(&mut self, asked: &Asked) -> Answer {
        let channel = match self.channel_asked(asked) {
            Ok(channel) => channel,
            Err(answer) => return answer,
        };
        let Some(exten) = asked.get("Exten") else { return asked.error("No exten specified") };
        let context = asked.get("Context").unwrap_or(INTERNAL);
        if self.exists(exten) && self.blind_transfer(channel, context, exten) {
            asked.success("Transfer succeeded")
        } else {
            asked.error("Transfer invalid")
        }
    }

    pub(super) fn channel_asked(&self, asked: &Asked) -> Result<ChannelId, Answer> {
        let name = asked.get("Channel").ok_or_else(|| asked.error("No channel specified"))?;
        self.channel_named(name).ok_or_else(|| asked.error("No such channel"))
    }
}

/// `NAME=VALUE` of each header.
fn variables(asked: &Asked) -> Vec<(String, String)> {
    let headers = asked.rest(&[]).filter(|(key, _)| key.eq_ignore_ascii_case("Variable"));
    headers
        .filter_map(|(_, text)| {
            let (name, value) = text.split_once('=')?;
            Some((name.trim_start_matches('_').to_owned(), value.to_owned()))
        })
        .collect()
}

/// `"Name" <number>`, or a number alone.
fn caller_id(text: &str) -> Party {
    match text.split_once('<') {
        Some((name, number)) => {
            Party::new(number.trim_end_matches(['>', ' ']), name.trim().trim_matches('"'))
        }
        None => Party::new(text.trim(), UNKNOWN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caller_ids_are_read_in_both_forms() {
        assert_eq!(caller_id("\"Phone 101\" <101>"), Party::new("101", "Phone 101"));
        assert_eq!(caller_id("Ana <55>"), Party::new("55", "Ana"));
        assert_eq!(caller_id("101"), Party::new("101", UNKNOWN));
    }
}
