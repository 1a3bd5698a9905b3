//! What is asked after the login, and what is read out of the answers. Pure.

use crate::{
    config::Server,
    doctor::{
        conf::{self, Section},
        facts::{Hint, Member, Offered, Queue, ServerFacts},
    },
};
use ami_proto::{Action, Message, actions};

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Question {
    Time,
    Offered,
    Limits,
    Conf { file: &'static str, section: String },
    Hints,
    Devices,
    Queues,
    Context,
}

/// All questions, the one that measures time first: nothing is before it.
pub(super) fn questions(server: &Server) -> Vec<Question> {
    let conf = |file, section: &str| Question::Conf { file, section: section.to_owned() };
    // The answer has the user's password in it: it is not asked for where others could read it.
    let is_private = !server.crosses_openly();
    let mut all = vec![
        Question::Time,
        Question::Offered,
        Question::Limits,
        conf("manager.conf", "general"),
        Question::Hints,
        Question::Devices,
        Question::Queues,
        Question::Context,
    ];
    if is_private {
        all.push(conf("manager.conf", &server.username));
    }
    if let Some(ari) = &server.ari {
        all.push(conf("http.conf", "general"));
        all.push(conf("ari.conf", "general"));
        if is_private {
            all.push(conf("ari.conf", &ari.username));
        }
    }
    all
}

impl Question {
    pub(super) fn action(&self, server: &Server) -> Action {
        match self {
            Self::Time => actions::ping(),
            Self::Offered => Action::new("ListCommands"),
            Self::Limits => actions::core_settings(),
            Self::Conf { file, section } => {
                Action::new("GetConfig").header("Filename", file).header("Category", section)
            }
            Self::Hints => actions::extension_state_list(),
            Self::Devices => actions::device_state_list(),
            Self::Queues => Action::new("QueueStatus"),
            // One extension only: a context can be very long.
            Self::Context => Action::new("ShowDialPlan")
                .header("Context", &server.context)
                .header("Extension", "telepulse-doctor"),
        }
    }
}

fn text(message: &Message, key: &str) -> String {
    message.get_lossy(key).unwrap_or_default().into_owned()
}

/// Puts an answer into the facts. The times are when it was asked and when it was answered, in
/// milliseconds since 1970.
pub(super) fn take(
    facts: &mut ServerFacts,
    question: &Question,
    response: &Message,
    items: &[Message],
    (asked, answered): (u64, u64),
) {
    let words = text(response, "Message");
    if *question == Question::Context {
        facts.answers.has_context = has_context(response, &words);
        return;
    }
    if response.is_error() {
        return;
    }
    let events = |name: &'static str| items.iter().filter(move |item| item.event() == Some(name));
    match question {
        Question::Time => {
            facts.answers.latency_ms = Some(answered.saturating_sub(asked));
            facts.answers.clock_ahead_ms = ahead(&text(response, "Timestamp"), asked, answered);
        }
        Question::Offered => {
            let lines = response.fields().map(|(key, value)| (lossy(key), lossy(value)));
            facts.answers.offered =
                Some(lines.filter_map(|line| offered(&line.0, &line.1)).collect());
        }
        Question::Limits => facts.answers.max_calls = text(response, "CoreMaxCalls").parse().ok(),
        Question::Conf { file, section } => {
            let fields: Vec<_> =
                response.fields().map(|(key, value)| (lossy(key), lossy(value))).collect();
            let fields = fields.iter().map(|(key, value)| (key.as_str(), value.clone()));
            let found = conf::from_get_config(fields).into_iter().find(|it| it.name == *section);
            if let Some(found) = found {
                put(facts, file, section, found);
            }
        }
        Question::Hints => {
            let hint = |item: &Message| Hint {
                extension: text(item, "Exten"),
                context: text(item, "Context"),
                devices: text(item, "Hint"),
            };
            facts.answers.hints = Some(events("ExtensionStatus").map(hint).collect());
        }
        Question::Devices => {
            let names = events("DeviceStateChange").map(|item| text(item, "Device"));
            facts.answers.devices = Some(names.filter(|name| name.contains('/')).collect());
        }
        Question::Queues => facts.answers.queues = Some(queues(items)),
        Question::Context => {}
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Asterisk tells a context that is not there from an extension that is not in it. Who may not ask
/// learns neither.
fn has_context(response: &Message, words: &str) -> Option<bool> {
    if !response.is_error() || words.contains("Did not find extension") {
        return Some(true);
    }
    words.contains("Did not find context").then_some(false)
}

/// By how much the server's `seconds.microseconds` is ahead of the middle of the question.
fn ahead(theirs: &str, asked: u64, answered: u64) -> Option<i64> {
    let (seconds, fraction) = theirs.split_once('.').unwrap_or((theirs, "0"));
    let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let theirs = seconds.parse::<i64>().ok()?.checked_mul(1000)?.checked_add(millis)?;
    let ours = i64::try_from(asked / 2 + answered / 2).ok()?;
    Some(theirs - ours)
}

/// `Filter: Dynamically add filters for the current manager session.  (Priv: system,all)`.
fn offered(action: &str, words: &str) -> Option<Offered> {
    let classes = words.rsplit_once("(Priv: ")?.1.trim_end().strip_suffix(')')?;
    let classes = classes.split(',').map(str::trim);
    let classes = classes.filter(|class| !matches!(*class, "" | "all" | "<none>"));
    Some(Offered { action: action.to_owned(), classes: classes.map(str::to_owned).collect() })
}

/// Keeps a section where the rules look for it, without the secret in it.
fn put(facts: &mut ServerFacts, file: &str, name: &str, mut section: Section) {
    drop(section.take_secret());
    let place = match (file, name) {
        ("manager.conf", "general") => Some(&mut facts.manager.general),
        ("manager.conf", _) => Some(&mut facts.manager.user),
        ("http.conf", _) => facts.ari.as_mut().map(|ari| &mut ari.http),
        (_, "general") => facts.ari.as_mut().map(|ari| &mut ari.general),
        _ => facts.ari.as_mut().map(|ari| &mut ari.user),
    };
    if let Some(place) = place {
        *place = Some(section);
    }
}

fn queues(items: &[Message]) -> Vec<Queue> {
    let mut queues: Vec<Queue> = Vec::new();
    for item in items {
        match item.event() {
            Some("QueueParams") => {
                queues.push(Queue { name: text(item, "Queue"), members: Vec::new() });
            }
            Some("QueueMember") => {
                let name = text(item, "Queue");
                let member = Member {
                    interface: text(item, "Location"),
                    state_interface: text(item, "StateInterface"),
                    status: text(item, "Status").parse().unwrap_or_default(),
                };
                if let Some(queue) = queues.iter_mut().find(|queue| queue.name == name) {
                    queue.members.push(member);
                }
            }
            _ => {}
        }
    }
    queues
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Source};
    use std::{collections::BTreeMap, io, path::Path};

    fn server(host: &str, more: &str) -> Server {
        let text =
            format!("[[server]]\nid='a'\nhost='{host}'\nusername='u'\nsecret='hunter2'\n{more}");
        let source = Source {
            file: Path::new("telepulse.toml"),
            text: &text,
            variables: &BTreeMap::new(),
            files: &|_| Err(io::ErrorKind::NotFound.into()),
        };
        Config::parse(&source).unwrap().servers.remove(0)
    }

    #[test]
    fn a_password_is_not_asked_for_over_an_open_link() {
        let own = Question::Conf { file: "manager.conf", section: "u".to_owned() };
        for (host, more, is_asked) in [
            ("192.0.2.1", "", false),
            ("192.0.2.1", "[server.tls]\n", true),
            ("127.0.0.1", "", true),
            ("localhost", "", true),
        ] {
            let asked = questions(&server(host, more)).contains(&own);
            assert_eq!(asked, is_asked, "{host} {more}");
        }
    }

    #[test]
    fn what_is_offered_has_classes() {
        let check = |words: &str, expected: Option<&[&str]>| {
            let classes = offered("X", words).map(|offered| offered.classes);
            assert_eq!(classes, expected.map(|all| all.iter().map(ToString::to_string).collect()));
        };
        check("Add filters.  (Priv: system,all)", Some(&["system"]));
        check("Core (Show) things.  (Priv: system,reporting,all)", Some(&["system", "reporting"]));
        check("Log off Manager.  (Priv: <none>)", Some(&[]));
        check("Success", None);
    }

    #[test]
    fn clocks_are_compared_in_the_middle() {
        assert_eq!(ahead("1700000000.500000", 1_700_000_000_400, 1_700_000_000_600), Some(0));
        assert_eq!(ahead("1700000010", 1_700_000_000_000, 1_700_000_000_000), Some(10_000));
        assert_eq!(ahead("", 1, 1), None);
    }
}
