//! Requests to addresses that another node serves.

use super::{
    headers::escaped,
    node::{Node, Out},
    parts::{self, Parts},
};
use crate::bus::{Address, Headers, RequestError};
use async_nats::{HeaderMap, Message, StatusCode, Subscriber};
use bytes::Bytes;
use futures_util::{StreamExt, future::BoxFuture};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

/// On whose behalf, as JSON.
pub(super) const PRINCIPAL: &str = "Telepulse-Principal";
/// Which plugin asks.
pub(super) const PLUGIN: &str = "Telepulse-Plugin";
/// For how many milliseconds the answer is waited for.
pub(super) const WITHIN: &str = "Telepulse-Within-Ms";
/// The span that it is asked from.
pub(super) const TRACE: &str = "traceparent";
/// Which part of an answer this is.
pub(super) const PART: &str = "Telepulse-Part";
/// Why there is no answer.
pub(super) const REFUSED: &str = "Telepulse-Refused";
/// There: too many requests wait.
pub(super) const FULL: &str = "full";
/// There: nobody serves the address any more.
pub(super) const NOBODY: &str = "nobody";

/// So many requests of this node may wait for other nodes.
const WAITING: usize = 4096;
/// Their answers that are not whole yet may have so many bytes.
const BYTES: usize = 512 << 20;
/// Room for what headers say.
const HEADERS: usize = 4096;

/// Requests that wait for their answers.
#[derive(Default)]
pub(super) struct Asked {
    waiting: Mutex<Waiting>,
    /// Where answers come to.
    pub(super) inbox: String,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    by_number: FxHashMap<u64, Pending>,
    /// What has come of all answers.
    bytes: usize,
}

struct Pending {
    parts: Parts,
    answer: oneshot::Sender<Result<Bytes, Refused>>,
}

/// What is said instead of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    Nobody,
    Full,
    Garbled,
}

impl Asked {
    pub(super) fn new(inbox: String) -> Self {
        Self { waiting: Mutex::default(), inbox }
    }

    fn enter(&self, answer: oneshot::Sender<Result<Bytes, Refused>>) -> Option<u64> {
        let mut waiting = self.waiting.lock();
        if waiting.by_number.len() >= WAITING {
            return None;
        }
        waiting.next += 1;
        let number = waiting.next;
        waiting.by_number.insert(number, Pending { parts: Parts::default(), answer });
        Some(number)
    }

    /// Takes what comes for a request.
    fn take(&self, message: Message) {
        let number = message.subject.rsplit('.').next().and_then(|it| it.parse().ok());
        let Some(number) = number else { return };
        let mut waiting = self.waiting.lock();
        let Some(outcome) = waiting.take(number, message, BYTES) else { return };
        if let Some(pending) = waiting.remove(number) {
            // Who waits no more needs no answer.
            let _ = pending.answer.send(outcome);
        }
    }
}

impl Waiting {
    /// What becomes of a request with what comes for it, if that is known then.
    fn take(
        &mut self,
        number: u64,
        message: Message,
        most: usize,
    ) -> Option<Result<Bytes, Refused>> {
        let parts = &mut self.by_number.get_mut(&number)?.parts;
        let before = parts.bytes();
        let outcome = outcome(parts, message);
        self.bytes += parts.bytes() - before;
        if outcome.is_none() && self.bytes > most { Some(Err(Refused::Full)) } else { outcome }
    }

    fn remove(&mut self, number: u64) -> Option<Pending> {
        let pending = self.by_number.remove(&number)?;
        self.bytes -= pending.parts.bytes();
        Some(pending)
    }
}

fn outcome(parts: &mut Parts, message: Message) -> Option<Result<Bytes, Refused>> {
    if message.status == Some(StatusCode::NO_RESPONDERS) {
        return Some(Err(Refused::Nobody));
    }
    let header = |name| message.headers.as_ref()?.get(name).map(|value| value.as_str().to_owned());
    match header(REFUSED).as_deref() {
        Some(FULL) => return Some(Err(Refused::Full)),
        Some(_) => return Some(Err(Refused::Nobody)),
        None => {}
    }
    let part = header(PART).and_then(|name| parts::read_name(&name)).unwrap_or((0, 1));
    parts.take(part.0, part.1, message.payload).map_err(|_| Refused::Garbled).transpose()
}

/// Takes the answers to this node's requests until stopped.
pub(super) async fn take_answers(node: Arc<Node>, mut answers: Subscriber) {
    loop {
        tokio::select! {
            () = node.stop.cancelled() => return,
            message = answers.next() => match message {
                Some(message) => node.asked.take(message),
                None => return,
            },
        }
    }
}

/// Forgets a request that nobody waits for any more.
struct Forget {
    node: Arc<Node>,
    number: u64,
}

impl Drop for Forget {
    fn drop(&mut self) {
        self.node.asked.waiting.lock().remove(self.number);
    }
}

/// Sends a request to whichever node serves its address, now; the future waits for the answer.
pub(super) fn ask(
    node: &Arc<Node>,
    address: &Address,
    payload: Bytes,
    headers: &Headers,
) -> BoxFuture<'static, Result<Bytes, RequestError>> {
    let to = address.to_string();
    let sent = send(node, address, payload, headers);
    let deadline = headers.deadline;
    Box::pin(async move {
        let (_forget, answer) = sent?;
        match timeout_at(deadline, answer).await {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(Refused::Full))) => Err(RequestError::Full(to)),
            Ok(Ok(Err(Refused::Nobody))) => Err(RequestError::NobodyServes(to)),
            // What was carried out is not known in either case.
            Ok(Ok(Err(Refused::Garbled)) | Err(_)) | Err(_) => Err(RequestError::Deadline(to)),
        }
    })
}

type Answer = oneshot::Receiver<Result<Bytes, Refused>>;

fn send(
    node: &Arc<Node>,
    address: &Address,
    payload: Bytes,
    headers: &Headers,
) -> Result<(Forget, Answer), RequestError> {
    let to = || address.to_string();
    if !node.is_up() {
        return Err(RequestError::NobodyServes(to()));
    }
    let said = written(headers);
    let room = node.most.saturating_sub(HEADERS + said.iter().map(|it| it.1.len()).sum::<usize>());
    if payload.len() > room {
        return Err(RequestError::TooLarge(to(), room));
    }
    let mut written = HeaderMap::new();
    for (name, value) in said {
        written.insert(name, value);
    }
    let (answer, receiver) = oneshot::channel();
    let number = node.asked.enter(answer).ok_or_else(|| RequestError::Full(to()))?;
    let forget = Forget { node: node.clone(), number };
    let out = Out {
        subject: node.subjects.of(address.as_str()),
        reply: Some(format!("{}.{number}", node.asked.inbox)),
        headers: written,
        payload,
        deadline: Some(headers.deadline),
    };
    if node.send(out) { Ok((forget, receiver)) } else { Err(RequestError::Full(to())) }
}

/// Never a time of day: clocks differ.
fn written(headers: &Headers) -> Vec<(&'static str, String)> {
    let Headers { principal, plugin, deadline, trace } = headers;
    let within = deadline.saturating_duration_since(Instant::now()).as_millis();
    let mut written = vec![(WITHIN, within.to_string())];
    let principal = principal.as_deref().map(serde_json::to_string);
    if let Some(Ok(principal)) = principal {
        written.push((PRINCIPAL, principal));
    }
    written.extend(plugin.as_deref().map(|plugin| (PLUGIN, escaped(plugin))));
    written.extend(trace.as_deref().map(|trace| (TRACE, escaped(trace))));
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(index: usize, count: usize, bytes: usize) -> Message {
        let mut headers = HeaderMap::new();
        headers.insert(PART, parts::name(index, count));
        let (payload, headers) = (vec![b'x'; bytes].into(), Some(headers));
        let (reply, status, description, length) = Default::default();
        Message { subject: "a".into(), reply, payload, headers, status, description, length }
    }

    #[test]
    fn what_has_come_of_all_answers_is_bounded() {
        let asked = Asked::new("a".to_owned());
        let enter = || asked.enter(oneshot::channel().0).unwrap();
        let (one, other) = (enter(), enter());
        let mut waiting = asked.waiting.lock();
        assert_eq!(waiting.take(one, part(0, 60_000, 600), 1_000), None);
        assert_eq!(waiting.take(one, part(0, 60_000, 600), 1_000), None, "twice is once");
        assert_eq!(waiting.take(other, part(0, 2, 600), 1_000), Some(Err(Refused::Full)));
        assert_eq!(waiting.take(9, part(0, 2, 600), 1_000), None, "nobody asked");
        assert_eq!(waiting.bytes, 1_200);
        waiting.remove(other);
        assert_eq!(waiting.bytes, 600);
        waiting.remove(one);
        assert_eq!(waiting.bytes, 0);
        drop(waiting);
        let small = enter();
        let mut waiting = asked.waiting.lock();
        let whole = waiting.take(small, part(0, 1, 5_000), 1_000);
        assert_eq!(whole, Some(Ok(vec![b'x'; 5_000].into())), "it is whole and goes at once");
    }
}
