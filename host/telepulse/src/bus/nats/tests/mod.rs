//! Several nodes on a real NATS, which comes and goes.

mod clustered;
mod credentials;
mod encrypted;
mod events;
mod messages;
mod server;
mod start;

pub(crate) use server::NatsServer;

use super::{NatsBus, Room};
use crate::{
    bus::Bus,
    config::{Nats, NatsLogin, NatsServer as Place},
    wait::{PATIENCE, until},
};
use std::{sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};

impl NatsServer {
    pub(crate) fn settings(&self) -> Nats {
        let (host, port) = ("127.0.0.1".to_owned(), self.port());
        Nats {
            servers: vec![Place { host, port, is_encrypted: false }],
            prefix: None,
            login: NatsLogin::None,
            ca: None,
            identity: None,
            bytes: 64 << 20,
            age: Duration::from_hours(1),
            replicas: 1,
            on_disk: true,
        }
    }
}

async fn node(server: &NatsServer, name: &str) -> Arc<NatsBus> {
    NatsBus::start(&server.settings(), name, 10_000).await.unwrap()
}

/// Two nodes that know of each other.
async fn two(server: &NatsServer) -> (Arc<NatsBus>, Arc<NatsBus>) {
    let (one, other) = (node(server, "one").await, node(server, "other").await);
    until("each other", || [&one, &other].iter().all(|it| it.condition().unwrap().nodes == 1))
        .await;
    (one, other)
}
