//! Frames of a client that compresses, as the protocol's library reads them: compressed messages become one
//! plain frame each, everything else goes through as it is. What is wrong is handed on in a shape that the
//! library refuses for the same reason.

use super::deflate::{self, Bad};

/// The most that a frame's header has: two bytes, eight of length, four of mask.
const LONGEST_HEAD: usize = 14;
const FIN: u8 = 0x80;
/// The first reserved bit: of a compressed message's first frame (RFC 7692, section 6).
const COMPRESSED: u8 = 0x40;
const OPCODE: u8 = 0x0F;
const CONTINUATION: u8 = 0;
const MASKED: u8 = 0x80;
/// An opcode that means nothing: refused as a breach of the protocol.
const NONSENSE: [u8; 6] = [FIN | 0x3, MASKED, 0, 0, 0, 0];

/// Unfolds a client's bytes as they come.
#[derive(Debug)]
pub(super) struct Unfolder {
    /// The largest message, in bytes, compressed or not.
    most: usize,
    head: Vec<u8>,
    /// What is left of the payload of a frame.
    payload: Payload,
    /// A compressed message that is not whole yet: its opcode and its bytes.
    message: Option<(u8, Vec<u8>)>,
}

#[derive(Debug)]
enum Payload {
    /// The next byte is a header's.
    None,
    /// So many bytes go through.
    Through(u64),
    /// So many are a part of the message.
    Part { left: usize, mask: [u8; 4], at: usize, is_last: bool },
}

/// What a frame's header says.
struct Head {
    first: u8,
    length: u64,
    mask: Option<[u8; 4]>,
}

impl Unfolder {
    pub(super) fn new(most: usize) -> Self {
        Self { most, head: Vec::with_capacity(LONGEST_HEAD), payload: Payload::None, message: None }
    }

    /// Takes bytes of the client; what the library shall read is put behind `out`.
    pub(super) fn take(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while let Some((&first, rest)) = bytes.split_first() {
            match &mut self.payload {
                Payload::None => {
                    self.head.push(first);
                    bytes = rest;
                    if let Some(head) = Head::read(&self.head) {
                        self.begin(&head, out);
                        self.head.clear();
                    }
                }
                Payload::Through(left) => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    out.extend_from_slice(&bytes[..here]);
                    bytes = &bytes[here..];
                    *left -= here as u64;
                    if *left == 0 {
                        self.payload = Payload::None;
                    }
                }
                Payload::Part { left, mask, at, .. } => {
                    let here = (*left).min(bytes.len());
                    if let Some((_, message)) = &mut self.message {
                        let masked = bytes[..here].iter().enumerate();
                        message.extend(masked.map(|(n, byte)| byte ^ mask[(*at + n) % 4]));
                    }
                    bytes = &bytes[here..];
                    *at += here;
                    *left -= here;
                    self.end_part(out);
                }
            }
        }
    }

    /// A frame's header is whole.
    fn begin(&mut self, head: &Head, out: &mut Vec<u8>) {
        let opcode = head.first & OPCODE;
        let is_data = matches!(opcode, 1 | 2);
        let begins = is_data && head.first & COMPRESSED != 0 && self.message.is_none();
        let goes_on = opcode == CONTINUATION && self.message.is_some();
        let Some(mask) = head.mask.filter(|_| begins || goes_on) else {
            if is_data && self.message.is_some() {
                // A message amid another.
                out.extend_from_slice(&NONSENSE);
            }
            out.extend_from_slice(&self.head);
            self.payload = through(head.length);
            return;
        };
        if begins {
            self.message = Some((opcode, Vec::new()));
        }
        let so_far = self.message.as_ref().map_or(0, |(_, message)| message.len());
        match usize::try_from(head.length) {
            Ok(left) if left <= self.most - so_far => {
                let is_last = head.first & FIN != 0;
                self.payload = Payload::Part { left, mask, at: 0, is_last };
                self.end_part(out);
            }
            _ => {
                out.extend_from_slice(&too_large(opcode));
                self.message = None;
                self.payload = through(head.length);
            }
        }
    }

    /// Sees whether a part is whole, and with it the message.
    fn end_part(&mut self, out: &mut Vec<u8>) {
        let Payload::Part { left: 0, is_last, .. } = self.payload else { return };
        self.payload = Payload::None;
        if !is_last {
            return;
        }
        let Some((opcode, message)) = self.message.take() else { return };
        match deflate::inflate(message, self.most) {
            Ok(payload) => {
                frame(opcode, &payload, out);
            }
            Err(Bad::TooLarge) => out.extend_from_slice(&too_large(opcode)),
            Err(Bad::Corrupt) => out.extend_from_slice(&NONSENSE),
        }
    }
}

impl Head {
    /// `None`: it is not whole yet.
    fn read(bytes: &[u8]) -> Option<Self> {
        let (&first, rest) = bytes.split_first()?;
        let (&second, rest) = rest.split_first()?;
        let (length, rest) = match second & !MASKED {
            126 => {
                let (length, rest) = rest.split_first_chunk()?;
                (u64::from(u16::from_be_bytes(*length)), rest)
            }
            127 => {
                let (length, rest) = rest.split_first_chunk()?;
                (u64::from_be_bytes(*length), rest)
            }
            length => (u64::from(length), rest),
        };
        let mask = match second & MASKED {
            0 => None,
            _ => Some(*rest.first_chunk()?),
        };
        Some(Self { first, length, mask })
    }
}

fn through(length: u64) -> Payload {
    if length == 0 { Payload::None } else { Payload::Through(length) }
}

/// A whole frame with a mask that changes nothing.
fn frame(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    out.push(FIN | opcode);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ 0..=125), _) => out.push(MASKED | length),
        (_, Ok(length)) => {
            out.push(MASKED | 0x7E);
            out.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            out.push(MASKED | 0x7F);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

/// The header of a frame that is larger than any message may be.
fn too_large(opcode: u8) -> [u8; LONGEST_HEAD] {
    let mut head = [0; LONGEST_HEAD];
    head[0] = FIN | if opcode == CONTINUATION { 1 } else { opcode };
    head[1] = MASKED | 0x7F;
    head[2..10].copy_from_slice(&(i64::MAX as u64).to_be_bytes());
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A frame of a client, with a mask.
    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [7, 11, 13, 17];
        let mut bytes = Vec::new();
        frame(first & OPCODE, payload, &mut bytes);
        let at = bytes.len() - payload.len();
        bytes[0] = first;
        bytes[at - 4..at].copy_from_slice(&mask);
        for (n, byte) in bytes[at..].iter_mut().enumerate() {
            *byte ^= mask[n % 4];
        }
        bytes
    }

    fn plain(opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        frame(opcode, payload, &mut bytes);
        bytes
    }

    fn unfolded(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Unfolder::new(1000).take(bytes, &mut out);
        out
    }

    #[test]
    fn compressed_messages_become_plain_ones() {
        let text = "to be or not to be ".repeat(20);
        let small = deflate::compress(text.as_bytes()).unwrap();
        let (left, right) = small.split_at(9);
        let ping = masked(FIN | 9, b"now");
        let hello = masked(FIN | 1, b"hello");
        let whole = masked(FIN | COMPRESSED | 1, &small);
        assert_eq!(unfolded(&whole), plain(1, text.as_bytes()));
        let parts = [masked(COMPRESSED | 2, left), ping.clone(), masked(FIN, right), hello.clone()];
        assert_eq!(unfolded(&parts.concat()), [ping, plain(2, text.as_bytes()), hello].concat());
    }

    #[test]
    fn what_is_wrong_stays_wrong() {
        let bomb = deflate::compress(&vec![0; 100_000]).unwrap();
        assert_eq!(unfolded(&masked(FIN | COMPRESSED | 1, &bomb)), too_large(1));
        assert_eq!(unfolded(&masked(FIN | COMPRESSED | 1, &[0xFF; 9])), NONSENSE);
        let endless = [masked(COMPRESSED | 1, &[0; 900]), masked(0, &[0; 101])].concat();
        assert!(unfolded(&endless).starts_with(&too_large(1)));
        // A message amid another; a compressed control frame; one without a mask.
        let amid = [masked(COMPRESSED | 1, b"a"), masked(FIN | 1, b"b")].concat();
        assert!(unfolded(&amid).starts_with(&NONSENSE));
        let control = masked(FIN | COMPRESSED | 9, b"a");
        assert_eq!(unfolded(&control), control);
        assert_eq!(unfolded(&[0xC1, 2, 1, 2]), [0xC1, 2, 1, 2]);
    }

    proptest! {
        /// However the bytes are cut, the same comes out.
        #[test]
        fn cuts_change_nothing(
            frames in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..300)), 0..8),
            cuts in prop::collection::vec(1..50_usize, 1..200),
        ) {
            let bytes: Vec<u8> =
                frames.iter().flat_map(|(first, payload)| masked(*first, payload)).collect();
            let (mut unfolder, mut out, mut rest) = (Unfolder::new(1000), Vec::new(), &bytes[..]);
            for cut in cuts.into_iter().cycle() {
                if rest.is_empty() { break; }
                let (now, later) = rest.split_at(cut.min(rest.len()));
                unfolder.take(now, &mut out);
                rest = later;
            }
            prop_assert_eq!(out, unfolded(&bytes));
        }
    }
}
