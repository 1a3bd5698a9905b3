//! What a logged-in session may ask for, and what Asterisk answers.

mod calls;
mod listings;
mod queues;

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
            "presencestatelist" => listings::presences(asked),
            "parkedcalls" => listings::parked(asked),
            "confbridgelistrooms" => asked.error("No active conferences."),
            // The phones have static contacts, which are not listed.
            "pjsipshowcontacts" => asked.error("No Contacts found") + "\r\n",
            "coresettings" => self.core_settings(asked),
            "corestatus" => self.core_status(asked),
            name => asked.error(&format!(
                "Invalid/unknown command: {name}. Use Action: ListCommands to show available commands."
            )),
        }
    }
}
