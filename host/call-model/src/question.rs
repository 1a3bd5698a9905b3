//! What the model has to ask its server because an event left it out.

use ami_proto::{Action, Message};
use telepulse_language::{Event, SmolStr, Timestamp};

use crate::pbx::{Out, Pbx};
use crate::text::field;

/// A question to the server, which an event raised.
#[derive(Clone, Debug)]
pub struct Question {
    about: About,
    /// The action that asks.
    pub action: Action,
}

#[derive(Clone, Debug)]
enum About {
    /// Into which file this channel (Uniqueid) is recorded.
    Recording(SmolStr),
}

impl Question {
    pub(crate) fn recording(uniqueid: SmolStr, action: Action) -> Self {
        Self { about: About::Recording(uniqueid), action }
    }
}

impl Pbx {
    /// What to ask the server now; there is hardly ever anything.
    pub fn take_questions(&mut self) -> Vec<Question> {
        std::mem::take(&mut self.questions)
    }

    /// Takes in the answer to a question and appends what it tells. `None`: there is none.
    pub fn answered(
        &mut self,
        question: &Question,
        response: Option<&Message>,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let out = &mut Out { now, events };
        let About::Recording(uniqueid) = &question.about;
        let file = response.map_or("", |response| field(response, "Value"));
        self.recording_named(uniqueid, file, out);
        self.flush_lines(out);
    }
}
