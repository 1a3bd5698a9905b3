//! A connection that was let in, however it goes on: as a WebSocket, or as server-sent events.

use super::{
    clients::Entrance,
    connection::{self, Socket},
    request::{Caller, Desk},
    routes::WebSocketMount,
};
use plugin_host::ports::OpenInfo;
use tokio::io::{AsyncRead, AsyncWrite};

/// Who comes, and to which plugin.
pub(super) struct Visit {
    pub(super) desk: Desk,
    /// It keeps its place among the connections until the visit is over.
    pub(super) caller: Caller,
    pub(super) mount: WebSocketMount,
    pub(super) info: OpenInfo,
}

impl Visit {
    /// Attends to the client until it has gone, in a task of its own: there are thousands of them, and each
    /// is as large as what it may have to wait for.
    pub(super) fn begin<R, W>(self, socket: Socket<R, W>)
    where
        R: AsyncRead + Unpin + Send + 'static,
        W: AsyncWrite + Unpin + Send + 'static,
    {
        let Self { desk, caller, mount, info } = self;
        let entrance = Entrance { plugin: mount.plugin, listen: desk.listen, peer: caller.peer };
        let client = desk.clients.admit(entrance, info);
        desk.tasks.spawn(connection::run(desk.clients, client, mount.sink, socket, caller));
    }
}
