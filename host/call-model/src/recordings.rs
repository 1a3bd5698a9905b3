//! Recordings (MixMonitor): what is recorded, into which file, and by whose order.
//!
//! Asterisk's events do not name the file; a variable of the channel does. So each start is a question
//! to the server, and is told when it is answered.

use ami_proto::{Message, actions};
use telepulse_language::{Recording as Told, RecordingChange, SmolStr, Timestamp};

use crate::channel::{Ix, Recording};
use crate::pbx::{Out, Pbx};
use crate::question::Question;
use crate::text::field;

/// Where Asterisk notes the file that was opened last.
pub(crate) const FILE_VARIABLE: &str = "MIXMONITOR_FILENAME";
/// How long after an order what happens is its doing.
const ORDER_MS: u64 = 5_000;

/// Somebody's order about a channel's recording.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) by: Option<SmolStr>,
    pub(crate) at: Timestamp,
    /// The file that was ordered, where one was.
    pub(crate) file: Option<SmolStr>,
}

/// Whether a recording is paused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Pause {
    #[default]
    No,
    Yes,
    /// It began, and may have been paused, while nobody looked: no listing tells.
    Unknown,
}

/// The recordings of one channel.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recordings {
    /// How many run. One, as a rule.
    running: u32,
    pause: Pause,
    /// The file that was named last.
    pub(crate) file: SmolStr,
    /// One started whose file is not known yet.
    is_unnamed: bool,
    order: Option<Order>,
}

impl Recordings {
    pub(crate) fn state(&self) -> Recording {
        match (self.running, self.pause) {
            (0, _) => Recording::No,
            (_, Pause::Yes) => Recording::Paused,
            (_, Pause::No | Pause::Unknown) => Recording::Running,
        }
    }

    /// Whether there is something to resume, as far as is known.
    pub(crate) fn may_be_paused(&self) -> bool {
        self.running > 0 && self.pause != Pause::No
    }

    /// The order that what happens now is the doing of.
    fn order(&self, now: Timestamp) -> Option<&Order> {
        self.order.as_ref().filter(|order| now.0.saturating_sub(order.at.0) <= ORDER_MS)
    }
}

impl Pbx {
    /// Somebody ordered something about this channel's recording.
    pub(crate) fn recording_ordered(&mut self, channel: Ix, order: Order) {
        self.channels[channel].recordings.order = Some(order);
    }

    pub(crate) fn on_recording(&mut self, event: &str, message: &Message, out: &mut Out<'_>) {
        self.on_channel(message, out);
        let Some(ix) = self.known_channel(message, "Uniqueid") else {
            return self.keep_early("Uniqueid", message, out);
        };
        let channel = &mut self.channels[ix];
        let recordings = &mut channel.recordings;
        match event {
            "MixMonitorStart" => {
                recordings.running += 1;
                recordings.is_unnamed = true;
                let action = actions::get_var(Some(&channel.name), FILE_VARIABLE);
                self.questions.push(Question::recording(channel.uniqueid.clone(), action));
            }
            "MixMonitorMute" if recordings.running > 0 => {
                let (pause, change) = match field(message, "State") {
                    "1" => (Pause::Yes, RecordingChange::Paused),
                    _ => (Pause::No, RecordingChange::Resumed),
                };
                recordings.pause = pause;
                self.tell_recording(ix, change, out);
            }
            "MixMonitorStop" if recordings.running > 0 => {
                recordings.running -= 1;
                if recordings.running == 0 {
                    recordings.pause = Pause::No;
                }
                if std::mem::take(&mut recordings.is_unnamed) {
                    // It was shorter than the way to the server and back.
                    self.name_recording(ix, "", out.now);
                    self.tell_recording(ix, RecordingChange::Started, out);
                }
                self.tell_recording(ix, RecordingChange::Stopped, out);
            }
            _ => {}
        }
        self.touch(self.channels[ix].agent);
    }

    /// The file is known now, by the answer to a question.
    pub(crate) fn recording_named(&mut self, uniqueid: &str, file: &str, out: &mut Out<'_>) {
        let Some(&ix) = self.by_uniqueid.get(uniqueid) else { return };
        if std::mem::take(&mut self.channels[ix].recordings.is_unnamed) {
            self.name_recording(ix, file, out.now);
            self.tell_recording(ix, RecordingChange::Started, out);
        }
    }

    /// A listing names a file: if it is another than the last that was known, a recording began
    /// while nobody looked.
    pub(crate) fn recording_listed(&mut self, ix: Ix, file: &str, out: &mut Out<'_>) {
        let recordings = &mut self.channels[ix].recordings;
        if file.is_empty() || *recordings.file == *file || recordings.is_unnamed {
            return;
        }
        recordings.running = recordings.running.max(1);
        recordings.pause = Pause::Unknown;
        self.name_recording(ix, file, out.now);
        self.tell_recording(ix, RecordingChange::Started, out);
        self.touch(self.channels[ix].agent);
    }

    /// Where Asterisk does not say which file it is, it is the one that was ordered.
    fn name_recording(&mut self, ix: Ix, named: &str, now: Timestamp) {
        let recordings = &mut self.channels[ix].recordings;
        let ordered = recordings.order(now).and_then(|order| order.file.clone());
        let file = if named.is_empty() { ordered.unwrap_or_default() } else { named.into() };
        recordings.file = file.clone();
        let call = &mut self.calls[self.channels[ix].call];
        if !file.is_empty() && !call.recordings.contains(&file) {
            call.recordings.push(file);
        }
    }

    fn tell_recording(&self, ix: Ix, change: RecordingChange, out: &mut Out<'_>) {
        let channel = &self.channels[ix];
        let call = &self.calls[channel.call];
        let details = Told {
            call: call.id.clone(),
            channel: channel.name.clone(),
            change,
            file: channel.recordings.file.clone(),
            by: channel.recordings.order(out.now).and_then(|order| order.by.clone()),
        };
        let agent = channel.agent.map(|agent| self.number(agent));
        self.tell(agent, call.queue.as_ref(), details, out);
    }
}
