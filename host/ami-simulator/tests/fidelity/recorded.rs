//! What a real Asterisk said in a session: before, during and after the scene.

use std::path::Path;

use ami_proto::{Decoder, Frame, Limits, Message};

/// A recorded session.
pub(crate) struct Recorded(Vec<Message>);

impl Recorded {
    pub(crate) fn load(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/recordings");
        let recording = std::fs::read(folder.join(format!("{name}.amirec"))).unwrap();
        Self(messages(&ami_proto::recording::stream(&recording).unwrap()))
    }

    pub(crate) fn all(&self) -> &[Message] {
        &self.0
    }

    /// The scene: between the lists that the recorder asked for before it, and those after it.
    pub(crate) fn happened(&self) -> Vec<Message> {
        let last_of_first_lists =
            |message: &Message| message.get("Message") == Some("No active conferences.");
        let start = self.0.iter().position(last_of_first_lists).unwrap() + 1;
        let first_of_last_lists =
            |message: &Message| message.get("Message") == Some("Channel status will follow");
        let end = start + self.0[start..].iter().position(first_of_last_lists).unwrap();
        self.0[start..end].to_vec()
    }

    /// The same where the recorder asked for lists in the middle as well, up to the last ones.
    pub(crate) fn acted(&self) -> Vec<Message> {
        let is_bye = |message: &Message| message.get("Response") == Some("Goodbye");
        let last_of_first_lists =
            |message: &Message| message.get("Message") == Some("No active conferences.");
        let start = self.0.iter().position(last_of_first_lists).unwrap() + 1;
        let scene = self.0[start..].iter().filter(|message| !is_listed(message));
        scene.filter(|message| !is_bye(message)).cloned().collect()
    }
}

/// Whether a message is an answer of lists, or an item of one.
fn is_listed(message: &Message) -> bool {
    let empty = ["No Contacts found", "No active conferences."];
    let says_empty = message.get("Message").is_some_and(|text| empty.contains(&text));
    let by_itself = matches!(message.event(), Some("OriginateResponse" | "UserEvent"));
    let item = message.event().is_some() && message.action_id().is_some() && !by_itself;
    item || message.get("EventList").is_some() || says_empty
}

/// The messages of a stream, which may begin with a banner.
pub(crate) fn messages(stream: &[u8]) -> Vec<Message> {
    let banner = stream.starts_with(b"Asterisk Call Manager/");
    let limits = Limits::default();
    let mut decoder = if banner { Decoder::new(limits) } else { Decoder::without_banner(limits) };
    decoder.buffer().extend_from_slice(stream);
    let frames: Vec<_> = decoder.by_ref().map(Result::unwrap).collect();
    frames
        .into_iter()
        .filter_map(|frame| match frame {
            Frame::Message(message) => Some(message),
            Frame::Banner(_) => None,
        })
        .collect()
}
