//! From instance to instance: most of it is in the connections' tags, the rest is handed over.

use super::{Gateway, code};
use crate::{
    desk::Desk,
    reply,
    session::{Session, State, Who},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use telepulse_plugin_sdk::{Live, log};

/// What may be handed over: a little less than the host takes (`handoff.save`).
const MOST_BYTES: usize = 15 << 20;

/// What tags cannot say.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Legacy {
    desk: Desk,
    sessions: BTreeMap<u64, Session>,
}

impl Gateway {
    /// What the next instance has to know. Sessions that would make it too much are left out: their
    /// clients will be asked to connect again.
    pub(crate) fn hand_over(&self) -> Result<Vec<u8>, String> {
        let mut bytes = 0;
        let mut left_out = 0;
        let mut sessions = BTreeMap::new();
        for (conn, session) in self.sessions.iter().filter(|(_, session)| session.needs_hand_over())
        {
            bytes += serde_json::to_vec(session).map_or(MOST_BYTES, |bytes| bytes.len());
            if bytes > MOST_BYTES {
                left_out += 1;
            } else {
                sessions.insert(*conn, session.clone());
            }
        }
        if left_out > 0 {
            log::warn!("too much to hand over: {left_out} clients will have to connect again");
        }
        let legacy = Legacy { desk: self.desk.clone(), sessions };
        serde_json::to_vec(&legacy).map_err(|error| error.to_string())
    }

    /// Takes over what the instance before has saved. After a failure it is what one saved that ran before the
    /// one that failed: since then requests were sent and answered, and only the tags tell.
    pub(crate) fn take_over(&mut self, state: &[u8]) -> Result<(), String> {
        let Legacy { desk, sessions } =
            if state.is_empty() { Legacy::default() } else { reply::own(state)? };
        if !self.after_failure {
            self.desk = desk;
            self.handed_over = sessions;
        }
        Ok(())
    }

    /// A connection from before. What was not handed over comes from its tag; snapshots that were
    /// under way are then lost and fetched again.
    pub(crate) fn resume(&mut self, live: Live) {
        let Live { tag, info } = live;
        let logged_in = info.principal.is_some();
        let who = info.principal.as_ref().map(Who::of);
        let conn = info.conn;
        if let Some(mut session) = self.handed_over.remove(&conn) {
            (session.logged_in, session.who) = (logged_in, who);
            self.sessions.insert(conn, session);
            return self.tell_joined(conn);
        }
        match Session::from_tag(&tag) {
            Some(mut session) => {
                (session.logged_in, session.who) = (logged_in, who);
                self.sessions.insert(conn, session);
                self.tell_joined(conn);
                self.refresh(conn, |state| *state != State::Live);
            }
            None => self.hang_up(conn, code::SERVICE_RESTART, "connect again"),
        }
    }
}
