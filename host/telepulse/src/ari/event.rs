//! What of ARI's messages is read: the type of an event, and the channel that it tells of.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use telepulse_language::{SmolStr, Timestamp};
use thiserror::Error;

/// One event, as far as it was read.
#[derive(Debug, Deserialize)]
pub(super) struct Event<'e> {
    /// Its type, like `ChannelCreated`.
    #[serde(borrow, rename = "type")]
    pub(super) kind: Cow<'e, str>,
    #[serde(borrow, default)]
    channel: Option<&'e RawValue>,
}

/// What became of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Created,
    Changed,
    Destroyed,
}

/// A channel as events and listings show it.
#[derive(Debug, Deserialize)]
pub(super) struct Channel<'e> {
    pub(super) id: SmolStr,
    pub(super) name: SmolStr,
    #[serde(borrow)]
    state: Cow<'e, str>,
    pub(super) connected: Party,
    #[serde(borrow)]
    pub(super) dialplan: Dialplan<'e>,
    #[serde(borrow, rename = "creationtime")]
    created: Cow<'e, str>,
}

/// A number and a name, both empty where they are not known.
#[derive(Debug, Deserialize)]
pub(super) struct Party {
    pub(super) number: SmolStr,
    pub(super) name: SmolStr,
}

/// Where a channel is in the dialplan.
#[derive(Debug, Deserialize)]
pub(super) struct Dialplan<'e> {
    #[serde(borrow)]
    pub(super) exten: Cow<'e, str>,
    /// Missing before Asterisk 16.
    #[serde(borrow, default)]
    app_data: Cow<'e, str>,
}

/// A message that is not what ARI sends.
#[derive(Debug, Error)]
#[error("ARI sent what cannot be read: {0}")]
pub(super) struct Unreadable(#[from] serde_json::Error);

impl<'e> Event<'e> {
    pub(super) fn read(text: &'e str) -> Result<Self, Unreadable> {
        Ok(serde_json::from_str(text)?)
    }

    /// The channel that the event tells of, and what became of it. `None` for events that say nothing
    /// of the kind: the channel in them is a copy, which may be older than what was told before.
    pub(super) fn channel(&self) -> Result<Option<(Fate, Channel<'e>)>, Unreadable> {
        let fate = match &*self.kind {
            "ChannelCreated" => Fate::Created,
            "ChannelDestroyed" => Fate::Destroyed,
            "ChannelStateChange"
            | "ChannelDialplan"
            | "ChannelCallerId"
            | "ChannelConnectedLine" => Fate::Changed,
            _ => return Ok(None),
        };
        let channel = self.channel.map_or("null", RawValue::get);
        Ok(Some((fate, serde_json::from_str(channel)?)))
    }
}

/// Reads `GET /channels`.
pub(super) fn listing(text: &[u8]) -> Result<Vec<Channel<'_>>, Unreadable> {
    Ok(serde_json::from_slice(text)?)
}

/// The message with the server's id in it, otherwise as it came; `None` if it is no object.
pub(super) fn with_server(text: &str, server: &str) -> Option<String> {
    let rest = text.trim_start().strip_prefix('{')?;
    // An id of the configuration has no character that JSON escapes.
    Some(format!("{{\"ServerId\":\"{server}\",{rest}"))
}

impl Channel<'_> {
    /// The state in the language's words: Asterisk's in lower case.
    pub(super) fn state(&self) -> SmolStr {
        match &*self.state {
            "Rsrved" => SmolStr::new_static("reserved"),
            state => state.to_lowercase().into(),
        }
    }

    /// Whether Asterisk made it to call somebody, as far as its state of now tells: what waits for an
    /// answer is clear; later, what runs no dialplan of its own was called.
    pub(super) fn is_outbound(&self) -> bool {
        match &*self.state {
            "Ring" => false,
            "Down" | "Ringing" => true,
            _ => self.dialplan.app_data == "(Outgoing Line)",
        }
    }

    /// When it was made, where that can be read.
    pub(super) fn created(&self) -> Option<Timestamp> {
        let moment: jiff::Timestamp = self.created.parse().ok()?;
        u64::try_from(moment.as_millisecond()).ok().map(Timestamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Asterisk 22 sent it.
    const CREATED: &str = r#"{"type":"ChannelCreated","timestamp":"2026-11-22T00:36:39.533+0000","channel":{"id":"tp-1795307799.1","name":"PJSIP/102-00000001","state":"Down","protocol_id":"","caller":{"name":"","number":""},"connected":{"name":"","number":""},"accountcode":"","dialplan":{"context":"internal","exten":"s","priority":1,"app_name":"","app_data":""},"creationtime":"2026-11-22T00:36:39.533+0000","language":"en"},"asterisk_id":"02:fc:00:00:00:01","application":"telepulse"}"#;
    const REPLACED: &str = r#"{"type":"ApplicationReplaced","timestamp":"2026-11-22T00:36:21.302+0000","application":"telepulse","asterisk_id":"02:fc:00:00:00:01"}"#;

    #[test]
    fn a_channel_is_read() {
        let event = Event::read(CREATED).unwrap();
        assert_eq!(event.kind, "ChannelCreated");
        let (fate, channel) = event.channel().unwrap().unwrap();
        assert_eq!((fate, &*channel.id), (Fate::Created, "tp-1795307799.1"));
        assert_eq!((&*channel.name, channel.state().as_str()), ("PJSIP/102-00000001", "down"));
        assert!(channel.is_outbound());
        assert_eq!(channel.created(), Some(Timestamp(1_795_307_799_533)));
        assert!(Event::read(REPLACED).unwrap().channel().unwrap().is_none());
    }

    #[test]
    fn only_what_tells_of_a_channel_counts() {
        let varset = CREATED.replace("ChannelCreated", "ChannelVarset");
        assert!(Event::read(&varset).unwrap().channel().unwrap().is_none());
        let state = CREATED.replace("ChannelCreated", "ChannelStateChange");
        assert_eq!(Event::read(&state).unwrap().channel().unwrap().unwrap().0, Fate::Changed);
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for bad in ["", "[]", "{}", r#"{"type":1}"#, "{\"type\":\"X\""] {
            assert!(Event::read(bad).is_err(), "{bad}");
        }
        for bad in [r#"{"type":"ChannelCreated"}"#, r#"{"type":"ChannelCreated","channel":"x"}"#] {
            assert!(Event::read(bad).unwrap().channel().is_err(), "{bad}");
        }
        assert!(listing(b"{}").is_err());
        assert!(listing(b"[]").unwrap().is_empty());
    }

    #[test]
    fn the_server_is_put_in_and_the_rest_stays() {
        let told: serde_json::Value =
            serde_json::from_str(&with_server(CREATED, "pbx1").unwrap()).unwrap();
        assert_eq!(told["ServerId"], "pbx1");
        let mut rest = told;
        rest.as_object_mut().unwrap().remove("ServerId");
        assert_eq!(rest, serde_json::from_str::<serde_json::Value>(CREATED).unwrap());
        assert_eq!(with_server("[]", "pbx1"), None);
    }
}
