//! One connection to Redis.

use super::link::said;
use crate::{config::Redis, tls};
use redis::{
    AsyncConnectionConfig, ErrorKind, RedisConnectionInfo, RedisError, aio::MultiplexedConnection,
    cmd,
};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinHandle,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{ClientConfig, pki_types::ServerName},
};

/// After so long without a word the system asks whether the other side is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// A connection, and the task that reads and writes it. Dropped, it is closed: nobody waits for what
/// Redis still owes.
pub(super) struct Line {
    connection: MultiplexedConnection,
    driver: JoinHandle<()>,
    is_given_up: AtomicBool,
}

impl Line {
    /// Connects and logs in. The error says what Redis is or does instead.
    pub(super) async fn open(
        redis: &Redis,
        trusted: Option<&Arc<ClientConfig>>,
    ) -> Result<Self, String> {
        let socket = tcp(redis).await.map_err(|error| format!("is away ({})", plain(&error)))?;
        if redis.is_encrypted {
            let socket = encrypt(redis, trusted, socket).await;
            let socket = socket.map_err(|why| format!("is not reached by TLS ({why})"))?;
            Self::greet(redis, socket).await
        } else {
            Self::greet(redis, socket).await
        }
    }

    async fn greet<S>(redis: &Redis, socket: S) -> Result<Self, String>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        // Deadlines are the caller's.
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let opened = MultiplexedConnection::new_with_config(&login(redis), socket, config).await;
        let (mut connection, driver) = opened.map_err(|error| unready(&error))?;
        let line = Self {
            connection: connection.clone(),
            driver: tokio::spawn(driver),
            is_given_up: AtomicBool::new(false),
        };
        // One that still reads its file, or wants a password, says so now.
        let ready: Result<(), RedisError> = cmd("PING").exec_async(&mut connection).await;
        ready.map(|()| line).map_err(|error| unready(&error))
    }

    pub(super) fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }

    /// Whether it can still be used.
    pub(super) fn is_good(&self) -> bool {
        !self.is_given_up.load(Ordering::Relaxed) && !self.driver.is_finished()
    }

    /// Nothing new is sent on it; who has sent something may wait.
    pub(super) fn give_up(&self) {
        self.is_given_up.store(true, Ordering::Relaxed);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

fn unready(error: &RedisError) -> String {
    match error.kind() {
        ErrorKind::AuthenticationFailed => "takes no such user and password".to_owned(),
        _ => format!("is not ready ({})", said(error)),
    }
}

fn login(redis: &Redis) -> RedisConnectionInfo {
    let mut login = RedisConnectionInfo::default().set_db(redis.db.into());
    if let Some(user) = &redis.user {
        login = login.set_username(user);
    }
    if let Some(password) = &redis.password {
        login = login.set_password(password.expose());
    }
    login
}

async fn tcp(redis: &Redis) -> io::Result<TcpStream> {
    let socket = TcpStream::connect((redis.host.as_str(), redis.port)).await?;
    // Commands are short and must not wait for each other.
    socket.set_nodelay(true)?;
    // A firewall that forgets the connection is noticed while nobody needs it.
    rustix::net::sockopt::set_socket_keepalive(&socket, true)?;
    rustix::net::sockopt::set_tcp_keepidle(&socket, KEEP_ALIVE)?;
    Ok(socket)
}

async fn encrypt(
    redis: &Redis,
    trusted: Option<&Arc<ClientConfig>>,
    socket: TcpStream,
) -> Result<TlsStream<TcpStream>, String> {
    let config = match trusted {
        Some(config) => Arc::clone(config),
        None => Arc::new(machine()?),
    };
    let name = ServerName::try_from(redis.host.clone()).map_err(|error| error.to_string())?;
    let socket = TlsConnector::from(config).connect(name, socket).await;
    socket.map_err(|error| error.to_string())
}

/// Read anew for each connection: what this machine trusts changes while we run.
fn machine() -> Result<ClientConfig, String> {
    let roots = tls::machine_roots()
        .ok_or("this machine trusts no certificate authority; SSL_CERT_FILE names one")?;
    Ok(tls::builder(roots)?.with_no_client_auth())
}

/// An error of a socket in words, without its number.
fn plain(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(_) => error.kind().to_string(),
        None => error.to_string(),
    }
}
