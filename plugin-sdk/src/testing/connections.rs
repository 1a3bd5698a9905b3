//! The fake host's WebSocket connections and feeds.

use crate::{Attached, CloseReason, Frame, Live, OpenInfo};
use std::collections::BTreeMap;
use telepulse_language::{Filter, Principal};

/// A feed as the plugin left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// What it lets through.
    pub filter: Filter,
    /// From where it was asked for.
    pub since: Option<(String, u64)>,
    /// What it was released with, per server; `None` while it is held.
    pub released: Option<Vec<(String, u64)>>,
}

#[derive(Debug, Default)]
pub(super) struct Connections {
    pub(super) tokens: BTreeMap<String, Principal>,
    pub(super) epoch: String,
    pub(super) oldest: u64,
    pub(super) seq: u64,
    open: BTreeMap<u64, Connection>,
}

#[derive(Debug, Default)]
struct Connection {
    live: Live,
    feeds: BTreeMap<u64, Feed>,
    sent: Vec<Frame>,
    full: bool,
    closed: Option<CloseReason>,
}

impl Connections {
    pub(super) fn open(&mut self, info: OpenInfo) {
        let live = Live { tag: Vec::new(), info };
        self.open.insert(live.info.conn, Connection { live, ..Connection::default() });
    }

    pub(super) fn gone(&mut self, conn: u64) {
        self.open.remove(&conn);
    }

    pub(super) fn fill(&mut self, conn: u64) {
        if let Some(connection) = self.open.get_mut(&conn) {
            connection.full = true;
        }
    }

    pub(super) fn live(&self) -> Vec<Live> {
        let open = self.open.values().filter(|connection| connection.closed.is_none());
        open.map(|connection| connection.live.clone()).collect()
    }

    pub(super) fn take_sent(&mut self, conn: u64) -> Vec<Frame> {
        self.open
            .get_mut(&conn)
            .map(|connection| std::mem::take(&mut connection.sent))
            .unwrap_or_default()
    }

    pub(super) fn closed(&self, conn: u64) -> Option<CloseReason> {
        self.open.get(&conn).and_then(|connection| connection.closed.clone())
    }

    pub(super) fn feeds(&self, conn: u64) -> BTreeMap<u64, Feed> {
        self.open.get(&conn).map(|connection| connection.feeds.clone()).unwrap_or_default()
    }

    pub(super) fn logged_in(&self, conn: u64) -> bool {
        self.open.get(&conn).is_some_and(|connection| connection.live.info.principal.is_some())
    }

    pub(super) fn login(&mut self, conn: u64, token: &str) -> Result<Principal, String> {
        let principal = self.tokens.get(token).ok_or("the token is wrong")?;
        let connection = self.open.get_mut(&conn).ok_or("no such connection")?;
        connection.live.info.principal = Some(principal.clone());
        Ok(principal.clone())
    }

    pub(super) fn attach(
        &mut self,
        conn: u64,
        feed: u64,
        filter: &Filter,
        since: Option<(&str, u64)>,
    ) -> Result<Attached, String> {
        let connection = self.open.get_mut(&conn).ok_or("no such connection")?;
        if connection.live.info.principal.is_none() {
            return Err("nobody has logged in".to_owned());
        }
        let from = since
            .filter(|(epoch, seq)| *epoch == self.epoch && (self.oldest..=self.seq).contains(seq));
        let since = since.map(|(epoch, seq)| (epoch.to_owned(), seq));
        connection.feeds.insert(feed, Feed { filter: filter.clone(), since, released: None });
        Ok(Attached {
            seq: from.map_or(self.seq, |(_, seq)| seq),
            epoch: self.epoch.clone(),
            replayed: from.is_some(),
        })
    }

    pub(super) fn release(
        &mut self,
        conn: u64,
        feed: u64,
        reply: Frame,
        after: Vec<(String, u64)>,
    ) {
        if let Some(connection) = self.open.get_mut(&conn)
            && let Some(feed) = connection.feeds.get_mut(&feed)
        {
            feed.released = Some(after);
            connection.sent.push(reply);
        }
    }

    pub(super) fn detach(&mut self, conn: u64, feed: u64) {
        if let Some(connection) = self.open.get_mut(&conn) {
            connection.feeds.remove(&feed);
        }
    }

    pub(super) fn send(&mut self, conns: &[u64], frames: &[Frame]) -> Vec<u64> {
        let mut refused = Vec::new();
        for conn in conns {
            match self.open.get_mut(conn) {
                Some(connection) if !connection.full && connection.closed.is_none() => {
                    connection.sent.extend_from_slice(frames);
                }
                _ => refused.push(*conn),
            }
        }
        refused
    }

    pub(super) fn set_tag(&mut self, conn: u64, tag: &[u8]) {
        if let Some(connection) = self.open.get_mut(&conn) {
            connection.live.tag = tag.to_vec();
        }
    }

    pub(super) fn close(&mut self, conns: &[u64], reason: &CloseReason) {
        for conn in conns {
            if let Some(connection) = self.open.get_mut(conn) {
                connection.closed.get_or_insert_with(|| reason.clone());
            }
        }
    }
}
