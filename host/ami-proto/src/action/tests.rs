//! What leaves, and what never does.

use proptest::prelude::*;

use super::*;

fn check(action: &Action, expected: &str) {
    assert_eq!(
        action.encode("t-1").map(|b| String::from_utf8_lossy(&b).into_owned()),
        Ok(expected.to_owned())
    );
}

fn refused(action: &Action) -> String {
    action.encode("t-1").expect_err("nothing of this may leave").to_string()
}

#[test]
fn headers_leave_in_their_order() {
    let action = Action::new("X").header("B", "1").header("A", "").header("B", "2");
    check(&action, "Action: X\r\nActionID: t-1\r\nB: 1\r\nA: \r\nB: 2\r\n\r\n");
    assert_eq!(action.get("b"), Some("1"));
    assert_eq!(action.get("c"), None);
}

#[test]
fn line_breaks_and_nul_are_refused_everywhere() {
    for bad in ["\r", "\n", "\0", "a\r\nAction: Command", "a\nb", "\n\n"] {
        assert!(refused(&Action::new("X").header("K", bad)).starts_with("K holds a line break"));
        Action::new("X").header(bad.to_owned(), "v").encode("t-1").expect_err("key");
        Action::new(bad.to_owned()).encode("t-1").expect_err("name");
        Action::new("X").encode(bad).expect_err("id");
    }
}

#[test]
fn names_and_keys_are_plain() {
    for bad in ["", " ", "A B", "A:B", "Ä", "A\t"] {
        Action::new("X").header(bad, "v").encode("t-1").expect_err(bad);
        Action::new(bad).encode("t-1").expect_err(bad);
    }
    for reserved in ["Action", "ACTIONID", "actionid"] {
        let text = refused(&Action::new("X").header(reserved, "v"));
        assert_eq!(
            text,
            format!("the header {reserved} is set by the session and cannot be given")
        );
    }
}

#[test]
fn a_line_may_have_1024_bytes_with_its_end() {
    let fits = "x".repeat(MAX_LINE - "K: \r\n".len());
    assert!(Action::new("X").header("K", &fits).encode("t-1").is_ok());
    let text = refused(&Action::new("X").header("K", fits + "x"));
    assert_eq!(text, "K is too long: its line has 1025 bytes, Asterisk takes 1024");
}

#[test]
fn an_action_may_have_128_lines() {
    let with = |n: usize| (0..n).fold(Action::new("X"), |action, _| action.header("K", "v"));
    assert!(with(126).encode("t-1").is_ok());
    assert_eq!(refused(&with(127)), "the action has 129 headers, Asterisk takes 128");
}

#[test]
fn a_hangup_by_pattern_is_refused() {
    for pattern in ["/.*/", "/^PJSIP/201-.*$/", " /x/"] {
        let text = refused(&Action::new("hangup").header("Channel", pattern));
        assert!(text.ends_with("is a pattern, not one channel; give the channel's name"), "{text}");
        refused(&crate::actions::hangup(pattern, None));
        refused(&crate::actions::redirect(pattern, "c", "e", "1"));
    }
}

#[test]
fn an_originate_that_blocks_the_link_is_refused() {
    let originate = || Action::new("Originate").header("Channel", "PJSIP/1");
    assert_eq!(originate().check(), Err(ActionError::BlockingOriginate));
    assert_eq!(originate().header("Async", "no").check(), Err(ActionError::BlockingOriginate));
    // Asterisk reads the first of the two.
    let both = originate().header("Async", "0").header("async", "true");
    assert_eq!(both.check(), Err(ActionError::BlockingOriginate));
    assert_eq!(originate().header("ASYNC", "True").check(), Ok(()));
}

#[test]
fn mixmonitors_command_cannot_be_reached() {
    let record = || Action::new("MixMonitor").header("Channel", "PJSIP/1-1");
    for (key, value) in [
        ("Command", "x"),
        ("command", ""),
        ("File", "a.wav,,reboot"),
        ("OPTIONS", "b,reboot"),
        ("File", "a|b"),
    ] {
        let text = refused(&record().header(key, value));
        assert!(text.contains("command option"), "{text}");
    }
    assert_eq!(record().header("File", "a.wav").header("Options", "b").check(), Ok(()));
}

#[test]
fn secrets_do_not_show() {
    let secret = crate::Secret::new("canary");
    let shown = format!(
        "{:?} {:?} {secret:?}",
        crate::actions::login_plain("bob", &secret, "on"),
        Action::new("X").header("PASSWORD", "canary").header("Key", "canary"),
    );
    assert!(!shown.contains("canary"), "{shown}");
    assert!(shown.contains(r#""Username": "bob""#), "{shown}");
}

proptest! {
    #[test]
    fn what_leaves_reads_back_as_one_action(
        headers in prop::collection::vec(("[A-Za-z]{1,8}", any::<String>()), 0..8)
    ) {
        let action = headers.iter().fold(Action::new("X"), |a, (k, v)| a.header(k.clone(), v));
        if let Ok(bytes) = action.encode("t-1") {
            let message = crate::Message::parse(&bytes).unwrap();
            prop_assert_eq!(message.as_bytes().len(), bytes.len(), "one message, all of it");
            let read: Vec<_> = message.fields().skip(2).collect();
            let sent: Vec<_> = headers.iter().map(|(k, v)| (k.as_bytes(), v.as_bytes())).collect();
            prop_assert_eq!(read, sent);
        }
    }
}
