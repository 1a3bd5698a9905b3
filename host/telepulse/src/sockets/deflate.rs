//! Compression of single messages (RFC 7692, permessage-deflate), without a window that goes from one
//! message to the next on either side: so what is compressed once can be sent to many, and an idle connection
//! keeps no state.

use super::frame;
use bytes::Bytes;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use http::{HeaderMap, header};
use std::cell::RefCell;

/// What is answered to an offer that is accepted.
pub(super) const ACCEPTED: &str =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
/// Messages shorter than this gain nothing.
const SHORT: usize = 128;
/// Ends a message's last block; it is left out on the wire (section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];

thread_local! {
    // Their tables are large: each thread has one of each.
    static COMPRESS: RefCell<Compress> = RefCell::new(Compress::new(Compression::fast(), false));
    static DECOMPRESS: RefCell<Decompress> = RefCell::new(Decompress::new(false));
}

/// Why a message was not inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bad {
    /// It would be larger than a message may be.
    TooLarge,
    /// It is not what a compressor writes.
    Corrupt,
}

/// How messages go to a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Form {
    /// As they are.
    #[default]
    Plain,
    /// Compressed, where that makes them smaller.
    Deflated,
}

/// Whether a client offers compression that can be accepted (section 7.1).
pub(super) fn is_offered(headers: &HeaderMap) -> bool {
    let offers = headers.get_all(header::SEC_WEBSOCKET_EXTENSIONS).iter();
    let mut offers = offers.filter_map(|value| value.to_str().ok()).flat_map(|it| it.split(','));
    offers.any(|offer| {
        let mut words = offer.split(';').map(str::trim);
        words.next() == Some("permessage-deflate") && words.all(is_possible)
    })
}

fn is_possible(parameter: &str) -> bool {
    let (name, value) = match parameter.split_once('=') {
        Some((name, value)) => (name.trim(), Some(value.trim().trim_matches('"'))),
        None => (parameter, None),
    };
    match name {
        "server_no_context_takeover" | "client_no_context_takeover" => value.is_none(),
        "client_max_window_bits" => true,
        // A smaller window is nothing that our compressor has.
        "server_max_window_bits" => value == Some("15"),
        _ => false,
    }
}

/// A whole frame from server to client, compressed if that makes it smaller.
pub(super) fn frame(plain: &Bytes) -> Bytes {
    let compressed = frame::parts(plain).and_then(|(first, payload)| {
        Some(frame::encode(first | frame::COMPRESSED, &compress(payload)?))
    });
    compressed.unwrap_or_else(|| plain.clone())
}

/// A message's payload, compressed, if that makes it smaller.
pub(super) fn compress(payload: &[u8]) -> Option<Vec<u8>> {
    if payload.len() < SHORT {
        return None;
    }
    COMPRESS.with_borrow_mut(|compress| {
        compress.reset();
        // It must become smaller, or is not wanted; the tail is cut off again.
        let mut out = Vec::with_capacity(payload.len() + TAIL.len());
        compress.compress_vec(payload, &mut out, FlushCompress::Sync).ok()?;
        let is_whole = compress.total_in() == payload.len() as u64 && out.ends_with(&TAIL);
        out.truncate(out.len().saturating_sub(TAIL.len()));
        (is_whole && out.len() < payload.len()).then_some(out)
    })
}

/// What a compressed payload was, at most so many bytes.
pub(super) fn inflate(mut payload: Vec<u8>, most: usize) -> Result<Vec<u8>, Bad> {
    payload.extend_from_slice(&TAIL);
    DECOMPRESS.with_borrow_mut(|decompress| {
        decompress.reset(false);
        let mut out = Vec::with_capacity((payload.len() * 4).min(most + 1));
        loop {
            let read = usize::try_from(decompress.total_in()).unwrap_or(usize::MAX);
            let rest = payload.get(read..).unwrap_or_default();
            let status = decompress
                .decompress_vec(rest, &mut out, FlushDecompress::Sync)
                .map_err(|_| Bad::Corrupt)?;
            if out.len() > most {
                return Err(Bad::TooLarge);
            }
            let all_read = decompress.total_in() >= payload.len() as u64;
            if status == Status::StreamEnd || all_read && out.len() < out.capacity() {
                return Ok(out);
            }
            let room = out.capacity().min(most + 1 - out.len()).max(1);
            let is_stuck = !all_read && out.len() < out.capacity();
            if is_stuck {
                return Err(Bad::Corrupt);
            }
            out.reserve_exact(room);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MOST: usize = 64 << 10;

    #[test]
    fn what_is_compressed_comes_back() {
        let text = r#"{"event":"channelState","server":"pbx1"}"#.repeat(20);
        let small = compress(text.as_bytes()).unwrap();
        assert!(small.len() < text.len() / 4);
        assert_eq!(inflate(small, MOST).unwrap(), text.as_bytes());
        assert_eq!(compress(b"short"), None);
        assert_eq!(inflate(vec![], MOST).unwrap(), b"");
        // RFC 7692, section 7.2.3.1.
        let hello = vec![0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
        assert_eq!(inflate(hello, MOST).unwrap(), b"Hello");
    }

    #[test]
    fn offers_are_taken_that_can_be_kept() {
        let check = |offer: &str, expected: bool| {
            let headers = [(header::SEC_WEBSOCKET_EXTENSIONS, offer.parse().unwrap())];
            assert_eq!(is_offered(&headers.into_iter().collect()), expected, "{offer}");
        };
        check("permessage-deflate; client_max_window_bits", true);
        check("permessage-deflate", true);
        check("x-other, permessage-deflate; server_no_context_takeover", true);
        check("permessage-deflate; server_max_window_bits=15; client_max_window_bits=9", true);
        check("permessage-deflate; server_max_window_bits=10", false);
        check("permessage-deflate; server_max_window_bits=10, permessage-deflate", true);
        check("permessage-deflate; what=1", false);
        check("x-webkit-deflate-frame", false);
    }

    #[test]
    fn bombs_and_rubbish_are_told_apart() {
        let bomb = compress(&vec![0; 16 << 20]).unwrap();
        assert!(bomb.len() < 1 << 20);
        assert_eq!(inflate(bomb, MOST), Err(Bad::TooLarge));
        assert_eq!(inflate(compress(&vec![b'a'; MOST]).unwrap(), MOST).unwrap().len(), MOST);
        let one_more = compress(&vec![b'a'; MOST + 1]).unwrap();
        assert_eq!(inflate(one_more, MOST), Err(Bad::TooLarge));
        assert_eq!(inflate(vec![0xFF; 20], MOST), Err(Bad::Corrupt));
    }

    proptest! {
        #[test]
        fn whatever_it_is(payload in prop::collection::vec(any::<u8>(), 0..2000), times in 1..40_usize) {
            let payload = payload.repeat(times);
            if let Some(small) = compress(&payload) {
                prop_assert!(small.len() < payload.len());
                prop_assert_eq!(inflate(small, 100_000).unwrap(), payload);
            }
        }

        #[test]
        fn rubbish_never_hangs_or_exceeds(payload in prop::collection::vec(any::<u8>(), 0..500)) {
            if let Ok(out) = inflate(payload, 1000) {
                prop_assert!(out.len() <= 1000);
            }
        }
    }
}
