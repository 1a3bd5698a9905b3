//! Messages that are no events: out of this node's queue, and from NATS to whoever subscribed here.

use super::{
    node::{Node, Out, count},
    outlet::Queued,
};
use crate::bus::is_event;
use async_nats::{Message, Subscriber};
use futures_util::StreamExt;
use std::sync::Arc;
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

/// The header that says which start of which node a message is from. What lacks it is none of ours.
pub(super) const FROM: &str = "Telepulse-From";
/// The header with the server that a message is about.
pub(super) const SERVER: &str = "Telepulse-Server";

/// Sends what is in the queue until stopped. What waits while NATS is away is let go: it would come late, and
/// a request would be carried out when nobody waits for it any more.
pub(super) async fn send_out(node: Arc<Node>, mut queue: mpsc::Receiver<Queued>) {
    loop {
        let queued = tokio::select! {
            () = node.stop.cancelled() => return,
            queued = queue.recv() => queued,
        };
        // It takes room until it is sent.
        let Some(Queued { out, room: _room }) = queued else { return };
        let Out { subject, reply, headers, payload, deadline } = out;
        if !node.is_up() || deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            count(&node.figures.messages_dropped);
            continue;
        }
        let sent = match reply {
            Some(reply) => {
                let client = &node.client;
                client.publish_with_reply_and_headers(subject, reply, headers, payload).await
            }
            None => node.client.publish_with_headers(subject, headers, payload).await,
        };
        if let Err(error) = sent {
            count(&node.figures.messages_dropped);
            tracing::warn!(%error, "a message cannot be sent to other nodes");
        }
    }
}

/// Hands over what comes by one subscription until stopped.
pub(super) async fn take_in(node: Arc<Node>, mut from: Subscriber, stop: CancellationToken) {
    loop {
        let message = tokio::select! {
            () = stop.cancelled() => break,
            message = from.next() => message,
        };
        let Some(message) = message else { return };
        hand_over(&node, message);
    }
    // An error means that there is no connection to tell it.
    let _ = from.unsubscribe().await;
}

fn hand_over(node: &Node, message: Message) {
    // What wants an answer is a request or an event of the stream, and goes other ways.
    if message.reply.is_some() {
        return;
    }
    let Some(headers) = message.headers.as_ref().filter(|headers| headers.get(FROM).is_some())
    else {
        return;
    };
    let Some(address) = node.subjects.address(&message.subject) else { return };
    if is_event(address.as_str()) {
        return;
    }
    let server = headers.get(SERVER).map(|it| super::headers::unescaped(it.as_str()).into());
    node.board.hand_over(&address, server.as_ref(), message.payload);
}
