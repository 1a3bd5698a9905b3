//! Takes requests off the bus, answers each in a task of its own, and never more than a bounded
//! number at a time.

use super::{commands::Desk, note::say_who, queries, raw};
use crate::{
    bus::{Address, AlreadyServed, Bus, Headers, Incoming},
    history::History,
    proxy::Registry,
    telemetry::{Name, Span, Tracer, key},
};
use bytes::Bytes;
use serde_json::{Map, Value};
use std::{future::Future, sync::Arc};
use telepulse_language::{Code, Refusal, Reply};
use tokio::{
    sync::{Semaphore, mpsc},
    time::timeout_at,
};
use tokio_util::sync::CancellationToken;

/// Requests of one address that may wait to be taken.
const WAITING: usize = 1024;
/// Requests of one address that may be in work.
const IN_WORK: usize = 1024;

/// Serves `telepulse.proxy.command`, and where this is the core `telepulse.command`, `telepulse.query` and
/// `telepulse.proxy.action`, until stopped.
pub(crate) fn start(
    bus: &Arc<dyn Bus>,
    desk: &Desk,
    history: &History,
    stop: &CancellationToken,
    is_core: bool,
) -> Result<(), AlreadyServed> {
    let bind = |tokens: &[&str]| -> Result<mpsc::Receiver<Incoming>, AlreadyServed> {
        let address = Address::build(tokens).map_err(|_| AlreadyServed)?;
        bus.serve(&address, WAITING)
    };
    let registry = &desk.registry;
    let proxy = bind(&["telepulse", "proxy", "command"])?;
    let (links, tracer) = (registry.clone(), desk.tracer.clone());
    spawn(proxy, stop, move |headers, bytes| {
        let (links, tracer) = (links.clone(), tracer.clone());
        async move { reply(Value::Null, manage(&links, &tracer, &headers, &bytes)).await }
    });
    if !is_core {
        return Ok(());
    }
    let command = bind(&["telepulse", "command"])?;
    let query = bind(&["telepulse", "query"])?;
    let action = bind(&["telepulse", "proxy", "action"])?;
    let orders = desk.clone();
    spawn(command, stop, move |headers, bytes| {
        let desk = orders.clone();
        async move { desk.answer(&headers, &bytes).await }
    });
    let (links, history, stream) = (registry.clone(), history.clone(), bus.clone());
    spawn(query, stop, move |headers, bytes| {
        let (links, history, bus) = (links.clone(), history.clone(), stream.clone());
        async move { queries::answer(&links, &history, bus.as_ref(), &headers, &bytes).await }
    });
    let orders = desk.clone();
    spawn(action, stop, move |headers, bytes| {
        let desk = orders.clone();
        async move { raw::answer(&desk, &headers, &bytes).await }
    });
    Ok(())
}

/// Does one proxy command. One that only asks is asked all the time, and is no part of a trace.
async fn manage(
    links: &Registry,
    tracer: &Tracer,
    headers: &Headers,
    bytes: &[u8],
) -> Result<Value, Refusal> {
    let fields: Map<String, Value> = telepulse_language::object(bytes)?;
    let command = fields.get("command").and_then(Value::as_str).unwrap_or_default();
    let mut span = match command {
        "list" => Span::default(),
        _ => tracer.asked(Name::Command("proxy.command"), headers.trace.as_deref()),
    };
    say_who(&mut span, headers, || format!("proxy.command:{command}"));
    let result = links.command(headers, fields).await;
    if let Err(refusal) = &result {
        span.refuse(refusal);
    }
    span.say(key::OUTCOME, result.as_ref().map_or_else(|refusal| refusal.code.word(), |_| "done"));
    result
}

/// Wraps an outcome as a language reply with the request's id.
pub(super) async fn reply(
    id: Value,
    outcome: impl Future<Output = Result<Value, Refusal>>,
) -> Bytes {
    Reply { id, outcome: outcome.await }.to_bytes().into()
}

fn spawn<F, A>(mut requests: mpsc::Receiver<Incoming>, stop: &CancellationToken, answer: F)
where
    F: Fn(Headers, Bytes) -> A + Send + Sync + 'static,
    A: Future<Output = Bytes> + Send + 'static,
{
    let stop = stop.clone();
    let answer = Arc::new(answer);
    let room = Arc::new(Semaphore::new(IN_WORK));
    tokio::spawn(async move {
        loop {
            let incoming = tokio::select! {
                () = stop.cancelled() => return,
                incoming = requests.recv() => incoming,
            };
            let Some(Incoming { payload, headers, reply }) = incoming else { return };
            // The semaphore is never closed.
            let Ok(place) = room.clone().acquire_owned().await else { return };
            let answer = answer.clone();
            tokio::spawn(async move {
                let deadline = headers.deadline;
                let answered = match timeout_at(deadline, answer(headers, payload)).await {
                    Ok(bytes) => bytes,
                    Err(_) => late(),
                };
                // Whoever asked may have gone.
                drop(reply.send(answered));
                drop(place);
            });
        }
    });
}

fn late() -> Bytes {
    let refusal = Refusal::new(Code::Timeout, "no answer within the deadline");
    Reply { id: Value::Null, outcome: Err(refusal) }.to_bytes().into()
}
