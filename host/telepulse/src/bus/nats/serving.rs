//! Requests of other nodes to what this node serves.

use super::{
    asking::{FULL, NOBODY, PART, PLUGIN, PRINCIPAL, REFUSED, TRACE, WITHIN},
    headers::unescaped,
    node::{Node, Out},
    parts,
};
use crate::bus::{Address, Headers, Incoming, requests::unanswered};
use async_nats::{HeaderMap, HeaderValue, Message, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{
        mpsc::{self, error::TrySendError},
        oneshot,
    },
    time::{timeout, timeout_at},
};

/// Of those who serve an address one gets a request.
const GROUP: &str = "telepulse";
/// Nobody waits longer for an answer, whatever the header says.
const LONGEST: Duration = Duration::from_mins(10);
/// How long requests may still come when nobody serves any more.
const DRAIN: Duration = Duration::from_secs(2);
/// Room for what headers say of a part.
const HEADERS: usize = 1024;

/// Takes the requests of other nodes to an address until nobody here serves it, or this node stops.
pub(super) async fn serve(node: Arc<Node>, address: Address, server: mpsc::Sender<Incoming>) {
    let subject = node.subjects.of(address.as_str());
    let requests = tokio::select! {
        () = node.closing.cancelled() => return,
        requests = node.client.queue_subscribe(subject, GROUP.to_owned()) => requests,
    };
    match requests {
        Ok(requests) => take(&node, requests, &server).await,
        Err(error) => tracing::error!(%error, %address, "other nodes' requests are not served"),
    }
}

async fn take(node: &Arc<Node>, mut requests: Subscriber, server: &mpsc::Sender<Incoming>) {
    loop {
        let message = tokio::select! {
            () = node.closing.cancelled() => break,
            () = server.closed() => break,
            message = requests.next() => message,
        };
        let Some(message) = message else { return };
        hand_over(node, message, server);
    }
    // Who has asked meanwhile is told that nobody is there. An error means that there is no connection.
    let _ = requests.drain().await;
    while let Ok(Some(message)) = timeout(DRAIN, requests.next()).await {
        hand_over(node, message, server);
    }
}

fn hand_over(node: &Arc<Node>, message: Message, server: &mpsc::Sender<Incoming>) {
    let Some(reply_to) = message.reply.map(|reply| reply.to_string()) else { return };
    // Without our headers it is nobody's request: they say on whose behalf.
    let Some(headers) = message.headers.as_ref().and_then(headers) else { return };
    let deadline = headers.deadline;
    let (reply, answer) = oneshot::channel();
    let refuse = |why: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(REFUSED, why);
        let (subject, payload) = (reply_to.clone(), Bytes::new());
        node.send(Out { subject, reply: None, headers, payload, deadline: Some(deadline) });
    };
    match server.try_send(Incoming { payload: message.payload, headers, reply }) {
        Err(TrySendError::Full(_)) => return refuse(FULL),
        Err(TrySendError::Closed(_)) => return refuse(NOBODY),
        Ok(()) => {}
    }
    let node = node.clone();
    let answering = node.answering.clone();
    answering.spawn(async move {
        let answer = tokio::select! {
            () = node.stop.cancelled() => return,
            answer = timeout_at(deadline, answer) => match answer {
                Ok(Ok(answer)) => answer,
                Ok(Err(_dropped)) => unanswered(),
                Err(_elapsed) => return,
            },
        };
        let parts = parts::split(answer, node.most.saturating_sub(HEADERS));
        let count = parts.len();
        for (index, payload) in parts.into_iter().enumerate() {
            let mut headers = HeaderMap::new();
            headers.insert(PART, parts::name(index, count));
            let subject = reply_to.clone();
            let out = Out { subject, reply: None, headers, payload, deadline: Some(deadline) };
            // An answer with a part missing is none: this task can wait for room.
            if !node.is_up() || !node.out.send(out).await {
                return;
            }
        }
    });
}

fn headers(written: &HeaderMap) -> Option<Headers> {
    let get = |name| written.get(name).map(HeaderValue::as_str);
    let within = Duration::from_millis(get(WITHIN)?.parse().ok()?).min(LONGEST);
    let principal = match get(PRINCIPAL) {
        // What cannot be read must not become the host's own request.
        Some(json) => Some(Arc::new(serde_json::from_str(json).ok()?)),
        None => None,
    };
    let text = |name| get(name).map(|value| Arc::<str>::from(unescaped(value)));
    let headers = Headers::within(within).on_behalf_of(principal).traced(text(TRACE));
    Some(match text(PLUGIN) {
        Some(plugin) => headers.from_plugin(plugin),
        None => headers,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_without_good_headers_is_nobodys() {
        let with = |pairs: &[(&str, &str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in pairs {
                map.insert(*name, *value);
            }
            headers(&map)
        };
        assert!(with(&[]).is_none());
        assert!(with(&[(WITHIN, "soon")]).is_none());
        assert!(with(&[(WITHIN, "10"), (PRINCIPAL, "{")]).is_none());
        let own = with(&[(WITHIN, "10")]).unwrap();
        assert!(own.principal.is_none() && own.plugin.is_none() && own.trace.is_none());
        let full =
            [(WITHIN, "99"), (PRINCIPAL, r#"{"name":"Änne"}"#), (PLUGIN, "a%20b"), (TRACE, "00-1")];
        let full = with(&full).unwrap();
        assert_eq!(full.principal.unwrap().name, "Änne");
        assert_eq!((full.plugin.as_deref(), full.trace.as_deref()), (Some("a b"), Some("00-1")));
    }
}
