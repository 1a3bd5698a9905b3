//! Streams that do not end, or are no AMI.

use ami_proto::{Action, CloseReason, Limits, Output, SessionConfig, State, actions};

use super::{LIMITS, assert_goes_on, flood, greeted, small};
use crate::walk::{BANNER, Walk, config};

/// The reason for which `stream` ends a session that waits for the banner.
fn refused(stream: &[u8]) -> String {
    let mut session = ami_proto::Session::new(small(), 0);
    session.buffer().extend_from_slice(stream);
    session.handle_input(0);
    match session.poll_output() {
        Some(Output::Closed { reason: reason @ CloseReason::Protocol(_) }) => reason.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_banner_of_a_gigabyte() {
    let mut session = ami_proto::Session::new(small(), 0);
    session.buffer().extend_from_slice(b"Asterisk Call Manager/");
    let megabyte = vec![b'9'; 1 << 20];
    let flood = flood(&mut session, &megabyte, 1 << 10);
    assert_eq!(flood.most_held, 0);
    let told: Vec<_> = flood.told.into_iter().collect();
    assert_eq!(told, [("the greeting is longer than 128 bytes".to_owned(), 1)]);
}

#[test]
fn a_banner_without_end_and_one_that_stops() {
    let endless = format!("Asterisk Call Manager/{}", "9".repeat(500));
    let reason = refused(endless.as_bytes());
    assert!(reason.starts_with("the greeting is longer than 128 bytes: Asterisk"), "{reason}");
    let mut walk = Walk::new(small());
    walk.receive_bytes(b"Asterisk Call Man").until(60_000);
    insta::assert_snapshot!(walk.transcript(), @"10000 = closed: the login was not answered within 10000 ms");
}

#[test]
fn greetings_of_others() {
    for stream in
        [&b"HTTP/1.1 400 Bad Request\r\n"[..], &[0; 500], b"\r\n", b"SSH-2.0", b"\xff\xfe"]
    {
        let reason = refused(stream);
        let expected = "this is no Asterisk manager port (host and port right?); it greets with: ";
        assert!(reason.starts_with(expected) && reason.len() < 420, "{reason}");
    }
}

#[test]
fn floods_before_login() {
    for piece in [
        &b"\r\n"[..],
        b"x",
        b"A: 1\r\n",
        b"\0\0\0\0",
        b"Event: A\r\n\r\n",
        b"Event: FullyBooted\r\n\r\n",
    ] {
        let mut session = greeted();
        let flood = flood(&mut session, piece, 1_000);
        assert!(flood.most_held <= LIMITS.message, "{piece:?}: {flood:?}");
        assert!(flood.most_told <= 1, "{piece:?}: {flood:?}");
        // It is still the login that is waited for, and that has its deadline.
        assert_eq!(session.state(), State::Authenticating, "{piece:?}");
        session.handle_timeout(10_000);
        assert_eq!(session.state(), State::Closed, "{piece:?}");
    }
}

/// Sends `piece` a thousand times as one message; then the message ends, and the next is good.
fn check_flood(piece: &[u8], problem: &str) {
    let mut walk = Walk::ready(small());
    let flood = flood(&mut walk.session, piece, 1_000);
    assert!(flood.most_held <= LIMITS.message, "{flood:?}");
    let told: Vec<_> = flood.told.into_iter().collect();
    assert_eq!(told, [(problem.to_owned(), 1)], "once, however long it goes on");
    walk.receive_bytes(b"\r\n\r\n");
    assert_goes_on(&mut walk);
}

#[test]
fn no_blank_line_ever() {
    check_flood(b"Event: Newchannel\r\n", "skipped a message of more than 10 lines");
}

#[test]
fn a_flood_of_headers() {
    check_flood(b"A: 1\r\nA: 2\n", "skipped a message of more than 10 lines");
}

#[test]
fn a_message_too_long_of_lines_that_are_not() {
    check_flood(&[&[b'x'; 190][..], b"\r\n"].concat(), "skipped a message of more than 1000 bytes");
}

#[test]
fn a_line_without_end() {
    check_flood(&[b'x'; 999], "skipped a message with a line of more than 200 bytes");
}

#[test]
fn a_flood_of_nuls() {
    check_flood(&[0; 77], "skipped a message with a line of more than 200 bytes");
}

#[test]
fn nuls_within_a_message_are_content() {
    let mut walk = Walk::ready(small());
    walk.session.buffer().extend_from_slice(b"Event: User\0Event\r\nK\0: v\0\r\n\r\n");
    walk.session.handle_input(0);
    let Some(Output::Event(event)) = walk.session.poll_output() else { panic!("no event") };
    assert_eq!(event.get_bytes("k\0"), Some(&b"v\0"[..]));
    let mut json = Vec::new();
    event.write_json("pbx1", &mut json);
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["K\0"], "v\0");
    assert_goes_on(&mut walk);
}

#[test]
fn a_flood_of_keys_is_written_in_a_time_that_grows_with_it() {
    // As many different keys as one message may have; were each looked for among all, this would
    // take minutes.
    let mut walk = Walk::ready(config());
    let keys: usize = 60_000;
    let mut text = String::from("Event: A\r\n");
    text.extend((0..keys).map(|key| format!("Key{key}: {key}\r\n")));
    text.push_str("\r\n");
    walk.session.buffer().extend_from_slice(text.as_bytes());
    walk.session.handle_input(0);
    let Some(Output::Event(event)) = walk.session.poll_output() else { panic!("no event") };
    let mut json = Vec::new();
    event.write_json("pbx1", &mut json);
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    // Theirs, the event's name and our id for the server.
    assert_eq!(json.as_object().map(serde_json::Map::len), Some(keys + 2));
    assert_goes_on(&mut walk);
}

#[test]
fn blank_lines_without_end() {
    let mut walk = Walk::ready(small());
    let flood = flood(&mut walk.session, b"\r\n\n", 10_000);
    assert_eq!((flood.most_told, flood.told.len()), (0, 0));
    assert!(flood.most_held <= 1, "{flood:?}");
    assert_goes_on(&mut walk);
}

#[test]
fn one_byte_at_a_time() {
    let mut walk = Walk::ready(small());
    walk.submit(actions::status());
    let text = "Response: Success\r\nActionID: t-2l\r\nEventList: start\r\n\r\n\
        Event: Status\r\nActionID: t-2l\r\n\r\nEvent: Hangup\r\n\r\n\
        Event: StatusComplete\r\nActionID: t-2l\r\nEventList: Complete\r\nListItems: 1\r\n\r\n";
    for byte in text.bytes() {
        walk.receive_bytes(&[byte]);
    }
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Status, ActionID: t-2l
    0 = event [Event: Hangup]
    0 = t-2l [Response: Success, ActionID: t-2l, EventList: start] + [Event: Status, ActionID: t-2l] + [Event: StatusComplete, ActionID: t-2l, EventList: Complete, ListItems: 1]
    ");
    assert_goes_on(&mut walk);
}

#[test]
fn half_a_message_and_then_the_end() {
    let mut walk = Walk::ready(small());
    walk.submit(Action::new("A"));
    walk.receive_bytes(b"Event: Hangup\r\nUniqueid: 7\r\n").disconnect();
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: A, ActionID: t-2
    0 = t-2 Unknown
    0 = closed: the connection was lost
    ");
}

#[test]
fn an_answer_beyond_the_limits_fails_its_action_at_once() {
    let mut walk = Walk::ready(small());
    walk.submit(Action::new("A"));
    walk.submit(Action::new("B"));
    let long = "x".repeat(300);
    walk.receive(&format!("Response: Success\nActionID: t-2\nOutput: {long}\n\n"))
        .receive("Response: Success\nActionID: t-3\n\n");
    let transcript = walk.transcript().replace(&"x".repeat(36), "xx…");
    insta::assert_snapshot!(transcript, @r"
    0 > Action: A, ActionID: t-2
    0 > Action: B, ActionID: t-3
    0 = problem: skipped a message with a line of more than 200 bytes: Response: Success\r\nActionID: t-2\r\nOutput: xx…xx
    0 = t-2 Unknown
    0 = t-3 [Response: Success, ActionID: t-3]
    ");
    assert_goes_on(&mut walk);
}

#[test]
fn follows_from_a_new_server_swallows_nothing() {
    let mut walk = Walk::ready(small());
    walk.submit(Action::new("Command"));
    walk.receive("Response: Follows\nActionID: t-2\n\n").receive("Event: Hangup\n\n");
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Command, ActionID: t-2
    0 = t-2 [Response: Follows, ActionID: t-2]
    0 = event [Event: Hangup]
    ");
    assert_goes_on(&mut walk);
}

#[test]
fn follows_from_an_old_server_ends_at_the_limits() {
    let limits = Limits { lines: 20, ..LIMITS };
    let mut walk = Walk::new(SessionConfig { auth: ami_proto::Auth::Plain, limits, ..config() });
    walk.receive(&BANNER.replace("11.0.0", "1.1"))
        .receive("Response: Success\nActionID: t-1\n\nEvent: FullyBooted\n\n");
    let flood = flood(&mut walk.session, b"Response: Follows\r\n\r\nEvent: A\r\n\r\n", 500);
    let told: Vec<_> = flood.told.into_iter().collect();
    assert_eq!(told, [("skipped a message of more than 20 lines".to_owned(), 1)]);
    walk.receive("--END COMMAND--\n\n");
    assert_goes_on(&mut walk);
}
