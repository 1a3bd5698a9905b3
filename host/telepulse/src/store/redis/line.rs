//! One connection to Redis.

use crate::{
    config::Redis,
    store::link::{Fault, Server},
    tls,
};
use redis::{
    AsyncConnectionConfig, ErrorKind, RedisConnectionInfo, RedisError, ServerErrorKind,
    aio::MultiplexedConnection, cmd,
};
use std::{fmt, io, sync::Arc, time::Duration};
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

/// A Redis, and whom we trust; `None`: whom this machine trusts.
pub(super) struct Trusted {
    pub(super) redis: Redis,
    pub(super) authorities: Option<Arc<ClientConfig>>,
}

/// A connection, and the task that reads and writes it.
pub(super) struct Line {
    connection: MultiplexedConnection,
    driver: JoinHandle<()>,
}

impl fmt::Display for Trusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redis at {}", self.redis)
    }
}

impl Server for Trusted {
    type Line = Line;

    async fn open(&self) -> Result<Line, String> {
        let redis = &self.redis;
        let socket = tcp(redis).await.map_err(|error| format!("is away ({})", plain(&error)))?;
        if redis.is_encrypted {
            let socket = encrypt(redis, self.authorities.as_ref(), socket).await;
            let socket = socket.map_err(|why| format!("is not reached by TLS ({why})"))?;
            Line::greet(redis, socket).await
        } else {
            Line::greet(redis, socket).await
        }
    }

    fn is_good(line: &Line) -> bool {
        !line.driver.is_finished()
    }

    fn shown(&self, text: String) -> String {
        match &self.redis.password {
            Some(password) => text.replace(password.expose(), "…"),
            None => text,
        }
    }
}

impl Line {
    async fn greet<S>(redis: &Redis, socket: S) -> Result<Self, String>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        // Deadlines are the caller's.
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let opened = MultiplexedConnection::new_with_config(&login(redis), socket, config).await;
        let (mut connection, driver) = opened.map_err(|error| unready(&error))?;
        let line = Self { connection: connection.clone(), driver: tokio::spawn(driver) };
        // One that still reads its file, or wants a password, says so now.
        let ready: Result<(), RedisError> = cmd("PING").exec_async(&mut connection).await;
        ready.map(|()| line).map_err(|error| unready(&error))
    }

    pub(super) fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// What an error means for the operation and for the connection.
pub(super) fn fault(error: &RedisError) -> Fault {
    match error.kind() {
        // Another may have become the master, at the same address.
        ErrorKind::Server(ServerErrorKind::ReadOnly) => Fault::Useless(said(error)),
        ErrorKind::Server(_) | ErrorKind::Extension => Fault::Refused(said(error)),
        _ => Fault::Broke(error.to_string()),
    }
}

/// What a server said.
fn said(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {}", detail.trim_end_matches('.')),
        _ => error.to_string(),
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
