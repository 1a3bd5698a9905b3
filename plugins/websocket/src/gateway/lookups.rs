//! Clients that look numbers up for others: those that subscribe to `lookup` by name. Whoever elects one of them
//! learns here who there is, and asks through here.

use super::Gateway;
use crate::session::{Session, Who};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use telepulse_plugin_sdk::{Event, Failure, Frame, bus, connections, log};

/// Clients came.
const JOINED: &str = "telepulse.client.joined";
/// A client went.
const LEFT: &str = "telepulse.client.left";
/// The type of event that such clients subscribe to.
const LOOKUP: &str = "lookup";

/// A client, as others are told of it.
#[derive(Serialize)]
struct Client<'a> {
    #[serde(rename = "client")]
    conn: u64,
    user: &'a str,
    extension: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    servers: Option<&'a BTreeSet<String>>,
}

/// What one client is told.
#[derive(Deserialize)]
struct Tell {
    client: u64,
    event: Box<RawValue>,
}

impl Gateway {
    /// Tells of a client whose subscriptions have changed, if it looked numbers up before and does not any more,
    /// or the other way round.
    pub(super) fn tell_change(&self, conn: u64, looked_up: bool) {
        let looks_up = self.sessions.get(&conn).is_some_and(looks_up);
        match (looked_up, looks_up) {
            (false, true) => self.tell_joined(conn),
            (true, false) => tell_left(conn),
            _ => {}
        }
    }

    pub(super) fn looks_up(&self, conn: u64) -> bool {
        self.sessions.get(&conn).is_some_and(looks_up)
    }

    /// Tells of a client that looks numbers up; of others nothing.
    pub(super) fn tell_joined(&self, conn: u64) {
        let Some(session) = self.sessions.get(&conn).filter(|session| looks_up(session)) else {
            return;
        };
        let Some(Who { user, extension: Some(extension), servers, .. }) = &session.who else {
            return;
        };
        say(JOINED, &Client { conn, user, extension, servers: servers.as_ref() });
    }

    /// Somebody asks who there is, or has something for one client.
    pub(crate) fn heard(&self, event: Event<'_>) -> Result<(), Failure> {
        if event.kind == "ask" {
            self.sessions.keys().for_each(|conn| self.tell_joined(*conn));
            return Ok(());
        }
        let Tell { client, event } = event.json().map_err(|it| Failure::Skip(it.to_string()))?;
        // One that is gone, or does not take it: then another can be asked.
        let frame = Frame::Text(event.get().to_owned());
        if !self.looks_up(client) || !connections::send(&[client], vec![frame]).is_empty() {
            tell_left(client);
        }
        Ok(())
    }
}

fn looks_up(session: &Session) -> bool {
    if !session.who.as_ref().is_some_and(|who| who.may_answer) {
        return false;
    }
    session.subscriptions.iter().any(|subscription| {
        let events = subscription.filter.events.as_ref();
        events.is_some_and(|events| events.contains(LOOKUP))
    })
}

pub(super) fn tell_left(client: u64) {
    #[derive(Serialize)]
    struct Left {
        client: u64,
    }
    say(LEFT, &Left { client });
}

fn say(address: &str, what: &impl Serialize) {
    if let Err(why) = bus::publish_json(address, what) {
        log::warn!("nobody is told of clients that look numbers up: {why}");
    }
}
