//! What the CRM is told: calls that have ended, with their notes, and notes that come later.

use super::{Crm, inquiries::number_values, show};
use crate::{
    cache,
    calls::Call,
    courier::Purpose,
    number::Number,
    outbox::{Delivery, Entry},
    template::Values,
};
use serde_json::{Value, json};
use telepulse_plugin_sdk::{
    Failure, clock, fetch,
    language::{
        CallEnded, Details, Disposition, Popup, PopupReason, PopupState, Stamped, Timestamp,
    },
    log, metrics,
};

/// Statuses of a server that may have more to say another time.
const PASSING: [u16; 5] = [401, 408, 409, 425, 429];

impl Crm {
    /// A call is over: what was known of it goes to the CRM.
    pub(super) fn ended(&mut self, event: &Stamped, is_stale: bool) -> Result<(), Failure> {
        let Details::CallEnded(end) = &event.event.details else { return Ok(()) };
        // On disk before anything is forgotten: what fails comes again.
        self.write_down(event, end).map_err(Failure::Retry)?;
        self.lookups.forget(&end.call);
        let (call, changes) = self.calls.end(&end.call);
        if is_stale {
            return Ok(());
        }
        self.apply(changes);
        if call.is_none() {
            self.close_unseen(event, end);
        }
        self.deliver();
        Ok(())
    }

    /// Takes down what the CRM is to be told.
    fn write_down(&mut self, event: &Stamped, end: &CallEnded) -> Result<(), String> {
        if !self.settings.logs {
            return Ok(());
        }
        if let Some(into) = &end.merged_into {
            return self.outbox.merge(&end.call, into);
        }
        let agent = event.event.agent.as_deref();
        let call = self.calls.get(&end.call);
        let Some(values) = self.summary(end, call, agent, &event.event.server) else {
            return Ok(());
        };
        if self.outbox.is_full() {
            metrics::add("told", 1, &[("outcome", "dropped")]);
            log::error!(call = end.call.as_str(); "the CRM has been away for too long: a call is not told to it");
            return Ok(());
        }
        let entry = Entry::Call { values };
        self.outbox.add(&end.call, entry.clone()).or_else(|why| {
            // What is known of numbers can be asked again; what is told of calls cannot.
            log::warn!("what is known of numbers gives way: {why}");
            cache::give_way()?;
            self.outbox.add(&end.call, entry)
        })
    }

    /// The instance before has failed and may have shown a call that this one knows nothing of: whoever still sees it
    /// sees it end.
    fn close_unseen(&self, event: &Stamped, end: &CallEnded) {
        let Some(agent) = event.event.agent.as_deref() else { return };
        if self.blind_before.is_none_or(|before| end.started >= before) {
            return;
        }
        let plan = &self.settings.plan;
        let Some(number) = plan.read(&end.from).or_else(|| plan.read(&end.to)) else { return };
        let popup = Popup {
            call: end.call.clone(),
            number: number.e164.into(),
            state: PopupState::Closed,
            reason: Some(PopupReason::OnHook),
        };
        show(&event.event.server, agent, &popup);
    }

    /// A call as requests know it; `None` if nobody of the world outside took part.
    pub(super) fn summary(
        &self,
        end: &CallEnded,
        call: Option<&Call>,
        agent: Option<&str>,
        server: &str,
    ) -> Option<Values> {
        let plan = &self.settings.plan;
        let of_end = || {
            let incoming = plan.read(&end.from).map(|number| (number, false));
            incoming.or_else(|| plan.read(&end.to).map(|number| (number, true)))
        };
        let (number, is_out) =
            call.map(|call| (call.number.clone(), call.is_out)).or_else(of_end)?;
        let talked: Vec<&str> = match call {
            Some(call) => call.talked.iter().map(String::as_str).collect(),
            None => agent.into_iter().collect(),
        };
        let record = match call {
            Some(call) => call.caller.info().cloned(),
            // It came and went while this instance was not there.
            None => cache::get(&number.e164).ok().flatten(),
        };
        let record = record.map(|info| info["id"].clone());
        let mut values = of_call(end, is_out, &number);
        values.insert("server".to_owned(), server.into());
        values.insert("id".to_owned(), record.unwrap_or_default());
        values.insert("agent".to_owned(), json!(talked.last().copied().or(agent)));
        let mut agents = call.map(|call| call.ever.clone()).unwrap_or_default();
        agents.extend(agent.map(str::to_owned));
        values.insert("agents".to_owned(), json!(agents));
        Some(values)
    }

    /// Sends what can be sent now.
    pub(super) fn deliver(&mut self) {
        let now = clock::now_ns();
        let is_open = self.courier.breaker.until(now).is_none();
        if let Some(adapter) =
            self.settings.adapter.clone().filter(|_| is_open && self.settings.logs)
        {
            for Delivery { call, up_to, is_call, values } in self.outbox.due(now) {
                let shape = if is_call { &adapter.log } else { &adapter.note };
                // A CRM that has no request for notes gets them as another call.
                let Some(shape) = shape.as_ref().or(adapter.log.as_ref()) else { continue };
                let mut all = self.settings.values.clone();
                all.extend(values);
                let purpose = Purpose::Tell { call: call.clone(), up_to };
                if self.courier.breaker.until(now).is_some() {
                    // One was let through, to see how it is.
                    self.outbox.put_back(&call);
                } else if let Err(why) =
                    self.courier.send(&self.settings, shape.request(&all), purpose)
                {
                    log::debug!("not told now: {why}");
                    self.outbox.failed(&call, now);
                }
            }
        }
        metrics::set("notes_waiting", gauge(self.outbox.len()), &[]);
    }

    /// The CRM has taken it, or not.
    pub(super) fn told(
        &mut self,
        call: &str,
        up_to: u64,
        response: Result<fetch::Response, String>,
    ) {
        let now = clock::now_ns();
        if !self.outbox.is_under_way(call, up_to) {
            // An answer to an instance that has failed; what it was about was sent again.
            return;
        }
        let outcome = match response {
            Ok(response) => match response.status {
                200..=299 => Ok(()),
                401 => {
                    self.courier.forget_token();
                    Err(Refused::ForNow("401: are the [secrets] right?".to_owned()))
                }
                status if status >= 500 || PASSING.contains(&status) => {
                    Err(Refused::ForNow(format!("status {status}")))
                }
                status => {
                    Err(Refused::ForGood(format!("status {status}: {}", start(&response.body))))
                }
            },
            Err(why) => Err(Refused::ForNow(why)),
        };
        let written = match outcome {
            Ok(()) => {
                self.courier.breaker.succeeded();
                metrics::add("told", 1, &[("outcome", "taken")]);
                self.outbox.delivered(call, up_to)
            }
            Err(Refused::ForNow(why)) => {
                self.courier.breaker.failed(now);
                metrics::add("told", 1, &[("outcome", "failed")]);
                log::warn!(call = call; "the CRM did not take what is said of a call, it is tried again: {why}");
                self.outbox.failed(call, now);
                Ok(())
            }
            Err(Refused::ForGood(why)) => {
                self.courier.breaker.succeeded();
                metrics::add("told", 1, &[("outcome", "refused")]);
                log::error!(call = call; "the CRM refuses what is said of a call, it is set aside: {why}");
                self.outbox.refused(call, up_to, &why, now).map(drop)
            }
        };
        if let Err(why) = written {
            log::error!(call = call; "what became of it is not on disk, it may be told again: {why}");
            self.outbox.failed(call, now);
        }
        self.deliver();
    }
}

/// How the CRM said no.
enum Refused {
    ForNow(String),
    ForGood(String),
}

/// The beginning of what the CRM says, for people.
fn start(body: &str) -> String {
    let line: String =
        body.chars().map(|it| if it.is_control() { ' ' } else { it }).take(200).collect();
    line.trim().to_owned()
}

#[expect(clippy::cast_precision_loss, reason = "a figure of entries, far below 2^53")]
fn gauge(count: usize) -> f64 {
    count as f64
}

/// What a call that has ended tells, by the names that requests have for it.
fn of_call(end: &CallEnded, is_out: bool, number: &Number) -> Values {
    let is_answered = end.disposition == Disposition::Answered;
    let is_missed = !is_out && !is_answered;
    let completed = match end.disposition {
        Disposition::Answered => "COMPLETED",
        Disposition::Busy => "BUSY",
        Disposition::Failed | Disposition::Lost => "FAILED",
        Disposition::NoAnswer | Disposition::Cancelled | Disposition::Merged => "NO_ANSWER",
    };
    let clock = |seconds: u64| format!("{:02}:{:02}", seconds / 60, seconds % 60);
    // With the ringing, and never nothing; of a call that nobody took there is none.
    let lasted = (!is_missed).then(|| clock(end.duration.max(1)));
    let mut values = of_beginning(&end.call, end.started, is_out, number);
    if is_missed {
        values.insert("directionOrMissed".to_owned(), "Missed".into());
    }
    let fields: [(&str, Value); 8] = [
        ("seconds", end.talk_time.into()),
        ("durationMs", (end.talk_time * 1_000).into()),
        ("minutesSeconds", clock(end.talk_time).into()),
        ("lasted", json!(lasted)),
        ("from", end.from.as_str().into()),
        ("to", end.to.as_str().into()),
        ("disposition", json!(end.disposition)),
        ("completed", completed.into()),
    ];
    values.extend(fields.map(|(name, value)| (name.to_owned(), value)));
    values
}

/// What can be told of a call before it has ended; where its beginning is not known, another moment of it will do.
pub(super) fn of_beginning(id: &str, started: Timestamp, is_out: bool, number: &Number) -> Values {
    let title = if is_out { "Outbound" } else { "Inbound" };
    let preposition = if is_out { "to" } else { "from" };
    let Timestamp(started_ms) = started;
    let started = started.to_string();
    let date = started.get(..10).unwrap_or_default().to_owned();
    let offset = format!("{}+00:00", started.get(..19).unwrap_or_default());
    let fields: [(&str, Value); 10] = [
        ("call", id.into()),
        ("direction", if is_out { "out" } else { "in" }.into()),
        ("directionUpper", title.to_uppercase().into()),
        ("directionTitle", title.into()),
        ("directionOrMissed", title.into()),
        ("started", started.into()),
        ("startedMs", started_ms.into()),
        ("startedOffset", offset.into()),
        ("date", date.into()),
        ("subject", format!("{title} call {preposition} {}", number.e164).into()),
    ];
    let mut values = Values::from(number_values(number));
    values.extend(fields.map(|(name, value)| (name.to_owned(), value)));
    values
}
