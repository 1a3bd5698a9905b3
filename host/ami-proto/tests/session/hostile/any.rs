//! Any mixture of it: what is promised holds whatever is said and done.

use ami_proto::{Action, Output, Session, SessionConfig, State};
use proptest::prelude::*;

use super::small;
use crate::walk::{BANNER, Walk};

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
