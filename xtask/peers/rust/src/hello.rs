//! What a client says before it gets events: `then` is what it must have heard before it goes on.

/// What a client wants, as the servers' words go.
type Wanted = fn(&str) -> Vec<u8>;

/// The steps after the HTTP upgrade, and what the upgrade asks for.
pub struct Hello {
    pub path: &'static str,
    pub headers: &'static str,
    pub steps: Vec<Step>,
}

/// Says something, and waits for an answer that contains something.
pub struct Step {
    say: Wanted,
    pub then: &'static [u8],
}

pub const KINDS: [&str; 5] = ["telepulse", "plain", "asking", "socketio", "nats"];

/// The agent that a client asks for where clients ask for one each: those of [`crate::calls`].
pub fn agent(client: usize) -> String {
    (2000 + client % 500 + client / 500 * 1000).to_string()
}

impl Step {
    /// `filter`: what the client asks for, as JSON.
    pub fn say(&self, filter: &str) -> Vec<u8> {
        (self.say)(filter)
    }
}

impl Hello {
    pub fn of(kind: &str) -> Option<Self> {
        let hello = |path, headers, steps| Some(Self { path, headers, steps });
        match kind {
            "plain" => hello("/", "", vec![]),
            "telepulse" => hello(
                "/",
                "Authorization: Bearer bench\r\n",
                vec![Step {
                    say: |filter| {
                        let say = format!(r#"{{"action":"subscribe","id":1,"filter":{filter}}}"#);
                        frame(0x81, say.as_bytes())
                    },
                    then: b"\"ok\":true",
                }],
            ),
            "asking" => {
                let say = |filter: &str| frame(0x81, filter.as_bytes());
                hello("/", "", vec![Step { say, then: b"\"ok\":true" }])
            }
            "socketio" => hello(
                "/socket.io/?EIO=4&transport=websocket",
                "",
                vec![Step { say: |_| frame(0x81, b"40"), then: b"40{" }],
            ),
            "nats" => hello(
                "/",
                "",
                vec![Step {
                    say: |_| {
                        let connect = b"CONNECT {\"verbose\":false,\"pedantic\":false}\r\n";
                        frame(0x82, &[&connect[..], b"SUB bench 1\r\nPING\r\n"].concat())
                    },
                    then: b"PONG",
                }],
            ),
            _ => None,
        }
    }
}

/// A text frame of a client.
pub fn text(payload: &str) -> Vec<u8> {
    frame(0x81, payload.as_bytes())
}

/// A frame of a client (RFC 6455, section 5), masked with zeros: the mask is there, and changes nothing.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("hellos are short");
    let mut frame = vec![first];
    match u8::try_from(length) {
        Ok(length @ 0..=125) => frame.push(0x80 | length),
        _ => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&length.to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}
