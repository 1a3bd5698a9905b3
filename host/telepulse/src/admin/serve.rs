//! The accept loop: HTTP/1.1 for a router, bounded in connections, headers and time.

use crate::tls::Acceptor;
use axum::{Extension, Router, extract::ConnectInfo};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
    service::TowerToHyperService,
};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// How long a request's head may take; also how long an idle connection is kept.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// Headers of one request.
const MAX_HEADERS: usize = 64;
/// Bytes of one request's head.
const MAX_HEAD: usize = 16 * 1024;
/// Connections at the same time; more wait to be accepted.
const CONNECTIONS: usize = 128;
/// How long requests under way may take when we stop.
const GOODBYE: Duration = Duration::from_secs(5);

/// Serves `router` until `shutdown`, then lets requests under way finish for a while.
///
/// With `tls` it encrypts.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    tls: Option<Acceptor>,
    shutdown: CancellationToken,
) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = shutdown.cancelled() => break,
        };
        let (stream, peer, place) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: those who leave give some back.
                tracing::warn!(%error, "the admin API cannot accept a connection");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let router = router.clone().layer(Extension(ConnectInfo(peer)));
        let (tls, watcher) = (tls.clone(), graceful.watcher());
        tokio::spawn(async move {
            match tls {
                None => attend(stream, router, watcher).await,
                Some(tls) => match tls.accept(stream, HEAD_WITHIN).await {
                    Ok(stream) => attend(stream, router, watcher).await,
                    Err(error) => tracing::debug!(%error, "no TLS with the admin API"),
                },
            }
            drop(place);
        });
    }
    drop(listener);
    if timeout(GOODBYE, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests to the admin API were cut off");
    }
}

async fn attend<S>(stream: S, router: Router, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection to the admin API ended");
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    // Answers are small and waited for.
    stream.set_nodelay(true)?;
    Ok((stream, peer, place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use std::net::SocketAddr;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        task::JoinHandle,
    };

    const HEAD: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n";

    async fn start() -> (SocketAddr, CancellationToken, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let router = Router::new().route("/", get(async || "well"));
        (address, shutdown.clone(), tokio::spawn(serve(listener, router, None, shutdown)))
    }

    async fn send(address: SocketAddr, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    /// What comes until the server closes.
    async fn read_all(mut stream: TcpStream) -> String {
        let mut text = String::new();
        let read = timeout(Duration::from_mins(1), stream.read_to_string(&mut text)).await;
        read.expect("the server closes").unwrap();
        text
    }

    #[tokio::test]
    async fn it_answers_and_stops() {
        let (address, shutdown, served) = start().await;
        let mut stream = send(address, &format!("{HEAD}\r\n")).await;
        let mut begin = [0; 15];
        stream.read_exact(&mut begin).await.unwrap();
        assert_eq!(&begin, b"HTTP/1.1 200 OK");
        shutdown.cancel();
        // The idle connection does not hold it up.
        timeout(GOODBYE, served).await.expect("stopped").unwrap();
        assert!(read_all(stream).await.ends_with("well"));
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn large_heads_are_refused() {
        let (address, _shutdown, _served) = start().await;
        let many = format!("{HEAD}{}\r\n", "X: y\r\n".repeat(MAX_HEADERS));
        let long = format!("{HEAD}X: {}", "y".repeat(MAX_HEAD));
        for head in [many, long] {
            let answer = read_all(send(address, &head).await).await;
            assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
        }
    }

    #[tokio::test]
    async fn slow_heads_and_idle_connections_are_closed() {
        let (address, _shutdown, _served) = start().await;
        let silent = send(address, "").await;
        let slow = send(address, HEAD).await;
        let mut idle = send(address, &format!("{HEAD}\r\n")).await;
        idle.read_exact(&mut [0; 15]).await.unwrap();
        // From now on the clock jumps to the next deadline whenever nothing else happens.
        tokio::time::pause();
        for stream in [silent, slow, idle] {
            read_all(stream).await;
        }
    }
}
