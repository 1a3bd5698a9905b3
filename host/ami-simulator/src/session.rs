//! One client's session: login, what it wants to hear, and its actions.

use ami_proto::Message;
use md5::{Digest as _, Md5};

use crate::actions::Asked;
use crate::centre::Centre;
use crate::filters::Filters;
use crate::wire::{Class, Event, Text};

/// What goes back to a client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    /// AMI text.
    pub text: String,
    /// This was the last of it.
    pub close: bool,
}

/// A client of the call centre. It holds no connection: bytes are moved by whoever owns one.
#[derive(Debug, Default)]
pub struct Session {
    challenge: Option<String>,
    /// `None` until login.
    mask: Option<Mask>,
    filters: Filters,
}

/// Which classes of events a session wants.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Mask {
    All,
    Only(Vec<String>),
}

impl Mask {
    fn parse(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "on" | "yes" | "true" | "1" | "all" => Self::All,
            "off" | "no" | "false" | "0" => Self::Only(Vec::new()),
            list => Self::Only(list.split(',').map(|word| word.trim().to_owned()).collect()),
        }
    }

    fn wants(&self, class: Class) -> bool {
        match self {
            Self::All => true,
            Self::Only(classes) => classes.iter().any(|word| word == class.word() || word == "all"),
        }
    }
}

impl Session {
    /// The line that Asterisk 22 opens a connection with.
    pub const BANNER: &str = "Asterisk Call Manager/11.0.0\r\n";

    /// Does an action, and says what Asterisk says to it.
    pub fn act(&mut self, centre: &mut Centre, action: &Message) -> Reply {
        let asked = Asked::new(action);
        let go_on = |text| Reply { text, close: false };
        match asked.name().as_str() {
            "challenge" => go_on(self.challenge(centre, &asked)),
            "login" => self.login(centre, &asked),
            "logoff" => {
                let bye = Text::answer("Goodbye", action.action_id(), "Thanks for all the fish.");
                Reply { text: bye.end(), close: true }
            }
            _ if self.mask.is_none() => go_on(asked.error("Permission denied")),
            "ping" => {
                let (seconds, millis) = (centre.now_ms / 1000, centre.now_ms % 1000);
                let pong = asked.response().field("Ping", "Pong");
                go_on(pong.field("Timestamp", format_args!("{seconds}.{millis:03}000")).end())
            }
            "events" => go_on(self.events(&asked)),
            "filter" => go_on(match self.filters.add(&asked) {
                Ok(()) => asked.success("Filter added"),
                Err(why) => asked.error(why),
            }),
            _ => go_on(centre.act(&asked)),
        }
    }

    fn challenge(&mut self, centre: &mut Centre, asked: &Asked) -> String {
        if !asked.get("AuthType").is_some_and(|kind| kind.eq_ignore_ascii_case("MD5")) {
            return asked.error("Must specify AuthType");
        }
        let challenge = centre.pick(100_000_000..=999_999_999).to_string();
        let text = asked.response().field("Challenge", &challenge).end();
        self.challenge = Some(challenge);
        text
    }

    fn login(&mut self, centre: &Centre, asked: &Asked) -> Reply {
        let settings = &centre.settings;
        let proven = if asked.get("AuthType").is_some() {
            // A challenge serves once.
            let challenge = self.challenge.take();
            challenge.zip(asked.get("Key")).is_some_and(|(challenge, key)| {
                let digest = Md5::new().chain_update(challenge).chain_update(&settings.secret);
                key.eq_ignore_ascii_case(&format!("{:x}", digest.finalize()))
            })
        } else {
            asked.get("Secret") == Some(settings.secret.as_str())
        };
        if !proven || asked.get("Username") != Some(settings.username.as_str()) {
            return Reply { text: asked.error("Authentication failed"), close: true };
        }
        let mask = Mask::parse(asked.get("Events").unwrap_or("on"));
        let mut text = asked.success("Authentication accepted");
        if mask.wants(Class::System) {
            let up_s = centre.now_ms.saturating_sub(centre.started_ms) / 1000;
            let booted = Text::item("FullyBooted")
                .field("Privilege", "system,all")
                .field("Uptime", up_s)
                .field("LastReload", up_s)
                .field("Status", "Fully Booted");
            text.push_str(&booted.end());
        }
        self.mask = Some(mask);
        Reply { text, close: false }
    }

    fn events(&mut self, asked: &Asked) -> String {
        let mask = Mask::parse(asked.get("EventMask").unwrap_or("on"));
        let on = mask != Mask::Only(Vec::new());
        self.mask = Some(mask);
        asked.response().field("Events", if on { "On" } else { "Off" }).end()
    }

    /// Does this client get the event?
    pub(crate) fn wants(&self, event: &Event) -> bool {
        self.mask.as_ref().is_some_and(|mask| mask.wants(event.class))
            && self.filters.pass(&event.text)
    }
}
