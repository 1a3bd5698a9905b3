//! A simulated call centre like the one that was recorded, with a session logged in.

use ami_proto::Message;
use ami_simulator::{Centre, Session, Settings};

use crate::recorded::messages;

/// 2026-11-20, 23:04:46 UTC.
const NOW_MS: u64 = 1_795_215_886_000;

pub(crate) struct Stage {
    pub(crate) centre: Centre,
    session: Session,
    said: String,
    now_ms: u64,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::like(|_| {})
    }

    /// One that differs a bit.
    pub(crate) fn like(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::quiet(12, &["support", "sales"]);
        change(&mut settings);
        let centre = Centre::new(settings, 1, NOW_MS);
        let mut stage =
            Self { centre, session: Session::default(), said: String::new(), now_ms: NOW_MS };
        stage
            .act("Action: Login\r\nUsername: telepulse\r\nSecret: simulated\r\nEvents: on\r\n\r\n");
        assert!(stage.said.starts_with("Response: Success\r\n"), "{}", stage.said);
        stage.said.clear();
        stage
    }

    /// Does an action; returns what was answered.
    pub(crate) fn act(&mut self, action: &str) -> String {
        self.hear();
        let reply = self.session.act(&mut self.centre, &Message::parse(action.as_bytes()).unwrap());
        self.said.push_str(&reply.text);
        self.hear();
        reply.text
    }

    /// Lets time pass until there were so many events of a kind.
    pub(crate) fn until(&mut self, event: &str, count: usize) {
        let line = format!("Event: {event}\r\n");
        self.hear();
        while self.said.matches(&line).count() < count {
            let due = self.centre.next_due().expect("something to happen");
            self.now_ms = self.now_ms.max(due);
            self.centre.advance(due);
            self.hear();
        }
    }

    /// Does several actions, given by name and headers, with ids from `tp-<first>` on.
    pub(crate) fn act_all(&mut self, first: u32, actions: &[&str]) {
        for (id, action) in (first..).zip(actions) {
            let lines = action.replace('|', "\r\n");
            self.act(&format!("Action: {lines}\r\nActionID: tp-{}\r\n\r\n", u32::to_string(&id)));
        }
    }

    /// Lets so many milliseconds pass.
    pub(crate) fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        self.centre.advance(self.now_ms);
    }

    /// What was said so far does not belong to the scene.
    pub(crate) fn forget(&mut self) {
        self.hear();
        self.said.clear();
    }

    /// As the recorder does it: by name, the second one being gone or not.
    pub(crate) fn hang_up_both(&mut self, first: &str, second: &str) {
        for (id, channel) in [(15, first), (16, second)] {
            self.act(&format!(
                "Action: Hangup\r\nActionID: tp-{id}\r\nChannel: PJSIP/{channel}\r\nCause: 16\r\n\r\n"
            ));
        }
    }

    /// Everything that was said since the login.
    pub(crate) fn said(&mut self) -> Vec<Message> {
        self.hear();
        messages(self.said.as_bytes())
    }

    fn hear(&mut self) {
        for event in self.centre.take_events() {
            self.said.push_str(event.text());
        }
    }
}
