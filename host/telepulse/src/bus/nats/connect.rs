//! The connection to NATS: how it is made, what is told of it, and never a secret in what is told.

use super::{
    StartError,
    complaint::Complaint,
    node::{Connection, Figures, count},
};
use crate::config::{Nats, NatsLogin};
use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, ServerError};
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::Instant};

/// How long one attempt may take.
const WITHIN: Duration = Duration::from_secs(5);
/// How often it is asked whether NATS lives: twice without an answer, and it is dead.
const PING: Duration = Duration::from_secs(5);
/// Between two attempts to come back.
const PAUSE: Duration = Duration::from_millis(250);
/// A subscription may fall so many messages behind.
const BEHIND: usize = 65_536;

/// Connects; what happens to the connection later is told by the receiver.
pub(super) async fn connect(
    settings: &Nats,
    node: &str,
    figures: &Arc<Figures>,
) -> Result<(Client, watch::Receiver<Connection>), StartError> {
    let (connection, receiver) = watch::channel(Connection { is_up: true, times: 1 });
    let (figures, told) = (figures.clone(), Arc::new(Complaint::default()));
    let connection = Arc::new(connection);
    let options =
        options(settings).await?.name(format!("telepulse {node}")).event_callback(move |event| {
            happened(&event, &connection, &figures, &told);
            std::future::ready(())
        });
    let servers: Vec<String> = settings.servers.iter().map(ToString::to_string).collect();
    let places = || servers.join(", ");
    let client = options.connect(&servers[..]).await.map_err(|error| {
        let why = match error.kind() {
            ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
                return StartError::Refused(places());
            }
            // It names the place at most; what we log in with is no part of it.
            _ => error.to_string(),
        };
        StartError::Away { places: places(), why }
    })?;
    let info = client.server_info();
    if !info.auth_required && !info.tls_required {
        tracing::warn!(
            "NATS asks nobody who they are: whoever reaches it can hear all and order calls"
        );
    }
    Ok((client, receiver))
}

async fn options(settings: &Nats) -> Result<ConnectOptions, StartError> {
    let options = match &settings.login {
        NatsLogin::None => ConnectOptions::new(),
        NatsLogin::Password { user, password } => {
            ConnectOptions::with_user_and_password(user.clone(), password.expose().to_owned())
        }
        NatsLogin::Token(token) => ConnectOptions::with_token(token.expose().to_owned()),
        NatsLogin::File(path) => {
            let read = ConnectOptions::with_credentials_file(path).await;
            read.map_err(|error| StartError::Credentials { path: path.clone(), error })?
        }
    };
    let must_encrypt = settings.ca.is_some()
        || settings.identity.is_some()
        || settings.servers.iter().any(|server| server.is_encrypted);
    let mut options = options
        .no_echo()
        .require_tls(must_encrypt)
        .connection_timeout(WITHIN)
        .ping_interval(PING)
        .subscription_capacity(BEHIND)
        .reconnect_delay_callback(|attempts| if attempts <= 1 { Duration::ZERO } else { PAUSE });
    if let Some(ca) = &settings.ca {
        options = options.add_root_certificates(ca.clone());
    }
    if let Some((cert, key)) = &settings.identity {
        options = options.add_client_certificate(cert.clone(), key.clone());
    }
    Ok(options)
}

fn happened(
    event: &Event,
    connection: &watch::Sender<Connection>,
    figures: &Figures,
    told: &Complaint,
) {
    match event {
        Event::Connected => {
            let first = |now: &Connection| now.is_up && now.times == 1;
            let is_first = first(&connection.borrow());
            if !is_first {
                tracing::info!("NATS is back");
                connection.send_modify(|now| (now.is_up, now.times) = (true, now.times + 1));
            }
        }
        Event::Disconnected | Event::Closed => {
            tracing::warn!("NATS is away: events wait");
            connection.send_modify(|now| now.is_up = false);
        }
        Event::SlowConsumer(_) => {
            count(&figures.slow);
            if let Some(dropped) = figures.slow_complaint.add(1, Instant::now()) {
                tracing::warn!(
                    dropped,
                    "we are too slow for NATS: messages of other nodes are lost"
                );
            }
        }
        Event::ServerError(error) => {
            let what = match error {
                ServerError::AuthorizationViolation => "we may not log in".to_owned(),
                other => other.to_string(),
            };
            if told.add(1, Instant::now()).is_some() {
                tracing::error!("NATS: {what}");
            }
        }
        Event::ClientError(error) => {
            if let Some(times) = told.add(1, Instant::now()) {
                tracing::warn!(times, "NATS cannot be reached: {error}");
            }
        }
        Event::LameDuckMode | Event::Draining => tracing::info!("NATS: {event}"),
    }
}
