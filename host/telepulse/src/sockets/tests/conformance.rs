//! RFC 6455 from the other side of the wire, frame by frame: an echo, and whatever a client can get wrong. The
//! cases follow the sections of Autobahn's test suite.

use super::*;
use http::header;

/// A gateway that says again what it hears.
async fn echo() -> (Host, tokio::task::JoinHandle<()>) {
    let settings = Settings {
        message_bytes: 1 << 20,
        messages_a_second: NonZeroU32::MAX,
        bytes_a_second: NonZeroU32::MAX,
        ..Settings::default()
    };
    let host = Host::start(settings);
    let Gateway { ports, mut happenings, guard } = host.gateway().await;
    let echo = tokio::spawn(async move {
        while let Some(happening) = happenings.recv().await {
            if let Happening::Frames(conn, frames) = happening {
                ports.connections.send("gateway", &[conn], &frames);
            }
        }
        drop(guard);
    });
    (host, echo)
}

/// A connection of which only bytes are known.
struct Wire(TcpStream);

impl Wire {
    async fn open(host: &Host) -> Self {
        let mut tcp = host.tcp().await;
        let request = format!(
            "GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
             {}: Bearer {TOKEN}\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            header::AUTHORIZATION
        );
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(soon(tcp.read_u8()).await.unwrap());
        }
        Self(tcp)
    }

    /// Sends bytes in pieces of this size.
    async fn send(&mut self, bytes: &[u8], piece: usize) {
        for piece in bytes.chunks(piece) {
            // It may have hung up in the middle.
            if self.0.write_all(piece).await.is_err() {
                return;
            }
            if piece.len() < bytes.len() {
                tokio::task::yield_now().await;
            }
        }
    }

    /// The next frame: its first byte and its payload; `None`: the connection is closed.
    async fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        let first = soon(self.0.read_u8()).await.ok()?;
        let length = match soon(self.0.read_u8()).await.ok()? {
            126 => usize::from(soon(self.0.read_u16()).await.ok()?),
            127 => usize::try_from(soon(self.0.read_u64()).await.ok()?).unwrap(),
            length => usize::from(length),
        };
        let mut payload = vec![0; length];
        soon(self.0.read_exact(&mut payload)).await.ok()?;
        Some((first, payload))
    }

    /// What it is closed with, after what frames.
    async fn closed(&mut self) -> (Vec<(u8, Vec<u8>)>, Option<u16>) {
        let mut before = Vec::new();
        loop {
            match self.next().await {
                Some((0x88, payload)) => {
                    let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                    return (before, code);
                }
                Some(frame) => before.push(frame),
                None => return (before, None),
            }
        }
    }
}

/// A frame of a client, masked.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..=125 => bytes.push(0x80 | u8::try_from(length).unwrap()),
        length @ 126..=0xFFFF => {
            bytes.push(0xFE);
            bytes.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            bytes.push(0xFF);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(0x88, &[&code.to_be_bytes(), reason].concat())
}

/// Sends frames, waits for so many answers, sends a close; answers what came back before the goodbye, and its
/// code.
async fn tried(
    host: &Host,
    frames: &[Vec<u8>],
    answers: usize,
) -> (Vec<(u8, Vec<u8>)>, Option<u16>) {
    let mut wire = Wire::open(host).await;
    wire.send(&frames.concat(), usize::MAX).await;
    let mut got = Vec::new();
    while got.len() < answers {
        got.push(wire.next().await.expect("an answer"));
    }
    wire.send(&close(1000, b""), usize::MAX).await;
    let (more, code) = wire.closed().await;
    got.extend(more);
    (got, code)
}

#[tokio::test]
async fn messages_of_every_size_come_back_however_they_are_cut() {
    let (host, echo) = echo().await;
    for first in [0x81, 0x82] {
        for length in [0, 1, 125, 126, 127, 128, 65_535, 65_536, 300_000] {
            let payload = vec![b'*'; length];
            for piece in [usize::MAX, 997] {
                let mut wire = Wire::open(&host).await;
                wire.send(&frame(first, &payload), piece).await;
                assert_eq!(wire.next().await, Some((first, payload.clone())), "{length}");
            }
        }
    }
    // Byte by byte, and in fragments with pings between.
    let mut wire = Wire::open(&host).await;
    wire.send(&frame(0x81, "Grüße".as_bytes()), 1).await;
    assert_eq!(wire.next().await, Some((0x81, "Grüße".as_bytes().to_vec())));
    let parts = [frame(0x01, b"one "), frame(0x89, b"?"), frame(0x00, b""), frame(0x80, b"two")];
    wire.send(&parts.concat(), usize::MAX).await;
    assert_eq!(wire.next().await, Some((0x8A, b"?".to_vec())));
    assert_eq!(wire.next().await, Some((0x81, b"one two".to_vec())));
    echo.abort();
}

#[tokio::test]
async fn pings_are_answered_and_pongs_are_no_matter() {
    let (host, echo) = echo().await;
    for payload in [&b""[..], b"hello", &[0xFF; 125]] {
        let (got, code) = tried(&host, &[frame(0x8A, payload), frame(0x89, payload)], 1).await;
        assert_eq!((got, code), (vec![(0x8A, payload.to_vec())], Some(1000)));
    }
    let many: Vec<Vec<u8>> = (0..10).map(|number| frame(0x89, &[number])).collect();
    let expected: Vec<_> = (0..10).map(|number| (0x8A, vec![number])).collect();
    assert_eq!(tried(&host, &many, 10).await, (expected, Some(1000)));
    echo.abort();
}

#[tokio::test]
async fn breaches_of_the_protocol_end_the_connection() {
    let (host, echo) = echo().await;
    let mut cases: Vec<(String, Vec<Vec<u8>>)> = vec![
        ("a long ping".into(), vec![frame(0x89, &[0; 126])]),
        ("a long close".into(), vec![frame(0x88, &[0; 126])]),
        ("a ping in fragments".into(), vec![frame(0x09, b"a"), frame(0x80, b"b")]),
        ("a pong in fragments".into(), vec![frame(0x0A, b"a"), frame(0x80, b"b")]),
        ("nothing to go on with".into(), vec![frame(0x80, b"a")]),
        ("a message amid another".into(), vec![frame(0x01, b"a"), frame(0x81, b"b")]),
        ("half a close code".into(), vec![frame(0x88, b"a")]),
    ];
    for reserved in [0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70] {
        cases.push((format!("reserved bits {reserved:x}"), vec![frame(0x81 | reserved, b"a")]));
        cases.push((format!("of a ping {reserved:x}"), vec![frame(0x89 | reserved, b"a")]));
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        cases.push((format!("opcode {opcode}"), vec![frame(0x80 | opcode, b"a")]));
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        cases.push((format!("close code {code}"), vec![close(code, b"")]));
    }
    for (what, frames) in cases {
        let (got, code) = tried(&host, &frames, 0).await;
        assert_eq!((got, code), (vec![], Some(1002)), "{what}");
    }
    echo.abort();
}

#[tokio::test]
async fn text_is_utf_8() {
    let (host, echo) = echo().await;
    let good: [&[u8]; 6] = [
        "κόσμε".as_bytes(),
        b"\xF4\x8F\xBF\xBF",
        b"\xEF\xBF\xBF",
        b"\xED\x9F\xBF",
        b"\xEE\x80\x80",
        b"\x00",
    ];
    for text in good {
        // Cut within a character too.
        let middle = text.len() / 2;
        let parts = [frame(0x01, &text[..middle]), frame(0x80, &text[middle..])];
        assert_eq!(tried(&host, &parts, 1).await, (vec![(0x81, text.to_vec())], Some(1000)));
    }
    let bad: [&[u8]; 8] = [
        b"\xCE\xBA\xED\xA0\x80edited",
        b"\xF4\x90\x80\x80",
        b"\xC0\xAF",
        b"\xE0\x80\xAF",
        b"\xED\xA0\x80",
        b"\xFE",
        b"\x80",
        b"\xC3",
    ];
    for text in bad {
        let (got, code) = tried(&host, &[frame(0x81, text)], 0).await;
        assert_eq!((got, code), (vec![], Some(1007)), "{text:x?}");
        let middle = text.len() / 2;
        let parts = [frame(0x01, &text[..middle]), frame(0x80, &text[middle..])];
        assert_eq!(tried(&host, &parts, 0).await.1, Some(1007), "{text:x?} in fragments");
    }
    // Bytes may be anything.
    let (got, code) = tried(&host, &[frame(0x82, b"\xFE\xFF")], 1).await;
    assert_eq!((got, code), (vec![(0x82, b"\xFE\xFF".to_vec())], Some(1000)));
    echo.abort();
}

#[tokio::test]
async fn a_close_is_answered_and_ends_it() {
    let (host, echo) = echo().await;
    for code in [1000, 1001, 1003, 1007, 1009, 1011, 3000, 3999, 4000, 4999] {
        let (got, answer) = tried(&host, &[close(code, b"because")], 0).await;
        assert_eq!((got, answer), (vec![], Some(code)));
    }
    let (got, answer) = tried(&host, &[frame(0x88, b"")], 0).await;
    assert_eq!((got, answer), (vec![], None));
    // What comes after it is not heard.
    let late = [close(1000, b""), frame(0x81, b"late"), frame(0x89, b"late")];
    assert_eq!(tried(&host, &late, 0).await, (vec![], Some(1000)));
    let (got, answer) = tried(&host, &[close(1000, b"\xC3\x28")], 0).await;
    assert!(got.is_empty() && matches!(answer, Some(1002 | 1007)), "{answer:?}");
    // What came before it is.
    let (got, answer) = tried(&host, &[frame(0x81, b"soon"), close(1000, b"")], 0).await;
    assert!(got.is_empty() || got == [(0x81, b"soon".to_vec())]);
    assert_eq!(answer, Some(1000));
    echo.abort();
}
