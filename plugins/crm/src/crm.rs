//! What happens to calls, numbers and clients, and what is done about it: the one place where the pure parts meet the
//! bus, the CRM and the disk.

mod commands;
mod deliveries;
mod inquiries;
mod swap;

use crate::{
    book::{self, Book},
    calls::{Calls, Change},
    courier::{Courier, Purpose},
    lookups::{Client, Clients, Lookups},
    outbox::Outbox,
    settings::{self, Settings},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{collections::HashSet, time::Duration};
use telepulse_plugin_sdk::{
    Answer, Event, Failure, StartReason,
    bus::{self, Submit},
    clock, fetch,
    language::{ActiveLines, Lines, Popup, QueryResult, Refusal, Timestamp},
    log,
};

const CALLER_INFO: &str = "telepulse.event.callerInfo";
const POPUP: &str = "telepulse.event.popup";
/// Asks gateways which clients look numbers up.
const WHO_IS_THERE: &str = "telepulse.client.ask";
/// Whatever the API changed, so that the instance that gets events hears of it.
pub(crate) const CHANGED: &str = "telepulse.crm.changed";
/// The one timer: something is due.
const WAKE: u64 = 1;
/// An event that is older was kept for an instance that did not run: it is no news to anybody.
const STALE: u64 = 10_000_000_000;
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);

/// The instance that gets events.
pub(crate) struct Crm {
    settings: Settings,
    calls: Calls,
    lookups: Lookups,
    clients: Clients,
    courier: Courier,
    outbox: Outbox,
    book: Book,
    /// Extensions whose lines changed before the answer came that says how all were: it is older. None: it has come.
    heard: Option<HashSet<(String, String)>>,
    /// Calls that began before this moment may pop up somewhere though nothing is known of them: the instance before
    /// has failed.
    blind_before: Option<Timestamp>,
}

/// What `telepulse.crm.changed` tells.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Changed {
    /// Something else is known of a number.
    Number { number: String, info: Value },
    /// Entries about a call are to be tried again.
    Call(String),
    /// There is another address book.
    Book {},
}

/// The details of `callerInfo`.
#[derive(Serialize)]
struct CallerInfo<'a> {
    server: &'a str,
    agent: &'a str,
    call: &'a str,
    number: &'a str,
    info: &'a Value,
    source: &'a str,
    cached: bool,
}

/// What `activeLines` says, and of whom.
#[derive(Deserialize)]
struct LinesOf {
    server: String,
    agent: String,
    #[serde(flatten)]
    lines: ActiveLines,
}

/// The question that is answered with lines: its context.
const LINES: &[u8] = b"lines";

impl Crm {
    pub(crate) fn begin(reason: StartReason) -> Result<Self, String> {
        let settings = settings::read()?;
        // The first number that is read takes longest: not while a call rings.
        settings.plan.read("+385 1 4812345");
        let (book, outbox) = (book::load()?, Outbox::load()?);
        let (calls, lookups, clients, courier) = Default::default();
        let heard = (reason != StartReason::Reload).then(HashSet::new);
        let blind_before = (reason == StartReason::CrashRestart).then(clock::now);
        let mut crm =
            Self { settings, calls, lookups, clients, courier, outbox, book, heard, blind_before };
        say(WHO_IS_THERE, &json!({}));
        if crm.heard.is_some() {
            ask_for_lines();
        }
        crm.set_alarm();
        Ok(crm)
    }

    pub(crate) fn heard(&mut self, event: &Event<'_>) -> Result<(), Failure> {
        let unreadable = |why: Refusal| Failure::Skip(why.to_string());
        let is_stale = clock::now_ns().saturating_sub(event.time_ns) > STALE;
        match event.kind {
            "activeLines" => {
                let LinesOf { server, agent, lines } = event.json().map_err(unreadable)?;
                self.lines_changed(&server, &agent, &lines, !is_stale);
                if let Some(heard) = self.heard.as_mut().filter(|_| !is_stale) {
                    heard.insert((server, agent));
                }
            }
            "callEnded" => self.ended(&event.json().map_err(unreadable)?, is_stale)?,
            "joined" => self.client_joined(event.json::<Client>().map_err(unreadable)?),
            "left" => {
                #[derive(Deserialize)]
                struct Left {
                    client: u64,
                }
                self.client_left(event.json::<Left>().map_err(unreadable)?.client);
            }
            "changed" => self.changed(event.json().map_err(unreadable)?),
            _ => {}
        }
        self.set_alarm();
        Ok(())
    }

    fn lines_changed(&mut self, server: &str, agent: &str, lines: &ActiveLines, is_news: bool) {
        let at = (server, agent);
        let changes = self.calls.lines(&self.settings.plan, at, &lines.lines, is_news);
        self.apply(changes);
    }

    fn apply(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Popup { server, agent, popup } => show(&server, &agent, &popup),
                Change::LookUp { call } => self.look_up(&call),
                Change::Joined { call } => self.joined(&call),
                Change::Tell { call, agent } => {
                    let Some(found) = self.calls.get(&call) else { continue };
                    if let Some(info) = found.caller.info() {
                        self.tell(&call, &[agent], info, true);
                    }
                }
            }
        }
    }

    /// Tells extensions what is known of a caller.
    fn tell(&self, id: &str, agents: &[String], info: &Value, cached: bool) {
        let Some(call) = self.calls.get(id) else { return };
        let source = &*self.settings.name;
        for agent in agents {
            let (server, number) = (&*call.server, &*call.number.e164);
            let told = CallerInfo { server, agent, call: id, number, info, source, cached };
            say(CALLER_INFO, &told);
        }
    }

    fn changed(&mut self, changed: Changed) {
        match changed {
            Changed::Number { number, info } => {
                drop(self.lookups.finish(&number));
                for call in self.calls.with(&number) {
                    self.found(&call, &info, false);
                }
            }
            Changed::Call(call) => {
                if let Err(why) = self.outbox.again(&call) {
                    log::error!(call = call; "what was set aside is not tried again: {why}");
                }
                self.deliver();
            }
            Changed::Book {} => match book::load() {
                Ok(book) => self.book = book,
                Err(why) => log::error!("the address book: {why}"),
            },
        }
    }

    /// An answer has come, perhaps to a request of the instance before.
    pub(crate) fn answered(&mut self, answer: Answer) {
        if answer.context == LINES {
            self.all_lines(answer.answer);
        } else {
            match serde_json::from_slice(&answer.context) {
                Ok(purpose) => self.came(purpose, fetch::response(answer.answer)),
                Err(error) => log::error!("an answer without a purpose: {error}"),
            }
        }
        self.set_alarm();
    }

    fn came(&mut self, purpose: Purpose, response: Result<fetch::Response, String>) {
        match purpose {
            Purpose::LookUp { number, attempt } => self.looked_up(&number, attempt, response),
            Purpose::Tell { call, up_to } => self.told(&call, up_to, response),
            Purpose::Token => {
                for (purpose, why) in self.courier.token_came(&self.settings, response) {
                    self.came(purpose, Err(why));
                }
            }
        }
    }

    /// Calls that were there before this instance.
    fn all_lines(&mut self, answer: Result<Vec<u8>, String>) {
        let read = bus::reply(answer).map_err(|refusal| refusal.to_string()).and_then(|result| {
            let result: QueryResult =
                serde_json::from_value(result).map_err(|error| error.to_string())?;
            Ok(result.items)
        });
        let items = match read {
            Ok(items) => items,
            Err(why) => return log::warn!("calls in progress are not known: {why}"),
        };
        let heard = self.heard.take().unwrap_or_default();
        for item in items {
            let Ok(Lines { agent, server, lines }) = serde_json::from_value(item) else { continue };
            if !heard.contains(&(server.to_string(), agent.to_string())) {
                self.lines_changed(&server, &agent, &ActiveLines { lines }, true);
            }
        }
    }

    /// Something is due.
    pub(crate) fn woke(&mut self) {
        self.inquire();
        self.deliver();
        self.set_alarm();
    }

    fn set_alarm(&mut self) {
        let now = clock::now_ns();
        // What the CRM is to be told waits while nobody asks it.
        let closed = self.courier.breaker.until(now).unwrap_or_default();
        let tell = self.outbox.next().filter(|_| self.settings.logs).map(|next| next.max(closed));
        let next = [self.lookups.next(), tell].into_iter().flatten().min();
        let Some(next) = next else { return };
        let delay = Duration::from_nanos(next.saturating_sub(now));
        clock::after(WAKE, delay.max(Duration::from_millis(1)));
    }
}

fn show(server: &str, agent: &str, popup: &Popup) {
    let mut fields = json!(popup);
    fields["server"] = server.into();
    fields["agent"] = agent.into();
    say(POPUP, &fields);
}

fn say(address: &str, what: &impl Serialize) {
    if let Err(why) = bus::publish_json(address, what) {
        log::error!("not published: {why}");
    }
}

fn ask_for_lines() {
    let asked = bus::submit(Submit {
        address: bus::QUERY,
        payload: br#"{"query":"lines","filter":{}}"#,
        timeout: QUERY_TIMEOUT,
        on_behalf_of: None,
        context: LINES,
    });
    if let Err(why) = asked {
        log::warn!("calls in progress are not known: {why}");
    }
}
