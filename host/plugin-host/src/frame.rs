//! The framed layout of a batch (`framed-subscriber` in `wit/bus.wit`), built once for each batch.

use crate::ports::BusEvent;
use std::sync::Arc;

/// What comes before an event's texts, in bytes.
const HEADER: usize = 24;
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
        for event in batch {
            push(&mut self.bytes, event);
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

fn push(bytes: &mut Vec<u8>, event: &BusEvent) {
    let address = field(&event.address);
    let kind = field(&event.kind);
    let server = event.server.as_deref().map(field);
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(&event.seq.to_le_bytes());
    header[8..16].copy_from_slice(&event.time_ns.to_le_bytes());
    header[16..18].copy_from_slice(&address.0.to_le_bytes());
    header[18..20].copy_from_slice(&kind.0.to_le_bytes());
    header[20..22].copy_from_slice(&server.map_or(NO_SERVER, |server| server.0).to_le_bytes());
    let server = server.map_or("", |server| server.1);
    let texts = [address.1, kind.1, server];
    bytes
        .reserve(HEADER + texts.iter().map(|text| text.len()).sum::<usize>() + event.payload.len());
    bytes.extend_from_slice(&header);
    for text in texts {
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes.extend_from_slice(&event.payload);
}

/// A text with its length; cut where it would not fit, which no address of the bus does.
fn field(text: &str) -> (u16, &str) {
    let text = &text[..text.floor_char_boundary(usize::from(NO_SERVER) - 1)];
    (u16::try_from(text.len()).unwrap_or(0), text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

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
    fn the_buffer_is_used_again() {
        let mut framed = Framed::default();
        framed.fill(&[event(1, None), event(2, None)]);
        framed.fill(&[event(3, None)]);
        assert_eq!(framed.offsets().len(), 2);
        assert_eq!(framed.bytes()[..8], 3u64.to_le_bytes());
    }
}
