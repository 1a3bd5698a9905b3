//! Compares two streams: kinds, fields, and every value that is not chance.
//!
//! Asterisk promises an order within a topic only (a channel, a device, the bridges …); so it is
//! topics that are compared, each from its first message to its last.

use std::collections::BTreeMap;

use ami_proto::Message;

/// Events about the machine rather than about calls, which the simulator leaves out.
const LEFT_OUT: [&str; 4] = ["TestEvent", "RTCPSent", "RTCPReceived", "VarSet"];

/// Fields whose values hang on the clock, on chance, or on who was faster inside of Asterisk.
const VOLATILE: [&str; 10] = [
    "LoginTime",
    "LastCall",
    "LastPause",
    "HoldTime",
    "TalkTime",
    "RingTime",
    "ParkingDuration",
    // A member is counted as in a call a moment before or after its phone is.
    "InCall",
    // (And the technology of bridges: the media may have found a shorter way in the meantime.)
    // Lists of headers that only newer builds send come and go with these.
    "TechCause",
    "ActionID",
];

/// A message as it is compared: its name, its fields in order, their values.
type Shown = Vec<(String, String)>;

/// Fails where a topic of one stream differs from that of the other.
pub(crate) fn assert_same(simulated: &[Message], recorded: &[Message]) {
    assert_same_but(&[], simulated, recorded);
}

/// The same, but for topics in which the recorder's own haste shows.
pub(crate) fn assert_same_but(but: &[&str], simulated: &[Message], recorded: &[Message]) {
    let (mut simulated, mut recorded) = (topics(simulated), topics(recorded));
    for topic in but {
        let both = [simulated.remove(*topic), recorded.remove(*topic)];
        assert!(
            both.iter().all(Option::is_some),
            "{topic} is in both, else it need not be left out"
        );
    }
    let names = |topics: &BTreeMap<String, Vec<Shown>>| topics.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&simulated), names(&recorded), "not the same topics");
    for (topic, real) in &recorded {
        let ours = &simulated[topic];
        for (index, (ours, real)) in ours.iter().zip(real).enumerate() {
            assert_eq!(
                ours, real,
                "topic {topic}, message {index}: simulated left, recorded right"
            );
        }
        let kinds =
            |shown: &[Shown]| shown.iter().map(|shown| shown[0].1.clone()).collect::<Vec<_>>();
        assert_eq!(kinds(ours), kinds(real), "topic {topic}: simulated left, recorded right");
    }
}

fn topics(messages: &[Message]) -> BTreeMap<String, Vec<Shown>> {
    let mut roles = Roles::default();
    let mut topics: BTreeMap<String, Vec<Shown>> = BTreeMap::new();
    for message in messages {
        if message.event().is_some_and(|name| LEFT_OUT.contains(&name)) {
            continue;
        }
        roles.learn(message);
        topics.entry(topic(message)).or_default().push(show(message, &roles));
    }
    topics
}

fn topic(message: &Message) -> String {
    let of = |kind: &str, key: &str| format!("{kind} {}", message.get(key).unwrap_or_default());
    match message.event() {
        None => "responses".to_owned(),
        Some("ExtensionStatus") => of("extension", "Exten"),
        Some("DeviceStateChange") => of("device", "Device"),
        Some("OriginateResponse") => "originate".to_owned(),
        Some(name) if name.starts_with("Bridge") => "bridges".to_owned(),
        Some(name) if name.starts_with("Dial") => "dials".to_owned(),
        Some(name) if name.starts_with("QueueMember") => of("members", "Queue"),
        Some(name) if name.starts_with("Queue") || name.starts_with("Agent") => "queue".to_owned(),
        Some("BlindTransfer" | "AttendedTransfer") => "transfers".to_owned(),
        Some(name) if name.starts_with("Confbridge") => of("conference", "Conference"),
        Some(name) if name.contains("Parked") => "parking".to_owned(),
        Some(name) if name.starts_with("ChanSpy") => "spying".to_owned(),
        Some("LocalBridge") => "locals".to_owned(),
        Some("UserEvent") => "user events".to_owned(),
        // The hint and the state behind it are told by two.
        Some("PresenceStatus") => "hints' presences".to_owned(),
        Some("PresenceStateChange") => "presences".to_owned(),
        Some(_) => of("channel", "Channel"),
    }
}

fn show(message: &Message, roles: &Roles) -> Shown {
    // While a phone begins to ring, what is told of dialling may come before or after its Newstate.
    let racing = matches!(message.event(), Some("DialState" | "DialBegin"));
    // What is left of the time in the lot, but at its beginning.
    let waited = message.event() != Some("ParkedCall");
    message
        .fields()
        .map(|(key, value)| {
            let key = String::from_utf8_lossy(key).into_owned();
            let value = String::from_utf8_lossy(value).into_owned();
            let volatile = VOLATILE.contains(&key.as_str())
                || key.ends_with("BridgeTechnology")
                || (waited && key == "ParkingTimeout")
                || (racing && key.starts_with("DestChannelState"));
            let value = if volatile { "*".to_owned() } else { roles.of(&key, value) };
            (key, value)
        })
        .filter(|(key, _)| key != "TechCause")
        .collect()
}

/// Who is behind an id: chance gives ids, the scene gives channels.
#[derive(Default)]
struct Roles(BTreeMap<String, String>);

impl Roles {
    fn learn(&mut self, message: &Message) {
        for role in ["", "Dest"] {
            let id = message.get(&format!("{role}Uniqueid"));
            let channel = message.get(&format!("{role}Channel"));
            if let (Some(id), Some(channel)) = (id, channel) {
                self.0.entry(id.to_owned()).or_insert_with(|| format!("the id of {channel}"));
            }
        }
        if let Some(bridge) = message.get("BridgeUniqueid") {
            let count = self.0.values().filter(|role| role.starts_with("bridge")).count();
            self.0.entry(bridge.to_owned()).or_insert_with(|| format!("bridge {count}"));
        }
    }

    fn of(&self, key: &str, value: String) -> String {
        let is_id = key.ends_with("niqueid") || key.ends_with("Linkedid");
        if is_id { self.0.get(&value).cloned().unwrap_or(value) } else { value }
    }
}
