//! Servers that lie, flood or stay silent: each is bounded and told, and hurts its own link only.

use ami_proto::{Action, CloseReason, Limits, Output, Session, SessionConfig, State, actions};
use proptest::prelude::*;

use crate::walk::{BANNER, Walk, config};

fn small() -> SessionConfig {
    let limits = Limits { banner: 128, line: 200, lines: 10, message: 1_000 };
    SessionConfig { limits, ..config() }
}

/// Feeds `piece` until the session closes, at most a thousand times; why it closed.
fn feed(start: &str, piece: &[u8]) -> Option<CloseReason> {
    let mut session = Session::new(small(), 0);
    session.buffer().extend_from_slice(start.as_bytes());
    for _ in 0..1_000 {
        session.buffer().extend_from_slice(piece);
        session.handle_input(0);
        assert!(session.buffer().len() <= 2_000, "holds {}", session.buffer().len());
        while let Some(output) = session.poll_output() {
            if let Output::Closed { reason } = output {
                return Some(reason);
            }
        }
        while session.poll_transmit().is_some() {}
    }
    None
}

#[test]
fn greetings_that_are_none() {
    let check = |start: &str, piece: &[u8], expected: &str| {
        let reason = feed(start, piece).expect("closed").to_string();
        assert!(reason.starts_with(expected), "{reason}");
    };
    check(
        "Asterisk Call Manager/",
        &[b'9'; 500],
        "the greeting is longer than 128 bytes: Asterisk",
    );
    check(
        "",
        &[0; 500],
        "this is no Asterisk manager port (host and port right?); it greets with: \\x00",
    );
    check("HTTP/1.1 400 Bad Request\r\n", b"\r\n", "this is no Asterisk manager port");
}

#[test]
fn floods_before_login_hold_nothing() {
    for piece in [
        &b"\r\n"[..],
        b"x",
        b"A: 1\r\n",
        b"\0\0\0\0",
        b"Event: A\r\n\r\n",
        b"Response: Success\r\n\r\n",
    ] {
        let closed = feed(BANNER, piece);
        // An empty success is no challenge; the others wait for the login's deadline.
        assert_eq!(closed.is_some(), piece.starts_with(b"Response"), "{piece:?} {closed:?}");
    }
}

#[test]
fn an_answer_beyond_the_limits_fails_its_action_at_once() {
    let mut walk = Walk::ready(small());
    walk.submit(Action::new("A"));
    walk.submit(Action::new("B"));
    let long = "x".repeat(300);
    walk.receive(&format!("Response: Success\nActionID: t-2\nOutput: {long}\n\n"))
        .receive("Response: Success\nActionID: t-3\n\n");
    let transcript = walk.transcript().replace(&"x".repeat(37), "xx…");
    insta::assert_snapshot!(transcript, @r"
    0 > Action: A, ActionID: t-2
    0 > Action: B, ActionID: t-3
    0 = problem: skipped a message with a line of more than 200 bytes: Response: Success\r\nActionID: t-2\r\nOutput: xx…x
    0 = t-2 Unknown
    0 = t-3 [Response: Success, ActionID: t-3]
    ");
}

#[test]
fn a_list_with_an_unreadable_item_is_not_taken_for_whole() {
    let mut walk = Walk::ready(small());
    walk.submit(actions::status());
    let flood = "A: 1\n".repeat(20);
    walk.receive("Response: Success\nActionID: t-2l\nEventList: start\n\n")
        .receive(&format!("Event: Status\nActionID: t-2l\n{flood}\n"))
        .receive("Event: StatusComplete\nActionID: t-2l\nEventList: Complete\n\n");
    insta::assert_snapshot!(walk.transcript(), @r"
    0 > Action: Status, ActionID: t-2l
    0 = problem: skipped a message of more than 10 lines: Event: Status\r\nActionID: t-2l\r\nA: 1\r\nA: 1\r\nA: 1\r\nA: 1\r\nA: 1\r\nA: 1\r\nA: 1\r\nA: 1\r\nA
    0 = t-2l Unknown
    0 = unclaimed [Event: StatusComplete, ActionID: t-2l, EventList: Complete]
    ");
}

#[test]
fn answers_to_nobody() {
    let mut walk = Walk::ready(config());
    walk.submit(Action::new("A"));
    walk.receive("Response: Success\nActionID: t-3\n\n")
        .receive("Response: Success\nActionID: t-18446744073709551616\n\n")
        .receive("Response: Success\nActionID: t-+2\n\n")
        .receive("Response: Success\nActionID: u-2\n\n")
        .receive("Response: Success\nActionID: \n\n")
        .receive("Response: Success\nActionID: t-1\n\n")
        .receive("Event: StatusComplete\nActionID: t-2\nEventList: Complete\n\n")
        .receive("Event: StatusComplete\nActionID: t-2l\nEventList: Complete\n\n")
        .receive("orphan\n\n")
        .receive("Response: Success\nActionID: t-2\n\n")
        .receive("Response: Success\nActionID: t-2\n\n")
        .receive("Response: Error\nActionID: t-2\n\n");
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: A, ActionID: t-2
    0 = unclaimed [Response: Success, ActionID: t-3]
    0 = unclaimed [Response: Success, ActionID: t-18446744073709551616]
    0 = unclaimed [Response: Success, ActionID: t-+2]
    0 = unclaimed [Response: Success, ActionID: u-2]
    0 = unclaimed [Response: Success, ActionID:]
    0 = unclaimed [Response: Success, ActionID: t-1]
    0 = event [Event: StatusComplete, ActionID: t-2, EventList: Complete]
    0 = unclaimed [Event: StatusComplete, ActionID: t-2l, EventList: Complete]
    0 = unclaimed [: orphan]
    0 = t-2 [Response: Success, ActionID: t-2]
    0 = unclaimed [Response: Success, ActionID: t-2]
    0 = unclaimed [Response: Error, ActionID: t-2]
    ");
}

#[test]
fn a_second_success_for_a_list_is_not_its() {
    let mut walk = Walk::ready(config());
    walk.submit(actions::status());
    walk.receive("Response: Success\nActionID: t-2l\nEventList: start\n\n")
        .receive("Response: Success\nActionID: t-2l\nEventList: start\nMessage: again\n\n")
        .receive("Event: StatusComplete\nActionID: t-2l\nEventList: Complete\n\n")
        .receive("Event: StatusComplete\nActionID: t-2l\nEventList: Complete\n\n");
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Status, ActionID: t-2l
    0 = unclaimed [Response: Success, ActionID: t-2l, EventList: start, Message: again]
    0 = t-2l [Response: Success, ActionID: t-2l, EventList: start] + [Event: StatusComplete, ActionID: t-2l, EventList: Complete]
    0 = unclaimed [Event: StatusComplete, ActionID: t-2l, EventList: Complete]
    ");
}

#[test]
fn a_server_that_answers_pings_only_times_every_action_out() {
    let mut walk = Walk::ready(config());
    walk.submit(Action::new("A"));
    walk.until(15_000).receive("Response: Success\nActionID: t-3\nPing: Pong\n\n");
    walk.until(30_000).receive("Response: Success\nActionID: t-4\nPing: Pong\n\n");
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: A, ActionID: t-2
    15000 > Action: Ping, ActionID: t-3
    30000 > Action: Ping, ActionID: t-4
    30000 = t-2 TimedOut
    ");
    assert_eq!(walk.session.state(), State::Ready);
}

#[test]
fn nothing_is_read_after_the_end() {
    let mut walk = Walk::ready(config());
    walk.close().disconnect();
    let before = walk.transcript();
    walk.receive("Event: Reload\n\n").until(100_000).disconnect().close();
    assert_eq!(walk.transcript(), before);
    assert!(walk.session.buffer().is_empty());
}

/// What may happen to a session.
#[derive(Debug, Clone)]
enum Step {
    Receive(Vec<u8>),
    Wait(u64),
    Submit(bool),
    Transmit,
    Close,
    Disconnect,
}

fn any_step() -> impl Strategy<Value = Step> {
    let lines = prop::sample::select(vec![
        "Response: Success\r\n",
        "Response: Error\r\n",
        "Event: Status\r\n",
        "Event: FullyBooted\r\n",
        "Event: StatusComplete\r\n",
        "EventList: start\r\n",
        "EventList: Complete\r\n",
        "Challenge: 1\r\n",
        "Message: Authentication failed\r\n",
        "ActionID: t-1\r\n",
        "ActionID: t-2\r\n",
        "ActionID: t-3l\r\n",
        "ActionID: t-4\r\n",
        "ActionID: t-5l\r\n",
        "\r\n",
        "\r\n",
        "x",
    ]);
    prop_oneof![
        8 => prop::collection::vec(lines, 1..6).prop_map(|l| Step::Receive(l.concat().into_bytes())),
        2 => (0_u64..12_000).prop_map(Step::Wait),
        4 => any::<bool>().prop_map(Step::Submit),
        4 => Just(Step::Transmit),
        1 => Just(Step::Close),
        1 => Just(Step::Disconnect),
    ]
}

proptest! {
    /// Whatever a server says and whenever the link ends, each action taken gets one outcome, and
    /// `Closed` comes once and last.
    #[test]
    fn every_action_gets_exactly_one_outcome(
        steps in prop::collection::vec(any_step(), 0..40),
        logged_in in any::<bool>(),
    ) {
        let mut session = if logged_in {
            Walk::ready(SessionConfig { max_in_flight: 2, ..small() }).session
        } else {
            let mut session = Session::new(SessionConfig { max_in_flight: 2, ..small() }, 0);
            session.buffer().extend_from_slice(BANNER.as_bytes());
            session
        };
        let (mut now_ms, mut taken, mut done, mut closed) = (0, Vec::new(), Vec::new(), 0);
        for step in steps.into_iter().chain([Step::Disconnect]) {
            match step {
                Step::Receive(bytes) => {
                    session.buffer().extend_from_slice(&bytes);
                    session.handle_input(now_ms);
                }
                Step::Wait(ms) => {
                    now_ms += ms;
                    session.handle_timeout(now_ms);
                }
                Step::Submit(list) => {
                    taken.extend(session.submit(Action::new("A").list(list), 9_000, now_ms).ok());
                }
                Step::Transmit => drop(session.poll_transmit()),
                Step::Close => session.close(now_ms),
                Step::Disconnect => session.disconnected(now_ms),
            }
            while let Some(output) = session.poll_output() {
                prop_assert_eq!(closed, 0, "{:?} after Closed", output);
                match output {
                    Output::Reply { id, .. } => done.push(id),
                    Output::Closed { .. } => closed += 1,
                    _ => {}
                }
            }
            prop_assert_eq!(session.poll_timeout().is_none(), session.state() == State::Closed);
        }
        done.sort_unstable();
        prop_assert_eq!(done, taken);
        prop_assert_eq!(closed, 1);
        prop_assert_eq!(session.pending(), (0, 0));
    }
}
