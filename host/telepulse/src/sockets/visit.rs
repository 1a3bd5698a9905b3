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
    /// Attends to the client until it has gone.
    pub(super) async fn attend<R, W>(self, socket: Socket<R, W>)
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let Self { desk, caller, mount, info } = self;
        let entrance = Entrance { plugin: mount.plugin, listen: desk.listen, peer: caller.peer };
        let client = desk.clients.admit(entrance, info);
        connection::run(&desk.clients, &client, &*mount.sink, socket).await;
    }
}
