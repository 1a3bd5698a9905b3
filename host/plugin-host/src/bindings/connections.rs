//! `telepulse:plugin/connections`: the plugin's own WebSocket connections, by id.

use super::generated::telepulse::plugin::{
    connections::{Attached, CloseReason, Frame, Host},
    types::Principal,
};
use crate::{ctx::Ctx, ports};
use bytes::Bytes;
use telepulse_language::Filter;

/// What a tag may be long, in bytes.
const LONGEST_TAG: usize = 4096;

impl Host for Ctx {
    fn login(&mut self, conn: u64, token: String) -> Result<Principal, String> {
        let Reach { connections, name, _home } = self.reach();
        Ok((&*connections.login(name, conn, &token)?).into())
    }

    fn attach(
        &mut self,
        conn: u64,
        feed: u64,
        filter: String,
        since: Option<(String, u64)>,
    ) -> Result<Attached, String> {
        let filter: Filter =
            serde_json::from_str(&filter).map_err(|error| format!("filter: {error}"))?;
        let Reach { connections, name, _home } = self.reach();
        let ports::Attached { seq, epoch, replayed } =
            connections.attach(name, conn, feed, filter, since)?;
        Ok(Attached { seq, epoch, replayed })
    }

    fn release(&mut self, conn: u64, feed: u64, reply: Frame, after: Vec<(String, u64)>) {
        let Reach { connections, name, _home } = self.reach();
        connections.release(name, conn, feed, reply.into(), &after);
    }

    fn detach(&mut self, conn: u64, feed: u64) {
        let Reach { connections, name, _home } = self.reach();
        connections.detach(name, conn, feed);
    }

    fn send(&mut self, conns: Vec<u64>, frames: Vec<Frame>) -> Vec<u64> {
        let frames: Vec<ports::Frame> = frames.into_iter().map(Into::into).collect();
        let Reach { connections, name, _home } = self.reach();
        connections.send(name, &conns, &frames)
    }

    fn set_tag(&mut self, conn: u64, mut tag: Vec<u8>) {
        if tag.len() > LONGEST_TAG {
            tracing::warn!(plugin = %self.identity.name, conn, length = tag.len(), "tag cut to 4096 bytes");
            tag.truncate(LONGEST_TAG);
        }
        let Reach { connections, name, _home } = self.reach();
        connections.set_tag(name, conn, Bytes::from(tag));
    }

    fn close(&mut self, conns: Vec<u64>, reason: CloseReason) {
        let Reach { connections, name, _home } = self.reach();
        connections.close(name, &conns, reason.into());
    }
}

/// What every call to the port needs.
struct Reach<'a> {
    connections: &'a dyn ports::Connections,
    name: &'a str,
    /// What the port spawns belongs to its own runtime.
    _home: tokio::runtime::EnterGuard<'a>,
}

impl Ctx {
    fn reach(&self) -> Reach<'_> {
        Reach {
            connections: &*self.identity.ports.connections,
            name: self.identity.name.as_str(),
            _home: self.identity.home.enter(),
        }
    }
}
