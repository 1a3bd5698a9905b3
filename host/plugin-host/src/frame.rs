//! The framed layout of a batch (`framed-subscriber` in `wit/bus.wit`), built once for each batch.

use crate::ports::BusEvent;
use bytes::Bytes;
use std::sync::Arc;

/// What comes before an event's texts, in bytes.
const HEADER: usize = 24;
/// Of those, the number and the time: what differs between events of one kind.
const NUMBERS: usize = 16;
/// Heads that are looked for again: events of a few kinds come in turn.
const HEADS: usize = 8;
/// What a head takes that is looked for again, in bytes.
const BLOCK: usize = 128;
/// Stands for "no server" where its length would be.
const NO_SERVER: u16 = u16::MAX;

/// A batch, framed. Kept between batches, so that its memory is.
#[derive(Default)]
pub(crate) struct Framed {
    offsets: Vec<u32>,
    bytes: Vec<u8>,
}

impl Framed {
    /// Forgets the batch before and frames this one.
    pub(crate) fn fill(&mut self, batch: &[Arc<BusEvent>]) {
        self.offsets.clear();
        self.bytes.clear();
        self.offsets.push(0);
        let mut heads = Heads::default();
        for event in batch {
            if let Some(head) = heads.like(event) {
                let end = self.bytes.len() + head.length;
                head.block[..NUMBERS].copy_from_slice(&numbers(event));
                // A length that the compiler knows is copied without a call; the rest is cut off.
                self.bytes.extend_from_slice(&head.block);
                self.bytes.truncate(end);
            } else {
                let start = self.bytes.len();
                push_head(&mut self.bytes, event);
                heads.add(event, &self.bytes[start..]);
            }
            self.bytes.extend_from_slice(&event.payload);
            // A batch is at most 64 events, each bounded by the bus far below 64 MiB.
            self.offsets.push(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
        }
    }

    pub(crate) fn offsets(&self) -> &[u32] {
        &self.offsets
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// One message by itself, in the same layout: how it is kept on disk.
pub(crate) fn encode(event: &BusEvent) -> Bytes {
    let mut bytes = Vec::with_capacity(length(event));
    push_head(&mut bytes, event);
    bytes.extend_from_slice(&event.payload);
    bytes.into()
}

/// Reads what [`encode`] wrote; nothing from anything else.
pub(crate) fn decode(bytes: &Bytes) -> Option<BusEvent> {
    let header = bytes.get(..HEADER)?;
    let number = |at: usize| Some(u64::from_le_bytes(header[at..at + 8].try_into().ok()?));
    let short = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    let (mut at, server) = (HEADER, short(20));
    let mut text = |length: u16| {
        let text = std::str::from_utf8(bytes.get(at..at + usize::from(length))?).ok()?;
        at += usize::from(length);
        Some(Arc::<str>::from(text))
    };
    let (address, kind) = (text(short(16))?, text(short(18))?);
    let server = if server == NO_SERVER { None } else { Some(text(server)?) };
    let payload = bytes.slice(at..);
    Some(BusEvent { seq: number(0)?, time_ns: number(8)?, address, kind, server, payload })
}

/// Heads that were written already: copying one is cheaper than writing it again.
#[derive(Default)]
struct Heads<'b> {
    known: [Option<Head<'b>>; HEADS],
    next: usize,
}

struct Head<'b> {
    event: &'b BusEvent,
    length: usize,
    block: [u8; BLOCK],
}

impl<'b> Heads<'b> {
    fn like(&mut self, event: &BusEvent) -> Option<&mut Head<'b>> {
        self.known.iter_mut().flatten().find(|head| are_alike(head.event, event))
    }

    /// Longer ones are written each time.
    fn add(&mut self, event: &'b BusEvent, head: &[u8]) {
        if head.len() <= BLOCK {
            let mut block = [0; BLOCK];
            block[..head.len()].copy_from_slice(head);
            self.known[self.next % HEADS] = Some(Head { event, length: head.len(), block });
            self.next += 1;
        }
    }
}

/// Whether both have the same texts before their payloads: the bus gives events of one kind and server
/// the same ones, shared.
fn are_alike(one: &BusEvent, other: &BusEvent) -> bool {
    let same_server = match (&one.server, &other.server) {
        (None, None) => true,
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        _ => false,
    };
    same_server && Arc::ptr_eq(&one.address, &other.address) && Arc::ptr_eq(&one.kind, &other.kind)
}

/// What a message takes in this layout, in bytes.
pub(crate) fn length(event: &BusEvent) -> usize {
    let server = event.server.as_deref().map_or(0, str::len);
    HEADER + event.address.len() + event.kind.len() + server + event.payload.len()
}

fn numbers(event: &BusEvent) -> [u8; NUMBERS] {
    let mut numbers = [0; NUMBERS];
    numbers[..8].copy_from_slice(&event.seq.to_le_bytes());
    numbers[8..].copy_from_slice(&event.time_ns.to_le_bytes());
    numbers
}

fn push_head(bytes: &mut Vec<u8>, event: &BusEvent) {
    let address = field(&event.address);
    let kind = field(&event.kind);
    let server = event.server.as_deref().map(field);
    let mut header = [0; HEADER];
    header[..NUMBERS].copy_from_slice(&numbers(event));
    header[16..18].copy_from_slice(&address.0.to_le_bytes());
    header[18..20].copy_from_slice(&kind.0.to_le_bytes());
    header[20..22].copy_from_slice(&server.map_or(NO_SERVER, |server| server.0).to_le_bytes());
    let server = server.map_or("", |server| server.1);
    bytes.extend_from_slice(&header);
    for text in [address.1, kind.1, server] {
        bytes.extend_from_slice(text.as_bytes());
    }
}

/// A text with its length; cut where it would not fit, which no address of the bus does.
fn field(text: &str) -> (u16, &str) {
    let text = &text[..text.floor_char_boundary(usize::from(NO_SERVER) - 1)];
    (u16::try_from(text.len()).unwrap_or(0), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: u64, server: Option<&str>) -> Arc<BusEvent> {
        Arc::new(BusEvent {
            seq,
            time_ns: 7,
            address: "telepulse.event.x".into(),
            kind: "x".into(),
            server: server.map(Into::into),
            payload: Bytes::from_static(b"{}"),
        })
    }

    #[test]
    fn the_layout_is_that_of_the_interface() {
        let mut framed = Framed::default();
        framed.fill(&[event(1, Some("pbx1")), event(2, None)]);
        let [start, middle, end] = framed.offsets() else { panic!("three offsets") };
        assert_eq!((*start, *end as usize), (0, framed.bytes().len()));
        let first = &framed.bytes()[..*middle as usize];
        assert_eq!(first[..8], 1u64.to_le_bytes());
        assert_eq!(first[8..16], 7u64.to_le_bytes());
        assert_eq!(first[16..24], [17, 0, 1, 0, 4, 0, 0, 0]);
        assert_eq!(&first[24..], b"telepulse.event.xxpbx1{}");
        let second = &framed.bytes()[*middle as usize..];
        assert_eq!(second[20..22], [255, 255]);
        assert_eq!(&second[24..], b"telepulse.event.xx{}");
    }

    #[test]
    fn a_head_that_is_copied_is_as_one_that_is_written() {
        let texts: Vec<Arc<str>> = (0..20).map(|n| Arc::from(format!("kind-{n}"))).collect();
        let server: Arc<str> = "pbx1".into();
        let event = |seq: u64, is_shared: bool| {
            // Now the same as the one before, now one of long ago, now without a server.
            let text = &texts[usize::try_from(seq / 2 * 7 % 20).unwrap()];
            let own = |text: &Arc<str>| if is_shared { Arc::clone(text) } else { text[..].into() };
            Arc::new(BusEvent {
                seq,
                time_ns: 1_000 + seq,
                address: own(text),
                kind: own(text),
                server: (!seq.is_multiple_of(5)).then(|| own(&server)),
                payload: Bytes::from(format!("{{{seq}}}")),
            })
        };
        let framed = |is_shared| {
            let batch: Vec<Arc<BusEvent>> = (1..=64).map(|seq| event(seq, is_shared)).collect();
            let mut framed = Framed::default();
            framed.fill(&batch);
            framed
        };
        let (copied, written) = (framed(true), framed(false));
        assert_eq!(copied.offsets(), written.offsets());
        assert_eq!(copied.bytes(), written.bytes());
    }

    #[test]
    fn what_is_kept_is_read_again() {
        for server in [Some("pbx1"), None] {
            let event = event(7, server);
            let bytes = encode(&event);
            assert_eq!(bytes.len(), length(&event));
            let read = decode(&bytes).unwrap();
            assert_eq!(format!("{read:?}"), format!("{event:?}"));
            for cut in 0..bytes.len() - event.payload.len() {
                assert!(decode(&bytes.slice(..cut)).is_none(), "{cut}");
            }
        }
    }

    #[test]
    fn the_buffer_is_used_again() {
        let mut framed = Framed::default();
        framed.fill(&[event(1, None), event(2, None)]);
        framed.fill(&[event(3, None)]);
        assert_eq!(framed.offsets().len(), 2);
        assert_eq!(framed.bytes()[..8], 3u64.to_le_bytes());
    }
}
