//! The task that tells other nodes what is wanted here, hears what they want, and listens for just that.

use super::{
    interest::{HEARTBEAT, Wants},
    messages,
    node::Node,
    subjects::stems,
};
use async_nats::{Message, Subscriber};
use futures_util::StreamExt;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How often it is looked who has fallen silent.
const TICK: Duration = Duration::from_secs(1);

pub(super) struct Telling {
    node: Arc<Node>,
    others: Subscriber,
    changes: watch::Receiver<u64>,
    /// What is listened to; dropped, the listening ends.
    listening: BTreeMap<String, DropGuard>,
    /// What was told last, and when.
    told: Vec<String>,
    at: Instant,
}

impl Telling {
    pub(super) fn new(node: Arc<Node>, others: Subscriber) -> Self {
        let mut changes = node.board.changes().subscribe();
        changes.mark_changed();
        let (listening, told) = (BTreeMap::new(), Vec::new());
        Self { node, others, changes, listening, told, at: Instant::now() }
    }

    /// Until stopped; then the others are told.
    pub(super) async fn run(mut self) {
        let node = self.node.clone();
        let mut connection = node.connection.clone();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.tell(true).await;
        loop {
            tokio::select! {
                () = node.stop.cancelled() => break,
                changed = self.changes.changed() => match changed {
                    Ok(()) => self.changed().await,
                    Err(_) => break,
                },
                message = self.others.next() => match message {
                    Some(message) => self.hear(&message).await,
                    None => break,
                },
                changed = connection.changed() => match changed {
                    // Whoever came or went meanwhile was not heard.
                    Ok(()) => if connection.borrow_and_update().is_up { self.tell(true).await },
                    Err(_) => break,
                },
                _ = tick.tick() => {
                    node.change_peers(|peers| peers.forget(Instant::now()));
                    if self.at.elapsed() >= HEARTBEAT {
                        self.tell(false).await;
                    }
                }
            }
        }
        self.say(&Wants { node: node.name.to_string(), leaves: true, ..Wants::default() }).await;
    }

    /// Somebody here subscribed or went, or another node wants something else.
    async fn changed(&mut self) {
        let patterns = self.node.board.patterns();
        self.listen(stems(&patterns)).await;
        let patterns: Vec<String> = patterns
            .iter()
            .filter(|pattern| !crate::bus::is_event(pattern.as_str()))
            .map(|pattern| pattern.as_str().to_owned())
            .collect();
        if patterns != self.told {
            self.told = patterns;
            self.tell(false).await;
        }
    }

    async fn listen(&mut self, stems: std::collections::BTreeSet<String>) {
        // First the new ones: so nothing is missed between.
        for stem in &stems {
            if self.listening.contains_key(stem) {
                continue;
            }
            let stop = self.node.stop.child_token();
            for subject in self.node.subjects.below(stem) {
                self.subscribe(subject, &stop).await;
            }
            self.listening.insert(stem.clone(), stop.drop_guard());
        }
        self.listening.retain(|stem, _| stems.contains(stem));
    }

    async fn subscribe(&self, subject: String, stop: &CancellationToken) {
        match self.node.client.subscribe(subject).await {
            Ok(subscriber) => {
                tokio::spawn(messages::take_in(self.node.clone(), subscriber, stop.clone()));
            }
            Err(error) => tracing::error!(%error, "other nodes' messages are not heard"),
        }
    }

    async fn hear(&mut self, message: &Message) {
        let Ok(told) = serde_json::from_slice::<Wants>(&message.payload) else { return };
        if told.node == *self.node.name {
            return;
        }
        self.node.change_peers(|peers| peers.hear(&told, Instant::now()));
        if told.asks {
            self.tell(false).await;
        }
    }

    async fn tell(&mut self, asks: bool) {
        self.at = Instant::now();
        let (node, patterns) = (self.node.name.to_string(), self.told.clone());
        self.say(&Wants { node, patterns, asks, leaves: false }).await;
    }

    async fn say(&self, wants: &Wants) {
        // While NATS is away it would come late; and when it is back all is told anew.
        if !self.node.is_up() {
            return;
        }
        let Ok(payload) = serde_json::to_vec(wants) else { return };
        let subject = self.node.subjects.node(&self.node.name);
        if let Err(error) = self.node.client.publish(subject, payload.into()).await {
            tracing::warn!(%error, "other nodes do not hear what is wanted here");
        }
    }
}
