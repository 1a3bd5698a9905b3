//! The bus, and this node among the others on it.

use super::{StartError, epoch};
use crate::{
    admin,
    bus::{Bus, LocalBus, NatsBus},
    cluster::Cluster,
    config::{self, NodeRole},
    tls::Acceptor,
};
use std::{sync::Arc, time::Duration};
use tokio::net::TcpListener;

/// How long to wait before a bus that cannot be had is tried again.
const BUS_AGAIN: Duration = Duration::from_secs(2);

/// The bus, and the other nodes on it.
pub(super) struct Joined {
    pub(super) bus: Arc<dyn Bus>,
    pub(super) cluster: Cluster,
}

/// The bus as the configuration wants it. Where it cannot be had it is tried again and again: telephony goes
/// on without us, and NATS may come later than we do. Meanwhile `/readyz` tells.
pub(super) async fn join(
    settings: &config::Bus,
    node: &config::Node,
    (listener, tls): (&TcpListener, Option<Acceptor>),
) -> Result<Joined, StartError> {
    let Some(nats) = &settings.nats else {
        let bus = LocalBus::new(epoch(), settings.history);
        return Ok(Joined { bus, cluster: Cluster::alone() });
    };
    let wait = admin::Waiting::begin(listener, tls).map_err(StartError::Waiting)?;
    let bus = loop {
        match NatsBus::start(nats, &node.name, settings.history).await {
            Ok(bus) => break bus,
            Err(error) => {
                tracing::error!("waiting for the bus: {error}");
                tokio::time::sleep(BUS_AGAIN).await;
            }
        }
    };
    wait.end().await;
    let cluster = Cluster::join(&bus, nats, &node.name, node.has(NodeRole::Proxy));
    Ok(Joined { bus, cluster })
}
