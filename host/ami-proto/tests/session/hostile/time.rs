//! Silence, clocks that jump, and what comes after the end.

use ami_proto::{Action, Output, Session, SessionConfig, State, actions};

use super::assert_goes_on;
use crate::walk::{BANNER, Walk, config};

#[test]
fn a_clock_that_jumps_back() {
    let mut walk = Walk::ready(config());
    walk.until(14_000);
    walk.submit_for(Action::new("A"), 5_000);
    walk.session.handle_timeout(0);
    walk.session.handle_input(3);
    assert_eq!(walk.session.poll_timeout(), Some(15_000), "no time has passed, and none is won");
    walk.until(19_000);
    insta::assert_snapshot!(walk.transcript(), @"
    14000 > Action: A, ActionID: t-2
    15000 > Action: Ping, ActionID: t-3
    19000 = t-2 TimedOut
    ");
    assert_goes_on(&mut walk);
}

#[test]
fn a_clock_that_jumps_far_ahead() {
    // To the end of time, in every state: all ends, and nothing goes round for ever.
    let to_the_end = |mut session: Session| {
        while session.poll_transmit().is_some() {}
        for _ in 0..3 {
            session.handle_timeout(u64::MAX);
        }
        let outputs: Vec<Output> = std::iter::from_fn(|| session.poll_output()).collect();
        assert!(matches!(outputs.last(), Some(Output::Closed { .. })), "{outputs:?}");
        assert_eq!((session.state(), session.pending()), (State::Closed, (0, 0)));
    };
    to_the_end(Session::new(config(), 0));
    to_the_end(super::greeted());
    let mut ready = Walk::ready(SessionConfig { max_in_flight: 1, ..config() });
    ready.submit(actions::status());
    ready.submit(Action::new("Waits"));
    to_the_end(ready.session);
    let mut closing = Walk::ready(config());
    closing.close();
    to_the_end(closing.session);
    to_the_end(Session::new(config(), u64::MAX));
}

#[test]
fn an_hour_that_was_slept_through_is_no_dead_link() {
    let mut walk = Walk::ready(config());
    walk.now_ms = 3_600_000;
    walk.session.handle_timeout(walk.now_ms);
    walk.receive("Event: Reload\n\n");
    insta::assert_snapshot!(walk.transcript(), @"
    3600000 > Action: Ping, ActionID: t-2
    3600000 = event [Event: Reload]
    ");
    assert_eq!(walk.session.state(), State::Ready);
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
    assert_goes_on(&mut walk);
}

#[test]
fn a_server_that_sends_a_byte_now_and_then_still_has_deadlines() {
    // It is alive, but no action and no login waits longer for it.
    let mut walk = Walk::ready(config());
    walk.submit(Action::new("A"));
    for second in 1..60 {
        walk.until(second * 1_000).receive_bytes(b"x");
    }
    assert!(walk.transcript().contains("30000 = t-2 TimedOut"), "{}", walk.transcript());
    let mut walk = Walk::new(config());
    walk.receive(BANNER);
    for second in 1..60 {
        walk.until(second * 1_000).receive_bytes(b"x");
    }
    let transcript = walk.transcript();
    assert!(transcript.ends_with("10000 = closed: the login was not answered within 10000 ms\n"));
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
