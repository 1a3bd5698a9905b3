//! Phones: which extension has which device, and what Asterisk says of it.

use std::collections::BTreeMap;

use ami_proto::Message;
use telepulse_language::{Device, DeviceChannel, ExtensionStatus, Filter, SmolStr, UserStatus};

use crate::channel::{Ix, device_of};
use crate::device::{Extension, PhoneState, hint_devices, hint_presence};
use crate::pbx::{Out, Pbx};
use crate::queue::Member;
use crate::text::{field, number, set};

impl Pbx {
    pub(crate) fn on_device_state(&mut self, message: &Message, _out: &mut Out<'_>) {
        let round = self.sync.round;
        if let Some(agent) = self.device_state(message) {
            self.extensions[agent].seen = round;
        }
    }

    /// What an event or a list item says of a device; a hint's word stands above it.
    pub(crate) fn device_state(&mut self, message: &Message) -> Option<Ix> {
        let agent = self.agent_of_device_or_new(field(message, "Device"))?;
        if self.extensions[agent].hint_context.is_some() {
            return None;
        }
        let state = PhoneState::from_device(message.get("State").unwrap_or_default());
        self.extensions[agent].state = Some(state);
        self.touch(Some(agent));
        Some(agent)
    }

    pub(crate) fn on_extension_status(&mut self, message: &Message, out: &mut Out<'_>) {
        let round = self.sync.round;
        if let Some((agent, is_new)) = self.extension_status(message) {
            self.extensions[agent].seen = round;
            if is_new {
                self.adopt_channels(out);
            }
        }
    }

    /// What an event or a list item says of a hint: the extension, and whether it has a phone that
    /// was not known to be its own. Hints of what is no phone are none of ours.
    pub(crate) fn extension_status(&mut self, message: &Message) -> Option<(Ix, bool)> {
        let exten = field(message, "Exten");
        let context = field(message, "Context");
        if exten.is_empty() || exten.starts_with('_') {
            return None;
        }
        let state = PhoneState::from_bits(number(message, "Status")?);
        let known = self.by_number.get(exten).copied();
        if known.is_some_and(|agent| self.is_hinted_better(agent, context)) {
            return None;
        }
        let Some(state) = state else {
            // The hint is gone: from now on the device's own word counts.
            self.extensions[known?].hint_context = None;
            return None;
        };
        let hint = field(message, "Hint");
        let device = hint_devices(hint).next()?;
        let agent = known.unwrap_or_else(|| self.add_extension(exten, device));
        let mut is_new = false;
        for device in hint_devices(hint) {
            is_new |= self.give_device(agent, device);
        }
        if let Some(presentity) = hint_presence(hint) {
            self.by_presentity.insert(presentity.into(), agent);
        }
        let extension = &mut self.extensions[agent];
        extension.hint_context = Some(context.into());
        extension.state = Some(state);
        set(&mut extension.device, device);
        self.touch(Some(agent));
        Some((agent, is_new))
    }

    /// Whether a hint in another context has the say: the configured context's comes first.
    fn is_hinted_better(&self, agent: Ix, context: &str) -> bool {
        let hinted = self.extensions[agent].hint_context.as_deref();
        hinted.is_some_and(|hinted| hinted != context && *hinted == *self.config.context)
    }

    /// Makes a device the extension's; says whether it was not before. Where two extensions have
    /// a hint for the same phone, it is the one's that the template would give it to.
    fn give_device(&mut self, agent: Ix, device: &str) -> bool {
        match self.by_device.get(device) {
            Some(&owner) if owner == agent => return false,
            Some(_) if self.template.device(self.number(agent)) != *device => return false,
            _ => {}
        }
        self.by_device.insert(device.into(), agent);
        true
    }

    fn add_extension(&mut self, number: &str, device: &str) -> Ix {
        let agent = self.extensions.len();
        self.extensions.push(Extension::new(number, device));
        self.by_number.insert(number.into(), agent);
        agent
    }

    /// The extension that has this device, if it is known.
    pub(crate) fn agent_of_device(&self, device: &str) -> Option<Ix> {
        self.by_device
            .get(device)
            .or_else(|| self.by_number.get(self.template.extension(device)?))
            .copied()
    }

    /// The same; a device that the template reads as an extension's makes that known.
    pub(crate) fn agent_of_device_or_new(&mut self, device: &str) -> Option<Ix> {
        if let Some(&agent) = self.by_device.get(device) {
            return Some(agent);
        }
        let number = self.template.extension(device)?;
        let agent = match self.by_number.get(number) {
            Some(&agent) => agent,
            None => self.add_extension(number, device),
        };
        self.by_device.insert(device.into(), agent);
        self.touch(Some(agent));
        Some(agent)
    }

    /// Channels by the extension at whose phone they are, as far as the filter lets them through;
    /// those at no phone are left out.
    pub fn devices(
        &self,
        channels: impl IntoIterator<Item = DeviceChannel>,
        filter: &Filter,
    ) -> Vec<Device> {
        let mut devices: BTreeMap<SmolStr, Vec<DeviceChannel>> = BTreeMap::new();
        for channel in channels {
            // Half of a `Local/` channel is a wire inside Asterisk, whatever the template says.
            let device =
                Some(device_of(&channel.channel)).filter(|name| !name.starts_with("Local/"));
            let number = device.and_then(|device| self.number_of_device(device)).map(SmolStr::new);
            let is_wanted =
                |number: &SmolStr| filter.agents.as_ref().is_none_or(|all| all.contains(&**number));
            if let Some(number) = number.filter(is_wanted) {
                devices.entry(number).or_default().push(channel);
            }
        }
        let server = &self.config.server;
        let device = |(agent, channels)| Device { agent, server: server.clone(), channels };
        devices.into_iter().map(device).collect()
    }

    /// The number of the extension that has this device, by a hint or by the template.
    fn number_of_device<'d>(&'d self, device: &'d str) -> Option<&'d str> {
        match self.by_device.get(device) {
            Some(&owner) => Some(self.number(owner)),
            None => self.template.extension(device),
        }
    }

    /// Gives channels that are nobody's to the extensions whose phones they are, now that hints
    /// told more.
    pub(crate) fn adopt_channels(&mut self, out: &mut Out<'_>) {
        let orphans: Vec<Ix> = self
            .channels
            .iter()
            .filter(|(_, channel)| channel.agent.is_none() && !channel.is_local)
            .map(|(ix, _)| ix)
            .collect();
        for ix in orphans {
            let agent = self.agent_of_device(device_of(&self.channels[ix].name));
            if let Some(agent) = agent {
                self.channels[ix].agent = Some(agent);
                self.extensions[agent].channels.push(ix);
                self.touch(Some(agent));
                self.announce(ix, out);
            }
        }
    }

    /// The extension of a queue member by the device whose state counts, else by what is called;
    /// where no rule finds one, the interface itself.
    pub(crate) fn agent_of_member(&self, member: &Member) -> SmolStr {
        [member.state_device(), &member.interface]
            .into_iter()
            .find_map(|device| self.number_of_interface(device))
            .map_or_else(|| member.interface.clone(), SmolStr::new)
    }

    fn number_of_interface<'m>(&'m self, interface: &'m str) -> Option<&'m str> {
        if let Some(number) = self.number_of_device(interface) {
            return Some(number);
        }
        let local = interface.strip_prefix("Local/").or_else(|| interface.strip_prefix("hint:"));
        let number = local?.split('@').next()?;
        let is_known = self.by_number.contains_key(number);
        (is_known || self.config.extensions.matches(number)).then_some(number)
    }

    /// Tells of the extension's phone what subscribers do not know yet.
    pub(crate) fn tell_phone(&mut self, agent: Ix, out: &mut Out<'_>) {
        let extension = &self.extensions[agent];
        let user = extension.user();
        let is_same = extension.told.user.as_ref().is_some_and(|(told, device, address)| {
            *told == user && *device == extension.device && *address == extension.address
        });
        if !is_same {
            let (device, address) = (extension.device.clone(), extension.address.clone());
            let details = UserStatus {
                status: user,
                device: device.clone(),
                address: (!address.is_empty()).then(|| address.clone()),
            };
            let before = extension.told.user.as_ref().map(|(user, ..)| *user);
            self.roll.has_changed |= before != Some(user);
            self.tell(Some(self.number(agent)), None, details, out);
            self.extensions[agent].told.user = Some((user, device, address));
        }
        let extension = &self.extensions[agent];
        let status = extension.state.map(|state| state.status);
        if let Some(status) = status
            && extension.told.status != Some(status)
        {
            self.tell(Some(self.number(agent)), None, ExtensionStatus { status }, out);
            self.extensions[agent].told.status = Some(status);
        }
        self.tell_person(agent, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PbxConfig;
    use telepulse_language::Timestamp;

    fn pbx() -> Pbx {
        let mut pbx = Pbx::new(PbxConfig {
            server: "pbx1".into(),
            device: "PJSIP/{ext}".into(),
            extensions: "^[0-9]{3}$".parse().unwrap(),
            context: "internal".into(),
            voicemail: None,
            max_calls: None,
        });
        let hint = "Event: ExtensionStatus\r\nExten: 101\r\nContext: internal\r\n\
                    Hint: PJSIP/desk&SIP/101\r\nStatus: 0\r\n";
        let hint = Message::parse(hint.as_bytes()).unwrap();
        pbx.apply(&hint, Timestamp(1), &mut Vec::new());
        pbx
    }

    fn channel(name: &str) -> DeviceChannel {
        DeviceChannel {
            channel: name.into(),
            id: name.into(),
            state: "up".into(),
            outbound: true,
            number: SmolStr::default(),
            name: SmolStr::default(),
            since: Timestamp(1),
        }
    }

    fn check(filter: &Filter, expected: &[(&str, &[&str])]) {
        let names = [
            "PJSIP/102-00000001",
            "PJSIP/desk-00000002",
            "PJSIP/trunk-00000003",
            "SIP/101-00000004",
            "Local/103@internal-00000005;1",
            "PJSIP/102-00000006",
        ];
        let devices = pbx().devices(names.map(channel), filter);
        let found: Vec<(&str, Vec<&str>)> = devices
            .iter()
            .map(|device| {
                assert_eq!(device.server, "pbx1");
                let channels = device.channels.iter().map(|channel| channel.channel.as_str());
                (device.agent.as_str(), channels.collect())
            })
            .collect();
        let expected: Vec<_> =
            expected.iter().map(|(agent, names)| (*agent, names.to_vec())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn channels_are_at_the_phones_of_hints_and_of_the_template() {
        let of_102 = ("102", &["PJSIP/102-00000001", "PJSIP/102-00000006"][..]);
        let of_101 = ("101", &["PJSIP/desk-00000002", "SIP/101-00000004"][..]);
        check(&Filter::default(), &[of_101, of_102]);
        let only =
            |agent: &str| Filter { agents: Some([agent.to_owned()].into()), ..Filter::default() };
        check(&only("102"), &[of_102]);
        check(&only("104"), &[]);
    }
}
