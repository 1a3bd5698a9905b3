//! `telepulse.query`: asks every server's task for its part and puts the parts together, cut to what
//! the principal may see.

use super::serve::reply;
use crate::{
    bus::{Bus, Headers, Stand},
    history::{self, History},
    proxy::{Ask, LinkHandle, Part, Registry},
};
use bytes::Bytes;
use futures_util::future::join_all;
use serde::Serialize;
use serde_json::{Value, json};
use telepulse_language::{
    Code, Device, Filter, Principal, Query, QueryKind, QueryResult, Refusal, Server, Snapshot,
};
use tokio::sync::oneshot;

/// So often a query is run while the event stream is made anew.
const ATTEMPTS: usize = 2;

/// Answers one query with a reply whose result is a [`QueryResult`].
pub(super) async fn answer(
    registry: &Registry,
    history: &History,
    bus: &dyn Bus,
    headers: &Headers,
    bytes: &[u8],
) -> Bytes {
    let mut fields = match telepulse_language::object(bytes) {
        Ok(fields) => fields,
        Err(refusal) => return reply(Value::Null, async { Err(refusal) }).await,
    };
    let id = fields.remove("id").unwrap_or(Value::Null);
    reply(id, async {
        let query = Query::from_fields(fields)?;
        let who = headers.principal.as_deref();
        if who.is_some_and(Principal::is_anonymous) {
            return Err(Refusal::new(Code::Unauthorized, "log in first"));
        }
        let result = match query.query {
            QueryKind::EndedCalls => ended(history, bus, who, &query).await?,
            QueryKind::Devices => devices(registry, bus, who, &query.filter).await,
            _ => run(registry, bus, who, &query).await?,
        };
        serde_json::to_value(result)
            .map_err(|error| Refusal::new(Code::Internal, format!("the answer: {error}")))
    })
    .await
}

/// Calls that are over are not in any model.
async fn ended(
    history: &History,
    bus: &dyn Bus,
    who: Option<&Principal>,
    query: &Query,
) -> Result<QueryResult, Refusal> {
    let Stand { epoch, seq, .. } = bus.stream().stand();
    let history::Part { items, next } = history.page(query, who).await?;
    Ok(QueryResult { seq, epoch: epoch.to_string(), items, next, parts: Vec::new() })
}

/// What ARI tells is no part of the event stream: the answer is true as of now.
async fn devices(
    registry: &Registry,
    bus: &dyn Bus,
    who: Option<&Principal>,
    filter: &Filter,
) -> QueryResult {
    let Stand { epoch, seq, .. } = bus.stream().stand();
    let links = asked(registry, filter);
    let parts = join_all(links.iter().map(|link| link.devices(filter.clone()))).await;
    let may_see = |device: &Device| {
        who.is_none_or(|who| who.may_see(Some(&device.server), Some(&device.agent), None))
    };
    let items = values(parts.into_iter().flatten().filter(may_see).collect());
    QueryResult { seq, epoch: epoch.to_string(), items, next: None, parts: Vec::new() }
}

/// The servers that a filter lets through.
fn asked(registry: &Registry, filter: &Filter) -> Vec<LinkHandle> {
    let wanted = |id: &str| filter.servers.as_ref().is_none_or(|servers| servers.contains(id));
    let links = registry.links();
    links.values().filter(|link| wanted(&link.server.id)).cloned().collect()
}

async fn run(
    registry: &Registry,
    bus: &dyn Bus,
    who: Option<&Principal>,
    query: &Query,
) -> Result<QueryResult, Refusal> {
    for _ in 0..ATTEMPTS {
        // Read before any part: the whole is true at least up to here.
        let before = bus.stream().stand();
        let generation = before.generation;
        let result = result(registry, before, who, query).await?;
        // Numbers of another stream mean nothing in this one.
        if bus.stream().stand().generation == generation {
            return Ok(result);
        }
    }
    let why = "the event stream is made anew just now; try again later";
    Err(Refusal::new(Code::ServerUnavailable, why))
}

async fn result(
    registry: &Registry,
    Stand { epoch, seq: floor, .. }: Stand,
    who: Option<&Principal>,
    query: &Query,
) -> Result<QueryResult, Refusal> {
    let links = asked(registry, &query.filter);
    let parts = if query.query == QueryKind::Servers {
        Vec::new()
    } else {
        join_all(links.iter().cloned().map(|link| part(link, query.clone()))).await
    };
    let parts: Vec<_> = parts.into_iter().collect::<Result<_, _>>()?;
    let servers = links.iter().map(|link| link.status.borrow().item(&link.server.id)).collect();
    let (whole, parts) = merge(parts.into_iter().flatten().collect(), servers);
    let whole = match who {
        Some(who) => call_model::cut(whole, who),
        None => whole,
    };
    let seq = parts.iter().map(|(_, seq)| *seq).min().unwrap_or(floor).max(floor);
    Ok(QueryResult {
        seq,
        epoch: epoch.to_string(),
        items: items(query.query, whole),
        next: None,
        parts: if query.query == QueryKind::Snapshot { parts } else { Vec::new() },
    })
}

/// None where the server is asked too much, or was stopped.
async fn part(link: LinkHandle, query: Query) -> Result<Option<Part>, Refusal> {
    let (reply, answer) = oneshot::channel();
    if link.ask(Ask::Query { query, reply }).is_err() {
        return Ok(None);
    }
    match answer.await {
        Ok(part) => Ok(Some(part)),
        Err(_) if link.asks.is_closed() => Ok(None),
        Err(_) if !link.is_here() => {
            let id = &link.server.id;
            let why =
                format!("server {id:?} is at another node, which does not answer; try again later");
            Err(Refusal::new(Code::ServerUnavailable, why))
        }
        // The bus lets no more wait for it.
        Err(_) => {
            let why = "too many queries wait for the event stream; try again later";
            Err(Refusal::new(Code::TooManyRequests, why))
        }
    }
}

fn merge(parts: Vec<Part>, servers: Vec<Server>) -> (Snapshot, Vec<(String, u64)>) {
    let mut whole = Snapshot { servers, ..Snapshot::default() };
    let mut seqs = Vec::new();
    for Part { server, seq, items } in parts {
        seqs.push((server, seq));
        whole.lines.extend(items.lines);
        whole.users.extend(items.users);
        whole.queues.extend(items.queues);
        whole.agents.extend(items.agents);
        whole.calls.extend(items.calls);
        whole.parked.extend(items.parked);
        whole.conferences.extend(items.conferences);
    }
    (whole, seqs)
}

fn items(kind: QueryKind, whole: Snapshot) -> Vec<Value> {
    match kind {
        QueryKind::Calls => values(whole.calls),
        QueryKind::Lines => values(whole.lines),
        QueryKind::Users => values(whole.users),
        QueryKind::Queues => values(whole.queues),
        QueryKind::Agents => values(whole.agents),
        QueryKind::Parked => values(whole.parked),
        QueryKind::Conferences => values(whole.conferences),
        QueryKind::Servers => values(whole.servers),
        QueryKind::Snapshot => vec![json!(whole)],
        // Answered by the history, and by ARI.
        QueryKind::EndedCalls | QueryKind::Devices => Vec::new(),
    }
}

fn values<T: Serialize>(items: Vec<T>) -> Vec<Value> {
    items.into_iter().map(|item| json!(item)).collect()
}
