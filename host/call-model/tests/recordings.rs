//! What a real Asterisk said, replayed: the language events that come of it, and the model against
//! the server's own listings at the end.

mod replay;

use replay::Replay;

/// Replays a recording, compares its events with the snapshot, and has every listing that was asked
/// for after the first tell nothing new: the model had it all from events.
fn check(name: &str) {
    let replay = Replay::of(name);
    insta::assert_snapshot!(name, replay.told.join("\n"));
    assert_eq!(
        replay.surprises,
        Vec::<String>::new(),
        "{name}: a listing knew more than the model"
    );
    assert!(replay.pbx.is_empty() || name == "shutdown", "{name}: {:?}", replay.pbx.counts());
}

macro_rules! recordings {
    ($($test:ident $name:literal)*) => {
        $(
            #[test]
            fn $test() {
                check($name);
            }
        )*

        /// Every recording has its test.
        #[test]
        fn none_is_left_out() {
            let known = [$($name),*, "storm"];
            for name in replay::names() {
                assert!(known.contains(&name.as_str()), "{name} has no test");
            }
        }
    };
}

recordings! {
    attended_transfer "attended-transfer"
    blind_transfer "blind-transfer"
    busy "busy"
    channel_words "channel-words"
    confbridge "confbridge"
    consultation_fails "consultation-fails"
    dialplan_events "dialplan-events"
    ext_call "ext-call"
    hold "hold"
    listen "listen"
    local_chain "local-chain"
    login "login"
    login_live "login-live"
    misleading_caller_id "misleading-caller-id"
    no_answer "no-answer"
    originate_failed "originate-failed"
    park "park"
    park_and_give_up "park-and-give-up"
    pickup "pickup"
    presence_and_user_event "presence-and-user-event"
    qualify "qualify"
    queue_abandon "queue-abandon"
    queue_call "queue-call"
    queue_caller_hangs_up "queue-caller-hangs-up"
    queue_pause "queue-pause"
    queue_ring_no_answer "queue-ring-no-answer"
    queue_transfer "queue-transfer"
    record_and_spy "record-and-spy"
    redirect "redirect"
    refer "refer"
    register "register"
    shutdown "shutdown"
    sip_call "sip-call"
    trunk_call "trunk-call"
}

/// A storm of calls leaves nothing behind, and each call is told once.
#[test]
fn storm() {
    let replay = Replay::of("storm");
    assert_eq!(replay.surprises, Vec::<String>::new());
    assert!(replay.pbx.is_empty(), "{:?}", replay.pbx.counts());
    let count = |kind: &str| {
        let kind = format!(" {kind} ");
        replay.told.iter().filter(|line| line.contains(&kind)).count()
    };
    assert_eq!((count("callStarted"), count("callEnded")), (200, 200));
}
