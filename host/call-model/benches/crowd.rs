//! A large PBX in one model: 10,000 extensions, 2,000 live calls, 200 queues with callers. What does
//! each take of memory, and what does one extension's event cost among all the others?
//!
//! The calls are those of a recording of a real Asterisk, each under numbers and ids of its own.

use ami_proto::{Decoder, Frame, Limits, Message, recording};
use call_model::{Listing, Pbx, PbxConfig};
use cap::Cap;
use std::{alloc::System, fmt::Write as _, hint::black_box, path::Path, time::Instant};
use telepulse_language::{Event, Filter, Query, QueryKind, Timestamp};

/// Counts what is allocated.
#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

const EXTENSIONS: usize = 10_000;
const CALLS: usize = 2_000;
const QUEUES: usize = 200;
const MEMBERS: usize = 20;
/// How often the event is applied, in each of [`ROUNDS`].
const TIMES: u32 = 20_000;
const ROUNDS: usize = 9;
const NOW: Timestamp = Timestamp(1_795_215_840_000);

fn main() {
    let template = Template::read();
    let mut pbx = pbx();
    let empty = HEAP.allocated();
    let hints: Vec<Message> = (0..EXTENSIONS).flat_map(hint).collect();
    list(&mut pbx, &hints);
    drop(hints);
    let with_extensions = HEAP.allocated();
    let queues = queues();
    fold(&mut pbx, &Listing::Queues, &queues);
    drop(queues);
    let with_queues = HEAP.allocated();
    let idle = HEAP.allocated();
    let mut told = 0;
    for call in 0..CALLS {
        told += apply(&mut pbx, &template.call(call));
    }
    let full = HEAP.allocated();
    let lines = pbx.query(&Query::new(QueryKind::Lines, Filter::default())).lines;
    let calls = pbx.query(&Query::new(QueryKind::Calls, Filter::default())).calls;
    assert_eq!((lines.len(), calls.len()), (2 * CALLS, CALLS), "every call, with both its lines");
    let up = lines.iter().filter(|line| line.lines.iter().all(|line| !line.channel.is_empty()));
    assert_eq!(up.count(), 2 * CALLS);

    figure("memory of an idle extension", &bytes(with_extensions - empty, EXTENSIONS));
    figure("memory of a queue, 20 members", &bytes(with_queues - with_extensions, QUEUES));
    figure("memory of a live call", &bytes(full - idle, CALLS));
    figure("memory of all", &format!("{} KiB", (full - empty) / 1024));
    figure("events told for a call", &format!("{:.1}", ratio(told, CALLS)));

    let mut alone = self::pbx();
    list(&mut alone, &[hint(0), hint(1)].concat());
    apply(&mut alone, &template.call(0));
    let (hold, unhold) = template.hold(0);
    let alone = cost(&mut alone, &hold, &unhold);
    let crowd = cost(&mut pbx, &hold, &unhold);
    figure("activeLines of one, alone", &format!("{alone:.0} ns"));
    figure("activeLines of one, in the crowd", &format!("{crowd:.0} ns"));
}

fn pbx() -> Pbx {
    Pbx::new(PbxConfig {
        server: "pbx1".into(),
        device: "PJSIP/{ext}".into(),
        extensions: "^[0-9]{2,6}$".parse().expect("a pattern"),
        context: "internal".into(),
        voicemail: None,
        max_calls: None,
    })
}

fn extension(number: usize) -> String {
    (10_000 + number).to_string()
}

/// The hint of an extension, and the state of its device, as items of the two listings.
fn hint(number: usize) -> Vec<Message> {
    let exten = extension(number);
    messages(&format!(
        "Event: ExtensionStatus\r\nExten: {exten}\r\nContext: internal\r\n\
         Hint: PJSIP/{exten},CustomPresence:{exten}\r\nStatus: 0\r\nStatusText: Idle\r\n\r\n\
         Event: DeviceStateChange\r\nDevice: PJSIP/{exten}\r\nState: NOT_INUSE\r\n\r\n"
    ))
}

fn queues() -> Vec<Message> {
    let mut text = String::new();
    for queue in 0..QUEUES {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "Event: QueueParams\r\nQueue: queue{queue}\r\nMax: 0\r\nStrategy: ringall\r\nCalls: 0\r\n\r\n"
        );
        for member in 0..MEMBERS {
            let exten = extension((queue * MEMBERS + member) % EXTENSIONS);
            let _ = write!(
                text,
                "Event: QueueMember\r\nQueue: queue{queue}\r\nName: Agent {exten}\r\n\
                 Location: PJSIP/{exten}\r\nStateInterface: PJSIP/{exten}\r\nMembership: dynamic\r\n\
                 Penalty: 0\r\nCallsTaken: 3\r\nLastCall: 1795215800\r\nLastPause: 0\r\nLoginTime: 1795215000\r\n\
                 InCall: 0\r\nStatus: 1\r\nPaused: 0\r\nPausedReason: \r\nWrapuptime: 0\r\n\r\n"
            );
        }
    }
    messages(&text)
}

/// Fills an empty model with extensions, as at login.
fn list(pbx: &mut Pbx, items: &[Message]) {
    let is_hint = |item: &&Message| item.event() == Some("ExtensionStatus");
    let (hints, devices): (Vec<Message>, Vec<Message>) =
        items.iter().cloned().partition(|item| is_hint(&item));
    pbx.begin_sync(NOW);
    fold(pbx, &Listing::Hints, &hints);
    fold(pbx, &Listing::Devices, &devices);
    pbx.finish_sync(NOW, &mut Vec::new());
}

fn fold(pbx: &mut Pbx, listing: &Listing, items: &[Message]) {
    let response = messages("Response: Success\r\nEventList: start\r\n\r\n").remove(0);
    pbx.fold(listing, &response, items, NOW, &mut Vec::new());
}

fn apply(pbx: &mut Pbx, events: &[Message]) -> usize {
    let mut told: Vec<Event> = Vec::new();
    for event in events {
        pbx.apply(event, NOW, &mut told);
    }
    told.len()
}

/// Nanoseconds of what changes one extension's lines, by the fastest round.
fn cost(pbx: &mut Pbx, hold: &Message, unhold: &Message) -> f64 {
    let mut told = Vec::new();
    let mut round = || {
        let start = Instant::now();
        for _ in 0..TIMES / 2 {
            for event in [hold, unhold] {
                pbx.apply(event, NOW, &mut told);
                assert!(told.iter().any(|event| event.details.kind() == "activeLines"));
                black_box(&told);
                told.clear();
            }
        }
        start.elapsed().as_secs_f64() * 1e9 / f64::from(TIMES)
    };
    (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min)
}

/// The events of one answered call, as a real Asterisk told them.
struct Template {
    call: String,
}

impl Template {
    fn read() -> Self {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/recordings/sip-call.amirec");
        let stream =
            recording::stream(&std::fs::read(path).expect("a recording")).expect("well-formed");
        let text = String::from_utf8(stream).expect("plain text");
        let call: String = text
            .split_inclusive("\r\n\r\n")
            .filter(|block| block.starts_with("Event: ") && !block.contains("\r\nActionID: "))
            .take_while(|block| !block.starts_with("Event: Hangup"))
            .collect();
        Self { call }
    }

    /// The same for two extensions, under ids, of their own.
    fn call(&self, number: usize) -> Vec<Message> {
        messages(&self.own(&self.call, number))
    }

    fn own(&self, text: &str, number: usize) -> String {
        let bridge = self.call.split("BridgeUniqueid: ").nth(1).expect("a bridge");
        let bridge = bridge.split("\r\n").next().expect("its id");
        // First all that is to go, then what comes instead: neither may hold the other.
        let known =
            ["1795215889.0", "1795215889.1", "-00000000", "-00000001", "101", "102", bridge];
        let (first, second) = (2 * number, 2 * number + 1);
        let own = [
            format!("1795215889.{first}"),
            format!("1795215889.{second}"),
            format!("-{first:08x}"),
            format!("-{second:08x}"),
            extension(first),
            extension(second),
            format!("bridge-{number:029}"),
        ];
        let marks: Vec<String> = ('\u{1}'..).take(known.len()).map(String::from).collect();
        let mut text = text.to_owned();
        for (from, to) in known.into_iter().zip(&marks) {
            text = text.replace(from, to);
        }
        marks.iter().zip(&own).fold(text, |text, (from, to)| text.replace(from, to))
    }

    /// The first channel of a call puts the other on hold, and takes it back.
    fn hold(&self, number: usize) -> (Message, Message) {
        let event = |name: &str| {
            let block = self.call.split_inclusive("\r\n\r\n");
            let mut up = block.filter(|block| block.starts_with("Event: BridgeEnter"));
            let up = up.next().expect("a channel that is bridged");
            let named = up.replace("Event: BridgeEnter", &format!("Event: {name}"));
            messages(&self.own(&named, number)).remove(0)
        };
        (event("Hold"), event("Unhold"))
    }
}

fn messages(text: &str) -> Vec<Message> {
    let mut decoder = Decoder::new(Limits::default());
    decoder.buffer().extend_from_slice(b"Asterisk Call Manager/11.0.0\r\n");
    decoder.buffer().extend_from_slice(text.as_bytes());
    let message = |frame| match frame {
        Ok(Frame::Message(message)) => Some(message),
        _ => None,
    };
    decoder.filter_map(message).collect()
}

fn ratio(whole: usize, parts: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
    let ratio = whole as f64 / parts as f64;
    ratio
}

fn bytes(whole: usize, parts: usize) -> String {
    format!("{:.0} B", ratio(whole, parts))
}

/// A line of the table.
fn figure(what: &str, value: &str) {
    println!("figure {what}: {value}");
}
