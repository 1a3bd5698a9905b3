//! What a client says before it gets events: `then` is what it must have heard before it goes on.

/// The steps after the HTTP upgrade, and what the upgrade asks for.
pub struct Hello {
    pub path: &'static str,
    pub headers: &'static str,
    pub steps: Vec<Step>,
}

/// Says something, and waits for an answer that contains something.
pub struct Step {
    pub say: Vec<u8>,
    pub then: &'static [u8],
}

pub const KINDS: [&str; 4] = ["telepulse", "plain", "socketio", "nats"];

impl Hello {
    pub fn of(kind: &str) -> Option<Self> {
        let hello = |path, headers, steps| Some(Self { path, headers, steps });
        match kind {
            "plain" => hello("/", "", vec![]),
            "telepulse" => hello(
                "/",
                "Authorization: Bearer bench\r\n",
                vec![text(r#"{"action":"subscribe","id":1,"filter":{}}"#, b"\"ok\":true")],
            ),
            "socketio" => hello(
                "/socket.io/?EIO=4&transport=websocket",
                "",
                vec![text("40", b"40{")],
            ),
            "nats" => hello(
                "/",
                "",
                vec![
                    binary("CONNECT {\"verbose\":false,\"pedantic\":false}\r\nSUB bench 1\r\nPING\r\n", b"PONG"),
                ],
            ),
            _ => None,
        }
    }
}

fn text(say: &str, then: &'static [u8]) -> Step {
    Step { say: frame(0x81, say.as_bytes()), then }
}

fn binary(say: &str, then: &'static [u8]) -> Step {
    Step { say: frame(0x82, say.as_bytes()), then }
}

/// A frame of a client (RFC 6455, section 5), masked with zeros: the mask is there, and changes nothing.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).ok().filter(|length| *length < 126);
    let mut frame = vec![first, 0x80 | length.expect("hellos are short"), 0, 0, 0, 0];
    frame.extend_from_slice(payload);
    frame
}
