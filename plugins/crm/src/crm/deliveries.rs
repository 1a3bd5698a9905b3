//! What the CRM is told: calls that have ended, with their notes, and notes that come later.

use super::{Crm, inquiries::number_values};
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
    language::{CallEnded, Details, Disposition, Stamped, Timestamp},
    log, metrics,
};

/// Statuses of a server that may have more to say another time.
const PASSING: [u16; 5] = [401, 408, 409, 425, 429];

impl Crm {
    /// A call is over: what was known of it goes to the CRM.
    pub(super) fn ended(&mut self, event: &Stamped, is_stale: bool) -> Result<(), Failure> {
        let Details::CallEnded(end) = &event.event.details else { return Ok(()) };
        let (call, changes) = self.calls.end(&end.call);
        if !is_stale {
            self.apply(changes);
        }
        self.lookups.forget(&end.call);
        if !self.settings.logs || end.disposition == Disposition::Merged {
            return Ok(());
        }
        let agent = event.event.agent.as_deref();
        let Some(values) = self.summary(end, call.as_ref(), agent, &event.event.server) else {
            return Ok(());
        };
        if self.outbox.is_full() {
            metrics::add("told", 1, &[("outcome", "dropped")]);
            log::error!(call = end.call.as_str(); "the CRM has been away for too long: a call is not told to it");
            return Ok(());
        }
        // Not done before it is on disk.
        self.outbox.add(&end.call, Entry::Call { values }).map_err(Failure::Retry)?;
        self.deliver();
        Ok(())
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
        let mut values = Values::from(number_values(&number));
        values.extend(of_call(end, is_out, &number));
        values.insert("server".to_owned(), server.into());
        values.insert("id".to_owned(), record.unwrap_or_default());
        values.insert("agent".to_owned(), json!(talked.last().copied().or(agent)));
        values.insert("agents".to_owned(), json!(talked));
        Some(values)
    }

    /// Sends what can be sent now.
    pub(super) fn deliver(&mut self) {
        let now = clock::now_ns();
        if let Some(adapter) = self.settings.adapter.clone() {
            for Delivery { call, up_to, is_call, values } in self.outbox.due(now) {
                let shape = if is_call { &adapter.log } else { &adapter.note };
                // A CRM that has no request for notes gets them as another call.
                let Some(shape) = shape.as_ref().or(adapter.log.as_ref()) else { continue };
                let mut all = self.settings.values.clone();
                all.extend(values);
                let purpose = Purpose::Tell { call: call.clone(), up_to };
                if self.courier.send(&self.settings, shape.request(&all), purpose).is_err() {
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
    let direction = if is_out { "out" } else { "in" };
    let title = if is_out { "Outbound" } else { "Inbound" };
    let preposition = if is_out { "to" } else { "from" };
    let missed = if is_out || is_answered { title } else { "Missed" };
    let completed = match end.disposition {
        Disposition::Answered => "COMPLETED",
        Disposition::Busy => "BUSY",
        Disposition::Failed | Disposition::Lost => "FAILED",
        Disposition::NoAnswer | Disposition::Cancelled | Disposition::Merged => "NO_ANSWER",
    };
    let started = end.started.to_string();
    let date = started.get(..10).unwrap_or_default().to_owned();
    let offset = format!("{}+00:00", started.get(..19).unwrap_or_default());
    let clock = |seconds: u64| format!("{:02}:{:02}", seconds / 60, seconds % 60);
    // With the ringing, and never nothing; of a call that nobody took there is none.
    let lasted = (missed != "Missed").then(|| clock(end.duration.max(1)));
    let Timestamp(started_ms) = end.started;
    let fields: [(&str, Value); 18] = [
        ("call", end.call.as_str().into()),
        ("direction", direction.into()),
        ("directionUpper", title.to_uppercase().into()),
        ("directionTitle", title.into()),
        ("directionOrMissed", missed.into()),
        ("started", started.into()),
        ("startedMs", started_ms.into()),
        ("startedOffset", offset.into()),
        ("date", date.into()),
        ("seconds", end.talk_time.into()),
        ("durationMs", (end.talk_time * 1_000).into()),
        ("minutesSeconds", clock(end.talk_time).into()),
        ("lasted", json!(lasted)),
        ("from", end.from.as_str().into()),
        ("to", end.to.as_str().into()),
        ("disposition", json!(end.disposition)),
        ("completed", completed.into()),
        ("subject", format!("{title} call {preposition} {}", number.e164).into()),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
