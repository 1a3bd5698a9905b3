//! What a component exports, found by looking, and calls to it.

use super::{
    generated::{
        exports::telepulse::plugin::{
            command_handler, connection_handler, framed_subscriber, handoff, lifecycle, policy,
            replies, subscriber, ticker,
        },
        telepulse::plugin::types::{Event, Failure},
    },
    http_handler::http_handler,
};
use crate::{
    ctx::Ctx,
    effects::Reply,
    failure::{Failed, Remedy},
    frame::Framed,
    ports::{BusEvent, Happening, Live, Verdict},
    questions::Served,
};
use std::sync::Arc;
use telepulse_language::{Code, Principal, Refusal};
use wasmtime::{
    Store,
    component::{Instance, InstancePre},
};
use wasmtime_wasi_http::p2::bindings::exports::wasi::http::incoming_handler;

type Call<T> = wasmtime::Result<T>;
/// What a subscriber said of a batch.
pub(crate) type Handled = Result<u32, Failed>;

/// Which handlers a component has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "one for each optional export")]
pub(crate) struct Surface {
    pub(crate) lifecycle: bool,
    pub(crate) handoff: bool,
    pub(crate) subscriber: bool,
    pub(crate) replies: bool,
    pub(crate) ticker: bool,
    pub(crate) connection_handler: bool,
    pub(crate) http: bool,
    pub(crate) policy: bool,
    pub(crate) commands: bool,
}

impl Surface {
    /// Whether an instance of it stays; a component that only answers HTTP gets one for each request.
    pub(crate) fn is_resident(self) -> bool {
        let Self { subscriber, replies, ticker, connection_handler, policy, commands, .. } = self;
        !self.http || subscriber || replies || ticker || connection_handler || policy || commands
    }

    /// Whether the host would ever call it.
    pub(crate) fn is_empty(self) -> bool {
        let Self { http, lifecycle, subscriber, connection_handler, policy, commands, .. } = self;
        !(http || lifecycle || subscriber || connection_handler || policy || commands)
    }
}

/// Why an instance starts (`lifecycle.start-reason`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartReason {
    Fresh,
    Reload,
    CrashRestart,
}

/// Where a component's exports are; looked up once for all its instances.
#[derive(Clone)]
pub(crate) struct Exports {
    lifecycle: Option<lifecycle::GuestIndices>,
    handoff: Option<handoff::GuestIndices>,
    subscriber: Option<subscriber::GuestIndices>,
    framed: Option<framed_subscriber::GuestIndices>,
    replies: Option<replies::GuestIndices>,
    ticker: Option<ticker::GuestIndices>,
    connections: Option<connection_handler::GuestIndices>,
    http: Option<incoming_handler::GuestIndices>,
    http_handler: Option<http_handler::GuestIndices>,
    policy: Option<policy::GuestIndices>,
    commands: Option<command_handler::GuestIndices>,
}

impl Exports {
    pub(crate) fn find(pre: &InstancePre<Ctx>) -> Self {
        Self {
            lifecycle: lifecycle::GuestIndices::new(pre).ok(),
            handoff: handoff::GuestIndices::new(pre).ok(),
            subscriber: subscriber::GuestIndices::new(pre).ok(),
            framed: framed_subscriber::GuestIndices::new(pre).ok(),
            replies: replies::GuestIndices::new(pre).ok(),
            ticker: ticker::GuestIndices::new(pre).ok(),
            connections: connection_handler::GuestIndices::new(pre).ok(),
            http: incoming_handler::GuestIndices::new(pre).ok(),
            http_handler: http_handler::GuestIndices::new(pre).ok(),
            policy: policy::GuestIndices::new(pre).ok(),
            commands: command_handler::GuestIndices::new(pre).ok(),
        }
    }

    pub(crate) fn surface(&self) -> Surface {
        Surface {
            lifecycle: self.lifecycle.is_some(),
            handoff: self.handoff.is_some(),
            subscriber: self.subscriber.is_some() || self.framed.is_some(),
            replies: self.replies.is_some(),
            ticker: self.ticker.is_some(),
            connection_handler: self.connections.is_some(),
            http: self.http.is_some() || self.http_handler.is_some(),
            policy: self.policy.is_some(),
            commands: self.commands.is_some(),
        }
    }

    /// Whether it is handed requests whole, in one call.
    pub(crate) fn takes_whole_requests(&self) -> bool {
        self.http_handler.is_some()
    }

    pub(crate) fn load(&self, store: &mut Store<Ctx>, instance: &Instance) -> Call<Guest> {
        macro_rules! load {
            ($indices:expr) => {
                $indices.as_ref().map(|indices| indices.load(&mut *store, instance)).transpose()?
            };
        }
        Ok(Guest {
            lifecycle: load!(self.lifecycle),
            handoff: load!(self.handoff),
            subscriber: load!(self.subscriber),
            framed: load!(self.framed),
            replies: load!(self.replies),
            ticker: load!(self.ticker),
            connections: load!(self.connections),
            http: load!(self.http),
            http_handler: load!(self.http_handler),
            policy: load!(self.policy),
            commands: load!(self.commands),
        })
    }
}

/// One instance's exports. A call to one that is not there does nothing.
pub(crate) struct Guest {
    lifecycle: Option<lifecycle::Guest>,
    handoff: Option<handoff::Guest>,
    subscriber: Option<subscriber::Guest>,
    framed: Option<framed_subscriber::Guest>,
    replies: Option<replies::Guest>,
    ticker: Option<ticker::Guest>,
    connections: Option<connection_handler::Guest>,
    pub(super) http: Option<incoming_handler::Guest>,
    pub(super) http_handler: Option<http_handler::Guest>,
    policy: Option<policy::Guest>,
    commands: Option<command_handler::Guest>,
}

impl Guest {
    pub(crate) async fn init(
        &self,
        store: &mut Store<Ctx>,
        incarnation: u64,
        reason: StartReason,
    ) -> Call<Result<(), String>> {
        let Some(guest) = &self.lifecycle else { return Ok(Ok(())) };
        let info = lifecycle::StartInfo {
            plugin: store.data().identity.name.as_str().to_owned(),
            incarnation,
            host_api: crate::HOST_API.to_owned(),
            reason: match reason {
                StartReason::Fresh => lifecycle::StartReason::Fresh,
                StartReason::Reload => lifecycle::StartReason::Reload,
                StartReason::CrashRestart => lifecycle::StartReason::CrashRestart,
            },
        };
        guest.call_init(store, &info).await
    }

    pub(crate) async fn drain(&self, store: &mut Store<Ctx>, deadline_ms: u64) -> Call<()> {
        let Some(guest) = &self.lifecycle else { return Ok(()) };
        guest.call_drain(store, deadline_ms).await
    }

    pub(crate) async fn save(&self, store: &mut Store<Ctx>) -> Call<Result<Vec<u8>, String>> {
        let Some(guest) = &self.handoff else { return Ok(Ok(Vec::new())) };
        guest.call_save(store).await
    }

    pub(crate) async fn restore(
        &self,
        store: &mut Store<Ctx>,
        state: &[u8],
    ) -> Call<Result<(), String>> {
        let Some(guest) = &self.handoff else { return Ok(Ok(())) };
        guest.call_restore(store, state).await
    }

    pub(crate) async fn resume(&self, store: &mut Store<Ctx>, live: Vec<Live>) -> Call<()> {
        let Some(guest) = &self.connections else { return Ok(()) };
        let live: Vec<_> = live.into_iter().map(Into::into).collect();
        guest.call_resume(store, &live).await
    }

    /// Hands events over, framed if the component knows that layout.
    pub(crate) async fn events(
        &self,
        store: &mut Store<Ctx>,
        batch: &[Arc<BusEvent>],
        framed: &mut Framed,
    ) -> Call<Handled> {
        let outcome = if let Some(guest) = &self.framed {
            framed.fill(batch);
            guest.call_handle(store, framed.offsets(), framed.bytes()).await?
        } else if let Some(guest) = &self.subscriber {
            let records: Vec<Event> = batch.iter().map(|event| record(event)).collect();
            guest.call_handle(store, &records).await?
        } else {
            Ok(u32::try_from(batch.len()).unwrap_or(u32::MAX))
        };
        Ok(outcome.map_err(|(done, failure)| Failed { done, remedy: remedy(failure) }))
    }

    pub(crate) async fn happenings(
        &self,
        store: &mut Store<Ctx>,
        batch: Vec<Happening>,
    ) -> Call<()> {
        let Some(guest) = &self.connections else { return Ok(()) };
        let batch: Vec<_> = batch.into_iter().map(Into::into).collect();
        guest.call_handle(store, &batch).await
    }

    pub(crate) async fn replies(&self, store: &mut Store<Ctx>, batch: Vec<Reply>) -> Call<()> {
        let Some(guest) = &self.replies else { return Ok(()) };
        let batch: Vec<_> = batch
            .into_iter()
            .map(|reply| replies::Reply {
                id: reply.id,
                context: reply.context,
                answer: reply.answer.map(Vec::from),
            })
            .collect();
        guest.call_handle(store, &batch).await
    }

    pub(crate) async fn decide(
        &self,
        store: &mut Store<Ctx>,
        command: &[u8],
        who: Option<&Principal>,
    ) -> Call<Verdict> {
        let Some(guest) = &self.policy else { return Ok(Verdict::Allow) };
        let who = who.map(Into::into);
        Ok(match guest.call_decide(store, command, who.as_ref()).await? {
            policy::Verdict::Allow => Verdict::Allow,
            policy::Verdict::Change(command) => Verdict::Change(command.into()),
            policy::Verdict::Refuse(why) => Verdict::Refuse(why),
        })
    }

    pub(crate) async fn serve(
        &self,
        store: &mut Store<Ctx>,
        command: &[u8],
        who: Option<&Principal>,
    ) -> Call<Served> {
        let Some(guest) = &self.commands else {
            let message = "the plugin does not export command-handler";
            return Ok(Err(Refusal::new(Code::Internal, message)));
        };
        let who = who.map(Into::into);
        Ok(match guest.call_serve(store, command, who.as_ref()).await? {
            Ok(result) => Ok(result.into()),
            Err(command_handler::Refusal { code, message, field }) => {
                // A code that the language does not have is a mistake of the plugin's.
                let code = serde_json::from_value(code.into()).unwrap_or(Code::Internal);
                Err(Refusal { code, message, field })
            }
        })
    }

    pub(crate) async fn fired(&self, store: &mut Store<Ctx>, ids: &[u64]) -> Call<()> {
        let Some(guest) = &self.ticker else { return Ok(()) };
        guest.call_fired(store, ids).await
    }
}

fn record(event: &BusEvent) -> Event {
    Event {
        seq: event.seq,
        time_ns: event.time_ns,
        address: event.address.to_string(),
        kind: event.kind.to_string(),
        server: event.server.as_deref().map(str::to_owned),
        payload: event.payload.to_vec(),
    }
}

fn remedy(failure: Failure) -> Remedy {
    match failure {
        Failure::Retry(why) => Remedy::Retry(why),
        Failure::Skip(why) => Remedy::Skip(why),
        Failure::Fatal(why) => Remedy::Fatal(why),
    }
}
