//! Actions about one channel: keys, sound, variables, recording, parking, asking before handing over.

use super::{Answer, Asked};
use crate::centre::{Centre, INTERNAL};
use crate::channel::ChannelId;
use crate::presence::Presence;
use crate::wire::Class;

/// Where Asterisk notes the file that was opened last.
const FILE_VARIABLE: &str = "MIXMONITOR_FILENAME";
/// Where files go whose names are no whole paths.
const MONITOR: &str = "/var/spool/asterisk/monitor";

impl Centre {
    /// Sound is not simulated, so nothing is heard of it; nor does Asterisk say anything.
    pub(super) fn action_mute_audio(&self, asked: &Asked) -> Answer {
        match self.channel_asked(asked) {
            Ok(_) if asked.get("Direction").is_none() => asked.error("No direction specified"),
            Ok(_) => asked.done(),
            Err(answer) => answer,
        }
    }

    pub(super) fn action_play_dtmf(&self, asked: &Asked) -> Answer {
        match self.channel_asked(asked) {
            Ok(_) if asked.get("Digit").is_none() => asked.error("No digit specified"),
            Ok(_) => asked.success("DTMF successfully queued"),
            Err(_) if asked.get("Channel").is_none() => asked.error("Channel not specified"),
            Err(_) => asked.error("Channel not found"),
        }
    }

    pub(super) fn action_send_text(&self, asked: &Asked) -> Answer {
        match self.channel_asked(asked) {
            Ok(_) => asked.success("Success"),
            Err(answer) => answer,
        }
    }

    pub(super) fn action_set_var(&mut self, asked: &Asked) -> Answer {
        let Some(name) = asked.get("Variable") else {
            return asked.error("No variable specified");
        };
        let value = asked.get("Value").unwrap_or_default();
        if asked.get("Channel").is_some() {
            let channel = match self.channel_asked(asked) {
                Ok(channel) => channel,
                Err(answer) => return answer,
            };
            if let Some(channel) = self.channels.get_mut(&channel) {
                channel.variables.insert(name.to_owned(), value.to_owned());
            }
        } else if let Some(presentity) = argument_of("PRESENCE_STATE", name) {
            self.set_presence(presentity, &Presence::parse(value));
        } else if let Some(device) = argument_of("DEVICE_STATE", name) {
            self.globals.insert(name.to_owned(), value.to_owned());
            self.tell_device(device, value);
        } else {
            self.globals.insert(name.to_owned(), value.to_owned());
        }
        asked.success("Variable Set")
    }

    pub(super) fn action_get_var(&self, asked: &Asked) -> Answer {
        let Some(name) = asked.get("Variable") else {
            return asked.error("No variable specified");
        };
        let variables = match asked.get("Channel") {
            None => Some(&self.globals),
            Some(_) => match self.channel_asked(asked) {
                Ok(channel) => self.channels.get(&channel).map(|channel| &channel.variables),
                Err(answer) => return answer,
            },
        };
        let value = variables.and_then(|variables| variables.get(name));
        let value = value.map(String::as_str).unwrap_or_default();
        asked.response().field("Variable", name).field("Value", value).end()
    }

    pub(super) fn action_mix_monitor(&mut self, asked: &Asked) -> Answer {
        match self.channel_asked(asked) {
            Ok(channel) => {
                self.record(channel, asked.get("File").unwrap_or("recording.wav"));
                asked.done()
            }
            Err(answer) => answer,
        }
    }

    /// Application MixMonitor.
    pub(crate) fn record(&mut self, channel: ChannelId, file: &str) {
        let path =
            if file.starts_with('/') { file.to_owned() } else { format!("{MONITOR}/{file}") };
        if let Some(recorded) = self.channels.get_mut(&channel) {
            recorded.recordings += 1;
            recorded.variables.insert(FILE_VARIABLE.to_owned(), path);
            self.tell("MixMonitorStart", channel, &[]);
        }
    }

    pub(super) fn action_stop_mix_monitor(&mut self, asked: &Asked) -> Answer {
        match self.recorded_channel(asked) {
            Ok(Some(channel)) => {
                if let Some(recorded) = self.channels.get_mut(&channel) {
                    recorded.recordings -= 1;
                }
                self.tell("MixMonitorStop", channel, &[]);
                asked.done()
            }
            Ok(None) => asked.error("Could not stop monitoring channel"),
            Err(answer) => answer,
        }
    }

    pub(super) fn action_mix_monitor_mute(&mut self, asked: &Asked) -> Answer {
        match self.recorded_channel(asked) {
            Ok(Some(channel)) => {
                let direction = asked.get("Direction").unwrap_or("both");
                let more = [("Direction", direction), ("State", asked.get("State").unwrap_or("0"))];
                self.tell("MixMonitorMute", channel, &more);
                asked.done()
            }
            Ok(None) => asked.error("Cannot set mute flag"),
            Err(answer) => answer,
        }
    }

    /// `None`: it is not recorded.
    fn recorded_channel(&self, asked: &Asked) -> Result<Option<ChannelId>, Answer> {
        let channel = self.channel_asked(asked)?;
        let is_recorded = self.channels.get(&channel).is_some_and(|found| found.recordings > 0);
        Ok(is_recorded.then_some(channel))
    }

    pub(super) fn action_atxfer(&mut self, asked: &Asked) -> Answer {
        let Some(name) = asked.get("Channel") else { return asked.error("No channel specified") };
        let Some(exten) = asked.get("Exten") else { return asked.error("No extension specified") };
        let Some(channel) = self.channel_named(name) else {
            return asked.error("Channel specified does not exist");
        };
        // Keys that nobody heeds are pressed all the same.
        self.begin_consultation(channel, exten);
        asked.success("Atxfer successfully queued")
    }

    pub(super) fn action_park(&mut self, asked: &Asked) -> Answer {
        let Some(name) = asked.get("Channel") else { return asked.error("Channel not specified") };
        let Some(channel) = self.channel_named(name) else {
            return asked.error(&format!("Channel does not exist: {name}"));
        };
        let device = |id| self.channels.get(&id).map(|channel| channel.device.clone());
        let parker = asked.get("TimeoutChannel").map(|name| {
            // A channel that is gone leaves its name, without the number at its end.
            let device = self.channel_named(name).and_then(device);
            device.unwrap_or_else(|| name.rsplit_once('-').map_or(name, |(dev, _)| dev).to_owned())
        });
        let timeout_ms = asked.get("Timeout").and_then(|timeout| timeout.parse().ok());
        let known = asked.get("Parkinglot").is_none_or(|lot| lot == "default");
        // Here, as in few other answers, Asterisk ends the message twice.
        if known && self.park(channel, parker, timeout_ms) {
            asked.success("Park successful") + "\r\n"
        } else {
            asked.error("Park action failed") + "\r\n"
        }
    }

    pub(super) fn action_user_event(&mut self, asked: &Asked) -> Answer {
        let Some(name) = asked.get("UserEvent") else {
            return asked.error("Missing UserEvent");
        };
        let text = self.event("UserEvent", Class::User).field("UserEvent", name);
        let text = asked
            .rest(&["UserEvent"])
            .fold(text.action_id(asked.id), |text, (key, value)| text.field(&key, value));
        self.emit(Class::User, text);
        asked.success("Event Sent")
    }

    pub(super) fn action_presence_state(&self, asked: &Asked) -> Answer {
        let Some(provider) = asked.get("Provider") else {
            return asked.error("No provider specified");
        };
        let Some(presence) = self.presences.get(provider) else {
            return asked.error("Invalid provider");
        };
        let text = asked.response().field("Message", "Presence State");
        let text = text.field("State", &presence.state);
        let more = [("Subtype", &presence.subtype), ("PresenceMessage", &presence.message)];
        let set = more.into_iter().filter(|(_, value)| !value.is_empty());
        set.fold(text, |text, (key, value)| text.field(key, value)).end()
    }

    pub(super) fn action_extension_state(&self, asked: &Asked) -> Answer {
        let Some(exten) = asked.get("Exten") else { return asked.error("Extension not specified") };
        let found = self.phone_of(exten).map(|(_, device)| device.told.of_extension());
        let (status, words) =
            found.map_or((-1, "Unknown"), |(status, words)| (i16::from(status), words));
        let hint = found.map(|_| crate::device::Device::hint(exten)).unwrap_or_default();
        asked
            .response()
            .field("Message", "Extension Status")
            .field("Exten", exten)
            .field("Context", asked.get("Context").unwrap_or(INTERNAL))
            .field("Hint", hint)
            .field("Status", status)
            .field("StatusText", words)
            .end()
    }
}

/// `X` of `FUNCTION(X)`.
fn argument_of<'n>(function: &str, name: &'n str) -> Option<&'n str> {
    name.strip_prefix(function)?.strip_prefix('(')?.strip_suffix(')')
}
