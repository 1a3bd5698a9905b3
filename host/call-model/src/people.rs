//! Who sits behind an extension: name, presence, address, and the list of all who are there.

use std::time::Duration;

use ami_proto::Message;
use telepulse_language::{ActiveUsers, AgentName, Presence, SmolStr, Timestamp, UserState};

use crate::channel::Ix;
use crate::pbx::{Out, Pbx};
use crate::text::{field, set};

/// The list of all who are there is told at most this often.
const EVERY_MS: u64 = 500;

/// What is known of who is there, and when it was told.
#[derive(Debug, Default)]
pub(crate) struct Roll {
    /// Somebody came or went since it was told.
    pub(crate) has_changed: bool,
    told_at: Timestamp,
}

impl Pbx {
    /// A phone's own calls show its name: the caller ID that the server is configured to give it.
    pub(crate) fn learn_name(&mut self, channel: Ix) {
        let Some(agent) = self.channels[channel].agent else { return };
        let caller = &self.channels[channel].caller;
        if caller.number == *self.number(agent) && !caller.name.is_empty() {
            let name = caller.name.clone();
            set(&mut self.extensions[agent].name, &name);
            // Told with the lines, which have changed too.
        }
    }

    /// A queue knows the name of a member; the phone's own stands above it.
    pub(crate) fn learn_member_name(&mut self, number: &str, name: &str) {
        let Some(&agent) = self.by_number.get(number) else { return };
        if self.extensions[agent].name.is_empty() && !name.contains('/') {
            set(&mut self.extensions[agent].name, name);
            self.touch(Some(agent));
        }
    }

    /// PresenceStatus: of a hint's presence part, by the extension.
    pub(crate) fn on_presence(&mut self, message: &Message) {
        let Some(&agent) = self.by_number.get(field(message, "Exten")) else { return };
        self.extensions[agent].presence_seen = self.sync.round;
        self.presence(agent, message);
    }

    /// PresenceStateList: by what the hint names.
    pub(crate) fn fold_presences(&mut self, items: &[Message]) {
        for item in items {
            let Some(&agent) = self.by_presentity.get(field(item, "Presentity")) else { continue };
            if self.extensions[agent].presence_seen != self.sync.round {
                self.presence(agent, item);
            }
        }
    }

    fn presence(&mut self, agent: Ix, message: &Message) {
        let word = |key: &str| SmolStr::new(field(message, key));
        let (subtype, words) = (word("Subtype"), word("Message"));
        self.extensions[agent].presence = Some(Presence {
            state: word("Status"),
            subtype: (!subtype.is_empty()).then_some(subtype),
            message: (!words.is_empty()).then_some(words),
        });
        self.touch(Some(agent));
    }

    /// ContactStatus: where a phone is, or that it is there no more.
    pub(crate) fn on_contact(&mut self, message: &Message) {
        let endpoint = field(message, "EndpointName");
        let is_gone = field(message, "ContactStatus") == "Removed";
        self.contact(endpoint, field(message, "URI"), is_gone);
    }

    /// PJSIPShowContacts.
    pub(crate) fn fold_contacts(&mut self, items: &[Message]) {
        for item in items {
            self.contact(field(item, "Endpoint"), field(item, "Uri"), false);
        }
    }

    fn contact(&mut self, endpoint: &str, uri: &str, is_gone: bool) {
        let device = ["PJSIP/", endpoint].concat();
        let Some(agent) = self.agent_of_device(&device) else { return };
        let address = address_of(uri);
        let extension = &mut self.extensions[agent];
        if !is_gone {
            set(&mut extension.address, address);
        } else if *extension.address == *address {
            set(&mut extension.address, "");
        }
        self.touch(Some(agent));
    }

    /// Tells what subscribers do not know yet of a name and a presence.
    pub(crate) fn tell_person(&mut self, agent: Ix, out: &mut Out<'_>) {
        let extension = &self.extensions[agent];
        if extension.name != extension.told.name {
            let name = extension.name.clone();
            self.tell(Some(self.number(agent)), None, AgentName { name: name.clone() }, out);
            self.extensions[agent].told.name = name;
        }
        let extension = &self.extensions[agent];
        if let Some(presence) = extension.presence.clone()
            && extension.told.presence.as_ref() != Some(&presence)
        {
            self.tell(Some(self.number(agent)), None, presence.clone(), out);
            self.extensions[agent].told.presence = Some(presence);
        }
    }

    /// How long it is until [`Pbx::tick`] has something to do; never, if nothing waits. A clock that was set
    /// back makes nothing wait longer.
    pub fn due_in(&self, now: Timestamp) -> Option<Duration> {
        let is_waiting = self.roll.has_changed && !self.sync.is_running;
        let passed = now.0.checked_sub(self.roll.told_at.0).unwrap_or(EVERY_MS);
        is_waiting.then(|| Duration::from_millis(EVERY_MS.saturating_sub(passed)))
    }

    /// Tells what waited for its time.
    pub fn tick(&mut self, now: Timestamp, events: &mut Vec<telepulse_language::Event>) {
        self.tell_roll(&mut Out { now, events });
    }

    /// The whole list, if it changed and was not told just now.
    pub(crate) fn tell_roll(&mut self, out: &mut Out<'_>) {
        if self.due_in(out.now) != Some(Duration::ZERO) {
            return;
        }
        let mut users: Vec<SmolStr> = self
            .extensions
            .iter()
            .filter(|extension| extension.user() == UserState::Online)
            .map(|extension| extension.number.clone())
            .collect();
        users.sort_unstable();
        self.roll = Roll { has_changed: false, told_at: out.now };
        self.tell(None, None, ActiveUsers { users }, out);
    }
}

/// Host and port of a SIP URI: `sip:121@10.0.0.7:5060;transport=udp` to `10.0.0.7:5060`.
fn address_of(uri: &str) -> &str {
    let rest = uri.split_once(':').map_or(uri, |(_scheme, rest)| rest);
    let host = rest.rsplit_once('@').map_or(rest, |(_user, host)| host);
    host.split([';', '?', '>']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_has_an_address() {
        let check = |uri: &str, address: &str| assert_eq!(address_of(uri), address, "{uri}");
        check("sip:121@127.0.0.1:12103;transport=udp", "127.0.0.1:12103");
        check("sips:a%40b@[2001:db8::1]:5061", "[2001:db8::1]:5061");
        check("sip:10.0.0.7", "10.0.0.7");
        check("", "");
    }
}
