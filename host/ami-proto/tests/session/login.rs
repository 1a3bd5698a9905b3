//! From the connection to `Ready`, and the ways in which it does not get there.

use ami_proto::{
    AmiVersion, AsteriskVersion, Auth, EventFilter, Match, Session, SessionConfig, State,
};

use crate::walk::{BANNER, Walk, config};

const ACCEPTED: &str = "Response: Success\nActionID: t-1\nMessage: Authentication accepted\n\n";
const BOOTED: &str = "Event: FullyBooted\nPrivilege: system,all\nStatus: Fully Booted\n\n";

#[test]
fn md5_over_a_challenge() {
    let mut walk = Walk::new(config());
    walk.receive(BANNER)
        .receive("Response: Success\nActionID: t-1\nChallenge: 123456\n\n")
        .receive("Response: Success\nActionID: t-2\nMessage: Authentication accepted\n\n")
        .receive(BOOTED);
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Challenge, ActionID: t-1, AuthType: MD5
    0 > Action: Login, ActionID: t-2, AuthType: MD5, Username: bob, Key: 992f3c4e7ec9a0e96173284c816612bd, Events: on
    0 = event [Event: FullyBooted, Privilege: system,all, Status: Fully Booted]
    0 = ready 11.0.0
    ");
    assert_eq!(walk.session.ami_version().and_then(AmiVersion::asterisk_major), Some(22));
}

#[test]
fn plain_and_all_in_one_read() {
    let mut walk = Walk::new(SessionConfig { auth: Auth::Plain, ..config() });
    walk.receive(&format!("{BANNER}{ACCEPTED}{BOOTED}"));
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Login, ActionID: t-1, Username: bob, Secret: secret, Events: on
    0 = event [Event: FullyBooted, Privilege: system,all, Status: Fully Booted]
    0 = ready 11.0.0
    ");
}

#[test]
fn a_wrong_secret_is_rejected() {
    let mut walk = Walk::new(SessionConfig { auth: Auth::Plain, ..config() });
    walk.receive(BANNER).until(1_000);
    walk.receive("Response: Error\nActionID: t-1\nMessage: Authentication failed\n\n").disconnect();
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Login, ActionID: t-1, Username: bob, Secret: secret, Events: on
    1000 = rejected: Authentication failed
    1000 = closed: the server refused the login: Authentication failed
    ");
    assert_eq!(walk.session.poll_timeout(), None);
}

#[test]
fn another_refusal_may_pass() {
    let mut walk = Walk::new(config());
    walk.receive(BANNER).receive("Response: Error\nActionID: t-1\nMessage: Permission denied\n\n");
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Challenge, ActionID: t-1, AuthType: MD5
    0 = closed: the login failed: Permission denied
    ");
    let mut walk = Walk::new(config());
    walk.receive(BANNER).receive("Response: Success\nActionID: t-1\nMessage: no challenge\n\n");
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Challenge, ActionID: t-1, AuthType: MD5
    0 = closed: the login failed: no challenge
    ");
}

#[test]
fn no_fully_booted() {
    let mut walk = Walk::new(SessionConfig { auth: Auth::Plain, ..config() });
    walk.receive(BANNER).receive(ACCEPTED);
    assert_eq!(walk.session.state(), State::AwaitingBoot);
    walk.until(14_000).receive("Event: Newchannel\n\n").until(20_000);
    assert_eq!(walk.session.state(), State::Ready);
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Login, ActionID: t-1, Username: bob, Secret: secret, Events: on
    14000 = event [Event: Newchannel]
    20000 = problem: no FullyBooted within 20000 ms (does the user have the read right system?)
    20000 = ready 11.0.0
    ");
}

#[test]
fn a_mask_without_system_waits_for_nothing() {
    let state = |mask: &str| {
        let event_mask = mask.to_owned();
        let mut walk = Walk::new(SessionConfig { auth: Auth::Plain, event_mask, ..config() });
        walk.receive(BANNER).receive(ACCEPTED);
        walk.session.state()
    };
    for waits in ["on", "all", "call,system", "Call, System", "3"] {
        assert_eq!(state(waits), State::AwaitingBoot, "{waits}");
    }
    for ready in ["off", "call,agent", "0", "2", ""] {
        assert_eq!(state(ready), State::Ready, "{ready}");
    }
}

#[test]
fn actions_wait_for_ready_in_their_order() {
    let mut walk = Walk::new(SessionConfig { auth: Auth::Plain, ..config() });
    walk.submit(ami_proto::Action::new("First"));
    walk.receive(BANNER);
    walk.submit(ami_proto::Action::new("Second"));
    walk.receive("Response: Success\nActionID: t-2\n\n").receive(BOOTED);
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Login, ActionID: t-2, Username: bob, Secret: secret, Events: on
    0 > Action: First, ActionID: t-1
    0 > Action: Second, ActionID: t-3
    0 = event [Event: FullyBooted, Privilege: system,all, Status: Fully Booted]
    0 = ready 11.0.0
    ");
}

/// Logs in with filters, on a server of this version (none: it does not tell).
fn with_filters(version: Option<&str>) -> Walk {
    let filters = vec![EventFilter::include(Match::Name("Hangup".to_owned()))];
    let mut walk = Walk::new(SessionConfig { auth: Auth::Plain, filters, ..config() });
    walk.receive(BANNER).receive(ACCEPTED).receive(BOOTED);
    match version {
        Some(version) => {
            let text = format!("Response: Success\nActionID: t-2\nAsteriskVersion: {version}\n\n");
            walk.receive(&text);
        }
        None => {
            walk.receive("Response: Error\nActionID: t-2\nMessage: Permission denied\n\n");
        }
    }
    walk.receive("Response: Success\nActionID: t-3\n\n")
        .receive("Response: Error\nActionID: t-4\nMessage: Filter did not compile\n\n")
        .receive("Response: Success\nActionID: t-5\n\n");
    walk
}

#[test]
fn filters_are_set_before_ready() {
    let walk = with_filters(Some("22.10.0"));
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Login, ActionID: t-1, Username: bob, Secret: secret, Events: on
    0 > Action: CoreSettings, ActionID: t-2
    0 = event [Event: FullyBooted, Privilege: system,all, Status: Fully Booted]
    0 > Action: Filter, ActionID: t-3, Operation: Add, MatchCriteria: action(include),name(Hangup),method(none), Filter:
    0 > Action: Filter, ActionID: t-4, Operation: Add, MatchCriteria: action(include),name(FullyBooted),method(none), Filter:
    0 > Action: Filter, ActionID: t-5, Operation: Add, MatchCriteria: action(include),name(Shutdown),method(none), Filter:
    0 = problem: the server refused the filter to let in FullyBooted: Filter did not compile
    0 = ready 11.0.0
    ");
    assert_eq!(walk.session.asterisk_version().map(AsteriskVersion::text), Some("22.10.0"));
    let walk = with_filters(None);
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Login, ActionID: t-1, Username: bob, Secret: secret, Events: on
    0 > Action: CoreSettings, ActionID: t-2
    0 = event [Event: FullyBooted, Privilege: system,all, Status: Fully Booted]
    0 > Action: Filter, ActionID: t-3, Operation: Add, Filter: ^Event: Hangup[[:cntrl:]]
    0 > Action: Filter, ActionID: t-4, Operation: Add, Filter: ^Event: FullyBooted[[:cntrl:]]
    0 > Action: Filter, ActionID: t-5, Operation: Add, Filter: ^Event: Shutdown[[:cntrl:]]
    0 = problem: the server refused the filter to let in FullyBooted: Filter did not compile
    0 = ready 11.0.0
    ");
}

#[test]
fn a_server_that_does_not_tell_its_version_holds_nothing_up() {
    let mut walk = Walk::new(SessionConfig { auth: Auth::Plain, learn_version: true, ..config() });
    walk.receive(BANNER).receive(ACCEPTED).receive(BOOTED);
    assert_eq!(walk.session.state(), State::AwaitingBoot);
    walk.until(4_999);
    assert_eq!(walk.session.state(), State::AwaitingBoot);
    walk.until(5_000);
    assert_eq!(walk.session.state(), State::Ready);
}

#[test]
fn silence_before_login_ends_at_the_deadline() {
    let mut walk = Walk::new(config());
    walk.until(60_000);
    insta::assert_snapshot!(walk.transcript(), @"10000 = closed: the login was not answered within 10000 ms");
    let mut walk = Walk::new(config());
    walk.until(9_000).receive(BANNER).until(60_000);
    insta::assert_snapshot!(walk.transcript(), @"
    9000 > Action: Challenge, ActionID: t-1, AuthType: MD5
    10000 = closed: the login was not answered within 10000 ms
    ");
}

#[test]
fn connections_that_end_too_early() {
    insta::assert_snapshot!(Walk::new(config()).disconnect().transcript(), @"0 = closed: the server closed the connection without a greeting (authlimit or an access list?)");
    insta::assert_snapshot!(Walk::new(config()).receive(BANNER).disconnect().transcript(), @"
    0 > Action: Challenge, ActionID: t-1, AuthType: MD5
    0 = closed: the connection was lost
    ");
    insta::assert_snapshot!(
        Walk::new(config()).receive_bytes(b"Asterisk Call").disconnect().transcript(),
        @"0 = closed: the connection was lost"
    );
}

#[test]
fn a_user_name_that_cannot_be_sent() {
    let username = "bob\r\nAction: Command".to_owned();
    let mut walk = Walk::new(SessionConfig { auth: Auth::Plain, username, ..config() });
    walk.receive(BANNER);
    insta::assert_snapshot!(walk.transcript(), @"0 = closed: the login cannot be sent: Username holds a line break or NUL, which cannot be sent to Asterisk");
}

#[test]
fn no_debug_shows_the_secret() {
    let canary = SessionConfig { auth: Auth::Plain, ..SessionConfig::new("bob", "canary", "t") };
    let shown = format!("{canary:?}");
    let mut session = Session::new(canary, 0);
    session.buffer().extend_from_slice(BANNER.as_bytes());
    session.handle_input(0);
    let shown = format!("{shown} {session:?}");
    assert!(shown.contains("bob") && !shown.contains("canary"), "{shown}");
}

#[test]
fn closing_before_login_is_immediate() {
    let mut walk = Walk::new(config());
    walk.receive(BANNER);
    walk.submit(ami_proto::Action::new("Never"));
    walk.close();
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Challenge, ActionID: t-1, AuthType: MD5
    0 = t-2 NotSent
    0 = closed: closed on request
    ");
}
