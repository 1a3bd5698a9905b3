//! Actions from any strings: refused, or sent as exactly these fields and not a line more.

use ami_proto::actions::{self, Originate, Target};
use ami_proto::{Action, AsteriskVersion, EventFilter, Match, Message, Secret};

/// What stands between two strings of the input.
const SEPARATOR: u8 = 0x1f;

/// The first byte chooses the action; the rest is its strings, with [`SEPARATOR`] between them.
pub fn run(data: &[u8]) {
    let [choice, text @ ..] = data else { return };
    let mut strings = text.split(|byte| *byte == SEPARATOR).map(String::from_utf8_lossy);
    let mut next = || strings.next().unwrap_or_default().into_owned();
    let action_id = next();
    let action = match choice % 12 {
        0 => actions::hangup(&next(), Some(16)),
        1 => actions::originate(&originate(&mut next)),
        2 => actions::set_var(Some(&next()), &next(), &next()),
        3 => actions::redirect_both(
            (&next(), &next(), &next(), "1"),
            (&next(), &next(), &next(), "1"),
        ),
        4 => actions::mix_monitor(&next(), &next(), Some(&next())),
        5 => actions::login_plain(&next(), &Secret::new(next()), &next()),
        6 => actions::login_md5(&next(), &Secret::new(next()), next().as_bytes(), "on"),
        7 => filter(&EventFilter::exclude(Match::Name(next())), &next()),
        8 => filter(&header(&mut next), &next()),
        9 => {
            let names = [next(), next(), next()];
            EventFilter::include_names(names).first().map_or_else(actions::ping, |f| filter(f, ""))
        }
        _ => any_action(text),
    };
    assert_exact_or_refused(&action, &action_id);
}

/// An action of any name with any headers.
fn any_action(text: &[u8]) -> Action {
    let mut strings = text.split(|byte| *byte == SEPARATOR).map(String::from_utf8_lossy).skip(1);
    let name = strings.next().unwrap_or_default().into_owned();
    let mut action = Action::new(name);
    while let (Some(key), Some(value)) = (strings.next(), strings.next()) {
        action = action.header(key.into_owned(), value);
    }
    action
}

fn originate(next: &mut impl FnMut() -> String) -> Originate {
    let (channel, name, data) = (next(), next(), next());
    let application = Target::Application { name: name.clone(), data: data.clone() };
    let extension = Target::Extension { context: name, exten: data, priority: next() };
    let is_asked = channel.len() % 3 == 0;
    Originate {
        target: if channel.len() % 2 == 0 { application } else { extension },
        channel,
        timeout_ms: Some(1_000),
        caller_id: Some(next()),
        account: Some(next()),
        variables: vec![(next(), next()), (next(), next())],
        auto_answer: is_asked,
        channel_id: Some(next()),
        other_channel_id: None,
    }
}

fn header(next: &mut impl FnMut() -> String) -> EventFilter {
    EventFilter::include(Match::Header { event: next(), key: next(), value: next() })
}

fn filter(filter: &EventFilter, version: &str) -> Action {
    actions::filter_add(filter, Some(&AsteriskVersion::parse(version)))
}

/// Reads what would be sent as Asterisk does: lines up to CRLF, the key up to the first colon.
fn assert_exact_or_refused(action: &Action, action_id: &str) {
    let Ok(bytes) = action.encode(action_id) else { return };
    assert_eq!(action.check(), Ok(()), "sent all the same");
    let text = std::str::from_utf8(&bytes).expect("UTF-8");
    let body = text.strip_suffix("\r\n\r\n").expect("a blank line at the end");
    assert!(!body.replace("\r\n", "").contains(['\r', '\n', '\0']), "{body:?}");
    let read: Vec<_> =
        body.split("\r\n").map(|line| line.split_once(": ").expect("a header")).collect();
    let fixed = [("Action", action.name()), ("ActionID", action_id)];
    let meant: Vec<_> = fixed.into_iter().chain(action.headers()).collect();
    assert_eq!(read, meant);
    assert!(body.split("\r\n").all(|line| line.len() + 2 <= ami_proto::action::MAX_LINE));
    assert!(read.len() <= ami_proto::action::MAX_HEADERS);
    let message = Message::parse(&bytes).expect("a message");
    assert_eq!(message.as_bytes().len(), bytes.len(), "one message, all of it");
    assert_means_no_harm(action);
}

/// What Asterisk would take, and nobody may send.
fn assert_means_no_harm(action: &Action) {
    let is = |name: &str| action.name().eq_ignore_ascii_case(name);
    for (key, value) in action.headers() {
        let pattern = key.eq_ignore_ascii_case("Channel") && value.trim_start().starts_with('/');
        assert!(!(is("Hangup") && pattern), "{value:?} hangs up many");
        let command = key.eq_ignore_ascii_case("Command");
        assert!(!(is("MixMonitor") && command), "{value:?} runs");
    }
}
