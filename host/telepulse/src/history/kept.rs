//! A call as it is kept: the event that told of its end, as it was encoded, and to whom it was told.
//! Writing costs little so, and whatever later versions add to the event is kept too.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use telepulse_language::{Details, EndedCall, Event, SmolStr, Stamped, Timestamp};

/// An ended call on its way to the disk.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) id: SmolStr,
    pub(super) ended: Timestamp,
    agents: Vec<SmolStr>,
    told: Bytes,
}

/// What of the event matters for keeping it.
#[derive(Deserialize)]
struct Scope<'j> {
    #[serde(borrow)]
    call: Cow<'j, str>,
    #[serde(borrow)]
    agent: Option<Cow<'j, str>>,
    time: Timestamp,
}

/// How it is written.
#[derive(Serialize, Deserialize)]
struct Written<'j> {
    agents: Cow<'j, [SmolStr]>,
    #[serde(borrow)]
    told: &'j RawValue,
}

impl Kept {
    /// Reads a `callEnded`.
    pub(super) fn new(event: Bytes) -> Result<Self, serde_json::Error> {
        let Scope { call, agent, time } = serde_json::from_slice(&event)?;
        let (id, agents) = (SmolStr::new(call), agent.map(SmolStr::new).into_iter().collect());
        Ok(Self { id, ended: time, agents, told: event })
    }

    /// The same call told to more extensions.
    pub(super) fn add(&mut self, other: Self) {
        self.agents.extend(other.agents);
    }

    pub(super) fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let told = serde_json::from_slice(&self.told)?;
        serde_json::to_vec(&Written { agents: Cow::Borrowed(&self.agents), told })
    }
}

/// The id in what was written.
pub(super) fn id(json: &[u8]) -> Option<SmolStr> {
    let Written { told, .. } = serde_json::from_slice(json).ok()?;
    let Scope { call, .. } = serde_json::from_str(told.get()).ok()?;
    Some(call.into())
}

/// Reads what was written.
pub(super) fn read(json: &[u8]) -> Result<EndedCall, serde_json::Error> {
    let Written { agents, told } = serde_json::from_slice(json)?;
    let Stamped { event, .. } = serde_json::from_str(told.get())?;
    let Event { server, time, queue, details, .. } = event;
    let Details::CallEnded(summary) = details else {
        return Err(serde::de::Error::custom("it is no callEnded"));
    };
    Ok(EndedCall { server, ended: time, agents: agents.into_owned(), queue, summary })
}
