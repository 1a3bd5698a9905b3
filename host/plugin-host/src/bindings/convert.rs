//! Between generated types and our own.

use super::generated::telepulse::plugin::{connections as wit, types};
use crate::ports;
use bytes::Bytes;
use std::collections::BTreeSet;
use telepulse_language::Principal;

impl types::Host for crate::ctx::Ctx {}

impl From<&Principal> for types::Principal {
    fn from(from: &Principal) -> Self {
        let list = |set: &Option<BTreeSet<String>>| Some(set.as_ref()?.iter().cloned().collect());
        Self {
            name: from.name.clone(),
            extension: from.extension.clone(),
            agents: list(&from.agents),
            queues: list(&from.queues),
            servers: list(&from.servers),
            allow: from.allow.iter().cloned().collect(),
        }
    }
}

impl From<wit::Frame> for ports::Frame {
    fn from(from: wit::Frame) -> Self {
        match from {
            wit::Frame::Text(text) => Self::Text(text),
            wit::Frame::Binary(bytes) => Self::Binary(Bytes::from(bytes)),
        }
    }
}

impl From<ports::Frame> for wit::Frame {
    fn from(from: ports::Frame) -> Self {
        match from {
            ports::Frame::Text(text) => Self::Text(text),
            ports::Frame::Binary(bytes) => Self::Binary(Vec::from(bytes)),
        }
    }
}

impl From<wit::CloseReason> for ports::CloseReason {
    fn from(from: wit::CloseReason) -> Self {
        Self { code: from.code, text: from.text }
    }
}

impl From<ports::CloseReason> for wit::CloseReason {
    fn from(from: ports::CloseReason) -> Self {
        Self { code: from.code, text: from.text }
    }
}

impl From<ports::OpenInfo> for wit::OpenInfo {
    fn from(from: ports::OpenInfo) -> Self {
        Self {
            conn: from.conn,
            peer: from.peer,
            path: from.path,
            query: from.query,
            headers: from.headers,
            principal: from.principal.as_deref().map(Into::into),
        }
    }
}

impl From<ports::Live> for wit::Live {
    fn from(from: ports::Live) -> Self {
        Self { conn: from.info.conn, tag: Vec::from(from.tag), info: from.info.into() }
    }
}

impl From<ports::Happening> for wit::Happening {
    fn from(from: ports::Happening) -> Self {
        match from {
            ports::Happening::Open(info) => Self::Open(info.into()),
            ports::Happening::Frames(conn, frames) => {
                Self::Frames((conn, frames.into_iter().map(Into::into).collect()))
            }
            ports::Happening::Lagged(conn, missed) => Self::Lagged((conn, missed)),
            ports::Happening::Closed(conn, reason) => Self::Closed((conn, reason.into())),
        }
    }
}
