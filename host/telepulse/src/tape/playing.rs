//! One client of a replay: what it is answered, and which events are due when.

use super::replay::{Login, Speed};
use ami_proto::{
    Message, Secret, actions,
    recording::{Playback, Script, Step},
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// How long a client is waited for that does not ask what was asked when it was recorded.
const PATIENCE: Duration = Duration::from_secs(1);
/// Bytes that are sent at once.
const BATCH: usize = 64 << 10;

/// What to do for a client that asked something.
pub(super) struct Reply {
    pub(super) bytes: Vec<u8>,
    /// It is to be disconnected then.
    pub(super) is_last: bool,
}

/// The session of one client.
pub(super) struct Playing {
    playback: Playback,
    speed: Speed,
    login: Option<Login>,
    challenge: String,
    is_logged_in: bool,
    wants_events: bool,
    /// When what was recorded at the login is due.
    begin: Instant,
    /// Since when the client is waited for.
    held: Option<Instant>,
    /// Live events that were sent.
    pub(super) sent: u64,
}

impl Playing {
    pub(super) fn new(
        script: Arc<Script>,
        speed: Speed,
        login: Option<Login>,
        challenge: u32,
    ) -> Self {
        Self {
            playback: Playback::new(script),
            speed,
            login,
            challenge: challenge.to_string(),
            is_logged_in: false,
            wants_events: true,
            begin: Instant::now(),
            held: None,
            sent: 0,
        }
    }

    pub(super) fn is_logged_in(&self) -> bool {
        self.is_logged_in
    }

    /// Whether nothing will come any more but answers.
    pub(super) fn is_over(&mut self) -> bool {
        self.playback.step() == Step::End
    }

    /// When [`Playing::collect`] has something to do next.
    pub(super) fn due(&mut self) -> Option<Instant> {
        if !self.is_logged_in {
            return None;
        }
        match self.playback.step() {
            Step::Event(at_ms, _) => Some(self.speed.due(self.begin, at_ms)),
            Step::Question => Some(self.held.map_or_else(Instant::now, |since| since + PATIENCE)),
            Step::End => None,
        }
    }

    /// The events that are due, as far as they go in one piece.
    pub(super) fn collect(&mut self, now: Instant) -> Vec<u8> {
        let mut out = Vec::new();
        while self.is_logged_in && out.len() < BATCH {
            match self.playback.step() {
                Step::Event(at_ms, event) => {
                    if let Some(since) = self.held.take() {
                        // While the client was waited for, time stood still.
                        self.begin += now.saturating_duration_since(since);
                    }
                    if self.speed.due(self.begin, at_ms) > now {
                        break;
                    }
                    if self.wants_events {
                        out.extend_from_slice(event);
                        self.sent += 1;
                    }
                    self.playback.go_on();
                }
                Step::Question => {
                    let since = *self.held.get_or_insert(now);
                    if now < since + PATIENCE {
                        break;
                    }
                    self.playback.go_on();
                }
                Step::End => break,
            }
        }
        out
    }

    /// Answers an action.
    pub(super) fn act(&mut self, action: &Message, now: Instant) -> Reply {
        let name = action.get("Action").unwrap_or_default().to_ascii_lowercase();
        match name.as_str() {
            "challenge" => {
                let challenge = self.challenge.clone();
                answer(action, "Success", &[("Challenge", &challenge)])
            }
            "login" => self.log_in(action, now),
            _ if !self.is_logged_in => said(action, "Error", "Permission denied"),
            "logoff" => {
                let reply = said(action, "Goodbye", "Thanks for all the fish.");
                Reply { is_last: true, ..reply }
            }
            "ping" => answer(action, "Success", &[("Ping", "Pong")]),
            "events" => {
                self.wants_events = is_on(action.get("EventMask"));
                let state = if self.wants_events { "On" } else { "Off" };
                answer(action, "Success", &[("Events", state)])
            }
            // The recording has what the filters of then let in.
            "filter" => said(action, "Success", "A recording is not filtered again"),
            _ => match self.playback.answer(action) {
                Some(bytes) => Reply { bytes: bytes.to_vec(), is_last: false },
                None => said(action, "Error", "This was not asked when the link was recorded"),
            },
        }
    }

    fn log_in(&mut self, action: &Message, now: Instant) -> Reply {
        if !self.login.as_ref().is_none_or(|login| login.fits(action, &self.challenge)) {
            let reply = said(action, "Error", "Authentication failed");
            return Reply { is_last: true, ..reply };
        }
        if !self.is_logged_in {
            self.is_logged_in = true;
            self.begin = now;
        }
        self.wants_events = is_on(action.get("Events"));
        said(action, "Success", "Authentication accepted")
    }
}

impl Login {
    fn fits(&self, action: &Message, challenge: &str) -> bool {
        let secret = Secret::new(self.secret.as_str());
        let proof = actions::login_md5(&self.username, &secret, challenge.as_bytes(), "");
        let is = |key, value: Option<&str>| value.is_some() && action.get(key) == value;
        is("Username", Some(&self.username))
            && (is("Key", proof.get("Key")) || is("Secret", Some(&self.secret)))
    }
}

fn is_on(mask: Option<&str>) -> bool {
    let off = ["off", "no", "false", "none", "0"];
    mask.is_none_or(|mask| !off.iter().any(|word| mask.trim().eq_ignore_ascii_case(word)))
}

fn said(action: &Message, verdict: &str, message: &str) -> Reply {
    answer(action, verdict, &[("Message", message)])
}

fn answer(action: &Message, verdict: &str, fields: &[(&str, &str)]) -> Reply {
    let mut bytes = format!("Response: {verdict}\r\n").into_bytes();
    if let Some(id) = action.get_bytes("ActionID") {
        bytes.extend_from_slice(b"ActionID: ");
        bytes.extend_from_slice(id);
        bytes.extend_from_slice(b"\r\n");
    }
    for (key, value) in fields {
        bytes.extend_from_slice(format!("{key}: {value}\r\n").as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    Reply { bytes, is_last: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECEIVED: &str = "Asterisk Call Manager/11.0.0\r\n\
        Response: Success\r\nActionID: 1\r\n\r\n";
    const EVENT: &str = "Event: Hangup\r\nUniqueid: 7\r\n\r\n";
    const ANSWER: &str = "Response: Success\r\nActionID: 2\r\nOutput: x\r\n\r\n";
    const SENT: &str = "Action: Login\r\nActionID: 1\r\n\r\nAction: Command\r\nActionID: 2\r\n\r\n";

    /// Logged in at 0 ms, an event at 1,000, an answer, the same event at 3,000.
    fn script() -> Arc<Script> {
        let mut received = Vec::new();
        for (at_ms, text) in [(50, RECEIVED), (1_050, EVENT), (2_000, ANSWER), (3_050, EVENT)] {
            ami_proto::recording::write_chunk(&mut received, at_ms, text.as_bytes()).unwrap();
        }
        let mut sent = Vec::new();
        ami_proto::recording::write_chunk(&mut sent, 0, SENT.as_bytes()).unwrap();
        Arc::new(Script::new(&received, &sent).unwrap())
    }

    fn playing(speed: Speed, login: Option<Login>) -> Playing {
        Playing::new(script(), speed, login, 1234)
    }

    fn ask(playing: &mut Playing, action: &str, now: Instant) -> String {
        let reply = playing.act(&Message::parse(action.as_bytes()).unwrap(), now);
        String::from_utf8(reply.bytes).unwrap()
    }

    #[test]
    fn events_come_in_their_time_times_the_speed() {
        let now = Instant::now();
        let after = |ms| now + Duration::from_millis(ms);
        let mut playing = playing(Speed::Times(10.0), None);
        assert!(playing.due().is_none(), "nobody is logged in");
        assert!(ask(&mut playing, "Action: Login\r\nUsername: x", now).contains("Success"));
        assert_eq!(playing.due(), Some(after(100)));
        assert!(playing.collect(after(99)).is_empty());
        assert_eq!(playing.collect(after(100)), EVENT.as_bytes());
        // The client has not asked what was asked: it is waited for, and time stands still.
        assert_eq!(playing.due(), Some(after(100) + PATIENCE));
        assert!(
            ask(&mut playing, "Action: Command\r\nActionID: a", after(500)).contains("Output: x")
        );
        assert!(playing.collect(after(500)).is_empty());
        assert_eq!(playing.due(), Some(after(700)));
        assert_eq!(playing.collect(after(700)), EVENT.as_bytes());
        assert!(playing.is_over());
        assert_eq!((playing.due(), playing.sent), (None, 2));
    }

    #[test]
    fn flat_out_nothing_is_waited_for_but_a_question_and_that_not_for_ever() {
        let now = Instant::now();
        let mut playing = playing(Speed::Max, None);
        ask(&mut playing, "Action: Login", now);
        assert_eq!(playing.collect(now), EVENT.as_bytes());
        assert!(playing.collect(now + PATIENCE / 2).is_empty());
        assert_eq!(playing.collect(now + PATIENCE), EVENT.as_bytes());
    }

    #[test]
    fn who_wants_no_events_gets_none() {
        let now = Instant::now();
        let mut playing = playing(Speed::Max, None);
        ask(&mut playing, "Action: Login\r\nEvents: off", now);
        assert!(playing.collect(now).is_empty());
        assert_eq!(
            ask(&mut playing, "Action: Events\r\nEventMask: on", now),
            "Response: Success\r\nEvents: On\r\n\r\n"
        );
        assert_eq!(playing.collect(now + PATIENCE), EVENT.as_bytes(), "the second one");
    }

    #[test]
    fn a_login_is_checked_where_one_is_wanted() {
        let now = Instant::now();
        let login = || Some(Login { username: "u".into(), secret: "s".into() });
        let good = actions::login_md5("u", &Secret::new("s"), b"1234", "on");
        let md5 = |key: &str| format!("Action: Login\r\nUsername: u\r\nKey: {key}");
        for (action, verdict) in [
            (md5(good.get("Key").unwrap()), "Success"),
            (md5("00"), "Error"),
            ("Action: Login\r\nUsername: u\r\nSecret: s".to_owned(), "Success"),
            ("Action: Login\r\nUsername: v\r\nSecret: s".to_owned(), "Error"),
            ("Action: Login\r\nUsername: u".to_owned(), "Error"),
        ] {
            let mut playing = playing(Speed::Max, login());
            let challenge = ask(&mut playing, "Action: Challenge\r\nAuthType: MD5", now);
            assert_eq!(challenge, "Response: Success\r\nChallenge: 1234\r\n\r\n");
            assert!(ask(&mut playing, "Action: Status", now).contains("Permission denied"));
            let reply = ask(&mut playing, &action, now);
            assert!(reply.starts_with(&format!("Response: {verdict}")), "{action}: {reply}");
            assert_eq!(playing.is_logged_in(), verdict == "Success");
        }
    }

    #[test]
    fn what_was_not_asked_then_is_refused() {
        let now = Instant::now();
        let mut playing = playing(Speed::Max, None);
        ask(&mut playing, "Action: Login", now);
        let refused = ask(&mut playing, "Action: QueueStatus\r\nActionID: q", now);
        assert!(refused.starts_with("Response: Error\r\nActionID: q\r\n"), "{refused}");
        assert!(ask(&mut playing, "Action: Ping", now).contains("Pong"));
        let goodbye = playing.act(&Message::parse(b"Action: Logoff").unwrap(), now);
        assert!(goodbye.is_last && goodbye.bytes.starts_with(b"Response: Goodbye"));
    }
}
