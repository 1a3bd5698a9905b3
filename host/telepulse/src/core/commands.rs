//! `telepulse.command`: understands a command, finds its server, has it planned and carried out there.

use super::{note::Note, pace::Pace, policies::Policies, rights, serve::reply, served::Served};
use crate::{
    audit::{self, Audit},
    bus::Headers,
    proxy::{Ask, LinkHandle, Registry},
    telemetry::{Name, Span, Tracer, key},
};
use arc_swap::ArcSwap;
use bytes::Bytes;
use futures_util::future::join_all;
use serde_json::Value;
use std::sync::Arc;
use telepulse_language::{
    Code, Command, CommandEnvelope, Id, Principal, Refusal, Request, ServerState,
};
use tokio::sync::oneshot;

/// What commands are carried out with. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Desk {
    /// The servers.
    pub(crate) registry: Registry,
    /// Plugins that are asked first.
    pub(crate) policies: Policies,
    /// Plugins that carry out what the core does not know.
    pub(crate) served: Served,
    /// How much each may order.
    pub(crate) pace: Arc<ArcSwap<Pace>>,
    /// Where every command is noted, with its outcome.
    pub(crate) audit: Audit,
    /// Where its trace begins, or goes on.
    pub(crate) tracer: Tracer,
}

impl Desk {
    /// Answers one command with a reply of the language.
    pub(super) async fn answer(&self, headers: &Headers, bytes: &[u8]) -> Bytes {
        let request = match telepulse_language::object(bytes) {
            Ok(fields) => Request::new(fields),
            Err(refusal) => Err((Value::Null, refusal)),
        };
        match request {
            Err((id, refusal)) => reply(id, async { Err(refusal) }).await,
            Ok(request) => reply(request.id.clone(), self.audited(headers, request)).await,
        }
    }

    /// Carries a command out and notes what came of it. Where the deadline breaks it off, that is noted.
    async fn audited(&self, headers: &Headers, request: Request) -> Result<Value, Refusal> {
        let about = audit::about(&request.fields);
        let (action, span) = (request.action.clone(), self.span(headers, &request.action));
        let mut note = Note::begin(&self.audit, span, headers, action, about);
        let result = self.carry_out(headers, request, &mut note).await;
        if let Ok(result) = &result {
            note.call(result);
        }
        note.end(&result);
        result
    }

    /// The span of a command. What clients make up is no name for one, and nobody's command is none.
    fn span(&self, headers: &Headers, action: &str) -> Span {
        let is_nobodys = headers.principal.as_ref().is_some_and(|who| who.is_anonymous());
        if !self.tracer.is_on() || is_nobodys {
            return Span::default();
        }
        let is_known = Command::ACTIONS.contains(&action) || self.served.by(action).is_some();
        let action = if is_known { action } else { "unknown" };
        self.tracer.asked(Name::Command(action), headers.trace.as_deref())
    }

    async fn carry_out(
        &self,
        headers: &Headers,
        request: Request,
        note: &mut Note,
    ) -> Result<Value, Refusal> {
        let who = headers.principal.clone();
        let action = request.action.clone();
        if who.as_ref().is_some_and(|who| who.is_anonymous()) {
            rights::may_give(&action, who.as_deref())?;
        }
        let by = orderer(headers);
        self.pace.load().count(&by)?;
        if let Some(plugin) = self.served.by(&action) {
            rights::may_give(&action, who.as_deref())?;
            let mut span = note.trace().step(Name::Serve(plugin.name()));
            span.say_with(key::PLUGIN, || Some(plugin.name().to_owned()));
            let served = span.during(plugin.carry_out(request, who)).await;
            if let Err(refusal) = &served {
                span.refuse(refusal);
            }
            return served;
        }
        if !Command::ACTIONS.contains(&action.as_str()) {
            return Err(self.served.unserved(&action));
        }
        let envelope = CommandEnvelope::from_request(request)?;
        rights::may_give(&action, who.as_deref())?;
        let judged = self.policies.judge(envelope, who.as_ref(), &note.trace()).await?;
        let CommandEnvelope { server, command, .. } = judged;
        self.pace.load().dials(&by, &command)?;
        let link = find_link(&self.registry, server.as_ref(), &command, who.as_deref()).await?;
        note.server(&link.server.id);
        let (deadline, trace) = (headers.deadline, note.trace());
        link.answer(|reply| Ask::Command { command, who, deadline, trace, reply }).await
    }
}

/// Under which name somebody's commands are counted.
fn orderer(headers: &Headers) -> String {
    match (&headers.principal, &headers.plugin) {
        (Some(who), _) => who.name.clone(),
        // No user can have such a name.
        (None, Some(plugin)) => format!("plugin:{plugin}"),
        (None, None) => "host:".to_owned(),
    }
}

/// The server that a command is for: the one named, the only one, or the one that knows what the
/// command is about.
async fn find_link(
    registry: &Registry,
    named: Option<&Id>,
    command: &Command,
    who: Option<&Principal>,
) -> Result<LinkHandle, Refusal> {
    let links = registry.links();
    let visible = |id: &str| match who.and_then(|who| who.servers.as_ref()) {
        Some(servers) => servers.contains(id),
        None => true,
    };
    let mut candidates: Vec<LinkHandle> = links
        .values()
        .filter(|link| visible(&link.server.id))
        .filter(|link| named.is_none_or(|named| named.as_str() == link.server.id))
        .cloned()
        .collect();
    if let (Some(named), true) = (named, candidates.is_empty()) {
        let message = format!("there is no server {named:?}");
        return Err(Refusal::new(Code::NotFound, message).with_field("server"));
    }
    match candidates.len() {
        0 => Err(Refusal::new(Code::ServerUnavailable, "no Asterisk server is configured")),
        1 => Ok(candidates.remove(0)),
        _ => the_one_that_knows(candidates, command).await,
    }
}

async fn the_one_that_knows(
    candidates: Vec<LinkHandle>,
    command: &Command,
) -> Result<LinkHandle, Refusal> {
    let all: Vec<String> = candidates.iter().map(|link| link.server.id.clone()).collect();
    let asked = candidates.into_iter().map(|link| knows(link, command.clone()));
    let mut knowing: Vec<LinkHandle> = join_all(asked).await.into_iter().flatten().collect();
    // An extension that is on two servers is meant where it can be reached.
    if knowing.len() > 1 {
        let connected = |link: &LinkHandle| link.status.borrow().state == ServerState::Connected;
        if knowing.iter().filter(|link| connected(link)).count() == 1 {
            knowing.retain(connected);
        }
    }
    match knowing.len() {
        1 => Ok(knowing.remove(0)),
        0 => Err(Refusal::new(
            Code::NotFound,
            format!("none of the servers ({}) knows what the command is about", all.join(", ")),
        )),
        _ => {
            let ids: Vec<&str> = knowing.iter().map(|link| link.server.id.as_str()).collect();
            let message = format!("is needed: {} could be meant", ids.join(" and "));
            Err(Refusal::new(Code::Conflict, message).with_field("server"))
        }
    }
}

async fn knows(link: LinkHandle, command: Command) -> Option<LinkHandle> {
    let (reply, answer) = oneshot::channel();
    link.ask(Ask::Knows { command, reply }).ok()?;
    answer.await.unwrap_or(false).then_some(link)
}
