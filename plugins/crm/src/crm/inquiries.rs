//! Who is it? Each number is asked about once, and everybody whose phone rings hears the answer.

use super::Crm;
use crate::{
    cache,
    courier::Purpose,
    lookups::{Begun, Client, Due},
    number::Number,
    settings::Source,
    template::Values,
};
use serde_json::{Value, json};
use telepulse_plugin_sdk::{bus, clock, fetch, language::Timestamp, log, metrics};

/// What one client is asked goes there.
const TELL_CLIENT: &str = "telepulse.client.tell";
const NS_PER_MS: u64 = 1_000_000;

impl Crm {
    /// Nobody knows yet who calls.
    pub(super) fn look_up(&mut self, id: &str) {
        let Some(number) = self.calls.get(id).map(|call| call.number.clone()) else { return };
        match cache::get(&number.e164) {
            Ok(Some(info)) => {
                count("cached");
                return self.found(id, &info, true);
            }
            Ok(None) => {}
            Err(why) => log::warn!("what is known of a number cannot be read: {why}"),
        }
        if self.settings.source == Source::Book {
            let info = self.book.find(&number, &self.settings.plan);
            count(if info.is_null() { "missed" } else { "found" });
            return self.found(id, &info, false);
        }
        let now = clock::now_ns();
        let begun = match self.settings.source {
            Source::Client => self.lookups.elect(id, &number, now),
            _ => self.lookups.ask(id, &number, now),
        };
        match begun {
            Begun::Waits => {}
            Begun::Full => {
                count("refused");
                self.calls.unknown(id);
            }
            Begun::Ask if self.settings.source == Source::Client => self.elect(&number.e164),
            Begun::Ask => self.ask(&number, 0),
        }
    }

    /// Another extension rings in a call whose caller is being looked up: its clients may be asked.
    pub(super) fn joined(&mut self, id: &str) {
        let Some(number) = self.calls.get(id).map(|call| call.number.e164.clone()) else { return };
        if self.lookups.idle().contains(&number) {
            self.elect(&number);
        }
    }

    /// Asks the CRM.
    fn ask(&mut self, number: &Number, attempt: u32) {
        let Some(lookup) = self.settings.adapter.as_ref().and_then(|it| it.lookup.as_ref()) else {
            return;
        };
        let mut values: Values = self.settings.values.clone();
        values.extend(number_values(number));
        let request = lookup.request(&values);
        let purpose = Purpose::LookUp { number: number.e164.clone(), attempt };
        metrics::add("queries", 1, &[]);
        if let Err(why) = self.courier.send(&self.settings, request, purpose) {
            self.no_answer(&number.e164, attempt, &why);
        }
    }

    /// The CRM has answered, or not.
    pub(super) fn looked_up(
        &mut self,
        number: &str,
        attempt: u32,
        response: Result<fetch::Response, String>,
    ) {
        let info = match response {
            Err(why) => Err(why),
            Ok(response) => match response.status {
                404 => Ok(Value::Null),
                200..=299 => self.read(&response),
                401 => {
                    self.courier.forget_token();
                    Err("the CRM does not know us (401): are the [secrets] right?".to_owned())
                }
                status => Err(format!("the CRM answered {status}")),
            },
        };
        match info {
            Ok(info) => {
                self.courier.breaker.succeeded();
                count(if info.is_null() { "missed" } else { "found" });
                // An answer to an instance that has failed is as good, unless something newer is known.
                let is_newer = cache::get(number).is_ok_and(|known| known.is_none());
                if self.lookups.is_pending(number) || is_newer {
                    self.known(number, &info);
                }
            }
            Err(why) => {
                if self.courier.breaker.failed(clock::now_ns()) {
                    log::warn!("the CRM is left alone for a while: {why}");
                }
                self.no_answer(number, attempt, &why);
            }
        }
    }

    fn read(&self, response: &fetch::Response) -> Result<Value, String> {
        let Some(lookup) = self.settings.adapter.as_ref().and_then(|it| it.lookup.as_ref()) else {
            return Err("no CRM is set up any more".to_owned());
        };
        if response.body.trim().is_empty() {
            return Ok(Value::Null);
        }
        let answer = serde_json::from_str(&response.body)
            .map_err(|error| format!("what the CRM answered is no JSON: {error}"))?;
        Ok(lookup.info(&answer))
    }

    /// It will be tried again, or is given up.
    fn no_answer(&mut self, number: &str, attempt: u32, why: &str) {
        let now = clock::now_ns();
        if !self.lookups.failed(number, attempt, self.settings.retries, now) {
            log::warn!("a caller could not be looked up: {why}");
            self.give_up(number);
        }
    }

    fn give_up(&mut self, number: &str) {
        count("failed");
        for call in self.lookups.finish(number) {
            self.calls.unknown(&call);
        }
    }

    /// Something is known of a number, or that nobody knows it.
    fn known(&mut self, number: &str, info: &Value) {
        let ttl = if info.is_null() { self.settings.miss_ttl } else { self.settings.ttl };
        if let Err(why) = cache::set(number, info, ttl) {
            log::warn!("what is known of a number is not kept: {why}");
        }
        drop(self.lookups.finish(number));
        for call in self.calls.with(number) {
            self.found(&call, info, false);
        }
    }

    /// It is known who calls.
    pub(super) fn found(&mut self, id: &str, info: &Value, cached: bool) {
        let agents = self.calls.tell(id, info);
        self.tell(id, &agents, info, cached);
    }

    /// What there is to do about numbers by now.
    pub(super) fn inquire(&mut self) {
        for due in self.lookups.due(clock::now_ns()) {
            match due {
                Due::Ask { number, attempt } => self.ask(&number, attempt),
                Due::Elect { number } => self.elect(&number),
                Due::Failed { number } => self.give_up(&number),
            }
        }
    }

    /// Asks one of the clients at the extensions that ring.
    fn elect(&mut self, number: &str) {
        let calls = self.lookups.calls(number);
        let calls: Vec<_> = calls.iter().filter_map(|call| self.calls.get(call)).collect();
        // Whoever is asked sees a call of this server.
        let server = calls.first().map(|call| call.server.clone()).unwrap_or_default();
        let here = calls.iter().filter(|call| call.server == server);
        let extensions: Vec<String> = here.flat_map(|call| call.agents()).cloned().collect();
        let candidates = self.clients.at(&server, &extensions, &self.settings.clients);
        let patience = u64::try_from(self.settings.patience.as_nanos()).unwrap_or(u64::MAX);
        let time = (clock::now_ns(), patience);
        let question = self.lookups.question(number, &candidates, &clock::random(16), time);
        let Some(question) = question else { return };
        metrics::add("queries", 1, &[]);
        let event = json!({
            "event": "lookup", "server": server, "agent": question.client.extension,
            "lookup": question.lookup, "call": question.call, "number": question.number,
            "deadline": Timestamp(question.deadline / NS_PER_MS),
        });
        let tell = json!({"client": question.client.id, "event": event});
        if let Err(why) = bus::publish_json(TELL_CLIENT, &tell) {
            log::error!("a client is not asked: {why}");
        }
    }

    /// A client looks numbers up from now on.
    pub(super) fn client_joined(&mut self, client: Client) {
        self.clients.joined(client);
        for number in self.lookups.idle() {
            self.elect(&number);
        }
    }

    /// It does not any more: what it was asked, another one is.
    pub(super) fn client_left(&mut self, client: u64) {
        self.clients.left(client);
        for number in self.lookups.client_left(client) {
            self.elect(&number);
        }
    }

    /// The client that was asked has answered.
    pub(super) fn answered_by_client(&mut self, number: &str, info: &Value) {
        count(if info.is_null() { "missed" } else { "found" });
        self.known(number, info);
    }
}

/// A number as requests know it.
pub(super) fn number_values(number: &Number) -> [(String, Value); 3] {
    [
        ("number".to_owned(), number.e164.as_str().into()),
        ("digits".to_owned(), number.digits().into()),
        ("national".to_owned(), number.national.as_str().into()),
    ]
}

fn count(outcome: &str) {
    metrics::add("lookups", 1, &[("outcome", outcome)]);
}
