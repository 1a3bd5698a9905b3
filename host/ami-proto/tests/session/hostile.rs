//! Servers that lie, flood or stay silent: each is bounded and told, and hurts its own link only.

mod answers;
mod any;
mod bytes;
mod login;
mod time;

use std::collections::BTreeMap;

use ami_proto::{Limits, Output, Session, SessionConfig, State, actions};

use crate::walk::{BANNER, Walk, config};

const LIMITS: Limits = Limits { banner: 128, line: 200, lines: 10, message: 1_000 };

fn small() -> SessionConfig {
    SessionConfig { limits: LIMITS, ..config() }
}

/// What came of a flood.
#[derive(Debug, Default)]
struct Flood {
    /// Bytes that were held after a read, at most.
    most_held: usize,
    /// Things that one read told of, at most.
    most_told: usize,
    /// How often each thing was told, problems and ends in words up to the colon.
    told: BTreeMap<String, usize>,
}

/// Sends `piece` over and over; also to a session that is closed already.
fn flood(session: &mut Session, piece: &[u8], times: usize) -> Flood {
    let mut flood = Flood::default();
    for _ in 0..times {
        session.buffer().extend_from_slice(piece);
        session.handle_input(0);
        flood.most_held = flood.most_held.max(session.buffer().len());
        let outputs: Vec<Output> = std::iter::from_fn(|| session.poll_output()).collect();
        flood.most_told = flood.most_told.max(outputs.len());
        for output in outputs {
            *flood.told.entry(name(&output)).or_default() += 1;
        }
        while session.poll_transmit().is_some() {}
    }
    flood
}

fn name(output: &Output) -> String {
    let words = |text: String| text.split(": ").next().unwrap_or_default().to_owned();
    match output {
        Output::Ready { .. } => "ready".to_owned(),
        Output::Event(_) => "event".to_owned(),
        Output::Reply { .. } => "reply".to_owned(),
        Output::Unclaimed(_) => "unclaimed".to_owned(),
        Output::Problem(problem) => words(problem.to_string()),
        Output::Rejected { .. } => "rejected".to_owned(),
        Output::Closed { reason } => words(reason.to_string()),
    }
}

/// A session that has heard the banner and nothing else.
fn greeted() -> Session {
    let mut session = Session::new(small(), 0);
    session.buffer().extend_from_slice(BANNER.as_bytes());
    session.handle_input(0);
    session
}

/// Whatever it was, it is over: the session is ready and answers.
fn assert_goes_on(walk: &mut Walk) {
    assert_eq!(walk.session.state(), State::Ready);
    let ping = walk.submit(actions::ping());
    let id = walk.session.action_id(ping);
    walk.receive(&format!("Response: Success\nActionID: {id}\nPing: Pong\n\n"));
    let answer = format!("= {id} [Response: Success, ActionID: {id}, Ping: Pong]\n");
    assert!(walk.transcript().ends_with(&answer), "{}", walk.transcript());
    assert_eq!(walk.session.buffer().len(), 0);
}
