//! From instance to instance.

use super::Crm;
use crate::{
    calls::Calls,
    courier::Legacy as Breaker,
    lookups::{Clients, Lookups},
    outbox::Outbox,
};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::BTreeMap};

/// What the disk does not tell.
#[derive(Serialize, Deserialize)]
struct Legacy<'a> {
    calls: Cow<'a, Calls>,
    lookups: Cow<'a, Lookups>,
    clients: Cow<'a, Clients>,
    breaker: Cow<'a, Breaker>,
    under_way: BTreeMap<String, (u64, u64)>,
}

impl Crm {
    pub(crate) fn hand_over(&self) -> Result<Vec<u8>, String> {
        let legacy = Legacy {
            calls: Cow::Borrowed(&self.calls),
            lookups: Cow::Borrowed(&self.lookups),
            clients: Cow::Borrowed(&self.clients),
            breaker: Cow::Borrowed(&self.courier.breaker),
            under_way: self.outbox.under_way(),
        };
        serde_json::to_vec(&legacy).map_err(|error| error.to_string())
    }

    pub(crate) fn take_over(&mut self, state: &[u8]) -> Result<(), String> {
        let Legacy { calls, lookups, clients, breaker, under_way } =
            serde_json::from_slice(state).map_err(|error| error.to_string())?;
        self.calls = calls.into_owned();
        self.lookups = lookups.into_owned();
        self.clients = clients.into_owned();
        self.courier.breaker = breaker.into_owned();
        // The instance before wrote and sent on while this one was getting ready.
        self.outbox = Outbox::load()?;
        self.outbox.take_over(under_way);
        self.set_alarm();
        Ok(())
    }
}
