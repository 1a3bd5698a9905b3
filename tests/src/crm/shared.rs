//! What a simulated CRM holds: contacts, what it was asked and told, whom it lets in.

use super::{Kind, TOKEN, exchange::Stranger, faults::Faults, number};
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// One contact.
#[derive(Debug, Clone)]
pub(super) struct Contact {
    pub(super) id: String,
    /// E.164.
    pub(super) number: String,
    /// Its fields, named as the API names them.
    pub(super) fields: Value,
}

/// What a record is that was logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Logged {
    Call,
    Note,
}

/// What the handlers of requests and the test share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) kind: Kind,
    /// Where it is reached.
    pub(super) url: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    contacts: Vec<Contact>,
    /// Each look-up with the numbers that it asked for, all of which mean the same caller.
    looked_up: Vec<Vec<String>>,
    logged: Vec<(Logged, Value)>,
    /// What was answered to a key that stands for one request, however often it is sent.
    answered: HashMap<String, (Value, Value)>,
    requests: usize,
    valid: HashSet<String>,
    expired: HashSet<String>,
    issued: usize,
    faults: Faults,
}

impl Shared {
    pub(super) fn new(kind: Kind, url: String) -> Self {
        let mut state = State::default();
        if matches!(kind, Kind::Rest | Kind::HubSpot) {
            state.valid.insert(TOKEN.to_owned());
        }
        Self { kind, url, state: Mutex::new(state) }
    }

    /// Adds a contact and answers its id.
    pub(super) fn add(&self, number: &str, fields: Value) -> String {
        let mut state = self.state.lock();
        let id = self.kind.contact_id(state.contacts.len() + 1);
        let fields = self.kind.complete(&id, number, fields);
        state.contacts.push(Contact { id: id.clone(), number: number.to_owned(), fields });
        id
    }

    /// Counts a look-up of `asked`, and gives the contacts that are `meant`, the oldest first.
    pub(super) fn look_up(
        &self,
        asked: Vec<String>,
        meant: impl Fn(&Contact) -> bool,
    ) -> Vec<Contact> {
        let mut state = self.state.lock();
        state.looked_up.push(asked);
        state.contacts.iter().filter(|contact| meant(contact)).cloned().collect()
    }

    pub(super) fn lookups(&self, number: &str) -> usize {
        let is_meant = |asked: &&Vec<String>| asked.iter().any(|one| number::means(one, number));
        self.state.lock().looked_up.iter().filter(is_meant).count()
    }

    pub(super) fn has_contact(&self, id: &str) -> bool {
        self.state.lock().contacts.iter().any(|contact| contact.id == id)
    }

    /// Keeps what was logged, and answers how many records there are now.
    pub(super) fn log(&self, what: Logged, record: Value) -> usize {
        let logged = &mut self.state.lock().logged;
        logged.push((what, record));
        logged.len()
    }

    pub(super) fn logged(&self, what: Logged) -> Vec<Value> {
        let state = self.state.lock();
        let wanted = state.logged.iter().filter(|(kind, _)| *kind == what);
        wanted.map(|(_, record)| record.clone()).collect()
    }

    /// The request that came with this key before, and its answer.
    pub(super) fn answered(&self, key: &str) -> Option<(Value, Value)> {
        self.state.lock().answered.get(key).cloned()
    }

    pub(super) fn remember(&self, key: &str, request: Value, answer: Value) {
        self.state.lock().answered.insert(key.to_owned(), (request, answer));
    }

    pub(super) fn count_request(&self) {
        self.state.lock().requests += 1;
    }

    pub(super) fn requests(&self) -> usize {
        self.state.lock().requests
    }

    pub(super) fn faults<T>(&self, with: impl FnOnce(&mut Faults) -> T) -> T {
        with(&mut self.state.lock().faults)
    }

    /// Whether who brings this token may come in.
    pub(super) fn admit(&self, token: Option<&str>) -> Result<(), Stranger> {
        let state = self.state.lock();
        match token {
            None => Err(Stranger::WithoutToken),
            Some(token) if state.valid.contains(token) => Ok(()),
            Some(token) if state.expired.contains(token) => Err(Stranger::Expired),
            Some(_) => Err(Stranger::Unknown),
        }
    }

    pub(super) fn accept(&self, token: &str) {
        self.state.lock().valid.insert(token.to_owned());
    }

    /// A new access token.
    pub(super) fn issue(&self) -> String {
        let mut state = self.state.lock();
        state.issued += 1;
        let token = format!("access-token-{}", state.issued);
        state.valid.insert(token.clone());
        token
    }

    pub(super) fn tokens_issued(&self) -> usize {
        self.state.lock().issued
    }

    pub(super) fn expire_tokens(&self) {
        let state = &mut *self.state.lock();
        state.expired.extend(state.valid.drain());
    }
}
