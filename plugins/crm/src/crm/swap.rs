//! From instance to instance.

use super::Crm;
use crate::{
    calls::Calls,
    courier::{Legacy as Courier, Purpose},
    lookups::{Clients, Lookups},
    outbox::Outbox,
};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::BTreeMap};
use telepulse_plugin_sdk::clock;

/// What the disk does not tell.
#[derive(Serialize, Deserialize)]
struct Legacy<'a> {
    calls: Cow<'a, Calls>,
    lookups: Cow<'a, Lookups>,
    clients: Cow<'a, Clients>,
    courier: Courier,
    sent: BTreeMap<String, (u64, u64)>,
}

impl Crm {
    pub(crate) fn hand_over(&self) -> Result<Vec<u8>, String> {
        let legacy = Legacy {
            calls: Cow::Borrowed(&self.calls),
            lookups: Cow::Borrowed(&self.lookups),
            clients: Cow::Borrowed(&self.clients),
            courier: self.courier.hand_over(),
            sent: self.outbox.sent(),
        };
        serde_json::to_vec(&legacy).map_err(|error| error.to_string())
    }

    pub(crate) fn take_over(&mut self, state: &[u8]) -> Result<(), String> {
        let Legacy { calls, lookups, clients, courier, sent } =
            serde_json::from_slice(state).map_err(|error| error.to_string())?;
        self.calls = calls.into_owned();
        self.lookups = lookups.into_owned();
        self.clients = clients.into_owned();
        // The instance before wrote and sent on while this one was getting ready.
        self.outbox = Outbox::load()?;
        self.outbox.take_over(sent);
        let now = clock::now_ns();
        for purpose in self.courier.take_over(courier) {
            match purpose {
                Purpose::LookUp { number, attempt } => {
                    self.lookups.failed(&number, attempt, u32::MAX, now);
                }
                Purpose::Tell { call, .. } => self.outbox.put_back(&call),
                Purpose::Token => {}
            }
        }
        self.set_alarm();
        Ok(())
    }
}
