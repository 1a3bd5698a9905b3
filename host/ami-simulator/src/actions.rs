//! What a logged-in session may ask for, and what Asterisk answers.

mod calls;
mod channels;
mod listings;
mod queues;
mod rooms;

use ami_proto::Message;

use crate::centre::Centre;
use crate::wire::Text;

/// What an action leads to: the whole answer, lists included.
pub(crate) type Answer = String;

/// An action that is being answered.
pub(crate) struct Asked<'a> {
    action: &'a Message,
    id: Option<&'a str>,
}

impl<'a> Asked<'a> {
    pub(crate) fn new(action: &'a Message) -> Self {
        Self { action, id: action.action_id() }
    }

    /// The action's name, in lower case: Asterisk does not mind.
    pub(crate) fn name(&self) -> String {
        self.action.get("Action").unwrap_or_default().to_ascii_lowercase()
    }

    /// The value of a header, unless it is missing or empty.
    pub(crate) fn get(&self, key: &str) -> Option<&'a str> {
        self.action.get(key).filter(|value| !value.is_empty())
    }

    /// `yes`, `true`, `1` and the like.
    pub(crate) fn is_true(&self, key: &str) -> bool {
        let words = ["yes", "true", "y", "t", "1", "on"];
        self.get(key).is_some_and(|value| words.iter().any(|word| value.eq_ignore_ascii_case(word)))
    }

    pub(crate) fn success(&self, message: &str) -> Answer {
        Text::answer("Success", self.id, message).end()
    }

    pub(crate) fn error(&self, message: &str) -> Answer {
        Text::answer("Error", self.id, message).end()
    }

    /// Success, and not a word more.
    pub(crate) fn done(&self) -> Answer {
        self.response().end()
    }

    /// All headers but the action's name and id, and these.
    pub(crate) fn rest<'s>(&self, but: &'s [&str]) -> impl Iterator<Item = (String, String)> + 's
    where
        'a: 's,
    {
        self.action.fields().filter_map(move |(key, value)| {
            let key = String::from_utf8_lossy(key).into_owned();
            let known = ["Action", "ActionID"].iter().chain(but);
            let left_out = known.into_iter().any(|name| name.eq_ignore_ascii_case(&key));
            (!left_out).then(|| (key, String::from_utf8_lossy(value).into_owned()))
        })
    }

    pub(crate) fn response(&self) -> Text {
        Text::response("Success", self.id)
    }
}

impl Centre {
    /// Does what a logged-in session asks for.
    pub(crate) fn act(&mut self, asked: &Asked) -> Answer {
        match asked.name().as_str() {
            "originate" => self.action_originate(asked),
            "hangup" => self.action_hangup(asked),
            "redirect" => self.action_redirect(asked),
            "blindtransfer" => self.action_blind_transfer(asked),
            "queueadd" => self.action_queue_add(asked),
            "queueremove" => self.action_queue_remove(asked),
            "queuepause" => self.action_queue_pause(asked),
            "queuepenalty" => self.action_queue_penalty(asked),
            "status" => self.list_status(asked),
            "coreshowchannels" => self.list_channels(asked),
            "bridgelist" => self.list_bridges(asked),
            "bridgeinfo" => self.list_bridge(asked),
            "queuestatus" => self.list_queues(asked),
            "extensionstatelist" => self.list_extensions(asked),
            "devicestatelist" => self.list_devices(asked),
            "presencestatelist" => self.list_presences(asked),
            "parkedcalls" => self.list_parked(asked),
            "confbridgelistrooms" => self.list_rooms(asked),
            "confbridgelist" => self.list_room(asked),
            "confbridgemute" => self.action_room_mute(asked, true),
            "confbridgeunmute" => self.action_room_mute(asked, false),
            "confbridgekick" => self.action_room_kick(asked),
            "confbridgelock" => self.action_room_lock(asked, true),
            "confbridgeunlock" => self.action_room_lock(asked, false),
            "atxfer" => self.action_atxfer(asked),
            "park" => self.action_park(asked),
            "setvar" => self.action_set_var(asked),
            "getvar" => self.action_get_var(asked),
            "muteaudio" => self.action_mute_audio(asked),
            "playdtmf" => self.action_play_dtmf(asked),
            "sendtext" => self.action_send_text(asked),
            "mixmonitor" => self.action_mix_monitor(asked),
            "stopmixmonitor" => self.action_stop_mix_monitor(asked),
            "mixmonitormute" => self.action_mix_monitor_mute(asked),
            "userevent" => self.action_user_event(asked),
            "presencestate" => self.action_presence_state(asked),
            "extensionstate" => self.action_extension_state(asked),
            "queuesummary" => self.summarize_queues(asked),
            // The manager user has no right for messages, as the one of the recordings.
            "messagesend" => asked.error("Permission denied"),
            // The phones have static contacts, which are not listed.
            "pjsipshowcontacts" => asked.error("No Contacts found") + "\r\n",
            "coresettings" => self.core_settings(asked),
            "corestatus" => self.core_status(asked),
            _ => {
                let name = asked.get("Action").unwrap_or_default();
                asked.error(&format!(
                    "Invalid/unknown command: {name}. Use Action: ListCommands to show available commands."
                ))
            }
        }
    }
}
