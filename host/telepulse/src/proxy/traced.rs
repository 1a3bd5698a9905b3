//! The spans of what one server is asked: planning a command, each action until its answer, and a dial from
//! there to what came of it.

use super::{link::Link, running::failure};
use crate::{
    config::Server,
    telemetry::{Name, Span, Trace, key},
};
use ami_proto::{Action, Message, Outcome};
use call_model::Plan;
use std::collections::VecDeque;
use telepulse_language::{Command, Principal, Refusal};

/// Dials whose end is waited for at a time; the oldest goes without.
const DIALS: usize = 256;

/// Plans a command, and says so in its trace.
pub(super) fn plan(
    link: &mut Link,
    command: &Command,
    who: Option<&Principal>,
    trace: &Trace,
) -> Result<Plan, Refusal> {
    let mut span = trace.step(Name::Plan(command.action()));
    span.say_with(key::SERVER, || Some(link.server.id.clone()));
    let planned = crate::core::plan(&mut link.pbx, command, who);
    match &planned {
        Ok(plan) => span.say_with(key::ACTIONS, || i64::try_from(plan.actions.len()).ok()),
        Err(refusal) => span.refuse(refusal),
    }
    planned
}

/// The span of an action that was sent; nothing where nobody will see it.
pub(super) struct Sent(Option<Box<Answerable>>);

struct Answerable {
    span: Span,
    id: String,
    /// Asterisk will tell later what came of it.
    has_outcome: bool,
}

impl Sent {
    /// Begins with the action.
    pub(super) fn begin(trace: &Trace, server: &Server, action: &Action) -> Self {
        let mut span = trace.call(Name::Ami(action.name()));
        if !span.is_seen() {
            return Self(None);
        }
        span.say(key::SERVER, server.id.clone());
        span.say(key::ADDRESS, server.host.clone());
        span.say(key::PORT, i64::from(server.port));
        let is_async = action.get("Async").is_some_and(|it| it.eq_ignore_ascii_case("true"));
        let has_outcome = action.name().eq_ignore_ascii_case("Originate") && is_async;
        Self(Some(Box::new(Answerable { span, id: String::new(), has_outcome })))
    }

    /// The session took it, under this ActionID.
    pub(super) fn has_id(&mut self, id: impl FnOnce() -> String) {
        if let Self(Some(it)) = self {
            it.id = id();
            it.span.say(key::ACTION_ID, it.id.clone());
        }
    }

    /// It never went.
    pub(super) fn refused(mut self, refusal: &Refusal) {
        if let Self(Some(it)) = &mut self {
            it.span.refuse(refusal);
        }
    }
}

/// Dials that Asterisk accepted, by their ActionIDs, the oldest first.
#[derive(Default)]
pub(super) struct Dials(VecDeque<(String, Span)>);

impl Dials {
    /// An action has its answer.
    pub(super) fn answered(&mut self, sent: Sent, server: &str, outcome: &Outcome) {
        let Sent(Some(sent)) = sent else { return };
        let Answerable { mut span, id, has_outcome } = *sent;
        match outcome {
            Outcome::Response { response, .. } => {
                span.say_with(key::RESPONSE, || response.response().map(str::to_owned));
                if response.is_error() {
                    let why = response.get_lossy("Message").unwrap_or_default();
                    span.fail(|| "rejectedByServer", &why);
                } else if has_outcome {
                    self.begin(server, id, &span.trace());
                }
            }
            failed => span.refuse(&failure(server, failed)),
        }
    }

    fn begin(&mut self, server: &str, id: String, trace: &Trace) {
        let mut span = trace.step(Name::Outcome);
        span.say(key::SERVER, server.to_owned());
        span.say(key::ACTION_ID, id.clone());
        if self.0.len() >= DIALS
            && let Some((_, mut oldest)) = self.0.pop_front()
        {
            oldest.fail(|| "unknownOutcome", "too many dials were under way to follow it");
        }
        self.0.push_back((id, span));
    }

    /// An event may be the end of a dial.
    pub(super) fn event(&mut self, message: &Message) {
        if self.0.is_empty() || message.event() != Some("OriginateResponse") {
            return;
        }
        let place = self.0.iter().position(|(id, _)| message.action_id() == Some(id));
        let Some((_, mut span)) = place.and_then(|place| self.0.remove(place)) else { return };
        let word = |name: &str| message.get_lossy(name).unwrap_or_default().into_owned();
        let (response, reason) = (word("Response"), word("Reason"));
        if response != "Success" {
            span.fail(|| "originateFailed", &format!("{response}, reason {reason}"));
        }
        span.say(key::RESPONSE, response);
        span.say(key::REASON, reason);
    }

    /// The connection is gone: nobody will tell.
    pub(super) fn lost(&mut self) {
        for (_, span) in &mut self.0 {
            span.fail(|| "unknownOutcome", "the connection to the server was lost");
        }
        self.0.clear();
    }
}
