//! The connection to NATS: how it is made, what is told of it, and never a secret in what is told.

use super::{
    StartError,
    complaint::Complaint,
    node::{Connection, Figures, count},
};
use crate::{config::Nats, nats};
use async_nats::{Client, ConnectOptions, Event, ServerError, connection::State};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

/// Between two attempts to come back.
const PAUSE: Duration = Duration::from_millis(250);
/// How often it is looked whether we have heard all.
const LOOK: Duration = Duration::from_secs(1);
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
    let held = connection.clone();
    let options =
        options(settings).await?.name(format!("telepulse {node}")).event_callback(move |event| {
            happened(&event, &connection, &figures, &told);
            std::future::ready(())
        });
    let servers = nats::places(settings);
    let client = options.connect(&servers[..]).await.map_err(|error| {
        let places = servers.join(", ");
        if nats::is_refusal(error.kind()) {
            return StartError::Refused(places);
        }
        // It names the place at most; what we log in with is no part of it.
        StartError::Away { places, why: error.to_string() }
    })?;
    tokio::spawn(look_after(client.clone(), held));
    let info = client.server_info();
    if !info.auth_required && !info.tls_required {
        tracing::warn!(
            "NATS asks nobody who they are: whoever reaches it can hear all and order calls"
        );
    }
    Ok((client, receiver))
}

async fn options(settings: &Nats) -> Result<ConnectOptions, StartError> {
    Ok(nats::options(settings)
        .await?
        .no_echo()
        .subscription_capacity(BEHIND)
        .reconnect_delay_callback(|attempts| if attempts <= 1 { Duration::ZERO } else { PAUSE }))
}

/// Puts right what we hold of the connection until nobody wants to know it: the client drops what it has to
/// tell when it has much to tell.
async fn look_after(client: Client, connection: Arc<watch::Sender<Connection>>) {
    let mut was_wrong = false;
    loop {
        tokio::select! {
            () = connection.closed() => return,
            () = sleep(LOOK) => {}
        }
        let is_up = client.connection_state() == State::Connected;
        was_wrong = correct(&connection, is_up, was_wrong);
    }
}

/// What was wrong a while ago already will not be told any more. Whether it is wrong now.
fn correct(connection: &watch::Sender<Connection>, is_up: bool, was_wrong: bool) -> bool {
    let is_wrong = connection.borrow().is_up != is_up;
    if !(is_wrong && was_wrong) {
        return is_wrong;
    }
    tracing::warn!(is_up, "the state of the connection to NATS was not told");
    connection.send_modify(|now| {
        now.is_up = is_up;
        now.times += u64::from(is_up);
    });
    false
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_told_is_put_right_after_a_while() {
        let (connection, now) = watch::channel(Connection { is_up: false, times: 3 });
        let connection = &connection;
        assert!(!correct(connection, false, false));
        assert!(correct(connection, true, false), "it may be on its way");
        assert!(!correct(connection, false, true), "it came");
        assert_eq!(*now.borrow(), Connection { is_up: false, times: 3 });
        assert!(!correct(connection, true, true));
        assert_eq!(*now.borrow(), Connection { is_up: true, times: 4 }, "all begins anew");
        assert!(!correct(connection, false, true));
        assert_eq!(*now.borrow(), Connection { is_up: false, times: 4 });
    }
}
