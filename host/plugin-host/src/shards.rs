//! Which instance of a plugin gets an event, if it runs as several: in this process (`limits.shards`), or on
//! several nodes (`placement.run`). Pure.

use crate::ports::{BusEvent, Part};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::hash::{DefaultHasher, Hash, Hasher};

/// How many instances a plugin may run as.
pub(crate) const MOST: u64 = 16;

/// What every instance is told: it changes what is known of all calls.
const TOLD_TO_ALL: &[&str] = &["serverStatus", "resync"];

/// Where an event goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// To every shard.
    All,
    /// To the shard of that number, from 0.
    One(usize),
}

/// What an event is about, the narrowest first. In raw AMI events `Linkedid` is the call. As JSON: it is
/// compared, not read.
#[derive(Default, Deserialize)]
struct About<'e> {
    #[serde(borrow)]
    call: Option<&'e RawValue>,
    #[serde(borrow, rename = "Linkedid")]
    linked: Option<&'e RawValue>,
    #[serde(borrow, rename = "Uniqueid")]
    unique: Option<&'e RawValue>,
    #[serde(borrow)]
    agent: Option<&'e RawValue>,
    #[serde(borrow)]
    queue: Option<&'e RawValue>,
}

/// The place of an event among so many shards: what is about one call is in one place, then what is
/// about one agent, then one queue; anything else goes by its address.
pub(crate) fn place(event: &BusEvent, shards: usize) -> Place {
    if shards <= 1 {
        return Place::One(0);
    }
    let subject = subject(event);
    if subject.is_none() && is_told_to_all(event) {
        return Place::All;
    }
    let mut hasher = DefaultHasher::new();
    (event.server.as_deref(), subject.unwrap_or(&event.address)).hash(&mut hasher);
    // The remainder is below the number of shards.
    Place::One(usize::try_from(hasher.finish() % shards as u64).unwrap_or(0))
}

/// Whether an event is this node's, if several divide them: by the same subjects as shards, then by the
/// server, then by the address.
pub(crate) fn is_ours(event: &BusEvent, part: &dyn Part) -> bool {
    let server = event.server.as_deref();
    match (subject(event), server) {
        (None, _) if is_told_to_all(event) => true,
        (Some(subject), _) => part.has(&format!("{}/{subject}", server.unwrap_or_default())),
        (None, Some(server)) => part.has(server),
        (None, None) => part.has(&event.address),
    }
}

/// The narrowest that an event is about, as it is written there.
fn subject(event: &BusEvent) -> Option<&str> {
    // A payload may be anything: what cannot be read is about nothing.
    let about: About<'_> = serde_json::from_slice(&event.payload).unwrap_or_default();
    let About { call, linked, unique, agent, queue } = about;
    call.or(linked).or(unique).or(agent).or(queue).map(RawValue::get)
}

fn is_told_to_all(event: &BusEvent) -> bool {
    event.seq > 0 && TOLD_TO_ALL.contains(&&*event.kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use std::{collections::BTreeSet, sync::Mutex};

    fn event(address: &str, payload: &str) -> BusEvent {
        BusEvent {
            seq: 1,
            time_ns: 0,
            address: address.into(),
            kind: address.rsplit('.').next().unwrap().into(),
            server: Some("pbx1".into()),
            payload: Bytes::copy_from_slice(payload.as_bytes()),
        }
    }

    fn placed(address: &str, payload: &str, shards: usize) -> Place {
        place(&event(address, payload), shards)
    }

    /// Has nothing, and remembers what it was asked about.
    #[derive(Debug, Default)]
    struct Asked(Mutex<BTreeSet<String>>);

    impl Part for Asked {
        fn has(&self, about: &str) -> bool {
            self.0.lock().unwrap().insert(about.to_owned());
            false
        }
    }

    #[test]
    fn nodes_divide_by_call_then_by_server_then_by_address() {
        let asked = Asked::default();
        let is_ours = |event: &BusEvent| is_ours(event, &asked);
        for kind in ["callStarted", "callEnded", "activeLines"] {
            let address = format!("telepulse.event.{kind}");
            assert!(!is_ours(&event(&address, r#"{"agent":"201","call":"c1"}"#)));
        }
        assert!(!is_ours(&event("telepulse.event.queueCount", r#"{"queue":"sales"}"#)));
        assert!(!is_ours(&event("telepulse.event.activeUsers", "{}")));
        let message = event("shop.sold", "{}");
        assert!(!is_ours(&BusEvent { server: None, seq: 0, ..message }));
        let expected = ["pbx1", "pbx1/\"c1\"", "pbx1/\"sales\"", "shop.sold"];
        assert_eq!(*asked.0.lock().unwrap(), expected.map(str::to_owned).into());
        assert!(is_ours(&event("telepulse.event.resync", "{}")), "told to all");
    }

    #[test]
    fn what_is_about_one_call_is_in_one_place() {
        let at = |kind: &str, payload: &str| placed(&format!("telepulse.event.{kind}"), payload, 5);
        for call in 0..20 {
            let started = at("callStarted", &format!(r#"{{"agent":"201","call":"c{call}"}}"#));
            let ended = at("callEnded", &format!(r#"{{"call": "c{call}", "queue":"sales"}}"#));
            assert_eq!(started, ended, "{call}");
            let raw = |event: &str, last: &str| {
                let address = format!("telepulse.proxy.event.pbx1.{event}");
                let payload = format!(r#"{{"Uniqueid":"{last}","Linkedid":"{call}.1"}}"#);
                placed(&address, &payload, 5)
            };
            assert_eq!(raw("Newchannel", "1"), raw("Hangup", "2"), "{call}");
        }
    }

    #[test]
    fn calls_are_spread() {
        let mut of_shard = [0; 4];
        for call in 0..1_000 {
            let payload = format!(r#"{{"call":"pbx1-{call}"}}"#);
            let Place::One(shard) = placed("telepulse.event.callStarted", &payload, 4) else {
                panic!("to one");
            };
            of_shard[shard] += 1;
        }
        assert!(of_shard.iter().all(|calls| (200..300).contains(calls)), "{of_shard:?}");
    }

    #[test]
    fn what_concerns_all_calls_goes_to_all() {
        assert_eq!(placed("telepulse.event.resync", "{}", 3), Place::All);
        assert_eq!(placed("telepulse.event.resync", "{}", 1), Place::One(0));
        let own = placed("telepulse.event.paint", "not even JSON", 3);
        assert!(matches!(own, Place::One(_)), "{own:?}");
    }
}
