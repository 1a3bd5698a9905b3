//! Accepts sockets on one address and serves HTTP/1.1 on each, with the deadlines that keep slow
//! clients from holding on to them.

use super::{
    Settings,
    request::{Caller, Desk},
};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::net::sockopt;
use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::Semaphore,
};
use tokio_util::sync::CancellationToken;

/// How many connections the kernel keeps until we accept them: all clients may come back at once.
const BACKLOG: u32 = 4096;
/// The largest head of a request, in bytes.
const HEAD_BYTES: usize = 16 << 10;
/// How many headers a request may have.
const HEADERS: usize = 100;
/// How long to wait when no socket can be had.
const PAUSE: Duration = Duration::from_millis(100);

/// Binds an address.
pub(super) fn bind(listen: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if listen.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(listen)?;
    socket.listen(BACKLOG)
}

/// Accepts until stopped.
pub(super) async fn accept(
    listener: TcpListener,
    desk: Desk,
    settings: Settings,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(settings.connections));
    loop {
        // Who finds no place waits in the backlog.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => {
                let caller = Caller { peer, _place: Arc::new(place) };
                let serving = serve(socket, caller, desk.clone(), settings.clone(), stop.clone());
                desk.tasks.spawn(serving);
            }
            Err(error) => {
                tracing::warn!(listen = %desk.listen, %error, "a connection was not accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn serve(
    socket: TcpStream,
    caller: Caller,
    desk: Desk,
    settings: Settings,
    stop: CancellationToken,
) {
    // What is written is whole: waiting for more would only delay it.
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(peer = %caller.peer, %error, "no TCP_NODELAY");
    }
    // A write waits for room in the socket, which says nothing of whether the client still reads: a slow one
    // makes room seldom. The kernel knows who takes nothing at all.
    let most = u32::try_from(settings.idle_timeout.as_millis()).unwrap_or(u32::MAX);
    if let Err(error) = sockopt::set_tcp_user_timeout(&socket, most) {
        tracing::debug!(peer = %caller.peer, %error, "no TCP_USER_TIMEOUT");
    }
    match desk.tls.clone() {
        None => serve_http(socket, caller, desk, settings, stop).await,
        Some(tls) => match tls.accept(socket, settings.head_timeout).await {
            Ok(socket) => serve_http(socket, caller, desk, settings, stop).await,
            Err(error) => tracing::debug!(peer = %caller.peer, %error, "no TLS"),
        },
    }
}

async fn serve_http<S>(
    socket: S,
    caller: Caller,
    desk: Desk,
    settings: Settings,
    stop: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let peer = caller.peer;
    let service = service_fn(move |request| {
        let (desk, caller) = (desk.clone(), caller.clone());
        async move { Ok::<_, Infallible>(desk.answer(caller, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.head_timeout)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(socket), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let served = tokio::select! {
        served = &mut connection => served,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%peer, %error, "connection ended");
    }
}
