//! Lies on the way in: challenges, answers to the login, and `FullyBooted`.

use ami_proto::{Auth, SessionConfig, State};

use super::assert_goes_on;
use crate::walk::{BANNER, Walk, config};

const ACCEPTED: &str = "Response: Success\nActionID: t-1\nMessage: Authentication accepted\n\n";
const BOOTED: &str = "Event: FullyBooted\nStatus: Fully Booted\n\n";

fn plain() -> Walk {
    Walk::new(SessionConfig { auth: Auth::Plain, ..config() })
}

#[test]
fn fully_booted_twice() {
    let mut walk = plain();
    walk.receive(BANNER).receive(ACCEPTED).receive(BOOTED).receive(BOOTED);
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Login, ActionID: t-1, Username: bob, Secret: secret, Events: on
    0 = event [Event: FullyBooted, Status: Fully Booted]
    0 = ready 11.0.0
    0 = event [Event: FullyBooted, Status: Fully Booted]
    ");
    assert_goes_on(&mut walk);
}

#[test]
fn fully_booted_before_the_login_counts_for_nothing() {
    let mut walk = plain();
    walk.receive(BANNER).receive(BOOTED);
    assert_eq!(walk.session.state(), State::Authenticating);
    walk.receive(ACCEPTED);
    assert_eq!(walk.session.state(), State::AwaitingBoot);
    walk.until(13_000).receive("Event: Reload\n\n").until(20_000);
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Login, ActionID: t-1, Username: bob, Secret: secret, Events: on
    0 = event [Event: FullyBooted, Status: Fully Booted]
    13000 = event [Event: Reload]
    20000 = problem: no FullyBooted within 20000 ms (does the user have the read right system?)
    20000 = ready 11.0.0
    ");
    assert_goes_on(&mut walk);
}

#[test]
fn fully_booted_never() {
    let mut walk = plain();
    walk.receive(BANNER).receive(ACCEPTED).until(13_000).receive("Event: Reload\n\n").until(20_000);
    assert!(walk.transcript().contains("problem: no FullyBooted within 20000 ms"));
    assert_goes_on(&mut walk);
}

#[test]
fn challenges_that_are_garbage() {
    // Whatever it is, it is only hashed: the same short line goes out.
    for challenge in ["", "  ", "0\0\x01", "-1", "%n%n", &"9".repeat(100_000)] {
        let mut walk = Walk::new(config());
        walk.receive(BANNER);
        walk.receive(&format!("Response: Success\nActionID: t-1\nChallenge: {challenge}\n\n"));
        let transcript = walk.transcript();
        let login = transcript.lines().last().unwrap();
        let (before, key) = login.split_once("Key: ").unwrap();
        assert!(before.starts_with("0 > Action: Login, ActionID: t-2, AuthType: MD5"), "{login}");
        let digest = key.split(',').next().unwrap();
        assert!(digest.len() == 32 && digest.bytes().all(|b| b.is_ascii_hexdigit()), "{login}");
        assert!(!transcript.contains("secret"), "{transcript}");
    }
    for answer in [
        "Response: Success\nActionID: t-1",
        "Response: Goodbye\nActionID: t-1\nChallenge: 1",
        "Response: \nActionID: t-1",
    ] {
        let mut walk = Walk::new(config());
        walk.receive(BANNER).receive(&format!("{answer}\n\n"));
        assert!(walk.transcript().contains("closed: the login failed"), "{}", walk.transcript());
    }
}

#[test]
fn a_challenge_that_breaks_a_limit() {
    let mut walk = Walk::new(super::small());
    walk.receive(BANNER);
    walk.receive(&format!("Response: Success\nActionID: t-1\nChallenge: {}\n\n", "9".repeat(300)));
    let transcript = walk.transcript().replace(&"9".repeat(20), "9…");
    insta::assert_snapshot!(transcript, @r"
    0 > Action: Challenge, ActionID: t-1, AuthType: MD5
    0 = problem: skipped a message with a line of more than 200 bytes: Response: Success\r\nActionID: t-1\r\nChallenge: 9…999999999999999
    0 = closed: the login failed: no answer
    ");
}

#[test]
fn a_login_that_is_answered_twice() {
    let mut walk = plain();
    walk.receive(BANNER).receive(ACCEPTED).receive(BOOTED);
    walk.receive(ACCEPTED);
    walk.receive("Response: Error\nActionID: t-1\nMessage: Authentication failed\n\n");
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Login, ActionID: t-1, Username: bob, Secret: secret, Events: on
    0 = event [Event: FullyBooted, Status: Fully Booted]
    0 = ready 11.0.0
    0 = unclaimed [Response: Success, ActionID: t-1, Message: Authentication accepted]
    0 = unclaimed [Response: Error, ActionID: t-1, Message: Authentication failed]
    ");
    assert_goes_on(&mut walk);
}

#[test]
fn a_login_answered_before_it_is_sent() {
    let mut walk = Walk::new(config());
    walk.receive(&format!("{BANNER}{}", ACCEPTED.replace("t-1", "t-2"))).receive(BOOTED);
    assert_eq!(walk.session.state(), State::Authenticating, "{}", walk.transcript());
    walk.until(60_000);
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Challenge, ActionID: t-1, AuthType: MD5
    0 = unclaimed [Response: Success, ActionID: t-2, Message: Authentication accepted]
    0 = event [Event: FullyBooted, Status: Fully Booted]
    10000 = closed: the login was not answered within 10000 ms
    ");
}

#[test]
fn a_second_banner_is_a_stray_line() {
    let mut walk = plain();
    walk.receive(BANNER).receive(ACCEPTED).receive(BOOTED).receive(BANNER).receive("\n");
    insta::assert_snapshot!(walk.transcript(), @"
    0 > Action: Login, ActionID: t-1, Username: bob, Secret: secret, Events: on
    0 = event [Event: FullyBooted, Status: Fully Booted]
    0 = ready 11.0.0
    0 = unclaimed [: Asterisk Call Manager/11.0.0]
    ");
    assert_goes_on(&mut walk);
}
