//! Commands that this plugin serves: `note`, `popupClose`, `lookupAnswer`.

use super::{Crm, deliveries::of_beginning};
use crate::{
    outbox::{self, Entry},
    template::Values,
};
use serde_json::{Value, json};
use std::time::Duration;
use telepulse_plugin_sdk::{
    bus, clock,
    language::{
        Code, EndedCall, Extension, Filter, LookupAnswer, Note, Page, Permission, PopupClose,
        Principal, Query, QueryKind, Refusal, Request, SmolStr, read_fields,
    },
};

/// The longest that a client may say of a number, as JSON.
const LARGEST_INFO: usize = 16 << 10;
/// How long the history of calls may take to answer.
const HISTORY: Duration = Duration::from_secs(1);

impl Crm {
    pub(crate) fn serve(
        &mut self,
        command: Request,
        who: Option<&Principal>,
    ) -> Result<Value, Refusal> {
        let Request { action, mut fields, .. } = command;
        // A call's id says which server it is on.
        fields.remove("server");
        let done = match action.as_str() {
            "note" => self.note(read_fields(fields)?, who),
            "popupClose" => self.close_popup(read_fields(fields)?, who),
            "lookupAnswer" => self.lookup_answered(read_fields(fields)?, who),
            other => Err(Refusal::field("action", format!("{other} is not served here"))),
        };
        self.set_alarm();
        done.map(|()| json!({}))
    }

    fn note(&mut self, note: Note, who: Option<&Principal>) -> Result<(), Refusal> {
        let Note { call, text } = note;
        if !self.settings.logs {
            let message = "no CRM takes notes here: [settings] adapter and log of the plugin crm";
            return Err(Refusal::new(Code::Conflict, message));
        }
        if self.outbox.is_full() {
            let message = "the CRM has been away for so long that no more notes can be kept";
            return Err(Refusal::new(Code::ServerUnavailable, message));
        }
        let values = self.values_of(&call)?;
        if !values.as_ref().is_some_and(|values| may_see(who, values)) {
            let message = format!("there is no call {call}, or it ended too long ago");
            return Err(Refusal::new(Code::NotFound, message).with_field("call"));
        }
        let values = values.unwrap_or_default();
        let own = who.and_then(|who| who.extension.as_deref());
        let is_own = own.is_some_and(|own| agents(&values).any(|agent| agent == own));
        limited_to_own("note", who, is_own)?;
        let by = who.map(|who| who.name.clone());
        let entry = Entry::Note { text: text.to_string(), by, at: clock::now_ns(), values };
        self.outbox.add(&call, entry).map_err(|why| {
            Refusal::new(Code::ServerUnavailable, format!("the note could not be stored: {why}"))
        })?;
        self.deliver();
        Ok(())
    }

    /// What is known of a call, one in progress or one that has ended.
    fn values_of(&self, id: &str) -> Result<Option<Values>, Refusal> {
        if let Some(call) = self.calls.get(id) {
            let mut values = of_beginning(id, clock::now(), call.is_out, &call.number);
            values.insert("server".to_owned(), call.server.as_str().into());
            values.insert("agent".to_owned(), json!(call.talked.last()));
            values.insert("agents".to_owned(), json!(call.ever));
            let record = call.caller.info().map(|info| info["id"].clone());
            values.insert("id".to_owned(), record.unwrap_or_default());
            return Ok(Some(values));
        }
        if let Some(values) = self.outbox.ended(id) {
            return Ok(Some(values.clone()));
        }
        let unread = |why: String| Refusal::new(Code::ServerUnavailable, why);
        if let Some(values) = outbox::logged(id).map_err(unread)? {
            return Ok(Some(values));
        }
        let mut query = Query::new(QueryKind::EndedCalls, Filter::default());
        query.page = Some(Page { call: Some(id.to_owned()), ..Page::default() });
        let found = bus::query(&query, HISTORY)?.items.into_iter().next();
        let Some(Ok(ended)) = found.map(serde_json::from_value::<EndedCall>) else {
            return Ok(None);
        };
        let EndedCall { server, agents, summary, .. } = ended;
        let agent = agents.last().map(SmolStr::as_str);
        Ok(self.summary(&summary, None, agent, &server).map(|mut values| {
            values.insert("agents".to_owned(), json!(agents));
            values
        }))
    }

    fn close_popup(&mut self, close: PopupClose, who: Option<&Principal>) -> Result<(), Refusal> {
        let PopupClose { call, agent } = close;
        let own = who.and_then(|who| who.extension.as_deref());
        let agent = agent.as_ref().map(Extension::as_str).or(own).ok_or_else(|| {
            Refusal::field("agent", "is missing, and you have no extension of your own")
        })?;
        limited_to_own("popupClose", who, own == Some(agent))?;
        let sees =
            |server: &str| who.is_none_or(|who| who.may_see(Some(server), Some(agent), None));
        let is_there = self.calls.get(&call).is_some_and(|call| sees(&call.server));
        let closed = if is_there { self.calls.close(&call, agent) } else { None };
        let closed = closed.ok_or_else(|| {
            let message = format!("nothing of this call pops up at {agent}");
            Refusal::new(Code::NotFound, message).with_field("call")
        })?;
        self.apply(vec![closed]);
        Ok(())
    }

    fn lookup_answered(
        &mut self,
        answer: LookupAnswer,
        who: Option<&Principal>,
    ) -> Result<(), Refusal> {
        let LookupAnswer { lookup, info } = answer;
        let asked = self.lookups.asked(&lookup);
        // Who was not asked does not learn that another one was.
        let is_asked = |user: &str| who.is_some_and(|who| who.name == user);
        let Some((number, _)) = asked.filter(|(_, client)| is_asked(&client.user)) else {
            let message = "is not asked of you, or not any more";
            return Err(Refusal::new(Code::NotFound, message).with_field("lookup"));
        };
        let length = info.to_string().len();
        if length > LARGEST_INFO {
            let message = format!("has {length} bytes as JSON; {LARGEST_INFO} are the most");
            return Err(Refusal::field("info", message));
        }
        self.answered_by_client(&number, &info);
        Ok(())
    }
}

fn agents(values: &Values) -> impl Iterator<Item = &str> {
    values.get("agents").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// Whether somebody may see a call: one of its extensions, on its server.
fn may_see(who: Option<&Principal>, values: &Values) -> bool {
    let Some(who) = who else { return true };
    let server = values.get("server").and_then(Value::as_str);
    let mut agents = agents(values).map(Some).chain(std::iter::once(None));
    agents.any(|agent| {
        let queue_is_unknown = Principal { queues: None, ..who.clone() };
        queue_is_unknown.may_see(server, agent, None)
    })
}

fn limited_to_own(action: &str, who: Option<&Principal>, is_own: bool) -> Result<(), Refusal> {
    match who {
        Some(who) if who.permission(action) == Permission::Own && !is_own => {
            let message = format!("{} may {action} only what is their own", who.name);
            Err(Refusal::new(Code::Forbidden, message))
        }
        _ => Ok(()),
    }
}
